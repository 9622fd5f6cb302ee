// Reading safetensors: 8 bytes header length, a JSON header {name: {dtype, shape, data_offsets}}, then the data.
// Format: github.com/huggingface/safetensors. Every offset is checked against the file before it is used.
#include "safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "../base/arena.h"
#include "../base/sizes.h"
#include "../base/system.h"
#include "../kernels/blocks.h"
#include "content.h"
#include "entries.h"
#include "json.h"

#define MOST_HEADER_BYTES ((size_t)100 << 20)

typedef struct reader {
    char *origin, *variant;
    ff_mapping *files;         // [file_count]
    char **file_names;
    size_t file_count;
    ff_weight_entries entries;
    cJSON *metadata;           // of the first file, or NULL
    ff_arena *copies;          // of unaligned tensors; NULL: they stay where they are
} reader;

static ff_status no_memory(const char *path, ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
}

static bool parse_dtype(const char *text, ff_dtype *out)
{
    static const ff_dtype known[] = {FF_F32, FF_F16, FF_BF16, FF_I64, FF_U8, FF_F64, FF_I32, FF_BOOL};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(text, known[i]->name) == 0) {
            *out = known[i];
            return true;
        }
    for (size_t i = FF_BLOCK_F8_E4M3; i <= FF_BLOCK_I8; i++)
        if (strcmp(text, ff_block_formats[i].element.name) == 0) {
            *out = &ff_block_formats[i].element;
            return true;
        }
    return false;
}

static bool offset_of(const cJSON *item, size_t *out)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= 0x1p53))
        return false;
    *out = (size_t)item->valuedouble;
    return (double)*out == item->valuedouble;
}

// UTF-8 without control characters, so that it can be shown.
static bool is_text(const char *name)
{
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)name;
    while (*at) {
        utf8proc_int32_t character;
        utf8proc_ssize_t length = utf8proc_iterate(at, -1, &character);
        if (length <= 0 || character < 0x20 || (character >= 0x7f && character < 0xa0))
            return false;
        at += length;
    }
    return true;
}

// One header entry, checked against the data's size. A tensor that is not aligned to its element is copied, unless
// copies is NULL.
static ff_status read_entry(const cJSON *item, const char *path, const uint8_t *data, size_t data_size,
                            ff_arena *copies, ff_weight *out, ff_error *error)
{
    const cJSON *dtype = ff_json_item(item, "dtype");
    const cJSON *shape = ff_json_item(item, "shape");
    const cJSON *offsets = ff_json_item(item, "data_offsets");
    const cJSON *dimension;
    size_t begin, end, bytes;
    *out = (ff_weight){0};
    if (!cJSON_IsString(dtype) || !parse_dtype(dtype->valuestring, &out->dtype))
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has dtype %.20s, expected F32, F16, BF16, F8_E4M3, "
                       "F8_E5M2, I8, F64, I64, I32, U8 or BOOL", path, item->string,
                       cJSON_IsString(dtype) && is_text(dtype->valuestring) ? dtype->valuestring : "(none)");
    if (!cJSON_IsArray(shape) || cJSON_GetArraySize(shape) > FF_MAX_RANK)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has no shape of at most %d dimensions", path,
                       item->string, FF_MAX_RANK);
    bytes = out->dtype->bytes;
    cJSON_ArrayForEach(dimension, shape)
    {
        size_t size;
        if (!offset_of(dimension, &size) || !ff_multiply_sizes(bytes, size, &bytes))
            return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has an impossible shape", path, item->string);
        out->shape[out->rank++] = size;
    }
    if (cJSON_GetArraySize(offsets) != 2 || !offset_of(cJSON_GetArrayItem(offsets, 0), &begin) ||
        !offset_of(cJSON_GetArrayItem(offsets, 1), &end) || begin > end)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has no valid data_offsets", path, item->string);
    if (end - begin != bytes)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s takes %zu bytes by its shape, %zu by its data_offsets",
                       path, item->string, bytes, end - begin);
    if (end > data_size)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s ends at data byte %zu, but the file has only %zu", path,
                       item->string, end, data_size);
    out->data = data + begin;
    if (copies && (uintptr_t)out->data % out->dtype->bytes) {
        void *copy = ff_arena_take(copies, bytes, 1);
        if (!copy)
            return no_memory(path, error);
        out->data = memcpy(copy, data + begin, bytes);
    }
    return FF_OK;
}

// Where a tensor lies in the data.
typedef struct extent {
    size_t begin, end;
    const char *name;
} extent;

static int compare_extents(const void *a, const void *b)
{
    const extent *p = a, *q = b;
    if (p->begin != q->begin)
        return p->begin < q->begin ? -1 : 1;
    return (p->end > q->end) - (p->end < q->end);
}

// Tensors that share bytes, or bytes after the last of them. data_size: of what follows the header
static ff_status check_extents(const cJSON *header, const char *path, size_t data_size, ff_error *error)
{
    size_t count = 0;
    const cJSON *item;
    extent *extents = malloc(((size_t)cJSON_GetArraySize(header) + 1) * sizeof *extents);
    if (!extents)
        return no_memory(path, error);
    cJSON_ArrayForEach(item, header)
    {
        const cJSON *offsets = ff_json_item(item, "data_offsets");
        extent found = {.name = item->string};
        if (strcmp(item->string, "__metadata__") != 0 && offset_of(cJSON_GetArrayItem(offsets, 0), &found.begin) &&
            offset_of(cJSON_GetArrayItem(offsets, 1), &found.end) && found.begin < found.end)
            extents[count++] = found;
    }
    qsort(extents, count, sizeof *extents, compare_extents);
    ff_status status = FF_OK;
    size_t end = count ? extents[count - 1].end : 0;
    for (size_t i = 1; i < count && !status; i++)
        if (extents[i].begin < extents[i - 1].end)
            status = ff_fail(error, FF_ERROR_INPUT, "%s: tensors %s and %s overlap", path, extents[i - 1].name,
                             extents[i].name);
    if (!status && end < data_size)
        status = ff_fail(error, FF_ERROR_INPUT, "%s: %zu bytes follow the last tensor, so this is not the file that was "
                         "written", path, data_size - end);
    free(extents);
    return status;
}

// Bytes that are no safetensors file: what they are, if that is known, else `otherwise`.
static ff_status refuse_bytes(const char *path, const uint8_t *bytes, size_t size, const char *otherwise,
                              ff_error *error)
{
    char content[FF_CONTENT_TEXT];
    if (size && ff_content_describe(bytes, size, content))
        return ff_fail(error, FF_ERROR_INPUT, "%s: not a safetensors file: it is %s", path, content);
    return ff_fail(error, FF_ERROR_INPUT, "%s: %s", path, otherwise);
}

// The tensors that a header lists.   data: what follows it
static ff_status read_header(reader *r, const char *path, const cJSON *header, const uint8_t *data, size_t data_size,
                             ff_error *error)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, header)
    {
        ff_weight view;
        if (strcmp(item->string, "__metadata__") == 0)
            continue;
        if (!is_text(item->string))
            return ff_fail(error, FF_ERROR_INPUT, "%s: the name of tensor %zu is not UTF-8 text, or has control "
                           "characters in it", path, r->entries.count + 1);
        ff_status status = read_entry(item, path, data, data_size, r->copies, &view, error);
        if (status)
            return status;
        if (!ff_entries_add(&r->entries, item->string, &view))
            return no_memory(r->origin, error);
    }
    return check_extents(header, path, data_size, error);
}

// Maps the i-th file, of which the reader has the name, and reads its header.
static ff_status read_file(reader *r, size_t i, ff_error *error)
{
    const char *path = r->file_names[i];
    ff_status status = ff_map_file(path, &r->files[i], error);
    if (status)
        return status;
    const uint8_t *bytes = r->files[i].data;
    size_t size = r->files[i].size, header_size = 0;
    char wrong[160];
    if (size < 8) {
        snprintf(wrong, sizeof wrong, "%zu bytes are no safetensors file", size);
        return refuse_bytes(path, bytes, size, wrong, error);
    }
    for (int byte = 7; byte >= 0; byte--)
        header_size = header_size << 8 | bytes[byte];
    if (header_size < 2 || header_size > MOST_HEADER_BYTES || header_size > size - 8) {
        snprintf(wrong, sizeof wrong,
                 "not a safetensors file, or cut off: its header would take %zu bytes, the file has %zu", header_size,
                 size);
        return refuse_bytes(path, bytes, size, wrong, error);
    }
    cJSON *header;
    if ((status = ff_json_parse(path, "its safetensors header is not a JSON object", bytes + 8, header_size, &header,
                                error)))
        return status;
    status = read_header(r, path, header, bytes + 8 + header_size, size - 8 - header_size, error);
    if (!status && i == 0)
        r->metadata = cJSON_DetachItemFromObjectCaseSensitive(header, "__metadata__");
    cJSON_Delete(header);
    return status;
}

// ---- the source ----

static ff_status find(void *user, const char *name, ff_weight *out, bool *found, ff_error *error)
{
    *found = ff_entries_view(&((const reader *)user)->entries, name, out);
    return FF_OK;
}

static const char *at(void *user, size_t i, ff_weight *out)
{
    return ff_entries_at(&((const reader *)user)->entries, i, out);
}

static const char *metadata(void *user, const char *key)
{
    const reader *r = user;
    return cJSON_GetStringValue(ff_json_item(r->metadata, key));
}

static void release(void *user)
{
    const reader *r = user;
    for (size_t i = 0; i < r->file_count; i++)
        ff_release_mapping(&r->files[i]);
}

static void close_reader(void *user)
{
    reader *r = user;
    for (size_t i = 0; i < r->file_count; i++) {
        ff_unmap_file(&r->files[i]);
        free(r->file_names[i]);
    }
    ff_entries_free(&r->entries);
    free(r->files);
    free(r->file_names);
    cJSON_Delete(r->metadata);
    ff_arena_destroy(r->copies);
    free(r->variant);
    free(r->origin);
    free(r);
}

// What the reader keeps of `what`; its files are not mapped yet.
static reader *create_reader(const ff_safetensors *what)
{
    reader *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->origin = strdup(what->origin);
    r->variant = strdup(what->variant);
    r->copies = what->unaligned ? NULL : ff_arena_create();
    r->files = calloc(what->count + 1, sizeof *r->files);
    r->file_names = calloc(what->count + 1, sizeof *r->file_names);
    bool whole = r->origin && r->variant && (r->copies || what->unaligned) && r->files && r->file_names;
    for (size_t i = 0; whole && i < what->count; i++) {
        whole = (r->file_names[i] = strdup(what->paths[i])) != NULL;
        r->file_count += whole;
    }
    if (!whole) {
        close_reader(r);
        return NULL;
    }
    return r;
}

ff_status ff_safetensors_open(const ff_safetensors *what, ff_weight_source *out, ff_error *error)
{
    reader *r = create_reader(what);
    if (!r)
        return no_memory(what->origin, error);
    ff_status status = FF_OK;
    for (size_t i = 0; i < r->file_count && !status; i++)
        status = read_file(r, i, error);
    if (!status)
        status = ff_entries_sort(&r->entries, r->origin, error);
    if (status) {
        close_reader(r);
        return status;
    }
    *out = (ff_weight_source){.user = r, .origin = r->origin, .files = (const char *const *)r->file_names,
                              .file_count = r->file_count, .variant = r->variant, .count = r->entries.count,
                              .find = find, .at = at, .metadata = metadata, .release = release,
                              .close = close_reader};
    return FF_OK;
}

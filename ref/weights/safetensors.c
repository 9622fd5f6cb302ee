// Reading safetensors: 8 bytes header length, a JSON header {name: {dtype, shape, data_offsets}}, then the data.
// Format: github.com/huggingface/safetensors. Every offset is checked against the file before it is used.
#include "weights.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "../system.h"
#include "json.h"

#define MOST_HEADER_BYTES ((size_t)100 << 20)
#define MOST_SHARDS 1024

typedef struct entry {
    char *name;
    ff_weight view;
    size_t file;
} entry;

struct ff_weights {
    char *folder;              // for messages: the folder or the file
    ff_mapping *files;
    char **file_names;
    size_t file_count;
    entry *entries;
    size_t count, capacity;
    size_t *order;             // indices of entries, sorted by name
    cJSON *metadata;           // of the first file, or NULL
    ff_arena *memory;          // vectors handed out as f32, copies of unaligned tensors
    ff_weights_maker make;     // or NULL: where tensors come from if not from files
    void *make_user;
    bool unaligned;            // tensors may be so; none is copied
};

static ff_status out_of_memory(const char *path, ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
}

void ff_weights_close(ff_weights *weights)
{
    if (!weights)
        return;
    for (size_t i = 0; i < weights->file_count; i++) {
        ff_unmap_file(&weights->files[i]);
        free(weights->file_names[i]);
    }
    for (size_t i = 0; i < weights->count; i++)
        free(weights->entries[i].name);
    free(weights->files);
    free(weights->file_names);
    free(weights->entries);
    free(weights->order);
    cJSON_Delete(weights->metadata);
    ff_arena_destroy(weights->memory);
    free(weights->folder);
    free(weights);
}

static bool parse_dtype(const char *text, ff_dtype *out)
{
    static const ff_dtype known[] = {FF_F32, FF_F16, FF_BF16, FF_I64, FF_U8, FF_F64, FF_I32, FF_BOOL};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(text, ff_dtype_name(known[i])) == 0) {
            *out = known[i];
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
    const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(item, "dtype");
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(item, "shape");
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
    const cJSON *dimension;
    size_t begin, end, bytes;
    *out = (ff_weight){0};
    if (!cJSON_IsString(dtype) || !parse_dtype(dtype->valuestring, &out->dtype))
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has dtype %.20s, expected F32, F16, BF16, F64, I64, I32, "
                       "U8 or BOOL", path, item->string,
                       cJSON_IsString(dtype) && is_text(dtype->valuestring) ? dtype->valuestring : "(none)");
    if (!cJSON_IsArray(shape) || cJSON_GetArraySize(shape) > FF_MAX_RANK)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has no shape of at most %d dimensions", path,
                       item->string, FF_MAX_RANK);
    bytes = ff_dtype_size(out->dtype);
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
    if (copies && (uintptr_t)out->data % ff_dtype_size(out->dtype)) {
        void *copy = ff_arena_take(copies, bytes, 1);
        if (!copy)
            return out_of_memory(path, error);
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

static ff_status refuse_overlaps(const cJSON *header, const char *path, ff_error *error)
{
    size_t count = 0;
    const cJSON *item;
    extent *extents = malloc(((size_t)cJSON_GetArraySize(header) + 1) * sizeof *extents);
    if (!extents)
        return out_of_memory(path, error);
    cJSON_ArrayForEach(item, header)
    {
        const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
        extent found = {.name = item->string};
        if (strcmp(item->string, "__metadata__") != 0 && offset_of(cJSON_GetArrayItem(offsets, 0), &found.begin) &&
            offset_of(cJSON_GetArrayItem(offsets, 1), &found.end) && found.begin < found.end)
            extents[count++] = found;
    }
    qsort(extents, count, sizeof *extents, compare_extents);
    ff_status status = FF_OK;
    for (size_t i = 1; i < count && !status; i++)
        if (extents[i].begin < extents[i - 1].end)
            status = ff_fail(error, FF_ERROR_INPUT, "%s: tensors %s and %s overlap", path, extents[i - 1].name,
                             extents[i].name);
    free(extents);
    return status;
}

static ff_status append_entry(ff_weights *weights, const char *name, const ff_weight *view, size_t file,
                              ff_error *error)
{
    if (weights->count == weights->capacity) {
        size_t capacity = weights->capacity ? weights->capacity * 2 : 256;
        entry *entries = realloc(weights->entries, capacity * sizeof *entries);
        if (!entries)
            return out_of_memory(weights->folder, error);
        weights->entries = entries;
        weights->capacity = capacity;
    }
    char *copy = strdup(name);
    if (!copy)
        return out_of_memory(weights->folder, error);
    weights->entries[weights->count++] = (entry){copy, *view, file};
    return FF_OK;
}

static ff_status read_file(ff_weights *weights, const char *path, ff_error *error)
{
    size_t index = weights->file_count;
    ff_mapping *files = realloc(weights->files, (index + 1) * sizeof *files);
    if (files)
        weights->files = files;
    char **names = realloc(weights->file_names, (index + 1) * sizeof *names);
    if (names)
        weights->file_names = names;
    if (!files || !names)
        return out_of_memory(path, error);
    ff_status status = ff_map_file(path, &files[index], error);
    if (status)
        return status;
    names[index] = strdup(path);
    weights->file_count++;
    if (!names[index])
        return out_of_memory(path, error);

    const uint8_t *bytes = files[index].data;
    size_t size = files[index].size, header_size = 0;
    if (size < 8)
        return ff_fail(error, FF_ERROR_INPUT, "%s: %zu bytes are no safetensors file", path, size);
    for (int i = 7; i >= 0; i--)
        header_size = header_size << 8 | bytes[i];
    if (header_size > MOST_HEADER_BYTES || header_size > size - 8)
        return ff_fail(error, FF_ERROR_INPUT,
                       "%s: not a safetensors file, or cut off: its header would take %zu bytes, the file has %zu",
                       path, header_size, size);
    cJSON *header;
    if ((status = ff_json_parse(path, "its safetensors header is not a JSON object", bytes + 8, header_size, &header,
                                error)))
        return status;
    const cJSON *item;
    cJSON_ArrayForEach(item, header)
    {
        ff_weight view;
        if (strcmp(item->string, "__metadata__") == 0)
            continue;
        if (!is_text(item->string)) {
            status = ff_fail(error, FF_ERROR_INPUT, "%s: the name of tensor %zu is not UTF-8 text, or has control "
                             "characters in it", path, weights->count + 1);
            break;
        }
        if ((status = read_entry(item, path, bytes + 8 + header_size, size - 8 - header_size,
                                 weights->unaligned ? NULL : weights->memory, &view, error)) ||
            (status = append_entry(weights, item->string, &view, index, error)))
            break;
    }
    if (!status)
        status = refuse_overlaps(header, path, error);
    if (!status && index == 0)
        weights->metadata = cJSON_DetachItemFromObjectCaseSensitive(header, "__metadata__");
    cJSON_Delete(header);
    return status;
}

// Heap sort: C11's qsort hands its comparison no context, and qsort_r's argument order differs between systems.
static void sort_by_name(size_t *order, size_t count, const entry *entries)
{
    for (size_t end = count, start = count / 2; end > 1;) {
        if (start > 0) {
            start--;
        } else {
            end--;
            size_t swap = order[0];
            order[0] = order[end];
            order[end] = swap;
        }
        for (size_t root = start, child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && strcmp(entries[order[child]].name, entries[order[child + 1]].name) < 0)
                child++;
            if (strcmp(entries[order[root]].name, entries[order[child]].name) >= 0)
                break;
            size_t swap = order[root];
            order[root] = order[child];
            order[child] = swap;
        }
    }
}

static ff_status index_entries(ff_weights *weights, ff_error *error)
{
    weights->order = malloc((weights->count + 1) * sizeof *weights->order);
    if (!weights->order)
        return out_of_memory(weights->folder, error);
    for (size_t i = 0; i < weights->count; i++)
        weights->order[i] = i;
    sort_by_name(weights->order, weights->count, weights->entries);
    for (size_t i = 1; i < weights->count; i++) {
        const char *name = weights->entries[weights->order[i]].name;
        if (strcmp(weights->entries[weights->order[i - 1]].name, name) == 0)
            return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s appears twice", weights->folder, name);
    }
    return FF_OK;
}

static ff_status create(const char *folder, ff_weights **out, ff_error *error)
{
    *out = calloc(1, sizeof **out);
    if (*out) {
        (*out)->folder = strdup(folder);
        (*out)->memory = ff_arena_create();
    }
    if (!*out || !(*out)->folder || !(*out)->memory) {
        ff_weights_close(*out);
        *out = NULL;
        return out_of_memory(folder, error);
    }
    return FF_OK;
}

static ff_status open_file(const char *path, bool unaligned, ff_weights **out, ff_error *error)
{
    ff_weights *weights;
    ff_status status = create(path, &weights, error);
    *out = NULL;
    if (status)
        return status;
    weights->unaligned = unaligned;
    if ((status = read_file(weights, path, error)) || (status = index_entries(weights, error))) {
        ff_weights_close(weights);
        return status;
    }
    *out = weights;
    return FF_OK;
}

ff_status ff_weights_invent(ff_weights_maker make, void *user, ff_weights **out, ff_error *error)
{
    ff_status status = create("(memory)", out, error);
    if (status)
        return status;
    (*out)->make = make;
    (*out)->make_user = user;
    return FF_OK;
}

ff_status ff_weights_open_file(const char *path, ff_weights **out, ff_error *error)
{
    return open_file(path, false, out, error);
}

ff_status ff_weights_open_unaligned(const char *path, ff_weights **out, ff_error *error)
{
    return open_file(path, true, out, error);
}

// The shards named in an index's weight_map, each once.
static ff_status read_shards(ff_weights *weights, const char *index_path, ff_error *error)
{
    char path[4096];
    ff_mapping file;
    cJSON *index;
    ff_status status = ff_map_file(index_path, &file, error);
    if (status)
        return status;
    status = ff_json_parse(index_path, "not a JSON object", file.data, file.size, &index, error);
    ff_unmap_file(&file);
    if (status)
        return status;
    const cJSON *map = cJSON_GetObjectItemCaseSensitive(index, "weight_map"), *item;
    if (!cJSON_IsObject(map))
        status = ff_fail(error, FF_ERROR_INPUT, "%s: has no weight_map", index_path);
    cJSON_ArrayForEach(item, map)
    {
        bool seen = false;
        if (status)
            break;
        if (!cJSON_IsString(item) || strchr(item->valuestring, '/')) {
            status = ff_fail(error, FF_ERROR_INPUT, "%s: weight_map of %s is not a file name", index_path,
                             item->string);
            break;
        }
        if ((size_t)snprintf(path, sizeof path, "%s/%s", weights->folder, item->valuestring) >= sizeof path) {
            status = ff_fail(error, FF_ERROR_INPUT, "%s: the path is too long", index_path);
            break;
        }
        for (size_t i = 0; i < weights->file_count && !seen; i++)
            seen = strcmp(weights->file_names[i], path) == 0;
        if (!seen && weights->file_count == MOST_SHARDS)
            status = ff_fail(error, FF_ERROR_INPUT, "%s: names more than %d files", index_path, MOST_SHARDS);
        else if (!seen)
            status = read_file(weights, path, error);
    }
    cJSON_Delete(index);
    return status;
}

ff_status ff_weights_open(const char *folder, ff_weights **out, ff_error *error)
{
    static const char *const stems[] = {"diffusion_pytorch_model", "model"};
    char path[4096];
    ff_weights *weights;
    ff_status status = create(folder, &weights, error);
    *out = NULL;
    if (status)
        return status;
    bool found = false;
    for (size_t i = 0; i < 2 && !found; i++) {
        snprintf(path, sizeof path, "%s/%s.safetensors", folder, stems[i]);
        if ((found = ff_file_exists(path))) {
            status = read_file(weights, path, error);
            break;
        }
        snprintf(path, sizeof path, "%s/%s.safetensors.index.json", folder, stems[i]);
        if ((found = ff_file_exists(path)))
            status = read_shards(weights, path, error);
    }
    if (!found)
        status = ff_fail(error, FF_ERROR_INPUT,
                         "%s: no diffusion_pytorch_model.safetensors or model.safetensors (or their .index.json) here",
                         folder);
    if (status || (status = index_entries(weights, error))) {
        ff_weights_close(weights);
        return status;
    }
    *out = weights;
    return FF_OK;
}

size_t ff_weights_files(const ff_weights *weights)
{
    return weights->file_count;
}

const char *ff_weights_file(const ff_weights *weights, size_t i)
{
    return weights->file_names[i];
}

size_t ff_weights_count(const ff_weights *weights)
{
    return weights->count;
}

const char *ff_weights_at(const ff_weights *weights, size_t i, ff_weight *out)
{
    *out = weights->entries[i].view;
    return weights->entries[i].name;
}

const char *ff_weights_metadata(const ff_weights *weights, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(weights->metadata, key));
}

bool ff_weights_find(const ff_weights *weights, const char *name, ff_weight *out)
{
    size_t low = 0, high = weights->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const entry *candidate = &weights->entries[weights->order[middle]];
        int sign = strcmp(candidate->name, name);
        if (sign == 0) {
            *out = candidate->view;
            return true;
        }
        if (sign < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static ff_status require(const ff_weights *weights, const char *name, ff_weight *out, ff_error *error)
{
    if (!ff_weights_find(weights, name, out))
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s is missing", weights->folder, name);
    if (out->dtype != FF_F32 && out->dtype != FF_F16 && out->dtype != FF_BF16)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s is %s, expected F32, F16 or BF16", weights->folder, name,
                       ff_dtype_name(out->dtype));
    return FF_OK;
}

ff_status ff_weights_get(const ff_weights *weights, ff_weight *out, ff_error *error, int rank, const size_t *shape,
                         const char *name_format, ...)
{
    char name[256], found[FF_SHAPE_TEXT], wanted[FF_SHAPE_TEXT];
    va_list arguments;
    va_start(arguments, name_format);
    vsnprintf(name, sizeof name, name_format, arguments);
    va_end(arguments);
    if (weights->make) {
        *out = (ff_weight){.rank = rank};
        memcpy(out->shape, shape, (size_t)rank * sizeof *shape);
        return weights->make(weights->make_user, out, error);
    }
    ff_status status = require(weights, name, out, error);
    if (status)
        return status;
    if (out->rank != rank || memcmp(out->shape, shape, (size_t)rank * sizeof *shape) != 0) {
        ff_print_shape(found, out->rank, out->shape);
        ff_print_shape(wanted, rank, shape);
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has shape %s, config.json asks for %s", weights->folder,
                       name, found, wanted);
    }
    return FF_OK;
}

ff_status ff_weights_get_f32(ff_weights *weights, const float **out, ff_error *error, size_t count,
                             const char *name_format, ...)
{
    char name[256], found[FF_SHAPE_TEXT];
    ff_weight view;
    size_t elements = 1;
    va_list arguments;
    va_start(arguments, name_format);
    vsnprintf(name, sizeof name, name_format, arguments);
    va_end(arguments);
    ff_status status;
    if (weights->make) {
        view = (ff_weight){.rank = 1, .shape = {count}};
        status = weights->make(weights->make_user, &view, error);
    } else {
        status = require(weights, name, &view, error);
    }
    if (status)
        return status;
    for (int i = 0; i < view.rank; i++)
        elements *= view.shape[i];
    if (elements != count) {
        ff_print_shape(found, view.rank, view.shape);
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has shape %s, config.json asks for %zu elements",
                       weights->folder, name, found, count);
    }
    float *vector = ff_arena_floats(weights->memory, count);
    if (!vector)
        return out_of_memory(weights->folder, error);
    ff_weight_widen(&view, 0, count, vector);
    *out = vector;
    return FF_OK;
}

void ff_weights_release_pages(const ff_weights *weights)
{
    for (size_t i = 0; i < weights->file_count; i++)
        ff_release_mapping(&weights->files[i]);
}

// A GGUF file as a source: its tensors as views into the mapped file, those that were reshaped in their real shape.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/sizes.h"
#include "entries.h"
#include "gguf.h"
#include "gguf_source.h"

typedef struct reader {
    char *origin;
    ff_gguf gguf;
    ff_weight_entries entries;
    char *metadata;              // what was last asked for, as text
} reader;

static ff_status no_memory(const char *path, ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
}

static void close_reader(void *user)
{
    reader *r = user;
    ff_entries_free(&r->entries);
    ff_gguf_close(&r->gguf);
    free(r->metadata);
    free(r->origin);
    free(r);
}

// comfy.gguf.orig_shape.NAME: the shape, in PyTorch's order, of a tensor that was reshaped to fill blocks.
static ff_status original_shape(const reader *r, const char *name, ff_weight *view, ff_error *error)
{
    char key[FF_NAME_TEXT + 32];
    ff_gguf_walk walk;
    double size;
    size_t shape[FF_MAX_RANK], elements = 1;
    int rank = 0;
    snprintf(key, sizeof key, "comfy.gguf.orig_shape.%s", name);
    if (!ff_gguf_walk_start(ff_gguf_find(&r->gguf, key), &walk))
        return FF_OK;
    bool whole = walk.array->count <= FF_MAX_RANK;
    while (whole && ff_gguf_next_number(&walk, &size)) {
        whole = size >= 1 && size <= 0x1p53 && (double)(size_t)size == size &&
                ff_multiply_sizes(elements, (size_t)size, &elements);
        shape[rank++] = (size_t)size;
    }
    if (!whole || (size_t)rank != walk.array->count || elements != ff_shape_elements(view->rank, view->shape))
        return ff_fail(error, FF_ERROR_INPUT, "%s: %s is no shape of as many elements as the tensor has", r->origin,
                       key);
    view->rank = rank;
    memcpy(view->shape, shape, (size_t)rank * sizeof *shape);
    return FF_OK;
}

static ff_status add_tensor(reader *r, const ff_gguf_tensor *tensor, ff_error *error)
{
    ff_weight view = {.dtype = ff_ggml_type(tensor->type), .rank = tensor->rank};
    size_t elements = ff_shape_elements(tensor->rank, tensor->shape), bytes;
    size_t row = tensor->rank ? tensor->shape[tensor->rank - 1] : 1;
    if (!view.dtype)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has ggml's type %u (%s), which is not supported",
                       r->origin, tensor->name, (unsigned)tensor->type, ff_ggml_type_name(tensor->type));
    if (row % view.dtype->block)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has rows of %zu elements, which are no whole %s blocks of "
                       "%zu", r->origin, tensor->name, row, view.dtype->name, view.dtype->block);
    if (!ff_multiply_sizes(elements / view.dtype->block, view.dtype->bytes, &bytes) ||
        bytes > r->gguf.file.size - tensor->offset)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s ends beyond the file's end: the file is cut off or "
                       "damaged", r->origin, tensor->name);
    view.data = (const char *)r->gguf.file.data + tensor->offset;
    memcpy(view.shape, tensor->shape, sizeof view.shape);
    ff_status status = original_shape(r, tensor->name, &view, error);
    if (status)
        return status;
    return ff_entries_add(&r->entries, tensor->name, &view) ? FF_OK : no_memory(r->origin, error);
}

static int compare_offsets(const void *a, const void *b)
{
    const ff_gguf_tensor *p = a, *q = b;
    return (p->offset > q->offset) - (p->offset < q->offset);
}

// Tensors that share bytes.
static ff_status check_overlap(const reader *r, ff_error *error)
{
    size_t count = r->gguf.tensor_count;
    ff_gguf_tensor *sorted = malloc((count + 1) * sizeof *sorted);
    ff_status status = FF_OK;
    if (!sorted)
        return no_memory(r->origin, error);
    memcpy(sorted, r->gguf.tensors, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_offsets);
    for (size_t i = 1; i < count && !status; i++) {
        const ff_gguf_tensor *before = &sorted[i - 1];
        size_t bytes = ff_element_bytes(ff_ggml_type(before->type), ff_shape_elements(before->rank, before->shape));
        if (before->offset + bytes > sorted[i].offset)
            status = ff_fail(error, FF_ERROR_INPUT, "%s: tensors %s and %s overlap", r->origin, before->name,
                             sorted[i].name);
    }
    free(sorted);
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
    reader *r = user;
    ff_gguf_text text;
    if (!ff_gguf_string(ff_gguf_find(&r->gguf, key), &text))
        return NULL;
    char *copy = realloc(r->metadata, text.size + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text.at, text.size);
    copy[text.size] = 0;
    return r->metadata = copy;
}

static void release(void *user)
{
    ff_release_mapping(&((const reader *)user)->gguf.file);
}

ff_status ff_gguf_source_open(const char *path, ff_weight_source *out, ff_error *error)
{
    reader *r = calloc(1, sizeof *r);
    if (!r || !(r->origin = strdup(path))) {
        free(r);
        return no_memory(path, error);
    }
    ff_status status = ff_gguf_open(path, &r->gguf, error);
    for (size_t i = 0; i < r->gguf.tensor_count && !status; i++)
        status = add_tensor(r, &r->gguf.tensors[i], error);
    if (!status && !(status = check_overlap(r, error)))
        status = ff_entries_sort(&r->entries, r->origin, error);
    if (status) {
        close_reader(r);
        return status;
    }
    *out = (ff_weight_source){.user = r, .origin = r->origin, .files = (const char *const *)&r->origin, .file_count = 1,
                              .count = r->entries.count, .find = find, .at = at, .metadata = metadata,
                              .release = release, .close = close_reader};
    return FF_OK;
}

const ff_gguf *ff_gguf_of_source(const ff_weight_source *source)
{
    return source->find == find ? &((const reader *)source->user)->gguf : NULL;
}

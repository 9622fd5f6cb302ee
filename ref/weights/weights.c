// Weights by name: the files of a folder, or one file, and their tensors.
#include "../base/arena.h"
#include "safetensors.h"
#include "json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

// Heap sort: C11's qsort hands its comparison no context, and qsort_r's argument order differs between systems.
static void sort_by_name(size_t *order, size_t count, const ff_weights_entry *entries)
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
        return ff_weights_no_memory(weights->folder, error);
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
        return ff_weights_no_memory(folder, error);
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
    if ((status = ff_safetensors_read(weights, path, error)) || (status = index_entries(weights, error))) {
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

ff_status ff_weights_open(const char *folder, ff_weights **out, ff_error *error)
{
    ff_weight_files found;
    ff_weights *weights;
    *out = NULL;
    ff_status status = ff_weight_files_find(folder, &found, error);
    if (status)
        return status;
    status = create(folder, &weights, error);
    for (size_t i = 0; !status && i < found.files.count; i++)
        status = ff_safetensors_read(weights, found.files.at[i], error);
    if (!status && !(status = index_entries(weights, error)))
        memcpy(weights->variant, found.variant, sizeof weights->variant);
    ff_weight_files_free(&found);
    if (status) {
        ff_weights_close(weights);
        return status;
    }
    *out = weights;
    return FF_OK;
}

const char *ff_weights_origin(const ff_weights *weights)
{
    return weights->folder;
}

const char *ff_weights_variant(const ff_weights *weights)
{
    return weights->variant;
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
    return cJSON_GetStringValue(ff_json_item(weights->metadata, key));
}

bool ff_weights_find(const ff_weights *weights, const char *name, ff_weight *out)
{
    size_t low = 0, high = weights->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const ff_weights_entry *candidate = &weights->entries[weights->order[middle]];
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
    if (!out->dtype->decode)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s is %s, expected F32, F16 or BF16", weights->folder, name,
                       out->dtype->name);
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
        return ff_weights_no_memory(weights->folder, error);
    ff_weight_widen(&view, 0, count, vector);
    *out = vector;
    return FF_OK;
}

void ff_weights_release_pages(const ff_weights *weights)
{
    for (size_t i = 0; i < weights->file_count; i++)
        ff_release_mapping(&weights->files[i]);
}

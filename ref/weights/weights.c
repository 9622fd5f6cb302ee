// Weights by name, wherever they come from: what is asked of every tensor, and vectors as f32.
#include "weights.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/arena.h"
#include "folder.h"
#include "gguf_source.h"
#include "safetensors.h"
#include "scales.h"

struct ff_weights {
    ff_weight_source source;
    const ff_name_table *names;  // or NULL: the source has diffusers' names
    char prefix[FF_NAME_TEXT];   // before every name
    size_t *listed, count;       // the tensors that have it; without one, NULL and all
    ff_arena *memory;            // vectors handed out as f32
    ff_scales scales;
};

static ff_status no_memory(const char *origin, ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", origin);
}

// ---- opening ----

void ff_weights_close(ff_weights *weights)
{
    if (!weights)
        return;
    if (weights->source.close)
        weights->source.close(weights->source.user);
    ff_scales_close(&weights->scales);
    ff_arena_destroy(weights->memory);
    free(weights->listed);
    free(weights);
}

ff_status ff_weights_open_source(const ff_weight_source *source, const ff_name_table *names, ff_weights **out,
                                 ff_error *error)
{
    *out = calloc(1, sizeof **out);
    if (*out)
        **out = (ff_weights){.source = *source, .names = names, .memory = ff_arena_create()};
    ff_status status = *out && (*out)->memory
                           ? ff_scales_open(&(*out)->source, (*out)->memory, &(*out)->scales, error)
                           : no_memory(source->origin, error);
    if (!status) {
        (*out)->count = (*out)->source.count;
        return FF_OK;
    }
    if (!*out && source->close)
        source->close(source->user);
    ff_weights_close(*out);
    *out = NULL;
    return status;
}

static ff_status open_safetensors(const ff_safetensors *what, ff_weights **out, ff_error *error)
{
    ff_weight_source source;
    ff_status status = ff_safetensors_open(what, &source, error);
    *out = NULL;
    return status ? status : ff_weights_open_source(&source, NULL, out, error);
}

static bool is_gguf(const char *path)
{
    char magic[4] = {0};
    FILE *file = fopen(path, "rb");
    bool read = file && fread(magic, sizeof magic, 1, file) == 1;
    if (file)
        fclose(file);
    return read && memcmp(magic, "GGUF", 4) == 0;
}

ff_status ff_weights_open_file(const char *path, ff_weights **out, ff_error *error)
{
    ff_weight_source source;
    if (is_gguf(path)) {
        ff_status status = ff_gguf_source_open(path, &source, error);
        *out = NULL;
        return status ? status : ff_weights_open_source(&source, NULL, out, error);
    }
    return open_safetensors(&(ff_safetensors){.origin = path, .paths = &path, .count = 1, .variant = ""}, out, error);
}

ff_status ff_weights_open_unaligned(const char *path, ff_weights **out, ff_error *error)
{
    return open_safetensors(&(ff_safetensors){.origin = path, .paths = &path, .count = 1, .variant = "",
                                              .unaligned = true}, out, error);
}

ff_status ff_weights_open(const char *folder, ff_weights **out, ff_error *error)
{
    ff_weight_files found;
    *out = NULL;
    ff_status status = ff_weight_files_find(folder, &found, error);
    if (status)
        return status;
    status = open_safetensors(&(ff_safetensors){.origin = folder, .paths = (const char *const *)found.files.at,
                                                .count = found.files.count, .variant = found.variant}, out, error);
    ff_weight_files_free(&found);
    return status;
}

ff_status ff_weights_use_prefix(ff_weights *weights, const char *prefix, ff_error *error)
{
    ff_weight view;
    size_t length = strlen(prefix), count = 0;
    if (length == 0)
        return FF_OK;
    if (length >= sizeof weights->prefix || !(weights->listed = calloc(weights->count + 1, sizeof *weights->listed)))
        return no_memory(weights->source.origin, error);
    memcpy(weights->prefix, prefix, length + 1);
    for (size_t i = 0; i < weights->source.count; i++)
        if (strncmp(weights->source.at(weights->source.user, i, &view), prefix, length) == 0)
            weights->listed[count++] = i;
    weights->count = count;
    return FF_OK;
}

void ff_weights_use_names(ff_weights *weights, const ff_name_table *names)
{
    if (!weights->names)
        weights->names = names;
}

// ---- the source as it is ----

const char *ff_weights_origin(const ff_weights *weights)
{
    return weights->source.origin;
}

const ff_weight_source *ff_weights_source(const ff_weights *weights)
{
    return &weights->source;
}

const char *ff_weights_variant(const ff_weights *weights)
{
    return weights->source.variant ? weights->source.variant : "";
}

size_t ff_weights_files(const ff_weights *weights)
{
    return weights->source.file_count;
}

const char *ff_weights_file(const ff_weights *weights, size_t i)
{
    return weights->source.files[i];
}

size_t ff_weights_count(const ff_weights *weights)
{
    return weights->count;
}

const char *ff_weights_at(const ff_weights *weights, size_t i, ff_weight *out)
{
    return weights->source.at(weights->source.user, weights->listed ? weights->listed[i] : i, out);
}

const char *ff_weights_metadata(const ff_weights *weights, const char *key)
{
    return weights->source.metadata ? weights->source.metadata(weights->source.user, key) : NULL;
}

bool ff_weights_find(const ff_weights *weights, const char *name, ff_weight *out)
{
    bool found;
    *out = (ff_weight){0};
    return weights->source.find(weights->source.user, name, out, &found, NULL) == FF_OK && found;
}

void ff_weights_release_pages(const ff_weights *weights)
{
    if (weights->source.release)
        weights->source.release(weights->source.user);
}

// ---- tensors of a model ----

// Puts the prefix before a name, which is cut where it grows too long for any tensor.
static void put_prefix(const ff_weights *weights, char name[FF_NAME_TEXT])
{
    size_t length = strlen(weights->prefix), size = strlen(name), room = FF_NAME_TEXT - 1 - length;
    if (size > room)
        size = room;
    memmove(name + length, name, size);
    memcpy(name, weights->prefix, length);
    name[length + size] = '\0';
}

// The tensor that the model calls `name`, and the source as the name is then.   out: comes with the wanted shape
static ff_status look_up(const ff_weights *weights, char name[FF_NAME_TEXT], ff_weight *out, bool *found,
                         ff_error *error)
{
    const ff_weight_source *source = &weights->source;
    const ff_weight wanted = *out;
    char asked[FF_NAME_TEXT];
    size_t next = 0;
    bool named = false;
    *found = false;
    memcpy(asked, name, sizeof asked);
    while (!*found && weights->names && ff_name_next(weights->names, asked, &next, name)) {
        named = true;
        *out = wanted;
        put_prefix(weights, name);
        ff_status status = source->find(source->user, name, out, found, error);
        if (status)
            return status;
    }
    if (named)
        return FF_OK;
    put_prefix(weights, name);
    return source->find(source->user, name, out, found, error);
}

bool ff_weights_has(const ff_weights *weights, const char *name, ff_weight *out)
{
    char asked[FF_NAME_TEXT];
    bool found;
    snprintf(asked, sizeof asked, "%s", name);
    *out = (ff_weight){0};
    return look_up(weights, asked, out, &found, NULL) == FF_OK && found;
}

// The same, of a type that weights may have.
static ff_status require(const ff_weights *weights, char name[FF_NAME_TEXT], ff_weight *out, ff_error *error)
{
    const ff_weight_source *source = &weights->source;
    bool found;
    ff_status status = look_up(weights, name, out, &found, error);
    if (status)
        return status;
    if (!found)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s is missing", source->origin, name);
    if ((status = ff_scales_check(&weights->scales, name, error)))
        return status;
    if (!out->dtype->decode)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s is %s, expected F32, F16, BF16 or a quantised type",
                       source->origin, name, out->dtype->name);
    size_t rows = out->rank > 1 && out->shape[0] ? out->shape[0] : 1, row = ff_weight_elements(out) / rows;
    if (row % out->dtype->block != 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has rows of %zu elements, which are no whole %s blocks of "
                       "%zu", source->origin, name, row, out->dtype->name, out->dtype->block);
    return FF_OK;
}

// Whether a tensor has this shape, or the same elements with the first two axes in one: a convolution's weight as files
// have it that are limited to four axes. It then gets the shape.
static bool fits(ff_weight *view, int rank, const size_t *shape)
{
    if (view->rank == rank)
        return memcmp(view->shape, shape, (size_t)rank * sizeof *shape) == 0;
    if (rank != 5 || view->rank != 4 || view->shape[0] / shape[1] != shape[0] || view->shape[0] % shape[1] ||
        memcmp(view->shape + 1, shape + 2, 3 * sizeof *shape) != 0)
        return false;
    view->rank = rank;
    memcpy(view->shape, shape, (size_t)rank * sizeof *shape);
    return true;
}

ff_status ff_weights_get(const ff_weights *weights, ff_weight *out, ff_error *error, int rank, const size_t *shape,
                         const char *name_format, ...)
{
    char name[FF_NAME_TEXT], found[FF_SHAPE_TEXT], wanted[FF_SHAPE_TEXT];
    va_list arguments;
    va_start(arguments, name_format);
    vsnprintf(name, sizeof name, name_format, arguments);
    va_end(arguments);
    *out = (ff_weight){.rank = rank};
    memcpy(out->shape, shape, (size_t)rank * sizeof *shape);
    ff_status status = require(weights, name, out, error);
    if (status)
        return status;
    if (!fits(out, rank, shape)) {
        ff_print_shape(found, out->rank, out->shape);
        ff_print_shape(wanted, rank, shape);
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has shape %s, config.json asks for %s",
                       weights->source.origin, name, found, wanted);
    }
    return ff_scales_give(&weights->scales, name, out, error);
}

ff_status ff_weights_get_f32(ff_weights *weights, const float **out, ff_error *error, size_t count,
                             const char *name_format, ...)
{
    char name[FF_NAME_TEXT], found[FF_SHAPE_TEXT];
    ff_weight view = {.rank = 1, .shape = {count}};
    va_list arguments;
    va_start(arguments, name_format);
    vsnprintf(name, sizeof name, name_format, arguments);
    va_end(arguments);
    ff_status status = require(weights, name, &view, error);
    if (status)
        return status;
    if (ff_weight_elements(&view) != count) {
        ff_print_shape(found, view.rank, view.shape);
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has shape %s, config.json asks for %zu elements",
                       weights->source.origin, name, found, count);
    }
    if ((status = ff_scales_give(&weights->scales, name, &view, error)))
        return status;
    float *vector = ff_arena_floats(weights->memory, count);
    if (!vector)
        return no_memory(weights->source.origin, error);
    ff_weight_widen(&view, 0, count, vector);
    *out = vector;
    return FF_OK;
}

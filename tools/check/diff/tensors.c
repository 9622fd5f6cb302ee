#include "tensors.h"

#include <stdlib.h>
#include <string.h>

#include "weights/weights.h"

struct ff_tensors {
    const char *path;
    ff_weights *weights;
    ff_tensor *tensors;    // sorted by name
    size_t count, capacity;
    bool *mapped;          // [rules of the map]
};

static ff_status out_of_memory(const char *path, ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
}

static ff_status append(ff_tensors *tensors, const char *name, const char *original, const ff_arranged *arranged,
                        ff_error *error)
{
    if (tensors->count == tensors->capacity) {
        size_t capacity = tensors->capacity ? tensors->capacity * 2 : 256;
        ff_tensor *more = realloc(tensors->tensors, capacity * sizeof *more);
        if (!more)
            return out_of_memory(tensors->path, error);
        tensors->tensors = more;
        tensors->capacity = capacity;
    }
    char *copy = strdup(name);
    if (!copy)
        return out_of_memory(tensors->path, error);
    ff_tensor *tensor = &tensors->tensors[tensors->count];
    *tensor = (ff_tensor){.name = copy, .original = original, .index = tensors->count++,
                          .dtype = arranged->view.dtype, .rank = arranged->rank, .view = arranged->view};
    memcpy(tensor->shape, arranged->shape, sizeof tensor->shape);
    return FF_OK;
}

// A tensor of the file under each name that the map gives it, or its own.
static ff_status add(ff_tensors *tensors, const char *original, const ff_weight *weight, const ff_map *map,
                     ff_error *error)
{
    char name[FF_MAP_NAME];
    bool matched = false;
    ff_arranged as_it_is = ff_arranged_of(weight);
    for (size_t rule = 0; map && rule < ff_map_rules(map); rule++) {
        ff_arranged arranged = as_it_is;
        if (!ff_map_match(map, rule, original, name))
            continue;
        tensors->mapped[rule] = matched = true;
        ff_status status = ff_map_arrange(map, rule, original, &arranged, error);
        if (status || (status = append(tensors, name, original, &arranged, error)))
            return status;
    }
    return matched ? FF_OK : append(tensors, original, original, &as_it_is, error);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const ff_tensor *)a)->name, ((const ff_tensor *)b)->name);
}

static ff_status sort(ff_tensors *tensors, ff_error *error)
{
    qsort(tensors->tensors, tensors->count, sizeof *tensors->tensors, compare_names);
    for (size_t i = 1; i < tensors->count; i++) {
        const ff_tensor *before = &tensors->tensors[i - 1], *tensor = &tensors->tensors[i];
        if (strcmp(before->name, tensor->name) == 0)
            return ff_fail(error, FF_ERROR_INPUT, "%s: by the map, %s and %s are both %s", tensors->path,
                           before->original, tensor->original, tensor->name);
    }
    return FF_OK;
}

ff_status ff_tensors_open(const char *path, const ff_map *map, ff_tensors **out, ff_error *error)
{
    ff_tensors *tensors = calloc(1, sizeof *tensors);
    ff_status status;
    *out = NULL;
    if (!tensors || !(tensors->mapped = calloc(map ? ff_map_rules(map) : 1, sizeof *tensors->mapped))) {
        free(tensors);
        return out_of_memory(path, error);
    }
    tensors->path = path;
    status = ff_weights_open_unaligned(path, &tensors->weights, error);
    size_t count = status ? 0 : ff_weights_count(tensors->weights);
    if (!status && count == 0)
        status = ff_fail(error, FF_ERROR_INPUT, "%s: holds no tensor", path);
    for (size_t i = 0; i < count && !status; i++) {
        ff_weight weight;
        const char *name = ff_weights_at(tensors->weights, i, &weight);
        status = add(tensors, name, &weight, map, error);
    }
    if (status || (status = sort(tensors, error))) {
        ff_tensors_close(tensors);
        return status;
    }
    *out = tensors;
    return FF_OK;
}

void ff_tensors_close(ff_tensors *tensors)
{
    if (!tensors)
        return;
    for (size_t i = 0; i < tensors->count; i++)
        free((char *)tensors->tensors[i].name);
    free(tensors->tensors);
    free(tensors->mapped);
    ff_weights_close(tensors->weights);
    free(tensors);
}

const char *ff_tensors_path(const ff_tensors *tensors)
{
    return tensors->path;
}

size_t ff_tensors_count(const ff_tensors *tensors)
{
    return tensors->count;
}

const ff_tensor *ff_tensors_at(const ff_tensors *tensors, size_t i)
{
    return &tensors->tensors[i];
}

const ff_tensor *ff_tensors_find(const ff_tensors *tensors, const char *name)
{
    ff_tensor key = {.name = name};
    return bsearch(&key, tensors->tensors, tensors->count, sizeof key, compare_names);
}

const char *ff_tensors_metadata(const ff_tensors *tensors, const char *key)
{
    return ff_weights_metadata(tensors->weights, key);
}

bool ff_tensors_mapped(const ff_tensors *tensors, size_t rule)
{
    return tensors->mapped[rule];
}

void ff_tensors_release(const ff_tensors *tensors)
{
    ff_weights_release_pages(tensors->weights);
}

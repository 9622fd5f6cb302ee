// The tensors of a dump under our names, whoever wrote it. Nothing is copied; what is read stays mapped until released.
#ifndef FF_TENSORS_H
#define FF_TENSORS_H

#include "arrange.h"
#include "map.h"

typedef struct ff_tensor {
    const char *name;      // ours
    const char *original;  // in the file
    size_t index;          // in the file's order
    ff_dtype dtype;
    int rank;
    size_t shape[FF_STRIDED_MOST_AXES];
    ff_strided view;          // the elements in row-major order of the shape
} ff_tensor;

typedef struct ff_tensors ff_tensors;

// map: NULL, all names are ours. path and map must stay while the tensors are in use.
// FF_ERROR_INPUT: no safetensors file, no tensor in it, an operation of the map that does not fit, two tensors that
// come to have the same name.
ff_status ff_tensors_open(const char *path, const ff_map *map, ff_tensors **out, ff_error *error);
void ff_tensors_close(ff_tensors *tensors);  // NULL allowed

const char *ff_tensors_path(const ff_tensors *tensors);
size_t ff_tensors_count(const ff_tensors *tensors);
const ff_tensor *ff_tensors_at(const ff_tensors *tensors, size_t i);                // in the order of names
const ff_tensor *ff_tensors_find(const ff_tensors *tensors, const char *name);      // NULL if there is none
const char *ff_tensors_metadata(const ff_tensors *tensors, const char *key);        // NULL if absent
bool ff_tensors_mapped(const ff_tensors *tensors, size_t rule);                     // whether a rule matched anything
void ff_tensors_release(const ff_tensors *tensors);                                 // pages read so far may go

#endif

// Safetensors as a source: one file, or the files that hold a component together.
#ifndef FF_SAFETENSORS_H
#define FF_SAFETENSORS_H

#include "source.h"

typedef struct ff_safetensors {
    const char *origin;        // a folder, or the file: how messages begin
    const char *const *paths;  // [count]
    size_t count;
    const char *variant;       // "fp16"; empty for plain files
    bool unaligned;            // tensors that lie unaligned stay so; else they are copied
} ff_safetensors;

// Maps the files and reads their headers; what `what` points at is needed only meanwhile.
// FF_ERROR_INPUT: no safetensors file, one that contradicts itself, or a tensor that appears twice.
ff_status ff_safetensors_open(const ff_safetensors *what, ff_weight_source *out, ff_error *error);

#endif

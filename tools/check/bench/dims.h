// Published models by their dimensions alone, with random weights made in memory: enough to time them.
#ifndef FF_DIMS_H
#define FF_DIMS_H

#include "base/arena.h"
#include "weights/weights.h"

typedef struct ff_dims {
    const char *name;
    const char *transformer, *vae, *text_encoder;  // configs; the first and last with %zu for the number of layers
    size_t transformer_layers, text_encoder_layers;  // as published
    size_t spatial_factor, temporal_factor;
    size_t width, height, frames;                  // what is timed by default
    bool expand_timesteps;
} ff_dims;

// NULL if there are none of that name.
const ff_dims *ff_dims_find(const char *name);

// One component with random weights. config: of ff_dims   dtype: of the matrices, as far as their rows are whole blocks,
// and BF16 of all else too; the rest is F32, as in files that are quantised
typedef struct ff_random_weights {
    ff_config *config;
    ff_weights *weights;
    ff_arena *memory;    // what the weights point into
    ff_dtype dtype;
    uint64_t drawn;      // numbers so far
    size_t bytes;        // of them
    size_t most;         // bytes that may be taken; 0: whatever can be had
} ff_random_weights;

// most: bytes that may be taken; 0 for whatever can be had. Call ff_random_weights_close in any case.
ff_status ff_random_weights_open(ff_random_weights *out, const char *config, size_t layers, ff_dtype dtype, size_t most,
                                 ff_error *error);
void ff_random_weights_close(ff_random_weights *weights);

#endif

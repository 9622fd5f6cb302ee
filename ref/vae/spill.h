// The spill file: a clip's frames that a strip, or the middle, takes up later. In memory they would take more than a
// strip does.
#ifndef FF_VAE_SPILL_H
#define FF_VAE_SPILL_H

#include <stdio.h>

#include "../base/tensor.h"

typedef struct ff_vae_spill {
    FILE *file;
    size_t height, row_floats;
} ff_vae_spill;

// Bytes of the file; SIZE_MAX if that does not fit.
size_t ff_vae_spill_bytes(size_t frames, size_t height, size_t row_floats);
// FF_ERROR_INPUT if the size does not fit, FF_ERROR_IO if there is no room for the file.
ff_status ff_vae_spill_open(ff_vae_spill *spill, size_t frames, size_t height, size_t row_floats, ff_error *error);
void ff_vae_spill_close(ff_vae_spill *spill);  // one never opened is allowed
// Rows [first, first + count) of a frame.   rows: [count, row_floats]
ff_status ff_vae_spill_put(ff_vae_spill *spill, size_t frame, size_t first, size_t count, const float *rows,
                           ff_error *error);
ff_status ff_vae_spill_get(ff_vae_spill *spill, size_t frame, size_t first, size_t count, float *rows,
                           ff_error *error);

#endif

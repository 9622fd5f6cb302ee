// A cheap look at a run while it goes on: after each step, the predicted clean latents through a linear map to RGB,
// all latent frames in a row. The map is the one stored with the model; for a model without one it is fitted when the
// run begins, by least squares over what the VAE's encoder makes of a few drawn pictures that stand still.
#ifndef FF_PREVIEW_H
#define FF_PREVIEW_H

#include "firstframe.h"

typedef struct ff_preview {
    const char *path;
    size_t channels, frames, height, width;   // of the latents
    double *maps;                // [FF_PREVIEW_MAPS, 3, channels + 1], as in ff_model_facts
    float *input;                // [channels, frames, height, width]
    float *mask;                 // [frames, height, width]: 0 where the latents are known
    float timestep;
    bool failed;                 // the file could not be written: `trouble` says why, and nothing more is tried
    ff_error trouble;
} ff_preview;

// FF_ERROR_MEMORY, or FF_ERROR_INPUT if the path is not that of a PNG or WebP.
ff_status ff_preview_open(const ff_model *model, const ff_plan *plan, const char *path, size_t threads,
                          ff_preview *out, ff_error *error);
void ff_preview_close(ff_preview *preview);   // empties it

// Takes what it needs of the run's named tensors and writes the file anew after each step.
ff_status ff_preview_watch(ff_preview *preview, const char *name, const float *data, const size_t *shape,
                           ff_error *error);

#endif

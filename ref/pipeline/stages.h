// What one run holds, and the stages it goes through, each a file.
#ifndef FF_STAGES_H
#define FF_STAGES_H

#include "inpaint.h"
#include "plan.h"
#include "tap.h"

typedef struct ff_run_state {
    ff_model *model;
    const ff_request *request;
    const ff_kernels *kernels;
    ff_plan plan;
    ff_arena *arena;
    ff_taps taps;
    ff_error *error;
    ff_result result;

    size_t prompts;            // that a step evaluates: 2 with guidance, the second the negative prompt
    ff_transformer_text *texts[FF_MOST_EXPERTS][2];  // what each expert makes of each prompt
    ff_image still, last;      // fitted to the model's size; rgb NULL if there is none
    ff_inpaint inpaint;
    ff_conditioning *conditioning;
    float *latents;            // [channels, frames, height, width]
    ff_sha256 frames_hash;
} ff_run_state;

// In this order; each reports its progress, and where values stop being finite.
ff_status ff_stage_fit(ff_run_state *run);      // pictures, to the model's size
ff_status ff_stage_text(ff_run_state *run);     // prompts to texts
ff_status ff_stage_known(ff_run_state *run);    // pictures to a prepared conditioning
ff_status ff_stage_denoise(ff_run_state *run);  // noise to latents
ff_status ff_stage_decode(ff_run_state *run);   // latents to frames, which are handed over

void ff_stage_free_texts(ff_run_state *run);

// For the stages: out of memory; progress; a tensor of FF_DUMP_RUN or FF_DUMP_STEP passes the tap.
ff_status ff_run_fail_memory(ff_run_state *run);
ff_status ff_run_report(ff_run_state *run, ff_stage stage, size_t done, size_t total);
ff_status ff_run_tap(ff_run_state *run, int rank, const size_t *shape, float *data, const char *name);
// Says where values that stopped being finite may have come from.
//   weights: of the component that computed, or NULL      doing: "encoding the prompt"
ff_status ff_run_blame(ff_run_state *run, ff_status status, const ff_weights *weights, const char *doing);

// ff_run under a conditioning from elsewhere; NULL: the model's own.
ff_status ff_run_conditioned(ff_model *model, const ff_request *request, ff_conditioning *conditioning,
                             ff_result *out, ff_error *error);

#endif

// When in a run a tensor of a dump is computed, by its name. ref/README.md lists the names.
#ifndef FF_ORDER_H
#define FF_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ff_phase {
    FF_PHASE_TEXT,      // token_ids ... negative_prompt_embeds
    FF_PHASE_ANCHOR,    // image, vae_encode, anchor.known, anchor.mask
    FF_PHASE_NOISE,
    FF_PHASE_SAMPLING,  // step.NNN and call.NNN
    FF_PHASE_LATENTS,
    FF_PHASE_DECODE,    // vae_decode
    FF_PHASE_FRAMES,    // frames_float, frames
    FF_PHASE_UNKNOWN,   // any other name
} ff_phase;

// Compares as its numbers do, the first deciding.
typedef struct ff_place {
    uint32_t number[8];  // the first is the phase
} ff_place;

// calls_per_step: evaluations of the transformer in a step, 2 with guidance. A call of step s comes between
// step.s.timestep and step.s.noise_pred.
ff_place ff_place_of(const char *name, size_t calls_per_step);
int ff_place_compare(const ff_place *a, const ff_place *b);  // below 0, 0, above 0

// Gathers what is needed to tell calls_per_step; start with zeros.
typedef struct ff_counts {
    size_t calls, steps;
} ff_counts;
void ff_counts_add(ff_counts *counts, const char *name);
size_t ff_calls_per_step(const ff_counts *counts);

#endif

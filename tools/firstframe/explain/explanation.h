// What `explain` gathers from one run of image-to-video, and from runs with something taken away.
#ifndef FF_EXPLANATION_H
#define FF_EXPLANATION_H

#include "check/figures/clip.h"
#include "../line/options.h"
#include "../line/report.h"

enum { FF_MOST_LOOKS = 8, FF_MOST_WORDS = 24 };

// The clip that the model has in mind before a step: its predicted clean latents, decoded.
typedef struct ff_look {
    size_t step;
    float *latents;              // [channels, frames, height, width]
    char *path;
} ff_look;

// A word of the prompt and its tokens.
typedef struct ff_word {
    char *text;
    size_t first, end;
} ff_word;

typedef struct ff_trial {
    const char *name;            // "as it is", "without ..."
    ff_ablation ablation;
    char *path;
    ff_clip clip;                // small copies of its frames
    ff_clip_drift drift;
} ff_trial;

typedef struct ff_explanation {
    const ff_options *options;
    ff_plan plan;
    ff_model_facts facts;
    double fps;
    size_t rows, columns;        // tokens of a latent frame
    ff_image still;              // fitted, a small copy
    float *known;                // [channels, height, width] of latent frame 0
    float *timesteps;            // [steps, 2] of known and of other tokens
    float *sigmas;               // [steps]
    float *guidance;             // [steps] |conditional - unconditional| / |conditional|; NaN without guidance
    float *to_first;             // [steps, layers, heads, frames] share of attention paid to latent frame 0
    double *to_text;             // [tokens, text tokens] sums over layers and steps
    size_t text_tokens;
    ff_word words[FF_MOST_WORDS];
    size_t word_count;
    ff_look looks[FF_MOST_LOOKS];
    size_t look_count;
    ff_trial trials[4];          // the run itself, then ablations
    size_t trial_count;
    double seconds[4];           // text, encode, denoise, decode
    // while the run goes on
    float *input, *conditional;  // [channels, frames, height, width]
} ff_explanation;

size_t ff_explanation_elements(const ff_explanation *all);  // of the latents

// Takes what it needs of a run's named tensors; `user` is the explanation.
ff_status ff_explanation_watch(void *user, const char *name, int rank, const size_t *shape, const float *data,
                               ff_error *error);

ff_status ff_explain_page_write(const ff_explanation *all, const char *path, ff_error *error);

#endif

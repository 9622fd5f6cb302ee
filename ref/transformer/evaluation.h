// One evaluation of the transformer in progress, shared by transformer.c, block.c and transformer_taps.c.
#ifndef FF_TRANSFORMER_EVALUATION_H
#define FF_TRANSFORMER_EVALUATION_H

#include "transformer_weights.h"

// hidden is the residual stream; normed and wide hold what a layer needs for a moment.
typedef struct ff_evaluation {
    const ff_transformer *transformer;
    const ff_kernels *kernels;
    const ff_transformer_input *input;
    ff_extent grid;        // of tokens
    size_t tokens, feed_rows;
    ff_timestep_groups groups;
    const float **frames;  // [latent frames] pointers into wide, for the patch convolution
    float *sinusoids;      // [groups, freq_dim]
    float *temb;           // [groups, dim]
    float *projection;     // [groups, 6, dim], time_proj of temb
    float *modulation;     // [groups, 6, dim], a block's shift, scale and gate vectors
    float *rotary;         // [tokens, head_dim / 2, 2]
    float *hidden;         // [tokens, dim]
    float *normed;         // [tokens, dim]
    float *wide;           // queries, keys and values [3, tokens, dim]; or feed-forward rows; or patches
    float *changed_text;   // [3, tokens, dim]: the embedded text as the tap changed it, then its keys and values of one
                           // layer; NULL: it did not
    const ff_trace *trace;
    ff_error *error;
} ff_evaluation;

// Where tokens find the six modulation vectors of their timestep.
static inline ff_groups ff_modulation_groups(const ff_evaluation *e)
{
    return (ff_groups){.group = e->groups.group, .stride = 6 * e->transformer->shape.dim};
}

// ---- blocks ----

// Self-attention, cross-attention and feed-forward of one block, hidden in place.
// FF_ERROR_MEMORY comes without a sentence; the tap's failures have theirs.
ff_status ff_transformer_run_block(const ff_evaluation *e, size_t layer);
// Calls the kernels with a block's products, once each, for a scratch that counts: there are no operands.
void ff_transformer_count_block(const ff_evaluation *e, size_t layer);

// ---- named tensors ----

// What goes on inside a block, x: [tokens, dim]. ref/README.md lists the parts.
ff_status ff_transformer_tap_part(const ff_evaluation *e, size_t layer, const char *part, float *x);
// Vectors of the groups, [dim] each and `stride` apart, with a row for each timestep given; takes back the row of each
// group's first token.
ff_status ff_transformer_tap_vectors(const ff_evaluation *e, ff_dump_level level, float *vectors, size_t stride,
                                     const char *name);
// The block's six modulation vectors.
ff_status ff_transformer_tap_modulation(const ff_evaluation *e, size_t layer);
// How much each frame's tokens look at each other frame's (self), or at each token of the text.
ff_status ff_transformer_tap_attention(const ff_evaluation *e, size_t layer, const ff_attention *attention, bool self);
// The embedded text. If the tap changed it, e->changed_text holds it, its keys and values to be computed anew.
ff_status ff_transformer_tap_text(ff_evaluation *e, ff_arena *arena);

#endif

// What a kind of layer is: its operations, a file for each kind, and what these are written with. A frame passes the
// layers of a network in order; a kind may keep it back or make several of it.
//
// run->frame holds a layer's input x: [rows, width, in_channels] and then its output; spare and spare2 hold what is
// between. Where a strip is computed, a layer takes the rows state->in of a frame and puts out the rows state->out.
// Beyond the rows it takes there are zeros only at the picture's border, where they are the padding.
#ifndef FF_VAE_LAYER_H
#define FF_VAE_LAYER_H

#include "network.h"

typedef struct ff_vae_room ff_vae_room;

// Operations may be NULL where it is said what that means. Of `state`, estimates read the windows only.
typedef struct ff_vae_layer_ops {
    bool all_rows;   // each row it puts out depends on all that it takes: it cannot be computed in strips
    bool resamples;  // frames change their size
    bool joins;      // it ends a branch: it must be computed with the layer before it

    // The frames that come out when those of `in` go in.   NULL: as many, as large
    ff_extent (*output)(const ff_vae_layer *layer, ff_extent in);
    // The rows that must go in so that `out` comes out: its receptive field, cut off at the picture's border.
    // NULL: the same
    ff_vae_window (*input)(const ff_vae_layer *layer, ff_vae_window out);
    // The rows computed on the way to `out`, where there are two convolutions.   NULL: the same
    ff_vae_window (*between)(const ff_vae_layer *layer, ff_vae_window out);

    // Multiply-adds over a clip.   NULL: none
    double (*multiply_adds)(const ff_vae_layer *layer, const ff_vae_state *state);
    // Calls the kernels with each product once, for a scratch that counts: there are no operands.   NULL: no products
    void (*count)(ff_vae_run *run, const ff_vae_layer *layer, const ff_vae_state *state);
    // Takes what is kept from frame to frame.   NULL: nothing is
    void (*keep)(const ff_vae_layer *layer, ff_vae_room *room, ff_vae_state *state);
    // Most floats that are found in `frame` or put there or into a spare.   NULL: the input's or the output's
    size_t (*working_floats)(const ff_vae_layer *layer, const ff_vae_state *state);

    // Computes what comes of run->frame. *frames, 1 before, is how many frames come out: one is in run->frame.
    ff_status (*run)(ff_vae_run *run, const ff_vae_layer *layer, ff_vae_state *state, size_t *frames);
    // Puts the i-th of several into run->frame; the one before has passed all layers.   NULL: there never are several
    ff_status (*piece)(ff_vae_run *run, const ff_vae_layer *layer, const ff_vae_state *state, size_t i);
} ff_vae_layer_ops;

extern const ff_vae_layer_ops ff_vae_linear_ops, ff_vae_convolution_ops;                        // vae_convolution.c
extern const ff_vae_layer_ops ff_vae_residual_ops;                                              // vae_residual.c
extern const ff_vae_layer_ops ff_vae_attention_ops;                                             // vae_attention.c
extern const ff_vae_layer_ops ff_vae_downsample_ops;                                            // vae_downsample.c
extern const ff_vae_layer_ops ff_vae_upsample_ops;                                              // vae_upsample.c
extern const ff_vae_layer_ops ff_vae_branch_ops, ff_vae_average_down_ops, ff_vae_repeat_up_ops;  // vae_shortcut.c

// ---- windows ----

// `border` more rows above and below, inside the picture.
ff_vae_window ff_vae_widen(ff_vae_window window, size_t border);
ff_extent ff_vae_layer_output(const ff_vae_layer *layer, ff_extent in);
// The windows of a layer that puts out `out`, and nothing kept yet.
ff_vae_state ff_vae_layer_windows(const ff_vae_layer *layer, ff_vae_window out);

static inline size_t ff_vae_pixels(const ff_vae_window *window)
{
    return window->count * window->extent.width;
}

// ---- products ----

// From rows `in` of a frame to rows `out` of one. stride 1: of the same size. stride 2: of half of it, padded at the
// right and below only.
typedef struct ff_vae_rows {
    const ff_vae_window *in, *out;
    size_t stride;
} ff_vae_rows;

// 1x1 convolution: out[pixel] = weight x[pixel] + bias
ff_status ff_vae_apply_linear(ff_vae_run *run, const ff_vae_convolution *convolution, size_t pixels, const float *x,
                              float *out);
// One frame from kernel_t frames, each [in's rows, width, in_channels]; the borders are zeros.
ff_status ff_vae_apply_convolution(ff_vae_run *run, const ff_vae_convolution *convolution, ff_vae_rows rows,
                                   const float *const *frames, float *to);
// Convolves x with the two frames before it, then remembers x.
ff_status ff_vae_apply_causal(ff_vae_run *run, const ff_vae_convolution *convolution, ff_vae_history *history,
                              ff_vae_rows rows, const float *x, float *to);
// The status of a product, with a sentence.
ff_status ff_vae_computed(ff_vae_run *run, ff_status status);
// Multiply-adds of a convolution that puts out the window's rows in so many frames.
double ff_vae_multiply_adds(const ff_vae_convolution *convolution, const ff_vae_window *out, size_t frames);

static inline void ff_vae_exchange(float **a, float **b)
{
    float *before = *a;
    *a = *b;
    *b = before;
}

// ---- what is kept ----

// Memory for a run: taken, or, without an arena, counted.
struct ff_vae_room {
    ff_arena *arena;
    size_t bytes;
    bool overflow, exhausted;
};

void *ff_vae_take(ff_vae_room *room, size_t count, size_t element_size);
// Floats of one frame, channels at least 1; SIZE_MAX, which no take survives, if they do not fit.
size_t ff_vae_frame_floats(const ff_vae_window *window, size_t channels);
// frames: that pass by. The last of them need not be kept, nor any that three more follow.
ff_vae_history ff_vae_take_history(ff_vae_room *room, size_t frames, size_t floats);
// The frame that came `age` frames before the newest; NULL, which stands for zeros, if there was none.
const float *ff_vae_recall(const ff_vae_history *history, size_t age);
void ff_vae_remember(ff_vae_run *run, ff_vae_history *history, const float *frame);

#endif

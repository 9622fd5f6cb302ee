// The encoder and the decoder as lists of layers, and their run: shared by the files of this folder.
#ifndef FF_VAE_NETWORK_H
#define FF_VAE_NETWORK_H

#include "vae.h"

// A convolution [kernel_t, kernel_s, kernel_s]. weight.data is NULL where a layer has none.
typedef struct ff_vae_convolution {
    size_t in_channels, out_channels, kernel_t, kernel_s;
    ff_weight weight;
    const float *bias;  // [out_channels]
} ff_vae_convolution;

// A layer's kind is its operations, vae_layer.h. What the fields mean is said where they are, a file for each kind.
typedef struct ff_vae_layer {
    const struct ff_vae_layer_ops *ops;
    size_t in_channels, out_channels;
    bool spatial, temporal;        // samplers, branches and shortcuts: what changes by a factor of 2
    size_t branch;                 // shortcuts: the branch layer's index; in_channels is that layer's
    const float *norm1, *norm2;    // [in_channels], [out_channels]
    ff_vae_convolution first, second, shortcut;
    char stage[24];                // the stage that ends here ("up_blocks.2"), for the tap; else empty
} ff_vae_layer;

typedef struct ff_vae_network {
    ff_vae_layer *layers;
    size_t count;
} ff_vae_network;

#define FF_VAE_MOST_LEVELS 8

// config.json, checked.
typedef struct ff_vae_config {
    const char *path;
    size_t base_dim, decoder_base_dim, z_dim, num_res_blocks, patch;
    size_t levels;                           // entries of dim_mult; between two of them, pixels halve along a side
    size_t dim_mult[FF_VAE_MOST_LEVELS];
    bool temporal[FF_VAE_MOST_LEVELS];       // temperal_downsample; false for the last level
    double attn_scales[FF_VAE_MOST_LEVELS];
    size_t attn_scale_count;
    bool residual;
} ff_vae_config;

struct ff_vae {
    ff_vae_shape shape;
    size_t parameters;
    ff_vae_network encoder;   // patches to latents, not yet normalised
    ff_vae_network decoder;   // latents to patches
    float *mean;              // [latent_channels]
    float *inverse_std;       // [latent_channels] 1 / latents_std, rounded
};

// Lists the layers of both networks with their weights and counts the parameters; what is listed so far stays in vae
// when it fails.
ff_status ff_vae_build(ff_vae *vae, ff_weights *weights, const ff_vae_config *config, ff_error *error);

// Rows [first, first + count) of a clip's frames: whole frames, or what a strip of them needs.
typedef struct ff_vae_window {
    ff_extent extent;
    size_t first, count;
} ff_vae_window;

ff_vae_window ff_vae_whole(ff_extent extent);

// Layers [first, end) of a network, and the rows that come out of the last of them.
typedef struct ff_vae_part {
    const ff_vae_network *network;
    size_t first, end;
    ff_vae_window out;
} ff_vae_part;

ff_vae_window ff_vae_part_input(const ff_vae_part *part);

// Two for each multiply-add of a part over a clip.
double ff_vae_part_flop(const ff_vae_part *part);
// Most bytes that the kernels take beside the arena's.
size_t ff_vae_part_scratch(const ff_vae_part *part, const ff_kernels *kernels);

// The last `capacity` frames that came by: a causal convolution's feature cache.
typedef struct ff_vae_history {
    size_t capacity, floats, seen;
    float *frames[2];
} ff_vae_history;

// What a layer computes, and keeps from frame to frame.
typedef struct ff_vae_state {
    ff_vae_window in, between, out; // rows it takes, computes on the way, puts out
    size_t seen;                    // upsampling, repeating: frames so far
    size_t shown;                   // frames that left the stage
    ff_vae_history first, second;   // inputs of the convolutions of these names; first: a branch's frames
    float *pair;                    // upsampling: [in's rows, width, 2 * in_channels], the two frames made of one
} ff_vae_state;

typedef struct ff_vae_run {
    const ff_kernels *kernels;
    ff_vae_part part;
    ff_vae_state *states;           // [part.network->count]
    float *frame;                   // what the layer before put out, channels last
    float *spare, *spare2;          // as large; a layer's result changes places with `frame`
    // Called when `frame` has passed all layers, the index-th that does; may use the spares.
    ff_status (*emit)(struct ff_vae_run *run, size_t index);
    size_t emitted;
    void *user;                     // for emit
    ff_vae_tap tap;
    const char *checked;            // what sentences call the network; its frames must stay finite. NULL: they need not
    ff_error *error;
} ff_vae_run;

// Takes what a run over `part` needs. With arena NULL it only counts. *bytes receives the total.
// FF_ERROR_INPUT if that does not fit a size_t, FF_ERROR_MEMORY if it cannot be had.
ff_status ff_vae_run_prepare(ff_vae_run *run, const ff_vae_part *part, ff_arena *arena, size_t *bytes,
                             ff_error *error);

// Sends run->frame through the layers of the part from `first` on.
ff_status ff_vae_run_frame(ff_vae_run *run, size_t first);

// Names the stage that ends with the last layer listed; number SIZE_MAX: without a number.
void ff_vae_name_stage(ff_vae_network *network, const char *name, size_t number);
// Shows run->frame, which has just left layer `index`, if a stage ends there.
// FF_ERROR_NOT_FINITE: run->checked is set, and it holds NaN or infinity.
ff_status ff_vae_tap_stage(ff_vae_run *run, size_t index);

#endif

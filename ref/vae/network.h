// The encoder and the decoder as lists of layers, and their run: shared by the files of this folder.
#ifndef FF_VAE_NETWORK_H
#define FF_VAE_NETWORK_H

#include "vae.h"

// A frame passes through the layers in order. Two of them change how many frames there are.
typedef enum ff_vae_kind {
    FF_VAE_LINEAR,        // 1x1 convolution
    FF_VAE_CONVOLUTION,   // causal 3x3x3 convolution; with norm1, of SiLU(norm(x))
    FF_VAE_RESIDUAL,      // x + conv2(SiLU(norm2(conv1(SiLU(norm1(x))))))
    FF_VAE_ATTENTION,     // x + attention among the pixels of the frame
    FF_VAE_DOWNSAMPLE,    // 3x3 with stride 2; temporal: then each two frames after the first become one
    FF_VAE_UPSAMPLE,      // temporal: each frame after the first becomes two; then twice the size, then 3x3
    FF_VAE_BRANCH,        // x, kept for a shortcut
    FF_VAE_AVERAGE_DOWN,  // x + what the branch kept, averaged down to x's shape (AvgDown3D)
    FF_VAE_REPEAT_UP,     // x + what the branch kept, repeated up to x's shape (DupUp3D)
} ff_vae_kind;

// A convolution [kernel_t, kernel_s, kernel_s]. weight.data is NULL where a layer has none.
typedef struct ff_vae_convolution {
    size_t in_channels, out_channels, kernel_t, kernel_s;
    ff_weight weight;
    const float *bias;  // [out_channels]
} ff_vae_convolution;

//                           first       second       shortcut
// LINEAR, CONVOLUTION       it
// RESIDUAL                  conv1       conv2        conv_shortcut, if the channels change
// ATTENTION                 to_qkv      proj
// DOWNSAMPLE, UPSAMPLE      resample.1  time_conv, if temporal
typedef struct ff_vae_layer {
    ff_vae_kind kind;
    size_t in_channels, out_channels;
    bool spatial, temporal;        // samplers, branches and shortcuts: what changes by a factor of 2
    size_t branch;                 // shortcuts: the BRANCH layer's index; in_channels is that layer's
    const float *norm1, *norm2;    // [in_channels], [out_channels]
    ff_vae_convolution first, second, shortcut;
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

// Frames, rows and columns.
typedef struct ff_vae_extent {
    size_t frames, height, width;
} ff_vae_extent;

// What comes out of a layer when `in` goes in.
ff_vae_extent ff_vae_layer_extent(const ff_vae_layer *layer, ff_vae_extent in);

// The last `capacity` frames that came by: a causal convolution's feature cache.
typedef struct ff_vae_history {
    size_t capacity, floats, seen;
    float *frames[2];
} ff_vae_history;

// What a layer keeps from frame to frame.
typedef struct ff_vae_state {
    size_t height, width;           // of its input
    size_t seen;                    // UPSAMPLE, REPEAT_UP: frames so far
    ff_vae_history first, second;   // inputs of the convolutions of these names; first: a branch's frames
    float *pair;                    // UPSAMPLE: [height, width, 2 * in_channels], the two frames made of one
} ff_vae_state;

typedef struct ff_vae_run {
    const ff_kernels *kernels;
    const ff_vae_network *network;
    ff_vae_state *states;           // [network->count]
    float *frame;                   // the frame on its way through the layers, channels last
    float *spare, *spare2;          // as large; a layer's result changes places with `frame`
    // Called when `frame` has passed all layers; may use the spares.
    ff_status (*emit)(struct ff_vae_run *run);
    void *user;                     // for emit
    ff_error *error;
} ff_vae_run;

// Takes what a run over frames of height x width (the network's pixels) needs. With arena NULL it only counts. *bytes
// receives the total.
// FF_ERROR_INPUT if that does not fit a size_t, FF_ERROR_MEMORY if it cannot be had.
ff_status ff_vae_run_prepare(ff_vae_run *run, const ff_vae_network *network, size_t height, size_t width,
                             ff_arena *arena, size_t *bytes, ff_error *error);

// Sends run->frame through the layers from `first` on.
ff_status ff_vae_run_frame(ff_vae_run *run, size_t first);

// Two for each multiply-add of a network over such a clip.
double ff_vae_network_flop(const ff_vae_network *network, ff_vae_extent extent);

#endif

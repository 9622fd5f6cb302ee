// AutoencoderKLWan: a video to latents and back (Wan 2.1 report, 4.1). Both kinds: Wan2.1's, and Wan2.2's with patches
// and shortcuts around its blocks (is_residual).
//
// All convolutions over time are causal: a frame sees itself and the two before it. So both directions take one frame
// at a time and remember, for each of those convolutions, its last two inputs. Memory does not grow with the clip.
// Frames so large that this takes too much memory are computed in strips (strips.c), to the same bits.
//
// As diffusers 0.42 computes it (models/autoencoders/autoencoder_kl_wan.py), which feeds the same causal network in
// chunks of 1, 4, 4, ... frames (encoder) and of one latent frame (decoder).
#ifndef FF_VAE_H
#define FF_VAE_H

#include "../kernels/kernels.h"
#include "../weights/weights.h"

typedef struct ff_vae ff_vae;

typedef struct ff_vae_shape {
    size_t latent_channels;
    size_t spatial_factor;   // pixels along a side of a latent cell
    size_t temporal_factor;  // frames in a latent frame, but for the first, which holds one
    size_t patch;            // pixels along a side of what the network calls a pixel
    bool residual;
} ff_vae_shape;

// Finds every weight and checks its shape against the config. weights must outlive the VAE.
// FF_ERROR_INPUT: a config this code does not compute or that contradicts itself, a missing tensor, a wrong shape.
ff_status ff_vae_open(ff_weights *weights, const ff_config *config, ff_vae **out, ff_error *error);
void ff_vae_close(ff_vae *vae);  // NULL allowed

ff_vae_shape ff_vae_describe(const ff_vae *vae);
size_t ff_vae_parameters(const ff_vae *vae);

size_t ff_vae_stages(const ff_vae *vae, bool decoder);  // that pass through the tap, of one network

// The tap of an encoding or decoding: at FF_DUMP_OP, frames pass through it after each stage of the network as
// <prefix>.FFF.<stage>, [height, width, channels], FFF counting the frames that leave the stage. The run goes on from
// what the tap leaves in them. Stages are called as in diffusers: conv_in, down_blocks.0, mid_block, ...
typedef struct ff_vae_tap {
    const ff_trace *trace;  // NULL: nothing passes
    const char *prefix;
} ff_vae_tap;

// Points *pixels at frame `index`, [height, width, 3]; it must stay until the next call. Asked for in order, once each;
// where the frames are computed in strips, once each for every strip.
typedef ff_status (*ff_vae_source)(void *user, size_t index, const float **pixels, ff_error *error);

typedef struct ff_vae_encoding {
    ff_extent extent;      // of the video
    const float *video;    // [frames, height, width, 3] in -1..1; NULL: the source gives its frames one by one
    ff_vae_source source;
    void *user;            // for the source
    size_t strips;         // in which it is computed; 0: as few as FF_VAE_MEMORY asks for
    float *latents;        // out: [latent_channels, F, height / spatial_factor, width / spatial_factor]
    ff_vae_tap tap;
} ff_vae_encoding;

// The mode of the latent distribution, normalised: (mode - latents_mean) * (1 / latents_std).
//   F = 1 + (frames - 1) / temporal_factor
// FF_ERROR_INPUT: frames not 4k + 1, a side that is no multiple of spatial_factor.
ff_status ff_vae_encode(const ff_vae *vae, const ff_kernels *kernels, ff_arena *arena, const ff_vae_encoding *request,
                        ff_error *error);

// Receives frame `index`, [height, width, 3] in -1..1, valid during the call. A status but FF_OK ends the decoding.
typedef ff_status (*ff_vae_sink)(void *user, size_t index, const float *pixels, ff_error *error);
// Progress callback: how many frames of strips are decoded, of how many. A status but FF_OK ends the decoding.
typedef ff_status (*ff_vae_progress)(void *user, size_t done, size_t total, ff_error *error);

typedef struct ff_vae_decoding {
    ff_extent extent;          // of the latents
    const float *latents;      // [latent_channels, frames, height, width], normalised
    size_t strips;             // in which it is computed; 0: as few as FF_VAE_MEMORY asks for
    ff_vae_sink sink;
    ff_vae_progress progress;  // NULL allowed
    void *user;                // for both
    ff_vae_tap tap;
} ff_vae_decoding;

// Gives 1 + (frames - 1) * temporal_factor frames of height * spatial_factor rows, in order, each as soon as it is
// computed. Of several strips, all but the last go to a spill file; all frames come with the last.
ff_status ff_vae_decode(const ff_vae *vae, const ff_kernels *kernels, ff_arena *arena, const ff_vae_decoding *request,
                        ff_error *error);

// What a run is to keep to, if strips can do it: with the kernels' packed weights, pictures and the rest, a process
// stays below 4 GB.
#define FF_VAE_MEMORY ((size_t)3700000000)

// What coding a clip takes, extent and strips as above.
typedef struct ff_vae_cost {
    size_t strips;      // 1: whole frames
    double flop;        // of the products, two for each multiply-add, those with the zeros of the padding included
    double flop_whole;  // in one strip; the rest of flop is rows computed more than once
    size_t memory;      // bytes taken from the arena. SIZE_MAX: no size_t holds it
    size_t disk;        // bytes in spill files
} ff_vae_cost;
ff_vae_cost ff_vae_encode_cost(const ff_vae *vae, size_t strips, ff_extent extent);
ff_vae_cost ff_vae_decode_cost(const ff_vae *vae, size_t strips, ff_extent extent);
// Most bytes that the kernels take beside that.
size_t ff_vae_encode_scratch(const ff_vae *vae, const ff_kernels *kernels, size_t strips, ff_extent extent);
size_t ff_vae_decode_scratch(const ff_vae *vae, const ff_kernels *kernels, size_t strips, ff_extent extent);

#endif

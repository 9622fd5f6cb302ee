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

// The mode of the latent distribution, normalised: (mode - latents_mean) * (1 / latents_std).
//   video: [frames, height, width, 3] in -1..1      latents: [latent_channels, F, height / spatial, width / spatial]
//   F = 1 + (frames - 1) / temporal_factor
// FF_ERROR_INPUT: frames not 4k + 1, a side that is no multiple of spatial_factor.
ff_status ff_vae_encode(const ff_vae *vae, const ff_kernels *kernels, ff_arena *arena, const float *video,
                        size_t frames, size_t height, size_t width, float *latents, ff_error *error);

// Points *pixels at frame `index`, [height, width, 3]; it must stay until the next call. Asked for in order, once each;
// where the frames are computed in strips, once each for every strip.
typedef ff_status (*ff_vae_source)(void *user, size_t index, const float **pixels, ff_error *error);
// The same from frames that need not be there all at once, in so many strips; 0: as few as FF_VAE_MEMORY asks for.
ff_status ff_vae_encode_frames(const ff_vae *vae, const ff_kernels *kernels, ff_arena *arena, size_t strips,
                               ff_vae_source source, void *user, size_t frames, size_t height, size_t width,
                               float *latents, ff_error *error);

// Receives frame `index`, [height, width, 3] in -1..1, valid during the call. A status but FF_OK ends the decoding.
typedef ff_status (*ff_vae_sink)(void *user, size_t index, const float *pixels, ff_error *error);
// latents: [latent_channels, frames, height, width], normalised. Gives 1 + (frames - 1) * temporal_factor frames of
// height * spatial_factor rows, in order, each as soon as it is computed.
ff_status ff_vae_decode(const ff_vae *vae, const ff_kernels *kernels, ff_arena *arena, const float *latents,
                        size_t frames, size_t height, size_t width, ff_vae_sink sink, void *user, ff_error *error);

// From now on, frames pass through the tap at FF_DUMP_OP after each stage of a network: <prefix>.FFF.<stage>,
// [height, width, channels], FFF counting the frames that leave the stage. The run goes on from what the tap leaves in
// them. Stages are called as in diffusers: conv_in, down_blocks.0, mid_block, ...   trace NULL: no more
void ff_vae_set_trace(ff_vae *vae, const ff_trace *trace, const char *prefix);
size_t ff_vae_stages(const ff_vae *vae, bool decoder);

// Hears how far decoding is, counted in frames of strips. A status but FF_OK ends it.
typedef ff_status (*ff_vae_progress)(void *user, size_t done, size_t total, ff_error *error);
// The same in so many strips; 0: as few as FF_VAE_MEMORY asks for. Of several strips, all but the last go to a
// spill file; all frames come with the last. progress may be NULL.
ff_status ff_vae_decode_frames(const ff_vae *vae, const ff_kernels *kernels, ff_arena *arena, size_t strips,
                               const float *latents, size_t frames, size_t height, size_t width, ff_vae_sink sink,
                               ff_vae_progress progress, void *user, ff_error *error);

// What a run is to keep to, if strips can do it: with the kernels' packed weights, pictures and the rest, a process
// stays below 4 GB.
#define FF_VAE_MEMORY ((size_t)3700000000)

// What coding a clip takes. Arguments as of the functions above.
typedef struct ff_vae_cost {
    size_t strips;      // 1: whole frames
    double flop;        // of the products, two for each multiply-add, those with the zeros of the padding included
    double flop_whole;  // in one strip; the rest of flop is rows computed more than once
    size_t memory;      // bytes taken from the arena. SIZE_MAX: no size_t holds it
    size_t disk;        // bytes in spill files
} ff_vae_cost;
ff_vae_cost ff_vae_encode_cost(const ff_vae *vae, size_t strips, size_t frames, size_t height, size_t width);
ff_vae_cost ff_vae_decode_cost(const ff_vae *vae, size_t strips, size_t frames, size_t height, size_t width);
// Most bytes that the kernels take beside that.
size_t ff_vae_encode_scratch(const ff_vae *vae, const ff_kernels *kernels, size_t strips, size_t frames, size_t height,
                             size_t width);
size_t ff_vae_decode_scratch(const ff_vae *vae, const ff_kernels *kernels, size_t strips, size_t frames, size_t height,
                             size_t width);
// flop in as few strips as FF_VAE_MEMORY asks for.
double ff_vae_encode_flop(const ff_vae *vae, size_t frames, size_t height, size_t width);
double ff_vae_decode_flop(const ff_vae *vae, size_t frames, size_t height, size_t width);

#endif

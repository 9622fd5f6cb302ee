// The opened transformer, shared by the files of this folder: its weights, and the parts of an evaluation.
#ifndef FF_TRANSFORMER_MODEL_H
#define FF_TRANSFORMER_MODEL_H

#include "../weights/linear.h"
#include "transformer.h"

typedef struct ff_transformer_attention {
    ff_linear to_q, to_k, to_v, to_out;  // [dim, dim]
    const float *norm_q, *norm_k;        // [dim]
} ff_transformer_attention;

typedef struct ff_transformer_block {
    const float *scale_shift_table;      // [6, dim]: shift, scale, gate of self-attention, then of the feed-forward
    ff_transformer_attention attn1;      // over the video's tokens
    ff_transformer_attention attn2;      // over the text's tokens
    const float *norm2_weight, *norm2_bias;  // [dim], both NULL without cross_attn_norm
    ff_linear ffn_in, ffn_out;           // [ffn_dim, dim], [dim, ffn_dim]
} ff_transformer_block;

struct ff_transformer {
    ff_transformer_shape shape;
    size_t parameters;
    size_t patch_in, patch_out;          // latent values under a token
    ff_linear patch_embedding;           // [dim, in_channels, patch t, h, w]
    ff_linear time_in, time_out;         // time_embedder: [dim, freq_dim], [dim, dim]
    ff_linear time_proj;                 // [6 * dim, dim]
    ff_linear text_in, text_out;         // text_embedder: [dim, text_dim], [dim, dim]
    ff_transformer_block *blocks;        // [layers]
    const float *scale_shift_table;      // [2, dim]: shift, scale of the output norm
    ff_linear proj_out;                  // [patch_out, dim]
    ff_arena *added;                     // what LoRAs made; NULL: there is none
};

// A weight where the transformer uses it, by its name in the checkpoint.
typedef struct ff_transformer_place {
    const char *name;
    int rank;
    const size_t *shape;
    ff_linear *linear;     // whose weight it is; NULL: it is a vector,
    const float **vector;  // of as many elements as the shape has
} ff_transformer_place;

// Calls `see` with every place, a linear layer's weight before its bias, until it fails.
ff_status ff_transformer_visit(ff_transformer *transformer,
                               ff_status (*see)(void *user, const ff_transformer_place *place, ff_error *error),
                               void *user, ff_error *error);

struct ff_transformer_text {
    size_t tokens;
    float *embedded;   // [tokens, dim]
    float *keys;       // [layers, tokens, dim]
    float *values;     // [layers, tokens, dim]
};

// Tokens with equal timesteps: token r belongs to group[r]; group NULL: there is one timestep.
typedef struct ff_timestep_groups {
    size_t count;
    float *timesteps;  // [count]
    uint32_t *group;   // [tokens] or NULL
} ff_timestep_groups;

// Number of rows up to and including the first of those, at the end, that equal the last bit for bit.
size_t ff_text_distinct_rows(const float *x, size_t rows, size_t n);
// Copies row distinct - 1 of x: [rows, n] to all that follow it.
void ff_text_repeat_row(float *x, size_t distinct, size_t rows, size_t n);
// embedded: [tokens, dim]    keys (normalised), values: [tokens, dim]. Fails only for want of memory.
ff_status ff_text_keys_values(const ff_transformer *transformer, const ff_kernels *kernels, size_t layer,
                              const float *embedded, size_t tokens, size_t distinct, float *keys, float *values);

// Sinusoids of a timestep, cosines first.   timesteps: [count]    out: [count, freq_dim]
void ff_timestep_embedding(size_t count, const float *timesteps, size_t freq_dim, float *out);
// Groups timesteps: [count]; groups->timesteps and ->group have room for count.
void ff_timesteps_group(size_t count, const float *timesteps, ff_timestep_groups *groups);

// Cosine and sine of each token's rotary angles.   grid: of tokens   out: [tokens, head_dim / 2, 2]
void ff_rotary_table(ff_extent grid, size_t head_dim, float *out);

// latents: [channels, pixels]    out: [pixels, channels]
void ff_latents_to_channels_last(size_t channels, size_t pixels, const float *latents, float *out);
// tokens: [tokens of the grid, patch t, patch h, patch w, channels], back to latents [channels, F, h, w]
void ff_tokens_to_latents(ff_extent grid, const size_t patch[3], size_t channels, const float *tokens,
                          float *latents);

#endif

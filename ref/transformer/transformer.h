// WanTransformer3DModel: the network that predicts the flow from noisy latents to a clip (Wan 2.1 report, 4.2).
// Patches of the latents become tokens; each block attends over all tokens, then over the text, then feeds forward.
// A timestep is given per token (Wan2.2-TI2V, `expand_timesteps`) or once for all.
//
// As diffusers 0.42 computes it: models/transformers/transformer_wan.py and models/embeddings.py.
#ifndef FF_TRANSFORMER_H
#define FF_TRANSFORMER_H

#include "../kernels/kernels.h"
#include "../weights/lora.h"

typedef struct ff_transformer ff_transformer;

typedef struct ff_transformer_shape {
    size_t in_channels, out_channels;  // of the latents
    size_t patch[3];                   // latent frames, rows and columns under a token
    size_t layers, heads, head_dim;
    size_t dim;                        // heads * head_dim
    size_t ffn_dim, text_dim, freq_dim;
    size_t rope_max_seq_len;           // most tokens along each of the three axes
    bool cross_attn_norm;
    float eps;
} ff_transformer_shape;

// Finds every weight of the model and checks its shape against the config. weights must outlive the transformer.
// FF_ERROR_INPUT: a config this code does not compute, a missing tensor, a wrong shape.
ff_status ff_transformer_open(ff_weights *weights, const ff_config *config, ff_transformer **out, ff_error *error);
void ff_transformer_close(ff_transformer *transformer);  // NULL allowed

// Adds a LoRA's products to the linear layers, after those added before, and its sums to copies of the vectors; the patch
// embedding's weight gets both in a copy. lora must outlive the transformer.
// FF_ERROR_INPUT: nothing of it belongs to a weight here, or something has another shape. Of a failure only
// ff_transformer_close comes next.
ff_status ff_transformer_add_lora(ff_transformer *transformer, ff_lora *lora, ff_error *error);

ff_transformer_shape ff_transformer_describe(const ff_transformer *transformer);
size_t ff_transformer_parameters(const ff_transformer *transformer);

// What the model makes of one prompt, the same for every evaluation of a run: the embedded text and, for each block,
// the normalised keys and the values of its cross-attention.
typedef struct ff_transformer_text ff_transformer_text;

// embeds: [tokens, text_dim], the text encoder's output padded with zeros. Equal rows at the end are computed once.
ff_status ff_transformer_text_create(const ff_transformer *transformer, const ff_kernels *kernels, const float *embeds,
                                     size_t tokens, ff_transformer_text **out, ff_error *error);
void ff_transformer_text_destroy(ff_transformer_text *text);  // NULL allowed

// What cross-attention reads: the tokens of a text or, for models that have one, of a picture.
typedef struct ff_transformer_context {
    size_t tokens;
    const float *keys;      // [layers, tokens, dim], normalised
    const float *values;    // [layers, tokens, dim]
    const float *embedded;  // of a text: [tokens, dim], what passes the tap as call.NNN.text; keys and values are made
                            // anew if it comes back changed. NULL: nothing passes
} ff_transformer_context;

// As long as the text lives.
ff_transformer_context ff_transformer_text_context(const ff_transformer_text *text);

// One evaluation's input.
typedef struct ff_transformer_input {
    ff_extent extent;            // of the latents, in cells
    const float *latents;        // [in_channels, frames, height, width]
    const float *timesteps;      // one, or one for each token (frame by frame, row by row)
    size_t timestep_count;
    const ff_transformer_context *contexts;  // the text, then others; attentions over them are summed in this order
    size_t context_count;        // at least 1
    size_t call;                 // the evaluation's number in names of tensors
    size_t unseen;               // for an experiment: so many tokens at the start are hidden from the others' attention
} ff_transformer_input;

// out: [out_channels, frames, height, width]
// Tokens with the same timestep share its embedding. With trace at FF_DUMP_BLOCK the tensors call.NNN.embed, .temb,
// .text and .block.BB pass through the tap, NNN being input->call, and at FF_DUMP_OP what goes on inside the blocks,
// which ref/README.md lists. The run goes on from what the tap leaves in them.
// FF_ERROR_INPUT: sizes that do not divide into patches or exceed rope_max_seq_len, another number of timesteps.
ff_status ff_transformer_run(const ff_transformer *transformer, const ff_kernels *kernels, ff_arena *arena,
                             const ff_transformer_input *input, const ff_trace *trace, float *out, ff_error *error);

// Floating-point operations of the matrix products, two for each multiply-add: of one evaluation, and of a prompt with
// `distinct_tokens` unequal rows. Of the input, the extent and the contexts' tokens are read.
// unique_timesteps: different values among the tokens' timesteps.
double ff_transformer_flop(const ff_transformer *transformer, const ff_transformer_input *input,
                           size_t unique_timesteps);
double ff_transformer_text_flop(const ff_transformer *transformer, size_t distinct_tokens);

// Bytes: what an untraced evaluation takes from the arena, and what a prompt holds. SIZE_MAX if beyond a size_t.
size_t ff_transformer_memory(const ff_transformer *transformer, ff_extent extent, size_t unique_timesteps);
size_t ff_transformer_text_memory(const ff_transformer *transformer, size_t tokens);
// Bytes that the kernels take beside that: most for an evaluation, and for a prompt with so many distinct rows.
size_t ff_transformer_scratch(const ff_transformer *transformer, const ff_kernels *kernels,
                              const ff_transformer_input *input, size_t unique_timesteps);
size_t ff_transformer_text_scratch(const ff_transformer *transformer, const ff_kernels *kernels, size_t distinct);

#endif

// One evaluation of the transformer, from latents to the predicted flow.
#include "attention_map.h"
#include "model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Everything an evaluation works on. hidden is the residual stream; normed and wide hold what a layer needs for a
// moment.
typedef struct evaluation {
    const ff_transformer *transformer;
    const ff_kernels *kernels;
    ff_token_grid grid;
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
    size_t call;           // for the names of what is traced
    const ff_trace *trace;
    ff_error *error;
} evaluation;

// ---- sizes ----

// The buffers of an evaluation, in the order in which they are taken from the arena.
enum { TIMESTEPS, GROUP, FRAMES, SINUSOIDS, TEMB, PROJECTION, MODULATION, ROTARY, HIDDEN, NORMED, WIDE, BUFFERS };

// Bytes of a * b elements, or SIZE_MAX, which no allocation grants.
static size_t bytes_of(size_t a, size_t b, size_t element_size)
{
    size_t bytes;
    if (!ff_multiply_sizes(a, b, &bytes) || !ff_multiply_sizes(bytes, element_size, &bytes))
        return SIZE_MAX;
    return bytes;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

// Rows that go through the feed-forward at once: as many as let its inner layer fit where queries, keys and values are.
static size_t feed_forward_rows(const ff_transformer_shape *shape, size_t tokens)
{
    size_t passes = (shape->ffn_dim + 3 * shape->dim - 1) / (3 * shape->dim);
    return (tokens + passes - 1) / passes;
}

static void plan_buffers(const ff_transformer *transformer, size_t latent_frames, size_t tokens, size_t groups,
                         size_t bytes[BUFFERS])
{
    const ff_transformer_shape *shape = &transformer->shape;
    size_t dim = shape->dim;
    bytes[TIMESTEPS] = bytes_of(tokens, 1, sizeof(float));
    bytes[GROUP] = bytes_of(tokens, 1, sizeof(uint32_t));
    bytes[FRAMES] = bytes_of(latent_frames, 1, sizeof(float *));
    bytes[SINUSOIDS] = bytes_of(groups, shape->freq_dim, sizeof(float));
    bytes[TEMB] = bytes_of(groups, dim, sizeof(float));
    bytes[PROJECTION] = bytes[MODULATION] = bytes_of(groups, 6 * dim, sizeof(float));
    bytes[ROTARY] = bytes_of(tokens, shape->head_dim, sizeof(float));
    bytes[HIDDEN] = bytes[NORMED] = bytes_of(tokens, dim, sizeof(float));
    size_t attention = bytes_of(tokens, 3 * dim, sizeof(float));
    size_t feed_forward = bytes_of(feed_forward_rows(shape, tokens), shape->ffn_dim, sizeof(float));
    size_t patches = bytes_of(tokens, larger(transformer->patch_in, transformer->patch_out), sizeof(float));
    bytes[WIDE] = larger(larger(attention, feed_forward), patches);
}

static bool count_tokens(const ff_transformer *transformer, size_t frames, size_t height, size_t width,
                         ff_token_grid *grid, size_t *tokens)
{
    const size_t *patch = transformer->shape.patch;
    *grid = (ff_token_grid){frames / patch[0], height / patch[1], width / patch[2]};
    return ff_multiply_sizes(grid->frames, grid->rows, tokens) && ff_multiply_sizes(*tokens, grid->columns, tokens);
}

size_t ff_transformer_memory(const ff_transformer *transformer, size_t frames, size_t height, size_t width,
                             size_t unique_timesteps)
{
    ff_token_grid grid;
    size_t tokens, bytes[BUFFERS], sum = 0;
    if (!count_tokens(transformer, frames, height, width, &grid, &tokens))
        return SIZE_MAX;
    plan_buffers(transformer, frames, tokens, unique_timesteps, bytes);
    for (int i = 0; i < BUFFERS; i++)
        if (!ff_add_sizes(sum, bytes[i], &sum))
            return SIZE_MAX;
    return sum;
}

double ff_transformer_flop(const ff_transformer *transformer, size_t frames, size_t height, size_t width,
                           size_t text_tokens, size_t unique_timesteps)
{
    const ff_transformer_shape *shape = &transformer->shape;
    double dim = (double)shape->dim, ffn_dim = (double)shape->ffn_dim;
    double tokens = (double)(frames / shape->patch[0]) * (double)(height / shape->patch[1]) *
                    (double)(width / shape->patch[2]);
    double time = (double)unique_timesteps * dim * ((double)shape->freq_dim + 7 * dim);
    double ends = tokens * dim * (double)(transformer->patch_in + transformer->patch_out);
    double self_attention = tokens * dim * (4 * dim + 2 * tokens);
    double cross_attention = tokens * dim * (2 * dim + 2 * (double)text_tokens);
    double feed_forward = tokens * dim * 2 * ffn_dim;
    return 2 * (time + ends + (double)shape->layers * (self_attention + cross_attention + feed_forward));
}

// ---- layers ----
// They fail for want of memory, without a sentence, or because the tap does.

static ff_matmul product(const ff_linear *linear, const ff_kernels *kernels, size_t rows, const float *x, float *out)
{
    size_t columns = linear->weight.shape[0], depth = linear->weight.shape[1];
    return (ff_matmul){.rows = rows, .columns = columns, .depth = depth,
                       .a = x, .a_stride = depth,
                       .b = linear->weight.data, .b_dtype = linear->weight.dtype,
                       .bias = linear->bias, .out = out, .out_stride = columns, .scratch = kernels->scratch};
}

ff_status ff_linear_apply(const ff_linear *linear, const ff_kernels *kernels, size_t rows, const float *x, float *out)
{
    ff_matmul p = product(linear, kernels, rows, x, out);
    return kernels->matmul(&p);
}

// Attention of all tokens over `keys` keys.
static ff_attention attention_over(const evaluation *e, size_t keys, const float *q, const float *k, const float *v,
                                   float *out)
{
    const ff_transformer_shape *shape = &e->transformer->shape;
    return (ff_attention){.queries = e->tokens, .keys = keys, .heads = shape->heads, .head_dim = shape->head_dim,
                          .q = q, .k = k, .v = v,
                          .q_stride = shape->dim, .k_stride = shape->dim, .v_stride = shape->dim,
                          .scale = (float)(1 / sqrt((double)shape->head_dim)), .out = out,
                          .scratch = e->kernels->scratch};
}

// Self-attention in which the tokens from `unseen` on do not see those before.
static ff_status attend_without(const evaluation *e, const ff_attention *whole, size_t unseen)
{
    size_t skipped = unseen * e->transformer->shape.dim;
    ff_attention known = *whole, others = *whole;
    known.queries = unseen;
    others.queries -= unseen;
    others.keys -= unseen;
    others.q += skipped;
    others.k += skipped;
    others.v += skipped;
    others.out += skipped;
    return e->kernels->attention(&known) ? FF_ERROR_MEMORY : e->kernels->attention(&others);
}

// Shows how much each frame's tokens look at each other frame's, or at each token of the text.
static ff_status tap_attention(const evaluation *e, size_t layer, const ff_attention *attention, bool self)
{
    size_t frames = e->grid.frames, heads = attention->heads;
    size_t by_frame[] = {heads, frames, frames}, by_key[] = {attention->queries, attention->keys};
    if (!ff_traced(e->trace, FF_DUMP_ATTENTION))
        return FF_OK;
    float *map = malloc((self ? heads * frames * frames : by_key[0] * by_key[1]) * sizeof *map);
    if (!map || (self ? ff_attention_by_frame(attention, frames, map) : ff_attention_by_key(attention, map))) {
        free(map);
        return FF_ERROR_MEMORY;
    }
    ff_status status = ff_tap(e->trace, FF_DUMP_ATTENTION, FF_F32, self ? 3 : 2, self ? by_frame : by_key, map,
                              e->error, "call.%03zu.block.%02zu.%s", e->call, layer,
                              self ? "attn1.frames" : "attn2.words");
    free(map);
    return status;
}

// Where tokens find the six modulation vectors of their timestep.
static ff_groups modulation_groups(const evaluation *e)
{
    return (ff_groups){.group = e->groups.group, .stride = 6 * e->transformer->shape.dim};
}

// The convolution that makes a token of each patch of e->frames.
static ff_convolution patch_convolution(const evaluation *e)
{
    const ff_transformer_shape *shape = &e->transformer->shape;
    const ff_linear *embedding = &e->transformer->patch_embedding;
    const size_t *patch = shape->patch;
    return (ff_convolution){
        .in_channels = shape->in_channels,
        .in_height = e->grid.rows * patch[1], .in_width = e->grid.columns * patch[2],
        .out_channels = shape->dim,
        .out_frames = e->grid.frames, .out_height = e->grid.rows, .out_width = e->grid.columns,
        .kernel_t = patch[0], .kernel_h = patch[1], .kernel_w = patch[2],
        .stride_t = patch[0], .stride_h = patch[1], .stride_w = patch[2],
        .frames = e->frames, .weight = embedding->weight.data, .weight_dtype = embedding->weight.dtype,
        .bias = embedding->bias, .out = e->hidden, .scratch = e->kernels->scratch};
}

// latents: [in_channels, latent frames, height, width] to hidden: [tokens, dim], one patch a token.
static ff_status embed_patches(const evaluation *e, const float *latents)
{
    const ff_transformer_shape *shape = &e->transformer->shape;
    const ff_convolution p = patch_convolution(e);
    size_t frames = e->grid.frames * shape->patch[0], pixels = p.in_height * p.in_width;
    ff_latents_to_channels_last(shape->in_channels, frames * pixels, latents, e->wide);
    for (size_t frame = 0; frame < frames; frame++)
        e->frames[frame] = e->wide + frame * pixels * shape->in_channels;
    return e->kernels->convolution(&p);
}

// temb: [groups, dim] = linear(silu(linear(sinusoids)))
static ff_status embed_timesteps(const evaluation *e)
{
    const ff_transformer *transformer = e->transformer;
    size_t count = e->groups.count;
    float *hidden = e->modulation;  // [groups, dim], not needed yet
    ff_timestep_embedding(count, e->groups.timesteps, transformer->shape.freq_dim, e->sinusoids);
    if (ff_linear_apply(&transformer->time_in, e->kernels, count, e->sinusoids, hidden))
        return FF_ERROR_MEMORY;
    e->kernels->silu(count * transformer->shape.dim, hidden, hidden);
    return ff_linear_apply(&transformer->time_out, e->kernels, count, hidden, e->temb);
}

// projection: [groups, 6, dim] = linear(silu(temb))
static ff_status project_timesteps(const evaluation *e)
{
    const ff_transformer *transformer = e->transformer;
    float *activated = e->modulation;
    e->kernels->silu(e->groups.count * transformer->shape.dim, e->temb, activated);
    return ff_linear_apply(&transformer->time_proj, e->kernels, e->groups.count, activated, e->projection);
}

// Shows what goes on inside a block, x: [tokens, dim]. ref/README.md lists the parts.
static ff_status tap_part(const evaluation *e, size_t layer, const char *part, float *x)
{
    return ff_tap(e->trace, FF_DUMP_OP, FF_F32, 2, (size_t[]){e->tokens, e->transformer->shape.dim}, x, e->error,
                  "call.%03zu.block.%02zu.%s", e->call, layer, part);
}

// Shows vectors of the groups, [dim] each and `stride` apart, with a row for each timestep given, and takes back the row
// of each group's first token.
static ff_status tap_vectors(const evaluation *e, ff_dump_level level, float *vectors, size_t stride, const char *name)
{
    size_t dim = e->transformer->shape.dim;
    if (!ff_traced(e->trace, level))
        return FF_OK;
    if (!e->groups.group)
        return ff_tap(e->trace, level, FF_F32, 2, (size_t[]){1, dim}, vectors, e->error, "call.%03zu.%s", e->call, name);
    float *rows = e->wide;  // not in use when vectors are made
    for (size_t token = 0; token < e->tokens; token++)
        memcpy(rows + token * dim, vectors + e->groups.group[token] * stride, dim * sizeof *rows);
    ff_status status = ff_tap(e->trace, level, FF_F32, 2, (size_t[]){e->tokens, dim}, rows, e->error, "call.%03zu.%s",
                              e->call, name);
    for (size_t token = e->tokens; token-- > 0;)
        memcpy(vectors + e->groups.group[token] * stride, rows + token * dim, dim * sizeof *rows);
    return status;
}

static ff_status tap_modulation(const evaluation *e, size_t layer)
{
    static const char *const parts[6] = {"norm1.shift", "norm1.scale", "attn1.gate",
                                         "norm3.shift", "norm3.scale", "ffn.gate"};
    size_t dim = e->transformer->shape.dim;
    ff_status status = FF_OK;
    for (size_t i = 0; i < 6 && !status; i++) {
        char name[64];
        snprintf(name, sizeof name, "block.%02zu.%s", layer, parts[i]);
        status = tap_vectors(e, FF_DUMP_OP, e->modulation + i * dim, 6 * dim, name);
    }
    return status;
}

// hidden[first + r] += gate * linear(x[r]), in one go; without the gate if it is NULL.   x: [rows, depth]
static ff_status add_product(const evaluation *e, const ff_linear *linear, size_t first, size_t rows, const float *x,
                             const float *gate)
{
    ff_matmul p = product(linear, e->kernels, rows, x, e->hidden + first * e->transformer->shape.dim);
    p.finish = gate ? FF_FINISH_ADD_GATED : FF_FINISH_ADD;
    p.gate = gate;
    p.groups = modulation_groups(e);
    if (p.groups.group)
        p.groups.group += first;
    return e->kernels->matmul(&p);
}

// Self-attention over all video tokens: hidden += gate * attention(modulate(norm(hidden))).
//   vectors: shift, scale and gate [3, dim] of the first group, the block's first three
// q and k are RMS-normalised over all heads, then turned by the rotary angles (Wan 2.1 report, 4.2).
static ff_status self_attention(const evaluation *e, size_t layer, const float *vectors)
{
    const ff_transformer_attention *attention = &e->transformer->blocks[layer].attn1;
    const ff_kernels *kernels = e->kernels;
    const ff_transformer_shape *shape = &e->transformer->shape;
    size_t tokens = e->tokens, dim = shape->dim;
    float *q = e->wide, *k = q + tokens * dim, *v = k + tokens * dim;
    kernels->layer_norm_modulate(tokens, dim, e->hidden, shape->eps, modulation_groups(e), vectors + dim, vectors,
                                 e->normed);
    ff_status status = tap_part(e, layer, "norm1", e->normed);
    if (status)
        return status;
    if (ff_linear_apply(&attention->to_q, kernels, tokens, e->normed, q) ||
        ff_linear_apply(&attention->to_k, kernels, tokens, e->normed, k) ||
        ff_linear_apply(&attention->to_v, kernels, tokens, e->normed, v))
        return FF_ERROR_MEMORY;
    kernels->rms_norm(tokens, dim, q, shape->eps, attention->norm_q, q);
    kernels->rms_norm(tokens, dim, k, shape->eps, attention->norm_k, k);
    kernels->rotary(tokens, shape->heads, shape->head_dim, e->rotary, q);
    kernels->rotary(tokens, shape->heads, shape->head_dim, e->rotary, k);
    if ((status = tap_part(e, layer, "attn1.q", q)) || (status = tap_part(e, layer, "attn1.k", k)) ||
        (status = tap_part(e, layer, "attn1.v", v)))
        return status;
    ff_attention all = attention_over(e, tokens, q, k, v, e->normed);
    size_t unseen = e->trace ? e->trace->unseen : 0;
    if ((status = tap_attention(e, layer, &all, true)))
        return status;
    if (unseen ? attend_without(e, &all, unseen) : kernels->attention(&all))
        return FF_ERROR_MEMORY;
    if (!ff_traced(e->trace, FF_DUMP_OP))
        return add_product(e, &attention->to_out, 0, tokens, e->normed, vectors + 2 * dim);
    if ((status = tap_part(e, layer, "attn1.heads", e->normed)))
        return status;
    if (ff_linear_apply(&attention->to_out, kernels, tokens, e->normed, q))
        return FF_ERROR_MEMORY;
    if ((status = tap_part(e, layer, "attn1", q)))
        return status;
    kernels->add_gated(tokens, dim, q, modulation_groups(e), vectors + 2 * dim, e->hidden);
    return FF_OK;
}

// Cross-attention from the video's tokens to the text's: hidden += attention(norm2(hidden)); neither modulated nor
// gated.   keys, values: [text_tokens, dim], as ff_transformer_text holds them
static ff_status cross_attention(const evaluation *e, size_t layer, size_t text_tokens, const float *keys,
                                 const float *values)
{
    const ff_transformer_block *block = &e->transformer->blocks[layer];
    const ff_kernels *kernels = e->kernels;
    const ff_transformer_shape *shape = &e->transformer->shape;
    size_t tokens = e->tokens, dim = shape->dim;
    float *q = e->wide, *attended = q + tokens * dim, *result = attended + tokens * dim;
    const float *x = e->hidden;
    ff_status status;
    if (block->norm2_weight) {
        kernels->layer_norm(tokens, dim, e->hidden, shape->eps, block->norm2_weight, block->norm2_bias, e->normed);
        if ((status = tap_part(e, layer, "norm2", e->normed)))
            return status;
        x = e->normed;
    }
    if (ff_linear_apply(&block->attn2.to_q, kernels, tokens, x, q))
        return FF_ERROR_MEMORY;
    kernels->rms_norm(tokens, dim, q, shape->eps, block->attn2.norm_q, q);
    if ((status = tap_part(e, layer, "attn2.q", q)))
        return status;
    ff_attention over_text = attention_over(e, text_tokens, q, keys, values, attended);
    if ((status = tap_attention(e, layer, &over_text, false)))
        return status;
    if (kernels->attention(&over_text))
        return FF_ERROR_MEMORY;
    if (!ff_traced(e->trace, FF_DUMP_OP))
        return add_product(e, &block->attn2.to_out, 0, tokens, attended, NULL);
    if ((status = tap_part(e, layer, "attn2.heads", attended)))
        return status;
    if (ff_linear_apply(&block->attn2.to_out, kernels, tokens, attended, result))
        return FF_ERROR_MEMORY;
    if ((status = tap_part(e, layer, "attn2", result)))
        return status;
    kernels->add(tokens * dim, e->hidden, result, e->hidden);
    return FF_OK;
}

// hidden += gate * linear(gelu(linear(modulate(norm(hidden))))).   vectors: the block's last three [3, dim]
static ff_status feed_forward(const evaluation *e, size_t layer, const float *vectors)
{
    const ff_transformer_block *block = &e->transformer->blocks[layer];
    const ff_kernels *kernels = e->kernels;
    const ff_transformer_shape *shape = &e->transformer->shape;
    size_t dim = shape->dim;
    bool traced = ff_traced(e->trace, FF_DUMP_OP);
    kernels->layer_norm_modulate(e->tokens, dim, e->hidden, shape->eps, modulation_groups(e), vectors + dim, vectors,
                                 e->normed);
    ff_status status = tap_part(e, layer, "norm3", e->normed);
    if (status)
        return status;
    for (size_t first = 0; first < e->tokens; first += e->feed_rows) {
        size_t rows = e->tokens - first < e->feed_rows ? e->tokens - first : e->feed_rows;
        float *x = e->normed + first * dim;  // the result takes the place of its input
        ff_matmul inner = product(&block->ffn_in, kernels, rows, x, e->wide);
        inner.finish = FF_FINISH_GELU_TANH;
        if (kernels->matmul(&inner) ||
            (traced ? ff_linear_apply(&block->ffn_out, kernels, rows, e->wide, x)
                    : add_product(e, &block->ffn_out, first, rows, e->wide, vectors + 2 * dim)))
            return FF_ERROR_MEMORY;
    }
    if (!traced)
        return FF_OK;
    if ((status = tap_part(e, layer, "ffn", e->normed)))
        return status;
    kernels->add_gated(e->tokens, dim, e->normed, modulation_groups(e), vectors + 2 * dim, e->hidden);
    return FF_OK;
}

static ff_status run_block(const evaluation *e, size_t layer, size_t text_tokens, const float *keys,
                           const float *values)
{
    const float *table = e->transformer->blocks[layer].scale_shift_table;
    size_t dim = e->transformer->shape.dim;
    ff_status status;
    for (size_t group = 0; group < e->groups.count; group++)
        e->kernels->add(6 * dim, table, e->projection + group * 6 * dim, e->modulation + group * 6 * dim);
    if ((status = tap_modulation(e, layer)) || (status = self_attention(e, layer, e->modulation)) ||
        (status = cross_attention(e, layer, text_tokens, keys, values)) ||
        (status = feed_forward(e, layer, e->modulation + 3 * dim)))
        return status;
    return ff_tap(e->trace, FF_DUMP_BLOCK, FF_F32, 2, (size_t[]){e->tokens, dim}, e->hidden, e->error,
                  "call.%03zu.block.%02zu", e->call, layer);
}

// The output norm, modulated by temb itself, and the projection back to patches.
static ff_status project_out(const evaluation *e, float *out)
{
    const ff_transformer *transformer = e->transformer;
    const ff_transformer_shape *shape = &transformer->shape;
    size_t dim = shape->dim;
    float *shift = e->modulation, *scale = shift + dim;
    for (size_t group = 0; group < e->groups.count; group++) {
        const float *temb = e->temb + group * dim;
        e->kernels->add(dim, transformer->scale_shift_table, temb, shift + group * 6 * dim);
        e->kernels->add(dim, transformer->scale_shift_table + dim, temb, scale + group * 6 * dim);
    }
    e->kernels->layer_norm_modulate(e->tokens, dim, e->hidden, shape->eps, modulation_groups(e), scale, shift,
                                    e->normed);
    ff_status status = ff_tap(e->trace, FF_DUMP_OP, FF_F32, 2, (size_t[]){e->tokens, dim}, e->normed, e->error,
                              "call.%03zu.norm_out", e->call);
    if (status)
        return status;
    if (ff_linear_apply(&transformer->proj_out, e->kernels, e->tokens, e->normed, e->wide))
        return FF_ERROR_MEMORY;
    ff_tokens_to_latents(e->grid, shape->patch, shape->out_channels, e->wide, out);
    return FF_OK;
}

// ---- what the kernels pack ----

// Each product once, with a scratch that counts and so without operands.
static void count_products(const evaluation *e, size_t text_tokens)
{
    const ff_transformer *transformer = e->transformer;
    const ff_kernels *kernels = e->kernels;
    const float *none = e->hidden;
    const ff_convolution patches = patch_convolution(e);
    const ff_attention over_tokens = attention_over(e, e->tokens, none, none, none, NULL);
    const ff_attention over_text = attention_over(e, text_tokens, none, none, none, NULL);
    kernels->convolution(&patches);
    kernels->attention(&over_tokens);
    kernels->attention(&over_text);
    ff_linear_apply(&transformer->time_in, kernels, e->groups.count, none, NULL);
    ff_linear_apply(&transformer->time_out, kernels, e->groups.count, none, NULL);
    ff_linear_apply(&transformer->time_proj, kernels, e->groups.count, none, NULL);
    for (size_t layer = 0; layer < transformer->shape.layers; layer++) {
        const ff_transformer_block *block = &transformer->blocks[layer];
        const ff_linear *inner[] = {&block->attn1.to_q, &block->attn1.to_k, &block->attn1.to_v, &block->attn2.to_q};
        for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
            ff_linear_apply(inner[i], kernels, e->tokens, none, NULL);
        add_product(e, &block->attn1.to_out, 0, e->tokens, none, none);
        add_product(e, &block->attn2.to_out, 0, e->tokens, none, NULL);
        ff_linear_apply(&block->ffn_in, kernels, e->feed_rows, none, NULL);
        add_product(e, &block->ffn_out, 0, e->feed_rows, none, none);
    }
    ff_linear_apply(&transformer->proj_out, kernels, e->tokens, none, NULL);
}

size_t ff_transformer_scratch(const ff_transformer *transformer, const ff_kernels *kernels, size_t frames,
                              size_t height, size_t width, size_t unique_timesteps, size_t text_tokens)
{
    float none;
    ff_scratch scratch;
    ff_kernels counting = ff_kernels_counting(kernels, &scratch);
    evaluation e = {.transformer = transformer, .kernels = &counting, .hidden = &none,
                    .groups = {.count = unique_timesteps}};
    if (!count_tokens(transformer, frames, height, width, &e.grid, &e.tokens))
        return SIZE_MAX;
    e.feed_rows = feed_forward_rows(&transformer->shape, e.tokens);
    count_products(&e, text_tokens);
    return scratch.size;
}

// ---- named tensors ----

// Shows the embedded text. If the tap changed it, *changed holds it with room for keys and values [3, tokens, dim],
// to be computed anew; else *changed is NULL.
static ff_status tap_text(const evaluation *e, ff_arena *arena, const ff_transformer_text *text, float **changed)
{
    size_t dim = e->transformer->shape.dim, count = text->tokens * dim;
    *changed = NULL;
    if (!ff_traced(e->trace, FF_DUMP_BLOCK))
        return FF_OK;
    float *copy = ff_arena_take(arena, count, 3 * sizeof *copy);
    if (!copy)
        return ff_fail(e->error, FF_ERROR_MEMORY, "not enough memory to dump the embedded text");
    memcpy(copy, text->embedded, count * sizeof *copy);
    ff_status status = ff_tap(e->trace, FF_DUMP_BLOCK, FF_F32, 2, (size_t[]){text->tokens, dim}, copy, e->error,
                              "call.%03zu.text", e->call);
    if (memcmp(copy, text->embedded, count * sizeof *copy) != 0)
        *changed = copy;
    return status;
}

// ---- the evaluation ----

static ff_status check_sizes(const ff_transformer *transformer, size_t frames, size_t height, size_t width,
                             size_t timestep_count, ff_token_grid *grid, size_t *tokens, ff_error *error)
{
    const ff_transformer_shape *shape = &transformer->shape;
    const size_t *patch = shape->patch;
    if (!count_tokens(transformer, frames, height, width, grid, tokens) || *tokens > UINT32_MAX)
        return ff_fail(error, FF_ERROR_INPUT, "latents of %zu x %zu x %zu cells are too large for the transformer",
                       frames, height, width);
    if (frames % patch[0] != 0 || height % patch[1] != 0 || width % patch[2] != 0 || *tokens == 0)
        return ff_fail(error, FF_ERROR_INPUT,
                       "latents of %zu x %zu x %zu cells do not divide into the transformer's patches of "
                       "%zu x %zu x %zu",
                       frames, height, width, patch[0], patch[1], patch[2]);
    size_t longest = larger(grid->frames, larger(grid->rows, grid->columns));
    if (longest > shape->rope_max_seq_len)
        return ff_fail(error, FF_ERROR_INPUT,
                       "latents of %zu x %zu x %zu cells make %zu patches along an axis; the transformer's "
                       "rope_max_seq_len allows %zu",
                       frames, height, width, longest, shape->rope_max_seq_len);
    if (timestep_count != 1 && timestep_count != *tokens)
        return ff_fail(error, FF_ERROR_INPUT, "%zu timesteps for %zu tokens; expected one for each, or one for all",
                       timestep_count, *tokens);
    return FF_OK;
}

// Takes all buffers and groups the timesteps. False without memory.
static bool take_buffers(evaluation *e, ff_arena *arena, size_t latent_frames, const float *timesteps,
                         size_t timestep_count)
{
    size_t bytes[BUFFERS];
    void *data[BUFFERS];
    plan_buffers(e->transformer, latent_frames, e->tokens, 1, bytes);
    for (int i = 0; i < BUFFERS; i++) {
        data[i] = ff_arena_take(arena, bytes[i], 1);
        if (!data[i])
            return false;
        if (i == GROUP) {
            e->groups.timesteps = data[TIMESTEPS];
            e->groups.group = data[GROUP];
            ff_timesteps_group(timestep_count, timesteps, &e->groups);
            plan_buffers(e->transformer, latent_frames, e->tokens, e->groups.count, bytes);
        }
    }
    if (timestep_count == 1)
        e->groups.group = NULL;
    e->frames = data[FRAMES];
    e->sinusoids = data[SINUSOIDS];
    e->temb = data[TEMB];
    e->projection = data[PROJECTION];
    e->modulation = data[MODULATION];
    e->rotary = data[ROTARY];
    e->hidden = data[HIDDEN];
    e->normed = data[NORMED];
    e->wide = data[WIDE];
    return true;
}

ff_status ff_transformer_run(const ff_transformer *transformer, const ff_kernels *kernels, ff_arena *arena,
                             const ff_transformer_text *text, const float *latents, size_t frames, size_t height,
                             size_t width, const float *timesteps, size_t timestep_count, size_t call,
                             const ff_trace *trace, float *out, ff_error *error)
{
    const ff_transformer_shape *shape = &transformer->shape;
    evaluation e = {.transformer = transformer, .kernels = kernels, .call = call, .trace = trace, .error = error};
    ff_arena_mark mark = ff_arena_here(arena);
    ff_status status = check_sizes(transformer, frames, height, width, timestep_count, &e.grid, &e.tokens, error);
    if (status)
        return status;
    e.feed_rows = feed_forward_rows(shape, e.tokens);
    if (!take_buffers(&e, arena, frames, timesteps, timestep_count))
        goto no_memory;
    ff_rotary_table(e.grid, shape->head_dim, e.rotary);

    size_t hidden_shape[] = {e.tokens, shape->dim};
    float *changed_text;
    if (embed_patches(&e, latents) || embed_timesteps(&e))
        goto no_memory;
    if ((status = ff_tap(trace, FF_DUMP_BLOCK, FF_F32, 2, hidden_shape, e.hidden, error, "call.%03zu.embed", call)) ||
        (status = tap_vectors(&e, FF_DUMP_BLOCK, e.temb, shape->dim, "temb")) ||
        (status = tap_text(&e, arena, text, &changed_text)))
        goto done;
    if (project_timesteps(&e))
        goto no_memory;

    for (size_t layer = 0; layer < shape->layers; layer++) {
        size_t plane = text->tokens * shape->dim;
        const float *keys = text->keys + layer * plane, *values = text->values + layer * plane;
        if (changed_text) {
            float *own_keys = changed_text + plane, *own_values = own_keys + plane;
            if (ff_text_keys_values(transformer, kernels, layer, changed_text, text->tokens, text->tokens, own_keys,
                                    own_values))
                goto no_memory;
            keys = own_keys;
            values = own_values;
        }
        status = run_block(&e, layer, text->tokens, keys, values);
        if (status == FF_ERROR_MEMORY)
            goto no_memory;
        if (status)
            goto done;
    }
    if ((status = project_out(&e, out)) == FF_ERROR_MEMORY)
        goto no_memory;
done:
    ff_arena_return(arena, mark);
    return status;
no_memory:
    ff_arena_return(arena, mark);
    return ff_fail(error, FF_ERROR_MEMORY, "not enough memory to run the transformer over %zu tokens", e.tokens);
}

// One block of the transformer: attention over the video's tokens, then over the contexts', then the feed-forward.
// Its functions fail for want of memory, without a sentence, or because the tap does.
#include "evaluation.h"

#include <math.h>

// Attention of all tokens over `keys` keys.
static ff_attention attention_over(const ff_evaluation *e, size_t keys, const float *q, const float *k, const float *v,
                                   float *out)
{
    const ff_transformer_shape *shape = &e->transformer->shape;
    return (ff_attention){.queries = e->tokens, .keys = keys, .heads = shape->heads, .head_dim = shape->head_dim,
                          .q = q, .k = k, .v = v,
                          .q_stride = shape->dim, .k_stride = shape->dim, .v_stride = shape->dim,
                          .scale = (float)(1 / sqrt((double)shape->head_dim)), .out = out};
}

// Self-attention in which the tokens from `unseen` on do not see those before.
static ff_status attend_without(const ff_evaluation *e, const ff_attention *whole, size_t unseen)
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
    return e->kernels->attention(e->kernels, &known) ? FF_ERROR_MEMORY : e->kernels->attention(e->kernels, &others);
}

// hidden[first + r] += gate * linear(x[r]), in one go; without the gate if it is NULL.   x: [rows, depth]
static ff_status add_product(const ff_evaluation *e, const ff_linear *linear, size_t first, size_t rows, const float *x,
                             const float *gate)
{
    ff_linear_finish add = {.kind = gate ? FF_FINISH_ADD_GATED : FF_FINISH_ADD, .groups = ff_modulation_groups(e),
                            .gate = gate};
    if (add.groups.group)
        add.groups.group += first;
    return ff_linear_apply(linear, e->kernels, rows, x, &add, e->hidden + first * e->transformer->shape.dim);
}

// Self-attention over all video tokens: hidden += gate * attention(modulate(norm(hidden))).
//   vectors: shift, scale and gate [3, dim] of the first group, the block's first three
// q and k are RMS-normalised over all heads, then turned by the rotary angles (Wan 2.1 report, 4.2).
static ff_status self_attention(const ff_evaluation *e, size_t layer, const float *vectors)
{
    const ff_transformer_attention *attention = &e->transformer->blocks[layer].attn1;
    const ff_kernels *kernels = e->kernels;
    const ff_transformer_shape *shape = &e->transformer->shape;
    size_t tokens = e->tokens, dim = shape->dim;
    float *q = e->wide, *k = q + tokens * dim, *v = k + tokens * dim;
    kernels->layer_norm_modulate(kernels, tokens, dim, e->hidden, shape->eps,
                                 (ff_modulation){ff_modulation_groups(e), vectors, vectors + dim}, e->normed);
    ff_status status = ff_transformer_tap_part(e, layer, "norm1", e->normed);
    if (status)
        return status;
    if (ff_linear_apply(&attention->to_q, kernels, tokens, e->normed, NULL, q) ||
        ff_linear_apply(&attention->to_k, kernels, tokens, e->normed, NULL, k) ||
        ff_linear_apply(&attention->to_v, kernels, tokens, e->normed, NULL, v))
        return FF_ERROR_MEMORY;
    kernels->rms_norm(kernels, tokens, dim, q, shape->eps, attention->norm_q, q);
    kernels->rms_norm(kernels, tokens, dim, k, shape->eps, attention->norm_k, k);
    kernels->rotary(kernels, tokens, shape->heads, shape->head_dim, e->rotary, q);
    kernels->rotary(kernels, tokens, shape->heads, shape->head_dim, e->rotary, k);
    if ((status = ff_transformer_tap_part(e, layer, "attn1.q", q)) ||
        (status = ff_transformer_tap_part(e, layer, "attn1.k", k)) ||
        (status = ff_transformer_tap_part(e, layer, "attn1.v", v)))
        return status;
    ff_attention all = attention_over(e, tokens, q, k, v, e->normed);
    size_t unseen = e->input->unseen;
    if ((status = ff_transformer_tap_attention(e, layer, &all, true)))
        return status;
    if (unseen ? attend_without(e, &all, unseen) : kernels->attention(kernels, &all))
        return FF_ERROR_MEMORY;
    if (!ff_traced(e->trace, FF_DUMP_OP))
        return add_product(e, &attention->to_out, 0, tokens, e->normed, vectors + 2 * dim);
    if ((status = ff_transformer_tap_part(e, layer, "attn1.heads", e->normed)))
        return status;
    if (ff_linear_apply(&attention->to_out, kernels, tokens, e->normed, NULL, q))
        return FF_ERROR_MEMORY;
    if ((status = ff_transformer_tap_part(e, layer, "attn1", q)))
        return status;
    kernels->add_gated(kernels, tokens, dim, q, ff_modulation_groups(e), vectors + 2 * dim, e->hidden);
    return FF_OK;
}

// The keys and values of a context in one layer.
static void find_keys(const ff_evaluation *e, size_t layer, size_t context, const float **keys, const float **values)
{
    const ff_transformer_context *c = &e->input->contexts[context];
    size_t plane = c->tokens * e->transformer->shape.dim;
    bool changed = context == 0 && e->changed_text;
    *keys = changed ? e->changed_text + plane : c->keys + layer * plane;
    *values = changed ? e->changed_text + 2 * plane : c->values + layer * plane;
}

// out: [tokens, dim], the sum of the attentions over all contexts, in their order.   one: [tokens, dim], overwritten
static ff_status attend_contexts(const ff_evaluation *e, size_t layer, const float *q, float *one, float *out)
{
    ff_status status;
    for (size_t i = 0; i < e->input->context_count; i++) {
        const float *keys, *values;
        find_keys(e, layer, i, &keys, &values);
        ff_attention over = attention_over(e, e->input->contexts[i].tokens, q, keys, values, i == 0 ? out : one);
        if (i == 0 && (status = ff_transformer_tap_attention(e, layer, &over, false)))
            return status;
        if (e->kernels->attention(e->kernels, &over))
            return FF_ERROR_MEMORY;
        if (i > 0)
            e->kernels->add(e->kernels, e->tokens * e->transformer->shape.dim, out, one, out);
    }
    return FF_OK;
}

// Cross-attention from the video's tokens to those of the text, and of what else is given: hidden +=
// attention(norm2(hidden)); neither modulated nor gated.
static ff_status cross_attention(const ff_evaluation *e, size_t layer)
{
    const ff_transformer_block *block = &e->transformer->blocks[layer];
    const ff_kernels *kernels = e->kernels;
    const ff_transformer_shape *shape = &e->transformer->shape;
    size_t tokens = e->tokens, dim = shape->dim;
    float *q = e->wide, *attended = q + tokens * dim, *result = attended + tokens * dim;
    const float *x = e->hidden;
    ff_status status;
    if (block->norm2_weight) {
        kernels->layer_norm(kernels, tokens, dim, e->hidden, shape->eps, block->norm2_weight, block->norm2_bias,
                            e->normed);
        if ((status = ff_transformer_tap_part(e, layer, "norm2", e->normed)))
            return status;
        x = e->normed;
    }
    if (ff_linear_apply(&block->attn2.to_q, kernels, tokens, x, NULL, q))
        return FF_ERROR_MEMORY;
    kernels->rms_norm(kernels, tokens, dim, q, shape->eps, block->attn2.norm_q, q);
    if ((status = ff_transformer_tap_part(e, layer, "attn2.q", q)) ||
        (status = attend_contexts(e, layer, q, result, attended)))
        return status;
    if (!ff_traced(e->trace, FF_DUMP_OP))
        return add_product(e, &block->attn2.to_out, 0, tokens, attended, NULL);
    if ((status = ff_transformer_tap_part(e, layer, "attn2.heads", attended)))
        return status;
    if (ff_linear_apply(&block->attn2.to_out, kernels, tokens, attended, NULL, result))
        return FF_ERROR_MEMORY;
    if ((status = ff_transformer_tap_part(e, layer, "attn2", result)))
        return status;
    kernels->add(kernels, tokens * dim, e->hidden, result, e->hidden);
    return FF_OK;
}

// hidden += gate * linear(gelu(linear(modulate(norm(hidden))))).   vectors: the block's last three [3, dim]
static ff_status feed_forward(const ff_evaluation *e, size_t layer, const float *vectors)
{
    const ff_transformer_block *block = &e->transformer->blocks[layer];
    const ff_kernels *kernels = e->kernels;
    const ff_transformer_shape *shape = &e->transformer->shape;
    size_t dim = shape->dim;
    const ff_linear_finish gelu = {.kind = FF_FINISH_GELU_TANH};
    bool traced = ff_traced(e->trace, FF_DUMP_OP);
    kernels->layer_norm_modulate(kernels, e->tokens, dim, e->hidden, shape->eps,
                                 (ff_modulation){ff_modulation_groups(e), vectors, vectors + dim}, e->normed);
    ff_status status = ff_transformer_tap_part(e, layer, "norm3", e->normed);
    if (status)
        return status;
    for (size_t first = 0; first < e->tokens; first += e->feed_rows) {
        size_t rows = e->tokens - first < e->feed_rows ? e->tokens - first : e->feed_rows;
        float *x = e->normed + first * dim;  // the result takes the place of its input
        if (ff_linear_apply(&block->ffn_in, kernels, rows, x, &gelu, e->wide) ||
            (traced ? ff_linear_apply(&block->ffn_out, kernels, rows, e->wide, NULL, x)
                    : add_product(e, &block->ffn_out, first, rows, e->wide, vectors + 2 * dim)))
            return FF_ERROR_MEMORY;
    }
    if (!traced)
        return FF_OK;
    if ((status = ff_transformer_tap_part(e, layer, "ffn", e->normed)))
        return status;
    kernels->add_gated(kernels, e->tokens, dim, e->normed, ff_modulation_groups(e), vectors + 2 * dim, e->hidden);
    return FF_OK;
}

ff_status ff_transformer_run_block(const ff_evaluation *e, size_t layer)
{
    const float *table = e->transformer->blocks[layer].scale_shift_table;
    size_t dim = e->transformer->shape.dim;
    ff_status status;
    for (size_t group = 0; group < e->groups.count; group++)
        e->kernels->add(e->kernels, 6 * dim, table, e->projection + group * 6 * dim, e->modulation + group * 6 * dim);
    if ((status = ff_transformer_tap_modulation(e, layer)) || (status = self_attention(e, layer, e->modulation)) ||
        (status = cross_attention(e, layer)) ||
        (status = feed_forward(e, layer, e->modulation + 3 * dim)))
        return status;
    return ff_tap(e->trace, FF_DUMP_BLOCK, (ff_tapped){FF_F32, 2, (size_t[]){e->tokens, dim}, e->hidden}, e->error,
                  "call.%03zu.block.%02zu", e->input->call, layer);
}

void ff_transformer_count_block(const ff_evaluation *e, size_t layer)
{
    const ff_transformer_block *block = &e->transformer->blocks[layer];
    const ff_linear *inner[] = {&block->attn1.to_q, &block->attn1.to_k, &block->attn1.to_v, &block->attn2.to_q};
    const float *none = e->hidden;
    const ff_attention over_tokens = attention_over(e, e->tokens, none, none, none, NULL);
    e->kernels->attention(e->kernels, &over_tokens);
    for (size_t i = 0; i < e->input->context_count; i++) {
        const ff_attention over = attention_over(e, e->input->contexts[i].tokens, none, none, none, NULL);
        e->kernels->attention(e->kernels, &over);
    }
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
        ff_linear_apply(inner[i], e->kernels, e->tokens, none, NULL, NULL);
    add_product(e, &block->attn1.to_out, 0, e->tokens, none, none);
    add_product(e, &block->attn2.to_out, 0, e->tokens, none, NULL);
    ff_linear_apply(&block->ffn_in, e->kernels, e->feed_rows, none, NULL, NULL);
    add_product(e, &block->ffn_out, 0, e->feed_rows, none, none);
}

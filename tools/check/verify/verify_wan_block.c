// A block of the transformer, with the mistakes that ports make.
#include "verify_wan_layers.h"

#include <string.h>

// Orders in which shift, scale and gate of self-attention, then of the feed-forward, are taken from the six vectors.
static const int modulations[][6] = {
    {0, 1, 2, 3, 4, 5}, {1, 0, 2, 4, 3, 5}, {1, 0, 2, 3, 4, 5}, {0, 1, 2, 4, 3, 5}, {3, 4, 5, 0, 1, 2},
    {1, 2, 0, 4, 5, 3}, {2, 0, 1, 5, 3, 4}, {0, 1, 5, 3, 4, 2}, {0, 2, 4, 1, 3, 5}, {0, 2, 1, 3, 5, 4},
    {2, 1, 0, 5, 4, 3}};

typedef struct block_run {
    const ff_wan *w;
    const ff_transformer_block *block;
    const float *vectors[6];           // of the first group: shift, scale, gate twice
    ff_groups groups;
    const float *rotary, *text;
    float *hidden, *normed, *wide;     // wide: [4 tokens or 2 text tokens more, dim] or [tokens, ffn_dim]
} block_run;

// The three projections, with weights mixed up if the variant says so.
static const ff_linear *chosen(const ff_transformer_attention *a, int exchanged, int which)
{
    static const int orders[][3] = {{0, 1, 2}, {1, 0, 2}, {0, 2, 1}, {2, 1, 0}};
    const ff_linear *all[] = {&a->to_q, &a->to_k, &a->to_v};
    return all[orders[exchanged][which]];
}

static ff_status self_attention(const block_run *b)
{
    const ff_wan *w = b->w;
    const ff_wan_attention *variant = &w->variant->attention[0];
    const ff_transformer_attention *a = &b->block->attn1;
    int rotary = w->variant->rotary;
    size_t n = w->tokens * w->model->shape.dim;
    float *q = b->wide, *k = q + n, *v = k + n, *attended = b->normed;
    ff_status status;
    ff_wan_norm_modulate(w, b->hidden, (ff_modulation){b->groups, .shift = b->vectors[0], .scale = b->vectors[1]},
                         w->variant->norm, w->variant->eps, w->variant->plain_scale, b->normed);
    if ((status = ff_wan_linear(w, FF_WAN_Q1, chosen(a, variant->exchanged, 0), w->tokens, b->normed, q)) ||
        (status = ff_wan_linear(w, FF_WAN_K1, chosen(a, variant->exchanged, 1), w->tokens, b->normed, k)) ||
        (status = ff_wan_linear(w, FF_WAN_V1, chosen(a, variant->exchanged, 2), w->tokens, b->normed, v)))
        return status;
    if (rotary == 7)
        ff_wan_rotate(w, b->rotary, q), ff_wan_rotate(w, b->rotary, k);
    ff_wan_qk_norm(w, variant, variant->q_norm, w->tokens, a->norm_q, q);
    ff_wan_qk_norm(w, variant, variant->k_norm, w->tokens, a->norm_k, k);
    if (rotary != 1 && rotary != 6 && rotary != 7)
        ff_wan_rotate(w, b->rotary, q);
    if (rotary != 1 && rotary != 5 && rotary != 7)
        ff_wan_rotate(w, b->rotary, k);
    if (rotary == 8)
        ff_wan_rotate(w, b->rotary, v);
    if ((status = ff_wan_attend(w, variant, w->tokens, q, k, v, attended)) ||
        (status = ff_wan_linear(w, FF_WAN_O1, &a->to_out, w->tokens, attended, q)))
        return status;
    if (w->variant->ungated & 1)
        w->kernels->add(w->kernels, n, b->hidden, q, b->hidden);
    else
        w->kernels->add_gated(w->kernels, w->tokens, w->model->shape.dim, q, b->groups, b->vectors[2], b->hidden);
    return FF_OK;
}

static ff_status cross_attention(const block_run *b)
{
    const ff_wan *w = b->w;
    const ff_wan_attention *variant = &w->variant->attention[1];
    const ff_transformer_attention *a = &b->block->attn2;
    size_t dim = w->model->shape.dim, n = w->tokens * dim;
    size_t rows = ff_text_distinct_rows(b->text, w->text_tokens, dim);
    float *q = b->wide, *attended = q + n, *k = attended + n, *v = k + w->text_tokens * dim;
    const float *x = b->hidden;
    ff_status status;
    if (b->block->norm2_weight && w->variant->norm2 != 1) {
        const float *weight = b->block->norm2_weight, *bias = b->block->norm2_bias;
        w->kernels->layer_norm(w->kernels, w->tokens, dim, b->hidden, ff_wan_epsilon(w, w->variant->eps),
                               w->variant->norm2 == 2 ? NULL : weight,
                               w->variant->norm2 == 2 || w->variant->norm2 == 3 ? NULL : bias, b->normed);
        if (w->variant->norm2 == 4)
            ff_round_floats(FF_BFLOAT, n, b->normed);
        x = b->normed;
    }
    if ((status = ff_wan_linear(w, FF_WAN_Q2, chosen(a, variant->exchanged, 0), w->tokens, x, q)) ||
        (status = ff_wan_linear(w, FF_WAN_K2, chosen(a, variant->exchanged, 1), rows, b->text, k)) ||
        (status = ff_wan_linear(w, FF_WAN_V2, chosen(a, variant->exchanged, 2), rows, b->text, v)))
        return status;
    ff_wan_qk_norm(w, variant, variant->q_norm, w->tokens, a->norm_q, q);
    ff_wan_qk_norm(w, variant, variant->k_norm, rows, a->norm_k, k);
    ff_text_repeat_row(k, rows, w->text_tokens, dim);
    ff_text_repeat_row(v, rows, w->text_tokens, dim);
    if (w->variant->rotary_cross)
        ff_wan_rotate(w, b->rotary, q);
    size_t own = rows < w->text_tokens && rows > 1 ? rows - 1 : w->text_tokens;  // of the prompt, without its padding
    size_t keys = variant->padding == 1 ? own : variant->padding == 2 ? (w->text_tokens + 1) / 2 : w->text_tokens;
    if ((status = ff_wan_attend(w, variant, keys, q, k, v, attended)) ||
        (status = ff_wan_linear(w, FF_WAN_O2, &a->to_out, w->tokens, attended, q)))
        return status;
    if (w->variant->cross_gated)
        w->kernels->add_gated(w->kernels, w->tokens, dim, q, b->groups, b->vectors[2], b->hidden);
    else
        w->kernels->add(w->kernels, n, b->hidden, q, b->hidden);
    return FF_OK;
}

static ff_status feed_forward(const block_run *b)
{
    const ff_wan *w = b->w;
    size_t dim = w->model->shape.dim;
    ff_status status;
    ff_wan_norm_modulate(w, b->hidden, (ff_modulation){b->groups, .shift = b->vectors[3], .scale = b->vectors[4]},
                         w->variant->norm, w->variant->eps, w->variant->plain_scale, b->normed);
    if ((status = ff_wan_linear(w, FF_WAN_FFN_IN, &b->block->ffn_in, w->tokens, b->normed, b->wide)))
        return status;
    ff_wan_activate(w->kernels, w->variant->activation, w->tokens * w->model->shape.ffn_dim, b->wide);
    if ((status = ff_wan_linear(w, FF_WAN_FFN_OUT, &b->block->ffn_out, w->tokens, b->wide, b->normed)))
        return status;
    if (w->variant->ungated & 2)
        w->kernels->add(w->kernels, w->tokens * dim, b->hidden, b->normed, b->hidden);
    else
        w->kernels->add_gated(w->kernels, w->tokens, dim, b->normed, b->groups, b->vectors[5], b->hidden);
    return FF_OK;
}

ff_status ff_wan_block(const ff_wan *w, size_t layer, const float *projection, const float *rotary, const float *text,
                       float *hidden)
{
    const ff_transformer_shape *shape = &w->model->shape;
    size_t dim = shape->dim, offset, wide, floats;
    size_t from = w->variant->table == 2 ? (layer + 1) % shape->layers : layer;
    const float *table = w->model->blocks[from].scale_shift_table;
    block_run b = {.w = w, .block = &w->model->blocks[layer], .rotary = rotary, .text = text, .hidden = hidden};
    ff_arena_mark mark = ff_arena_here(w->arena);
    if (!ff_multiply_sizes(w->tokens, 3 * dim > shape->ffn_dim ? 3 * dim : shape->ffn_dim, &wide) ||
        !ff_multiply_sizes(w->text_tokens, 2 * dim, &floats) || !ff_add_sizes(wide, floats, &floats))
        return FF_ERROR_MEMORY;
    b.wide = ff_arena_floats(w->arena, floats);
    b.normed = ff_arena_take(w->arena, w->tokens, dim * sizeof(float));
    float *modulation = ff_arena_take(w->arena, w->groups, 6 * dim * sizeof(float));
    float *own_table = ff_arena_floats(w->arena, 6 * dim);
    if (!b.wide || !b.normed || !modulation || !own_table)
        return FF_ERROR_MEMORY;
    memcpy(own_table, table, 6 * dim * sizeof *table);
    ff_round_weights(w->kernels, 6 * dim, own_table);
    for (size_t group = 0; group < w->groups; group++) {
        float *to = modulation + group * 6 * dim;
        if (w->variant->table == 1)
            memcpy(to, projection + group * 6 * dim, 6 * dim * sizeof *to);
        else
            ff_verify_exact()->add(ff_verify_exact(), 6 * dim, own_table, projection + group * 6 * dim, to);
    }
    b.groups = ff_wan_token_groups(w, w->variant->timesteps, 6 * dim, &offset);
    for (int i = 0; i < 6; i++)
        b.vectors[i] = modulation + offset + (size_t)modulations[w->variant->modulation][i] * dim;

    int left_out = w->variant->left_out;
    ff_status status = left_out == 1 ? FF_OK : self_attention(&b);
    if (!status && w->variant->order == 1)
        status = feed_forward(&b);
    if (!status && left_out != 2)
        status = cross_attention(&b);
    if (!status && left_out != 3 && w->variant->order != 1)
        status = feed_forward(&b);
    ff_arena_return(w->arena, mark);
    return status;
}

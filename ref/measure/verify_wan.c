#include "verify_wan.h"

#include <math.h>
#include <string.h>

#include "../kernels/mathematics.h"

static const float epsilons[] = {0, 1e-5f, 1e-6f, 1e-7f, 1e-8f, 1e-12f, 1e-4f, 1e-3f, 0.0f};
static const double rotary_bases[] = {10000, 256, 500, 1000, 100, 5000, 100000, 500000, 1000000};
static const double sinusoid_bases[] = {10000, 1000, 100, 100000, 500000};

#define MOST_BIASES ((size_t)1 << 27)

static float epsilon(const ff_wan *w, int index)
{
    return index ? epsilons[index] : w->model->shape.eps;
}

// ---- linear layers ----

// out: [rows, columns] = x: [rows, depth] times the weight; transposed takes the weight's memory as [depth, columns].
static ff_status linear(const ff_wan *w, int id, const ff_linear *layer, size_t rows, const float *x, float *out)
{
    size_t columns = layer->weight.shape[0], depth = 1;
    for (int i = 1; i < layer->weight.rank; i++)
        depth *= layer->weight.shape[i];
    ff_matmul product = {.rows = rows, .columns = columns, .depth = depth, .a = x, .a_stride = depth,
                         .b = layer->weight.data, .b_dtype = layer->weight.dtype,
                         .bias = w->manner->unbiased == id ? NULL : layer->bias, .out = out, .out_stride = columns};
    ff_arena_mark mark = ff_arena_here(w->arena);
    if (w->manner->transposed == id) {
        float *weight = ff_arena_take(w->arena, columns, depth * sizeof(float));
        if (!weight)
            return FF_ERROR_MEMORY;
        for (size_t c = 0; c < columns; c++)
            for (size_t k = 0; k < depth; k++)
                ff_weight_widen(&layer->weight, k * columns + c, 1, &weight[c * depth + k]);
        product.b = weight;
        product.b_dtype = FF_F32;
    }
    ff_status status = w->kernels->matmul(&product);
    ff_arena_return(w->arena, mark);
    return status;
}

static void activate(const ff_kernels *kernels, int which, size_t n, float *x)
{
    switch (which) {
    case 0: kernels->gelu_tanh(n, x, x); break;
    case 1: kernels->gelu_erf(n, x, x); break;
    case 2: kernels->silu(n, x, x); break;
    case 3:
        for (size_t i = 0; i < n; i++)
            x[i] = (float)(x[i] / (1 + ff_exp(-1.702 * x[i])));
        break;
    case 4:
        for (size_t i = 0; i < n; i++)
            x[i] = x[i] < 0 ? 0 : x[i];
        break;
    default: break;
    }
}

// ---- what surrounds the blocks ----

// Values under a token, by channel, then the patch's cells; the order of the weight in the checkpoint. The products
// run over cells, then channels, so that the sums have the order of the convolution they stand for.
ff_status ff_wan_embed(const ff_wan *w, const float *latents, float *hidden)
{
    const ff_transformer_shape *shape = &w->model->shape;
    const size_t *patch = shape->patch;
    const ff_linear *layer = &w->model->patch_embedding;
    size_t channels = shape->in_channels, cells = patch[0] * patch[1] * patch[2], depth = channels * cells;
    size_t height = w->grid.rows * patch[1], width = w->grid.columns * patch[2];
    size_t frame_cells = height * width, all_frames = w->grid.frames * patch[0];
    ff_arena_mark mark = ff_arena_here(w->arena);
    float *patches = ff_arena_take(w->arena, w->tokens, depth * sizeof(float));
    float *weight = ff_arena_take(w->arena, shape->dim, depth * sizeof(float));
    if (!patches || !weight)
        return FF_ERROR_MEMORY;
    bool exchange = w->manner->patch_order == 1 && patch[1] == patch[2];
    for (size_t token = 0; token < w->tokens; token++) {
        size_t plane = w->grid.rows * w->grid.columns, frame = token / plane, rest = token % plane;
        size_t row = rest / w->grid.columns, column = rest % w->grid.columns;
        if (w->manner->token_order == 1) {
            row = rest % w->grid.rows;
            column = rest / w->grid.rows;
        }
        float *to = patches + token * depth;
        for (size_t cell = 0; cell < cells; cell++) {
            size_t t = cell / (patch[1] * patch[2]), y = cell / patch[2] % patch[1], x = cell % patch[2];
            if (exchange) {
                size_t before = y;
                y = x;
                x = before;
            }
            size_t at = (frame * patch[0] + t) * frame_cells + (row * patch[1] + y) * width + column * patch[2] + x;
            for (size_t channel = 0; channel < channels; channel++)
                *to++ = latents[channel * all_frames * frame_cells + at];
        }
    }
    bool transposed = w->manner->transposed == FF_WAN_PATCH_EMBEDDING;
    for (size_t c = 0; c < shape->dim; c++)
        for (size_t cell = 0; cell < cells; cell++)
            for (size_t channel = 0; channel < channels; channel++) {
                size_t k = channel * cells + cell;
                ff_weight_widen(&layer->weight, transposed ? k * shape->dim + c : c * depth + k, 1,
                                &weight[c * depth + cell * channels + channel]);
            }
    ff_status status = w->kernels->matmul(&(ff_matmul){
        .rows = w->tokens, .columns = shape->dim, .depth = depth, .a = patches, .a_stride = depth, .b = weight,
        .b_dtype = FF_F32, .bias = w->manner->unbiased == FF_WAN_PATCH_EMBEDDING ? NULL : layer->bias, .out = hidden,
        .out_stride = shape->dim});
    ff_arena_return(w->arena, mark);
    return status;
}

static void sinusoids(const ff_wan *w, const float *timesteps, float *out)
{
    size_t freq_dim = w->model->shape.freq_dim, half = freq_dim / 2;
    int manner = w->manner->sinusoids;
    double base = sinusoid_bases[w->manner->sinusoid_base];
    if (manner == 0 && !w->manner->sinusoid_base) {
        ff_timestep_embedding(w->groups, timesteps, freq_dim, out);
        return;
    }
    for (size_t row = 0; row < w->groups; row++) {
        float timestep = timesteps[row];
        if (manner == 3)
            timestep /= 1000;
        if (manner == 4 || manner == 7)
            ff_round_floats(FF_BFLOAT, 1, &timestep);
        for (size_t i = 0; i < half; i++) {
            size_t span = manner == 2 && half > 1 ? half - 1 : half;
            double angle = (double)timestep * ff_exp(-ff_log(base) * (double)i / (double)span);
            float cosine = (float)ff_cos(angle), sine = (float)ff_sin(angle);
            out[row * freq_dim + i] = manner == 1 ? sine : cosine;
            out[row * freq_dim + half + i] = manner == 1 ? cosine : sine;
        }
        if (freq_dim % 2 != 0)
            out[row * freq_dim + freq_dim - 1] = 0;
    }
    if (manner == 5)
        ff_round_floats(FF_BFLOAT, w->groups * freq_dim, out);
}

ff_status ff_wan_time(const ff_wan *w, const float *timesteps, float *temb)
{
    const ff_transformer_shape *shape = &w->model->shape;
    ff_wan single = *w;
    if (w->manner->time_single)
        single.kernels = ff_verify_kernels();
    if (w->manner->sinusoids == 7)
        single.kernels = ff_verify_rounding(FF_BFLOAT);
    ff_arena_mark mark = ff_arena_here(w->arena);
    float *x = ff_arena_take(w->arena, w->groups, shape->freq_dim * sizeof(float));
    float *hidden = ff_arena_take(w->arena, w->groups, shape->dim * sizeof(float));
    if (!x || !hidden)
        return FF_ERROR_MEMORY;
    sinusoids(w, timesteps, x);
    ff_status status = linear(&single, FF_WAN_TIME_IN, &w->model->time_in, w->groups, x, hidden);
    if (!status && !w->manner->time_activation)
        single.kernels->silu(w->groups * shape->dim, hidden, hidden);
    if (!status)
        status = linear(&single, FF_WAN_TIME_OUT, &w->model->time_out, w->groups, hidden, temb);
    if (w->manner->time_single && w->kernels != ff_verify_kernels())
        ff_round_floats(w->kernels == ff_verify_rounding(FF_HALF) ? FF_HALF : FF_BFLOAT, w->groups * shape->dim, temb);
    ff_arena_return(w->arena, mark);
    return status;
}

ff_status ff_wan_text(const ff_wan *w, const float *embeds, float *text)
{
    size_t dim = w->model->shape.dim, rows = ff_text_distinct_rows(embeds, w->text_tokens, w->model->shape.text_dim);
    ff_arena_mark mark = ff_arena_here(w->arena);
    float *hidden = ff_arena_take(w->arena, rows, dim * sizeof(float));
    if (!hidden)
        return FF_ERROR_MEMORY;
    ff_status status = linear(w, FF_WAN_TEXT_IN, &w->model->text_in, rows, embeds, hidden);
    activate(w->kernels, w->manner->text_activation, rows * dim, hidden);
    if (!status)
        status = linear(w, FF_WAN_TEXT_OUT, &w->model->text_out, rows, hidden, text);
    ff_text_repeat_row(text, rows, w->text_tokens, dim);
    ff_arena_return(w->arena, mark);
    return status;
}

ff_status ff_wan_project_time(const ff_wan *w, const float *temb, float *projection)
{
    size_t n = w->groups * w->model->shape.dim;
    ff_arena_mark mark = ff_arena_here(w->arena);
    float *activated = ff_arena_floats(w->arena, n);
    if (!activated)
        return FF_ERROR_MEMORY;
    if (w->manner->projection == 1)
        memcpy(activated, temb, n * sizeof *temb);
    else
        w->kernels->silu(n, temb, activated);
    ff_status status = linear(w, FF_WAN_TIME_PROJ, &w->model->time_proj, w->groups, activated, projection);
    ff_arena_return(w->arena, mark);
    return status;
}

// ---- rotary angles ----

// What turns the pairs of a head: for each of the three segments, which axis gives the position.
static const int axis_orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 2, 0}, {2, 1, 0}, {1, 0, 2}, {2, 0, 1}};

void ff_wan_rotary(const ff_wan *w, float *out)
{
    const ff_wan_manner *manner = w->manner;
    size_t head_dim = w->model->shape.head_dim, pairs = head_dim / 2;
    bool plain = !manner->rotary_axes && !manner->rotary_split && !manner->rotary_base && !manner->rotary_single;
    if (plain && manner->rotary != 3 && manner->rotary != 4) {
        ff_rotary_table(w->grid, head_dim, out);
        return;
    }
    size_t space = head_dim / 6, first = pairs - 2 * space, lengths[3] = {first, space, space};
    if (manner->rotary_split == 1)
        lengths[0] = space, lengths[2] = first;
    else if (manner->rotary_split == 2)
        lengths[0] = pairs / 3, lengths[1] = pairs / 3, lengths[2] = pairs - 2 * (pairs / 3);
    for (size_t token = 0; token < w->tokens; token++) {
        size_t plane = w->grid.rows * w->grid.columns;
        size_t positions[3] = {token / plane, token % plane / w->grid.columns, token % w->grid.columns};
        float *at = out + token * head_dim;
        for (size_t segment = 0, pair = 0; segment < 3; segment++)
            for (size_t i = 0; i < lengths[segment]; i++, pair++) {
                double exponent = (double)(2 * i) / (double)(2 * lengths[segment]);
                if (manner->rotary_split == 3)
                    exponent = (double)(2 * pair) / (double)head_dim;
                double frequency = 1.0 / ff_pow(rotary_bases[manner->rotary_base], exponent);
                double position = (double)positions[axis_orders[manner->rotary_axes][segment]];
                double angle = (manner->rotary == 4 ? position + 1 : position) * frequency;
                if (manner->rotary_single)
                    angle = (float)position * (float)frequency;
                at[2 * pair] = (float)ff_cos(angle);
                at[2 * pair + 1] = (float)(manner->rotary == 3 ? -ff_sin(angle) : ff_sin(angle));
            }
    }
}

static void turn(const ff_wan *w, const float *rotary, float *x)
{
    const ff_transformer_shape *shape = &w->model->shape;
    size_t head_dim = shape->head_dim, half = head_dim / 2;
    if (w->manner->rotary != 2) {
        w->kernels->rotary(w->tokens, shape->heads, head_dim, rotary, x);
        return;
    }
    for (size_t row = 0; row < w->tokens; row++)
        for (size_t head = 0; head < shape->heads; head++) {
            float *at = x + (row * shape->heads + head) * head_dim;
            const float *angle = rotary + row * head_dim;
            for (size_t j = 0; j < half; j++) {
                float x0 = at[j], x1 = at[j + half];
                at[j] = x0 * angle[2 * j] - x1 * angle[2 * j + 1];
                at[j + half] = x0 * angle[2 * j + 1] + x1 * angle[2 * j];
            }
        }
}

// ---- attention ----

// q or k in place.   weight: [dim]
static void qk_norm(const ff_wan *w, const ff_wan_attention *manner, int how, size_t rows, const float *weight,
                    float *x)
{
    const ff_transformer_shape *shape = &w->model->shape;
    size_t dim = shape->dim, head_dim = shape->head_dim;
    float eps = epsilon(w, manner->eps);
    switch (how) {
    case 0: w->kernels->rms_norm(rows, dim, x, eps, weight, x); break;
    case 1:
        for (size_t row = 0; row < rows; row++)
            for (size_t head = 0; head < shape->heads; head++) {
                float *at = x + row * dim + head * head_dim;
                w->kernels->rms_norm(1, head_dim, at, eps, weight + head * head_dim, at);
            }
        break;
    case 3:
        w->kernels->rms_norm(rows, dim, x, eps, weight, x);
        for (size_t i = 0; i < rows * dim; i++)
            x[i] = x[i] / weight[i % dim];
        break;
    case 4: w->kernels->layer_norm(rows, dim, x, eps, weight, NULL, x); break;
    case 5:
        w->kernels->rms_norm(rows, dim, x, eps, weight, x);
        ff_round_floats(FF_BFLOAT, rows * dim, x);
        break;
    default: break;
    }
}

// Between heads that lie one after the other and heads whose elements lie `heads` apart.
static void regroup_heads(size_t rows, size_t heads, size_t head_dim, bool back, float *x, float *room)
{
    for (size_t row = 0; row < rows; row++, x += heads * head_dim) {
        for (size_t h = 0; h < heads; h++)
            for (size_t d = 0; d < head_dim; d++) {
                size_t together = h * head_dim + d, apart = d * heads + h;
                room[back ? apart : together] = x[back ? together : apart];
            }
        memcpy(x, room, heads * head_dim * sizeof *x);
    }
}

static ff_status attend(const ff_wan *w, const ff_wan_attention *manner, size_t keys, float *q, float *k, float *v,
                        float *out)
{
    const ff_transformer_shape *shape = &w->model->shape;
    double head_dim = (double)shape->head_dim, scale = 1 / sqrt(head_dim);
    const double scales[] = {scale, 1, 1 / head_dim, 1 / sqrt((double)shape->dim), scale * 1.4426950408889634,
                             scale * 0.6931471805599453};
    ff_attention p = {.queries = w->tokens, .keys = keys, .heads = shape->heads, .head_dim = shape->head_dim,
                      .q = q, .k = k, .v = v, .q_stride = shape->dim, .k_stride = shape->dim, .v_stride = shape->dim,
                      .scale = (float)scales[manner->scale], .out = out};
    ff_arena_mark mark = ff_arena_here(w->arena);
    float *room = NULL;
    if (manner->heads) {
        if (!(room = ff_arena_floats(w->arena, shape->dim)))
            return FF_ERROR_MEMORY;
        regroup_heads(w->tokens, shape->heads, shape->head_dim, false, q, room);
        regroup_heads(keys, shape->heads, shape->head_dim, false, k, room);
        regroup_heads(keys, shape->heads, shape->head_dim, false, v, room);
    }
    size_t pairs, numbers;
    bool fits = ff_multiply_sizes(w->tokens, keys, &pairs) && ff_multiply_sizes(pairs, shape->heads, &numbers) &&
                numbers <= MOST_BIASES;
    if (manner->causal && fits) {  // of a long clip it is not tried
        float *bias = ff_arena_take(w->arena, pairs, shape->heads * sizeof(float));
        if (!bias)
            return FF_ERROR_MEMORY;
        for (size_t h = 0; h < shape->heads; h++)
            for (size_t i = 0; i < pairs; i++)
                bias[h * pairs + i] = i % keys > i / keys ? -1e30f : 0;
        p.bias = bias;
    }
    ff_status status = w->kernels->attention(&p);
    if (!status && room)
        regroup_heads(w->tokens, shape->heads, shape->head_dim, true, out, room);
    ff_arena_return(w->arena, mark);
    return status;
}

// ---- a block ----

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

// modulate(norm(hidden)), with shift and scale of `first`.
static void norm_modulate(const block_run *b, int how, int eps_index, int plain, const float *shift,
                          const float *scale, float *out)
{
    const ff_wan *w = b->w;
    size_t dim = w->model->shape.dim;
    float eps = epsilon(w, eps_index);
    if (how == 0 && !plain) {
        w->kernels->layer_norm_modulate(w->tokens, dim, b->hidden, eps, b->groups, scale, shift, out);
        return;
    }
    for (size_t row = 0; row < w->tokens; row++) {
        size_t at = b->groups.group ? b->groups.group[row] * b->groups.stride : 0;
        const float *x = b->hidden + row * dim;
        float *rounded = out + row * dim;
        if (how == 5) {  // the row that goes into the norm is rounded as well
            memmove(rounded, x, dim * sizeof *x);
            ff_round_floats(FF_BFLOAT, dim, rounded);
            x = rounded;
        }
        double mean = 0, square = 0;
        for (size_t j = 0; j < dim && how != 1; j++)
            mean += x[j] / (double)dim;
        for (size_t j = 0; j < dim; j++)
            square += (x[j] - mean) * (x[j] - mean) / (double)dim;
        double deviation = sqrt(square + eps);
        if (how == 2)
            mean = 0, deviation = 1;
        for (size_t j = 0; j < dim; j++) {
            float factor = (plain ? 0 : 1) + scale[at + j], value = (float)((x[j] - mean) / deviation);
            if (how >= 3)
                ff_round_floats(FF_BFLOAT, 1, &value);
            if (how == 3)
                ff_round_floats(FF_BFLOAT, 1, &factor);
            value = value * factor + shift[at + j];
            if (how == 3)
                ff_round_floats(FF_BFLOAT, 1, &value);
            out[row * dim + j] = value;
        }
    }
}

// The three projections, with weights mixed up if the manner says so.
static const ff_linear *chosen(const ff_transformer_attention *a, int exchanged, int which)
{
    static const int orders[][3] = {{0, 1, 2}, {1, 0, 2}, {0, 2, 1}, {2, 1, 0}};
    const ff_linear *all[] = {&a->to_q, &a->to_k, &a->to_v};
    return all[orders[exchanged][which]];
}

static ff_status self_attention(const block_run *b)
{
    const ff_wan *w = b->w;
    const ff_wan_attention *manner = &w->manner->attention[0];
    const ff_transformer_attention *a = &b->block->attn1;
    int rotary = w->manner->rotary;
    size_t n = w->tokens * w->model->shape.dim;
    float *q = b->wide, *k = q + n, *v = k + n, *attended = b->normed;
    ff_status status;
    norm_modulate(b, w->manner->norm, w->manner->eps, w->manner->plain_scale, b->vectors[0], b->vectors[1], b->normed);
    if ((status = linear(w, FF_WAN_Q1, chosen(a, manner->exchanged, 0), w->tokens, b->normed, q)) ||
        (status = linear(w, FF_WAN_K1, chosen(a, manner->exchanged, 1), w->tokens, b->normed, k)) ||
        (status = linear(w, FF_WAN_V1, chosen(a, manner->exchanged, 2), w->tokens, b->normed, v)))
        return status;
    if (rotary == 7)
        turn(w, b->rotary, q), turn(w, b->rotary, k);
    qk_norm(w, manner, manner->q_norm, w->tokens, a->norm_q, q);
    qk_norm(w, manner, manner->k_norm, w->tokens, a->norm_k, k);
    if (rotary != 1 && rotary != 6 && rotary != 7)
        turn(w, b->rotary, q);
    if (rotary != 1 && rotary != 5 && rotary != 7)
        turn(w, b->rotary, k);
    if (rotary == 8)
        turn(w, b->rotary, v);
    if ((status = attend(w, manner, w->tokens, q, k, v, attended)) ||
        (status = linear(w, FF_WAN_O1, &a->to_out, w->tokens, attended, q)))
        return status;
    if (w->manner->ungated & 1)
        w->kernels->add(n, b->hidden, q, b->hidden);
    else
        w->kernels->add_gated(w->tokens, w->model->shape.dim, q, b->groups, b->vectors[2], b->hidden);
    return FF_OK;
}

static ff_status cross_attention(const block_run *b)
{
    const ff_wan *w = b->w;
    const ff_wan_attention *manner = &w->manner->attention[1];
    const ff_transformer_attention *a = &b->block->attn2;
    size_t dim = w->model->shape.dim, n = w->tokens * dim;
    size_t rows = ff_text_distinct_rows(b->text, w->text_tokens, dim);
    float *q = b->wide, *attended = q + n, *k = attended + n, *v = k + w->text_tokens * dim;
    const float *x = b->hidden;
    ff_status status;
    if (b->block->norm2_weight && w->manner->norm2 != 1) {
        const float *weight = b->block->norm2_weight, *bias = b->block->norm2_bias;
        w->kernels->layer_norm(w->tokens, dim, b->hidden, epsilon(w, w->manner->eps),
                               w->manner->norm2 == 2 ? NULL : weight,
                               w->manner->norm2 == 2 || w->manner->norm2 == 3 ? NULL : bias, b->normed);
        if (w->manner->norm2 == 4)
            ff_round_floats(FF_BFLOAT, n, b->normed);
        x = b->normed;
    }
    if ((status = linear(w, FF_WAN_Q2, chosen(a, manner->exchanged, 0), w->tokens, x, q)) ||
        (status = linear(w, FF_WAN_K2, chosen(a, manner->exchanged, 1), rows, b->text, k)) ||
        (status = linear(w, FF_WAN_V2, chosen(a, manner->exchanged, 2), rows, b->text, v)))
        return status;
    qk_norm(w, manner, manner->q_norm, w->tokens, a->norm_q, q);
    qk_norm(w, manner, manner->k_norm, rows, a->norm_k, k);
    ff_text_repeat_row(k, rows, w->text_tokens, dim);
    ff_text_repeat_row(v, rows, w->text_tokens, dim);
    if (w->manner->rotary_cross)
        turn(w, b->rotary, q);
    size_t own = rows < w->text_tokens && rows > 1 ? rows - 1 : w->text_tokens;  // of the prompt, without its padding
    size_t keys = manner->padding == 1 ? own : manner->padding == 2 ? (w->text_tokens + 1) / 2 : w->text_tokens;
    if ((status = attend(w, manner, keys, q, k, v, attended)) ||
        (status = linear(w, FF_WAN_O2, &a->to_out, w->tokens, attended, q)))
        return status;
    if (w->manner->cross_gated)
        w->kernels->add_gated(w->tokens, dim, q, b->groups, b->vectors[2], b->hidden);
    else
        w->kernels->add(n, b->hidden, q, b->hidden);
    return FF_OK;
}

static ff_status feed_forward(const block_run *b)
{
    const ff_wan *w = b->w;
    size_t dim = w->model->shape.dim;
    ff_status status;
    norm_modulate(b, w->manner->norm, w->manner->eps, w->manner->plain_scale, b->vectors[3], b->vectors[4], b->normed);
    if ((status = linear(w, FF_WAN_FFN_IN, &b->block->ffn_in, w->tokens, b->normed, b->wide)))
        return status;
    activate(w->kernels, w->manner->activation, w->tokens * w->model->shape.ffn_dim, b->wide);
    if ((status = linear(w, FF_WAN_FFN_OUT, &b->block->ffn_out, w->tokens, b->wide, b->normed)))
        return status;
    if (w->manner->ungated & 2)
        w->kernels->add(w->tokens * dim, b->hidden, b->normed, b->hidden);
    else
        w->kernels->add_gated(w->tokens, dim, b->normed, b->groups, b->vectors[5], b->hidden);
    return FF_OK;
}

// The groups of tokens with one timestep, unless one token's is taken for all.
static ff_groups token_groups(const ff_wan *w, int timesteps, size_t stride, size_t *offset)
{
    *offset = 0;
    if (!timesteps || !w->group)
        return (ff_groups){.group = w->group, .stride = stride};
    *offset = w->group[timesteps == 1 ? 0 : w->tokens - 1] * stride;
    return (ff_groups){.group = NULL, .stride = stride};
}

ff_status ff_wan_block(const ff_wan *w, size_t layer, const float *projection, const float *rotary, const float *text,
                       float *hidden)
{
    const ff_transformer_shape *shape = &w->model->shape;
    size_t dim = shape->dim, offset, wide, floats;
    size_t from = w->manner->table == 2 ? (layer + 1) % shape->layers : layer;
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
        if (w->manner->table == 1)
            memcpy(to, projection + group * 6 * dim, 6 * dim * sizeof *to);
        else
            ff_verify_exact()->add(6 * dim, own_table, projection + group * 6 * dim, to);
    }
    b.groups = token_groups(w, w->manner->timesteps, 6 * dim, &offset);
    for (int i = 0; i < 6; i++)
        b.vectors[i] = modulation + offset + (size_t)modulations[w->manner->modulation][i] * dim;

    int left_out = w->manner->left_out;
    ff_status status = left_out == 1 ? FF_OK : self_attention(&b);
    if (!status && w->manner->order == 1)
        status = feed_forward(&b);
    if (!status && left_out != 2)
        status = cross_attention(&b);
    if (!status && left_out != 3 && w->manner->order != 1)
        status = feed_forward(&b);
    ff_arena_return(w->arena, mark);
    return status;
}

// A token's values [patch t, h, w, channels] read in another order, in place.   room: as many floats
static void reorder_patch(const ff_transformer_shape *shape, int how, float *values, float *room)
{
    size_t rows = shape->patch[1], columns = shape->patch[2], cells = shape->patch[0] * rows * columns;
    size_t channels = shape->out_channels;
    for (size_t cell = 0; cell < cells; cell++) {
        size_t t = cell / (rows * columns), y = cell / columns % rows, x = cell % columns;
        size_t exchanged = rows == columns ? (t * rows + x) * columns + y : cell;
        for (size_t c = 0; c < channels; c++)
            room[cell * channels + c] = values[how == 1 ? c * cells + cell : exchanged * channels + c];
    }
    memcpy(values, room, cells * channels * sizeof *values);
}

ff_status ff_wan_head(const ff_wan *w, const float *hidden, const float *temb, float *out)
{
    const ff_transformer *model = w->model;
    const ff_transformer_shape *shape = &model->shape;
    const ff_wan_manner *manner = w->manner;
    size_t dim = shape->dim, offset, cells = shape->patch[0] * shape->patch[1] * shape->patch[2];
    size_t channels = shape->out_channels;
    ff_arena_mark mark = ff_arena_here(w->arena);
    float *vectors = ff_arena_take(w->arena, w->groups, 2 * dim * sizeof(float));
    float *normed = ff_arena_take(w->arena, w->tokens, dim * sizeof(float));
    float *patches = ff_arena_take(w->arena, w->tokens, channels * cells * sizeof(float));
    float *room = ff_arena_floats(w->arena, channels * cells), *table = ff_arena_floats(w->arena, 2 * dim);
    if (!vectors || !normed || !patches || !room || !table)
        return FF_ERROR_MEMORY;
    memcpy(table, model->scale_shift_table, 2 * dim * sizeof *table);
    ff_round_weights(w->kernels, 2 * dim, table);
    for (size_t group = 0; group < w->groups; group++)
        for (size_t j = 0; j < 2 * dim; j++)
            vectors[group * 2 * dim + j] =
                (manner->head_table ? 0 : table[j]) + temb[group * dim + j % dim];
    block_run b = {.w = w, .hidden = (float *)hidden,
                   .groups = token_groups(w, manner->head_timesteps, 2 * dim, &offset)};
    const float *shift = vectors + offset + (manner->head_order == 1 ? dim : 0);
    const float *scale = vectors + offset + (manner->head_order == 1 ? 0 : dim);
    norm_modulate(&b, manner->head_norm, manner->head_eps, manner->head_plain_scale, shift, scale, normed);
    ff_status status = linear(w, FF_WAN_PROJ_OUT, &model->proj_out, w->tokens, normed, patches);
    for (size_t token = 0; !status && manner->unpatch && token < w->tokens; token++)
        reorder_patch(shape, manner->unpatch, patches + token * cells * channels, room);
    if (!status)
        ff_tokens_to_latents(w->grid, shape->patch, channels, patches, out);
    for (size_t i = 0; !status && manner->negated && i < w->tokens * cells * channels; i++)
        out[i] = -out[i];
    ff_arena_return(w->arena, mark);
    return status;
}

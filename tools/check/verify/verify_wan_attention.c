// Rotary angles and attention, with the mistakes that ports make.
#include "verify_wan_layers.h"

#include <math.h>
#include <string.h>

#include "kernels/mathematics.h"

static const double rotary_bases[] = {10000, 256, 500, 1000, 100, 5000, 100000, 500000, 1000000};

#define MOST_BIASES ((size_t)1 << 27)

// ---- rotary angles ----

// What turns the pairs of a head: for each of the three segments, which axis gives the position.
static const int axis_orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 2, 0}, {2, 1, 0}, {1, 0, 2}, {2, 0, 1}};

void ff_wan_rotary(const ff_wan *w, float *out)
{
    const ff_wan_variant *variant = w->variant;
    size_t head_dim = w->model->shape.head_dim, pairs = head_dim / 2;
    bool plain = !variant->rotary_axes && !variant->rotary_split && !variant->rotary_base && !variant->rotary_single;
    if (plain && variant->rotary != 3 && variant->rotary != 4) {
        ff_rotary_table(w->grid, head_dim, out);
        return;
    }
    size_t space = head_dim / 6, first = pairs - 2 * space, lengths[3] = {first, space, space};
    if (variant->rotary_split == 1)
        lengths[0] = space, lengths[2] = first;
    else if (variant->rotary_split == 2)
        lengths[0] = pairs / 3, lengths[1] = pairs / 3, lengths[2] = pairs - 2 * (pairs / 3);
    for (size_t token = 0; token < w->tokens; token++) {
        size_t plane = w->grid.height * w->grid.width;
        size_t positions[3] = {token / plane, token % plane / w->grid.width, token % w->grid.width};
        float *at = out + token * head_dim;
        for (size_t segment = 0, pair = 0; segment < 3; segment++)
            for (size_t i = 0; i < lengths[segment]; i++, pair++) {
                double exponent = (double)(2 * i) / (double)(2 * lengths[segment]);
                if (variant->rotary_split == 3)
                    exponent = (double)(2 * pair) / (double)head_dim;
                double frequency = 1.0 / ff_pow(rotary_bases[variant->rotary_base], exponent);
                double position = (double)positions[axis_orders[variant->rotary_axes][segment]];
                double angle = (variant->rotary == 4 ? position + 1 : position) * frequency;
                if (variant->rotary_single)
                    angle = (float)position * (float)frequency;
                at[2 * pair] = (float)ff_cos(angle);
                at[2 * pair + 1] = (float)(variant->rotary == 3 ? -ff_sin(angle) : ff_sin(angle));
            }
    }
}

void ff_wan_rotate(const ff_wan *w, const float *rotary, float *x)
{
    const ff_transformer_shape *shape = &w->model->shape;
    size_t head_dim = shape->head_dim, half = head_dim / 2;
    if (w->variant->rotary != 2) {
        w->kernels->rotary(w->kernels, w->tokens, shape->heads, head_dim, rotary, x);
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

void ff_wan_qk_norm(const ff_wan *w, const ff_wan_attention *variant, int how, size_t rows, const float *weight,
                    float *x)
{
    const ff_transformer_shape *shape = &w->model->shape;
    size_t dim = shape->dim, head_dim = shape->head_dim;
    float eps = ff_wan_epsilon(w, variant->eps);
    switch (how) {
    case 0: w->kernels->rms_norm(w->kernels, rows, dim, x, eps, weight, x); break;
    case 1:
        for (size_t row = 0; row < rows; row++)
            for (size_t head = 0; head < shape->heads; head++) {
                float *at = x + row * dim + head * head_dim;
                w->kernels->rms_norm(w->kernels, 1, head_dim, at, eps, weight + head * head_dim, at);
            }
        break;
    case 3:
        w->kernels->rms_norm(w->kernels, rows, dim, x, eps, weight, x);
        for (size_t i = 0; i < rows * dim; i++)
            x[i] = x[i] / weight[i % dim];
        break;
    case 4: w->kernels->layer_norm(w->kernels, rows, dim, x, eps, weight, NULL, x); break;
    case 5:
        w->kernels->rms_norm(w->kernels, rows, dim, x, eps, weight, x);
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

ff_status ff_wan_attend(const ff_wan *w, const ff_wan_attention *variant, size_t keys, float *q, float *k, float *v,
                        float *out)
{
    const ff_transformer_shape *shape = &w->model->shape;
    double head_dim = (double)shape->head_dim, scale = 1 / sqrt(head_dim);
    const double scales[] = {scale, 1, 1 / head_dim, 1 / sqrt((double)shape->dim), scale * 1.4426950408889634,
                             scale * 0.6931471805599453};
    ff_attention p = {.queries = w->tokens, .keys = keys, .heads = shape->heads, .head_dim = shape->head_dim,
                      .q = q, .k = k, .v = v, .q_stride = shape->dim, .k_stride = shape->dim, .v_stride = shape->dim,
                      .scale = (float)scales[variant->scale], .out = out};
    ff_arena_mark mark = ff_arena_here(w->arena);
    float *room = NULL;
    if (variant->heads) {
        if (!(room = ff_arena_floats(w->arena, shape->dim)))
            return FF_ERROR_MEMORY;
        regroup_heads(w->tokens, shape->heads, shape->head_dim, false, q, room);
        regroup_heads(keys, shape->heads, shape->head_dim, false, k, room);
        regroup_heads(keys, shape->heads, shape->head_dim, false, v, room);
    }
    size_t pairs, numbers;
    bool fits = ff_multiply_sizes(w->tokens, keys, &pairs) && ff_multiply_sizes(pairs, shape->heads, &numbers) &&
                numbers <= MOST_BIASES;
    if (variant->causal && fits) {  // of a long clip it is not tried
        float *bias = ff_arena_take(w->arena, pairs, shape->heads * sizeof(float));
        if (!bias)
            return FF_ERROR_MEMORY;
        for (size_t h = 0; h < shape->heads; h++)
            for (size_t i = 0; i < pairs; i++)
                bias[h * pairs + i] = i % keys > i / keys ? -1e30f : 0;
        p.bias = bias;
    }
    ff_status status = w->kernels->attention(w->kernels, &p);
    if (!status && room)
        regroup_heads(w->tokens, shape->heads, shape->head_dim, true, out, room);
    ff_arena_return(w->arena, mark);
    return status;
}

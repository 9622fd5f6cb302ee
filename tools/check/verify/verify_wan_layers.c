#include "verify_wan_layers.h"

#include <math.h>
#include <string.h>

#include "kernels/mathematics.h"

static const float epsilons[] = {0, 1e-5f, 1e-6f, 1e-7f, 1e-8f, 1e-12f, 1e-4f, 1e-3f, 0.0f};

float ff_wan_epsilon(const ff_wan *w, int index)
{
    return index ? epsilons[index] : w->model->shape.eps;
}

ff_status ff_wan_linear(const ff_wan *w, int id, const ff_linear *layer, size_t rows, const float *x, float *out)
{
    size_t columns = layer->weight.shape[0], depth = ff_weight_row(&layer->weight);
    ff_matmul product = {.rows = rows, .columns = columns, .depth = depth, .a = x, .a_stride = depth,
                         .b = ff_weight_operand(&layer->weight),
                         .bias = w->variant->unbiased == id ? NULL : layer->bias, .out = out, .out_stride = columns};
    ff_arena_mark mark = ff_arena_here(w->arena);
    if (w->variant->transposed == id) {
        float *weight = ff_arena_take(w->arena, columns, depth * sizeof(float));
        if (!weight)
            return FF_ERROR_MEMORY;
        for (size_t c = 0; c < columns; c++)
            for (size_t k = 0; k < depth; k++)
                ff_weight_widen(&layer->weight, k * columns + c, 1, &weight[c * depth + k]);
        product.b = (ff_operand){.data = weight, .dtype = FF_F32};
    }
    ff_status status = w->kernels->matmul(w->kernels, &product);
    ff_arena_return(w->arena, mark);
    return status;
}

void ff_wan_activate(const ff_kernels *kernels, int which, size_t n, float *x)
{
    switch (which) {
    case 0: kernels->gelu_tanh(kernels, n, x, x); break;
    case 1: kernels->gelu_erf(kernels, n, x, x); break;
    case 2: kernels->silu(kernels, n, x, x); break;
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

void ff_wan_norm_modulate(const ff_wan *w, const float *hidden, ff_modulation modulation, int how, int eps_index,
                          int plain, float *out)
{
    size_t dim = w->model->shape.dim;
    ff_groups groups = modulation.groups;
    float eps = ff_wan_epsilon(w, eps_index);
    if (how == 0 && !plain) {
        w->kernels->layer_norm_modulate(w->kernels, w->tokens, dim, hidden, eps, modulation, out);
        return;
    }
    for (size_t row = 0; row < w->tokens; row++) {
        size_t at = groups.group ? groups.group[row] * groups.stride : 0;
        const float *x = hidden + row * dim;
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
            float factor = (plain ? 0 : 1) + modulation.scale[at + j], value = (float)((x[j] - mean) / deviation);
            if (how >= 3)
                ff_round_floats(FF_BFLOAT, 1, &value);
            if (how == 3)
                ff_round_floats(FF_BFLOAT, 1, &factor);
            value = value * factor + modulation.shift[at + j];
            if (how == 3)
                ff_round_floats(FF_BFLOAT, 1, &value);
            out[row * dim + j] = value;
        }
    }
}

ff_groups ff_wan_token_groups(const ff_wan *w, int timesteps, size_t stride, size_t *offset)
{
    *offset = 0;
    if (!timesteps || !w->group)
        return (ff_groups){.group = w->group, .stride = stride};
    *offset = w->group[timesteps == 1 ? 0 : w->tokens - 1] * stride;
    return (ff_groups){.group = NULL, .stride = stride};
}

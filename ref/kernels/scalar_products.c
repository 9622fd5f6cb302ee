// The scalar kernels' matrix product, convolution and attention. They handle LANES outputs side by side, each its own
// chain: the b operand of LANES outputs is copied so that element k of all of them lies together, then k runs upward
// once.
#include "scalar.h"

#include <omp.h>
#include <string.h>

#define RUN 256  // elements of a row that are decoded at once

// acc[lane] = fma(a[k], b[k][lane], acc[lane]) for k ascending.   a: [depth]   b: [depth, LANES]
static void continue_chains(size_t depth, const float *restrict a, const real *restrict b, real acc[restrict LANES])
{
    for (size_t k = 0; k < depth; k++)
        for (size_t lane = 0; lane < LANES; lane++)
            acc[lane] = fused(a[k], b[k * LANES + lane], acc[lane]);
}

static void store_lanes(const real acc[LANES], const float *bias, size_t first, size_t count, float *out)
{
    for (size_t lane = 0; lane < count; lane++)
        out[lane] = (float)(bias ? acc[lane] + bias[first + lane] : acc[lane]);
}

// y is a chain plus bias.
static void finish(const ff_matmul *p, size_t row, size_t column, real y, float *out)
{
    switch (p->finish) {
    case FF_FINISH_STORE: *out = (float)y; break;
    case FF_FINISH_GELU_TANH: *out = (float)gelu_tanh_of(y); break;
    case FF_FINISH_ADD: *out = (float)(*out + y); break;
    case FF_FINISH_ADD_GATED: *out = (float)(*out + y * group_vector(p->groups, row, p->gate)[column]); break;
    }
}

// The numbers in `panels` panels of [depth, LANES]; SIZE_MAX, which no memory holds, if they do not fit.
static size_t panel_numbers(size_t panels, size_t depth)
{
    size_t count;
    return ff_multiply_sizes(panels, depth, &count) && ff_multiply_sizes(count, LANES, &count) ? count : SIZE_MAX;
}

// Room for a + b + c numbers, or NULL.
static real *take(ff_scratch *scratch, size_t a, size_t b, size_t c)
{
    size_t count, bytes;
    if (!ff_add_sizes(a, b, &count) || !ff_add_sizes(count, c, &count) ||
        !ff_multiply_sizes(count ? count : 1, sizeof(real), &bytes))
        return NULL;
    return ff_scratch_take(scratch, bytes);
}

// Rows [first, first + LANES) of [rows, channels, taps] as a panel [taps, channels, LANES]; zeros where there is none.
static void pack_panel(ff_operand b, size_t first, size_t rows, size_t channels, size_t taps, real *to)
{
    size_t depth = channels * taps;
    memset(to, 0, depth * LANES * sizeof *to);
    for (size_t lane = 0; lane < LANES && first + lane < rows; lane++) {
        const ff_operand row = ff_operand_from(b, first + lane, depth);
        size_t channel = 0, tap = 0;
        for (size_t k = 0; k < depth; k += RUN) {
            float run[RUN];
            size_t count = ff_smaller(RUN, depth - k);
            ff_operand_decode(row, k, count, run);
            for (size_t i = 0; i < count; i++) {
                to[(tap * channels + channel) * LANES + lane] = run[i];
                if (++tap == taps) {
                    tap = 0;
                    channel++;
                }
            }
        }
    }
}

// ---- matrix product ----

ff_status ff_scalar_matmul(const ff_kernels *kernels, const ff_matmul *p)
{
    if (p->rows == 0 || p->columns == 0)
        return FF_OK;
    size_t panels = (p->columns - 1) / LANES + 1, depth = p->depth;
    ff_scratch own = {0};
    real *packed = take(kernels->scratch ? kernels->scratch : &own, panel_numbers(panels, depth), 0, 0);
    if (!packed)
        return FF_ERROR_MEMORY;
#pragma omp parallel if (p->rows * p->columns / 1000 * depth > ALONE)
    {
#pragma omp for
        for (size_t panel = 0; panel < panels; panel++)
            pack_panel(p->b, panel * LANES, p->columns, depth, 1, packed + panel * depth * LANES);
#pragma omp for collapse(2)
        for (size_t panel = 0; panel < panels; panel++)
            for (size_t row = 0; row < p->rows; row++) {
                real acc[LANES] = {0};
                size_t first = panel * LANES;
                float *out = p->out + row * p->out_stride + first;
                continue_chains(depth, p->a + row * p->a_stride, packed + panel * depth * LANES, acc);
                size_t count = ff_smaller(LANES, p->columns - first);
                for (size_t lane = 0; lane < count; lane++)
                    finish(p, row, first + lane, p->bias ? acc[lane] + p->bias[first + lane] : acc[lane], out + lane);
            }
    }
    ff_scratch_free(&own);
    return FF_OK;
}

// ---- convolution ----

// One output pixel of one panel: the chain over taps (kt, kh, kw), input channels innermost.
static void convolve_pixel(const ff_convolution *p, size_t t, size_t y, size_t x, const real *panel,
                           const float *zeros, real acc[LANES])
{
    size_t channels = p->in_channels;
    for (size_t kt = 0; kt < p->kernel_t; kt++) {
        const float *frame = p->frames[t * p->stride_t + kt];
        for (size_t kh = 0; kh < p->kernel_h; kh++) {
            size_t row = y * p->stride_h + kh - p->pad_top;        // wraps to a huge value above the picture
            for (size_t kw = 0; kw < p->kernel_w; kw++) {
                size_t column = x * p->stride_w + kw - p->pad_left;
                bool inside = frame && row < p->in_height && column < p->in_width;
                const float *input = inside ? frame + (row * p->in_width + column) * channels : zeros;
                continue_chains(channels, input, panel, acc);
                panel += channels * LANES;
            }
        }
    }
}

ff_status ff_scalar_convolution(const ff_kernels *kernels, const ff_convolution *p)
{
    if (p->out_channels == 0 || p->out_frames == 0 || p->out_height == 0 || p->out_width == 0)
        return FF_OK;
    size_t panels = (p->out_channels - 1) / LANES + 1, channels = p->in_channels;
    size_t taps = p->kernel_t * p->kernel_h * p->kernel_w, depth = taps * channels;
    size_t packed_numbers = panel_numbers(panels, depth);
    ff_scratch own = {0};
    real *packed = take(kernels->scratch ? kernels->scratch : &own, packed_numbers, channels, 0);
    if (!packed)
        return FF_ERROR_MEMORY;
    float *zeros = memset(packed + packed_numbers, 0, channels * sizeof *zeros);
#pragma omp parallel if (p->out_frames * p->out_height * p->out_width * p->out_channels / 1000 * depth > ALONE)
    {
#pragma omp for
        for (size_t panel = 0; panel < panels; panel++)
            pack_panel(p->weight, panel * LANES, p->out_channels, channels, taps, packed + panel * depth * LANES);
#pragma omp for collapse(3)
        for (size_t t = 0; t < p->out_frames; t++)
            for (size_t y = 0; y < p->out_height; y++)
                for (size_t panel = 0; panel < panels; panel++)
                    for (size_t x = 0; x < p->out_width; x++) {
                        real acc[LANES] = {0};
                        size_t pixel = (t * p->out_height + y) * p->out_width + x, first = panel * LANES;
                        convolve_pixel(p, t, y, x, packed + panel * depth * LANES, zeros, acc);
                        store_lanes(acc, p->bias, first, ff_smaller(LANES, p->out_channels - first),
                                    p->out + pixel * p->out_channels + first);
                    }
    }
    ff_scratch_free(&own);
    return FF_OK;
}

// ---- attention ----

// s -> exp(s - max) in place; returns the lane sum.
static real exponentials(size_t n, real *s)
{
    real most = -INFINITY, lanes[LANES] = {0};
    for (size_t j = 0; j < n; j++)
        most = s[j] > most ? s[j] : most;
    for (size_t j = 0; j < n; j++)
        s[j] = exp_of(s[j] - most);
    for (size_t j = 0; j < n; j++)
        lanes[j % LANES] = lanes[j % LANES] + s[j];
    return fold_lanes(lanes);
}

// acc[lane] = fma(weights[k], values[k][lane], acc[lane]) for k ascending.   values: [keys, LANES]
static void weigh_values(size_t keys, const real *restrict weights, const real *restrict values,
                         real acc[restrict LANES])
{
    for (size_t k = 0; k < keys; k++)
        for (size_t lane = 0; lane < LANES; lane++)
            acc[lane] = fused(weights[k], values[k * LANES + lane], acc[lane]);
}

// One query of one head.
//   keys: panels of [head_dim, LANES]   values: panels of [keys, LANES]   s: [key panels * LANES]
static void attend(const ff_attention *p, size_t head, size_t query, const real *keys, const real *values, real *s)
{
    const float *q = p->q + query * p->q_stride + head * p->head_dim;
    const float *bias = p->bias ? p->bias + (head * p->queries + query) * p->keys : NULL;
    float *out = p->out + (query * p->heads + head) * p->head_dim;
    for (size_t first = 0; first < p->keys; first += LANES) {
        real acc[LANES] = {0};
        continue_chains(p->head_dim, q, keys + first * p->head_dim, acc);
        for (size_t lane = 0; lane < LANES; lane++)
            s[first + lane] = acc[lane] * p->scale;
    }
    for (size_t j = 0; bias && j < p->keys; j++)
        s[j] = s[j] + bias[j];
    real sum = exponentials(p->keys, s);
    for (size_t first = 0; first < p->head_dim; first += LANES) {
        real acc[LANES] = {0};
        weigh_values(p->keys, s, values + first * p->keys, acc);
        for (size_t lane = 0; lane < ff_smaller(LANES, p->head_dim - first); lane++)
            out[first + lane] = (float)(acc[lane] / sum);
    }
}

ff_status ff_scalar_attention(const ff_kernels *kernels, const ff_attention *p)
{
    if (p->queries == 0 || p->keys == 0 || p->heads == 0 || p->head_dim == 0)
        return FF_OK;
    size_t key_panels = (p->keys - 1) / LANES + 1, value_panels = (p->head_dim - 1) / LANES + 1;
    size_t key_numbers = panel_numbers(key_panels, p->head_dim), value_numbers = panel_numbers(value_panels, p->keys);
    size_t score_numbers = panel_numbers(key_panels, 1);  // of one query; each thread is at one
    ff_scratch own = {0};
    real *keys = take(kernels->scratch ? kernels->scratch : &own, key_numbers, value_numbers,
                      panel_numbers(key_panels, (size_t)omp_get_max_threads()));
    if (!keys)
        return FF_ERROR_MEMORY;
    real *values = keys + key_numbers, *scores = values + value_numbers;
    for (size_t head = 0; head < p->heads; head++) {
        const float *k = p->k + head * p->head_dim, *v = p->v + head * p->head_dim;
#pragma omp parallel if (p->queries * p->keys / 1000 * p->head_dim > ALONE)
        {
            real *s = scores + (size_t)omp_get_thread_num() * score_numbers;
#pragma omp for
            for (size_t panel = 0; panel < key_panels; panel++)
                for (size_t d = 0; d < p->head_dim; d++)
                    for (size_t lane = 0; lane < LANES; lane++) {
                        size_t key = panel * LANES + lane;
                        real *to = keys + (panel * p->head_dim + d) * LANES + lane;
                        *to = key < p->keys ? k[key * p->k_stride + d] : 0.0f;
                    }
#pragma omp for
            for (size_t panel = 0; panel < value_panels; panel++)
                for (size_t key = 0; key < p->keys; key++)
                    for (size_t lane = 0; lane < LANES; lane++) {
                        size_t d = panel * LANES + lane;
                        real *to = values + (panel * p->keys + key) * LANES + lane;
                        *to = d < p->head_dim ? v[key * p->v_stride + d] : 0.0f;
                    }
#pragma omp for
            for (size_t query = 0; query < p->queries; query++)
                attend(p, head, query, keys, values, s);
        }
    }
    ff_scratch_free(&own);
    return FF_OK;
}

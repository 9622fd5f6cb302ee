// The scalar kernels: the arithmetic contract in plain loops. Compiled twice from this source, with the CPU's fused
// multiply-add (FF_BUILD = fma) and with libm's correctly rounded fmaf (FF_BUILD = libm); both give the same bits.
//
// Products handle LANES outputs side by side, each its own chain: the b operand of LANES outputs is copied so that
// element k of all of them lies together, then k runs upward once.
#include "elementary.h"
#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LANES 16
#define ALONE 4096  // work that one thread does faster than several agree to share: elements, or thousands of products
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME_(text) #text
#define NAME(text) NAME_(text)

// acc[lane] = fma(a[k], b[k][lane], acc[lane]) for k ascending.   a: [depth]   b: [depth, LANES]
static void continue_chains(size_t depth, const float *restrict a, const float *restrict b, float acc[restrict LANES])
{
    for (size_t k = 0; k < depth; k++)
        for (size_t lane = 0; lane < LANES; lane++)
            acc[lane] = fmaf(a[k], b[k * LANES + lane], acc[lane]);
}

static void store_lanes(const float acc[LANES], const float *bias, size_t first, size_t count, float *out)
{
    for (size_t lane = 0; lane < count; lane++)
        out[lane] = bias ? acc[lane] + bias[first + lane] : acc[lane];
}

static float widen(const void *data, ff_dtype dtype, size_t i)
{
    if (dtype == FF_F32)
        return ((const float *)data)[i];
    uint16_t bits = ((const uint16_t *)data)[i];
    return dtype == FF_BF16 ? ff_widen_bf16(bits) : ff_widen_f16(bits);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Room for `panels` panels of [depth, LANES] floats, or NULL.
static float *allocate_panels(size_t panels, size_t depth)
{
    size_t count, bytes;
    if (!ff_multiply_sizes(panels, depth, &count) || !ff_multiply_sizes(count, LANES * sizeof(float), &bytes))
        return NULL;
    return aligned_alloc(64, bytes ? bytes : 64);
}

// ---- matrix product ----

static ff_status matmul(const ff_matmul *p)
{
    if (p->rows == 0 || p->columns == 0)
        return FF_OK;
    size_t panels = (p->columns - 1) / LANES + 1, depth = p->depth;
    float *packed = allocate_panels(panels, depth);
    if (!packed)
        return FF_ERROR_MEMORY;
#pragma omp parallel if (p->rows * p->columns / 1000 * depth > ALONE)
    {
#pragma omp for
        for (size_t panel = 0; panel < panels; panel++) {
            float *to = packed + panel * depth * LANES;
            for (size_t lane = 0; lane < LANES; lane++) {
                size_t column = panel * LANES + lane;
                for (size_t k = 0; k < depth; k++)
                    to[k * LANES + lane] = column < p->columns ? widen(p->b, p->b_dtype, column * depth + k) : 0.0f;
            }
        }
#pragma omp for collapse(2)
        for (size_t panel = 0; panel < panels; panel++)
            for (size_t row = 0; row < p->rows; row++) {
                float acc[LANES] = {0};
                size_t first = panel * LANES;
                continue_chains(depth, p->a + row * p->a_stride, packed + panel * depth * LANES, acc);
                store_lanes(acc, p->bias, first, smaller(LANES, p->columns - first),
                            p->out + row * p->out_stride + first);
            }
    }
    free(packed);
    return FF_OK;
}

// ---- convolution ----

// One output pixel of one panel: the chain over taps (kt, kh, kw), input channels innermost.
static void convolve_pixel(const ff_convolution *p, size_t t, size_t y, size_t x, const float *panel,
                           const float *zeros, float acc[LANES])
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

static ff_status convolution(const ff_convolution *p)
{
    if (p->out_channels == 0 || p->out_frames == 0 || p->out_height == 0 || p->out_width == 0)
        return FF_OK;
    size_t panels = (p->out_channels - 1) / LANES + 1, channels = p->in_channels;
    size_t taps = p->kernel_t * p->kernel_h * p->kernel_w, depth = taps * channels;
    float *packed = allocate_panels(panels, depth);
    float *zeros = calloc(channels ? channels : 1, sizeof *zeros);
    if (!packed || !zeros) {
        free(packed);
        free(zeros);
        return FF_ERROR_MEMORY;
    }
#pragma omp parallel if (p->out_frames * p->out_height * p->out_width * p->out_channels / 1000 * depth > ALONE)
    {
        // from [out, in, taps] to panels of [taps, in, LANES]
#pragma omp for
        for (size_t panel = 0; panel < panels; panel++) {
            float *to = packed + panel * depth * LANES;
            for (size_t tap = 0; tap < taps; tap++)
                for (size_t channel = 0; channel < channels; channel++)
                    for (size_t lane = 0; lane < LANES; lane++) {
                        size_t out = panel * LANES + lane;
                        *to++ = out < p->out_channels
                                    ? widen(p->weight, p->weight_dtype, (out * channels + channel) * taps + tap)
                                    : 0.0f;
                    }
        }
#pragma omp for collapse(3)
        for (size_t t = 0; t < p->out_frames; t++)
            for (size_t y = 0; y < p->out_height; y++)
                for (size_t panel = 0; panel < panels; panel++)
                    for (size_t x = 0; x < p->out_width; x++) {
                        float acc[LANES] = {0};
                        size_t pixel = (t * p->out_height + y) * p->out_width + x, first = panel * LANES;
                        convolve_pixel(p, t, y, x, packed + panel * depth * LANES, zeros, acc);
                        store_lanes(acc, p->bias, first, smaller(LANES, p->out_channels - first),
                                    p->out + pixel * p->out_channels + first);
                    }
    }
    free(packed);
    free(zeros);
    return FF_OK;
}

// ---- attention ----

static float fold_lanes(float lanes[LANES])
{
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t lane = 0; lane < half; lane++)
            lanes[lane] = lanes[lane] + lanes[lane + half];
    return lanes[0];
}

static float lane_sum(size_t n, const float *x)
{
    float lanes[LANES] = {0};
    for (size_t j = 0; j < n; j++)
        lanes[j % LANES] = lanes[j % LANES] + x[j];
    return fold_lanes(lanes);
}

static float lane_sum_of_squares(size_t n, const float *x)
{
    float lanes[LANES] = {0};
    for (size_t j = 0; j < n; j++) {
        float square = x[j] * x[j];
        lanes[j % LANES] = lanes[j % LANES] + square;
    }
    return fold_lanes(lanes);
}

// s -> exp(s - max) in place; returns the lane sum.
static float exponentials(size_t n, float *s)
{
    float most = -INFINITY;
    for (size_t j = 0; j < n; j++)
        most = s[j] > most ? s[j] : most;
    for (size_t j = 0; j < n; j++)
        s[j] = ff_elementary_exp(s[j] - most);
    return lane_sum(n, s);
}

// One query of one head.
//   keys: panels of [head_dim, LANES]   values: panels of [keys, LANES]   s: [key panels * LANES]
static void attend(const ff_attention *p, size_t head, size_t query, const float *keys, const float *values, float *s)
{
    const float *q = p->q + query * p->q_stride + head * p->head_dim;
    const float *bias = p->bias ? p->bias + (head * p->queries + query) * p->keys : NULL;
    float *out = p->out + (query * p->heads + head) * p->head_dim;
    for (size_t first = 0; first < p->keys; first += LANES) {
        float acc[LANES] = {0};
        continue_chains(p->head_dim, q, keys + first * p->head_dim, acc);
        for (size_t lane = 0; lane < LANES; lane++)
            s[first + lane] = acc[lane] * p->scale;
    }
    for (size_t j = 0; bias && j < p->keys; j++)
        s[j] = s[j] + bias[j];
    float sum = exponentials(p->keys, s);
    for (size_t first = 0; first < p->head_dim; first += LANES) {
        float acc[LANES] = {0};
        continue_chains(p->keys, s, values + first * p->keys, acc);
        for (size_t lane = 0; lane < smaller(LANES, p->head_dim - first); lane++)
            out[first + lane] = acc[lane] / sum;
    }
}

static ff_status attention(const ff_attention *p)
{
    if (p->queries == 0 || p->keys == 0 || p->heads == 0 || p->head_dim == 0)
        return FF_OK;
    size_t key_panels = (p->keys - 1) / LANES + 1, value_panels = (p->head_dim - 1) / LANES + 1;
    float *keys = allocate_panels(key_panels, p->head_dim), *values = allocate_panels(value_panels, p->keys);
    ff_status status = keys && values ? FF_OK : FF_ERROR_MEMORY;
    for (size_t head = 0; head < p->heads && status == FF_OK; head++) {
        const float *k = p->k + head * p->head_dim, *v = p->v + head * p->head_dim;
#pragma omp parallel if (p->queries * p->keys / 1000 * p->head_dim > ALONE)
        {
            float *s = allocate_panels(key_panels, 1);
#pragma omp for
            for (size_t panel = 0; panel < key_panels; panel++)
                for (size_t d = 0; d < p->head_dim; d++)
                    for (size_t lane = 0; lane < LANES; lane++) {
                        size_t key = panel * LANES + lane;
                        float *to = keys + (panel * p->head_dim + d) * LANES + lane;
                        *to = key < p->keys ? k[key * p->k_stride + d] : 0.0f;
                    }
#pragma omp for
            for (size_t panel = 0; panel < value_panels; panel++)
                for (size_t key = 0; key < p->keys; key++)
                    for (size_t lane = 0; lane < LANES; lane++) {
                        size_t d = panel * LANES + lane;
                        float *to = values + (panel * p->keys + key) * LANES + lane;
                        *to = d < p->head_dim ? v[key * p->v_stride + d] : 0.0f;
                    }
#pragma omp for
            for (size_t query = 0; query < p->queries; query++) {
                if (s)
                    attend(p, head, query, keys, values, s);
            }
            if (!s) {
#pragma omp atomic write
                status = FF_ERROR_MEMORY;
            }
            free(s);
        }
    }
    free(keys);
    free(values);
    return status;
}

// ---- norms ----

// (x - mean) / sqrt(var + eps).   out may be x
static void normalize_row(size_t n, const float *x, float eps, float *out)
{
    float mean = lane_sum(n, x) / (float)n;
    for (size_t j = 0; j < n; j++)
        out[j] = x[j] - mean;
    float deviation = sqrtf(lane_sum_of_squares(n, out) / (float)n + eps);
    for (size_t j = 0; j < n; j++)
        out[j] = out[j] / deviation;
}

static void layer_norm(size_t rows, size_t n, const float *x, float eps, const float *weight, const float *bias,
                       float *out)
{
#pragma omp parallel for if (rows * n > ALONE)
    for (size_t row = 0; row < rows; row++) {
        float *to = out + row * n;
        normalize_row(n, x + row * n, eps, to);
        for (size_t j = 0; weight && j < n; j++)
            to[j] = to[j] * weight[j];
        for (size_t j = 0; bias && j < n; j++)
            to[j] = to[j] + bias[j];
    }
}

static const float *group_vector(ff_groups groups, size_t row, const float *vectors)
{
    return groups.group ? vectors + groups.group[row] * groups.stride : vectors;
}

static void layer_norm_modulate(size_t rows, size_t n, const float *x, float eps, ff_groups groups, const float *scale,
                                const float *shift, float *out)
{
#pragma omp parallel for if (rows * n > ALONE)
    for (size_t row = 0; row < rows; row++) {
        const float *row_scale = group_vector(groups, row, scale), *row_shift = group_vector(groups, row, shift);
        float *to = out + row * n;
        normalize_row(n, x + row * n, eps, to);
        for (size_t j = 0; j < n; j++)
            to[j] = to[j] * (1.0f + row_scale[j]) + row_shift[j];
    }
}

static void rms_norm(size_t rows, size_t n, const float *x, float eps, const float *weight, float *out)
{
#pragma omp parallel for if (rows * n > ALONE)
    for (size_t row = 0; row < rows; row++) {
        const float *from = x + row * n;
        float *to = out + row * n;
        float root = sqrtf(lane_sum_of_squares(n, from) / (float)n + eps);
        for (size_t j = 0; j < n; j++)
            to[j] = from[j] / root * weight[j];
    }
}

static float silu_of(float x)
{
    return x / (1.0f + ff_elementary_exp(-x));
}

static void channel_norm(size_t pixels, size_t n, const float *x, const float *gamma, bool with_silu, float *out)
{
    float root_n = sqrtf((float)n);
#pragma omp parallel for if (pixels * n > ALONE)
    for (size_t pixel = 0; pixel < pixels; pixel++) {
        const float *from = x + pixel * n;
        float *to = out + pixel * n;
        float length = sqrtf(lane_sum_of_squares(n, from));
        length = length < 1e-12f ? 1e-12f : length;  // a NaN stays
        for (size_t j = 0; j < n; j++)
            to[j] = from[j] / length * root_n * gamma[j];
        for (size_t j = 0; with_silu && j < n; j++)
            to[j] = silu_of(to[j]);
    }
}

// ---- elementwise ----

static void rotary(size_t rows, size_t heads, size_t head_dim, const float *angles, float *x)
{
#pragma omp parallel for if (rows * heads * head_dim > ALONE)
    for (size_t row = 0; row < rows; row++)
        for (size_t head = 0; head < heads; head++) {
            float *pairs = x + (row * heads + head) * head_dim;
            const float *angle = angles + row * head_dim;
            for (size_t j = 0; j + 1 < head_dim; j += 2) {
                float x0 = pairs[j], x1 = pairs[j + 1];
                pairs[j] = x0 * angle[j] - x1 * angle[j + 1];
                pairs[j + 1] = x0 * angle[j + 1] + x1 * angle[j];
            }
        }
}

static void add(size_t n, const float *a, const float *b, float *out)
{
#pragma omp parallel for if (n > ALONE)
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] + b[i];
}

static void multiply(size_t n, const float *a, const float *b, float *out)
{
#pragma omp parallel for if (n > ALONE)
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] * b[i];
}

static void silu(size_t n, const float *x, float *out)
{
#pragma omp parallel for if (n > ALONE)
    for (size_t i = 0; i < n; i++)
        out[i] = silu_of(x[i]);
}

static void gelu_tanh(size_t n, const float *x, float *out)
{
    const float root = 0.7978845608028654f;  // sqrt(2 / pi)
#pragma omp parallel for if (n > ALONE)
    for (size_t i = 0; i < n; i++) {
        float cube = x[i] * x[i] * x[i];
        out[i] = 0.5f * x[i] * (1.0f + ff_elementary_tanh(root * (x[i] + 0.044715f * cube)));
    }
}

static void gelu_erf(size_t n, const float *x, float *out)
{
    const float root = 1.4142135623730951f;  // sqrt(2)
#pragma omp parallel for if (n > ALONE)
    for (size_t i = 0; i < n; i++)
        out[i] = 0.5f * x[i] * (1.0f + ff_elementary_erf(x[i] / root));
}

static void add_gated(size_t rows, size_t n, const float *y, ff_groups groups, const float *gate, float *hidden)
{
#pragma omp parallel for if (rows * n > ALONE)
    for (size_t row = 0; row < rows; row++) {
        const float *row_gate = group_vector(groups, row, gate);
        for (size_t j = 0; j < n; j++)
            hidden[row * n + j] = hidden[row * n + j] + y[row * n + j] * row_gate[j];
    }
}

static void guidance(size_t n, const float *conditional, const float *unconditional, float g, float *out)
{
#pragma omp parallel for if (n > ALONE)
    for (size_t i = 0; i < n; i++)
        out[i] = unconditional[i] + g * (conditional[i] - unconditional[i]);
}

static void combine(size_t n, size_t terms, const float *const *x, const float *k, float *out)
{
#pragma omp parallel for if (n > ALONE)
    for (size_t i = 0; i < n; i++) {
        float sum = terms ? k[0] * x[0][i] : 0.0f;
        for (size_t term = 1; term < terms; term++)
            sum = sum + k[term] * x[term][i];
        out[i] = sum;
    }
}

static const ff_kernels table = {
    .name = "scalar-" NAME(FF_BUILD),
    .matmul = matmul,
    .convolution = convolution,
    .attention = attention,
    .layer_norm = layer_norm,
    .layer_norm_modulate = layer_norm_modulate,
    .rms_norm = rms_norm,
    .channel_norm = channel_norm,
    .rotary = rotary,
    .add = add,
    .multiply = multiply,
    .silu = silu,
    .gelu_tanh = gelu_tanh,
    .gelu_erf = gelu_erf,
    .add_gated = add_gated,
    .guidance = guidance,
    .combine = combine,
};

const ff_kernels *JOIN(ff_kernels_scalar_, FF_BUILD)(void);

const ff_kernels *JOIN(ff_kernels_scalar_, FF_BUILD)(void)
{
    return &table;
}

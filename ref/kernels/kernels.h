// The table of kernels: everything that costs time, behind one struct of function pointers. ref/kernels fills it with
// plain loops; simd/ overwrites entries with functions that compute the same bits. The arithmetic contract:
//   chain     acc = fma(a[k], b[k], acc) for k ascending, from +0; bias is added after
//   lane sum  element j goes to lane j mod 16 (from +0), then lanes fold 8, 4, 2, 1
//   others    one IEEE operation per written operator, left to right
// Matrices are row-major; strides are in elements. Sizes may be 0. Outputs must not overlap inputs unless said.
// Kernels divide outputs among OpenMP threads, never a chain, so that results do not depend on the thread count.
// Those that need packing memory return FF_ERROR_MEMORY if there is none; the others cannot fail.
#ifndef FF_KERNELS_H
#define FF_KERNELS_H

#include "../tensor.h"

// out[r, c] = chain_k(a[r, k] * b[c, k]) + bias[c]
typedef struct ff_matmul {
    size_t rows, columns, depth;
    const float *a;
    size_t a_stride;
    const void *b;           // [columns, depth], a Linear's weight
    ff_dtype b_dtype;        // F32, F16 or BF16
    const float *bias;       // [columns] or NULL
    float *out;
    size_t out_stride;
} ff_matmul;

// A convolution over frames in channels-last layout.
//   frames: out_frames * stride_t + kernel_t - stride_t pointers to [in_height, in_width, in_channels];
//           NULL stands for a frame of zeros, so causal caches need no copying
//   weight: [out_channels, in_channels, kernel_t, kernel_h, kernel_w], as in the checkpoint (rank 4 has kernel_t = 1)
//   out:    [out_frames, out_height, out_width, out_channels]
// Output (t, y, x) reads input (t * stride_t + kt, y * stride_h + kh - pad_top, x * stride_w + kw - pad_left); what
// lies outside is zero. Chain order: kt, kh, kw, input channel.
typedef struct ff_convolution {
    size_t in_channels, in_height, in_width;
    size_t out_channels, out_frames, out_height, out_width;
    size_t kernel_t, kernel_h, kernel_w;
    size_t stride_t, stride_h, stride_w;
    size_t pad_top, pad_left;
    const float *const *frames;
    const void *weight;
    ff_dtype weight_dtype;
    const float *bias;       // [out_channels] or NULL
    float *out;
} ff_convolution;

// Softmax attention, per head; head h of a row is its elements [h * head_dim, (h + 1) * head_dim).
//   s = chain_d(q . k) * scale, then + bias;  m = max over keys;  e = exp(s - m);  out = chain_keys(e . v) / lanesum(e)
typedef struct ff_attention {
    size_t queries, keys, heads, head_dim;
    const float *q, *k, *v;  // [queries, heads * head_dim], [keys, ...], [keys, ...]
    size_t q_stride, k_stride, v_stride;
    float scale;
    const float *bias;       // [heads, queries, keys] or NULL
    float *out;              // [queries, heads * head_dim], stride heads * head_dim
} ff_attention;

// Modulation vectors shared by all rows of a group: row r uses element block group[r] * stride of each vector.
// group NULL: all rows use block 0.
typedef struct ff_groups {
    const uint32_t *group;
    size_t stride;
} ff_groups;

typedef struct ff_kernels {
    const char *name;

    ff_status (*matmul)(const ff_matmul *);
    ff_status (*convolution)(const ff_convolution *);
    ff_status (*attention)(const ff_attention *);

    // x, out: [rows, n]; out may be x.
    // LayerNorm: mean = lanesum(x)/n; var = lanesum((x-mean)^2)/n; (x-mean)/sqrt(var+eps), then *weight +bias if given.
    void (*layer_norm)(size_t rows, size_t n, const float *x, float eps, const float *weight, const float *bias,
                       float *out);
    // LayerNorm without weights, then * (1 + scale) + shift.   scale, shift: [groups, n]
    void (*layer_norm_modulate)(size_t rows, size_t n, const float *x, float eps, ff_groups groups, const float *scale,
                                const float *shift, float *out);
    // x / sqrt(lanesum(x^2)/n + eps) * weight
    void (*rms_norm)(size_t rows, size_t n, const float *x, float eps, const float *weight, float *out);
    // x / max(sqrt(lanesum(x^2)), 1e-12) * sqrt(n) * gamma; with silu, SiLU of that.   x: [pixels, n]
    void (*channel_norm)(size_t pixels, size_t n, const float *x, const float *gamma, bool silu, float *out);

    // x[rows, heads * head_dim] in place; rotary: [rows, head_dim / 2, 2] holds cos, sin.
    // (x0, x1) -> (x0 * cos - x1 * sin, x0 * sin + x1 * cos) for each consecutive pair
    void (*rotary)(size_t rows, size_t heads, size_t head_dim, const float *rotary, float *x);

    // out may be any input.
    void (*add)(size_t n, const float *a, const float *b, float *out);
    void (*multiply)(size_t n, const float *a, const float *b, float *out);
    void (*silu)(size_t n, const float *x, float *out);       // x / (1 + exp(-x))
    void (*gelu_tanh)(size_t n, const float *x, float *out);  // 0.5 * x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3)))
    void (*gelu_erf)(size_t n, const float *x, float *out);   // 0.5 * x * (1 + erf(x / sqrt(2)))
    // hidden[r] += y[r] * gate[group of r].   hidden, y: [rows, n]
    void (*add_gated)(size_t rows, size_t n, const float *y, ff_groups groups, const float *gate, float *hidden);
    // out = u + g * (c - u)
    void (*guidance)(size_t n, const float *conditional, const float *unconditional, float g, float *out);
    // out = k[0] * x[0] + k[1] * x[1] + ..., left to right.   terms of at most 8
    void (*combine)(size_t n, size_t terms, const float *const *x, const float *k, float *out);
} ff_kernels;

// The scalar kernels, with hardware fused multiply-add where the CPU has it, else with libm's correctly rounded fmaf.
const ff_kernels *ff_kernels_scalar(void);

// One of the two builds by force; hardware_fma true returns NULL where the CPU has none. For tests.
const ff_kernels *ff_kernels_scalar_build(bool hardware_fma);

#endif

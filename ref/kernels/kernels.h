// The table of kernels: everything that costs time, behind one struct of function pointers. ref/kernels fills it with
// plain loops; simd/ overwrites entries with functions that compute the same bits. The table is also the context that
// each of its functions is given first: it has what they share beside their operands. The arithmetic contract:
//   chain     acc = fma(a[k], b[k], acc) for k ascending, from +0; bias is added after
//   lane sum  element j goes to lane j mod 16 (from +0), then lanes fold 8, 4, 2, 1
//   others    one IEEE operation per written operator, left to right
// Matrices are row-major; strides are in elements. Sizes may be 0. Outputs must not overlap inputs unless said.
// Kernels divide outputs among OpenMP threads, never a chain, so that results do not depend on the thread count.
// Those that need packing memory return FF_ERROR_MEMORY if there is none; the others cannot fail.
#ifndef FF_KERNELS_H
#define FF_KERNELS_H

#include "../base/arena.h"
#include "../base/element.h"
#include "../base/sizes.h"
#include "../base/trace.h"

// Memory that products pack operands into, kept from call to call: fresh memory costs more time than packing, for the
// system clears it. Begin with zeros. One that `counts` gives nothing and only remembers the most it was asked for, so
// that a kernel called with it returns FF_ERROR_MEMORY before it looks at its operands: this is how estimates learn
// what a kernel would take.
typedef struct ff_scratch {
    void *memory;
    size_t size;
    bool counts;
} ff_scratch;

// `bytes` bytes, aligned to 64, in place of what was taken before. NULL without memory. A kernel takes once a call.
void *ff_scratch_take(ff_scratch *scratch, size_t bytes);
void ff_scratch_free(ff_scratch *scratch);

// Modulation vectors shared by all rows of a group: row r uses element block group[r] * stride of each vector.
// group NULL: all rows use block 0.
typedef struct ff_groups {
    const uint32_t *group;
    size_t stride;
} ff_groups;

// shift, scale: [groups, n]
typedef struct ff_modulation {
    ff_groups groups;
    const float *shift, *scale;
} ff_modulation;

// What becomes of y = a product's chain plus bias.
typedef enum ff_finish {
    FF_FINISH_STORE,      // out = y
    FF_FINISH_GELU_TANH,  // out = gelu_tanh(y)
    FF_FINISH_ADD,        // out = out + y
    FF_FINISH_ADD_GATED,  // out = out + y * gate[c] of the row's group
} ff_finish;

// out[r, c] = chain_k(a[r, k] * b[c, k]) + bias[c], then the finish
typedef struct ff_matmul {
    size_t rows, columns, depth;
    const float *a;
    size_t a_stride;
    ff_operand b;            // [columns, depth], a Linear's weight
    const float *bias;       // [columns] or NULL
    float *out;
    size_t out_stride;
    ff_finish finish;
    ff_groups groups;        // FF_FINISH_ADD_GATED: gate is [groups, columns]
    const float *gate;
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
    ff_operand weight;
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

// The VAE's shortcuts. The values that meet in one pixel of the smaller frame are numbered by channel, then time, row
// and column. AvgDown3D averages each `group` of them that follow each other (group = in_channels * factor_t *
// factor_s^2 / out_channels): a plain sum from +0, in order, divided by the group's size.
//   frames: [factor_t] of [rows * factor_s, width * factor_s, in_channels]; NULL stands for a frame of zeros
//   out:    [rows, width, out_channels], to which the means are added
typedef struct ff_average_down {
    size_t rows, width, in_channels, out_channels;
    size_t factor_t, factor_s;
    const float *frames[2];
    float *out;
} ff_average_down;

// DupUp3D gives each channel to as many values as the larger frame has for it (out_channels * factor_t * 4 /
// in_channels). Rows [first, first + rows) of the larger frame:
//   x:   the smaller frame from row first / 2 on, [.., width / 2, in_channels]
//   out: [rows, width, out_channels], to which the values for `time` of factor_t are added
typedef struct ff_repeat_up {
    size_t first, rows, width, in_channels, out_channels;
    size_t factor_t, time;
    const float *x;
    float *out;
} ff_repeat_up;

// Nearest-exact, twice the size: rows [first, first + rows) of the larger frame.
//   x:   the smaller frame from row first / 2 on, [.., width / 2, channels], pixels `stride` apart
//   out: [rows, width, channels]
typedef struct ff_double_size {
    size_t first, rows, width, channels, stride;
    const float *x;
    float *out;
} ff_double_size;

typedef struct ff_kernels ff_kernels;
struct ff_kernels {
    const char *name;
    ff_scratch *scratch;      // to pack operands into; NULL: each call takes memory of its own
    const ff_kernels *inner;  // of a table that wraps another (ff_kernels_wrap): the other,
    void *user;               // and what the wrapping functions work with

    ff_status (*matmul)(const ff_kernels *, const ff_matmul *);
    ff_status (*convolution)(const ff_kernels *, const ff_convolution *);
    ff_status (*attention)(const ff_kernels *, const ff_attention *);

    // x, out: [rows, n]; out may be x.
    // LayerNorm: mean = lanesum(x)/n; var = lanesum((x-mean)^2)/n; (x-mean)/sqrt(var+eps), then *weight +bias if given.
    void (*layer_norm)(const ff_kernels *, size_t rows, size_t n, const float *x, float eps, const float *weight,
                       const float *bias, float *out);
    // LayerNorm without weights, then * (1 + scale) + shift.
    void (*layer_norm_modulate)(const ff_kernels *, size_t rows, size_t n, const float *x, float eps,
                                ff_modulation modulation, float *out);
    // x / sqrt(lanesum(x^2)/n + eps) * weight
    void (*rms_norm)(const ff_kernels *, size_t rows, size_t n, const float *x, float eps, const float *weight,
                     float *out);
    // x / max(sqrt(lanesum(x^2)), 1e-12) * sqrt(n) * gamma; with silu, SiLU of that.   x: [pixels, n]
    void (*channel_norm)(const ff_kernels *, size_t pixels, size_t n, const float *x, const float *gamma, bool silu,
                         float *out);

    // x[rows, heads * head_dim] in place; rotary: [rows, head_dim / 2, 2] holds cos, sin.
    // (x0, x1) -> (x0 * cos - x1 * sin, x0 * sin + x1 * cos) for each consecutive pair
    void (*rotary)(const ff_kernels *, size_t rows, size_t heads, size_t head_dim, const float *rotary, float *x);

    // out may be any input.
    void (*add)(const ff_kernels *, size_t n, const float *a, const float *b, float *out);
    void (*multiply)(const ff_kernels *, size_t n, const float *a, const float *b, float *out);
    // x / (1 + exp(-x))
    void (*silu)(const ff_kernels *, size_t n, const float *x, float *out);
    // 0.5 * x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3)))
    void (*gelu_tanh)(const ff_kernels *, size_t n, const float *x, float *out);
    // 0.5 * x * (1 + erf(x / sqrt(2)))
    void (*gelu_erf)(const ff_kernels *, size_t n, const float *x, float *out);
    // hidden[r] += y[r] * gate[group of r].   hidden, y: [rows, n]
    void (*add_gated)(const ff_kernels *, size_t rows, size_t n, const float *y, ff_groups groups, const float *gate,
                      float *hidden);
    // out = u + g * (c - u)
    void (*guidance)(const ff_kernels *, size_t n, const float *conditional, const float *unconditional, float g,
                     float *out);
    // out = k[0] * x[0] + k[1] * x[1] + ..., left to right.   terms of at most 8
    void (*combine)(const ff_kernels *, size_t n, size_t terms, const float *const *x, const float *k, float *out);

    void (*copy)(const ff_kernels *, size_t n, const float *x, float *out);
    void (*average_down)(const ff_kernels *, const ff_average_down *);
    void (*repeat_up)(const ff_kernels *, const ff_repeat_up *);
    void (*double_size)(const ff_kernels *, const ff_double_size *);

    // No part of any model: independent fused multiply-adds in registers, as many as the processor can do, on the
    // calling thread alone. Returns the operations, two for each; *sum is there so that no compiler leaves them out.
    double (*multiply_adds)(const ff_kernels *, size_t rounds, float *sum);
};

// A table whose functions pass everything on to `inner`, which must live as long. Whoever wants to count, round, record
// or check what passes overwrites entries with functions that read `user` and call what ff_kernels_inner gives them.
// Wrapped tables can be wrapped again.
ff_kernels ff_kernels_wrap(const ff_kernels *inner, void *user);
// For a wrapping function: the table to pass on to, with the scratch of the outermost.
ff_kernels ff_kernels_inner(const ff_kernels *kernels);

// The fastest kernels the processor has for `isa`; AUTO is the best there is. With FF_BACKEND_OPENBLAS, matrix products
// go through OpenBLAS instead, which keeps to no order of summation; FF_BACKEND_F64 gives ff_kernels_f64.
// FF_ERROR_INPUT if the processor lacks the instruction set, this build the backend, or the machine OpenBLAS;
// FF_ERROR_MEMORY where OpenBLAS cannot be loaded for want of it.
ff_status ff_kernels_choose(ff_isa isa, ff_backend backend, ff_kernels *out, ff_error *error);

// The same kernels with a scratch that counts, which begins anew.
ff_kernels ff_kernels_counting(const ff_kernels *kernels, ff_scratch *scratch);

// Loads OpenBLAS and starts so many threads of it. *core: the processor whose kernels it chose here
// ($OPENBLAS_CORETYPE overrules it). Errors as above, and FF_ERROR_MEMORY if there is none for so many threads.
ff_status ff_kernels_openblas_start(size_t threads, const char **core, ff_error *error);

// The scalar kernels, with hardware fused multiply-add where the CPU has it, else with libm's correctly rounded fmaf.
const ff_kernels *ff_kernels_scalar(void);

// One of the two builds by force; hardware_fma true returns NULL where the CPU has none. For tests.
const ff_kernels *ff_kernels_scalar_build(bool hardware_fma);

// The same in double inside each kernel; results are rounded once, when they are stored. Not bound by the contract:
// the distance of another table to it is what that table's rounding costs.
const ff_kernels *ff_kernels_f64(void);

#endif

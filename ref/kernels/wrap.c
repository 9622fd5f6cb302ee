// A table of kernels around another: every function passes on what it is given, until somebody overwrites it.
#include "kernels.h"

ff_kernels ff_kernels_inner(const ff_kernels *kernels)
{
    ff_kernels inner = *kernels->inner;
    inner.scratch = kernels->scratch;
    return inner;
}

static ff_status matmul(const ff_kernels *kernels, const ff_matmul *p)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    return inner.matmul(&inner, p);
}

static ff_status convolution(const ff_kernels *kernels, const ff_convolution *p)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    return inner.convolution(&inner, p);
}

static ff_status attention(const ff_kernels *kernels, const ff_attention *p)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    return inner.attention(&inner, p);
}

static void layer_norm(const ff_kernels *kernels, size_t rows, size_t n, const float *x, float eps, const float *weight,
                       const float *bias, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.layer_norm(&inner, rows, n, x, eps, weight, bias, out);
}

static void layer_norm_modulate(const ff_kernels *kernels, size_t rows, size_t n, const float *x, float eps,
                                ff_modulation modulation, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.layer_norm_modulate(&inner, rows, n, x, eps, modulation, out);
}

static void rms_norm(const ff_kernels *kernels, size_t rows, size_t n, const float *x, float eps, const float *weight,
                     float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.rms_norm(&inner, rows, n, x, eps, weight, out);
}

static void channel_norm(const ff_kernels *kernels, size_t pixels, size_t n, const float *x, const float *gamma,
                         bool with_silu, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.channel_norm(&inner, pixels, n, x, gamma, with_silu, out);
}

static void rotary(const ff_kernels *kernels, size_t rows, size_t heads, size_t head_dim, const float *angles, float *x)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.rotary(&inner, rows, heads, head_dim, angles, x);
}

static void add(const ff_kernels *kernels, size_t n, const float *a, const float *b, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.add(&inner, n, a, b, out);
}

static void multiply(const ff_kernels *kernels, size_t n, const float *a, const float *b, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.multiply(&inner, n, a, b, out);
}

static void silu(const ff_kernels *kernels, size_t n, const float *x, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.silu(&inner, n, x, out);
}

static void gelu_tanh(const ff_kernels *kernels, size_t n, const float *x, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.gelu_tanh(&inner, n, x, out);
}

static void gelu_erf(const ff_kernels *kernels, size_t n, const float *x, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.gelu_erf(&inner, n, x, out);
}

static void add_gated(const ff_kernels *kernels, size_t rows, size_t n, const float *y, ff_groups groups,
                      const float *gate, float *hidden)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.add_gated(&inner, rows, n, y, groups, gate, hidden);
}

static void guidance(const ff_kernels *kernels, size_t n, const float *conditional, const float *unconditional, float g,
                     float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.guidance(&inner, n, conditional, unconditional, g, out);
}

static void combine(const ff_kernels *kernels, size_t n, size_t terms, const float *const *x, const float *k,
                    float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.combine(&inner, n, terms, x, k, out);
}

static void copy(const ff_kernels *kernels, size_t n, const float *x, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.copy(&inner, n, x, out);
}

static void average_down(const ff_kernels *kernels, const ff_average_down *p)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.average_down(&inner, p);
}

static void repeat_up(const ff_kernels *kernels, const ff_repeat_up *p)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.repeat_up(&inner, p);
}

static void double_size(const ff_kernels *kernels, const ff_double_size *p)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.double_size(&inner, p);
}

static double multiply_adds(const ff_kernels *kernels, size_t rounds, float *sum)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    return inner.multiply_adds(&inner, rounds, sum);
}

ff_kernels ff_kernels_wrap(const ff_kernels *inner, void *user)
{
    return (ff_kernels){
        .name = inner->name, .scratch = inner->scratch, .inner = inner, .user = user,
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
        .copy = copy,
        .average_down = average_down,
        .repeat_up = repeat_up,
        .double_size = double_size,
        .multiply_adds = multiply_adds,
    };
}

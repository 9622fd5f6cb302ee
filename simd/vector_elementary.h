// Elementary functions of vectors: the operations of ref/kernels/elementary.h, in the same order, hence the same bits.
// What each step is for stands there.
#ifndef FF_SIMD_ELEMENTARY_H
#define FF_SIMD_ELEMENTARY_H

#include "../ref/kernels/elementary.h"
#include "vector.h"

// One step of a polynomial: p x + c.
static inline vec vec_horner(vec p, vec x, float c)
{
    return vec_fma(p, x, vec_set(c));
}

static inline vec vec_abs(vec a)
{
    return vec_from_bits(ivec_and(vec_bits(a), ivec_set(0x7FFFFFFFu)));
}

static inline vec vec_negate(vec a)
{
    return vec_from_bits(ivec_xor(vec_bits(a), ivec_set(0x80000000u)));
}

// The sign bit of `sign` on |a|.
static inline vec vec_signed(vec a, vec sign)
{
    return vec_from_bits(ivec_or(vec_bits(vec_abs(a)), ivec_and(vec_bits(sign), ivec_set(0x80000000u))));
}

// 2^exponent.
static inline vec vec_power(ivec exponent)
{
    return vec_from_bits(ivec_shift_left(ivec_add(exponent, ivec_set(127)), 23));
}

// x = k ln 2 + r: returns r.
static inline vec vec_reduce(vec x, ivec *exponent)
{
    vec rounded = vec_fma(x, vec_set(FF_LOG2_E), vec_set(FF_ROUNDING));
    *exponent = ivec_sub(vec_bits(rounded), vec_bits(vec_set(FF_ROUNDING)));
    vec k = vec_sub(rounded, vec_set(FF_ROUNDING));
    vec r = vec_fma(k, vec_set(-0x1.62e4p-1f), x);
    return vec_fma(k, vec_set(-0x1.7f7d1cp-20f), r);
}

// e^r, |r| <= ln(2) / 2.
static inline vec vec_exp_reduced(vec r)
{
    vec p = vec_set(0x1.6d7a5cp-10f);
    p = vec_horner(p, r, 0x1.123992p-7f);
    p = vec_horner(p, r, 0x1.5554c0p-5f);
    p = vec_horner(p, r, 0x1.555492p-3f);
    p = vec_horner(p, r, 0.5f);
    p = vec_horner(p, r, 1.0f);
    return vec_horner(p, r, 1.0f);
}

static inline vec vec_exp(vec x)
{
    x = vec_min(vec_set(89.0f), x);
    x = vec_max(vec_set(-104.0f), x);
    ivec k;
    vec r = vec_reduce(x, &k);
    ivec half = ivec_shift_right_signed(k, 1);
    return vec_mul(vec_mul(vec_exp_reduced(r), vec_power(half)), vec_power(ivec_sub(k, half)));
}

// For |x| <= 87.
static inline vec vec_exp_moderate(vec x)
{
    ivec k;
    vec r = vec_reduce(x, &k);
    return vec_mul(vec_exp_reduced(r), vec_power(k));
}

static inline vec vec_tanh(vec x)
{
    vec magnitude = vec_abs(x);
    vec square = vec_mul(magnitude, magnitude);
    vec p = vec_set(-0x1.93fb7ap-8f);
    p = vec_horner(p, square, 0x1.5804e4p-6f);
    p = vec_horner(p, square, -0x1.b90498p-5f);
    p = vec_horner(p, square, 0x1.110c5ap-3f);
    p = vec_horner(p, square, -0x1.555548p-2f);
    vec small = vec_fma(magnitude, vec_mul(square, p), magnitude);
    vec bounded = vec_min(vec_set(10.0f), magnitude);
    vec power = vec_exp_moderate(vec_mul(vec_set(2.0f), bounded));
    vec large = vec_sub(vec_set(1.0f), vec_div(vec_set(2.0f), vec_add(power, vec_set(1.0f))));
    return vec_signed(vec_select(vec_less(magnitude, vec_set(0.5625f)), small, large), x);
}

static inline vec vec_erf(vec x)
{
    vec magnitude = vec_abs(x);
    vec square = vec_mul(magnitude, magnitude);
    vec p = vec_set(0x1.4c344ep-14f);
    p = vec_horner(p, square, -0x1.a50b0ep-11f);
    p = vec_horner(p, square, 0x1.542e10p-8f);
    p = vec_horner(p, square, -0x1.b7fe90p-6f);
    p = vec_horner(p, square, 0x1.ce2d50p-4f);
    p = vec_horner(p, square, -0x1.812740p-2f);
    p = vec_horner(p, square, 0x1.06eba8p-3f);
    vec small = vec_fma(magnitude, p, magnitude);
    vec bounded = vec_min(vec_set(4.0f), magnitude);
    vec q = vec_set(0x1.fd30ccp-19f);
    q = vec_horner(q, bounded, -0x1.0769f4p-15f);
    q = vec_horner(q, bounded, -0x1.024f32p-13f);
    q = vec_horner(q, bounded, 0x1.9b3e4ep-9f);
    q = vec_horner(q, bounded, -0x1.791c8ep-6f);
    q = vec_horner(q, bounded, 0x1.b084fep-4f);
    q = vec_horner(q, bounded, 0x1.4559a4p-1f);
    q = vec_horner(q, bounded, 0x1.20eb52p0f);
    vec large = vec_sub(vec_set(1.0f), vec_exp_moderate(vec_negate(vec_mul(bounded, q))));
    return vec_signed(vec_select(vec_less(magnitude, vec_set(1.0f)), small, large), x);
}

// x / (1 + e^-x)
static inline vec vec_silu(vec x)
{
    return vec_div(x, vec_add(vec_set(1.0f), vec_exp(vec_negate(x))));
}

// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
static inline vec vec_gelu_tanh(vec x)
{
    vec cube = vec_mul(vec_mul(x, x), x);
    vec inner = vec_mul(vec_set(0.7978845608028654f), vec_add(x, vec_mul(vec_set(0.044715f), cube)));
    return vec_mul(vec_mul(vec_set(0.5f), x), vec_add(vec_set(1.0f), vec_tanh(inner)));
}

#endif

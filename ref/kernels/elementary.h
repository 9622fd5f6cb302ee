// Elementary functions on float as straight-line code: fma, + - * /, comparisons that select, casts of bits, 32-bit
// integer arithmetic. A vector unit that runs the same operations in the same order gets the same bits. Rounding to an
// integer adds and takes away 1.5 * 2^23, which leaves the integer in the low bits of the sum as well.
// Coefficients: tools/golden/polynomials.py.   Worst errors: mathematics.c.
#ifndef FF_ELEMENTARY_H
#define FF_ELEMENTARY_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define FF_ROUNDING 0x1.8p23f
#define FF_LOG2_E 0x1.715476p0f

static inline uint32_t ff_elementary_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float ff_elementary_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// The sign bit of `sign` on |x|.
static inline float ff_elementary_signed(float x, float sign)
{
    return ff_elementary_float((ff_elementary_bits(x) & 0x7FFFFFFFu) | (ff_elementary_bits(sign) & 0x80000000u));
}

// 2^exponent, for exponents of normal numbers given in two's complement.
static inline float ff_elementary_power(uint32_t exponent)
{
    return ff_elementary_float((exponent + 127u) << 23);
}

// x = k ln 2 + r, |r| <= ln(2) / 2: returns r and leaves k in *exponent. The product k * 0x1.62e4p-1 is exact.
static inline float ff_elementary_reduce(float x, uint32_t *exponent)
{
    float rounded = fmaf(x, FF_LOG2_E, FF_ROUNDING);
    *exponent = ff_elementary_bits(rounded) - ff_elementary_bits(FF_ROUNDING);
    float k = rounded - FF_ROUNDING;
    float r = fmaf(k, -0x1.62e4p-1f, x);
    return fmaf(k, -0x1.7f7d1cp-20f, r);
}

// e^r, |r| <= ln(2) / 2.
static inline float ff_elementary_exp_reduced(float r)
{
    float p = 0x1.6d7a5cp-10f;
    p = fmaf(p, r, 0x1.123992p-7f);
    p = fmaf(p, r, 0x1.5554c0p-5f);
    p = fmaf(p, r, 0x1.555492p-3f);
    p = fmaf(p, r, 0.5f);
    p = fmaf(p, r, 1.0f);
    return fmaf(p, r, 1.0f);
}

// e^x. 2^k is applied in two factors, so that only the last product can round (subnormals) or overflow.
static inline float ff_elementary_exp(float x)
{
    x = 89.0f < x ? 89.0f : x;
    x = -104.0f > x ? -104.0f : x;
    uint32_t k;
    float r = ff_elementary_reduce(x, &k);
    uint32_t half = (uint32_t)((int32_t)k >> 1);
    return ff_elementary_exp_reduced(r) * ff_elementary_power(half) * ff_elementary_power(k - half);
}

// e^x for |x| <= 87.
static inline float ff_elementary_exp_moderate(float x)
{
    uint32_t k;
    float r = ff_elementary_reduce(x, &k);
    return ff_elementary_exp_reduced(r) * ff_elementary_power(k);
}

// e^x - 1 = 2 (h e^r + h - 1/2) with h = 2^(k-1), which e^89 does not overflow. From -18 down the result is -1.
static inline float ff_elementary_expm1(float x)
{
    float y = 89.0f < x ? 89.0f : x;
    y = -18.0f > y ? -18.0f : y;
    uint32_t k;
    float r = ff_elementary_reduce(y, &k);
    float half = ff_elementary_power(k - 1u);
    float p = 0x1.a24770p-13f;
    p = fmaf(p, r, 0x1.6d3c88p-10f);
    p = fmaf(p, r, 0x1.111002p-7f);
    p = fmaf(p, r, 0x1.5554f6p-5f);
    p = fmaf(p, r, 0x1.555556p-3f);
    p = fmaf(p, r, 0.5f);
    float leading = fmaf(half, r, half - 0.5f);
    float result = 2.0f * fmaf(half * (r * r), p, leading);
    return fabsf(x) < 0x1p-25f ? x : result;
}

// Below 0.5625 a polynomial, from there on 1 - 2 / (e^2|x| + 1).
static inline float ff_elementary_tanh(float x)
{
    float magnitude = fabsf(x);
    float square = magnitude * magnitude;
    float p = -0x1.93fb7ap-8f;
    p = fmaf(p, square, 0x1.5804e4p-6f);
    p = fmaf(p, square, -0x1.b90498p-5f);
    p = fmaf(p, square, 0x1.110c5ap-3f);
    p = fmaf(p, square, -0x1.555548p-2f);
    float small = fmaf(magnitude, square * p, magnitude);
    float bounded = 10.0f < magnitude ? 10.0f : magnitude;
    float large = 1.0f - 2.0f / (ff_elementary_exp_moderate(2.0f * bounded) + 1.0f);
    return ff_elementary_signed(magnitude < 0.5625f ? small : large, x);
}

// Below 1 a polynomial, from there on 1 - e^-(|x| p(|x|)).
static inline float ff_elementary_erf(float x)
{
    float magnitude = fabsf(x);
    float square = magnitude * magnitude;
    float p = 0x1.4c344ep-14f;
    p = fmaf(p, square, -0x1.a50b0ep-11f);
    p = fmaf(p, square, 0x1.542e10p-8f);
    p = fmaf(p, square, -0x1.b7fe90p-6f);
    p = fmaf(p, square, 0x1.ce2d50p-4f);
    p = fmaf(p, square, -0x1.812740p-2f);
    p = fmaf(p, square, 0x1.06eba8p-3f);
    float small = fmaf(magnitude, p, magnitude);
    float bounded = 4.0f < magnitude ? 4.0f : magnitude;
    float q = 0x1.fd30ccp-19f;
    q = fmaf(q, bounded, -0x1.0769f4p-15f);
    q = fmaf(q, bounded, -0x1.024f32p-13f);
    q = fmaf(q, bounded, 0x1.9b3e4ep-9f);
    q = fmaf(q, bounded, -0x1.791c8ep-6f);
    q = fmaf(q, bounded, 0x1.b084fep-4f);
    q = fmaf(q, bounded, 0x1.4559a4p-1f);
    q = fmaf(q, bounded, 0x1.20eb52p0f);
    float large = 1.0f - ff_elementary_exp_moderate(-(bounded * q));
    return ff_elementary_signed(magnitude < 1.0f ? small : large, x);
}

// log x = e ln 2 + log(1 + f), 1 + f in [2/3, 4/3). Minus infinity at 0, NaN below.
static inline float ff_elementary_log(float x)
{
    float normal = x < 0x1p-126f ? x * 0x1p23f : x;
    float subnormal_exponent = x < 0x1p-126f ? -23.0f : 0.0f;
    uint32_t bits = ff_elementary_bits(normal);
    int32_t exponent = (int32_t)(bits - 0x3F2AAAABu) >> 23;
    float f = ff_elementary_float(bits - ((uint32_t)exponent << 23)) - 1.0f;
    float e = (float)exponent + subnormal_exponent;
    float p = -0x1.07ab70p-3f;
    p = fmaf(p, f, 0x1.1e72a0p-3f);
    p = fmaf(p, f, -0x1.f33c0ap-4f);
    p = fmaf(p, f, 0x1.1ed452p-3f);
    p = fmaf(p, f, -0x1.559c30p-3f);
    p = fmaf(p, f, 0x1.99d05cp-3f);
    p = fmaf(p, f, -0x1.fffefap-3f);
    p = fmaf(p, f, 0x1.555506p-2f);
    p = fmaf(p, f, -0.5f);
    float tail = fmaf(f * f, p, e * -0x1.05c610p-29f);
    float result = fmaf(e, 0x1.62e430p-1f, f + tail);
    result = x == INFINITY ? x : result;
    result = x == 0.0f ? -INFINITY : result;
    return x >= 0.0f ? result : NAN;
}

// x = n pi/2 + r, 0 <= x <= 2^20, |r| a little over pi/4: returns r and leaves n mod 4 in the low bits of *quadrant.
// The first step is exact; pi/2 in three parts covers 72 bits. r is NaN beyond 2^20.
static inline float ff_elementary_reduce_angle(float x, uint32_t *quadrant)
{
    x = x <= 0x1p20f ? x : NAN;
    float rounded = fmaf(x, 0x1.45f306p-1f, FF_ROUNDING);
    *quadrant = ff_elementary_bits(rounded);
    float n = rounded - FF_ROUNDING;
    float r = fmaf(n, -0x1.921fb6p0f, x);
    r = fmaf(n, 0x1.777a5cp-25f, r);
    return fmaf(n, 0x1.ee59dap-50f, r);
}

// sin(r + quadrant pi/2).
static inline float ff_elementary_quadrant(float r, uint32_t quadrant)
{
    float square = r * r;
    float s = -0x1.98d3dcp-13f;
    s = fmaf(s, square, 0x1.1105f4p-7f);
    s = fmaf(s, square, -0x1.555542p-3f);
    float sine = fmaf(r * square, s, r);
    float c = 0x1.998e5ep-16f;
    c = fmaf(c, square, -0x1.6c0aeep-10f);
    c = fmaf(c, square, 0x1.555548p-5f);
    c = fmaf(c, square, -0.5f);
    float cosine = fmaf(c, square, 1.0f);
    float result = (quadrant & 1u) == 0u ? sine : cosine;
    return ff_elementary_float(ff_elementary_bits(result) ^ ((quadrant & 2u) << 30));
}

// |x| <= 2^20; NaN beyond.
static inline float ff_elementary_sin(float x)
{
    uint32_t quadrant;
    float r = ff_elementary_reduce_angle(fabsf(x), &quadrant);
    float result = ff_elementary_quadrant(r, quadrant);
    return ff_elementary_float(ff_elementary_bits(result) ^ (ff_elementary_bits(x) & 0x80000000u));
}

// |x| <= 2^20; NaN beyond.
static inline float ff_elementary_cos(float x)
{
    uint32_t quadrant;
    float r = ff_elementary_reduce_angle(fabsf(x), &quadrant);
    return ff_elementary_quadrant(r, quadrant + 1u);
}

#endif

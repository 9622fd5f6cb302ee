// What the scalar kernels compute sums, products and elementwise formulas in: float, or double with FF_DOUBLE. PREFIX
// begins the name of the table.
#ifndef FF_REAL_H
#define FF_REAL_H

#include "elementary.h"
#include "mathematics.h"

#include <math.h>

#ifdef FF_DOUBLE

typedef double real;
#define PREFIX ""

static inline real fused(real a, real b, real c)
{
    return a * b + c;  // the product of two floats is exact
}

static inline real root_of(real x)
{
    return sqrt(x);
}

static inline real exp_of(real x)
{
    return ff_exp(x);
}

static inline real tanh_of(real x)
{
    real e = ff_expm1(2 * (fabs(x) < 20 ? fabs(x) : 20));
    return copysign(e / (e + 2), x);
}

// 2 / sqrt(pi) e^-x^2 (x + 2 x^3 / 3 + 4 x^5 / 15 + ...), all of one sign; 1 to within a double from 6 on.
static inline real erf_of(real x)
{
    real bounded = fabs(x) < 6 ? fabs(x) : 6, term = bounded, sum = bounded;
    for (int n = 1; term > sum * 0x1p-54; n++) {
        term *= 2 * bounded * bounded / (2 * n + 1);
        sum += term;
    }
    return isnan(x) ? x : copysign(1.1283791670955126 * ff_exp(-bounded * bounded) * sum, x);
}

#else

typedef float real;
#define PREFIX "scalar-"

static inline real fused(real a, real b, real c)
{
    return fmaf(a, b, c);
}

static inline real root_of(real x)
{
    return sqrtf(x);
}

static inline real exp_of(real x)
{
    return ff_elementary_exp(x);
}

static inline real tanh_of(real x)
{
    return ff_elementary_tanh(x);
}

static inline real erf_of(real x)
{
    return ff_elementary_erf(x);
}

#endif

#endif

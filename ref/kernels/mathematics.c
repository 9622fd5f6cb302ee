// Elementary functions without libm (but for fma): the float ones are elementary.h's, called by name; the double ones
// serve host mathematics, where accuracy counts and time does not.
//
// Worst errors in units in the last place:
//     float, over all 2^32 arguments     exp 0.91  expm1 1.24  tanh 1.53  erf 1.07  log 0.89  sin 1.67  cos 1.81
//     double, 3 10^7 random arguments    exp 0.76  expm1 0.90  log 0.51  log1p 0.67  sin 0.78  cos 0.78  pow 0.60
#include "mathematics.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "elementary.h"

float ff_expf(float x) { return ff_elementary_exp(x); }
float ff_expm1f(float x) { return ff_elementary_expm1(x); }
float ff_tanhf(float x) { return ff_elementary_tanh(x); }
float ff_erff(float x) { return ff_elementary_erf(x); }
float ff_logf(float x) { return ff_elementary_log(x); }
float ff_sinf(float x) { return ff_elementary_sin(x); }
float ff_cosf(float x) { return ff_elementary_cos(x); }

// An unevaluated sum: |low| is at most about half a unit in the last place of high.
typedef struct double_double {
    double high, low;
} double_double;

// a + b exactly, for any a and b.
static double_double add_exactly(double a, double b)
{
    double sum = a + b;
    double b_part = sum - a;
    return (double_double){sum, (a - (sum - b_part)) + (b - b_part)};
}

// a * b to about 2^-104.
static double_double multiply(double_double a, double_double b)
{
    double high = a.high * b.high;
    double low = fma(a.high, b.high, -high) + (a.high * b.low + a.low * b.high);
    return add_exactly(high, low);
}

// 2^exponent for a normal result.
static double power_of_two(int exponent)
{
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// x = 2^exponent * m with m in [sqrt(1/2), sqrt(2)), x positive and finite: returns m.
static double split(double x, int *exponent)
{
    int scaled = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        scaled = -54;
    }
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint64_t root_half = 0x3FE6A09E667F3BCD;
    int e = (int)((int64_t)(bits - root_half) >> 52);
    bits -= (uint64_t)e << 52;
    memcpy(&x, &bits, sizeof x);
    *exponent = e + scaled;
    return x;
}

// log x to about 2^-63 of its size, x positive and finite: e ln 2 + 2 (z + z^3/3 + z^5/5 + ...), z = (m - 1)/(m + 1).
static double_double logarithm(double x)
{
    int exponent;
    double m = split(x, &exponent);
    double f = m - 1;
    double_double d = add_exactly(m, 1);
    double quotient = f / d.high;
    double_double z = {quotient, (fma(-quotient, d.high, f) - quotient * d.low) / d.high};
    double_double square = multiply(z, z);
    double_double cube = multiply(z, square);
    double_double third = multiply(cube, (double_double){0x1.5555555555555p-2, 0x1.5555555555555p-56});
    double series = 0;
    for (int n = 27; n >= 5; n -= 2)
        series = fma(series, square.high, 1.0 / n);
    double tail = cube.high * square.high * series;

    double_double sum = add_exactly(2 * z.high, 2 * third.high);
    double_double ln2 = add_exactly(exponent * 0x1.62e42fefa38p-1, sum.high);  // 42 bits: the product is exact
    double low = sum.low + 2 * (z.low + (third.low + tail));
    return add_exactly(ln2.high, ln2.low + (low + exponent * 0x1.ef35793c7673p-45));
}

// x + tail = k ln 2 + r.high + r.low with |r| <= ln(2)/2 or a little more.
static double_double reduce(double x, double tail, int *k)
{
    double rounded = fma(x, 0x1.71547652b82fep0, 0x1.8p52) - 0x1.8p52;
    *k = (int)rounded;
    double_double r = add_exactly(fma(rounded, -0x1.62e42fefa38p-1, x), -rounded * 0x1.ef35793c7673p-45);
    return add_exactly(r.high, r.low + tail);
}

// e^(r.high + r.low) - 1 - r.high, by Taylor's series to the 14th power.
static double exponential_tail(double_double r)
{
    double p = 0;
    static const double factorial[] = {2, 6, 24, 120, 720, 5040, 40320, 362880, 3628800, 39916800, 479001600,
                                       6227020800, 87178291200};
    for (int i = 12; i >= 0; i--)
        p = fma(p, r.high, 1 / factorial[i]);
    return fma(r.high * r.high, p, fma(r.low, r.high, r.low));
}

// e^(x + tail), |tail| small beside 1.
static double exponential(double x, double tail)
{
    if (x > 710)
        return INFINITY;
    if (x < -746)
        return 0;
    if (x != x)
        return x;
    int k;
    double_double r = reduce(x, tail, &k);
    double_double leading = add_exactly(1, r.high);
    double y = leading.high + (leading.low + exponential_tail(r));
    int half = k / 2;
    return y * power_of_two(half) * power_of_two(k - half);
}

double ff_exp(double x)
{
    return exponential(x, 0);
}

double ff_expm1(double x)
{
    if (fabs(x) < 0x1p-54 || x != x)
        return x;
    if (x > 710)
        return INFINITY;
    if (x < -40)
        return -1;
    int k;
    double_double r = reduce(x, 0, &k);
    double half = power_of_two(k - 1);  // halves, because 2^1024 is no double
    double_double leading = add_exactly(half, -0.5);
    double_double sum = add_exactly(leading.high, half * r.high);
    return 2 * (sum.high + (sum.low + (leading.low + half * exponential_tail(r))));
}

double ff_log(double x)
{
    if (x == 0)
        return -INFINITY;
    if (!(x > 0))
        return NAN;
    if (x == INFINITY)
        return x;
    return logarithm(x).high;
}

double ff_log1p(double x)
{
    if (fabs(x) < 0x1p-54 || x != x || x == INFINITY)
        return x;
    if (x <= -1)
        return x == -1 ? -INFINITY : NAN;
    double_double sum = add_exactly(1, x);
    double_double y = logarithm(sum.high);
    return y.high + (y.low + sum.low / sum.high);
}

double ff_pow(double x, double y)
{
    if (!(x > 0 && x < INFINITY) || y != y)
        return NAN;
    double_double logarithm_x = logarithm(x);
    double high = y * logarithm_x.high;
    if (!(fabs(high) < 800))
        return logarithm_x.high == 0 ? 1 : high > 0 ? INFINITY : 0;
    return exponential(high, fma(y, logarithm_x.high, -high) + y * logarithm_x.low);
}

// |x| = n pi/2 + r.high + r.low, |r| <= pi/4 or a little more, |x| <= 2^30. The first step is exact.
static double_double reduce_angle(double x, unsigned *quadrant)
{
    double n = fma(x, 0x1.45f306dc9c883p-1, 0x1.8p52) - 0x1.8p52;
    *quadrant = (unsigned)n;
    double first = fma(n, -0x1.921fb54442d18p0, x);
    double second = n * 0x1.1a62633145c07p-54;
    double_double r = add_exactly(first, -second);
    double low = r.low - fma(n, 0x1.1a62633145c07p-54, -second) - n * -0x1.f1976b7ed8fbcp-110;
    return add_exactly(r.high, low);
}

// sin(r + quadrant pi/2), by Taylor's series to the 19th power.
static double sine(double_double r, unsigned quadrant)
{
    double square = r.high * r.high, result;
    if (quadrant & 1) {
        double p = 0;
        for (int n = 18; n >= 4; n -= 2)
            p = fma(p, -square / ((n + 1) * (n + 2)), 1);  // 4!/n! square^((n-4)/2), alternating
        double half = 0.5 * square;
        double_double leading = add_exactly(1, -half);
        double half_error = 0.5 * fma(r.high, r.high, -square);
        result = leading.high + (leading.low + (square * square / 24 * p - half_error - r.high * r.low));
    } else {
        double p = 0;
        for (int n = 19; n >= 3; n -= 2)
            p = fma(p, -square / ((n + 1) * (n + 2)), 1);
        result = r.high + (-r.high * square / 6 * p + fma(-0.5 * square, r.low, r.low));
    }
    return quadrant & 2 ? -result : result;
}

double ff_sin(double x)
{
    if (!(fabs(x) <= 0x1p30))
        return NAN;
    if (fabs(x) < 0x1p-27)
        return x;
    unsigned quadrant;
    double_double r = reduce_angle(fabs(x), &quadrant);
    return x < 0 ? -sine(r, quadrant) : sine(r, quadrant);
}

double ff_cos(double x)
{
    if (!(fabs(x) <= 0x1p30))
        return NAN;
    unsigned quadrant;
    double_double r = reduce_angle(fabs(x), &quadrant);
    return sine(r, quadrant + 1);
}

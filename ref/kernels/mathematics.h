// Elementary functions, ours so that every machine computes the same bits. The float ones are straight-line code a
// vector unit can follow: the same operations in the same order, no table, no branch that changes the result.
// Worst errors over all floats (for double: over a dense sample) are stated in mathematics.c. fma here is fmaf/fma of
// the C library or the CPU's instruction: both are correctly rounded.
#ifndef FF_MATHEMATICS_H
#define FF_MATHEMATICS_H

float ff_expf(float x);
float ff_expm1f(float x);
float ff_tanhf(float x);
float ff_erff(float x);
float ff_logf(float x);
float ff_sinf(float x);   // |x| <= 2^20
float ff_cosf(float x);

double ff_exp(double x);
double ff_log(double x);
double ff_log1p(double x);
double ff_expm1(double x);
double ff_sin(double x);  // |x| <= 2^30
double ff_cos(double x);
double ff_pow(double x, double y);  // x positive and finite, else NaN

#endif

// Whether computed values are still numbers. Once one is NaN or infinite, what is computed from it means nothing, and
// the last rounding to bytes would hide that behind black pixels.
#ifndef FF_FINITE_H
#define FF_FINITE_H

#include "tensor.h"

// How many of x: [n] are NaN or infinite.
size_t ff_count_not_finite(size_t n, const float *x);

// FF_ERROR_NOT_FINITE unless all of x: [n] are finite, with the sentence "PLACE: 3 of 4096 values are NaN or infinite".
// place_format: a printf format for where x was computed ("call.000.block.07"), in a dump's name where it has one
ff_status ff_check_finite(size_t n, const float *x, ff_error *error, const char *place_format, ...)
    __attribute__((format(printf, 4, 5)));

// The same question of a floating-point weight, as it is stored.
bool ff_weight_is_finite(const ff_weight *weight);

#endif

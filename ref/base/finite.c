#include "finite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ALONE ((size_t)1 << 18)  // fewer values are looked at by one thread
#define RUN ((size_t)1 << 12)    // values between two looks at the outcome

// The values' exponents all of ones, and only they, mean NaN or infinity.
static size_t count_in_run(size_t n, const float *x)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        count += (bits & 0x7f800000u) == 0x7f800000u;
    }
    return count;
}

size_t ff_count_not_finite(size_t n, const float *x)
{
    size_t count = 0, runs = n / RUN;
#pragma omp parallel for reduction(+ : count) if (n > ALONE)
    for (size_t run = 0; run < runs; run++)
        count += count_in_run(RUN, x + run * RUN);
    return n > runs * RUN ? count + count_in_run(n - runs * RUN, x + runs * RUN) : count;
}

ff_status ff_check_finite(size_t n, const float *x, ff_error *error, const char *place_format, ...)
{
    char place[96];
    va_list arguments;
    size_t count = ff_count_not_finite(n, x);
    if (count == 0)
        return FF_OK;
    va_start(arguments, place_format);
    vsnprintf(place, sizeof place, place_format, arguments);
    va_end(arguments);
    return ff_fail(error, FF_ERROR_NOT_FINITE, "%s: %zu of %zu values are NaN or infinite", place, count, n);
}

bool ff_weight_is_finite(const ff_weight *weight)
{
    size_t n = 1, count = 0;
    for (int i = 0; i < weight->rank; i++)
        n *= weight->shape[i];
    if (weight->dtype == FF_F32)
        return ff_count_not_finite(n, weight->data) == 0;
    if (weight->dtype != FF_F16 && weight->dtype != FF_BF16)
        return true;
    const uint16_t *bits = weight->data, exponent = weight->dtype == FF_F16 ? 0x7c00 : 0x7f80;
#pragma omp parallel for reduction(+ : count) if (n > ALONE)
    for (size_t i = 0; i < n; i++)
        count += (bits[i] & exponent) == exponent;
    return count == 0;
}

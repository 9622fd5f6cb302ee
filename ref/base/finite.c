#include "finite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ALONE ((size_t)1 << 18)  // fewer values are looked at by one thread
#define RUN ((size_t)1 << 12)    // values between two looks at the outcome
#define RUN_DECODED ((size_t)256)  // elements of a weight that are decoded at once

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
    size_t row = ff_weight_row(weight), count = 0, rows = row ? ff_weight_elements(weight) / row : 0;
    if (!weight->dtype->decode)
        return true;
    if (weight->dtype == FF_F32 && !weight->scales)
        return ff_count_not_finite(rows * row, weight->data) == 0;
#pragma omp parallel for reduction(+ : count) if (rows * row > ALONE)
    for (size_t r = 0; r < rows; r++) {
        const ff_operand operand = ff_operand_from(ff_weight_operand(weight), r, row);
        float run[RUN_DECODED];
        for (size_t first = 0; first < row; first += RUN_DECODED) {
            size_t part = row - first < RUN_DECODED ? row - first : RUN_DECODED;
            ff_operand_decode(operand, first, part, run);
            count += count_in_run(part, run);
        }
    }
    return count == 0;
}

// The elementary functions of vectors against the scalar ones. Compiled once for each instruction set, as simd/ is.
#include "../simd/vector_elementary.h"

#include <math.h>

size_t FF_SIMD_NAME(ff_compare_elementary_)(int function, uint32_t first, uint32_t step, size_t count, uint32_t *bad);

// Compares exp, tanh or erf (function 0, 1 or 2) over the floats whose bits are first, first + step, ...
// Returns how many differ, and the bits of the last of them.
size_t FF_SIMD_NAME(ff_compare_elementary_)(int function, uint32_t first, uint32_t step, size_t count, uint32_t *bad)
{
    size_t differing = 0;
    for (size_t done = 0; done < count; done += VEC) {
        float x[VEC], fast[VEC];
        for (size_t lane = 0; lane < VEC; lane++)
            x[lane] = ff_elementary_float(first + (uint32_t)(done + lane) * step);
        vec v = vec_load(x);
        vec_store(fast, function == 0 ? vec_exp(v) : function == 1 ? vec_tanh(v) : vec_erf(v));
        for (size_t lane = 0; lane < VEC; lane++) {
            float expected = function == 0   ? ff_elementary_exp(x[lane])
                             : function == 1 ? ff_elementary_tanh(x[lane])
                                             : ff_elementary_erf(x[lane]);
            if (ff_elementary_bits(fast[lane]) != ff_elementary_bits(expected) &&
                !(isnan(fast[lane]) && isnan(expected))) {
                *bad = ff_elementary_bits(x[lane]);
                differing++;
            }
        }
    }
    return differing;
}

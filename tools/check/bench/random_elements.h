// Random numbers as elements of any type.
#ifndef FF_RANDOM_ELEMENTS_H
#define FF_RANDOM_ELEMENTS_H

#include "base/element.h"

// Uniform random numbers from -scale to scale; the same for the same first index, whatever the number of threads.
void ff_random_floats(uint64_t first, size_t count, float scale, float *out);

// Random elements of about this size, all finite, of a type that is decoded: blocks get random codes and sane scales.
//   count: of whole blocks
// Returns what the elements are to be multiplied by: 1 but for codes of a byte.
float ff_random_elements(uint64_t first, size_t count, ff_dtype dtype, float scale, void *out);

// The type of this name, in any case, among those that weights have; NULL: there is none.
ff_dtype ff_weight_type(const char *name);

#endif

// Numbers as elements of the types that convert writes.
#ifndef FF_ENCODE_H
#define FF_ENCODE_H

#include <stdbool.h>

#include "base/element.h"

// values: [count], of whole blocks   dtype: F32, F16, BF16 or Q8_0   out: ff_element_bytes(dtype, count) bytes
// F16 and BF16 round half to even, as numpy and torch do. Q8_0 as gguf-py: d = max|x| / 127, codes x * (1 / d) rounded
// half away from zero, d kept as F16.
// False: a block of Q8_0 has a value that is not finite, or too large for its d to be.
bool ff_encode(ff_dtype dtype, const float *values, size_t count, void *out);

#endif

// Base64 (RFC 4648), with padding.
#ifndef FF_BASE64_H
#define FF_BASE64_H

#include <stddef.h>

size_t ff_base64_length(size_t size);  // of `size` bytes, in characters
// out: [ff_base64_length(size) + 1], ended by a zero
void ff_base64_encode(const void *bytes, size_t size, char *out);

#endif

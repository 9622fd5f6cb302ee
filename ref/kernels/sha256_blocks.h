// The inner part of SHA-256, which processors have instructions for.
#ifndef FF_SHA256_BLOCKS_H
#define FF_SHA256_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
extern const uint32_t ff_sha256_constants[64];

// Takes blocks of 64 bytes into the state.
void ff_sha256_blocks_plain(uint32_t state[8], size_t blocks, const uint8_t *bytes);
// The same, with the processor's instructions for it if it has them. In simd/dispatch.c.
void ff_sha256_blocks(uint32_t state[8], size_t blocks, const uint8_t *bytes);

#endif

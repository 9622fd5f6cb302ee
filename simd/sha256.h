// SHA-256 with the processor's instructions for it.
#ifndef FF_SIMD_SHA256_H
#define FF_SIMD_SHA256_H

#include "../ref/kernels/sha256_blocks.h"

#if defined(__x86_64__) || defined(__aarch64__)
// Only for processors that have them: SHA and SSE4.1, or on AArch64 SHA2.
void ff_simd_sha256_blocks(uint32_t state[8], size_t blocks, const uint8_t *bytes);
#endif

#endif

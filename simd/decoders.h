// Decoders of quantised elements for one instruction set, with the bits of those in ref/kernels/blocks.h.
#ifndef FF_SIMD_DECODERS_H
#define FF_SIMD_DECODERS_H

#include "../ref/kernels/blocks.h"

// NULL: there is none for this type.
ff_decode *ff_simd_decoder_avx2(ff_block_type type);
ff_decode *ff_simd_decoder_avx512(ff_block_type type);
ff_decode *ff_simd_decoder_neon(ff_block_type type);

#endif

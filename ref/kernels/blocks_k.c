// Blocks of 256 in groups of 16 or 32 with a scale and perhaps a minimum each, both in units of the block's own d and
// dmin. What is static is the value of element i of a block.
#include "blocks.h"

// Two bits of element i of Q2_K and Q3_K: each half of 128 elements has 32 bytes, and these 32 elements at each shift.
static int two_bits(const uint8_t *qs, size_t i)
{
    size_t half = i / 128, shift = i / 32 % 4;
    return qs[half * 32 + i % 32] >> (2 * shift) & 3;
}

// Four bits of element i of Q4_K and Q5_K: each 64 elements have 32 bytes, 32 elements in the low halves of them.
static int nibble(const uint8_t *qs, size_t i)
{
    return qs[i / 64 * 32 + i % 32] >> (4 * (i / 32 % 2)) & 15;
}

// scales[16], qs[64], d, dmin: d (scale & 15) q - dmin (scale >> 4), a scale for each 16 elements
static float q2_k(const uint8_t *block, size_t i)
{
    const uint8_t *scales = block, *qs = block + 16;
    float d = ff_block_f16(block + 80), dmin = ff_block_f16(block + 82);
    int scale = scales[i / 16];
    return d * (float)(scale & 15) * (float)two_bits(qs, i) - dmin * (float)(scale >> 4);
}

void ff_decode_q2_k(const void *row, size_t first, size_t count, float *out)
{
    ff_decode_each(q2_k, FF_Q2_K_ELEMENTS, FF_Q2_K_BYTES, row, first, count, out);
}

// hmask[32], qs[64], scales[12], d: d scale (q - (h ? 0 : 4)), a scale for each 16 elements; h is bit i / 32 of byte
// i % 32
static float q3_k(const uint8_t *block, size_t i)
{
    const uint8_t *hmask = block, *qs = block + 32, *scales = block + 96;
    float d = ff_block_f16(block + 108);
    int h = hmask[i % 32] >> (i / 32) & 1;
    return d * (float)ff_block_scale_k3(scales, i / 16) * (float)(two_bits(qs, i) - (h ? 0 : 4));
}

void ff_decode_q3_k(const void *row, size_t first, size_t count, float *out)
{
    ff_decode_each(q3_k, FF_Q3_K_ELEMENTS, FF_Q3_K_BYTES, row, first, count, out);
}

// d, dmin, scales[12], qs[128]: d scale n - dmin minimum, both for each 32 elements
static float q4_k(const uint8_t *block, size_t i)
{
    const uint8_t *scales = block + 4, *qs = block + 16;
    float d = ff_block_f16(block), dmin = ff_block_f16(block + 2);
    float scale = (float)ff_block_scale_k4(scales, i / 32), minimum = (float)ff_block_minimum_k4(scales, i / 32);
    return d * scale * (float)nibble(qs, i) - dmin * minimum;
}

void ff_decode_q4_k(const void *row, size_t first, size_t count, float *out)
{
    ff_decode_each(q4_k, FF_Q4_K_ELEMENTS, FF_Q4_K_BYTES, row, first, count, out);
}

// d, dmin, scales[12], qh[32], qs[128]: as Q4_K with n | h << 4; h is bit i / 32 of byte i % 32
static float q5_k(const uint8_t *block, size_t i)
{
    const uint8_t *scales = block + 4, *qh = block + 16, *qs = block + 48;
    float d = ff_block_f16(block), dmin = ff_block_f16(block + 2);
    float scale = (float)ff_block_scale_k4(scales, i / 32), minimum = (float)ff_block_minimum_k4(scales, i / 32);
    int n = nibble(qs, i) | (qh[i % 32] >> (i / 32) & 1) << 4;
    return d * scale * (float)n - dmin * minimum;
}

void ff_decode_q5_k(const void *row, size_t first, size_t count, float *out)
{
    ff_decode_each(q5_k, FF_Q5_K_ELEMENTS, FF_Q5_K_BYTES, row, first, count, out);
}

// ql[128], qh[64], scales[16] i8, d: d scale ((l | h << 4) - 32), a scale for each 16 elements. Each half of 128
// elements has 64 bytes of ql, the first two quarters in the low halves of them, and 32 of qh, two bits a quarter.
static float q6_k(const uint8_t *block, size_t i)
{
    size_t half = i / 128, quarter = i / 32 % 4;
    const uint8_t *ql = block + half * 64, *qh = block + 128 + half * 32;
    float d = ff_block_f16(block + 208), scale = (float)(int8_t)block[192 + i / 16];
    int l = ql[i % 64] >> (4 * (quarter / 2)) & 15, h = qh[i % 32] >> (2 * quarter) & 3;
    return d * scale * (float)((l | h << 4) - 32);
}

void ff_decode_q6_k(const void *row, size_t first, size_t count, float *out)
{
    ff_decode_each(q6_k, FF_Q6_K_ELEMENTS, FF_Q6_K_BYTES, row, first, count, out);
}

// d, scales_h u16, scales_l[4], qs[128]: d scale level(n), a scale for each 32 elements, which have 16 bytes: 16
// elements in the low halves of them
static float iq4_xs(const uint8_t *block, size_t i)
{
    const uint8_t *qs = block + 8;
    float d = ff_block_f16(block), scale = (float)ff_block_scale_iq4_xs(block, i / 32);
    int n = qs[i / 32 * 16 + i % 16] >> (4 * (i / 16 % 2)) & 15;
    return d * scale * ff_block_levels[n];
}

void ff_decode_iq4_xs(const void *row, size_t first, size_t count, float *out)
{
    ff_decode_each(iq4_xs, FF_IQ4_XS_ELEMENTS, FF_IQ4_XS_BYTES, row, first, count, out);
}

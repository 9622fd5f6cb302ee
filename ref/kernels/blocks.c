// Blocks of 32 with a scale d and perhaps a minimum m, and codes of a byte. What is static is the value of element i of
// a block.
#include "blocks.h"

#include <math.h>

#define FF_FORMAT(name, suffix, ggml, elements, bytes) {{#name, elements, bytes, ff_decode_##suffix}, ggml},
const ff_block_format ff_block_formats[FF_BLOCK_TYPES] = {FF_FOR_BLOCK_TYPES(FF_FORMAT)};
#undef FF_FORMAT

const float ff_block_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// Four bits of element i of 32: the low halves of 16 bytes, then the high ones.
static int nibble(const uint8_t *qs, size_t i)
{
    return i < 16 ? qs[i] & 15 : qs[i - 16] >> 4;
}

// The bit of element i of 32 in a u32.
static int bit(const uint8_t *qh, size_t i)
{
    return qh[i / 8] >> (i % 8) & 1;
}

// d, qs[16]: d (n - 8)
static float q4_0(const uint8_t *block, size_t i)
{
    return ff_block_f16(block) * (float)(nibble(block + 2, i) - 8);
}

void ff_decode_q4_0(const void *row, size_t first, size_t count, float *out)
{
    ff_decode_each(q4_0, FF_Q4_0_ELEMENTS, FF_Q4_0_BYTES, row, first, count, out);
}

// d, m, qs[16]: d n + m
static float q4_1(const uint8_t *block, size_t i)
{
    return ff_block_f16(block) * (float)nibble(block + 4, i) + ff_block_f16(block + 2);
}

void ff_decode_q4_1(const void *row, size_t first, size_t count, float *out)
{
    ff_decode_each(q4_1, FF_Q4_1_ELEMENTS, FF_Q4_1_BYTES, row, first, count, out);
}

// d, qh u32, qs[16]: d ((n | bit << 4) - 16)
static float q5_0(const uint8_t *block, size_t i)
{
    int n = nibble(block + 6, i) | bit(block + 2, i) << 4;
    return ff_block_f16(block) * (float)(n - 16);
}

void ff_decode_q5_0(const void *row, size_t first, size_t count, float *out)
{
    ff_decode_each(q5_0, FF_Q5_0_ELEMENTS, FF_Q5_0_BYTES, row, first, count, out);
}

// d, m, qh u32, qs[16]: d (n | bit << 4) + m
static float q5_1(const uint8_t *block, size_t i)
{
    int n = nibble(block + 8, i) | bit(block + 4, i) << 4;
    return ff_block_f16(block) * (float)n + ff_block_f16(block + 2);
}

void ff_decode_q5_1(const void *row, size_t first, size_t count, float *out)
{
    ff_decode_each(q5_1, FF_Q5_1_ELEMENTS, FF_Q5_1_BYTES, row, first, count, out);
}

// d, qs[32] i8: d q
static float q8_0(const uint8_t *block, size_t i)
{
    return ff_block_f16(block) * (float)(int8_t)block[2 + i];
}

void ff_decode_q8_0(const void *row, size_t first, size_t count, float *out)
{
    ff_decode_each(q8_0, FF_Q8_0_ELEMENTS, FF_Q8_0_BYTES, row, first, count, out);
}

// d, qs[16]: d level(n)
static float iq4_nl(const uint8_t *block, size_t i)
{
    return ff_block_f16(block) * ff_block_levels[nibble(block + 2, i)];
}

void ff_decode_iq4_nl(const void *row, size_t first, size_t count, float *out)
{
    ff_decode_each(iq4_nl, FF_IQ4_NL_ELEMENTS, FF_IQ4_NL_BYTES, row, first, count, out);
}

// A sign, 4 bits of exponent with bias 7, 3 of fraction: (1 + fraction / 8) 2^(exponent - 7), and for exponent 0
// fraction / 8 2^-6. NaN where all ones follow the sign; no infinities.
static float f8_e4m3(const uint8_t *code, size_t i)
{
    int exponent = *code >> 3 & 15, fraction = *code & 7;
    float magnitude = exponent ? (float)((8 + fraction) << exponent) * 0x1p-10f : (float)fraction * 0x1p-9f;
    if ((*code & 127) == 127)
        return NAN;
    return *code >> 7 ? -magnitude : magnitude;
}

void ff_decode_f8_e4m3(const void *row, size_t first, size_t count, float *out)
{
    ff_decode_each(f8_e4m3, FF_F8_E4M3_ELEMENTS, FF_F8_E4M3_BYTES, row, first, count, out);
}

// The upper byte of an f16.
static float f8_e5m2(const uint8_t *code, size_t i)
{
    return ff_widen_f16((uint16_t)(*code << 8));
}

void ff_decode_f8_e5m2(const void *row, size_t first, size_t count, float *out)
{
    ff_decode_each(f8_e5m2, FF_F8_E5M2_ELEMENTS, FF_F8_E5M2_BYTES, row, first, count, out);
}

static float i8(const uint8_t *code, size_t i)
{
    return (float)(int8_t)*code;
}

void ff_decode_i8(const void *row, size_t first, size_t count, float *out)
{
    ff_decode_each(i8, FF_I8_ELEMENTS, FF_I8_BYTES, row, first, count, out);
}

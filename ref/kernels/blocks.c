// Blocks of 32 with a scale d and perhaps a minimum m, and codes of a byte. Each function is the value of element i.
#include "blocks.h"

#include <math.h>

#define FF_FORMAT(name, suffix, ggml, elements, bytes) {#name, ggml, elements, bytes, ff_decode_##suffix},
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

// d, m, qs[16]: d n + m
static float q4_1(const uint8_t *block, size_t i)
{
    return ff_block_f16(block) * (float)nibble(block + 4, i) + ff_block_f16(block + 2);
}

// d, qh u32, qs[16]: d ((n | bit << 4) - 16)
static float q5_0(const uint8_t *block, size_t i)
{
    int n = nibble(block + 6, i) | bit(block + 2, i) << 4;
    return ff_block_f16(block) * (float)(n - 16);
}

// d, m, qh u32, qs[16]: d (n | bit << 4) + m
static float q5_1(const uint8_t *block, size_t i)
{
    int n = nibble(block + 8, i) | bit(block + 4, i) << 4;
    return ff_block_f16(block) * (float)n + ff_block_f16(block + 2);
}

// d, qs[32] i8: d q
static float q8_0(const uint8_t *block, size_t i)
{
    return ff_block_f16(block) * (float)(int8_t)block[2 + i];
}

// d, qs[16]: d level(n)
static float iq4_nl(const uint8_t *block, size_t i)
{
    return ff_block_f16(block) * ff_block_levels[nibble(block + 2, i)];
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

// The upper byte of an f16.
static float f8_e5m2(const uint8_t *code, size_t i)
{
    return ff_widen_f16((uint16_t)(*code << 8));
}

static float i8(const uint8_t *code, size_t i)
{
    return (float)(int8_t)*code;
}

FF_DECODE_BY_ELEMENT(Q4_0, q4_0)
FF_DECODE_BY_ELEMENT(Q4_1, q4_1)
FF_DECODE_BY_ELEMENT(Q5_0, q5_0)
FF_DECODE_BY_ELEMENT(Q5_1, q5_1)
FF_DECODE_BY_ELEMENT(Q8_0, q8_0)
FF_DECODE_BY_ELEMENT(IQ4_NL, iq4_nl)
FF_DECODE_BY_ELEMENT(F8_E4M3, f8_e4m3)
FF_DECODE_BY_ELEMENT(F8_E5M2, f8_e5m2)
FF_DECODE_BY_ELEMENT(I8, i8)

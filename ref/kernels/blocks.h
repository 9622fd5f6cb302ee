// Elements of quantised weights as f32: blocks of small codes that share scales, and single codes of a byte.
//
// A row of a weight is whole blocks, one after the other, little endian. The layouts are those of ggml and of
// the OCP 8-bit formats (Micikevicius et al. 2022). Each written operator of a formula is one f32 operation, from left
// to right. The products are exact, whatever the codes: a scale of f16 has 11 bits, what it is multiplied by at most
// 12. So only a sum or a difference rounds.
#ifndef FF_BLOCKS_H
#define FF_BLOCKS_H

#include "../base/element.h"

#define FF_NOT_GGML (-1)

// type(name, suffix of its functions, id in GGUF, elements of a block, bytes of a block)
// F8 and I8 are codes without their scale, which is a tensor of its own.
#define FF_FOR_BLOCK_TYPES(type)               \
    type(Q4_0, q4_0, 2, 32, 18)                \
    type(Q4_1, q4_1, 3, 32, 20)                \
    type(Q5_0, q5_0, 6, 32, 22)                \
    type(Q5_1, q5_1, 7, 32, 24)                \
    type(Q8_0, q8_0, 8, 32, 34)                \
    type(Q2_K, q2_k, 10, 256, 84)              \
    type(Q3_K, q3_k, 11, 256, 110)             \
    type(Q4_K, q4_k, 12, 256, 144)             \
    type(Q5_K, q5_k, 13, 256, 176)             \
    type(Q6_K, q6_k, 14, 256, 210)             \
    type(IQ4_NL, iq4_nl, 20, 32, 18)           \
    type(IQ4_XS, iq4_xs, 23, 256, 136)         \
    type(F8_E4M3, f8_e4m3, FF_NOT_GGML, 1, 1)  \
    type(F8_E5M2, f8_e5m2, FF_NOT_GGML, 1, 1)  \
    type(I8, i8, FF_NOT_GGML, 1, 1)

#define FF_BLOCK_TYPE(name, suffix, ggml, elements, bytes) FF_BLOCK_##name,
typedef enum ff_block_type { FF_FOR_BLOCK_TYPES(FF_BLOCK_TYPE) FF_BLOCK_TYPES } ff_block_type;
#undef FF_BLOCK_TYPE

// Elements and bytes of a block as constants, named after the type.
#define FF_BLOCK_SIZE(name, suffix, ggml, elements, bytes) FF_##name##_ELEMENTS = elements, FF_##name##_BYTES = bytes,
enum { FF_FOR_BLOCK_TYPES(FF_BLOCK_SIZE) FF_BLOCK_MOST = 256 };  // the last: the most elements of a block
#undef FF_BLOCK_SIZE

// Elements [first, first + count) of a row. first and count need not be those of whole blocks.
//   row: unaligned   out: [count]
typedef void ff_decode(const void *row, size_t first, size_t count, float *out);

#define FF_DECODER(name, suffix, ggml, elements, bytes) ff_decode ff_decode_##suffix;
FF_FOR_BLOCK_TYPES(FF_DECODER)
#undef FF_DECODER

typedef struct ff_block_format {
    ff_element element;
    int ggml;  // its id in GGUF, or FF_NOT_GGML
} ff_block_format;

extern const ff_block_format ff_block_formats[FF_BLOCK_TYPES];

// The run of elements, one after the other.   value: that of element i of a block of `elements` in `bytes`
static inline void ff_decode_each(float value(const uint8_t *block, size_t i), size_t elements, size_t bytes,
                                  const void *row, size_t first, size_t count, float *out)
{
    for (size_t i = first; i < first + count; i++)
        *out++ = value((const uint8_t *)row + i / elements * bytes, i % elements);
}

// ---- fields of blocks ----

static inline float ff_block_f16(const uint8_t *p)
{
    return ff_widen_f16((uint16_t)(p[0] | p[1] << 8));
}

// The 6-bit scale and minimum of group j, 0 to 7, of Q4_K and Q5_K, in scales[12].
static inline int ff_block_scale_k4(const uint8_t *scales, size_t j)
{
    return j < 4 ? scales[j] & 63 : (scales[j + 4] & 15) | (scales[j - 4] >> 6) << 4;
}

static inline int ff_block_minimum_k4(const uint8_t *scales, size_t j)
{
    return j < 4 ? scales[j + 4] & 63 : (scales[j + 4] >> 4) | (scales[j] >> 6) << 4;
}

// The signed 6-bit scale of group k, 0 to 15, of Q3_K, in scales[12]: four bits of byte k % 8, two of byte 8 + k % 4.
static inline int ff_block_scale_k3(const uint8_t *scales, size_t k)
{
    int low = scales[k % 8] >> (4 * (k / 8)) & 15, high = scales[8 + k % 4] >> (2 * (k / 4)) & 3;
    return (low | high << 4) - 32;
}

// The signed 6-bit scale of group i, 0 to 7, of a block of IQ4_XS: four bits in scales_l[4], two in the u16 before it.
static inline int ff_block_scale_iq4_xs(const uint8_t *block, size_t i)
{
    const uint8_t *scales_l = block + 4;
    int scales_h = block[2] | block[3] << 8;
    int low = scales_l[i / 2] >> (4 * (i % 2)) & 15, high = scales_h >> (2 * i) & 3;
    return (low | high << 4) - 32;
}

// What the codes of IQ4_NL and IQ4_XS stand for.
extern const float ff_block_levels[16];

#endif

// Whole blocks of quantised elements, a vector of elements at a time. ref/kernels/blocks.c and blocks_k.c say what the
// formats are.
#include "decoders.h"
#include "vector.h"

#include <math.h>

// ---- parts of blocks ----

static inline vec f16_at(const uint8_t *p)
{
    uint16_t bits;
    memcpy(&bits, p, sizeof bits);
    return vec_set_f16(bits);
}

// `bits` bits from bit `shift` on, of each lane.
static inline ivec field(ivec a, int shift, int bits)
{
    return ivec_and(ivec_shift_right(a, shift), ivec_set((1u << bits) - 1u));
}

// As numbers, less `bias`.
static inline vec number(ivec a, uint32_t bias)
{
    return vec_from_integers(ivec_sub(a, ivec_set(bias)));
}


// ---- blocks of 32 ----

// Four bits of elements i to i + VEC: those from 16 on lie in the high halves of the 16 bytes.
static inline ivec nibbles(const uint8_t *qs, size_t i)
{
    return field(ivec_widen_u8(qs + i % 16), i < 16 ? 0 : 4, 4);
}

static inline void block_q4_0(const uint8_t *block, float *out)
{
    vec d = f16_at(block);
    for (size_t i = 0; i < 32; i += VEC)
        vec_store(out + i, vec_mul(d, number(nibbles(block + 2, i), 8)));
}

static inline void block_q4_1(const uint8_t *block, float *out)
{
    vec d = f16_at(block), m = f16_at(block + 2);
    for (size_t i = 0; i < 32; i += VEC)
        vec_store(out + i, vec_add(vec_mul(d, number(nibbles(block + 4, i), 0)), m));
}

// Elements i to i + VEC of Q5_0 and Q5_1: four bits of qs[16], the fifth in the u32 before it.
static inline ivec five_bits(const uint8_t *qs, size_t i)
{
    static const uint8_t places[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                       16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
    uint32_t qh;
    memcpy(&qh, qs - sizeof qh, sizeof qh);
    ivec h = ivec_and(ivec_shift_right_each(ivec_set(qh), ivec_widen_u8(places + i)), ivec_set(1));
    return ivec_or(nibbles(qs, i), ivec_shift_left(h, 4));
}

static inline void block_q5_0(const uint8_t *block, float *out)
{
    vec d = f16_at(block);
    for (size_t i = 0; i < 32; i += VEC)
        vec_store(out + i, vec_mul(d, number(five_bits(block + 6, i), 16)));
}

static inline void block_q5_1(const uint8_t *block, float *out)
{
    vec d = f16_at(block), m = f16_at(block + 2);
    for (size_t i = 0; i < 32; i += VEC)
        vec_store(out + i, vec_add(vec_mul(d, number(five_bits(block + 8, i), 0)), m));
}

static inline void block_q8_0(const uint8_t *block, float *out)
{
    vec d = f16_at(block);
    for (size_t i = 0; i < 32; i += VEC)
        vec_store(out + i, vec_mul(d, vec_from_integers(ivec_widen_i8(block + 2 + i))));
}

static inline void block_iq4_nl(const uint8_t *block, float *out)
{
    vec d = f16_at(block);
    for (size_t i = 0; i < 32; i += VEC)
        vec_store(out + i, vec_mul(d, vec_look_up(ff_block_levels, nibbles(block + 2, i))));
}

// ---- blocks of 256 ----

static inline void block_q2_k(const uint8_t *block, float *out)
{
    const uint8_t *scales = block, *qs = block + 16;
    vec d = f16_at(block + 80), dmin = f16_at(block + 82);
    for (size_t i = 0; i < 256; i += 16) {
        vec scale = vec_mul(d, vec_set((float)(scales[i / 16] & 15)));
        vec minimum = vec_mul(dmin, vec_set((float)(scales[i / 16] >> 4)));
        for (size_t l = 0; l < 16; l += VEC) {
            ivec q = field(ivec_widen_u8(qs + i / 128 * 32 + i % 32 + l), i / 32 % 4 * 2, 2);
            vec_store(out + i + l, vec_sub(vec_mul(scale, number(q, 0)), minimum));
        }
    }
}

static inline void block_q3_k(const uint8_t *block, float *out)
{
    const uint8_t *hmask = block, *qs = block + 32, *scales = block + 96;
    vec d = f16_at(block + 108);
    for (size_t i = 0; i < 256; i += 16) {
        vec scale = vec_mul(d, vec_set((float)ff_block_scale_k3(scales, i / 16)));
        for (size_t l = 0; l < 16; l += VEC) {
            ivec q = field(ivec_widen_u8(qs + i / 128 * 32 + i % 32 + l), i / 32 % 4 * 2, 2);
            ivec h = field(ivec_widen_u8(hmask + i % 32 + l), i / 32, 1);
            q = ivec_or(q, ivec_shift_left(h, 2));
            vec_store(out + i + l, vec_mul(scale, number(q, 4)));
        }
    }
}

static inline void block_q4_k(const uint8_t *block, float *out)
{
    const uint8_t *scales = block + 4, *qs = block + 16;
    vec d = f16_at(block), dmin = f16_at(block + 2);
    for (size_t j = 0; j < 8; j++) {
        vec scale = vec_mul(d, vec_set((float)ff_block_scale_k4(scales, j)));
        vec minimum = vec_mul(dmin, vec_set((float)ff_block_minimum_k4(scales, j)));
        for (size_t l = 0; l < 32; l += VEC) {
            ivec n = field(ivec_widen_u8(qs + j / 2 * 32 + l), j % 2 * 4, 4);
            vec_store(out + j * 32 + l, vec_sub(vec_mul(scale, number(n, 0)), minimum));
        }
    }
}

static inline void block_q5_k(const uint8_t *block, float *out)
{
    const uint8_t *scales = block + 4, *qh = block + 16, *qs = block + 48;
    vec d = f16_at(block), dmin = f16_at(block + 2);
    for (size_t j = 0; j < 8; j++) {
        vec scale = vec_mul(d, vec_set((float)ff_block_scale_k4(scales, j)));
        vec minimum = vec_mul(dmin, vec_set((float)ff_block_minimum_k4(scales, j)));
        for (size_t l = 0; l < 32; l += VEC) {
            ivec n = field(ivec_widen_u8(qs + j / 2 * 32 + l), j % 2 * 4, 4);
            ivec h = field(ivec_widen_u8(qh + l), j, 1);
            n = ivec_or(n, ivec_shift_left(h, 4));
            vec_store(out + j * 32 + l, vec_sub(vec_mul(scale, number(n, 0)), minimum));
        }
    }
}

static inline void block_q6_k(const uint8_t *block, float *out)
{
    const uint8_t *ql = block, *qh = block + 128, *scales = block + 192;
    vec d = f16_at(block + 208);
    for (size_t i = 0; i < 256; i += 16) {
        vec scale = vec_mul(d, vec_set((float)(int8_t)scales[i / 16]));
        size_t half = i / 128, quarter = i / 32 % 4;
        for (size_t l = 0; l < 16; l += VEC) {
            ivec low = field(ivec_widen_u8(ql + half * 64 + i % 64 + l), quarter / 2 * 4, 4);
            ivec high = field(ivec_widen_u8(qh + half * 32 + i % 32 + l), quarter * 2, 2);
            vec_store(out + i + l, vec_mul(scale, number(ivec_or(low, ivec_shift_left(high, 4)), 32)));
        }
    }
}

static inline void block_iq4_xs(const uint8_t *block, float *out)
{
    const uint8_t *qs = block + 8;
    vec d = f16_at(block);
    for (size_t i = 0; i < 256; i += 16) {
        vec scale = vec_mul(d, vec_set((float)ff_block_scale_iq4_xs(block, i / 32)));
        for (size_t l = 0; l < 16; l += VEC) {
            ivec n = field(ivec_widen_u8(qs + i / 32 * 16 + l), i / 16 % 2 * 4, 4);
            vec_store(out + i + l, vec_mul(scale, vec_look_up(ff_block_levels, n)));
        }
    }
}

// ---- codes of a byte ----

// value with the sign bit of a code.
static inline vec signed_as(vec value, ivec code)
{
    return vec_from_bits(ivec_or(vec_bits(value), ivec_shift_left(ivec_shift_right(code, 7), 31)));
}

// What a code without its sign is: its exponent and fraction, put where a float has them, with the exponent's bias made
// that of a float. Where the exponent is 0 it is taken for 1 with a leading 1 too many, which `one` takes away.
//   fraction_bits: 3 or 2   bias: 7 or 15
static inline vec magnitude_of(ivec code, int fraction_bits, int bias)
{
    ivec bits = field(code, 0, 7);
    bits = fraction_bits == 3 ? ivec_shift_left(bits, 20) : ivec_shift_left(bits, 21);
    ivec one = ivec_set((uint32_t)(128 - bias) << 23);  // 2^(1 - bias)
    vec normal = vec_from_bits(ivec_add(bits, ivec_set((uint32_t)(127 - bias) << 23)));
    vec subnormal = vec_sub(vec_from_bits(ivec_add(bits, one)), vec_from_bits(one));
    return vec_select(vec_less(normal, vec_from_bits(one)), subnormal, normal);
}

static inline vec codes_f8_e4m3(const uint8_t *codes)
{
    ivec code = ivec_widen_u8(codes);
    vec magnitude = magnitude_of(code, 3, 7);
    return signed_as(vec_select(vec_less(vec_set(448), magnitude), vec_set(NAN), magnitude), code);
}

// Beyond 57344 the exponent is 31, that of infinity and NaN; a float's is 255.
static inline vec codes_f8_e5m2(const uint8_t *codes)
{
    ivec code = ivec_widen_u8(codes);
    vec magnitude = magnitude_of(code, 2, 15);
    vec beyond = vec_from_bits(ivec_or(vec_bits(magnitude), ivec_set(255u << 23)));
    return signed_as(vec_select(vec_less(vec_set(57344), magnitude), beyond, magnitude), code);
}

static inline vec codes_i8(const uint8_t *codes)
{
    return vec_from_integers(ivec_widen_i8(codes));
}

// ---- runs ----

typedef void decode_whole(const uint8_t *block, float *out);

// Elements [first, first + count) of a row of blocks. Of blocks at its ends that are not in it as a whole, a copy is
// decoded, so that a run of a few elements costs a block.
static inline __attribute__((always_inline)) void decode_blocks(decode_whole *decode, size_t elements, size_t bytes,
                                                                const uint8_t *row, size_t first, size_t count,
                                                                float *out)
{
    float copy[FF_BLOCK_MOST];
    size_t skip = first % elements;
    for (row += first / elements * bytes; count; row += bytes) {
        size_t length = elements - skip < count ? elements - skip : count;
        bool whole = length == elements;
        decode(row, whole ? out : copy);
        if (!whole)
            memcpy(out, copy + skip, length * sizeof *out);
        out += length;
        count -= length;
        skip = 0;
    }
}

typedef vec decode_vector(const uint8_t *codes);

// `count` codes. What lies behind them is not read.
static inline __attribute__((always_inline)) void decode_codes(decode_vector *decode, const uint8_t *codes,
                                                               size_t count, float *out)
{
    for (; count >= VEC; codes += VEC, out += VEC, count -= VEC)
        vec_store(out, decode(codes));
    if (count) {
        uint8_t rest[VEC] = {0};
        memcpy(rest, codes, count);
        vec_store_some(out, count, decode(rest));
    }
}

#define BLOCKS(name, suffix)                                                                             \
    static void decode_##suffix(const void *row, size_t first, size_t count, float *out)                 \
    {                                                                                                    \
        decode_blocks(block_##suffix, FF_##name##_ELEMENTS, FF_##name##_BYTES, row, first, count, out);  \
    }
#define CODES(suffix)                                                                     \
    static void decode_##suffix(const void *row, size_t first, size_t count, float *out)  \
    {                                                                                     \
        decode_codes(codes_##suffix, (const uint8_t *)row + first, count, out);           \
    }

BLOCKS(Q4_0, q4_0)
BLOCKS(Q4_1, q4_1)
BLOCKS(Q5_0, q5_0)
BLOCKS(Q5_1, q5_1)
BLOCKS(Q8_0, q8_0)
BLOCKS(Q2_K, q2_k)
BLOCKS(Q3_K, q3_k)
BLOCKS(Q4_K, q4_k)
BLOCKS(Q5_K, q5_k)
BLOCKS(Q6_K, q6_k)
BLOCKS(IQ4_NL, iq4_nl)
BLOCKS(IQ4_XS, iq4_xs)
CODES(f8_e4m3)
CODES(f8_e5m2)
CODES(i8)

ff_decode *FF_SIMD_NAME(ff_simd_decoder_)(ff_block_type type)
{
#define DECODER(name, suffix, ggml, elements, bytes) [FF_BLOCK_##name] = decode_##suffix,
    static ff_decode *const decoders[FF_BLOCK_TYPES] = {FF_FOR_BLOCK_TYPES(DECODER)};
#undef DECODER
    return decoders[type];
}

// Packing: copies of operands in the order in which the micro-kernel reads them, widened to f32.
#ifndef FF_PACK_H
#define FF_PACK_H

#include "decoders.h"
#include "micro_kernel.h"

#define AHEAD 256  // elements

#define RUN 256    // elements of a row that are decoded at once

// Types that a vector is loaded from as they lie, and all others, which are decoded to f32 first.
typedef enum lane_type { LANES_F32, LANES_F16, LANES_BF16, LANES_DECODED } lane_type;

static inline lane_type lanes_of(ff_operand operand)
{
    ff_dtype dtype = operand.dtype;
    if (operand.scales)
        return LANES_DECODED;
    return dtype == FF_F32 ? LANES_F32 : dtype == FF_F16 ? LANES_F16 : dtype == FF_BF16 ? LANES_BF16 : LANES_DECODED;
}

// VEC elements of a row from element i on; `some` takes the first `count` of them, missing lanes are +0.
static inline vec load_lanes(const void *data, lane_type type, size_t i)
{
    if (type == LANES_F32)
        return vec_load((const float *)data + i);
    const uint16_t *halves = (const uint16_t *)data + i;
    return type == LANES_BF16 ? vec_widen_bf16(halves) : vec_widen_f16(halves);
}

static inline vec load_lanes_some(const void *data, lane_type type, size_t i, size_t count)
{
    if (type == LANES_F32)
        return vec_load_some((const float *)data + i, count);
    uint16_t halves[VEC] = {0};
    memcpy(halves, (const uint16_t *)data + i, count * sizeof *halves);
    return type == LANES_BF16 ? vec_widen_bf16(halves) : vec_widen_f16(halves);
}

// Prefetches `bytes` bytes into L2.
static inline void prefetch_run(const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch((const char *)data + i, 0, 2);
}

static inline __attribute__((always_inline)) void pack_run_as(lane_type type, const void *data, size_t first,
                                                              size_t count, float *to)
{
    size_t i = 0;
    for (; i + VEC <= count; i += VEC)
        vec_store(to + i, load_lanes(data, type, first + i));
    if (i < count)
        vec_store_some(to + i, count - i, load_lanes_some(data, type, first + i, count - i));
}

// What decodes a type, here if there is something for it, else one element after the other.
static inline ff_decode *decoder_of(ff_dtype dtype)
{
    for (size_t type = 0; type < FF_BLOCK_TYPES; type++)
        if (dtype == &ff_block_formats[type].element) {
            ff_decode *fast = FF_SIMD_NAME(ff_simd_decoder_)((ff_block_type)type);
            return fast ? fast : dtype->decode;
        }
    return dtype->decode;
}

// The same as ff_operand_decode.
static inline void decode_run(ff_decode *decode, ff_operand row, size_t first, size_t count, float *to)
{
    decode(row.data, first, count, to);
    if (!row.scales)
        return;
    vec scale = vec_set(*row.scales);
    size_t i = 0;
    for (; i + VEC <= count; i += VEC)
        vec_store(to + i, vec_mul(vec_load(to + i), scale));
    if (i < count)
        vec_store_some(to + i, count - i, vec_mul(vec_load_some(to + i, count - i), scale));
}

// Elements [first, first + count) of the first row, one after the other.
static inline void pack_run(ff_operand row, size_t first, size_t count, float *to)
{
    switch (lanes_of(row)) {
    case LANES_F32: pack_run_as(LANES_F32, row.data, first, count, to); break;
    case LANES_F16: pack_run_as(LANES_F16, row.data, first, count, to); break;
    case LANES_BF16: pack_run_as(LANES_BF16, row.data, first, count, to); break;
    case LANES_DECODED: decode_run(decoder_of(row.dtype), row, first, count, to); break;
    }
}

// VEC elements from k on of `count` rows, `stride` elements apart, transposed. Missing rows and elements are +0.
static inline void load_transposed(const void *data, lane_type type, size_t stride, size_t count, size_t k,
                                   size_t length, vec block[VEC])
{
    if (count == VEC && length == VEC) {
        const size_t size = type == LANES_F32 ? sizeof(float) : sizeof(uint16_t);
#pragma GCC unroll 16
        for (size_t r = 0; r < VEC; r++) {
            // rows are too many streams for the processor to foresee
            __builtin_prefetch((const char *)data + (r * stride + k + AHEAD) * size);
            block[r] = load_lanes(data, type, r * stride + k);
        }
    } else {
        for (size_t r = 0; r < VEC; r++)
            block[r] = r < count ? load_lanes_some(data, type, r * stride + k, length) : vec_zero();
    }
    vec_transpose(block);
}

// Rows that are packed as columns: at most VEC of [channels, taps] elements each.
typedef struct packing {
    ff_operand rows;
    size_t stride;          // elements from row to row: of whole blocks
    size_t count, channels, taps;
    size_t pitch;           // floats from element to element of what is packed
} packing;

// Elements [k, k + RUN) of the rows, as far as they go.   decoded: [VEC, RUN]
static inline void decode_rows(const packing *p, size_t k, float *decoded)
{
    ff_decode *decode = decoder_of(p->rows.dtype);
    for (size_t r = 0; r < p->count; r++)
        decode_run(decode, ff_operand_from(p->rows, r, p->stride), k, ff_smaller(RUN, p->channels * p->taps - k),
                   decoded + r * RUN);
}

static inline __attribute__((always_inline)) void pack_transposed_as(lane_type type, const packing *p, float *to)
{
    float decoded[VEC * RUN];  // LANES_DECODED alone uses it
    size_t depth = p->channels * p->taps, channel = 0, tap = 0;
    for (size_t k = 0; k < depth; k += VEC) {
        vec block[VEC];
        size_t length = ff_smaller(VEC, depth - k);
        if (type == LANES_DECODED && k % RUN == 0)
            decode_rows(p, k, decoded);
        if (type == LANES_DECODED)
            load_transposed(decoded, LANES_F32, RUN, p->count, k % RUN, length, block);
        else
            load_transposed(p->rows.data, type, p->stride, p->count, k, length, block);
        for (size_t i = 0; i < length; i++) {
            vec_store(to + (tap * p->channels + channel) * p->pitch, block[i]);
            if (++tap == p->taps) {
                tap = 0;
                channel++;
            }
        }
    }
}

// Element (channel, tap) of row r becomes to[(tap * channels + channel) * pitch + r]. Lanes from `count` on are zeros.
static inline void pack_transposed(const packing *p, float *to)
{
    const packing copy = *p;  // whose address nobody has
    switch (lanes_of(p->rows)) {
    case LANES_F32: pack_transposed_as(LANES_F32, &copy, to); break;
    case LANES_F16: pack_transposed_as(LANES_F16, &copy, to); break;
    case LANES_BF16: pack_transposed_as(LANES_BF16, &copy, to); break;
    case LANES_DECODED: pack_transposed_as(LANES_DECODED, &copy, to); break;
    }
}

#endif

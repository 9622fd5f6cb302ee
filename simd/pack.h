// Copies of operands in the order in which tiles read them (tile.h), widened to f32.
#ifndef FF_PACK_H
#define FF_PACK_H

#include "tile.h"

#define AHEAD 256  // elements

// VEC elements of a weight from element i on; `some` takes the first `count` of them, missing lanes are +0.
static inline vec load_weight(const void *data, ff_dtype dtype, size_t i)
{
    if (dtype == FF_F32)
        return vec_load((const float *)data + i);
    const uint16_t *halves = (const uint16_t *)data + i;
    return dtype == FF_BF16 ? vec_widen_bf16(halves) : vec_widen_f16(halves);
}

static inline vec load_weight_some(const void *data, ff_dtype dtype, size_t i, size_t count)
{
    if (dtype == FF_F32)
        return vec_load_some((const float *)data + i, count);
    uint16_t halves[VEC] = {0};
    memcpy(halves, (const uint16_t *)data + i, count * sizeof *halves);
    return dtype == FF_BF16 ? vec_widen_bf16(halves) : vec_widen_f16(halves);
}

// Brings `bytes` bytes into the second cache.
static inline void expect_run(const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch((const char *)data + i, 0, 2);
}

// Elements [first, first + count) of a weight, one after the other.
static inline void pack_run(const void *data, ff_dtype dtype, size_t first, size_t count, float *to)
{
    size_t i = 0;
    for (; i + VEC <= count; i += VEC)
        vec_store(to + i, load_weight(data, dtype, first + i));
    if (i < count)
        vec_store_some(to + i, count - i, load_weight_some(data, dtype, first + i, count - i));
}

// VEC elements from k on of `count` rows, transposed. Missing rows and elements are +0.
static inline void load_transposed(const void *data, ff_dtype dtype, size_t stride, size_t count, size_t k,
                                   size_t length, vec block[VEC])
{
    if (count == VEC && length == VEC) {
#pragma GCC unroll 16
        for (size_t r = 0; r < VEC; r++) {
            // rows are too many streams for the processor to foresee
            __builtin_prefetch((const char *)data + (r * stride + k + AHEAD) * ff_dtype_size(dtype));
            block[r] = load_weight(data, dtype, r * stride + k);
        }
    } else {
        for (size_t r = 0; r < VEC; r++)
            block[r] = r < count ? load_weight_some(data, dtype, r * stride + k, length) : vec_zero();
    }
    vec_transpose(block);
}

static inline __attribute__((always_inline)) void pack_transposed_as(ff_dtype dtype, const void *data, size_t stride,
                                                                     size_t count, size_t channels, size_t taps,
                                                                     size_t pitch, float *to)
{
    size_t depth = channels * taps, channel = 0, tap = 0;
    for (size_t k = 0; k < depth; k += VEC) {
        vec block[VEC];
        size_t length = ff_smaller(VEC, depth - k);
        load_transposed(data, dtype, stride, count, k, length, block);
        for (size_t i = 0; i < length; i++) {
            vec_store(to + (tap * channels + channel) * pitch, block[i]);
            if (++tap == taps) {
                tap = 0;
                channel++;
            }
        }
    }
}

// `count` rows, at most VEC, of [channels, taps] elements each, `stride` elements apart, as columns: element
// (channel, tap) of row r becomes to[(tap * channels + channel) * pitch + r]. Lanes from `count` on are zeros.
static inline void pack_transposed(const void *data, ff_dtype dtype, size_t stride, size_t count, size_t channels,
                                   size_t taps, size_t pitch, float *to)
{
    switch (dtype) {
    case FF_F32: pack_transposed_as(FF_F32, data, stride, count, channels, taps, pitch, to); break;
    case FF_F16: pack_transposed_as(FF_F16, data, stride, count, channels, taps, pitch, to); break;
    default: pack_transposed_as(FF_BF16, data, stride, count, channels, taps, pitch, to); break;
    }
}

#endif

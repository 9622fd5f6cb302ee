#include "random_elements.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "kernels/blocks.h"

// splitmix64 of the index (Steele, Lea, Flood 2014)
static uint64_t random_bits(uint64_t index)
{
    uint64_t z = (index + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// From -1 to 1.
static float random_float(uint64_t index)
{
    return (float)(random_bits(index) >> 40) * 0x1p-23f - 1.0f;
}

void ff_random_floats(uint64_t first, size_t count, float scale, float *out)
{
#pragma omp parallel for
    for (size_t i = 0; i < count; i++)
        out[i] = random_float(first + i) * scale;
}

static void random_bf16(uint64_t first, size_t count, float scale, uint16_t *out)
{
#pragma omp parallel for
    for (size_t i = 0; i < count; i++) {
        float value = random_float(first + i) * scale;
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        out[i] = (uint16_t)(bits >> 16);
    }
}

// Rounds down to f16; below 2^-14 to a multiple of 2^-24.   value: below 65536 in size
static uint16_t to_f16(float value)
{
    float size = value < 0 ? -value : value;
    uint16_t sign = value < 0 ? 0x8000 : 0;
    uint32_t bits;
    memcpy(&bits, &size, sizeof bits);
    return sign | (uint16_t)(size < 0x1p-14f ? (uint32_t)(size * 0x1p24f) : (bits >> 13) - (112u << 10));
}

static void random_f16(uint64_t first, size_t count, float scale, uint16_t *out)
{
#pragma omp parallel for
    for (size_t i = 0; i < count; i++)
        out[i] = to_f16(random_float(first + i) * scale);
}

// Where a block has its f16 numbers, and what they are for elements up to 1 in size. second: 0 where there is none
typedef struct block_scales {
    ff_block_type type;
    size_t at;
    float first, second;
} block_scales;

static const block_scales all_scales[] = {
    {FF_BLOCK_Q4_0, 0, 1.0f / 8, 0},          {FF_BLOCK_Q4_1, 0, 2.0f / 15, -1},
    {FF_BLOCK_Q5_0, 0, 1.0f / 16, 0},         {FF_BLOCK_Q5_1, 0, 2.0f / 31, -1},
    {FF_BLOCK_Q8_0, 0, 1.0f / 127, 0},        {FF_BLOCK_Q2_K, 80, 1.0f / 45, 1.0f / 30},
    {FF_BLOCK_Q3_K, 108, 1.0f / 128, 0},      {FF_BLOCK_Q4_K, 0, 1.0f / 945, 1.0f / 126},
    {FF_BLOCK_Q5_K, 0, 1.0f / 1953, 1.0f / 126}, {FF_BLOCK_Q6_K, 208, 1.0f / 4064, 0},
    {FF_BLOCK_IQ4_NL, 0, 1.0f / 127, 0},      {FF_BLOCK_IQ4_XS, 0, 1.0f / 4064, 0},
};

static void random_blocks(uint64_t first, size_t blocks, ff_dtype dtype, const block_scales *scales, float scale,
                          uint8_t *out)
{
    uint16_t numbers[] = {to_f16(scales->first * scale), to_f16(scales->second * scale)};
#pragma omp parallel for
    for (size_t block = 0; block < blocks; block++) {
        uint8_t *to = out + block * dtype->bytes;
        uint64_t index = first + block * dtype->block;
        for (size_t i = 0; i < dtype->bytes; i++)
            to[i] = (uint8_t)(random_bits(index + i / 8) >> (i % 8 * 8));
        memcpy(to + scales->at, numbers, scales->second != 0 ? 4 : 2);
    }
}

// Codes up to `most` in size, of either sign.
static void random_codes(uint64_t first, size_t count, unsigned most, bool two_complement, uint8_t *out)
{
#pragma omp parallel for
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = random_bits(first + i);
        unsigned code = (unsigned)(bits >> 32) % (most + 1);
        out[i] = (uint8_t)(bits & 1 ? code : two_complement ? 256 - code : code | 0x80);
    }
}

float ff_random_elements(uint64_t first, size_t count, ff_dtype dtype, float scale, void *out)
{
    for (size_t i = 0; i < sizeof all_scales / sizeof *all_scales; i++)
        if (dtype == &ff_block_formats[all_scales[i].type].element) {
            random_blocks(first, count / dtype->block, dtype, &all_scales[i], scale, out);
            return 1;
        }
    if (dtype == FF_F32)
        ff_random_floats(first, count, scale, out);
    else if (dtype == FF_F16)
        random_f16(first, count, scale, out);
    else if (dtype == FF_BF16)
        random_bf16(first, count, scale, out);
    else if (dtype == &ff_block_formats[FF_BLOCK_F8_E4M3].element)
        random_codes(first, count, 0x38, false, out);  // 1
    else if (dtype == &ff_block_formats[FF_BLOCK_F8_E5M2].element)
        random_codes(first, count, 0x3c, false, out);  // 1
    else
        random_codes(first, count, 127, true, out);
    return dtype->bytes > 1 ? 1 : dtype == &ff_block_formats[FF_BLOCK_I8].element ? scale / 127 : scale;
}

ff_dtype ff_weight_type(const char *name)
{
    static const ff_dtype plain[] = {FF_F32, FF_F16, FF_BF16};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcasecmp(name, plain[i]->name) == 0)
            return plain[i];
    for (size_t i = 0; i < FF_BLOCK_TYPES; i++)
        if (strcasecmp(name, ff_block_formats[i].element.name) == 0)
            return &ff_block_formats[i].element;
    return NULL;
}

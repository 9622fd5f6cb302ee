#include "element.h"

#include <string.h>

static float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float ff_widen_bf16(uint16_t bits)
{
    return float_from_bits((uint32_t)bits << 16);
}

float ff_widen_f16(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
    uint32_t exponent = (bits >> 10) & 31;
    uint32_t fraction = bits & 1023;
    if (exponent == 0) {
        // zero or subnormal: fraction * 2^-24, exact
        float magnitude = (float)fraction * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    if (exponent == 31)
        return float_from_bits(sign | 0x7f800000u | fraction << 13);
    return float_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

static void decode_f32(const void *data, size_t first, size_t count, float *out)
{
    if (count)
        memcpy(out, (const float *)data + first, count * sizeof *out);
}

static void decode_f16(const void *data, size_t first, size_t count, float *out)
{
    const uint16_t *bits = (const uint16_t *)data + first;
    for (size_t i = 0; i < count; i++)
        out[i] = ff_widen_f16(bits[i]);
}

static void decode_bf16(const void *data, size_t first, size_t count, float *out)
{
    const uint16_t *bits = (const uint16_t *)data + first;
    for (size_t i = 0; i < count; i++)
        out[i] = ff_widen_bf16(bits[i]);
}

const ff_element ff_element_f32 = {"F32", 1, 4, decode_f32};
const ff_element ff_element_f16 = {"F16", 1, 2, decode_f16};
const ff_element ff_element_bf16 = {"BF16", 1, 2, decode_bf16};
const ff_element ff_element_i64 = {"I64", 1, 8, NULL};
const ff_element ff_element_u8 = {"U8", 1, 1, NULL};
const ff_element ff_element_f64 = {"F64", 1, 8, NULL};
const ff_element ff_element_i32 = {"I32", 1, 4, NULL};
const ff_element ff_element_bool = {"BOOL", 1, 1, NULL};

void ff_operand_decode(ff_operand operand, size_t first, size_t count, float *out)
{
    operand.dtype->decode(operand.data, first, count, out);
    for (size_t i = 0; operand.scales && i < count; i++)
        out[i] = out[i] * *operand.scales;
}

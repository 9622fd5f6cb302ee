#include "tensor.h"

#include <stdio.h>
#include <string.h>

size_t ff_dtype_size(ff_dtype dtype)
{
    switch (dtype) {
    case FF_F32: return 4;
    case FF_F16: return 2;
    case FF_BF16: return 2;
    case FF_I64: return 8;
    case FF_U8: return 1;
    case FF_F64: return 8;
    case FF_I32: return 4;
    case FF_BOOL: return 1;
    }
    return 0;
}

const char *ff_dtype_name(ff_dtype dtype)
{
    switch (dtype) {
    case FF_F32: return "F32";
    case FF_F16: return "F16";
    case FF_BF16: return "BF16";
    case FF_I64: return "I64";
    case FF_U8: return "U8";
    case FF_F64: return "F64";
    case FF_I32: return "I32";
    case FF_BOOL: return "BOOL";
    }
    return "?";
}

void ff_print_shape(char text[FF_SHAPE_TEXT], int rank, const size_t *shape)
{
    size_t used = 1;
    text[0] = '[';
    for (int i = 0; i < rank; i++)
        used += (size_t)snprintf(text + used, FF_SHAPE_TEXT - used, i ? ", %zu" : "%zu", shape[i]);
    snprintf(text + used, FF_SHAPE_TEXT - used, "]");
}

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

void ff_weight_widen(const ff_weight *weight, size_t first, size_t count, float *out)
{
    if (weight->dtype == FF_F32) {
        if (count)
            memcpy(out, (const float *)weight->data + first, count * sizeof *out);
        return;
    }
    const uint16_t *bits = (const uint16_t *)weight->data + first;
    if (weight->dtype == FF_BF16) {
        for (size_t i = 0; i < count; i++)
            out[i] = ff_widen_bf16(bits[i]);
    } else {
        for (size_t i = 0; i < count; i++)
            out[i] = ff_widen_f16(bits[i]);
    }
}

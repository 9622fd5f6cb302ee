#include "encode.h"

#include <math.h>
#include <string.h>

#include "kernels/blocks.h"

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint16_t to_f16(float value)
{
    uint32_t bits = bits_of(value), size = bits & 0x7fffffffu;
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    if (size > 0x7f800000u)
        return sign | 0x7e00;
    if (size >= bits_of(0x1p16f))
        return sign | 0x7c00;
    if (size < bits_of(0x1p-14f)) {
        float multiple = fabsf(value) * 0x1p24f;  // of the least subnormal number, exactly
        uint32_t whole = (uint32_t)multiple;
        float rest = multiple - (float)whole;
        return sign | (uint16_t)(whole + (rest > 0.5f || (rest == 0.5f && whole & 1)));
    }
    return sign | (uint16_t)(((size + 0xfff + (size >> 13 & 1)) >> 13) - (112u << 10));
}

static uint16_t to_bf16(float value)
{
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 64);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static bool encode_q8_0(const float *x, uint8_t *out)
{
    float most = 0;
    bool finite = true;
    for (size_t i = 0; i < FF_Q8_0_ELEMENTS; i++) {
        finite = finite && isfinite(x[i]);
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    }
    float d = most / 127, inverse = d != 0 && isfinite(1 / d) ? 1 / d : 0;
    uint16_t scale = to_f16(d);
    memcpy(out, &scale, sizeof scale);
    for (size_t i = 0; i < FF_Q8_0_ELEMENTS && finite; i++)
        out[2 + i] = (uint8_t)(int8_t)roundf(x[i] * inverse);
    return finite && scale < 0x7c00;
}

bool ff_encode(ff_dtype dtype, const float *values, size_t count, void *out)
{
    size_t failed = 0;
    if (dtype == FF_F32)
        memcpy(out, values, count * sizeof *values);
#pragma omp parallel for if (count > 32768)
    for (size_t i = 0; i < (dtype->bytes == 2 ? count : 0); i++)
        ((uint16_t *)out)[i] = dtype == FF_F16 ? to_f16(values[i]) : to_bf16(values[i]);
#pragma omp parallel for reduction(+ : failed) if (count > 32768)
    for (size_t i = 0; i < (dtype->block > 1 ? count / FF_Q8_0_ELEMENTS : 0); i++)
        failed += !encode_q8_0(values + i * FF_Q8_0_ELEMENTS, (uint8_t *)out + i * FF_Q8_0_BYTES);
    return failed == 0;
}

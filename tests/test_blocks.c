// Quantised elements against gguf-py's dequantize and torch's 8-bit floats (tools/golden/blocks.py): bit for bit.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "kernels/blocks.h"

// NaN is one value.
static bool same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

// Holds a decoder against the values of [count] whole blocks.
static void assert_decodes(ff_dtype dtype, const void *blocks, size_t count, const float *values)
{
    size_t elements = count * dtype->block;
    float *out = malloc(elements * sizeof *out);
    assert_non_null(out);
    dtype->decode(blocks, 0, elements, out);
    for (size_t i = 0; i < elements; i++)
        if (!same(out[i], values[i]))
            fail_msg("%s: element %zu is %a, expected %a", dtype->name, i, (double)out[i], (double)values[i]);
    free(out);
}

static void test_blocks_are_what_gguf_makes_of_them(void **state)
{
    ff_weights *golden = golden_open("diffusers/blocks/blocks.safetensors");
    for (size_t type = 0; type < FF_BLOCK_TYPES; type++) {
        const ff_block_format *format = &ff_block_formats[type];
        if (format->ggml == FF_NOT_GGML)
            continue;
        char name[32];
        ff_weight blocks;
        size_t count;
        snprintf(name, sizeof name, "%s.blocks", format->element.name);
        assert_true(ff_weights_find(golden, name, &blocks) && blocks.dtype == FF_U8);
        assert_int_equal(blocks.shape[1], format->element.bytes);
        snprintf(name, sizeof name, "%s.values", format->element.name);
        const float *values = golden_f32(golden, name, &count);
        assert_int_equal(count, blocks.shape[0] * format->element.block);
        assert_decodes(&format->element, blocks.data, blocks.shape[0], values);
    }
    ff_weights_close(golden);
}

static void test_codes_are_what_torch_makes_of_them(void **state)
{
    uint8_t codes[256];
    ff_weights *golden = golden_open("diffusers/blocks/blocks.safetensors");
    for (size_t i = 0; i < 256; i++)
        codes[i] = (uint8_t)i;
    for (size_t type = 0; type < FF_BLOCK_TYPES; type++) {
        const ff_block_format *format = &ff_block_formats[type];
        if (format->ggml == FF_NOT_GGML)
            assert_decodes(&format->element, codes, 256, golden_f32(golden, format->element.name, NULL));
    }
    ff_weights_close(golden);
}

// Two blocks, any beginning and any end; nothing is written around the run.
static void test_any_run_is_a_part_of_the_whole(void **state)
{
    static float whole[2 * FF_BLOCK_MOST], out[2 * FF_BLOCK_MOST + 2];
    for (size_t type = 0; type < FF_BLOCK_TYPES; type++) {
        ff_dtype dtype = &ff_block_formats[type].element;
        size_t elements = 2 * dtype->block;
        uint8_t *row = malloc(2 * dtype->bytes);
        assert_non_null(row);
        for (size_t i = 0; i < 2 * dtype->bytes; i++)
            row[i] = (uint8_t)(i * 37 + 11);
        dtype->decode(row, 0, elements, whole);
        for (size_t first = 0; first <= elements; first++)
            for (size_t count = 0; count <= elements - first; count++) {
                out[0] = out[count + 1] = 12345.0f;
                dtype->decode(row, first, count, out + 1);
                if (out[0] != 12345.0f || out[count + 1] != 12345.0f)
                    fail_msg("%s: elements around a run of %zu from %zu on were written", dtype->name, count, first);
                for (size_t i = 0; i < count; i++)
                    if (!same(out[1 + i], whole[first + i]))
                        fail_msg("%s: a run of %zu from %zu on is not a part of the row", dtype->name, count, first);
            }
        free(row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_what_gguf_makes_of_them),
        cmocka_unit_test(test_codes_are_what_torch_makes_of_them),
        cmocka_unit_test(test_any_run_is_a_part_of_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

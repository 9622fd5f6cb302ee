// convert: GGUF that equals gguf-py's byte for byte (tools/golden/conversions.py), safetensors, and what they read back
// as.
#define _GNU_SOURCE  // mkdtemp
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/conversion.h"
#include "convert/encode.h"
#include "kernels/blocks.h"
#include "weights/names_wan.h"

#define FOLDER FF_GOLDEN "/model/transformer"

static char folder[] = "/tmp/test_convert.XXXXXX";

static char *path_in(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static ff_dtype q8_0(void)
{
    return &ff_block_formats[FF_BLOCK_Q8_0].element;
}

// A part of the small model.
static void convert(const char *name, ff_converted_part part, ff_dtype dtype)
{
    ff_error error = {0};
    ff_conversion c = {.part = part, .dtype = dtype, .path = path_in(name)};
    assert_ok(ff_weights_open(part ? FF_GOLDEN "/model/text_encoder" : FOLDER, &c.weights, &error), &error);
    assert_ok(ff_convert(&c, &error), &error);
    assert_true(c.tensors > 40);
    ff_weights_close(c.weights);
}

static void check_hash(const char *name, const char *expected)
{
    char hash[65];
    FILE *file = fopen(path_in(name), "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    void *bytes = malloc(size);
    assert_non_null(bytes);
    rewind(file);
    assert_int_equal(fread(bytes, 1, size, file), size);
    fclose(file);
    print_sha256(bytes, size, hash);
    free(bytes);
    assert_string_equal(hash, expected);
}

static void test_gguf_has_the_bytes_of_gguf_py(void **state)
{
    char name[16], hash[65], output[32];
    FILE *goldens = fopen(FF_GOLDEN "/diffusers/gguf/conversions.txt", "r");
    size_t count = 0;
    assert_non_null(goldens);
    for (; fscanf(goldens, "%15s %64s", name, hash) == 2; count++) {
        ff_dtype dtype = strcmp(name, "q8_0") == 0 ? q8_0() : strcmp(name, "bf16") == 0 ? FF_BF16 : FF_F16;
        snprintf(output, sizeof output, "%s.gguf", name);
        convert(output, FF_CONVERTED_TRANSFORMER, dtype);
        check_hash(output, hash);
    }
    fclose(goldens);
    assert_int_equal(count, 3);
}

// Every tensor of what was written, by diffusers' name: what encoding and decoding the source's makes of it.
static void check_round_trip(const char *name, const char *from, const ff_name_table *names, ff_dtype dtype)
{
    ff_error error = {0};
    ff_weights *source, *written;
    size_t narrowed = 0;
    assert_ok(ff_weights_open(from, &source, &error), &error);
    assert_ok(ff_weights_open_file(path_in(name), &written, &error), &error);
    if (names)
        ff_weights_use_names(written, names);
    for (size_t i = 0; i < ff_weights_count(source); i++) {
        ff_weight before, after;
        const char *tensor = ff_weights_at(source, i, &before);
        size_t count = ff_weight_elements(&before);
        assert_ok(ff_weights_get(written, &after, &error, before.rank, before.shape, "%s", tensor), &error);
        float *values = malloc(3 * count * sizeof *values), *found = values + count, *expected = found + count;
        void *encoded = malloc(count * sizeof *values);
        assert_non_null(values);
        assert_non_null(encoded);
        ff_weight_widen(&before, 0, count, values);
        ff_weight_widen(&after, 0, count, found);
        assert_true(ff_encode(after.dtype, values, count, encoded));
        after.dtype->decode(encoded, 0, count, expected);
        assert_memory_equal(found, expected, count * sizeof *found);
        narrowed += after.dtype == dtype;
        free(values);
        free(encoded);
    }
    assert_true(narrowed > 10);
    ff_weights_close(source);
    ff_weights_close(written);
}

static void test_what_is_written_reads_back(void **state)
{
    convert("whole.gguf", FF_CONVERTED_TRANSFORMER, q8_0());
    check_round_trip("whole.gguf", FOLDER, &ff_names_transformer, q8_0());
    convert("whole.safetensors", FF_CONVERTED_TRANSFORMER, FF_BF16);
    check_round_trip("whole.safetensors", FOLDER, NULL, FF_BF16);
    convert("text.gguf", FF_CONVERTED_TEXT_ENCODER, q8_0());
    check_round_trip("text.gguf", FF_GOLDEN "/model/text_encoder", &ff_names_umt5_gguf, q8_0());
}

// ---- what becomes of which tensor ----

static void check_type(const char *name, int rank, size_t rows, size_t row, ff_dtype stored, ff_dtype expected)
{
    const ff_weight tensor = {.dtype = stored, .rank = rank, .shape = {rows, row, 1, 2, 2}};
    ff_dtype found = ff_conversion_type(FF_CONVERTED_TRANSFORMER, q8_0(), name, &tensor);
    if (found != expected)
        fail_msg("%s becomes %s, not %s", name, found->name, expected->name);
}

static void test_only_matrices_of_blocks_are_quantised(void **state)
{
    check_type("blocks.0.self_attn.q.weight", 2, 64, 64, FF_F32, q8_0());
    check_type("blocks.0.self_attn.q.bias", 1, 3072, 0, FF_BF16, FF_F32);
    check_type("blocks.0.ffn.0.weight", 2, 64, 72, FF_F32, FF_F16);
    check_type("blocks.0.ffn.0.weight", 2, 64, 72, FF_BF16, FF_BF16);
    check_type("blocks.0.ffn.0.weight", 2, 32, 32, FF_BF16, FF_F32);
    check_type("blocks.0.modulation", 3, 1, 6, FF_F32, FF_F32);
    check_type("patch_embedding.weight", 5, 256, 16, FF_BF16, FF_F32);
    check_type("time_projection.1.weight", 2, 512, 256, FF_BF16, FF_BF16);
    check_type("text_embedding.0.weight", 2, 512, 256, FF_F16, FF_F16);
    check_type("time_embedding.2.weight", 2, 512, 256, FF_F32, FF_F16);
    check_type("img_emb.proj.1.weight", 2, 512, 256, FF_F32, FF_F16);
    check_type("head.head.weight", 2, 512, 256, FF_F32, FF_F16);
}

// ---- numbers ----

// Every f16 and bf16 is itself; between two the nearer one is taken, and of two equally near the even one.
static void test_halves_round_to_even(void **state)
{
    for (uint32_t bits = 0; bits < 0x7c00; bits++) {
        float low = ff_widen_f16((uint16_t)bits), high = bits + 1 < 0x7c00 ? ff_widen_f16((uint16_t)(bits + 1)) : 65536.0f;
        float middle = low + (high - low) / 2;
        const float values[] = {low, -low, middle, nextafterf(middle, 0), nextafterf(middle, INFINITY)};
        uint16_t even = (uint16_t)(bits + (bits & 1)), found[5];
        const uint16_t expected[] = {(uint16_t)bits, (uint16_t)(bits | 0x8000), even, (uint16_t)bits,
                                     (uint16_t)(bits + 1)};
        assert_true(ff_encode(FF_F16, values, 5, found));
        assert_memory_equal(found, expected, sizeof found);
    }
    const float values[] = {1.00390625f, 1.01171875f, -INFINITY, 3.4e38f};
    const uint16_t expected[] = {0x3f80, 0x3f82, 0xff80, 0x7f80};
    uint16_t found[4];
    assert_true(ff_encode(FF_BF16, values, 4, found));
    assert_memory_equal(found, expected, sizeof found);
}

static void test_blocks_that_cannot_be_quantised(void **state)
{
    float values[32] = {0};
    uint8_t block[34];
    assert_true(ff_encode(q8_0(), values, 32, block));
    values[3] = 0x1p-149f;  // d is 0 then
    assert_true(ff_encode(q8_0(), values, 32, block));
    values[3] = 9e6f;  // d is no f16
    assert_false(ff_encode(q8_0(), values, 32, block));
    values[3] = NAN;
    assert_false(ff_encode(q8_0(), values, 32, block));
}

// ---- what is refused ----

static void test_sentences(void **state)
{
    ff_error error = {0};
    ff_conversion c = {.dtype = q8_0(), .path = path_in("x.safetensors")};
    assert_ok(ff_weights_open(FOLDER, &c.weights, &error), &error);
    assert_int_equal(ff_convert(&c, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "Q8_0 is a type of GGUF files"));
    c.path = "x.bin";
    assert_int_equal(ff_convert(&c, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "expected a name that ends in .gguf or .safetensors"));
    c.path = path_in("x.gguf");
    c.part = FF_CONVERTED_TEXT_ENCODER;
    assert_int_equal(ff_convert(&c, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "so it is no UMT5 encoder"));
    assert_int_not_equal(access(c.path, F_OK), 0);
    ff_weights_close(c.weights);
}

static int make_folder(void **state)
{
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"q8_0.gguf", "bf16.gguf", "f16.gguf", "whole.gguf", "whole.safetensors",
                                        "text.gguf"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(path_in(names[i]));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf_has_the_bytes_of_gguf_py),
        cmocka_unit_test(test_what_is_written_reads_back),
        cmocka_unit_test(test_only_matrices_of_blocks_are_quantised),
        cmocka_unit_test(test_halves_round_to_even),
        cmocka_unit_test(test_blocks_that_cannot_be_quantised),
        cmocka_unit_test(test_sentences),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

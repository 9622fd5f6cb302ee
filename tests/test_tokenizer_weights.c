// The tokenizer that a text encoder's file brings: golden/diffusers/text/spiece's model as a GGUF's vocabulary and as
// the tensor spiece_model, against transformers' ids (tools/golden/text.py).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/system.h"
#include "golden.h"
#include "part_files.h"
#include "text/spiece.h"
#include "text/text.h"

#define SPIECE FF_GOLDEN "/diffusers/text/spiece/spiece.model"

static char folder[] = "/tmp/ff-vocabulary-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

// ---- ids ----

static size_t u16(const uint8_t *at)
{
    return at[0] | (size_t)at[1] << 8;
}

static const uint8_t *bytes_of(const ff_weights *golden, const char *name, size_t *count)
{
    ff_weight tensor;
    assert_true(ff_weights_find(golden, name, &tensor) && tensor.dtype == FF_U8);
    *count = tensor.shape[0];
    return tensor.data;
}

// Every 12th string of the strings' golden, whose ids are those of the model's pieces alone: its sentinels, which
// T5Tokenizer numbers behind them, are not in the file.
static void check_ids(const ff_tokenizer *tokenizer, size_t pieces)
{
    ff_error error = {0};
    int64_t found[512];
    size_t strings, expected_strings, size, left, checked = 0;
    ff_weights *golden = golden_open("diffusers/text/strings.safetensors");
    ff_weights *expected = golden_open("diffusers/text/spiece/ids.safetensors");
    const uint8_t *text = bytes_of(golden, "cleaned", &left), *sizes = bytes_of(golden, "cleaned_lengths", &strings);
    const uint8_t *ids = bytes_of(expected, "spiece_ids", &size);
    const uint8_t *lengths = bytes_of(expected, "spiece_lengths", &expected_strings);
    for (size_t i = 0; i < strings / 2; text += u16(sizes + 2 * i++)) {
        size_t count, wanted = u16(lengths + i / 12 * 2);
        bool sentinel = false;
        if (i % 12)
            continue;
        for (size_t j = 0; j < wanted; j++)
            sentinel = sentinel || u16(ids + 2 * j) >= pieces;
        assert_ok(ff_tokenizer_encode(tokenizer, (const char *)text, u16(sizes + 2 * i), 512, found, &count, &error),
                  &error);
        for (size_t j = 0; j < wanted && !sentinel; j++)
            if (count != wanted || (size_t)found[j] != u16(ids + 2 * j))
                fail_msg("string %zu: id %zu is %lld of %zu, expected %zu of %zu", i, j, (long long)found[j], count,
                         u16(ids + 2 * j), wanted);
        checked += !sentinel;
        ids += 2 * wanted;
    }
    assert_true(checked > 100);
    ff_weights_close(expected);
    ff_weights_close(golden);
}

static void open_and_check(const char *name)
{
    ff_error error = {0};
    ff_weights *weights;
    ff_tokenizer *tokenizer;
    assert_ok(ff_weights_open_file(in_folder(name), &weights, &error), &error);
    assert_ok(ff_tokenizer_open_weights(weights, &tokenizer, &error), &error);
    assert_non_null(tokenizer);
    assert_int_equal(ff_tokenizer_vocabulary(tokenizer), 547);
    check_ids(tokenizer, 547);
    ff_tokenizer_close(tokenizer);
    ff_weights_close(weights);
}

static void test_spiece_model_in_a_safetensors_file(void **state)
{
    ff_mapping file;
    ff_error error = {0};
    assert_ok(ff_map_file(SPIECE, &file, &error), &error);
    part_file *out = part_file_create(in_folder("encoder.safetensors"));
    part_file_add_bytes(out, "spiece_model", file.data, file.size);
    part_file_finish(out);
    ff_unmap_file(&file);
    open_and_check("encoder.safetensors");
}

// ---- GGUF ----

static void put(FILE *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        fputc((int)(value >> 8 * i & 255), out);
}

static void put_text(FILE *out, const char *text, size_t size)
{
    put(out, size, 8);
    fwrite(text, 1, size, out);
}

// Types of GGUF's values.
enum { U8 = 0, U32 = 4, I32 = 5, F32 = 6, STRING = 8, ARRAY = 9 };

static void put_key(FILE *out, const char *key, unsigned type)
{
    put_text(out, key, strlen(key));
    put(out, type, 4);
}

static void put_array(FILE *out, const char *key, unsigned element, size_t count)
{
    put_key(out, key, ARRAY);
    put(out, element, 4);
    put(out, count, 8);
}

// The vocabulary as llama.cpp's converter writes it. model, eos: what the keys say
static void write_gguf(const char *name, const char *model, size_t eos)
{
    ff_mapping file;
    ff_error error = {0};
    ff_spiece_model spiece;
    ff_spiece piece;
    ff_wire at;
    assert_ok(ff_map_file(SPIECE, &file, &error), &error);
    assert_ok(ff_spiece_read(SPIECE, file.data, file.size, &spiece, &error), &error);
    FILE *out = fopen(in_folder(name), "wb");
    assert_non_null(out);
    fputs("GGUF", out);
    put(out, 3, 4);
    put(out, 0, 8);
    put(out, 5 + (spiece.charsmap != NULL), 8);
    put_key(out, "tokenizer.ggml.model", STRING);
    put_text(out, model, strlen(model));
    put_key(out, "tokenizer.ggml.eos_token_id", U32);
    put(out, eos, 4);
    put_array(out, "tokenizer.ggml.tokens", STRING, spiece.count);
    for (at = spiece.pieces; ff_spiece_next(&at, &piece);)
        put_text(out, piece.text, piece.size);
    put_array(out, "tokenizer.ggml.scores", F32, spiece.count);
    for (at = spiece.pieces; ff_spiece_next(&at, &piece);)
        fwrite(&piece.score, sizeof piece.score, 1, out);
    put_array(out, "tokenizer.ggml.token_type", I32, spiece.count);
    for (at = spiece.pieces; ff_spiece_next(&at, &piece);)
        put(out, piece.type, 4);
    if (spiece.charsmap) {
        put_array(out, "tokenizer.ggml.precompiled_charsmap", U8, spiece.charsmap_size);
        fwrite(spiece.charsmap, 1, spiece.charsmap_size, out);
    }
    while (ftell(out) % 32)
        fputc(0, out);
    assert_int_equal(fclose(out), 0);
    ff_unmap_file(&file);
}

static void test_vocabulary_of_a_gguf_file(void **state)
{
    write_gguf("encoder.gguf", "t5", 1);
    open_and_check("encoder.gguf");
}

static void test_other_vocabularies_are_refused(void **state)
{
    static const struct {
        const char *model;
        size_t eos;
        const char *said;
    } cases[] = {{"llama", 1, "tokenizer.ggml.model is llama, expected t5"}, {"t5", 2, "eos_token_id is 2"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ff_error error = {0};
        ff_weights *weights;
        ff_tokenizer *tokenizer;
        write_gguf("other.gguf", cases[i].model, cases[i].eos);
        assert_ok(ff_weights_open_file(in_folder("other.gguf"), &weights, &error), &error);
        assert_int_equal(ff_tokenizer_open_weights(weights, &tokenizer, &error), FF_ERROR_INPUT);
        assert_null(tokenizer);
        if (!strstr(error.message, cases[i].said))
            fail_msg("%s", error.message);
        ff_weights_close(weights);
    }
}

static void test_files_without_one_have_none(void **state)
{
    ff_error error = {0};
    ff_tokenizer *tokenizer;
    ff_weights *weights = golden_open("diffusers/text/spiece/ids.safetensors");
    assert_ok(ff_tokenizer_open_weights(weights, &tokenizer, &error), &error);
    assert_null(tokenizer);
    ff_weights_close(weights);
}

static int make_folder(void **state)
{
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    static const char *const files[] = {"encoder.safetensors", "encoder.gguf", "other.gguf"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        remove(in_folder(files[i]));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spiece_model_in_a_safetensors_file),
        cmocka_unit_test(test_vocabulary_of_a_gguf_file),
        cmocka_unit_test(test_other_vocabularies_are_refused),
        cmocka_unit_test(test_files_without_one_have_none),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

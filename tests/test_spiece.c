// spiece.model alone as a tokenizer, against transformers' T5Tokenizer (tools/golden/text.py); and files of any bytes.
#define _GNU_SOURCE
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/system.h"
#include "text/text.h"

#define TEXT FF_GOLDEN "/diffusers/text/"

// ---- goldens ----

static const uint8_t *golden_bytes(const ff_weights *golden, const char *name, const char *more, size_t *count)
{
    char key[64];
    ff_weight tensor;
    snprintf(key, sizeof key, "%s%s", name, more);
    if (!ff_weights_find(golden, key, &tensor) || tensor.dtype != FF_U8 || tensor.rank != 1)
        fail_msg("the golden has no U8 tensor %s", key);
    *count = tensor.shape[0];
    return tensor.data;
}

static size_t u16(const uint8_t *at)
{
    return at[0] | (size_t)at[1] << 8;
}

// Every 12th string of the strings' golden.
static void check_ids(const char *name, size_t vocabulary)
{
    char path[512];
    ff_error error = {0};
    ff_tokenizer *tokenizer;
    int64_t found[512];
    size_t strings, expected_strings, ids_size, count, left;
    ff_weights *golden = golden_open("diffusers/text/strings.safetensors");
    ff_weights *expected = golden_open("diffusers/text/spiece/ids.safetensors");
    const uint8_t *text = golden_bytes(golden, "cleaned", "", &left);
    const uint8_t *sizes = golden_bytes(golden, "cleaned_lengths", "", &strings);
    const uint8_t *ids = golden_bytes(expected, name, "_ids", &ids_size);
    const uint8_t *lengths = golden_bytes(expected, name, "_lengths", &expected_strings);
    snprintf(path, sizeof path, TEXT "%s/spiece.model", name);
    assert_ok(ff_tokenizer_open_spiece(path, &tokenizer, &error), &error);
    assert_int_equal(ff_tokenizer_vocabulary(tokenizer), vocabulary);
    strings /= 2;
    assert_int_equal(expected_strings / 2, (strings + 11) / 12);
    for (size_t i = 0; i < strings; i++) {
        size_t size = u16(sizes + 2 * i);
        if (i % 12 == 0) {
            size_t wanted = u16(lengths + i / 12 * 2);
            assert_ok(ff_tokenizer_encode(tokenizer, (const char *)text, size, 512, found, &count, &error), &error);
            assert_int_equal(count, wanted);
            for (size_t j = 0; j < count; j++)
                if ((size_t)found[j] != u16(ids + 2 * j))
                    fail_msg("%s, string %zu, \"%.*s\": id %zu is %lld, expected %zu", name, i, (int)size,
                             (const char *)text, j, (long long)found[j], u16(ids + 2 * j));
            ids += 2 * count;
        }
        text += size;
    }
    ff_tokenizer_close(tokenizer);
    ff_weights_close(expected);
    ff_weights_close(golden);
}

static void ids_are_those_of_transformers(void **state)
{
    check_ids("spiece", 547 + 100);
}

// With extra_ids, named tokens, added tokens and special tokens in the files beside it.
static void files_beside_it_count_as_in_transformers(void **state)
{
    ff_error error = {0};
    ff_tokenizer *tokenizer;
    check_ids("spiece_configured", 547 + 10 + 4);
    assert_ok(ff_tokenizer_open_spiece(TEXT "spiece_configured/spiece.model", &tokenizer, &error), &error);
    assert_int_equal(ff_tokenizer_sentinels(tokenizer), 10);
    assert_int_equal(ff_tokenizer_files(tokenizer), 4);
    assert_string_equal(ff_tokenizer_file(tokenizer, 0), "spiece.model");
    assert_string_equal(ff_tokenizer_file(tokenizer, 1), "tokenizer_config.json");
    ff_tokenizer_close(tokenizer);
}

// ---- files of any bytes ----

static char folder[] = "/tmp/ff-spiece-XXXXXX";

static const char *write_beside(const char *name, const void *bytes, size_t size)
{
    static char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

static void assert_refused(const void *bytes, size_t size, const char *expected)
{
    ff_error error = {0};
    ff_tokenizer *tokenizer;
    const char *path = write_beside("spiece.model", bytes, size);
    assert_int_equal(ff_tokenizer_open_spiece(path, &tokenizer, &error), FF_ERROR_INPUT);
    if (tokenizer || !strstr(error.message, expected) || !strstr(error.message, path))
        fail_msg("\"%s\" does not say \"%s\"", error.message, expected);
}

// A piece of one letter and its score; of the last kinds of fields, as they may come.
#define PIECE(letter, score) "\x0A\x08\x0A\x01" letter "\x15" score
#define ONE "\0\0\x80\x3F"
#define AS_BYTES(text) text, sizeof text - 1

static void what_is_not_understood_is_refused_by_name(void **state)
{
    assert_refused(AS_BYTES(""), "not a SentencePiece model, or cut off (0 bytes)");
    assert_refused(AS_BYTES("\x0A\x7F"), "cut off");
    assert_refused(AS_BYTES("\x0B\x00"), "not a SentencePiece model");          // a group
    assert_refused(AS_BYTES("\x02\x00"), "not a SentencePiece model");          // field 0
    assert_refused(AS_BYTES("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), "not a SentencePiece model");
    assert_refused(AS_BYTES("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), "not a SentencePiece model");
    assert_refused(AS_BYTES("version https://git-lfs.github.com/spec/v1\noid"), "it is a Git LFS pointer");
    assert_refused(AS_BYTES("<!doctype html>"), "it is a web page");
    assert_refused(AS_BYTES("Entry not found"), "it is text that begins \"Entry not found\"");
    assert_refused(AS_BYTES(PIECE("a", ONE) PIECE("b", ONE) PIECE("c", ONE) "\x12\x02\x18\x02"), "a BPE model");
    assert_refused(AS_BYTES(PIECE("a", ONE) PIECE("\xFF", ONE)), "piece 1 is not UTF-8 text");
    assert_refused(AS_BYTES(PIECE("\0", ONE)), "piece 0 is not UTF-8 text");
    assert_refused(AS_BYTES(PIECE("a", ONE) PIECE("b", "\0\0\xC0\x7F")), "score of piece 1 is not finite");
    assert_refused(AS_BYTES(PIECE("a", ONE) PIECE("b", ONE) PIECE("c", ONE) "\x1A\x03\x12\x01x"), "charsmap is broken");
    write_beside("tokenizer_config.json", AS_BYTES("{\"extra_ids\": 0}"));
    assert_refused(AS_BYTES(PIECE("a", ONE) PIECE("b", ONE)), "has 2 pieces");
    static const char *const configs[][2] = {
        {"{\"extra_ids\": 1.5}", "extra_ids"}, {"{\"extra_ids\": NaN}", "extra_ids"},
        {"{\"extra_ids\": \"9\"}", "extra_ids"}, {"{\"extra_ids\": 1e18}", "extra_ids"},
        {"{\"eos_token\": null}", "no eos_token"}, {"{\"eos_token\": 7}", "eos_token"},
        {"{\"eos_token\": \"\"}", "no eos_token"},
        {"{\"added_tokens_decoder\": {\"7\": \"x\"}}", "added_tokens_decoder"},
        {"{\"added_tokens_decoder\": {\"x\": {\"content\": \"a\"}}}", "added_tokens_decoder"},
        {"{\"additional_special_tokens\": [1]}", "extra_special_tokens"},
        {"{\"additional_special_tokens\": 7}", "extra_special_tokens"},
        {"{\"split_special_tokens\": true}", "split_special_tokens"},
    };
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        write_beside("tokenizer_config.json", configs[i][0], strlen(configs[i][0]));
        assert_refused(AS_BYTES(PIECE("a", ONE) PIECE("b", ONE) PIECE("c", ONE)), configs[i][1]);
    }
    assert_int_equal(remove(write_beside("tokenizer_config.json", "", 0)), 0);
}

static void a_model_cut_or_changed_anywhere_is_read_or_refused(void **state)
{
    ff_mapping file;
    ff_error error = {0};
    assert_ok(ff_map_file(TEXT "spiece/spiece.model", &file, &error), &error);
    char *bytes = malloc(file.size);
    assert_non_null(bytes);
    size_t refused = 0, read = 0;
    for (size_t i = 0; i < 2 * file.size; i += 31) {
        ff_tokenizer *tokenizer;
        int64_t ids[64];
        size_t count, cut = i < file.size ? i : file.size;
        memcpy(bytes, file.data, file.size);
        if (i >= file.size)
            bytes[i - file.size] ^= (char)(1 << i % 8);
        const char *path = write_beside("spiece.model", bytes, cut);
        ff_status status = ff_tokenizer_open_spiece(path, &tokenizer, &error);
        if (status == FF_OK) {
            assert_ok(ff_tokenizer_encode(tokenizer, "She smiles \xe7\x8c\xab.", 15, 64, ids, &count, &error), &error);
            ff_tokenizer_close(tokenizer);
            read++;
        } else {
            assert_int_equal(status, FF_ERROR_INPUT);
            assert_non_null(strstr(error.message, path));
            refused++;
        }
    }
    assert_true(refused > 100 && read > 100);
    free(bytes);
    ff_unmap_file(&file);
}

static void a_vocabulary_of_256000_pieces_loads(void **state)
{
    enum { PIECES = 256000, LONGEST = 32 };
    char *bytes = malloc((size_t)PIECES * LONGEST);
    size_t size = 0, count;
    ff_error error = {0};
    ff_tokenizer *tokenizer;
    int64_t ids[8];
    assert_non_null(bytes);
    for (int i = 0; i < PIECES; i++) {
        char piece[LONGEST];
        int length = snprintf(piece, sizeof piece, "\xe2\x96\x81w%x", i);
        size += (size_t)sprintf(bytes + size, "\x0A%c\x0A%c%s\x15", 2 + length + 5, length, piece);
        memcpy(bytes + size, (float[]){-8 - (float)i * 1e-5f}, 4);
        size += 4;
    }
    const char *path = write_beside("spiece.model", bytes, size);
    assert_ok(ff_tokenizer_open_spiece(path, &tokenizer, &error), &error);
    assert_int_equal(ff_tokenizer_vocabulary(tokenizer), PIECES + 100 + 3);  // </s>, <unk>, <pad>
    static const char text[] = "w1 w3e7ff <extra_id_0>w2 \xe7\x8c\xab";
    assert_ok(ff_tokenizer_encode(tokenizer, text, sizeof text - 1, 8, ids, &count, &error), &error);
    assert_int_equal(count, 6);
    assert_memory_equal(ids, ((int64_t[]){1, 0x3e7ff, PIECES + 99, 2, 2, PIECES + 100}), sizeof *ids * 6);
    ff_tokenizer_close(tokenizer);
    free(bytes);
}

static int make_folder(void **state)
{
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    remove(write_beside("spiece.model", "", 0));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_those_of_transformers),
        cmocka_unit_test(files_beside_it_count_as_in_transformers),
        cmocka_unit_test(what_is_not_understood_is_refused_by_name),
        cmocka_unit_test(a_model_cut_or_changed_anywhere_is_read_or_refused),
        cmocka_unit_test(a_vocabulary_of_256000_pieces_loads),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

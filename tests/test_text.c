// Cleaning, tokens and text encoder against diffusers, transformers and ftfy (tools/golden/text.py).
#define _GNU_SOURCE  // mkstemp
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text/buckets.h"
#include "text/text.h"

// ---- strings ----

typedef struct bytes {
    const uint8_t *at;
    size_t count;
} bytes;

static bytes golden_bytes(const ff_weights *golden, const char *name)
{
    ff_weight tensor;
    if (!ff_weights_find(golden, name, &tensor) || tensor.dtype != FF_U8 || tensor.rank != 1)
        fail_msg("the golden has no U8 tensor %s", name);
    return (bytes){tensor.data, tensor.shape[0]};
}

static size_t little_endian(const uint8_t *at, size_t width)
{
    size_t value = 0;
    for (size_t i = 0; i < width; i++)
        value |= (size_t)at[i] << 8 * i;
    return value;
}

static void cleaned_prompts_are_those_of_diffusers(void **state)
{
    ff_weights *golden = golden_open("diffusers/text/strings.safetensors");
    bytes text = golden_bytes(golden, "text"), lengths = golden_bytes(golden, "text_lengths");
    bytes cleaned = golden_bytes(golden, "cleaned"), cleaned_lengths = golden_bytes(golden, "cleaned_lengths");
    assert_true(lengths.count / 2 >= 2000);
    for (size_t i = 0; i < lengths.count / 2; i++) {
        size_t length = little_endian(lengths.at + 2 * i, 2), expected = little_endian(cleaned_lengths.at + 2 * i, 2);
        char *found = NULL;
        ff_error error = {0};
        assert_ok(ff_text_clean((const char *)text.at, length, &found, &error), &error);
        if (strlen(found) != expected || memcmp(found, cleaned.at, expected) != 0)
            fail_msg("string %zu: \"%.*s\" becomes \"%s\", expected \"%.*s\"", i, (int)length, (const char *)text.at,
                     found, (int)expected, (const char *)cleaned.at);
        free(found);
        text.at += length;
        cleaned.at += expected;
    }
    ff_weights_close(golden);
}

// golden: tensors cleaned, cleaned_lengths, NAME_ids and NAME_lengths.
static void check_ids(const ff_weights *golden, const char *name, const char *tokenizer_path)
{
    char key[64];
    ff_error error = {0};
    ff_tokenizer *tokenizer;
    int64_t found[512];
    size_t total = 0, count, width;
    bytes cleaned = golden_bytes(golden, "cleaned"), cleaned_lengths = golden_bytes(golden, "cleaned_lengths");
    snprintf(key, sizeof key, "%s_ids", name);
    bytes ids = golden_bytes(golden, key);
    snprintf(key, sizeof key, "%s_lengths", name);
    bytes lengths = golden_bytes(golden, key);
    for (size_t i = 0; i < lengths.count / 2; i++)
        total += little_endian(lengths.at + 2 * i, 2);
    width = ids.count / total;
    assert_ok(ff_tokenizer_open(tokenizer_path, &tokenizer, &error), &error);
    for (size_t i = 0; i < lengths.count / 2; i++) {
        size_t size = little_endian(cleaned_lengths.at + 2 * i, 2), expected = little_endian(lengths.at + 2 * i, 2);
        assert_ok(ff_tokenizer_encode(tokenizer, (const char *)cleaned.at, size, 512, found, &count, &error), &error);
        for (size_t j = 0; j < count && j < expected; j++) {
            if ((size_t)found[j] != little_endian(ids.at + width * j, width))
                fail_msg("string %zu, \"%.*s\": id %zu is %lld, expected %zu", i, (int)size, (const char *)cleaned.at,
                         j, (long long)found[j], little_endian(ids.at + width * j, width));
        }
        if (count != expected)
            fail_msg("string %zu, \"%.*s\": %zu ids, expected %zu", i, (int)size, (const char *)cleaned.at, count,
                     expected);
        cleaned.at += size;
        ids.at += width * expected;
    }
    print_message("%s: %zu strings, %zu ids, vocabulary %zu\n", name, lengths.count / 2, total,
                  ff_tokenizer_vocabulary(tokenizer));
    ff_tokenizer_close(tokenizer);
}

static void ids_are_those_of_transformers(void **state)
{
    ff_weights *golden = golden_open("diffusers/text/strings.safetensors");
    check_ids(golden, "words", FF_GOLDEN "/diffusers/text/words/tokenizer.json");
    check_ids(golden, "pieces", FF_GOLDEN "/diffusers/text/pieces/tokenizer.json");
    ff_weights_close(golden);
}

static void ids_of_a_large_vocabulary_are_those_of_transformers(void **state)
{
    const char *folder = getenv("FF_LARGE_TOKENIZER");
    char path[1024], name[256];
    ff_error error = {0};
    ff_weights *golden;
    if (!folder) {
        print_message("skipped: FF_LARGE_TOKENIZER does not name a folder that tools/golden/text.py --large wrote\n");
        skip();
        return;
    }
    snprintf(path, sizeof path, "%s/strings.safetensors", folder);
    assert_ok(ff_weights_open_file(path, &golden, &error), &error);
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    snprintf(name, sizeof name, "%s", strrchr(folder, '/') ? strrchr(folder, '/') + 1 : folder);
    check_ids(golden, name, path);
    ff_weights_close(golden);
}

static void broken_utf8_is_refused_with_its_offset(void **state)
{
    static const struct {
        const char *text;
        size_t size, offset;
    } cases[] = {
        {"abc\xFF", 4, 3}, {"\x80", 1, 0}, {"a\xC3", 2, 1}, {"a\xC3(", 3, 1}, {"\xC0\x80", 2, 0},
        {"\xE0\x80\x80", 3, 0}, {"\xED\xA0\x80", 3, 0}, {"\xF4\x90\x80\x80", 4, 0}, {"ab\xF0\x9F\x99", 5, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *out, expected[32];
        ff_error error = {0};
        snprintf(expected, sizeof expected, "byte %zu of %zu ", cases[i].offset, cases[i].size);
        assert_int_equal(ff_text_clean(cases[i].text, cases[i].size, &out, &error), FF_ERROR_INPUT);
        assert_non_null(strstr(error.message, expected));
    }
}

// ---- tokenizer files ----

// A temporary file for a test to write; the caller removes it.
static FILE *temporary_file(char path[32])
{
    strcpy(path, "/tmp/ff-test-text-XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    return fdopen(file, "w");
}

// Opens `json` as a tokenizer.json.
static ff_status open_text(const char *json, ff_tokenizer **out, ff_error *error)
{
    char path[32];
    FILE *file = temporary_file(path);
    fputs(json, file);
    fclose(file);
    ff_status status = ff_tokenizer_open(path, out, error);
    remove(path);
    return status;
}

static void check_encoding(const ff_tokenizer *tokenizer, const char *text, size_t most, size_t count,
                           const int64_t *expected)
{
    int64_t ids[64];
    size_t found;
    ff_error error = {0};
    assert_ok(ff_tokenizer_encode(tokenizer, text, strlen(text), most, ids, &found, &error), &error);
    assert_int_equal(found, count);
    assert_memory_equal(ids, expected, count * sizeof *ids);
}

static void a_vocabulary_of_256000_pieces_loads(void **state)
{
    char path[32];
    ff_error error = {0};
    ff_tokenizer *tokenizer;
    FILE *file = temporary_file(path);
    fprintf(file, "{\"added_tokens\": [], \"normalizer\": null, \"pre_tokenizer\": {\"type\": \"Metaspace\", "
                  "\"replacement\": \"\u2581\"}, \"post_processor\": null, \"model\": {\"type\": \"Unigram\", "
                  "\"unk_id\": 0, \"vocab\": [[\"<unk>\", 0.0]");
    for (int i = 1; i < 256000; i++)
        fprintf(file, ", [\"\u2581w%x\", %.6f]", i, -8 - i * 1e-5);
    fprintf(file, "]}}");
    fclose(file);
    ff_status status = ff_tokenizer_open(path, &tokenizer, &error);
    remove(path);
    assert_ok(status, &error);
    assert_int_equal(ff_tokenizer_vocabulary(tokenizer), 256000);
    check_encoding(tokenizer, "w1 w3e7ff wabc \u732B w10000", 64, 5, (int64_t[]){1, 255999, 0xabc, 0, 0x10000});
    ff_tokenizer_close(tokenizer);
}

static void text_is_cut_but_never_the_special_tokens(void **state)
{
    ff_error error = {0};
    ff_tokenizer *tokenizer;
    int64_t ids[4];
    size_t count;
    assert_ok(open_text("{\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"?\", 0], [\"a\", -1], "
                        "[\"[\", -9], [\"]\", -9]]}, \"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"}, "
                        "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": "
                        "{\"id\": \"[\"}}, {\"Sequence\": {\"id\": \"A\"}}, {\"SpecialToken\": {\"id\": \"]\"}}], "
                        "\"special_tokens\": {\"[\": {\"ids\": [2]}, \"]\": {\"ids\": [3]}}}}", &tokenizer, &error),
              &error);
    check_encoding(tokenizer, "", 9, 2, (int64_t[]){2, 3});
    check_encoding(tokenizer, " a a ", 9, 4, (int64_t[]){2, 1, 1, 3});
    check_encoding(tokenizer, "a b a", 4, 4, (int64_t[]){2, 1, 0, 3});
    check_encoding(tokenizer, "a b a", 2, 2, (int64_t[]){2, 3});
    assert_int_equal(ff_tokenizer_encode(tokenizer, "a", 1, 1, ids, &count, &error), FF_ERROR_INPUT);
    ff_tokenizer_close(tokenizer);
}

static void what_is_not_understood_is_refused_by_name(void **state)
{
    static const char model[] = "\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"?\", 0]]}";
    static const char *const cases[][2] = {
        {"", "not a JSON object"},
        {"{\"model\": {", "not a JSON object"},
        {"[1]", "not a JSON object"},
        {"{}", "the model is without a type"},
        {"{\"model\": {\"type\": \"BPE\"}}", "the model is BPE"},
        {"{\"model\": {\"type\": \"Unigram\"}}", "no vocab"},
        {"{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 1], [\"b\"]]}}", "entry 1 is not a piece"},
        {"{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 1]], \"unk_id\": 1}}", "unk_id"},
        {"{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 1]], \"unk_id\": NaN}}", "unk_id"},
        {"{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", -Infinity]]}}", "entry 0 is not a piece"},
        {"{@, \"normalizer\": {\"type\": \"Lowercase\"}}", "the normalizer Lowercase is not supported"},
        {"{@, \"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAA\"}}", "charsmap is broken"},
        {"{@, \"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"/////w==\"}}", "is broken"},
        {"{@, \"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"a+\"}, \"content\": \"\"}}", "\"a+\""},
        {"{@, \"pre_tokenizer\": {\"type\": \"ByteLevel\"}}", "the pre-tokenizer ByteLevel is not supported"},
        {"{@, \"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"ab\"}}", "not one character"},
        {"{@, \"post_processor\": {\"type\": \"ByteLevel\"}}", "the post-processor ByteLevel is not supported"},
        {"{@, \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": []}}", "0 places for the text"},
        {"{@, \"added_tokens\": [{\"content\": \"<x>\"}]}", "<x> has no flag single_word"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[512];
        const char *at = strchr(cases[i][0], '@');
        ff_error error = {0};
        ff_tokenizer *tokenizer;
        if (at)
            snprintf(json, sizeof json, "{%s%s", model, at + 1);
        else
            snprintf(json, sizeof json, "%s", cases[i][0]);
        assert_int_equal(open_text(json, &tokenizer, &error), FF_ERROR_INPUT);
        if (!strstr(error.message, cases[i][1]))
            fail_msg("\"%s\" does not say \"%s\"", error.message, cases[i][1]);
    }
}

// ---- text encoder ----

static void buckets_are_those_of_transformers(void **state)
{
    ff_weights *golden = golden_open("diffusers/text/buckets.safetensors");
    assert_true(ff_weights_count(golden) > 0);
    for (size_t i = 0; i < ff_weights_count(golden); i++) {
        ff_weight tensor;
        ff_buckets buckets;
        size_t num_buckets, max_distance;
        const char *name = ff_weights_at(golden, i, &tensor);
        assert_int_equal(sscanf(name, "%zu.%zu", &num_buckets, &max_distance), 2);
        assert_true(ff_buckets_create(num_buckets, max_distance, &buckets));
        for (size_t distance = 0; distance < tensor.shape[0]; distance++) {
            size_t expected = ((const uint8_t *)tensor.data)[distance];
            if (ff_bucket(&buckets, distance, 0) != expected)
                fail_msg("%s: distance %zu is in bucket %zu, expected %zu", name, distance,
                         ff_bucket(&buckets, distance, 0), expected);
            if (distance)
                assert_int_equal(ff_bucket(&buckets, 7, 7 + distance), num_buckets / 2 + expected);
        }
        ff_buckets_free(&buckets);
    }
    ff_weights_close(golden);
}

typedef struct model {
    ff_weights *weights;
    ff_config *config;
    ff_text_encoder *encoder;
} model;

static model open_model(const char *name)
{
    char path[1024];
    model m = {0};
    ff_error error = {0};
    snprintf(path, sizeof path, "%s/diffusers/text/%s", FF_GOLDEN, name);
    assert_ok(ff_weights_open(path, &m.weights, &error), &error);
    snprintf(path, sizeof path, "%s/diffusers/text/%s/config.json", FF_GOLDEN, name);
    assert_ok(ff_config_open(path, &m.config, &error), &error);
    assert_ok(ff_text_encoder_open(m.weights, m.config, &m.encoder, &error), &error);
    return m;
}

static void close_model(model *m)
{
    ff_text_encoder_close(m->encoder);
    ff_config_close(m->config);
    ff_weights_close(m->weights);
}

// The embedding of `ids`, to be freed.
static float *embed(const ff_text_encoder *encoder, const ff_kernels *kernels, const int64_t *ids, size_t count)
{
    ff_error error = {0};
    ff_arena *arena = ff_arena_create();
    float *out = malloc((count * ff_text_encoder_dim(encoder) + 1) * sizeof *out);
    assert_non_null(arena);
    assert_non_null(out);
    assert_ok(ff_text_encoder_run(encoder, kernels, arena, ids, count, out, &error), &error);
    ff_arena_destroy(arena);
    return out;
}

// transformers' float32 output, relative L2 at most 1e-5; both builds of the scalar kernels to the bit the same.
static void embeddings_are_those_of_transformers(void **state)
{
    static const char *const names[] = {"umt5_gated_gelu", "umt5_bfloat16", "umt5_relu", "umt5_gated_silu",
                                        "umt5_gelu", "umt5_untied"};
    const ff_kernels *fma = ff_kernels_scalar_build(true), *libm = ff_kernels_scalar_build(false);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[256], what[128];
        model m = open_model(names[i]);
        snprintf(path, sizeof path, "diffusers/text/%s/golden.safetensors", names[i]);
        ff_weights *golden = golden_open(path);
        for (size_t length = 1; length <= 512; length++) {
            ff_weight tensor;
            size_t count, expected_count;
            snprintf(what, sizeof what, "ids.%zu", length);
            if (!ff_weights_find(golden, what, &tensor))
                continue;
            const int64_t *ids = golden_i64(golden, what, &count);
            snprintf(what, sizeof what, "out.%zu", length);
            const float *expected = golden_f32(golden, what, &expected_count);
            assert_int_equal(expected_count, count * ff_text_encoder_dim(m.encoder));
            float *out = embed(m.encoder, libm, ids, count);
            snprintf(what, sizeof what, "%s, %zu tokens", names[i], length);
            assert_close(what, out, expected, expected_count, 1e-5);
            if (fma) {
                float *again = embed(m.encoder, fma, ids, count);
                assert_memory_equal(again, out, expected_count * sizeof *out);
                free(again);
            }
            free(out);
        }
        ff_weights_close(golden);
        close_model(&m);
    }
}

static void the_embedding_may_have_either_of_its_names(void **state)
{
    static const int64_t ids[] = {5, 1, 89, 0};
    char path[32];
    ff_error error = {0};
    ff_dump *dump;
    ff_weights *renamed;
    ff_text_encoder *encoder;
    model m = open_model("umt5_gated_gelu");
    fclose(temporary_file(path));
    assert_ok(ff_dump_create(path, ff_weights_count(m.weights), &dump, &error), &error);
    for (size_t i = 0; i < ff_weights_count(m.weights); i++) {
        ff_weight tensor;
        const char *name = ff_weights_at(m.weights, i, &tensor);
        if (strcmp(name, "shared.weight") == 0)
            name = "encoder.embed_tokens.weight";
        assert_ok(ff_dump_tensor(dump, name, tensor.dtype, tensor.rank, tensor.shape, tensor.data, &error), &error);
    }
    assert_ok(ff_dump_finish(dump, &error), &error);
    assert_ok(ff_weights_open_file(path, &renamed, &error), &error);
    assert_ok(ff_text_encoder_open(renamed, m.config, &encoder, &error), &error);
    float *a = embed(m.encoder, ff_kernels_scalar(), ids, 4), *b = embed(encoder, ff_kernels_scalar(), ids, 4);
    assert_memory_equal(a, b, 4 * ff_text_encoder_dim(encoder) * sizeof *a);
    free(a);
    free(b);
    ff_text_encoder_close(encoder);
    ff_weights_close(renamed);
    remove(path);
    close_model(&m);
}

static void sizes_come_from_the_config_and_are_checked(void **state)
{
    ff_error error = {0};
    ff_text_encoder *encoder;
    ff_arena *arena = ff_arena_create();
    model m = open_model("umt5_gated_gelu"), other = open_model("umt5_relu");
    size_t elements = 0;
    float out[40];
    for (size_t i = 0; i < ff_weights_count(m.weights); i++) {
        ff_weight tensor;
        ff_weights_at(m.weights, i, &tensor);
        elements += tensor.shape[0] * (tensor.rank == 2 ? tensor.shape[1] : 1);
    }
    assert_int_equal(ff_text_encoder_parameters(m.encoder), elements);
    // 3 layers, 20 wide: q, k, v, o of 18 x 20, three of 28 x 20; two products of 18 a pair of tokens
    assert_true(ff_text_encoder_flop(m.encoder, 7) == 2.0 * 3 * 7 * (4 * 18 * 20 + 3 * 28 * 20 + 2 * 18 * 7));
    assert_int_equal(ff_text_encoder_open(other.weights, m.config, &encoder, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "wi_0.weight"));
    assert_int_equal(ff_text_encoder_run(m.encoder, ff_kernels_scalar(), arena, (int64_t[]){1, 90}, 2, out, &error),
                     FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "token id 90"));
    assert_int_equal(ff_text_encoder_run(m.encoder, ff_kernels_scalar(), arena, (int64_t[]){-1}, 1, out, &error),
                     FF_ERROR_INPUT);
    assert_ok(ff_text_encoder_run(m.encoder, ff_kernels_scalar(), arena, NULL, 0, out, &error), &error);
    ff_arena_destroy(arena);
    close_model(&m);
    close_model(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cleaned_prompts_are_those_of_diffusers),
        cmocka_unit_test(ids_are_those_of_transformers),
        cmocka_unit_test(ids_of_a_large_vocabulary_are_those_of_transformers),
        cmocka_unit_test(broken_utf8_is_refused_with_its_offset),
        cmocka_unit_test(a_vocabulary_of_256000_pieces_loads),
        cmocka_unit_test(text_is_cut_but_never_the_special_tokens),
        cmocka_unit_test(what_is_not_understood_is_refused_by_name),
        cmocka_unit_test(buckets_are_those_of_transformers),
        cmocka_unit_test(embeddings_are_those_of_transformers),
        cmocka_unit_test(the_embedding_may_have_either_of_its_names),
        cmocka_unit_test(sizes_come_from_the_config_and_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

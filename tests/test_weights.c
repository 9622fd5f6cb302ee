// Reading safetensors and configs: what a good file holds, and that every broken one is refused with a sentence.
// The format is huggingface/safetensors'; the files are made here, byte by byte.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "golden.h"

static char folder[] = "/tmp/ff-weights-XXXXXX";
static char path[64];

static void write_bytes(const char *name, const void *bytes, size_t size)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

// header as JSON, then data; returns the file's size.
static size_t write_safetensors(const char *name, const char *header, const void *data, size_t size)
{
    uint8_t bytes[4096];
    size_t length = strlen(header);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)length >> (8 * i));
    assert_true(8 + length + size <= sizeof bytes);
    memcpy(bytes + 8, header, length);
    if (size)
        memcpy(bytes + 8 + length, data, size);
    write_bytes(name, bytes, 8 + length + size);
    return 8 + length + size;
}

static void assert_refused(const char *expected)
{
    ff_error error = {0};
    ff_weights *weights = NULL;
    assert_int_equal(ff_weights_open_file(path, &weights, &error), FF_ERROR_INPUT);
    assert_null(weights);
    if (!strstr(error.message, expected) || !strstr(error.message, path))
        fail_msg("expected a sentence with the file's name and \"%s\", got \"%s\"", expected, error.message);
}

static const char good_header[] =
    "{\"__metadata__\":{\"format\":\"pt\"},"
    "\"b.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
    "\"a.bias\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[16,20]},"
    "\"half\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[20,28]},"
    "\"odd\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[28,29]},"
    "\"unaligned\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[29,37]},"
    "\"empty\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[37,37]}}";

static size_t good_data(uint8_t data[37])
{
    const float matrix[4] = {1, -2, 0.5f, 1e-40f};
    const uint16_t bias[2] = {0x3f80, 0xff80};                // 1, -infinity
    const uint16_t half[4] = {0x3c00, 0x8001, 0x7bff, 0x7e00};  // 1, -2^-24, 65504, NaN
    const int64_t number = -7;
    memcpy(data, matrix, 16);
    memcpy(data + 16, bias, 4);
    memcpy(data + 20, half, 8);
    data[28] = 200;
    memcpy(data + 29, &number, 8);
    return 37;
}

static void test_a_good_file_is_read(void **state)
{
    uint8_t data[37];
    ff_error error = {0};
    ff_weights *weights;
    ff_weight view;
    const float *vector;
    float half[4];
    write_safetensors("good.safetensors", good_header, data, good_data(data));
    assert_ok(ff_weights_open_file(path, &weights, &error), &error);
    assert_int_equal(ff_weights_count(weights), 6);
    assert_string_equal(ff_weights_metadata(weights, "format"), "pt");
    assert_null(ff_weights_metadata(weights, "none"));
    assert_ok(ff_weights_get(weights, &view, &error, 2, (size_t[]){2, 2}, "%s.weight", "b"), &error);
    assert_true(((const float *)view.data)[1] == -2);
    assert_ok(ff_weights_get_f32(weights, &vector, &error, 2, "a.bias"), &error);
    assert_true(vector[0] == 1 && vector[1] == -INFINITY);
    assert_true(ff_weights_find(weights, "half", &view));
    ff_weight_widen(&view, 0, 4, half);
    assert_true(half[0] == 1 && half[1] == -0x1p-24f && half[2] == 65504 && isnan(half[3]));
    assert_true(ff_weights_find(weights, "unaligned", &view));
    assert_true(((const int64_t *)view.data)[0] == -7);
    assert_true(ff_weights_find(weights, "empty", &view) && view.shape[0] == 0);
    assert_false(ff_weights_find(weights, "b", &view));

    assert_int_equal(ff_weights_get(weights, &view, &error, 2, (size_t[]){2, 3}, "b.weight"), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "tensor b.weight has shape [2, 2], config.json asks for [2, 3]"));
    assert_int_equal(ff_weights_get(weights, &view, &error, 1, (size_t[]){1}, "c"), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "tensor c is missing"));
    assert_int_equal(ff_weights_get(weights, &view, &error, 1, (size_t[]){1}, "odd"), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "is U8, expected F32, F16, BF16"));
    assert_int_equal(ff_weights_get_f32(weights, &vector, &error, 3, "a.bias"), FF_ERROR_INPUT);
    ff_weights_close(weights);
}

static void test_every_cut_is_refused(void **state)
{
    uint8_t data[37], bytes[1024];
    ff_error error;
    size_t size = write_safetensors("whole.safetensors", good_header, data, good_data(data));
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), size);
    fclose(file);
    for (size_t cut = 0; cut < size; cut++) {
        ff_weights *weights = NULL;
        write_bytes("cut.safetensors", bytes, cut);
        error = (ff_error){0};
        assert_int_equal(ff_weights_open_file(path, &weights, &error), FF_ERROR_INPUT);
        assert_non_null(strstr(error.message, path));
    }
}

static void test_hostile_headers_are_refused(void **state)
{
    static const struct {
        const char *header, *expected;
    } cases[] = {
        {"[]", "not a JSON object"},
        {"{\"a\":", "not a JSON object"},
        {"{\"a\":{}}", "dtype (none)"},
        {"{\"a\":{\"dtype\":\"Q4\",\"shape\":[1],\"data_offsets\":[0,1]}}", "dtype Q4"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":5,\"data_offsets\":[0,4]}}", "no shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1],\"data_offsets\":[0,4]}}", "no shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", "impossible shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", "impossible shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,4]}}", "impossible shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", "no valid data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", "no valid data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", "takes 4 bytes by its shape, 8"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
         "ends at data byte 16, but the file has only 8"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[9007199254740988,9007199254740992]}}", "ends at"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}", "appears twice"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}", "5 bytes follow the last tensor"},
        {"{}", "8 bytes follow the last tensor"},
        {"{} {}", "something follows the object, from byte 3 of 5 on"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", "tensors b and a overlap"},
        {"{\"a\\u001b[2J\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", "name of tensor 1 is not"},
        {"{\"a\xff\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", "name of tensor 1 is not"},
    };
    const uint8_t data[8] = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_safetensors("hostile.safetensors", cases[i].header, data, sizeof data);
        assert_refused(cases[i].expected);
    }
    write_bytes("hostile.safetensors", "\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10);
    assert_refused("cut off");
    write_bytes("hostile.safetensors", "", 0);
    assert_refused("0 bytes");
}

static void test_shards_are_read_through_their_index(void **state)
{
    const float one[2] = {1, 2};
    ff_error error = {0};
    ff_weights *weights;
    ff_weight view;
    write_safetensors("model-00001-of-00002.safetensors",
                      "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", one, 4);
    write_safetensors("model-00002-of-00002.safetensors",
                      "{\"y\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", one, 8);
    const char *index = "{\"weight_map\":{\"x\":\"model-00001-of-00002.safetensors\","
                        "\"y\":\"model-00002-of-00002.safetensors\"}}";
    write_bytes("model.safetensors.index.json", index, strlen(index));
    assert_ok(ff_weights_open(folder, &weights, &error), &error);
    assert_int_equal(ff_weights_count(weights), 2);
    assert_true(ff_weights_find(weights, "y", &view) && view.shape[0] == 2);
    ff_weights_close(weights);

    index = "{\"weight_map\":{\"x\":\"../../etc/passwd\"}}";
    write_bytes("model.safetensors.index.json", index, strlen(index));
    assert_int_equal(ff_weights_open(folder, &weights, &error), FF_ERROR_INPUT);
    index = "{\"weight_map\":{\"x\":\"absent.safetensors\"}}";
    write_bytes("model.safetensors.index.json", index, strlen(index));
    assert_int_equal(ff_weights_open(folder, &weights, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "absent.safetensors"));
}

static void test_a_dump_reads_back(void **state)
{
    const float values[3] = {1, NAN, -0.0f}, more[2] = {4, 5};
    const int64_t ids[2] = {5, -1};
    size_t at;
    uint32_t bits;
    ff_error error = {0};
    ff_dump *dump;
    ff_weights *weights;
    ff_weight view;
    snprintf(path, sizeof path, "%s/dump.safetensors", folder);
    assert_ok(ff_dump_create(path, 10, &dump, &error), &error);
    assert_ok(ff_dump_metadata(dump, "prompt", "a \"lake\" \xe2\x9c\x93", &error), &error);
    assert_ok(ff_dump_tensor(dump, "x", FF_F32, 1, (size_t[]){3}, values, &error), &error);
    assert_ok(ff_dump_tensor(dump, "ids", FF_I64, 1, (size_t[]){2}, ids, &error), &error);
    assert_ok(ff_dump_begin(dump, "pieces", FF_F32, 2, (size_t[]){2, 2}, &at, &error), &error);
    assert_ok(ff_dump_append(dump, &at, FF_F32, more, 2, &error), &error);
    assert_ok(ff_dump_append(dump, &at, FF_F32, more, 2, &error), &error);
    assert_int_not_equal(access(path, F_OK), 0);  // not there before it is whole
    assert_ok(ff_dump_finish(dump, &error), &error);
    assert_ok(ff_weights_open_file(path, &weights, &error), &error);
    assert_string_equal(ff_weights_metadata(weights, "prompt"), "a \"lake\" \xe2\x9c\x93");
    assert_true(ff_weights_find(weights, "x", &view));
    memcpy(&bits, (const float *)view.data + 1, 4);
    assert_int_equal(bits, 0x7fc00000);
    assert_true(ff_weights_find(weights, "ids", &view) && ((const int64_t *)view.data)[1] == -1);
    assert_true(ff_weights_find(weights, "pieces", &view) && ((const float *)view.data)[3] == 5);
    ff_weights_close(weights);
}

static void test_a_dump_holds_metadata_of_any_length(void **state)
{
    enum { LENGTH = 400000 };   // a control character takes six bytes in JSON
    ff_error error = {0};
    ff_dump *dump;
    ff_weights *weights;
    ff_weight view;
    char *prompt = calloc(LENGTH + 1, 1);
    assert_non_null(prompt);
    memset(prompt, 1, LENGTH);
    snprintf(path, sizeof path, "%s/dump.safetensors", folder);
    assert_ok(ff_dump_create(path, 1, &dump, &error), &error);
    assert_ok(ff_dump_metadata(dump, "prompt", prompt, &error), &error);
    assert_ok(ff_dump_tensor(dump, "x", FF_F32, 1, (size_t[]){1}, (float[]){3}, &error), &error);
    assert_ok(ff_dump_finish(dump, &error), &error);
    assert_ok(ff_weights_open_file(path, &weights, &error), &error);
    assert_string_equal(ff_weights_metadata(weights, "prompt"), prompt);
    assert_true(ff_weights_find(weights, "x", &view) && *(const float *)view.data == 3);
    ff_weights_close(weights);
    free(prompt);
}

static void test_configs_check_kinds_and_ranges(void **state)
{
    const char *text = "{\"n\":12,\"x\":0.5,\"b\":true,\"s\":\"word\",\"list\":[1,2,3],\"flags\":[true,false],"
                       "\"none\":null,\"negative\":-1,\"big\":1e300}";
    ff_error error = {0};
    ff_config *config;
    size_t n, list[3], count = 3;
    double x;
    bool b;
    const char *s;
    write_bytes("config.json", text, strlen(text));
    assert_ok(ff_config_open(path, &config, &error), &error);
    assert_ok(ff_config_size(config, "n", 1, 1, 100, &n, &error), &error);
    assert_int_equal(n, 12);
    assert_ok(ff_config_size(config, "none", 7, 1, 100, &n, &error), &error);
    assert_int_equal(n, 7);
    assert_ok(ff_config_number(config, "x", 0, &x, &error), &error);
    assert_true(x == 0.5);
    assert_ok(ff_config_bool(config, "b", false, &b, &error), &error);
    assert_true(b);
    assert_ok(ff_config_string(config, "s", "", &s, &error), &error);
    assert_string_equal(s, "word");
    assert_ok(ff_config_sizes(config, "list", list, &count, &error), &error);
    assert_int_equal(count, 3);
    assert_false(ff_config_has(config, "none"));
    assert_int_equal(ff_config_size(config, "n", 1, 1, 10, &n, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "n is 12, must be from 1 to 10"));
    assert_int_equal(ff_config_size(config, "negative", 1, 0, 10, &n, &error), FF_ERROR_INPUT);
    assert_int_equal(ff_config_size(config, "big", 1, 0, SIZE_MAX, &n, &error), FF_ERROR_INPUT);
    assert_int_equal(ff_config_size(config, "x", 1, 0, 10, &n, &error), FF_ERROR_INPUT);
    assert_int_equal(ff_config_bool(config, "n", true, &b, &error), FF_ERROR_INPUT);
    count = 2;
    assert_int_equal(ff_config_sizes(config, "list", list, &count, &error), FF_ERROR_INPUT);
    count = 3;
    assert_int_equal(ff_config_sizes(config, "flags", list, &count, &error), FF_ERROR_INPUT);
    ff_config_close(config);
    write_bytes("config.json", "", 0);
    assert_int_equal(ff_config_open(path, &config, &error), FF_ERROR_INPUT);
    write_bytes("config.json", "[1]", 3);
    assert_int_equal(ff_config_open(path, &config, &error), FF_ERROR_INPUT);
    assert_int_equal(ff_config_open("/nonexistent/config.json", &config, &error), FF_ERROR_INPUT);
}

// Python's json writes NaN, Infinity and -Infinity, which are not JSON, for numbers that are so.
static void test_numbers_as_python_writes_them_are_read(void **state)
{
    static const char text[] = "{\"a\": -Infinity, \"b\":Infinity,\"c\" : NaN\n, \"list\": [NaN, -Infinity,Infinity ], "
                               "\"x\": 0.5, \"s\": \"Infinity, NaN: \\\", NaN]\", \"NaN\": true, \"n\": [2], "
                               "\"e\":NaN}";
    static const char *const refused[] = {
        "{\"a\": +Infinity}", "{\"a\": - Infinity}", "{\"a\": -NaN}", "{\"a\": 1NaN}", "{\"a\": NaN1}",
        "{\"a\": NaNNaN}", "{\"a\": 12Infinity}", "{\"a\": 12 Infinity}", "{\"a\": Infinity 1}", "{\"a\": infinity}",
        "{\"a\": nan}", "{\"a\": Inf}", "{NaN: 1}", "{\"a\": 1, NaN: 1}", "{Infinity: 1}", "{\"a\" NaN}", "NaN",
        "[NaN]", "{\"a\": NaN", "{\"a\": \"NaN}", "{\"a\": [NaN, }", "{\"a\": -Infinity, \"b\"}",
    };
    ff_error error = {0};
    ff_config *config;
    size_t n, count = 3;
    double x, list[3];
    const char *s;
    bool b;
    assert_ok(ff_config_parse("c.json", text, &config, &error), &error);
    assert_ok(ff_config_number(config, "x", 0, &x, &error), &error);
    assert_true(x == 0.5);
    assert_ok(ff_config_string(config, "s", "", &s, &error), &error);
    assert_string_equal(s, "Infinity, NaN: \", NaN]");
    assert_ok(ff_config_bool(config, "NaN", false, &b, &error), &error);
    assert_true(b);
    assert_int_equal(ff_config_number(config, "a", 0, &x, &error), FF_ERROR_INPUT);
    assert_string_equal(error.message, "c.json: a is -Infinity, must be a finite number");
    assert_int_equal(ff_config_number(config, "b", 0, &x, &error), FF_ERROR_INPUT);
    assert_string_equal(error.message, "c.json: b is Infinity, must be a finite number");
    assert_int_equal(ff_config_number(config, "c", 0, &x, &error), FF_ERROR_INPUT);
    assert_string_equal(error.message, "c.json: c is NaN, must be a finite number");
    assert_int_equal(ff_config_number(config, "e", 0, &x, &error), FF_ERROR_INPUT);
    assert_int_equal(ff_config_size(config, "b", 0, 0, SIZE_MAX, &n, &error), FF_ERROR_INPUT);
    assert_int_equal(ff_config_size(config, "c", 0, 0, SIZE_MAX, &n, &error), FF_ERROR_INPUT);
    assert_string_equal(error.message, "c.json: c must be a whole number");
    assert_int_equal(ff_config_string(config, "c", "", &s, &error), FF_ERROR_INPUT);
    assert_int_equal(ff_config_numbers(config, "list", list, &count, &error), FF_ERROR_INPUT);
    assert_string_equal(error.message, "c.json: list must be an array of finite numbers");
    ff_config_close(config);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (ff_config_parse("c.json", refused[i], &config, &error) != FF_ERROR_INPUT || config)
            fail_msg("%s was taken", refused[i]);
    assert_int_equal(ff_config_parse("c.json", "{\"a\": -Infinity, \"b\": x}", &config, &error), FF_ERROR_INPUT);
    assert_string_equal(error.message, "c.json: not a JSON object (24 bytes, read up to byte 22)");
}

static int remove_folder(void **state)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static int make_folder(void **state)
{
    return mkdtemp(folder) == NULL;
}

static void names_map_with_their_numbers(void **state)
{
    static const ff_name_pair pairs[] = {
        {"blocks.#.attn1.to_q.weight", "blocks.#.self_attn.q.weight"},
        {"up.#.resnets.#.conv.bias", "up.#.#.bias"},
        {"one", "first"}, {"other", "second"}, {"one", "third"}, {"few.#", "#.#"},
    };
    static const struct {
        const char *diffusers, *others[3];
    } cases[] = {
        {"blocks.29.attn1.to_q.weight", {"blocks.29.self_attn.q.weight"}},
        {"up.0.resnets.12.conv.bias", {"up.0.12.bias"}},
        {"one", {"first", "third"}},
        {"blocks.x.attn1.to_q.weight", {0}}, {"blocks..attn1.to_q.weight", {0}},
        {"blocks.2.attn1.to_q.weights", {0}}, {"blocks.2.attn1.to_q", {0}}, {"few.3", {0}}, {"", {0}},
    };
    const ff_name_table table = {pairs, sizeof pairs / sizeof *pairs};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[FF_NAME_TEXT];
        size_t next = 0, found = 0;
        for (; ff_name_next(&table, cases[i].diffusers, &next, out); found++)
            assert_string_equal(out, cases[i].others[found]);
        assert_null(cases[i].others[found]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_file_is_read),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_hostile_headers_are_refused),
        cmocka_unit_test(test_shards_are_read_through_their_index),
        cmocka_unit_test(test_a_dump_reads_back),
        cmocka_unit_test(test_a_dump_holds_metadata_of_any_length),
        cmocka_unit_test(test_configs_check_kinds_and_ranges),
        cmocka_unit_test(test_numbers_as_python_writes_them_are_read),
        cmocka_unit_test(names_map_with_their_numbers),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

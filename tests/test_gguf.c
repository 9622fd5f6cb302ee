// GGUF as gguf-py writes it (tools/golden/gguf_files.py), and files that are cut off, or of any bytes.
#define _GNU_SOURCE
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "weights/gguf.h"

static const char *const files[] = {FF_GOLDEN "/diffusers/gguf/values.gguf", FF_GOLDEN "/diffusers/gguf/version2.gguf"};

static void check_number(const ff_gguf *gguf, const char *key, double wanted)
{
    double found;
    if (!ff_gguf_number(ff_gguf_find(gguf, key), &found))
        fail_msg("%s is no number", key);
    if (found != wanted)
        fail_msg("%s is %a, expected %a", key, found, wanted);
}

static void check_string(ff_gguf_text found, const char *wanted)
{
    assert_int_equal(found.size, strlen(wanted));
    assert_memory_equal(found.at, wanted, found.size);
}

static void test_values_of_every_type(void **unused)
{
    for (size_t file = 0; file < 2; file++) {
        ff_gguf gguf;
        ff_error error = {0};
        ff_gguf_text text;
        ff_gguf_walk walk;
        double number;
        assert_ok(ff_gguf_open(files[file], &gguf, &error), &error);
        assert_int_equal(gguf.version, 3 - file);
        assert_int_equal(gguf.alignment, 32);
        check_number(&gguf, "u8", 200);
        check_number(&gguf, "i8", -100);
        check_number(&gguf, "u16", 60000);
        check_number(&gguf, "i16", -30000);
        check_number(&gguf, "u32", 4000000000);
        check_number(&gguf, "i32", -2000000000);
        check_number(&gguf, "f32", (double)0.1f);
        check_number(&gguf, "bool", 1);
        check_number(&gguf, "u64", 0x1p52);
        check_number(&gguf, "i64", -0x1p52);
        check_number(&gguf, "f64", 1e-300);
        assert_true(ff_gguf_string(ff_gguf_find(&gguf, "string"), &text));
        check_string(text, "Katze \xEA\xB3\xA0\xEC\x96\x91\xEC\x9D\xB4");
        assert_true(ff_gguf_string(ff_gguf_find(&gguf, "general.architecture"), &text));
        check_string(text, "wan");
        static const char *const strings[] = {"a", "", "\xE2\x96\x81the"};
        assert_true(ff_gguf_walk_start(ff_gguf_find(&gguf, "strings"), &walk));
        for (size_t i = 0; i < 3; i++) {
            assert_true(ff_gguf_next_string(&walk, &text));
            check_string(text, strings[i]);
        }
        assert_false(ff_gguf_next_string(&walk, &text));
        static const double numbers[] = {3, -1, 2};
        assert_true(ff_gguf_walk_start(ff_gguf_find(&gguf, "numbers"), &walk));
        assert_false(ff_gguf_next_string(&walk, &text));
        for (size_t i = 0; i < 3; i++)
            assert_true(ff_gguf_next_number(&walk, &number) && number == numbers[i]);
        assert_false(ff_gguf_next_number(&walk, &number));
        assert_null(ff_gguf_find(&gguf, "nothing"));
        assert_false(ff_gguf_number(ff_gguf_find(&gguf, "nothing"), &number));
        assert_false(ff_gguf_number(ff_gguf_find(&gguf, "string"), &number));
        assert_false(ff_gguf_walk_start(ff_gguf_find(&gguf, "string"), &walk));
        ff_gguf_close(&gguf);
    }
}

static void test_tensors_have_their_outermost_axis_first(void **unused)
{
    static const struct {
        const char *name;
        uint32_t type;
        int rank;
        size_t shape[5], bytes;
    } wanted[] = {
        {"one", 0, 1, {5}, 20},
        {"two", 1, 2, {2, 3}, 12},
        {"five", 0, 5, {3, 4, 1, 2, 2}, 192},
        {"quantised", 8, 2, {2, 64}, 136},
    };
    ff_gguf gguf;
    ff_error error = {0};
    assert_ok(ff_gguf_open(files[0], &gguf, &error), &error);
    assert_int_equal(gguf.tensor_count, 4);
    for (size_t i = 0; i < 4; i++) {
        const ff_gguf_tensor *tensor = &gguf.tensors[i];
        assert_string_equal(tensor->name, wanted[i].name);
        assert_int_equal(tensor->type, wanted[i].type);
        assert_int_equal(tensor->rank, wanted[i].rank);
        assert_memory_equal(tensor->shape, wanted[i].shape, (size_t)wanted[i].rank * sizeof *tensor->shape);
        assert_true(tensor->offset + wanted[i].bytes <= gguf.file.size);
    }
    const float *five = (const float *)((const char *)gguf.file.data + gguf.tensors[2].offset);
    for (size_t i = 0; i < 48; i++)
        assert_true(five[i] == (float)i);
    ff_gguf_close(&gguf);
}

// ---- what is not to be trusted ----

static char memory_path[64];
static int memory_file;

// What opening says of these bytes; NULL if they are accepted.
static const char *opened(const uint8_t *bytes, size_t size)
{
    static ff_error error;
    ff_gguf gguf;
    assert_int_equal(ftruncate(memory_file, 0), 0);
    assert_int_equal(pwrite(memory_file, bytes, size, 0), (ssize_t)size);
    error = (ff_error){0};
    ff_status status = ff_gguf_open(memory_path, &gguf, &error);
    ff_gguf_close(&gguf);
    if (!status)
        return NULL;
    assert_int_equal(status, FF_ERROR_INPUT);
    assert_true(strlen(error.message) > 0 && !strchr(error.message, '\n'));
    return error.message;
}

static uint8_t *golden_copy(size_t *size)
{
    ff_mapping mapping;
    ff_error error = {0};
    assert_ok(ff_map_file(files[0], &mapping, &error), &error);
    uint8_t *copy = malloc(mapping.size);
    assert_non_null(copy);
    memcpy(copy, mapping.data, *size = mapping.size);
    ff_unmap_file(&mapping);
    return copy;
}

// Where the bytes of a text begin in a file.
static size_t place_of(const uint8_t *bytes, size_t size, const char *text)
{
    const uint8_t *at = memmem(bytes, size, text, strlen(text));
    assert_non_null(at);
    return (size_t)(at - bytes);
}

static void test_cut_files_are_refused(void **unused)
{
    size_t size;
    uint8_t *bytes = golden_copy(&size);
    size_t data = place_of(bytes, size, "quantised") + 9 + 4 + 16 + 4 + 8;
    for (size_t cut = 0; cut < data; cut++)
        if (!opened(bytes, cut))
            fail_msg("%zu of %zu bytes are accepted", cut, size);
    assert_null(opened(bytes, size));
    free(bytes);
}

static void expect(const uint8_t *bytes, size_t size, const char *part)
{
    const char *message = opened(bytes, size);
    if (!message || !strstr(message, part))
        fail_msg("\"%s\", expected \"... %s ...\"", message ? message : "accepted", part);
}

static void test_damaged_files_are_refused_with_a_sentence(void **unused)
{
    size_t size;
    uint8_t *golden = golden_copy(&size), *bytes = malloc(size);
    static const struct {
        const char *after;       // the bytes that follow this text, at
        size_t at;
        uint8_t bytes[8];        // become these,
        size_t count;
        const char *said;
    } cases[] = {
        {"GGUF", 4, {1}, 4, "GGUF version 1, expected 2 or 3"},
        {"GGUF", 4, {0, 0, 0, 3}, 4, "big-endian"},
        {"GGUF", 8, {255, 255, 255, 255, 255, 255, 255, 255}, 8, "do not fit into its"},
        {"GGUF", 16, {0, 0, 0, 0, 1}, 8, "do not fit into its"},
        {"strings", 7, {99}, 4, "strings has type 99, which is not known"},
        {"strings", 11, {9}, 4, "strings is an array of type 9, which is not known"},
        {"strings", 15, {255, 255, 255, 255, 255, 255, 255, 127}, 8, "cut off"},
        {"strings", 23, {255, 255, 255, 255, 255, 255, 255, 255}, 8, "a string of 18446744073709551615 bytes"},
        {"numbers", 15, {255, 255, 255, 255, 255, 255, 255, 127}, 8, "cut off"},
        {"five", 4, {6}, 4, "has 6 dimensions"},
        {"five", 8, {0}, 8, "impossible shape"},
        {"five", 8, {255, 255, 255, 255, 255, 255, 255, 255}, 8, "impossible shape"},
        {"quantised", 33, {1}, 8, "which is no multiple of 32"},
        {"quantised", 33, {0, 0, 0, 0, 0, 1}, 8, "tensor quantised begins beyond the file's end"},
        {"quantised", 33, {224, 255, 255, 255, 255, 255, 255, 255}, 8, "begins beyond the file's end"},
        {"u16", 0, {'u', '8', 10}, 3, "control characters"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(bytes, golden, size);
        memcpy(bytes + place_of(golden, size, cases[i].after) + cases[i].at, cases[i].bytes, cases[i].count);
        expect(bytes, size, cases[i].said);
    }
    memcpy(bytes, golden, size);
    memcpy(bytes + place_of(golden, size, "i16"), "u16", 3);
    expect(bytes, size, "key u16 appears twice");
    expect((const uint8_t *)"<!doctype html><html>", 21, "it is a web page");
    expect(golden, 0, "not a GGUF file");
    free(bytes);
    free(golden);
}

static int open_memory(void **unused)
{
    memory_file = memfd_create("gguf", MFD_CLOEXEC);
    snprintf(memory_path, sizeof memory_path, "/proc/self/fd/%d", memory_file);
    return memory_file < 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_of_every_type),
        cmocka_unit_test(test_tensors_have_their_outermost_axis_first),
        cmocka_unit_test(test_cut_files_are_refused),
        cmocka_unit_test(test_damaged_files_are_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, open_memory, NULL);
}

// Records, states of interrupted runs and the names of results.
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files/destination.h"
#include "files/host.h"
#include "pictures/output.h"
#include "run/record.h"
#include "run/resume_run.h"

static char folder[] = "/tmp/firstframe-test-XXXXXX";

static char *inside(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    return rmdir(folder);
}

static cJSON *record_of(const char *const *arguments)
{
    static ff_input_hashes hashes;
    uint8_t model[32] = {7};
    char *list[16];
    int count = 0;
    ff_options options;
    ff_error error = {0};
    for (; arguments[count]; count++)
        list[count] = (char *)arguments[count];
    assert_ok(ff_options_parse(FF_COMMAND_I2V, count, list, &options, &error), &error);
    cJSON *record = ff_record_create(&options, &hashes, model);
    assert_non_null(record);
    return record;
}

#define RECORD(...) record_of((const char *const[]){"-p", "turn", "-o", "a.webp", "-i", "a.png", __VA_ARGS__, NULL})

static void records_differ_only_in_what_changes_frames(void **state)
{
    char why[320];
    cJSON *one = RECORD("--steps", "20", "-s", "5");
    cJSON *same = RECORD("-s", "5", "--steps=20", "--quality", "30", "-t", "2");
    cJSON *steps = RECORD("--steps", "30", "-s", "5"), *flag = RECORD("--steps", "20", "-s", "5", "--keep-first");
    assert_false(ff_record_differs(one, same, why, sizeof why));
    assert_true(ff_record_differs(one, steps, why, sizeof why));
    assert_string_equal(why, "--steps was 20, is 30");
    assert_true(ff_record_differs(one, flag, why, sizeof why));
    assert_non_null(strstr(why, "--keep-first was not given"));
    cJSON *content = cJSON_GetObjectItem(cJSON_GetObjectItem(same, "inputs"), "image");
    cJSON_ReplaceItemInObject(content, "sha256", cJSON_CreateString("another"));
    assert_true(ff_record_differs(one, same, why, sizeof why));
    assert_string_equal(why, "the content of --image a.png is another");
    cJSON_Delete(one);
    cJSON_Delete(same);
    cJSON_Delete(steps);
    cJSON_Delete(flag);
}

static void loras_are_told_apart_by_content_strength_and_order(void **state)
{
    char why[320];
    cJSON *none = RECORD("-s", "5"), *one = RECORD("-s", "5", "--lora", "a:0.5", "--lora", "b:1");
    cJSON *same = RECORD("-s", "5", "--lora", "c:0.50", "--lora=b"), *other = RECORD("-s", "5", "--lora", "a:0.5");
    assert_false(ff_record_differs(one, same, why, sizeof why));
    assert_true(ff_record_differs(one, other, why, sizeof why));
    assert_string_equal(why, "--lora was b:1, is not given");
    assert_true(ff_record_differs(none, one, why, sizeof why));
    assert_string_equal(why, "--lora was not given, is a:0.5");
    cJSON *content = cJSON_GetArrayItem(cJSON_GetObjectItem(cJSON_GetObjectItem(same, "inputs"), "lora"), 1);
    cJSON_ReplaceItemInObject(content, "sha256", cJSON_CreateString("another"));
    assert_true(ff_record_differs(one, same, why, sizeof why));
    assert_string_equal(why, "the content of --lora b is another");
    cJSON_Delete(none);
    cJSON_Delete(one);
    cJSON_Delete(same);
    cJSON_Delete(other);
}

static void a_record_holds_text_that_is_not_utf8(void **state)
{
    cJSON *record = RECORD("--negative", "caf\xC3\xA9 \xFF \xED\xA0\x80 \xF0\x9F\xA6\x8A");
    const char *text = ff_record_option(record, &ff_option_table[FF_OPTION_NEGATIVE]);
    assert_string_equal(text, "caf\xC3\xA9 ? ??? \xF0\x9F\xA6\x8A");
    cJSON_Delete(record);
}

static void a_state_comes_back_only_to_the_same_run(void **state)
{
    static const uint8_t bytes[] = {1, 2, 0, 255};
    char *path = inside("a.webp.state");
    uint8_t *back;
    size_t size;
    ff_error error = {0};
    cJSON *record = RECORD("--steps", "20"), *other = RECORD("--steps", "21");
    char *text = cJSON_PrintUnformatted(record);
    assert_int_equal(ff_state_read(path, record, &back, &size, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "nothing to resume"));
    assert_ok(ff_state_write(path, text, bytes, sizeof bytes, &error), &error);
    assert_ok(ff_state_read(path, record, &back, &size, &error), &error);
    assert_int_equal(size, sizeof bytes);
    assert_memory_equal(back, bytes, size);
    free(back);
    assert_int_equal(ff_state_read(path, other, &back, &size, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "--steps was 20, is 21"));
    cJSON_free(text);
    cJSON_Delete(record);
    cJSON_Delete(other);
    ff_host_remove_file(path);
}

// Every way to cut the file short, and every single byte changed.
static void a_broken_state_is_refused(void **state)
{
    char *path = inside("b.webp.state");
    uint8_t *whole, *back;
    size_t size, unused;
    ff_error error = {0};
    cJSON *record = RECORD("--steps", "20");
    char *text = cJSON_PrintUnformatted(record);
    assert_ok(ff_state_write(path, text, "state", 5, &error), &error);
    assert_ok(ff_host_read_file(path, 1 << 20, &whole, &size, &error), &error);
    for (size_t i = 0; i < size; i++) {
        const ff_file_part cut = {whole, i}, changed = {whole, size};
        assert_ok(ff_host_write_file(path, &cut, 1, &error), &error);
        assert_int_equal(ff_state_read(path, record, &back, &unused, &error), FF_ERROR_INPUT);
        whole[i] ^= 0x40;
        assert_ok(ff_host_write_file(path, &changed, 1, &error), &error);
        assert_int_equal(ff_state_read(path, record, &back, &unused, &error), FF_ERROR_INPUT);
        whole[i] ^= 0x40;
    }
    free(whole);
    cJSON_free(text);
    cJSON_Delete(record);
    ff_host_remove_file(path);
}

static void assert_path(const char *output, bool stills, size_t count, const char *first, const char *sheet)
{
    ff_destination destination;
    ff_error error = {0};
    assert_ok(ff_destination_choose(output, stills, 3, count, &destination, &error), &error);
    char *path = ff_destination_path(&destination, 0), *contact = ff_destination_sheet(&destination);
    assert_string_equal(path, first);
    if (sheet)
        assert_string_equal(contact, sheet);
    free(path);
    free(contact);
}

static void results_are_named_after_their_seed(void **state)
{
    ff_destination destination;
    ff_error error = {0};
    assert_path("x.png", true, 1, "x.png", NULL);
    assert_path("x.png", true, 2, "x-seed-0003.png", "x-contact.png");
    assert_path("a.b/x.webp", false, 2, "a.b/x-seed-0003.webp", NULL);
    assert_path("stills", true, 1, "stills/seed-0003.png", "stills/contact.png");
    assert_path("stills/", true, 5, "stills/seed-0003.png", "stills/contact.png");
    assert_path(".", true, 1, "./seed-0003.png", NULL);
    assert_int_equal(ff_destination_choose("-", false, 0, 2, &destination, &error), FF_ERROR_INPUT);
    assert_int_equal(ff_destination_choose("x.jpg", true, 0, 1, &destination, &error), FF_ERROR_INPUT);
    assert_int_equal(ff_destination_choose("x", false, 0, 1, &destination, &error), FF_ERROR_INPUT);
}

static void nothing_in_a_folder_is_overwritten(void **state)
{
    const ff_file_part nothing = {"", 0};
    ff_destination destination;
    ff_error error = {0};
    char *taken = strdup(inside("seed-0004.png")), *sheet = strdup(inside("contact.png"));
    assert_ok(ff_destination_choose(folder, true, 3, 2, &destination, &error), &error);
    assert_ok(ff_destination_check_free(&destination, &error), &error);
    assert_ok(ff_host_write_file(taken, &nothing, 1, &error), &error);
    assert_ok(ff_host_write_file(sheet, &nothing, 1, &error), &error);
    assert_int_equal(ff_destination_check_free(&destination, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "seed-0004.png exists already"));
    char *free_name = ff_destination_sheet(&destination);
    assert_string_equal(free_name, inside("contact-2.png"));
    free(free_name);
    ff_host_remove_file(taken);
    ff_host_remove_file(sheet);
    free(taken);
    free(sheet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_differ_only_in_what_changes_frames),
        cmocka_unit_test(loras_are_told_apart_by_content_strength_and_order),
        cmocka_unit_test(a_record_holds_text_that_is_not_utf8),
        cmocka_unit_test(a_state_comes_back_only_to_the_same_run),
        cmocka_unit_test(a_broken_state_is_refused),
        cmocka_unit_test(results_are_named_after_their_seed),
        cmocka_unit_test(nothing_in_a_folder_is_overwritten),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

// Calls to the operating system: files that are not what they should be, temporary names, numbers as text.
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "golden.h"
#include "system.h"

static char folder[] = "/tmp/ff-system-XXXXXX";

static void test_only_regular_files_are_mapped(void **state)
{
    (void)state;
    ff_error error = {0};
    ff_mapping file;
    char pipe[64];
    assert_int_equal(ff_map_file(folder, &file, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "not a regular file"));
    snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(ff_map_file(pipe, &file, &error), FF_ERROR_INPUT);  // and does not wait for a writer
    assert_non_null(strstr(error.message, pipe));
    assert_int_equal(remove(pipe), 0);
    assert_int_equal(ff_map_file(pipe, &file, &error), FF_ERROR_INPUT);
    assert_null(file.data);
}

static void test_a_temporary_file_is_new_and_as_open_as_others(void **state)
{
    (void)state;
    ff_error error = {0};
    char path[64], first[128], second[128];
    struct stat facts;
    FILE *files[2];
    snprintf(path, sizeof path, "%s/out", folder);
    mode_t before = umask(027);
    assert_ok(ff_create_beside(path, first, sizeof first, &files[0], &error), &error);
    assert_ok(ff_create_beside(path, second, sizeof second, &files[1], &error), &error);
    umask(before);
    assert_string_not_equal(first, second);
    assert_int_equal(stat(second, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0640);
    fclose(files[0]);
    fclose(files[1]);
    assert_ok(ff_rename_over(first, path, &error), &error);
    assert_int_not_equal(access(first, F_OK), 0);
    ff_remove_file(second);
    ff_remove_file(path);
}

// Whoever cleans up removes the temporary name, so that after a failure there must be none.
static void test_no_temporary_name_is_left_by_a_failure(void **state)
{
    (void)state;
    ff_error error = {0};
    char path[128], temporary[64], long_path[128];
    FILE *file;
    snprintf(path, sizeof path, "%s/absent/out", folder);
    assert_int_equal(ff_create_beside(path, temporary, sizeof temporary, &file, &error), FF_ERROR_IO);
    assert_non_null(strstr(error.message, path));
    assert_int_equal(temporary[0], 0);
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = 0;
    assert_int_equal(ff_create_beside(long_path, temporary, sizeof temporary, &file, &error), FF_ERROR_INPUT);
    assert_int_equal(temporary[0], 0);
}

static void test_a_file_without_a_name_is_in_tmpdir_or_elsewhere(void **state)
{
    (void)state;
    const char *const places[] = {folder, "/nowhere/at/all", ""};
    ff_error error = {0};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char byte = 1;
        FILE *file;
        setenv("TMPDIR", places[i], 1);
        assert_ok(ff_temporary_file(10000, &file, &error), &error);
        assert_int_equal(fseek(file, 9999, SEEK_SET), 0);
        assert_int_equal(fread(&byte, 1, 1, file), 1);
        assert_int_equal(byte, 0);
        assert_int_equal(rmdir(folder), 0);  // it is empty
        assert_int_equal(mkdir(folder, 0700), 0);
        fclose(file);
        assert_int_equal(ff_temporary_file((size_t)1 << 62, &file, &error), FF_ERROR_IO);
        assert_null(file);
        assert_non_null(strstr(error.message, "TMPDIR"));
    }
    unsetenv("TMPDIR");
}

static void test_numbers_are_written_shortest_and_the_c_way(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } numbers[] = {{5, "5"}, {0.1, "0.1"}, {-2.5, "-2.5"}, {1e300, "1e+300"}, {1.0 / 3, "0.3333333333333333"},
                   {0.1 + 0.2, "0.30000000000000004"}, {-0x1.fffffffffffffp1023, "-1.7976931348623157e+308"}};
    char text[FF_NUMBER_TEXT];
    // a decimal comma, where this machine has such a locale
    bool comma = setlocale(LC_ALL, "de_DE.UTF-8") || setlocale(LC_ALL, "fr_FR.UTF-8");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        ff_format_number(text, numbers[i].value);
        assert_string_equal(text, numbers[i].text);
    }
    setlocale(LC_ALL, "C");
    if (!comma)
        print_message("with a decimal comma: skipped, there is no such locale here\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_regular_files_are_mapped),
        cmocka_unit_test(test_a_temporary_file_is_new_and_as_open_as_others),
        cmocka_unit_test(test_no_temporary_name_is_left_by_a_failure),
        cmocka_unit_test(test_a_file_without_a_name_is_in_tmpdir_or_elsewhere),
        cmocka_unit_test(test_numbers_are_written_shortest_and_the_c_way),
    };
    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}

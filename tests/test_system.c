// Calls to the operating system: files that are not what they should be, files that appear whole, numbers as text.
#include <dirent.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "golden.h"
#include "base/system.h"

static char folder[] = "/tmp/ff-system-XXXXXX";

static void test_only_regular_files_are_mapped(void **state)
{
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

// ---- files that appear whole or not at all ----

static char *inside(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static size_t files_in_folder(void)
{
    size_t count = 0;
    DIR *list = opendir(folder);
    const struct dirent *entry;
    assert_non_null(list);
    while ((entry = readdir(list)))
        count += entry->d_name[0] != '.';
    closedir(list);
    return count;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_text(const char *path, const char *expected)
{
    char text[16] = "";
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, expected);
}

static void test_a_new_file_is_as_open_as_others_and_comes_whole(void **state)
{
    ff_error error = {0};
    ff_atomic_file first, second;
    struct stat facts;
    write_text(inside("out"), "old");
    mode_t before = umask(027);
    assert_ok(ff_atomic_create(inside("out"), &first, &error), &error);
    assert_ok(ff_atomic_create(inside("out"), &second, &error), &error);
    umask(before);
    assert_string_not_equal(first.temporary, second.temporary);
    assert_int_equal(stat(second.temporary, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0640);
    fputs("new", first.file);
    assert_text(inside("out"), "old");
    assert_ok(ff_atomic_finish(&first, 1, &error), &error);
    assert_null(first.path);
    assert_text(inside("out"), "new");
    ff_atomic_abandon(&second, 1);
    ff_atomic_abandon(&second, 1);
    assert_int_equal(files_in_folder(), 1);
    remove(inside("out"));
}

static void test_several_files_appear_together(void **state)
{
    ff_error error = {0};
    ff_atomic_file files[3];
    char name[8];
    for (int round = 0; round < 2; round++) {
        assert_ok(ff_atomic_create(inside("f0"), &files[0], &error), &error);
        for (size_t i = 0; i < 3; i++) {
            snprintf(name, sizeof name, "f%zu", i);
            if (i)
                assert_ok(ff_atomic_create_next(inside(name), files, i, &files[i], &error), &error);
            fputs(name, files[i].file);
            fclose(files[i].file);
            files[i].file = NULL;
        }
        assert_int_equal(access(inside("f0"), F_OK), -1);
        if (round)
            assert_int_equal(mkdir(inside("f0"), 0700), 0);   // the last of the three to be put in place
        assert_int_equal(ff_atomic_finish(files, 3, &error), round ? FF_ERROR_IO : FF_OK);
        assert_int_equal(files_in_folder(), 3);
        if (round)
            assert_int_equal(rmdir(inside("f0")), 0);
        for (size_t i = round; i < 3; i++) {
            snprintf(name, sizeof name, "f%zu", i);
            assert_text(inside(name), name);
            remove(inside(name));
        }
    }
}

// Renaming would replace a device or a pipe, and fail for a folder after all the work.
static void test_only_a_regular_file_is_replaced(void **state)
{
    ff_error error = {0};
    ff_atomic_file file;
    assert_int_equal(mkfifo(inside("pipe"), 0600), 0);
    assert_int_equal(symlink("/dev/null", inside("device")), 0);
    assert_int_equal(ff_atomic_create(folder, &file, &error), FF_ERROR_IO);
    assert_non_null(strstr(error.message, "cannot be written: it is a folder"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ff_atomic_create(inside(i ? "pipe" : "device"), &file, &error), FF_ERROR_IO);
        assert_non_null(strstr(error.message, "cannot be written: it is not a regular file"));
    }
    assert_int_equal(files_in_folder(), 2);
    remove(inside("pipe"));
    remove(inside("device"));
}

// A run that is killed cannot clean up: the next one for the same place does, and touches nothing else.
static void test_what_a_killed_run_leaves_is_swept(void **state)
{
    static const char *const kept[] = {"out.firstframe-1-2.part2", "out.firstframe-1-.part", "out.part-1-2",
                                       "an-out.firstframe-1-2.part", "out.firstframe-x-2.part", "out"};
    ff_error error = {0};
    ff_atomic_file live[2], mine;
    int ready[2];
    char byte;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        write_text(inside(kept[i]), "kept");
    assert_ok(ff_atomic_create(inside("out"), &live[0], &error), &error);
    assert_ok(ff_atomic_create_next(inside("out1"), live, 1, &live[1], &error), &error);
    fclose(live[0].file);   // the lock stays
    live[0].file = NULL;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        ff_atomic_file files[2];
        bool good = !ff_atomic_create(inside("out"), &files[0], NULL) &&
                    !ff_atomic_create_next(inside("out1"), files, 1, &files[1], NULL);
        close(live[0].lock);
        if (write(ready[1], good ? "1" : "0", 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, '1');
    size_t all = sizeof kept / sizeof *kept + 4;
    assert_int_equal(files_in_folder(), all);
    ff_atomic_sweep(inside("out"));
    assert_int_equal(files_in_folder(), all);   // both runs live
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ff_atomic_sweep(inside("ou"));
    ff_atomic_sweep(inside("out1"));
    assert_int_equal(files_in_folder(), all);
    assert_ok(ff_atomic_create(inside("out"), &mine, &error), &error);
    assert_int_equal(files_in_folder(), all - 1);   // the child's two are gone
    ff_atomic_abandon(&mine, 1);
    assert_ok(ff_atomic_finish(live, 2, &error), &error);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        assert_int_equal(remove(inside(kept[i])), 0);
    assert_int_equal(remove(inside("out1")), 0);
    assert_int_equal(files_in_folder(), 0);
}

static void test_a_file_that_cannot_be_created_leaves_nothing(void **state)
{
    ff_error error = {0};
    char long_path[5000];
    ff_atomic_file file;
    assert_int_equal(ff_atomic_create(inside("absent/out"), &file, &error), FF_ERROR_IO);
    assert_non_null(strstr(error.message, "absent/out: cannot be written: No such file"));
    assert_null(file.path);
    ff_atomic_abandon(&file, 1);
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = 0;
    assert_int_equal(ff_atomic_create(long_path, &file, &error), FF_ERROR_IO);
    assert_null(file.path);
}

static void test_a_file_without_a_name_is_in_tmpdir_or_elsewhere(void **state)
{
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
        cmocka_unit_test(test_a_new_file_is_as_open_as_others_and_comes_whole),
        cmocka_unit_test(test_several_files_appear_together),
        cmocka_unit_test(test_only_a_regular_file_is_replaced),
        cmocka_unit_test(test_what_a_killed_run_leaves_is_swept),
        cmocka_unit_test(test_a_file_that_cannot_be_created_leaves_nothing),
        cmocka_unit_test(test_a_file_without_a_name_is_in_tmpdir_or_elsewhere),
        cmocka_unit_test(test_numbers_are_written_shortest_and_the_c_way),
    };
    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}

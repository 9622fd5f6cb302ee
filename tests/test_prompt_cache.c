// Embeddings of prompts come back from the cache with the same bits, and only for the same words and the same encoder;
// the cache is never larger than it may be, and nothing in it can do harm. The model is golden/diffusers/models/tiny-ti2v.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/cache_files.h"
#include "cache/prompt_cache.h"
#include "golden.h"

#define MODELS FF_GOLDEN "/diffusers/models"
enum { SIDE = 16 };

static char home[] = "/tmp/ff-prompt-cache-XXXXXX", kept[64];

// A store of one prompt, in memory.
typedef struct memory {
    size_t asked, given, stored, count;
    uint8_t key[32];
    float embeds[1 << 14];
} memory;

static bool recall(void *user, const uint8_t key[32], size_t count, float *embeds)
{
    memory *m = user;
    m->asked++;
    if (m->count != count || memcmp(m->key, key, 32) != 0)
        return false;
    memcpy(embeds, m->embeds, count * sizeof *embeds);
    m->given++;
    return true;
}

static void keep(void *user, const uint8_t key[32], size_t count, const float *embeds)
{
    memory *m = user;
    assert_in_range(count, 1, sizeof m->embeds / sizeof *m->embeds);
    m->stored++;
    m->count = count;
    memcpy(m->key, key, 32);
    memcpy(m->embeds, embeds, count * sizeof *embeds);
}

static void run(const char *model_name, const char *prompt, ff_backend backend, const ff_prompt_store *store,
                uint8_t frames[32])
{
    char path[256];
    ff_error error = {0};
    ff_model *model;
    ff_result result;
    ff_request request = ff_request_default(FF_TEXT_TO_IMAGE);
    snprintf(path, sizeof path, "%s/%s", MODELS, model_name);
    assert_ok(ff_model_open(path, &model, &error), &error);
    request.prompt = prompt;
    request.width = request.height = SIDE;
    request.steps = 1;
    request.guidance_scale = 1;
    request.backend = backend;
    request.threads = 1;
    request.prompt_store = store;
    assert_ok(ff_run(model, &request, &result, &error), &error);
    memcpy(frames, result.frames_sha256, 32);
    ff_model_close(model);
}

static void test_what_is_kept_is_what_is_used(void **state)
{
    static memory m;
    const ff_prompt_store store = {&m, recall, keep};
    uint8_t plain[32], first[32], second[32], other[32];
    run("tiny-ti2v", "a lake", FF_BACKEND_OWN, NULL, plain);
    run("tiny-ti2v", "a lake", FF_BACKEND_OWN, &store, first);
    assert_int_equal(m.stored, 1);
    run("tiny-ti2v", "a lake", FF_BACKEND_OWN, &store, second);
    assert_int_equal(m.given, 1);
    assert_int_equal(m.stored, 1);
    assert_memory_equal(first, plain, 32);
    assert_memory_equal(second, plain, 32);
    memset(m.embeds, 0, sizeof m.embeds);   // the encoder is not asked
    run("tiny-ti2v", "a lake", FF_BACKEND_OWN, &store, other);
    assert_memory_not_equal(other, plain, 32);
}

static void test_only_the_same_words_and_arithmetic_are_recalled(void **state)
{
    static memory m;
    const ff_prompt_store store = {&m, recall, keep};
    uint8_t frames[32];
    run("tiny-ti2v", "a lake", FF_BACKEND_OWN, &store, frames);
    run("tiny-ti2v", "a lake.", FF_BACKEND_OWN, &store, frames);
    run("tiny-ti2v", "a lake", FF_BACKEND_F64, &store, frames);
    run("tiny-t2v", "a lake", FF_BACKEND_OWN, &store, frames);
    assert_int_equal(m.asked, 4);
    assert_int_equal(m.given, 0);
    assert_int_equal(m.stored, 4);
}

// ---- files ----

// The names in the folder of the cache; the last one in `name`, if there is any.
static size_t list(char name[256])
{
    size_t count = 0;
    DIR *listing = opendir(kept);
    for (struct dirent *entry; listing && (entry = readdir(listing));)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "lock") != 0) {
            snprintf(name, 256, "%s", entry->d_name);
            count++;
        }
    if (listing)
        closedir(listing);
    return count;
}

static void empty(void)
{
    char name[256];
    while (list(name))
        ff_cache_remove(kept, name);
}

static void test_files_hold_the_same_bits(void **state)
{
    char name[256], path[512];
    uint8_t plain[32], frames[32];
    struct stat facts;
    empty();
    run("tiny-ti2v", "a lake", FF_BACKEND_OWN, NULL, plain);
    for (int i = 0; i < 2; i++) {
        run("tiny-ti2v", "a lake", FF_BACKEND_OWN, ff_prompt_cache(), frames);
        assert_memory_equal(frames, plain, 32);
        assert_int_equal(list(name), 1);
    }
    snprintf(path, sizeof path, "%s/%s", kept, name);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    for (off_t at = 0; at < facts.st_size; at += facts.st_size / 7) {   // cut, and one byte changed
        for (int how = 0; how < 2; how++) {
            FILE *file = fopen(path, "r+b");
            assert_non_null(file);
            fseek(file, at, SEEK_SET);
            int byte = getc(file);
            fseek(file, at, SEEK_SET);
            putc(byte ^ 1, file);
            fclose(file);
            if (how)
                assert_int_equal(truncate(path, at), 0);
            run("tiny-ti2v", "a lake", FF_BACKEND_OWN, ff_prompt_cache(), frames);
            assert_memory_equal(frames, plain, 32);
            assert_int_equal(stat(path, &facts), 0);   // it is whole again
        }
    }
}

static void test_the_oldest_use_goes_first(void **state)
{
    const uint8_t bytes[100] = {0};
    const ff_file_part piece = {bytes, sizeof bytes};
    uint8_t *read;
    size_t size;
    char name[256];
    empty();
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%d", i);
        ff_cache_write(kept, name, &piece, 1, 450);
        usleep(20000);   // a file system counts in ticks
    }
    assert_int_equal(list(name), 4);
    assert_true(ff_cache_read(kept, "0", &read, &size));   // used now
    assert_int_equal(size, sizeof bytes);
    free(read);
    usleep(20000);
    ff_cache_write(kept, "4", &piece, 1, 450);
    assert_int_equal(list(name), 4);
    assert_false(ff_cache_read(kept, "1", &read, &size));
    assert_true(ff_cache_read(kept, "0", &read, &size));
    free(read);
    ff_cache_write(kept, "5", &piece, 1, 50);   // more than there may be
    assert_int_equal(list(name), 0);
}

static void test_processes_do_not_disturb_each_other(void **state)
{
    enum { PROCESSES = 4, FILES = 20, SIZE = 5000 };
    static uint8_t bytes[SIZE];
    char name[256];
    empty();
    for (int p = 0; p < PROCESSES; p++) {
        if (fork() != 0)
            continue;
        for (int i = 0; i < FILES; i++) {
            uint8_t *read;
            size_t size;
            memset(bytes, i, SIZE);
            snprintf(name, sizeof name, "%d", i);
            ff_cache_write(kept, name, &(ff_file_part){bytes, SIZE}, 1, 10 * SIZE);
            if (!ff_cache_read(kept, name, &read, &size))
                continue;
            if (size != SIZE || memcmp(read, bytes, SIZE) != 0)
                _exit(1);
            free(read);
        }
        _exit(0);
    }
    for (int p = 0, status; p < PROCESSES; p++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_in_range(list(name), 1, 10);
}

static void test_without_a_place_nothing_is_kept(void **state)
{
    char folder[256];
    uint8_t frames[32];
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", "/somewhere", 1);
    assert_true(ff_cache_folder(folder, sizeof folder));
    assert_string_equal(folder, "/somewhere/.cache/firstframe");
    run("tiny-ti2v", "a lake", FF_BACKEND_OWN, ff_prompt_cache(), frames);   // and cannot be made
    unsetenv("HOME");
    assert_null(ff_prompt_cache());
    setenv("XDG_CACHE_HOME", home, 1);
    assert_true(ff_cache_folder(folder, sizeof folder));
    assert_string_equal(folder, kept);
}

static int set_up(void **state)
{
    if (!mkdtemp(home))
        return 1;
    snprintf(kept, sizeof kept, "%s/firstframe", home);
    return setenv("XDG_CACHE_HOME", home, 1);
}

static int tear_down(void **state)
{
    empty();
    ff_cache_remove(kept, "lock");
    return rmdir(kept) || rmdir(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_kept_is_what_is_used),
        cmocka_unit_test(test_only_the_same_words_and_arithmetic_are_recalled),
        cmocka_unit_test(test_files_hold_the_same_bits),
        cmocka_unit_test(test_the_oldest_use_goes_first),
        cmocka_unit_test(test_processes_do_not_disturb_each_other),
        cmocka_unit_test(test_without_a_place_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

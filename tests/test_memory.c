// Want of memory: the k-th allocation of a run fails, for many k. The run must end with FF_ERROR_MEMORY and a sentence,
// give back all it had, and leave no file behind. The linker sends the library's calls of malloc and its like to the
// functions below (--wrap); those of the OpenMP runtime, which ends the process without memory, it leaves alone.
#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "golden.h"
#include "check/verify/verify_parts.h"
#include "verify_faults.h"
#include "firstframe.h"
#include "text/words.h"

#define MODEL FF_GOLDEN "/diffusers/models/tiny-ti2v"
#define EXHAUSTIVE 60      // the first so many allocations fail one by one, later ones
#define SPARSELY 37        // of 37, one
#define MORE_SPARSELY 307  // in verify, which takes its time

static atomic_size_t taken, failing, live;  // failing: the allocation to refuse, counted from 1; 0 refuses none

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *memory);

static bool refused(void)
{
    if (atomic_fetch_add(&taken, 1) + 1 != atomic_load(&failing))
        return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *memory)
{
    if (memory)
        atomic_fetch_add(&live, 1);
    return memory;
}

void *__wrap_malloc(size_t size) { return refused() ? NULL : counted(__real_malloc(size)); }
void *__wrap_calloc(size_t count, size_t size) { return refused() ? NULL : counted(__real_calloc(count, size)); }
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return refused() ? NULL : counted(__real_aligned_alloc(alignment, size));
}
char *__wrap_strdup(const char *text) { return refused() ? NULL : counted(__real_strdup(text)); }

void *__wrap_realloc(void *memory, size_t size)
{
    if (refused())
        return NULL;
    void *moved = __real_realloc(memory, size);
    return memory ? moved : counted(moved);
}

void __wrap_free(void *memory)
{
    if (memory)
        atomic_fetch_sub(&live, 1);
    __real_free(memory);
}

// ---- what is run ----

static char folder[] = "/tmp/ff-memory-XXXXXX";
static uint8_t pixels[3 * 40 * 24], painted[40 * 24];

static ff_status keep_frame(void *user, size_t index, const ff_image *rgb, ff_error *error)
{
    ++*(size_t *)user;
    return FF_OK;
}

static ff_status keep_state(void *user, const void *bytes, size_t size, ff_error *error)
{
    return FF_OK;
}

static ff_status open_and_run(const ff_request *request, ff_error *error)
{
    ff_model *model;
    ff_status status = ff_model_open(MODEL, &model, error);
    if (status)
        return status;
    status = ff_run(model, request, NULL, error);
    ff_model_close(model);
    return status;
}

static void assert_folder_empty(size_t k)
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    assert_non_null(directory);
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.')
            fail_msg("%s is left behind when allocation %zu fails", entry->d_name, k);
    closedir(directory);
}

static void fail_each_allocation(const ff_request *request)
{
    ff_error error = {0};
    atomic_store(&failing, 0);
    atomic_store(&taken, 0);
    size_t before = atomic_load(&live);
    assert_ok(open_and_run(request, &error), &error);
    size_t all = atomic_load(&taken);
    assert_int_equal(atomic_load(&live), before);
    if (request->dump_path)
        assert_int_equal(remove(request->dump_path), 0);
    for (size_t k = 1; k <= all; k += k < EXHAUSTIVE ? 1 : SPARSELY) {
        error = (ff_error){0};
        atomic_store(&taken, 0);
        atomic_store(&failing, k);
        ff_status status = open_and_run(request, &error);
        atomic_store(&failing, 0);
        if (status != FF_ERROR_MEMORY || error.status != status || !error.message[0])
            fail_msg("allocation %zu of %zu fails: status %d, \"%s\"", k, all, (int)status, error.message);
        if (atomic_load(&live) != before)
            fail_msg("allocation %zu of %zu fails: %zu allocations are not given back", k, all,
                     atomic_load(&live) - before);
        if (request->dump_path)
            assert_folder_empty(k);
    }
    print_message("%zu allocations\n", all);
}

static void test_image_to_video_without_memory(void **state)
{
    size_t frames = 0;
    char dump[64];
    const ff_image still = {40, 24, pixels};
    snprintf(dump, sizeof dump, "%s/dump.safetensors", folder);
    ff_request request = ff_request_default(FF_IMAGE_TO_VIDEO);
    request.prompt = "slow push-in camera \xEF\xAC\x81 <pad>";
    request.image = request.last = &still;
    request.width = request.height = 16;
    request.frames = 5;
    request.steps = 2;
    request.threads = 1;
    request.user = &frames;
    request.frame = keep_frame;
    request.state = keep_state;
    request.dump_path = dump;
    request.dump_detail = FF_DETAIL_BLOCK;
    fail_each_allocation(&request);
}

static void test_inpainting_without_memory(void **state)
{
    const ff_image picture = {40, 24, pixels};
    ff_request request = ff_request_default(FF_INPAINT);
    request.prompt = "an earring";
    request.image = &picture;
    request.mask = painted;
    request.width = request.height = 16;
    request.steps = 1;
    request.guidance_scale = 1;
    request.threads = 1;
    fail_each_allocation(&request);
}

static void test_listings_without_memory(void **state)
{
    const char *path = MODEL "/vae/diffusion_pytorch_model.safetensors";
    for (size_t k = 1;; k++) {
        ff_error error = {0};
        ff_listing *listing;
        size_t before = atomic_load(&live);
        atomic_store(&taken, 0);
        atomic_store(&failing, k);
        ff_status status = ff_listing_open(path, &listing, &error);
        bool reached = atomic_load(&taken) >= k;
        atomic_store(&failing, 0);
        if (!reached) {
            assert_ok(status, &error);
            ff_listing_close(listing);
            break;
        }
        assert_int_equal(status, FF_ERROR_MEMORY);
        assert_null(listing);
        assert_int_equal(atomic_load(&live), before);
    }
}

static void test_loras_without_memory(void **state)
{
    ff_error error = {0};
    size_t before = atomic_load(&live), k = 1;
    for (bool reached = true; reached; k++) {
        ff_lora_facts facts;
        ff_model *model;
        assert_ok(ff_model_open(MODEL, &model, &error), &error);
        atomic_store(&taken, 0);
        atomic_store(&failing, k);
        ff_status status = ff_model_add_lora(model, 0, FF_GOLDEN "/diffusers/lora/g.safetensors", 1, &facts, &error);
        reached = atomic_load(&taken) >= k;
        atomic_store(&failing, 0);
        ff_model_close(model);
        assert_int_equal(status, reached ? FF_ERROR_MEMORY : FF_OK);
        assert_int_equal(atomic_load(&live), before);
    }
    print_message("%zu allocations\n", k);
}

// ---- verify ----

static void scale_block(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    for (size_t i = 0; i < count && strcmp(name, "call.000.block.00") == 0; i++)
        ((float *)values)[i] *= 1.01f;
}

// A dump with a fault that nothing explains, so that every explanation is tried.
static void write_faulty_dump(ff_model *model, char *faulty, size_t capacity)
{
    ff_error error = {0};
    char dump[64];
    const ff_image still = {40, 24, pixels};
    snprintf(dump, sizeof dump, "%s/dump.safetensors", folder);
    snprintf(faulty, capacity, "%s/faulty.safetensors", folder);
    ff_request request = ff_request_default(FF_IMAGE_TO_VIDEO);
    request.prompt = "a";
    request.image = &still;
    request.width = request.height = 16;
    request.frames = request.steps = 1;
    request.guidance_scale = 1;
    request.threads = 1;
    request.dump_path = dump;
    request.dump_detail = FF_DETAIL_BLOCK;
    assert_ok(ff_run(model, &request, NULL, &error), &error);
    rewrite_tensors(dump, faulty, NULL, scale_block, NULL, NULL);
    assert_int_equal(remove(dump), 0);
}

static void test_verifying_without_memory(void **state)
{
    ff_error error = {0};
    ff_model *model;
    ff_verification *found;
    char faulty[64];
    assert_ok(ff_model_open(MODEL, &model, &error), &error);
    write_faulty_dump(model, faulty, sizeof faulty);
    size_t before = atomic_load(&live), all;
    atomic_store(&taken, 0);
    assert_ok(ff_verify(model, faulty, 1, &found, &error), &error);
    all = atomic_load(&taken);
    assert_int_equal(found->verdict, FF_FAULT);
    ff_verification_free(found);
    assert_int_equal(atomic_load(&live), before);
    for (size_t k = 1; k <= all; k += k < EXHAUSTIVE ? 1 : MORE_SPARSELY) {
        error = (ff_error){0};
        atomic_store(&taken, 0);
        atomic_store(&failing, k);
        ff_status status = ff_verify(model, faulty, 1, &found, &error);
        atomic_store(&failing, 0);
        if (status != FF_ERROR_MEMORY || error.status != status || !error.message[0] || found)
            fail_msg("allocation %zu of %zu fails: status %d, \"%s\"", k, all, (int)status, error.message);
        if (atomic_load(&live) != before)
            fail_msg("allocation %zu of %zu fails: %zu allocations are not given back", k, all,
                     atomic_load(&live) - before);
    }
    print_message("%zu allocations\n", all);
    ff_model_close(model);
    remove(faulty);
}

// A norm that cannot round its weights, and cannot fail, does not pass for one that has.
static void test_norms_without_memory_are_told(void **unused)
{
    float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, weight[8] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f, 0.7f, 0.8f}, out[8];
    for (int reduced = FF_NOT_REDUCED; reduced < FF_REDUCED_PRECISIONS; reduced++) {
        ff_reduced_state state;
        const ff_kernels kernels = ff_verify_reduced((ff_reduced_precision)reduced, &state);
        bool rounds = reduced == FF_WEIGHTS_BFLOAT || reduced == FF_WEIGHTS_HALF;
        for (int norm = 0; norm < 3; norm++)
            for (size_t k = 0; k <= 1; k++) {
                atomic_store(&taken, 0);
                atomic_store(&failing, k);
                if (norm == 0)
                    kernels.layer_norm(&kernels, 1, 8, x, 1e-6f, weight, weight, out);
                else if (norm == 1)
                    kernels.rms_norm(&kernels, 1, 8, x, 1e-6f, weight, out);
                else
                    kernels.channel_norm(&kernels, 1, 8, x, weight, false, out);
                atomic_store(&failing, 0);
                assert_int_equal(state.starved, rounds && k == 1);
                state.starved = false;
            }
    }
}

// ---- words ----

static ff_status open_list_and_find(ff_error *error)
{
    static const char *const texts[] = {"A Cat \xEF\xAC\x81nds a lake", "\xEA\xB3\xA0\xEC\x96\x91\xEC\x9D\xB4"};
    ff_unknown_words unknown;
    ff_word_list *list;
    ff_config *config;
    ff_status status = ff_config_parse("words.json", "{\"words\": [\"a lake\", \"finds\"]}", &config, error);
    if (status)
        return status;
    if (!(status = ff_word_list_open(config, "words", &list, error))) {
        status = ff_word_list_find_unknown(list, texts, 2, &unknown, error);
        ff_word_list_close(list);
    }
    ff_config_close(config);
    return status;
}

static void test_word_lists_without_memory(void **state)
{
    for (size_t k = 1;; k++) {
        ff_error error = {0};
        size_t before = atomic_load(&live);
        atomic_store(&taken, 0);
        atomic_store(&failing, k);
        ff_status status = open_list_and_find(&error);
        bool reached = atomic_load(&taken) >= k;
        atomic_store(&failing, 0);
        assert_int_equal(atomic_load(&live), before);
        if (!reached) {
            assert_ok(status, &error);
            break;
        }
        assert_int_equal(status, FF_ERROR_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_image_to_video_without_memory),
        cmocka_unit_test(test_inpainting_without_memory),
        cmocka_unit_test(test_listings_without_memory),
        cmocka_unit_test(test_loras_without_memory),
        cmocka_unit_test(test_verifying_without_memory),
        cmocka_unit_test(test_norms_without_memory_are_told),
        cmocka_unit_test(test_word_lists_without_memory),
    };
    cJSON_InitHooks(&(cJSON_Hooks){__wrap_malloc, __wrap_free});
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 37 % 251);
    for (size_t y = 8; y < 16; y++)
        memset(painted + y * 40 + 12, 255, 9);
    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}

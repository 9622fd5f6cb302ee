// Whole runs through the command line against diffusers 0.42.1's own pipelines (tools/golden/runs.py). Each case of
// golden/diffusers/runs/cases.json is run with --dump, and every tensor of its golden compared: relative L2 at most
// 5e-5, ids and timesteps exactly, bytes of frames at most 1 apart. Some of them once more through OpenBLAS.
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "golden.h"
#include "kernels/kernels.h"
#include "base/system.h"

#define TOLERANCE 5e-5
#define MOST_ARGUMENTS 64

static size_t count_elements(const ff_weight *tensor)
{
    size_t count = 1;
    for (int i = 0; i < tensor->rank; i++)
        count *= tensor->shape[i];
    return count;
}

// Runs the program in golden/diffusers; standard output is dropped. Returns its exit status.
static int run_command(char *const arguments[])
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (chdir(FF_GOLDEN "/diffusers") != 0 || !freopen("/dev/null", "w", stdout))
            _exit(126);
        execv(FF_COMMAND, arguments);
        _exit(127);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Latents after a step mean nothing where the mask says known: those cells are left out of the comparison.
static double compare_latents(const float *ours, const float *theirs, const ff_weight *shape, const ff_weight *mask)
{
    size_t count = count_elements(shape), cells = mask ? count_elements(mask) : 0;
    float *masked[2] = {malloc(count * sizeof(float)), malloc(count * sizeof(float))};
    assert_true(masked[0] && masked[1]);
    for (size_t i = 0; i < count; i++) {
        bool known = mask && ((const float *)mask->data)[i % cells] == 0;
        masked[0][i] = known ? 0 : ours[i];
        masked[1][i] = known ? 0 : theirs[i];
    }
    double difference = relative_l2(masked[0], masked[1], count);
    free(masked[0]);
    free(masked[1]);
    return difference;
}

static void compare_tensor(const char *run, const char *name, const ff_weight *ours, const ff_weight *theirs,
                           const ff_weight *mask, double *worst)
{
    size_t count = count_elements(theirs);
    if (ours->dtype != theirs->dtype || ours->rank != theirs->rank ||
        memcmp(ours->shape, theirs->shape, (size_t)ours->rank * sizeof *ours->shape) != 0)
        fail_msg("%s: %s has another type or shape than its golden", run, name);
    if (theirs->dtype == FF_I64 || strstr(name, "timestep")) {
        if (memcmp(ours->data, theirs->data, ff_element_bytes(theirs->dtype, count)) != 0)
            fail_msg("%s: %s is not its golden", run, name);
        return;
    }
    if (theirs->dtype == FF_U8) {
        for (size_t i = 0; i < count; i++)
            if (abs((int)((const uint8_t *)ours->data)[i] - (int)((const uint8_t *)theirs->data)[i]) > 1)
                fail_msg("%s: %s differs by more than 1 at byte %zu", run, name, i);
        return;
    }
    bool stepped = strncmp(name, "step.", 5) == 0;
    double difference = compare_latents(ours->data, theirs->data, theirs, stepped ? mask : NULL);
    if (!(difference <= TOLERANCE))
        fail_msg("%s: %s differs: relative L2 %.3g", run, name, difference);
    if (difference > *worst)
        *worst = difference;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Where a golden tells names and shapes of every tensor, a line each in their order, the dump must have just those.
static void compare_names(const char *run, const ff_weights *golden, const ff_weights *dump)
{
    const char *expected = ff_weights_metadata(golden, "tensors");
    size_t count = ff_weights_count(dump);
    if (!expected)
        return;
    char **lines = calloc(count, sizeof *lines);
    assert_non_null(lines);
    for (size_t i = 0; i < count; i++) {
        ff_weight tensor;
        char shape[FF_SHAPE_TEXT], line[256];
        const char *name = ff_weights_at(dump, i, &tensor);
        ff_print_shape(shape, tensor.rank, tensor.shape);
        snprintf(line, sizeof line, "%s %s", name, shape);
        assert_non_null(lines[i] = strdup(line));
    }
    qsort(lines, count, sizeof *lines, compare_lines);
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(expected, "\n");
        if (length != strlen(lines[i]) || memcmp(lines[i], expected, length) != 0)
            fail_msg("%s: the dump has %s where diffusers' has %.*s", run, lines[i], (int)length, expected);
        expected += length + (expected[length] == '\n');
        free(lines[i]);
    }
    assert_int_equal(*expected, 0);
    free(lines);
}

static void compare_dumps(const char *run, const char *path)
{
    char golden_path[256];
    ff_error error = {0};
    ff_weights *dump;
    ff_weight mask, theirs, ours;
    double worst = 0;
    snprintf(golden_path, sizeof golden_path, "diffusers/runs/%s.safetensors", run);
    ff_weights *golden = golden_open(golden_path);
    assert_ok(ff_weights_open_file(path, &dump, &error), &error);
    compare_names(run, golden, dump);
    bool masked = ff_weights_find(golden, "anchor.mask", &mask);
    for (size_t i = 0; i < ff_weights_count(golden); i++) {
        const char *name = ff_weights_at(golden, i, &theirs);
        if (!ff_weights_find(dump, name, &ours))
            fail_msg("%s: the dump has no %s", run, name);
        compare_tensor(run, name, &ours, &theirs, masked ? &mask : NULL, &worst);
    }
    print_message("%s: %zu tensors, worst relative L2 %.3g\n", run, ff_weights_count(golden), worst);
    ff_weights_close(dump);
    ff_weights_close(golden);
}

// The cases whose names occur in `list`, or all if it is NULL.
static void run_cases(const char *backend, const char *list)
{
    ff_mapping file;
    ff_error error = {0};
    char folder[] = "/tmp/ff-runs-XXXXXX", dump[64], output[64];
    assert_ok(ff_map_file(FF_GOLDEN "/diffusers/runs/cases.json", &file, &error), &error);
    cJSON *cases = cJSON_ParseWithLength(file.data, file.size);
    const cJSON *one, *word;
    assert_true(cJSON_IsObject(cases));
    assert_non_null(mkdtemp(folder));
    snprintf(dump, sizeof dump, "%s/dump.safetensors", folder);
    cJSON_ArrayForEach(one, cases)
    {
        char *arguments[MOST_ARGUMENTS] = {(char *)"firstframe"};
        size_t count = 1;
        if (list && !strstr(list, one->string))
            continue;
        cJSON_ArrayForEach(word, one)
        {
            assert_true(count < MOST_ARGUMENTS - 10);
            arguments[count++] = word->valuestring;
        }
        bool video = strcmp(arguments[1], "i2v") == 0 || strcmp(arguments[1], "t2v") == 0;
        snprintf(output, sizeof output, "%s/out.%s", folder, video ? "webp" : "png");
        char *const common[] = {(char *)"--dump", dump, (char *)"--dump-level", (char *)"op", (char *)"-q",
                                (char *)"-o", output, (char *)"--backend", (char *)backend};
        memcpy(arguments + count, common, sizeof common);
        if (run_command(arguments) != 0)
            fail_msg("%s: the run failed", one->string);
        compare_dumps(one->string, dump);
        remove(dump);
        remove(output);
    }
    rmdir(folder);
    cJSON_Delete(cases);
    ff_unmap_file(&file);
}

static void test_whole_runs_agree_with_diffusers(void **state)
{
    run_cases("auto", NULL);
}

static void test_runs_through_openblas_agree_with_diffusers(void **state)
{
    ff_kernels table;
    ff_error error;
    if (ff_kernels_choose(FF_ISA_AUTO, FF_BACKEND_OPENBLAS, &table, &error) != FF_OK) {
        print_message("skipped: %s\n", error.message);
        skip();
    }
    run_cases("openblas", "ti2v-i2v-last t2v-t2i-unipc ti2v-inpaint-strength");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_runs_agree_with_diffusers),
        cmocka_unit_test(test_runs_through_openblas_agree_with_diffusers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

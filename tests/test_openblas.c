// --backend openblas: matrix products through OpenBLAS agree with the scalar kernels within rounding (relative L2 at
// most 2e-6), over odd sizes, strides and every type of weight; all else is ours. Whole runs: test_runs.c.
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "kernels/kernels.h"
#include "check/bench/random_elements.h"
#include "base/system.h"

#define TOLERANCE 2e-6
#if !defined(FF_OPENBLAS)
#define FF_OPENBLAS ""
#endif

static ff_kernels openblas;
static const char *const variables[2] = {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"};  // as its loader has them

// Weights of the given type from floats, which become what the type can hold.
static void *narrow(ff_dtype dtype, size_t count, float *values)
{
    uint16_t *halves = malloc((count + 1) * sizeof *halves);
    assert_non_null(halves);
    for (size_t i = 0; i < count && dtype != FF_F32; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        halves[i] = dtype == FF_BF16 ? (uint16_t)(bits >> 16) : (uint16_t)(0x3000 | (bits & 0x8fff));
        values[i] = dtype == FF_BF16 ? ff_widen_bf16(halves[i]) : ff_widen_f16(halves[i]);
    }
    return halves;
}

static void compare_product(size_t rows, size_t columns, size_t depth, size_t padding, ff_dtype dtype, bool biased,
                            ff_finish finish)
{
    size_t a_stride = depth + padding, out_stride = columns + padding, count = rows * out_stride;
    float *a = malloc((rows * a_stride + 1) * sizeof *a), *b = malloc((columns * depth + 1) * sizeof *b);
    float *bias = malloc((columns + 1) * sizeof *bias), *gate = malloc((2 * columns + 1) * sizeof *gate);
    float *ours = calloc(count + 1, sizeof *ours), *theirs = calloc(count + 1, sizeof *theirs);
    char what[80];
    assert_true(a && b && bias && gate && ours && theirs);
    ff_random_floats(1, rows * a_stride, 1, a);
    ff_random_floats(2000000, columns * depth, 1, b);
    ff_random_floats(4000000, columns, 1, bias);
    ff_random_floats(6000000, 2 * columns, 1, gate);
    uint32_t *groups = malloc((rows + 1) * sizeof *groups);
    assert_non_null(groups);
    for (size_t row = 0; row < rows; row++) {
        groups[row] = row % 2;
        for (size_t i = 0; i < columns; i++)
            ours[row * out_stride + i] = theirs[row * out_stride + i] = (float)i;
    }
    void *halves = narrow(dtype, columns * depth, b);
    ff_matmul product = {.rows = rows, .columns = columns, .depth = depth, .a = a, .a_stride = a_stride,
                         .b = {.data = dtype == FF_F32 ? (void *)b : halves, .dtype = dtype},
                         .bias = biased ? bias : NULL, .out = ours, .out_stride = out_stride, .finish = finish,
                         .groups = {groups, columns}, .gate = gate};
    assert_int_equal(ff_kernels_scalar()->matmul(ff_kernels_scalar(), &product), FF_OK);
    product.out = theirs;
    assert_int_equal(openblas.matmul(&openblas, &product), FF_OK);
    snprintf(what, sizeof what, "[%zu, %zu] x [%zu, %zu] %s", rows, depth, depth, columns, dtype->name);
    assert_close(what, theirs, ours, count, TOLERANCE);
    for (size_t row = 0; row < rows; row++)  // what lies between the rows is left alone
        for (size_t i = columns; i < out_stride; i++)
            assert_true(theirs[row * out_stride + i] == 0);
    free(a), free(b), free(bias), free(gate), free(ours), free(theirs), free(halves), free(groups);
}

static void test_products_agree_with_ours(void **state)
{
    static const size_t sizes[][3] = {{1, 1, 1}, {1, 17, 33}, {2, 96, 64}, {31, 5, 7}, {65, 129, 257}, {7, 300, 1000},
                                      {0, 4, 4}, {4, 0, 4}, {4, 4, 0}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t j = 0; j < 3; j++)
            compare_product(sizes[i][0], sizes[i][1], sizes[i][2], i % 3, (ff_dtype[]){FF_F32, FF_F16, FF_BF16}[j],
                            i % 2, FF_FINISH_STORE);
}

// A weight too large to be widened at once goes through in blocks of columns.
static void test_weights_widen_in_blocks(void **state)
{
    compare_product(2, 2100, 4001, 0, FF_BF16, true, FF_FINISH_STORE);
}

// Activation, residual and gate are applied to OpenBLAS's products as to ours.
static void test_products_are_finished_as_ours(void **state)
{
    for (int finish = FF_FINISH_STORE; finish <= FF_FINISH_ADD_GATED; finish++)
        for (size_t i = 0; i < 6; i++)
            compare_product(7 + i, 33, 50, i % 3, i % 2 ? FF_BF16 : FF_F32, i < 3, (ff_finish)finish);
}

static void test_all_else_is_ours(void **state)
{
    ff_kernels own;
    ff_error error;
    assert_ok(ff_kernels_choose(FF_ISA_AUTO, FF_BACKEND_OWN, &own, &error), &error);
    assert_true(openblas.matmul != own.matmul);
    own.matmul = openblas.matmul;
    own.name = openblas.name;
    assert_memory_equal(&own, &openblas, sizeof own);
}

// OpenBLAS's number of threads is the process's, and a caller's who computes with it too.
static void test_the_callers_settings_come_back(void **state)
{
    char reason[FF_REASON_TEXT];
    ff_error error = {0};
    const char *core;
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(getenv(variables[i]), "3");
    void *library = ff_load_library(FF_OPENBLAS, variables, "3", reason);  // once more, as the caller may
    assert_non_null(library);
    void (*set_threads)(int) = (void (*)(int))ff_library_symbol(library, "openblas_set_num_threads");
    int (*get_threads)(void) = (int (*)(void))ff_library_symbol(library, "openblas_get_num_threads");
    int callers_omp = omp_get_max_threads();
    for (int callers = 1; callers <= 3; callers++) {
        set_threads(callers);
        int before = get_threads();  // 1 from an OpenBLAS without threads
        omp_set_num_threads(2);
        assert_ok(ff_kernels_openblas_start(2, &core, &error), &error);
        assert_int_equal(get_threads(), before);
        compare_product(65, 129, 257, 0, FF_F32, true, FF_FINISH_GELU_TANH);
        assert_int_equal(get_threads(), before);
        assert_int_equal(omp_get_max_threads(), 2);
#pragma omp parallel for num_threads(2)
        for (int i = 0; i < 2; i++)
            compare_product(64, 128, 256, 0, FF_F32, false, FF_FINISH_STORE);
        assert_int_equal(get_threads(), before);
    }
    omp_set_num_threads(callers_omp);
}

int main(void)
{
    ff_error error;
    for (size_t i = 0; i < 2; i++)
        setenv(variables[i], "3", 1);
    if (ff_kernels_choose(FF_ISA_AUTO, FF_BACKEND_OPENBLAS, &openblas, &error) != FF_OK) {
        print_message("skipped: %s\n", error.message);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_agree_with_ours),
        cmocka_unit_test(test_weights_widen_in_blocks),
        cmocka_unit_test(test_products_are_finished_as_ours),
        cmocka_unit_test(test_all_else_is_ours),
        cmocka_unit_test(test_the_callers_settings_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

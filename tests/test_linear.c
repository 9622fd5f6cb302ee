// A linear layer with products added to its own (LoRA): y = (W x + b) + c * u for each in turn, u = B (A x) or D x, the
// product and the sum rounded, then the finish; and no more memory than a scratch that counts foresees.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "kernels/kernels.h"
#include "random.h"
#include "weights/linear.h"

enum { ROWS = 9, DEPTH = 21, COLUMNS = 19, RANK = 3, GROUPS = 2 };

static float x[ROWS * DEPTH], weight[COLUMNS * DEPTH], bias[COLUMNS], down[RANK * DEPTH], up[COLUMNS * RANK];
static float diff[COLUMNS * DEPTH], gate[GROUPS * COLUMNS], before[ROWS * COLUMNS];
static const uint32_t group[ROWS] = {0, 1, 1, 0, 0, 1, 0, 1, 0};

static const ff_linear_addition additions[] = {
    {.down = {.data = down, .dtype = FF_F32, .rank = 2, .shape = {RANK, DEPTH}},
     .up = {.data = up, .dtype = FF_F32, .rank = 2, .shape = {COLUMNS, RANK}}, .factor = 0.37f},
    {.up = {.data = diff, .dtype = FF_F32, .rank = 2, .shape = {COLUMNS, DEPTH}}, .factor = -1.9f},
};
static const ff_linear linear = {
    .weight = {.data = weight, .dtype = FF_F32, .rank = 2, .shape = {COLUMNS, DEPTH}}, .bias = bias,
    .additions = additions, .addition_count = 2};

static void fill(float *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = (float)random_bits() / 2147483648.0f - 1;
}

static float chain(size_t depth, const float *a, const float *b)
{
    float acc = 0;
    for (size_t k = 0; k < depth; k++)
        acc = fmaf(a[k], b[k], acc);
    return acc;
}

// y before the finish, in plain loops.
static void expect(float y[ROWS * COLUMNS])
{
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < COLUMNS; c++) {
            float t[RANK], *to = &y[r * COLUMNS + c];
            *to = chain(DEPTH, x + r * DEPTH, weight + c * DEPTH) + bias[c];
            for (size_t i = 0; i < RANK; i++)
                t[i] = chain(DEPTH, x + r * DEPTH, down + i * DEPTH);
            float u = chain(RANK, t, up + c * RANK), added = u * 0.37f;
            *to = *to + added;
            u = chain(DEPTH, x + r * DEPTH, diff + c * DEPTH);
            added = u * -1.9f;
            *to = *to + added;
        }
}

static void finish(const ff_kernels *kernels, ff_finish kind, const float *y, float *out)
{
    for (size_t i = 0; i < ROWS * COLUMNS; i++) {
        float product = y[i] * gate[group[i / COLUMNS] * COLUMNS + i % COLUMNS];
        out[i] = kind == FF_FINISH_ADD ? before[i] + y[i] : kind == FF_FINISH_ADD_GATED ? before[i] + product : y[i];
    }
    if (kind == FF_FINISH_GELU_TANH)
        kernels->gelu_tanh(kernels, ROWS * COLUMNS, out, out);
}

static void test_products_are_added_in_order_before_the_finish(void **state)
{
    static const ff_isa isas[] = {FF_ISA_SCALAR, FF_ISA_AVX2, FF_ISA_AVX512, FF_ISA_NEON};
    float y[ROWS * COLUMNS], expected[ROWS * COLUMNS], out[ROWS * COLUMNS];
    expect(y);
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++)
        for (ff_finish kind = FF_FINISH_STORE; kind <= FF_FINISH_ADD_GATED; kind++) {
            const ff_linear_finish last = {.kind = kind, .groups = {group, COLUMNS}, .gate = gate};
            ff_scratch scratch = {0}, counted;
            ff_kernels kernels;
            if (ff_kernels_choose(isas[i], FF_BACKEND_OWN, &kernels, NULL))
                continue;
            const ff_kernels wrapped = ff_kernels_wrap(&kernels, NULL);
            const ff_kernels counting = ff_kernels_counting(&wrapped, &counted);
            finish(&kernels, kind, y, expected);
            memcpy(out, before, sizeof out);
            assert_int_equal(ff_linear_apply(&linear, &kernels, ROWS, x, &last, out), FF_OK);  // memory of its own
            assert_memory_equal(out, expected, sizeof out);
            kernels.scratch = &scratch;
            memcpy(out, before, sizeof out);
            assert_int_equal(ff_linear_apply(&linear, &kernels, ROWS, x, kind ? &last : NULL, out), FF_OK);
            assert_memory_equal(out, expected, sizeof out);
            assert_int_equal(ff_linear_apply(&linear, &counting, ROWS, NULL, &last, NULL), FF_ERROR_MEMORY);
            assert_int_equal(counted.size, scratch.size);
            ff_scratch_free(&scratch);
        }
}

static void test_without_additions_it_is_one_product(void **state)
{
    const ff_kernels *kernels = ff_kernels_scalar();
    const ff_linear plain = {.weight = linear.weight, .bias = bias};
    const ff_linear_finish add = {.kind = FF_FINISH_ADD};
    ff_matmul product = {.rows = ROWS, .columns = COLUMNS, .depth = DEPTH, .a = x, .a_stride = DEPTH,
                         .b = {.data = weight, .dtype = FF_F32}, .bias = bias, .out_stride = COLUMNS,
                         .finish = FF_FINISH_ADD};
    float out[2][ROWS * COLUMNS];
    memcpy(out[0], before, sizeof before);
    memcpy(out[1], before, sizeof before);
    product.out = out[0];
    assert_int_equal(kernels->matmul(kernels, &product), FF_OK);
    assert_int_equal(ff_linear_apply(&plain, kernels, ROWS, x, &add, out[1]), FF_OK);
    assert_memory_equal(out[0], out[1], sizeof out[0]);
}

static int fill_all(void **state)
{
    fill(x, ROWS * DEPTH);
    fill(weight, COLUMNS * DEPTH);
    fill(bias, COLUMNS);
    fill(down, RANK * DEPTH);
    fill(up, COLUMNS * RANK);
    fill(diff, COLUMNS * DEPTH);
    fill(gate, GROUPS * COLUMNS);
    fill(before, ROWS * COLUMNS);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_are_added_in_order_before_the_finish),
        cmocka_unit_test(test_without_additions_it_is_one_product),
    };
    return cmocka_run_group_tests(tests, fill_all, NULL);
}

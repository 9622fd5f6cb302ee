// Matrix products, convolutions and attention of each instruction set that the processor has, against the scalar
// kernels: bit for bit, over random and awkward sizes, strides, unaligned pointers and special values. The scalar
// kernels are held against the contract in test_kernels.c.
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "fast_tables.h"
#include "golden.h"
#include "kernels/kernels.h"
#include "random.h"

// ---- random numbers ----

// A size up to `most`; often one at which something begins or ends.
static size_t awkward_size(size_t most)
{
    static const size_t edges[] = {0, 1, 2, 6, 7, 14, 15, 16, 17, 31, 32, 33, 128, 129, 256, 257, 512, 513};
    size_t edge = edges[random_below(sizeof edges / sizeof *edges)];
    return edge <= most && random_below(3) == 0 ? edge : random_below(most + 1);
}

static float random_float(bool special)
{
    static const float values[] = {0.0f, -0.0f, 1e-45f, -3e-41f, INFINITY, -INFINITY, NAN, 3e38f, 1.0f};
    if (special && random_below(50) == 0)
        return values[random_below(sizeof values / sizeof *values)];
    return ((float)random_bits() / 4294967296.0f - 0.5f) * (random_below(8) ? 2.0f : 0.001f);
}

// n floats that begin `unaligned` floats after a boundary of 64 bytes; *block is what to free.
static float *random_floats(size_t n, bool special, void **block)
{
    size_t shift = random_below(4);
    float *x = malloc((n + 4) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n + 4; i++)
        x[i] = random_float(special);
    *block = x;
    return x + shift;
}

// A type that only its own function can read.
static void decode_negative(const void *data, size_t first, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = -((const float *)data)[first + i];
}

static const ff_element negative = {"NEGATIVE", 1, sizeof(float), decode_negative};
static const ff_dtype dtypes[] = {FF_F32, FF_F16, FF_BF16, &negative};

// Elements of a weight. Small numbers, except that special ones appear in all types.
static void *random_weight(size_t n, ff_dtype dtype, bool special)
{
    float *x = malloc((n + 1) * sizeof *x);
    uint16_t *halves = (uint16_t *)x;
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) {
        if (dtype == FF_F32 || dtype == &negative)
            x[i] = random_float(special);
        else if (special && random_below(50) == 0)
            halves[i] = (uint16_t)random_bits();
        else if (dtype == FF_F16)
            halves[i] = (uint16_t)((random_bits() & 0x83FFu) | (8u + random_below(8)) << 10);
        else
            halves[i] = (uint16_t)((random_bits() & 0x807Fu) | (120u + random_below(8)) << 7);
    }
    return x;
}

static void assert_same(const ff_kernels *table, const char *kernel, const char *detail, const float *actual,
                        const float *expected, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(actual + i, expected + i, sizeof *actual) == 0 || (isnan(actual[i]) && isnan(expected[i])))
            continue;
        fail_msg("%s of %s, %s: element %zu is %a, expected %a", kernel, table->name, detail, i, (double)actual[i],
                 (double)expected[i]);
    }
}

// ---- the kernels ----

static void try_matmul(size_t rows, size_t columns, size_t depth)
{
    bool special = random_below(4) == 0;
    void *blocks[6];
    size_t a_stride = depth + random_below(4), out_stride = columns + random_below(4), out_count = rows * out_stride;
    uint32_t *group = malloc((rows + 1) * sizeof *group);
    for (size_t i = 0; i < rows; i++)
        group[i] = (uint32_t)random_below(3);
    float *before = random_floats(out_count, special, &blocks[0]), *out = random_floats(out_count, false, &blocks[1]);
    float *expected = random_floats(out_count, false, &blocks[2]);
    ff_matmul p = {.rows = rows, .columns = columns, .depth = depth, .a_stride = a_stride, .out_stride = out_stride};
    p.a = random_floats(rows * a_stride, special, &blocks[3]);
    p.b.dtype = dtypes[random_below(4)];
    p.b.data = random_weight(columns * depth, p.b.dtype, special);
    const float *bias = random_floats(columns, special, &blocks[4]);
    p.bias = random_below(2) ? bias : NULL;
    p.groups = (ff_groups){random_below(3) ? group : NULL, columns + 1};
    p.gate = random_floats(3 * (columns + 1), special, &blocks[5]);
    p.finish = (ff_finish)random_below(4);
    p.out = expected;
    memcpy(expected, before, out_count * sizeof *out);
    assert_int_equal(ff_kernels_scalar()->matmul(ff_kernels_scalar(), &p), FF_OK);
    p.out = out;
    for (size_t i = 0; i < table_count; i++) {
        char detail[160];
        snprintf(detail, sizeof detail, "%zu x %zu x %zu, %s, strides %zu and %zu, finish %d", rows, columns, depth,
                 p.b.dtype->name, a_stride, out_stride, (int)p.finish);
        memcpy(out, before, out_count * sizeof *out);
        assert_int_equal(tables[i].matmul(&tables[i], &p), FF_OK);
        assert_same(&tables[i], "matmul", detail, out, expected, out_count);
    }
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free(blocks[i]);
    free((void *)p.b.data);
    free(group);
}

static void test_matmul(void **state)
{
    for (int trial = 0; trial < 300; trial++) {
        size_t most = trial % 3 ? 70 : 300;
        omp_set_num_threads((int[]){1, 2, 3, 7}[trial % 4]);
        try_matmul(awkward_size(most), awkward_size(most), awkward_size(trial % 5 ? 140 : 1100));
    }
    try_matmul(3, 1400, 40);
    try_matmul(700, 530, 70);
    try_matmul(130, 40, 70000);
}

static void try_convolution(bool large)
{
    bool special = random_below(4) == 0;
    ff_convolution p = {
        .in_channels = large ? 20 + random_below(60) : awkward_size(40), .in_height = random_below(large ? 20 : 7),
        .in_width = random_below(large ? 40 : 9), .out_channels = awkward_size(large ? 140 : 70),
        .out_frames = random_below(4), .out_height = random_below(large ? 20 : 7),
        .out_width = random_below(large ? 40 : 9),
        .kernel_t = 1 + random_below(3), .kernel_h = 1 + random_below(3), .kernel_w = 1 + random_below(4),
        .stride_t = 1 + random_below(2), .stride_h = 1 + random_below(2), .stride_w = 1 + random_below(2),
        .pad_top = random_below(3), .pad_left = random_below(3),
        .weight = {.dtype = dtypes[random_below(4)]},
    };
    void *blocks[4];
    size_t frame_count = p.out_frames * p.stride_t + p.kernel_t - p.stride_t;
    frame_count = p.out_frames ? frame_count : 0;
    size_t pixels = p.in_height * p.in_width * p.in_channels;
    size_t outputs = p.out_frames * p.out_height * p.out_width * p.out_channels;
    size_t weights = p.out_channels * p.in_channels * p.kernel_t * p.kernel_h * p.kernel_w;
    float *video = random_floats(frame_count * pixels, special, &blocks[0]);
    const float *bias = random_floats(p.out_channels, special, &blocks[1]);
    float *out = random_floats(outputs, false, &blocks[2]), *expected = random_floats(outputs, false, &blocks[3]);
    const float *frames[12];
    for (size_t i = 0; i < frame_count; i++)
        frames[i] = random_below(4) ? video + i * pixels : NULL;
    p.frames = frames;
    p.weight.data = random_weight(weights, p.weight.dtype, special);
    p.bias = random_below(2) ? bias : NULL;
    p.out = expected;
    assert_int_equal(ff_kernels_scalar()->convolution(ff_kernels_scalar(), &p), FF_OK);
    p.out = out;
    for (size_t i = 0; i < table_count; i++) {
        char detail[200];
        snprintf(detail, sizeof detail, "%zu x %zu x %zu to %zu x %zu x %zu x %zu, kernel %zu x %zu x %zu, %s",
                 p.in_height, p.in_width, p.in_channels, p.out_frames, p.out_height, p.out_width, p.out_channels,
                 p.kernel_t, p.kernel_h, p.kernel_w, p.weight.dtype->name);
        memset(out, 0xFF, outputs * sizeof *out);
        assert_int_equal(tables[i].convolution(&tables[i], &p), FF_OK);
        assert_same(&tables[i], "convolution", detail, out, expected, outputs);
    }
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free(blocks[i]);
    free((void *)p.weight.data);
}

static void test_convolution(void **state)
{
    for (int trial = 0; trial < 300; trial++) {
        omp_set_num_threads((int[]){1, 2, 3, 7}[trial % 4]);
        try_convolution(trial % 20 == 0);
    }
}

static void try_attention(size_t queries, size_t keys, size_t heads, size_t head_dim)
{
    bool special = random_below(4) == 0;
    void *blocks[6];
    size_t dim = heads * head_dim;
    ff_attention p = {.queries = queries, .keys = keys, .heads = heads, .head_dim = head_dim,
                      .q_stride = dim + random_below(4), .k_stride = dim + random_below(4),
                      .v_stride = dim + random_below(4), .scale = random_below(3) ? 0.25f : 1.0f};
    p.q = random_floats(queries * p.q_stride, special, &blocks[0]);
    p.k = random_floats(keys * p.k_stride, special, &blocks[1]);
    p.v = random_floats(keys * p.v_stride, special, &blocks[2]);
    float *bias = random_floats(heads * queries * keys, special, &blocks[3]);
    if (random_below(2)) {
        p.bias = bias;
        for (size_t i = 0; i < heads * queries * keys; i++)
            if (random_below(3) == 0)
                bias[i] *= 100;
    }
    float *out = random_floats(queries * dim, false, &blocks[4]);
    float *expected = random_floats(queries * dim, false, &blocks[5]);
    memcpy(out, expected, queries * dim * sizeof *out);
    p.out = expected;
    assert_int_equal(ff_kernels_scalar()->attention(ff_kernels_scalar(), &p), FF_OK);
    p.out = out;
    for (size_t i = 0; i < table_count; i++) {
        char detail[160];
        snprintf(detail, sizeof detail, "%zu queries, %zu keys, %zu heads of %zu, %s bias", queries, keys, heads,
                 head_dim, p.bias ? "with" : "without");
        assert_int_equal(tables[i].attention(&tables[i], &p), FF_OK);
        assert_same(&tables[i], "attention", detail, out, expected, queries * dim);
    }
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free(blocks[i]);
}

static void test_attention(void **state)
{
    for (int trial = 0; trial < 200; trial++) {
        omp_set_num_threads((int[]){1, 2, 3, 7}[trial % 4]);
        try_attention(awkward_size(80), awkward_size(trial % 10 ? 100 : 1200), awkward_size(4), awkward_size(70));
    }
    try_attention(70, 300, 1, 1100);
    try_attention(5, 20000, 2, 3);
}

int main(void)
{
    if (!find_fast_tables())
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_convolution),
        cmocka_unit_test(test_attention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

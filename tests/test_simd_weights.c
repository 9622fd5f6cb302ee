// Matrix products and convolutions with weights of every quantised type, and with scales, of each instruction set that
// the processor has, against the scalar kernels: bit for bit. What the types mean is held in test_blocks.c.
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "check/bench/random_elements.h"
#include "fast_tables.h"
#include "golden.h"
#include "kernels/blocks.h"
#include "kernels/kernels.h"
#include "random.h"

// Plain types come with scales only; the quantised ones with and without.
static const ff_dtype plain[] = {FF_F32, FF_F16, FF_BF16};
enum { TYPES = FF_BLOCK_TYPES + 3 };

static ff_dtype type_at(size_t i)
{
    return i < FF_BLOCK_TYPES ? &ff_block_formats[i].element : plain[i - FF_BLOCK_TYPES];
}

// A weight of `rows` rows, unaligned where its type allows; *block is what to free. Now and then any bytes.
static ff_operand random_weight(ff_dtype dtype, size_t rows, size_t length, void **block)
{
    static float scales[512];
    size_t bytes = ff_element_bytes(dtype, rows * length);
    size_t shift = dtype->block > 1 || dtype->bytes == 1 ? random_below(16) : 0;
    uint8_t *data = *block = malloc(bytes + shift + 1);
    assert_non_null(data);
    ff_random_elements(random_bits(), rows * length, dtype, 1, data + shift);
    for (size_t i = 0; i < bytes && random_below(8) == 0; i++)
        data[shift + random_below(bytes)] = (uint8_t)random_bits();
    for (size_t i = 0; i < 512; i++)
        scales[i] = random_below(30) ? (float)random_bits() / 1e10f : -0.0f;
    bool scaled = dtype->block == 1 && (dtype->bytes > 1 || random_below(2));
    return (ff_operand){data + shift, dtype, scaled ? scales + random_below(9) : NULL, rows < 500 && random_below(2)};
}

static float *random_floats(size_t n, void **block)
{
    size_t shift = random_below(4);
    float *x = *block = malloc((n + 4) * sizeof *x);
    assert_non_null(x);
    ff_random_floats(random_bits(), n + 4, 1, x);
    return x + shift;
}

static void assert_same(const ff_kernels *table, const char *what, ff_operand weight, const float *actual,
                        const float *expected, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(actual + i, expected + i, sizeof *actual) == 0 || (isnan(actual[i]) && isnan(expected[i])))
            continue;
        fail_msg("%s, %s of %s%s: element %zu is %a, expected %a", what, weight.dtype->name, table->name,
                 weight.scales ? " with scales" : "", i, (double)actual[i], (double)expected[i]);
    }
}

static void try_matmul(ff_dtype dtype, size_t rows, size_t columns, size_t depth)
{
    void *blocks[4];
    char what[80];
    ff_matmul p = {.rows = rows, .columns = columns, .depth = depth, .a_stride = depth + random_below(4),
                   .out_stride = columns, .b = random_weight(dtype, columns, depth, &blocks[0])};
    p.a = random_floats(rows * p.a_stride, &blocks[1]);
    float *out = random_floats(rows * columns, &blocks[2]), *expected = random_floats(rows * columns, &blocks[3]);
    snprintf(what, sizeof what, "%zu x %zu x %zu", rows, columns, depth);
    p.out = expected;
    assert_int_equal(ff_kernels_scalar()->matmul(ff_kernels_scalar(), &p), FF_OK);
    p.out = out;
    for (size_t i = 0; i < table_count; i++) {
        memset(out, 0xFF, rows * columns * sizeof *out);
        assert_int_equal(tables[i].matmul(&tables[i], &p), FF_OK);
        assert_same(&tables[i], what, p.b, out, expected, rows * columns);
    }
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free(blocks[i]);
}

static void test_matmul(void **state)
{
    for (size_t type = 0; type < TYPES; type++) {
        ff_dtype dtype = type_at(type);
        size_t least = dtype->block == 1 ? 1 + random_below(40) : dtype->block;
        for (size_t rows = 1; rows <= 40; rows++) {
            omp_set_num_threads((int[]){1, 2, 3, 7}[rows % 4]);
            try_matmul(dtype, rows, 1 + random_below(70), least * (1 + random_below(dtype->block == 32 ? 20 : 4)));
        }
        try_matmul(dtype, 129 + random_below(40), 1 + random_below(90), least * (1 + random_below(5)));  // packed
        try_matmul(dtype, 300, 1 + random_below(90), least * (1 + random_below(9)));
    }
}

static void try_convolution(ff_dtype dtype)
{
    enum { FRAMES = 2 };
    bool cube = random_below(2);  // taps of 3 x 3 x 3, or 1 x 2 x 2
    size_t some = 1 + random_below(3);
    ff_convolution p = {
        .in_channels = dtype->block == 1 ? 1 + random_below(40) : cube ? dtype->block : dtype->block / 4 * some,
        .in_height = 1 + random_below(6), .in_width = 1 + random_below(8), .out_channels = 1 + random_below(40),
        .out_frames = FRAMES, .out_height = 1 + random_below(6), .out_width = 1 + random_below(8),
        .kernel_t = cube ? 3 : 1, .kernel_h = cube ? 3 : 2, .kernel_w = cube ? 3 : 2,
        .stride_t = 1, .stride_h = 1 + random_below(2), .stride_w = 1, .pad_top = random_below(2), .pad_left = 1,
    };
    void *blocks[4];
    size_t pixels = p.in_height * p.in_width * p.in_channels, frame_count = FRAMES + p.kernel_t - 1;
    size_t outputs = FRAMES * p.out_height * p.out_width * p.out_channels;
    const float *frames[FRAMES + 2];
    const float *video = random_floats(frame_count * pixels, &blocks[0]);
    float *out = random_floats(outputs, &blocks[1]), *expected = random_floats(outputs, &blocks[2]);
    for (size_t i = 0; i < frame_count; i++)
        frames[i] = random_below(4) ? video + i * pixels : NULL;
    p.frames = frames;
    p.weight = random_weight(dtype, p.out_channels, p.in_channels * p.kernel_t * p.kernel_h * p.kernel_w, &blocks[3]);
    p.out = expected;
    assert_int_equal(ff_kernels_scalar()->convolution(ff_kernels_scalar(), &p), FF_OK);
    p.out = out;
    for (size_t i = 0; i < table_count; i++) {
        memset(out, 0xFF, outputs * sizeof *out);
        assert_int_equal(tables[i].convolution(&tables[i], &p), FF_OK);
        assert_same(&tables[i], "convolution", p.weight, out, expected, outputs);
    }
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free(blocks[i]);
}

static void test_convolution(void **state)
{
    for (size_t trial = 0; trial < 12 * TYPES; trial++) {
        omp_set_num_threads((int[]){1, 2, 3, 7}[trial % 4]);
        try_convolution(type_at(trial % TYPES));
    }
}

int main(void)
{
    if (!find_fast_tables())
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_convolution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

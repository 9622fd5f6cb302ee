// The kernels that move values against their formulas, element by element, over random sizes, rows and factors.
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "kernels/kernels.h"
#include "random.h"

static float *random_floats(size_t count)
{
    float *values = malloc((count + 1) * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = random_below(20) ? (float)random_below(1u << 30) / 0x1p29f - 1.0f : -0.0f;
    return values;
}

// Ratios of channels as they occur, and odd ones: `many` values of a pixel in `few` groups.
static const struct { size_t many, few; } ratios[] = {{1, 1}, {2, 1}, {4, 1}, {8, 1}, {3, 1}, {6, 2}, {12, 4}};

static void test_average_down(void **state)
{
    for (int trial = 0; trial < 200; trial++) {
        size_t factor_t = 1 + random_below(2), factor_s = 1 + random_below(2), cell = factor_t * factor_s * factor_s;
        size_t ratio = random_below(sizeof ratios / sizeof *ratios), scale = 1 + random_below(5);
        size_t in_channels = ratios[ratio].many * scale, out_channels = in_channels * cell / ratios[ratio].many;
        size_t rows = random_below(5), width = 1 + random_below(7), group = in_channels * cell / out_channels;
        bool large = trial == 0;
        if (large)
            rows = 600, width = 50;
        size_t in_width = width * factor_s, pixels = rows * factor_s * in_width;
        float *early = random_floats(pixels * in_channels), *late = random_floats(pixels * in_channels);
        float *expected = random_floats(rows * width * out_channels), *out = random_floats(rows * width * out_channels);
        const float *frames[2] = {random_below(3) || factor_t == 1 ? early : NULL, late};
        memcpy(out, expected, rows * width * out_channels * sizeof *out);
        for (size_t o = 0; o < rows * width * out_channels; o++) {
            size_t channel = o % out_channels, x = o / out_channels % width, y = o / out_channels / width;
            float sum = 0;
            for (size_t i = channel * group; i < (channel + 1) * group; i++) {
                size_t column = x * factor_s + i % factor_s, row = y * factor_s + i / factor_s % factor_s;
                const float *frame = frames[i / (factor_s * factor_s) % factor_t];
                sum += frame ? frame[(row * in_width + column) * in_channels + i / cell] : 0;
            }
            expected[o] += sum / (float)group;
        }
        ff_kernels_scalar()->average_down(ff_kernels_scalar(), &(ff_average_down){rows, width, in_channels,
                                          out_channels, factor_t, factor_s, {frames[0], frames[1]}, out});
        assert_memory_equal(out, expected, rows * width * out_channels * sizeof *out);
        free(early), free(late), free(expected), free(out);
    }
}

static void test_repeat_up(void **state)
{
    for (int trial = 0; trial < 200; trial++) {
        size_t factor_t = 1 + random_below(2), ratio = random_below(sizeof ratios / sizeof *ratios);
        size_t scale = 1 + random_below(5), out_channels = ratios[ratio].many * scale;
        size_t in_channels = out_channels * factor_t * 4 / ratios[ratio].many;
        size_t first = random_below(4), rows = random_below(6), width = 2 * (1 + random_below(4));
        if (trial == 0)
            rows = 500, width = 60;
        size_t repeats = out_channels * factor_t * 4 / in_channels, time = random_below(factor_t);
        float *x = random_floats((rows / 2 + 2) * (width / 2) * in_channels);
        float *expected = random_floats(rows * width * out_channels), *out = random_floats(rows * width * out_channels);
        memcpy(out, expected, rows * width * out_channels * sizeof *out);
        for (size_t o = 0; o < rows * width * out_channels; o++) {
            size_t channel = o % out_channels, column = o / out_channels % width, y = first + o / out_channels / width;
            const float *pixel = x + ((y / 2 - first / 2) * (width / 2) + column / 2) * in_channels;
            expected[o] += pixel[(((channel * factor_t + time) * 2 + y % 2) * 2 + column % 2) / repeats];
        }
        ff_kernels_scalar()->repeat_up(ff_kernels_scalar(), 
            &(ff_repeat_up){first, rows, width, in_channels, out_channels, factor_t, time, x, out});
        assert_memory_equal(out, expected, rows * width * out_channels * sizeof *out);
        free(x), free(expected), free(out);
    }
}

static void test_double_size_and_copy(void **state)
{
    for (int trial = 0; trial < 100; trial++) {
        size_t first = random_below(4), rows = random_below(6), width = 2 * (1 + random_below(4));
        size_t channels = 1 + random_below(9), stride = channels + random_below(3);
        if (trial == 0)
            rows = 501, width = 60;
        float *x = random_floats((rows / 2 + 2) * (width / 2) * stride);
        float *out = random_floats(rows * width * channels), *copied = random_floats(rows * width * channels);
        ff_kernels_scalar()->double_size(ff_kernels_scalar(), &(ff_double_size){first, rows, width, channels, stride,
                                         x, out});
        for (size_t o = 0; o < rows * width * channels; o++) {
            size_t channel = o % channels, column = o / channels % width, y = first + o / channels / width;
            float expected = x[((y / 2 - first / 2) * (width / 2) + column / 2) * stride + channel];
            assert_memory_equal(out + o, &expected, sizeof expected);
        }
        ff_kernels_scalar()->copy(ff_kernels_scalar(), rows * width * channels, out, copied);
        assert_memory_equal(out, copied, rows * width * channels * sizeof *out);
        free(x), free(out), free(copied);
    }
}

int main(void)
{
    omp_set_num_threads(3);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_average_down),
        cmocka_unit_test(test_repeat_up),
        cmocka_unit_test(test_double_size_and_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

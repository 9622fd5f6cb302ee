// The scalar kernels against the arithmetic contract (ref/kernels/kernels.h: chains, lane sums, elementwise), written
// out once more here one output at a time, and the two builds of them against each other: bit for bit, over random and
// awkward sizes.
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "kernels/kernels.h"
#include "kernels/mathematics.h"
#include "random.h"

// Mostly ordinary numbers; now and then a zero of either sign, a subnormal, a large one.
static float random_value(void)
{
    static const float special[] = {0.0f, -0.0f, 1e-40f, -1e-40f, 1e30f, -1e30f, 1.0f};
    if (random_below(40) == 0)
        return special[random_below(sizeof special / sizeof *special)];
    return (float)random_bits() / 0x1p31f - 1.0f;
}

static float *random_floats(size_t count)
{
    float *values = malloc((count + 1) * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = random_value();
    return values;
}

static void assert_same_bits(const char *what, const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            fail_msg("%s: element %zu of %zu is %a, expected %a", what, i, count, (double)a[i], (double)b[i]);
}

static const ff_kernels *builds[2];
static size_t build_count;

static void test_matmul_is_one_chain_per_output(void **state)
{
    for (int trial = 0; trial < 60; trial++) {
        size_t rows = random_below(20), columns = random_below(40), depth = random_below(70);
        size_t a_stride = depth + random_below(3), out_stride = columns + random_below(3);
        float *a = random_floats(rows * a_stride), *b = random_floats(columns * depth), *bias = random_floats(columns);
        float *expected = random_floats(rows * out_stride);
        uint16_t *halves = malloc((columns * depth + 1) * sizeof *halves);
        float *out = malloc((rows * out_stride + 1) * sizeof *out);
        ff_dtype dtype = (ff_dtype[]){FF_F32, FF_F16, FF_BF16}[trial % 3];
        for (size_t i = 0; i < columns * depth && dtype != FF_F32; i++) {
            halves[i] = (uint16_t)random_bits() & 0xbfff;  // finite in both types
            b[i] = dtype == FF_F16 ? ff_widen_f16(halves[i]) : ff_widen_bf16(halves[i]);
        }
        memcpy(out, expected, rows * out_stride * sizeof *out);
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < columns; c++) {
                float acc = 0;
                for (size_t k = 0; k < depth; k++)
                    acc = fmaf(a[r * a_stride + k], b[c * depth + k], acc);
                expected[r * out_stride + c] = trial % 2 ? acc + bias[c] : acc;
            }
        for (size_t i = 0; i < build_count; i++) {
            const ff_matmul product = {.rows = rows, .columns = columns, .depth = depth, .a = a, .a_stride = a_stride,
                                       .b = {.data = dtype == FF_F32 ? (void *)b : halves, .dtype = dtype},
                                       .bias = trial % 2 ? bias : NULL, .out = out, .out_stride = out_stride};
            assert_int_equal(builds[i]->matmul(builds[i], &product), FF_OK);
            assert_same_bits("matmul", out, expected, rows * out_stride);
        }
        free(a), free(b), free(bias), free(expected), free(halves), free(out);
    }
}

static void expect_convolution(const ff_convolution *p, const float *weight, float *out)
{
    for (size_t t = 0; t < p->out_frames; t++)
        for (size_t y = 0; y < p->out_height; y++)
            for (size_t x = 0; x < p->out_width; x++)
                for (size_t o = 0; o < p->out_channels; o++) {
                    float acc = 0;
                    for (size_t kt = 0; kt < p->kernel_t; kt++)
                        for (size_t kh = 0; kh < p->kernel_h; kh++)
                            for (size_t kw = 0; kw < p->kernel_w; kw++)
                                for (size_t c = 0; c < p->in_channels; c++) {
                                    const float *frame = p->frames[t * p->stride_t + kt];
                                    ptrdiff_t row = (ptrdiff_t)(y * p->stride_h + kh) - (ptrdiff_t)p->pad_top;
                                    ptrdiff_t column = (ptrdiff_t)(x * p->stride_w + kw) - (ptrdiff_t)p->pad_left;
                                    bool inside = frame && row >= 0 && row < (ptrdiff_t)p->in_height && column >= 0 &&
                                                  column < (ptrdiff_t)p->in_width;
                                    size_t tap = (kt * p->kernel_h + kh) * p->kernel_w + kw;
                                    size_t taps = p->kernel_t * p->kernel_h * p->kernel_w;
                                    size_t from = inside ? ((size_t)row * p->in_width + (size_t)column) : 0;
                                    acc = fmaf(inside ? frame[from * p->in_channels + c] : 0.0f,
                                               weight[(o * p->in_channels + c) * taps + tap], acc);
                                }
                    *out++ = p->bias ? acc + p->bias[o] : acc;
                }
}

static void test_convolution_is_one_chain_per_output(void **state)
{
    for (int trial = 0; trial < 40; trial++) {
        ff_convolution p = {
            .in_channels = 1 + random_below(20), .in_height = 1 + random_below(6), .in_width = 1 + random_below(6),
            .out_channels = 1 + random_below(36), .out_frames = 1 + random_below(3),
            .kernel_t = 1 + random_below(3), .kernel_h = 1 + random_below(3), .kernel_w = 1 + random_below(3),
            .stride_t = 1 + random_below(2), .stride_h = 1 + random_below(2), .stride_w = 1 + random_below(2),
            .pad_top = random_below(2), .pad_left = random_below(2), .weight = {.dtype = FF_F32},
        };
        p.out_height = 1 + random_below(6);
        p.out_width = 1 + random_below(6);
        size_t frames = p.out_frames * p.stride_t + p.kernel_t - p.stride_t;
        size_t pixels = p.in_height * p.in_width * p.in_channels;
        size_t outputs = p.out_frames * p.out_height * p.out_width * p.out_channels;
        size_t weights = p.out_channels * p.in_channels * p.kernel_t * p.kernel_h * p.kernel_w;
        float *video = random_floats(frames * pixels), *weight = random_floats(weights);
        float *bias = random_floats(p.out_channels), *out = random_floats(outputs), *expected = random_floats(outputs);
        const float *pointers[8];
        for (size_t i = 0; i < frames; i++)
            pointers[i] = random_below(4) ? video + i * pixels : NULL;
        p.frames = pointers;
        p.weight.data = weight;
        p.bias = trial % 2 ? bias : NULL;
        p.out = out;
        expect_convolution(&p, weight, expected);
        for (size_t i = 0; i < build_count; i++) {
            assert_int_equal(builds[i]->convolution(builds[i], &p), FF_OK);
            assert_same_bits("convolution", out, expected, outputs);
        }
        free(video), free(weight), free(bias), free(out), free(expected);
    }
}

// Element j to lane j mod 16; lanes fold 8, 4, 2, 1.
static float contract_sum(size_t n, const float *x, bool squares)
{
    float lanes[16] = {0};
    for (size_t j = 0; j < n; j++) {
        float value = squares ? x[j] * x[j] : x[j];
        lanes[j % 16] += value;
    }
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
    return lanes[0];
}

static void test_attention_is_textbook_softmax(void **state)
{
    for (int trial = 0; trial < 30; trial++) {
        size_t queries = 1 + random_below(9), keys = 1 + random_below(50), heads = 1 + random_below(3);
        size_t head_dim = 1 + random_below(40), dim = heads * head_dim;
        float *q = random_floats(queries * dim), *k = random_floats(keys * dim), *v = random_floats(keys * dim);
        float *bias = random_floats(heads * queries * keys), *s = random_floats(keys);
        float *out = random_floats(queries * dim), *expected = random_floats(queries * dim);
        const float scale = trial % 3 ? 0.25f : 1.0f;
        for (size_t h = 0; h < heads; h++)
            for (size_t i = 0; i < queries; i++) {
                float most = -INFINITY;
                for (size_t j = 0; j < keys; j++) {
                    float acc = 0;
                    for (size_t d = 0; d < head_dim; d++)
                        acc = fmaf(q[i * dim + h * head_dim + d], k[j * dim + h * head_dim + d], acc);
                    s[j] = acc * scale;
                    if (trial % 2)
                        s[j] = s[j] + bias[(h * queries + i) * keys + j];
                    most = fmaxf(most, s[j]);
                }
                for (size_t j = 0; j < keys; j++)
                    s[j] = ff_expf(s[j] - most);
                float sum = contract_sum(keys, s, false);
                for (size_t d = 0; d < head_dim; d++) {
                    float acc = 0;
                    for (size_t j = 0; j < keys; j++)
                        acc = fmaf(s[j], v[j * dim + h * head_dim + d], acc);
                    expected[i * dim + h * head_dim + d] = acc / sum;
                }
            }
        for (size_t b = 0; b < build_count; b++) {
            const ff_attention p = {.queries = queries, .keys = keys, .heads = heads, .head_dim = head_dim,
                                    .q = q, .k = k, .v = v, .q_stride = dim, .k_stride = dim, .v_stride = dim,
                                    .scale = scale, .bias = trial % 2 ? bias : NULL, .out = out};
            assert_int_equal(builds[b]->attention(builds[b], &p), FF_OK);
            assert_same_bits("attention", out, expected, queries * dim);
        }
        free(q), free(k), free(v), free(bias), free(s), free(out), free(expected);
    }
}

static void test_norms_sum_in_sixteen_lanes(void **state)
{
    for (int trial = 0; trial < 40; trial++) {
        size_t rows = 1 + random_below(4), n = 1 + random_below(70);
        float *x = random_floats(rows * n), *weight = random_floats(n), *bias = random_floats(n);
        float *layer = random_floats(rows * n), *rms = random_floats(rows * n), *channel = random_floats(rows * n);
        float *modulated = random_floats(rows * n), *out = random_floats(rows * n), *centred = random_floats(n);
        float *activated = random_floats(rows * n);
        for (size_t r = 0; r < rows; r++) {
            const float *row = x + r * n;
            float mean = contract_sum(n, row, false) / (float)n;
            for (size_t j = 0; j < n; j++)
                centred[j] = row[j] - mean;
            float deviation = sqrtf(contract_sum(n, centred, true) / (float)n + 1e-6f);
            float root = sqrtf(contract_sum(n, row, true) / (float)n + 1e-5f);
            float length = fmaxf(sqrtf(contract_sum(n, row, true)), 1e-12f), root_n = sqrtf((float)n);
            for (size_t j = 0; j < n; j++) {
                float normal = centred[j] / deviation;
                layer[r * n + j] = normal * weight[j] + bias[j];
                modulated[r * n + j] = normal * (1.0f + weight[j]) + bias[j];
                rms[r * n + j] = row[j] / root * weight[j];
                channel[r * n + j] = row[j] / length * root_n * weight[j];
            }
        }
        for (size_t b = 0; b < build_count; b++) {
            const ff_kernels *kernels = builds[b];
            kernels->layer_norm(kernels, rows, n, x, 1e-6f, weight, bias, out);
            assert_same_bits("layer_norm", out, layer, rows * n);
            kernels->layer_norm_modulate(kernels, rows, n, x, 1e-6f, (ff_modulation){{NULL, n}, bias, weight}, out);
            assert_same_bits("layer_norm_modulate", out, modulated, rows * n);
            kernels->rms_norm(kernels, rows, n, x, 1e-5f, weight, out);
            assert_same_bits("rms_norm", out, rms, rows * n);
            kernels->channel_norm(kernels, rows, n, x, weight, false, out);
            assert_same_bits("channel_norm", out, channel, rows * n);
            kernels->channel_norm(kernels, rows, n, x, weight, true, out);
            kernels->silu(kernels, rows * n, channel, activated);
            assert_same_bits("channel_norm with SiLU", out, activated, rows * n);
        }
        free(x), free(weight), free(bias), free(layer), free(rms), free(channel), free(modulated), free(out);
        free(centred), free(activated);
    }
}

static void test_groups_share_modulation(void **state)
{
    enum { ROWS = 5, N = 19, STRIDE = 3 * N };
    const uint32_t group[ROWS] = {1, 0, 1, 2, 0};
    float *x = random_floats(ROWS * N), *vectors = random_floats(3 * STRIDE), *hidden = random_floats(ROWS * N);
    float *expected = random_floats(ROWS * N), *one = random_floats(N);
    for (size_t b = 0; b < build_count; b++) {
        const ff_kernels *kernels = builds[b];
        float *out = random_floats(ROWS * N);
        kernels->layer_norm_modulate(kernels, ROWS, N, x, 1e-6f,
                                     (ff_modulation){{group, STRIDE}, vectors + N, vectors}, out);
        for (size_t r = 0; r < ROWS; r++) {
            const float *own = vectors + group[r] * STRIDE;
            kernels->layer_norm_modulate(kernels, 1, N, x + r * N, 1e-6f, (ff_modulation){{0}, own + N, own}, one);
            assert_same_bits("modulation of a group", out + r * N, one, N);
        }
        memcpy(out, hidden, ROWS * N * sizeof *out);
        kernels->add_gated(kernels, ROWS, N, x, (ff_groups){group, STRIDE}, vectors + 2 * N, out);
        for (size_t i = 0; i < ROWS * N; i++)
            expected[i] = hidden[i] + x[i] * vectors[group[i / N] * STRIDE + 2 * N + i % N];
        assert_same_bits("add_gated", out, expected, ROWS * N);
        free(out);
    }
    free(x), free(vectors), free(hidden), free(expected), free(one);
}

static void test_elementwise_formulas(void **state)
{
    enum { N = 5000 };
    float *x = random_floats(N), *y = random_floats(N), *out = random_floats(N);
    const float *const terms[3] = {x, y, x};
    const float k[3] = {0.3f, -1.7f, 2.5f};
    for (size_t i = 0; i < N; i++)
        x[i] *= (float)(1 + i % 50);
    for (size_t b = 0; b < build_count; b++) {
        const ff_kernels *kernels = builds[b];
        for (int function = 0; function < 7; function++) {
            switch (function) {
            case 0: kernels->add(kernels, N, x, y, out); break;
            case 1: kernels->multiply(kernels, N, x, y, out); break;
            case 2: kernels->silu(kernels, N, x, out); break;
            case 3: kernels->gelu_tanh(kernels, N, x, out); break;
            case 4: kernels->gelu_erf(kernels, N, x, out); break;
            case 5: kernels->guidance(kernels, N, x, y, 4.5f, out); break;
            default: kernels->combine(kernels, N, 3, terms, k, out); break;
            }
            for (size_t i = 0; i < N; i++) {
                float cube = x[i] * x[i] * x[i], difference = x[i] - y[i], first = k[0] * x[i], second = k[1] * y[i];
                float third = k[2] * x[i], sum = first + second, scaled = 4.5f * difference;
                float inner = 0.7978845608028654f * (x[i] + 0.044715f * cube);
                const float expected[7] = {
                    x[i] + y[i],
                    x[i] * y[i],
                    x[i] / (1.0f + ff_expf(-x[i])),
                    0.5f * x[i] * (1.0f + ff_tanhf(inner)),
                    0.5f * x[i] * (1.0f + ff_erff(x[i] / 1.4142135623730951f)),
                    y[i] + scaled,
                    sum + third,
                };
                assert_same_bits("elementwise", out + i, &expected[function], 1);
            }
        }
    }
    free(x), free(y), free(out);
}

static void test_results_do_not_depend_on_threads(void **state)
{
    enum { ROWS = 70, COLUMNS = 90, DEPTH = 800 };
    float *a = random_floats(ROWS * DEPTH), *b = random_floats(COLUMNS * DEPTH);
    float *first = random_floats(ROWS * COLUMNS), *out = random_floats(ROWS * COLUMNS);
    int before = omp_get_max_threads();
    for (int threads = 1; threads <= 5; threads++) {
        omp_set_num_threads(threads);
        float *to = threads == 1 ? first : out;
        const ff_matmul product = {.rows = ROWS, .columns = COLUMNS, .depth = DEPTH, .a = a, .a_stride = DEPTH,
                                   .b = {.data = b, .dtype = FF_F32}, .out = to, .out_stride = COLUMNS};
        assert_int_equal(ff_kernels_scalar()->matmul(ff_kernels_scalar(), &product), FF_OK);
        if (threads > 1)
            assert_same_bits("matmul with more threads", out, first, ROWS * COLUMNS);
    }
    omp_set_num_threads(before);
    free(a), free(b), free(first), free(out);
}

int main(void)
{
    builds[build_count++] = ff_kernels_scalar_build(false);
    if (ff_kernels_scalar_build(true))
        builds[build_count++] = ff_kernels_scalar_build(true);
    else
        print_message("the build with hardware FMA was left out: this processor has none\n");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul_is_one_chain_per_output),
        cmocka_unit_test(test_convolution_is_one_chain_per_output),
        cmocka_unit_test(test_attention_is_textbook_softmax),
        cmocka_unit_test(test_norms_sum_in_sixteen_lanes),
        cmocka_unit_test(test_groups_share_modulation),
        cmocka_unit_test(test_elementwise_formulas),
        cmocka_unit_test(test_results_do_not_depend_on_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

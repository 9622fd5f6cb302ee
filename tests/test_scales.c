// 8-bit weights of safetensors files and what lies beside them: scales under both names, of every form, and marks.
// What comes out is f32(code) * scale, one rounded operation.
#define _GNU_SOURCE  // mkstemp
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/bench/random_elements.h"
#include "kernels/blocks.h"
#include "random.h"
#include "text/text.h"
#include "weights/linear.h"

enum { OUT = 21, IN = 37, TOKENS = 9 };
static const size_t weight_shape[2] = {OUT, IN};
static uint8_t codes[OUT * IN];
static float scales[OUT];

// ---- files ----

typedef struct beside {
    const char *name;
    ff_dtype dtype;
    int rank;
    size_t shape[3];
    const void *data;
} beside;

// A file with the weight "layer.weight" of this type, and what is beside it; up to the first without a name.
static ff_weights *write_file(ff_dtype dtype, const char *metadata, const beside *others)
{
    char path[] = "/tmp/test_scales.XXXXXX";
    ff_error error = {0};
    ff_dump *dump;
    ff_weights *weights;
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    assert_ok(ff_dump_create(path, 8, &dump, &error), &error);
    if (metadata)
        assert_ok(ff_dump_metadata(dump, "_quantization_metadata", metadata, &error), &error);
    assert_ok(ff_dump_tensor(dump, "layer.weight", dtype, 2, weight_shape, codes, &error), &error);
    for (; others && others->name; others++)
        assert_ok(ff_dump_tensor(dump, others->name, others->dtype, others->rank, others->shape, others->data, &error),
                  &error);
    assert_ok(ff_dump_finish(dump, &error), &error);
    ff_status status = ff_weights_open_file(path, &weights, &error);
    unlink(path);
    if (status) {
        print_message("%s\n", error.message);
        return NULL;
    }
    return weights;
}

static ff_dtype type_of(ff_block_type type)
{
    return &ff_block_formats[type].element;
}

// The sentence that refuses the weight.
static void check_refused(ff_dtype dtype, const char *metadata, const beside *others, const char *sentence)
{
    ff_error error = {0};
    ff_weight weight;
    ff_weights *weights = write_file(dtype, metadata, others);
    assert_non_null(weights);
    assert_int_equal(ff_weights_get(weights, &weight, &error, 2, weight_shape, "layer.weight"), FF_ERROR_INPUT);
    if (!strstr(error.message, sentence))
        fail_msg("\"%s\" does not say \"%s\"", error.message, sentence);
    ff_weights_close(weights);
}

// ---- what comes out ----

// step: 1 if each row has a scale; given NULL: there is none
static void expect(ff_dtype dtype, const float *given, size_t step, float out[OUT * IN])
{
    dtype->decode(codes, 0, OUT * IN, out);
    for (size_t i = 0; given && i < OUT * IN; i++)
        out[i] = out[i] * given[i / IN * step];
}

// y = x w^T of each instruction set that is here equals a chain over the expected elements.
static void check_product(const ff_weight *weight, const float expected[OUT * IN])
{
    static const ff_isa isas[] = {FF_ISA_SCALAR, FF_ISA_AVX2, FF_ISA_AVX512, FF_ISA_NEON};
    const ff_linear linear = {.weight = *weight};
    float x[200 * IN], y[200 * OUT];
    for (size_t i = 0; i < 200 * IN; i++)
        x[i] = (float)random_bits() / 4294967296.0f - 0.5f;
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++)
        for (size_t rows = TOKENS; rows <= 200; rows += 191) {  // few, and many
            ff_kernels kernels;
            if (ff_kernels_choose(isas[i], FF_BACKEND_OWN, &kernels, NULL))
                continue;
            assert_int_equal(ff_linear_apply(&linear, &kernels, rows, x, NULL, y), FF_OK);
            for (size_t r = 0; r < rows; r++)
                for (size_t c = 0; c < OUT; c++) {
                    float acc = 0;
                    for (size_t k = 0; k < IN; k++)
                        acc = fmaf(x[r * IN + k], expected[c * IN + k], acc);
                    if (memcmp(&acc, &y[r * OUT + c], sizeof acc) != 0)
                        fail_msg("%s of %s, %zu rows: [%zu, %zu] is %a, expected %a", weight->dtype->name, kernels.name,
                                 rows, r, c, (double)y[r * OUT + c], (double)acc);
                }
        }
}

static void check_accepted(ff_dtype dtype, const char *metadata, const beside *others, const float *given, size_t step)
{
    float expected[OUT * IN], found[OUT * IN];
    const float *vector;
    ff_error error = {0};
    ff_weight weight;
    ff_random_elements(random_bits(), OUT * IN, dtype, 1, codes);
    ff_weights *weights = write_file(dtype, metadata, others);
    assert_non_null(weights);
    expect(dtype, given, step, expected);
    assert_ok(ff_weights_get(weights, &weight, &error, 2, weight_shape, "layer.weight"), &error);
    ff_weight_widen(&weight, 0, OUT * IN, found);
    assert_memory_equal(found, expected, sizeof found);
    for (size_t first = 0; first < OUT * IN; first += 41) {  // any run, over the ends of rows
        size_t count = OUT * IN - first < 53 ? OUT * IN - first : 53;
        ff_weight_widen(&weight, first, count, found);
        assert_memory_equal(found, expected + first, count * sizeof *found);
    }
    assert_ok(ff_weights_get_f32(weights, &vector, &error, OUT * IN, "layer.weight"), &error);
    assert_memory_equal(vector, expected, sizeof expected);
    check_product(&weight, expected);
    ff_weights_close(weights);
}

static void test_scales_of_every_form(void **state)
{
    static const char *const names[] = {"layer.scale_weight", "layer.weight_scale"};
    static const struct {
        int rank;
        size_t shape[3];
    } forms[] = {{0, {0}}, {1, {1}}, {2, {1, 1}}, {1, {OUT}}, {2, {OUT, 1}}};
    static const ff_block_type types[] = {FF_BLOCK_F8_E4M3, FF_BLOCK_F8_E5M2, FF_BLOCK_I8};
    for (size_t type = 0; type < 3; type++)
        for (size_t name = 0; name < 2; name++)
            for (size_t form = 0; form < sizeof forms / sizeof *forms; form++) {
                beside others[] = {{names[name], FF_F32, forms[form].rank, {0}, scales},
                                   {"layer.scale_input", FF_F32, 0, {0}, scales + 5},
                                   {"layer.input_scale", FF_F32, 1, {1}, scales + 6}, {0}};
                memcpy(others[0].shape, forms[form].shape, sizeof others[0].shape);
                check_accepted(type_of(types[type]), NULL, others, scales, form > 2);
            }
}

static void test_scales_of_16_bits_are_widened(void **state)
{
    uint16_t halves[OUT];
    float widened[OUT];
    for (size_t bf16 = 0; bf16 < 2; bf16++) {
        for (size_t i = 0; i < OUT; i++) {
            halves[i] = (uint16_t)((bf16 ? 0x3a80 : 0x2000) + random_below(900));
            widened[i] = bf16 ? ff_widen_bf16(halves[i]) : ff_widen_f16(halves[i]);
        }
        const beside others[] = {{"layer.weight_scale", bf16 ? FF_BF16 : FF_F16, 2, {OUT, 1}, halves}, {0}};
        check_accepted(type_of(FF_BLOCK_F8_E4M3), NULL, others, widened, 1);
    }
}

static void test_floats_without_a_scale_are_as_they_are(void **state)
{
    const beside old_mark[] = {{"scaled_fp8", type_of(FF_BLOCK_F8_E4M3), 1, {0}, ""}, {0}};
    check_accepted(type_of(FF_BLOCK_F8_E4M3), NULL, NULL, NULL, 0);
    check_accepted(type_of(FF_BLOCK_F8_E5M2), NULL, old_mark, NULL, 0);
    check_refused(type_of(FF_BLOCK_I8), NULL, NULL, "tensor layer.weight is I8 and has no scale beside it");
}

static void test_scales_of_other_forms_are_refused(void **state)
{
    const beside blocks[] = {{"layer.weight_scale", FF_F32, 2, {3, 2}, scales}, {0}};
    const beside columns[] = {{"layer.weight_scale", FF_F32, 2, {1, OUT}, scales}, {0}};
    const beside whole[] = {{"layer.scale_weight", FF_I32, 0, {0}, scales}, {0}};
    check_refused(type_of(FF_BLOCK_I8), NULL, blocks, "tensor layer.weight_scale has shape [3, 2]; one scale is read, or "
                  "one for each of the 21 rows of layer.weight");
    check_refused(type_of(FF_BLOCK_I8), NULL, columns, "has shape [1, 21]");
    check_refused(type_of(FF_BLOCK_F8_E4M3), NULL, whole, "tensor layer.scale_weight is I32; a scale is F32, F16 or BF16");
}

// ---- marks ----

// The mark is a tensor, and then in the metadata.   sentence: NULL if it is to be accepted
static void check_mark(ff_dtype dtype, const char *mark, const char *sentence)
{
    char metadata[300];
    const beside others[] = {{"layer.weight_scale", FF_F32, 0, {0}, scales},
                             {"layer.comfy_quant", FF_U8, 1, {strlen(mark)}, mark}, {0}};
    const beside scale_alone[] = {others[0], {0}};
    snprintf(metadata, sizeof metadata, "{\"format_version\": \"1.0\", \"layers\": {\"layer\": %s}}", mark);
    if (sentence) {
        check_refused(dtype, NULL, others, sentence);
        check_refused(dtype, metadata, scale_alone, sentence);
    } else {
        check_accepted(dtype, NULL, others, scales, 0);
        check_accepted(dtype, metadata, scale_alone, scales, 0);
    }
}

static void test_marks_name_the_format(void **state)
{
    ff_dtype e4m3 = type_of(FF_BLOCK_F8_E4M3), i8 = type_of(FF_BLOCK_I8);
    check_mark(e4m3, "{\"format\": \"float8_e4m3fn\"}", NULL);
    check_mark(type_of(FF_BLOCK_F8_E5M2), "{\"format\": \"float8_e5m2\", \"full_precision_matrix_mult\": true}", NULL);
    check_mark(i8, "{\"format\": \"int8_tensorwise\", \"convrot\": false}", NULL);
    check_mark(i8, "{\"format\": \"int8_tensorwise\", \"convrot\": true, \"convrot_groupsize\": 256}",
               "tensor layer.weight is quantised as int8_tensorwise with convrot (rotated), which is not supported");
    check_mark(FF_U8, "{\"format\": \"nvfp4\"}", "tensor layer.weight is quantised as nvfp4, which is not supported");
    check_mark(FF_U8, "{\"format\": \"mxfp8\"}", "quantised as mxfp8,");
    check_mark(i8, "{\"format\": \"convrot_w4a4\"}", "quantised as convrot_w4a4,");
    check_mark(i8, "{\"format\": \"\\u001b[2J\"}", "quantised as (no format),");
    check_mark(i8, "{}", "quantised as (no format),");
}

static void test_marks_that_are_no_json(void **state)
{
    const beside bytes[] = {{"layer.comfy_quant", FF_U8, 1, {3}, "nvf"}, {0}};
    const beside floats[] = {{"layer.comfy_quant", FF_F32, 1, {3}, scales}, {0}};
    check_refused(type_of(FF_BLOCK_I8), NULL, bytes, "tensor layer.comfy_quant is not a JSON object");
    check_refused(type_of(FF_BLOCK_I8), NULL, floats, "tensor layer.comfy_quant is F32, expected JSON in U8");
    assert_null(write_file(type_of(FF_BLOCK_I8), "nvfp4", NULL));
}

// ---- tables that are looked up ----

enum { DIM = 256, WORDS = 40 };
static const char umt5[] =
    "{\"model_type\": \"umt5\", \"vocab_size\": 40, \"d_model\": 256, \"d_kv\": 32, \"d_ff\": 256, \"num_layers\": 1,"
    " \"num_heads\": 2, \"feed_forward_proj\": \"gated-gelu\"}";

typedef struct table {
    ff_dtype dtype;  // of matrices
    bool widened;    // whether they come as f32
    float scales[WORDS];
    ff_arena *memory;
} table;

static ff_status make(void *user, const char *name, ff_weight *out, bool *found, ff_error *error)
{
    table *t = user;
    uint64_t seed = 0;
    ff_weight made = *out;
    if (!(*found = out->rank > 0))
        return FF_OK;
    for (const char *c = name; *c; c++)
        seed = seed * 31 + (uint64_t)*c;
    size_t count = ff_weight_elements(out);
    bool matrix = out->rank == 2 && out->shape[1] % t->dtype->block == 0;
    made.dtype = matrix ? t->dtype : FF_F32;
    void *data = ff_arena_take(t->memory, count, sizeof(float));
    ff_random_elements(seed, count, made.dtype, 0.1f, data);
    made.data = data;
    if (made.dtype->bytes == 1 && out->shape[0] <= WORDS) {
        made.scales = t->scales;
        made.scale_step = 1;
    } else if (made.dtype->bytes == 1) {
        made.scales = t->scales + 3;
    }
    *out = made;
    if (!t->widened)
        return FF_OK;
    float *values = ff_arena_floats(t->memory, count);
    ff_weight_widen(&made, 0, count, values);
    *out = (ff_weight){.data = values, .dtype = FF_F32, .rank = made.rank};
    memcpy(out->shape, made.shape, sizeof made.shape);
    return FF_OK;
}

static void encode(table *t, const int64_t *ids, size_t count, float *out)
{
    const ff_weight_source source = {.user = t, .origin = "made", .find = make};
    ff_error error = {0};
    ff_config *config;
    ff_weights *weights;
    ff_text_encoder *encoder;
    ff_kernels kernels;
    t->memory = ff_arena_create();
    assert_ok(ff_config_parse("made", umt5, &config, &error), &error);
    assert_ok(ff_weights_open_source(&source, NULL, &weights, &error), &error);
    assert_ok(ff_text_encoder_open(weights, config, &encoder, &error), &error);
    assert_ok(ff_kernels_choose(FF_ISA_AUTO, FF_BACKEND_OWN, &kernels, &error), &error);
    assert_ok(ff_text_encoder_run(encoder, &kernels, t->memory, ids, count, out, &error), &error);
    ff_text_encoder_close(encoder);
    ff_weights_close(weights);
    ff_config_close(config);
    ff_arena_destroy(t->memory);
}

// Tokens' rows are decoded one by one, from tables of any type.
static void test_text_encoders_read_tables_of_every_type(void **state)
{
    static const int64_t ids[] = {0, 39, 7, 7, 1, 22};
    enum { COUNT = sizeof ids / sizeof *ids };
    for (int type = 0; type < FF_BLOCK_TYPES; type++) {
        float out[2][COUNT * DIM];
        table t = {.dtype = type_of((ff_block_type)type)};
        for (size_t i = 0; i < WORDS; i++)
            t.scales[i] = 0.01f + (float)i * 0.003f;
        encode(&t, ids, COUNT, out[0]);
        t.widened = true;
        encode(&t, ids, COUNT, out[1]);
        if (memcmp(out[0], out[1], sizeof out[0]) != 0)
            fail_msg("%s: the encoder's output is not that of the same weights as F32", t.dtype->name);
    }
}

static int fill(void **state)
{
    for (size_t i = 0; i < OUT; i++)
        scales[i] = 0.003f + (float)random_below(1000) / 77777.0f;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scales_of_every_form),
        cmocka_unit_test(test_scales_of_16_bits_are_widened),
        cmocka_unit_test(test_floats_without_a_scale_are_as_they_are),
        cmocka_unit_test(test_scales_of_other_forms_are_refused),
        cmocka_unit_test(test_marks_name_the_format),
        cmocka_unit_test(test_marks_that_are_no_json),
        cmocka_unit_test(test_text_encoders_read_tables_of_every_type),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}

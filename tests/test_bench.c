// What `bench` reports: products counted as they run are those that the stages' formulas foresee, the built-in
// dimensions are the published models', and nothing is timed that was not asked for. No time is looked at.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "check/bench/bench.h"
#include "check/bench/dims.h"
#include "pipeline/model.h"

#define MODEL FF_GOLDEN "/diffusers/models/tiny-ti2v"

static void test_counted_products_are_the_foreseen_ones(void **state)
{
    ff_model *model;
    ff_error error = {0};
    ff_bench_result result;
    const ff_bench_request request = {.width = 48, .height = 39, .frames = 10, .threads = 2};
    assert_ok(ff_model_open(MODEL, &model, &error), &error);
    assert_ok(ff_bench(model, &request, &result, &error), &error);
    size_t factor = model->facts.spatial_factor, multiple = model->facts.multiple_height;
    size_t width = 48 / multiple * multiple, height = 39 / multiple * multiple, frames = 3;
    assert_int_equal(result.width, width);
    assert_int_equal(result.height, height);
    assert_int_equal(result.frames, 9);
    const ff_transformer_input input = {
        .extent = {frames, height / factor, width / factor},
        .contexts = &(ff_transformer_context){.tokens = FF_TEXT_TOKENS}, .context_count = 1};
    const double foreseen[FF_BENCH_STAGES] = {
        ff_text_encoder_flop(model->text_encoder, FF_TEXT_TOKENS),
        ff_transformer_flop(model->experts[0].transformer, &input, 2),
        ff_vae_encode_cost(model->vae, 0, (ff_extent){1, height, width}).flop,
        ff_vae_decode_cost(model->vae, 0, input.extent).flop,
    };
    static const char *const names[] = {"text_encoder", "transformer", "vae_encode", "vae_decode"};
    assert_int_equal(result.count, FF_BENCH_STAGES);
    for (size_t i = 0; i < result.count; i++) {
        const ff_bench_stage *stage = &result.stages[i];
        assert_string_equal(stage->name, names[i]);
        if (fabs(stage->gflop * 1e9 - foreseen[i]) > 1e-9 * foreseen[i])
            fail_msg("%s: %.0f operations, foreseen were %.0f", stage->name, stage->gflop * 1e9, foreseen[i]);
        assert_true(stage->seconds > 0 && stage->seconds < INFINITY && stage->runs >= 1 && stage->weight_bytes > 0);
    }
    assert_true(result.peak_gflops > 0 && result.peak_memory_bytes > 0);
    ff_model_close(model);
}

// ---- built-in dimensions ----

// All tensors are the same zeros, so that large models open quickly.
typedef struct zeros {
    const float *data;
    size_t longest_vector;
} zeros;

static ff_status make_zeros(void *user, const char *name, ff_weight *view, bool *found, ff_error *error)
{
    zeros *from = user;
    if (!(*found = view->rank > 0))
        return FF_OK;
    assert_true(view->rank > 1 || view->shape[0] <= from->longest_vector);  // only vectors are read when a model opens
    view->data = from->data;
    view->dtype = FF_F32;
    return FF_OK;
}

static void open_zeros(const char *format, size_t layers, zeros *from, ff_config **config, ff_weights **weights)
{
    ff_error error = {0};
    char text[2048];
    snprintf(text, sizeof text, format, layers);
    assert_ok(ff_config_parse("config", text, config, &error), &error);
    const ff_weight_source source = {.user = from, .origin = "(memory)", .find = make_zeros};
    assert_ok(ff_weights_open_source(&source, NULL, weights, &error), &error);
}

static void test_built_in_dimensions_are_the_published_ones(void **state)
{
    // parameters of diffusers' classes with the published configs, built on torch's meta device
    static const struct {
        const char *name;
        size_t transformer, vae;
    } published[] = {{"ti2v-5b", 4999787712, 704688668}, {"t2v-1.3b", 1418996800, 126892531}};
    zeros from = {.longest_vector = 1 << 18};
    ff_error error = {0};
    ff_config *config;
    ff_weights *weights;
    from.data = calloc(from.longest_vector, sizeof *from.data);
    assert_non_null(from.data);
    for (size_t i = 0; i < 2; i++) {
        const ff_dims *dims = ff_dims_find(published[i].name);
        ff_transformer *transformer;
        ff_vae *vae;
        ff_text_encoder *encoder;
        assert_non_null(dims);
        open_zeros(dims->transformer, dims->transformer_layers, &from, &config, &weights);
        assert_ok(ff_transformer_open(weights, config, &transformer, &error), &error);
        assert_int_equal(ff_transformer_parameters(transformer), published[i].transformer);
        ff_transformer_close(transformer);
        ff_weights_close(weights);
        ff_config_close(config);
        open_zeros(dims->vae, 1, &from, &config, &weights);
        assert_ok(ff_vae_open(weights, config, &vae, &error), &error);
        assert_int_equal(ff_vae_parameters(vae), published[i].vae);
        assert_int_equal(ff_vae_describe(vae).spatial_factor, dims->spatial_factor);
        assert_int_equal(ff_vae_describe(vae).temporal_factor, dims->temporal_factor);
        ff_vae_close(vae);
        ff_weights_close(weights);
        ff_config_close(config);
        open_zeros(dims->text_encoder, dims->text_encoder_layers, &from, &config, &weights);
        assert_ok(ff_text_encoder_open(weights, config, &encoder, &error), &error);
        assert_int_equal(ff_text_encoder_dim(encoder), 4096);
        ff_text_encoder_close(encoder);
        ff_weights_close(weights);
        ff_config_close(config);
    }
    assert_null(ff_dims_find("ti2v-6b"));
    free((void *)from.data);
}

// ---- what is refused, and what stops ----

static bool stop(void *user, const char *doing)
{
    return ++*(int *)user > 1;
}

static void test_a_bench_can_be_stopped(void **state)
{
    ff_model *model;
    ff_error error = {0};
    ff_bench_result result;
    int calls = 0;
    const ff_bench_request request = {.width = 32, .height = 32, .frames = 1, .stages = FF_BENCH_VAE_ENCODE,
                                      .user = &calls, .progress = stop};
    assert_ok(ff_model_open(MODEL, &model, &error), &error);
    assert_int_equal(ff_bench(model, &request, &result, &error), FF_CANCELLED);
    assert_int_equal(calls, 2);
    ff_model_close(model);
}

static void test_impossible_requests_are_refused(void **state)
{
    static const struct {
        ff_bench_request request;
        const char *says;
    } cases[] = {
        {{.dims = NULL}, "no dimensions called (none)"},
        {{.dims = "ti2v"}, "no dimensions called ti2v"},
        {{.dims = "ti2v-5b", .width = 16, .height = 16}, "at least 32x32"},
        {{.dims = "ti2v-5b", .width = 1 << 20}, "too large"},
        {{.dims = "ti2v-5b", .threads = 5000}, "threads are too many"},
        {{.dims = "ti2v-5b", .isa = (ff_isa)77}, "77 is no instruction set"},
        {{.dims = "ti2v-5b", .backend = (ff_backend)77}, "77 is no backend"},
    };
    ff_bench_result result;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ff_error error = {0};
        assert_int_equal(ff_bench(NULL, &cases[i].request, &result, &error), FF_ERROR_INPUT);
        if (!strstr(error.message, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", error.message, cases[i].says);
    }
}

static void test_weights_that_memory_cannot_hold_are_refused(void **state)
{
    const ff_bench_request request = {.dims = "t2v-1.3b", .blocks = 1, .stages = FF_BENCH_VAE_ENCODE,
                                      .most_weight_bytes = 3 << 19};
    ff_bench_result result;
    ff_error error = {0};
    assert_int_equal(ff_bench(NULL, &request, &result, &error), FF_ERROR_MEMORY);
    assert_non_null(strstr(error.message, "more than the 0.0 GiB"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counted_products_are_the_foreseen_ones),
        cmocka_unit_test(test_built_in_dimensions_are_the_published_ones),
        cmocka_unit_test(test_a_bench_can_be_stopped),
        cmocka_unit_test(test_weights_that_memory_cannot_hold_are_refused),
        cmocka_unit_test(test_impossible_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

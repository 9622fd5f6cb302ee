// LoRAs in every layout against diffusers 0.42.1 and, for what it does not read, weights merged in float64
// (tools/golden/lora.py), float32 on a CPU. Tolerance: relative L2 1e-5; merging alone moves diffusers' result by 1e-6.
#include "golden.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transformer_models.h"
#include "transformer/transformer_weights.h"

#define TOLERANCE 1e-5
#define LORAS FF_GOLDEN "/diffusers/lora/"
#define MODEL FF_GOLDEN "/diffusers/models/tiny-ti2v/transformer"

typedef struct use {
    const char *name;
    double strength;
} use;

typedef struct given_case {
    const char *name;
    use files[3];
} given_case;

static const given_case cases[] = {
    {"a", {{"a", 0.7}}}, {"a_alpha", {{"a_alpha", 1.3}}}, {"a_embedders", {{"a_embedders", 0.6}}}, {"b", {{"b", -0.5}}},
    {"b_metadata", {{"b_metadata", 0.8}}}, {"c", {{"c", 1.2}}}, {"d", {{"d", 0.9}}}, {"e", {{"e", 0.4}}},
    {"f", {{"f", 1}}}, {"g", {{"g", 0.75}}}, {"two", {{"a", 0.7}, {"c", -0.4}}},
    {"three", {{"g", 0.5}, {"b", 0.3}, {"a_alpha", 1}}},
};

typedef struct opened {
    ff_weights *weights;
    ff_config *config;
    ff_transformer *transformer;
    ff_lora *loras[3];
    size_t count;
} opened;

static opened open_case(const given_case *given)
{
    opened o = {0};
    ff_error error = {0};
    char path[512];
    assert_ok(ff_weights_open(MODEL, &o.weights, &error), &error);
    assert_ok(ff_config_open(MODEL "/config.json", &o.config, &error), &error);
    assert_ok(ff_transformer_open(o.weights, o.config, &o.transformer, &error), &error);
    for (; o.count < 3 && given && given->files[o.count].name; o.count++) {
        snprintf(path, sizeof path, LORAS "%s.safetensors", given->files[o.count].name);
        assert_ok(ff_lora_open(path, given->files[o.count].strength, &o.loras[o.count], &error), &error);
        assert_ok(ff_transformer_add_lora(o.transformer, o.loras[o.count], &error), &error);
    }
    return o;
}

static void close_case(opened *o)
{
    ff_transformer_close(o->transformer);
    for (size_t i = 0; i < o->count; i++)
        ff_lora_close(o->loras[i]);
    ff_config_close(o->config);
    ff_weights_close(o->weights);
}

// The flow that a transformer predicts for the golden's input.   *text_flop: counted operations of the prompt
static float *predict(const opened *o, const ff_kernels *kernels, const ff_weights *golden, size_t *count,
                      double *text_flop, double *flop)
{
    ff_error error = {0};
    ff_arena *arena = ff_arena_create();
    ff_transformer_text *text;
    size_t rows, timesteps, unused;
    size_t tokens = (size_t)golden_i64(golden, "text_tokens", NULL)[0];
    const float *real = golden_f32(golden, "embeds", &rows);
    float *embeds = allocate(tokens * 14), *out;
    golden_f32(golden, "output", count);
    out = allocate(*count);
    memcpy(embeds, real, rows * sizeof *embeds);
    assert_ok(ff_transformer_text_create(o->transformer, kernels, embeds, tokens, &text, &error), &error);
    *text_flop = counted;
    ff_transformer_context context = ff_transformer_text_context(text);
    ff_transformer_input input = {.extent = {2, 4, 6}, .latents = golden_f32(golden, "latents", &unused),
                                  .timesteps = golden_f32(golden, "timesteps", &timesteps), .contexts = &context,
                                  .context_count = 1};
    input.timestep_count = timesteps;
    counted = 0;
    assert_ok(ff_transformer_run(o->transformer, kernels, arena, &input, NULL, out, &error), &error);
    *flop = counted;
    ff_transformer_text_destroy(text);
    ff_arena_destroy(arena);
    free(embeds);
    return out;
}

static void every_layout_gives_what_diffusers_or_merged_weights_give(void **state)
{
    ff_weights *golden = golden_open("diffusers/lora/golden.safetensors");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double text_flop, flop;
        size_t count;
        opened o = open_case(&cases[i]);
        float *out = predict(&o, ff_kernels_scalar(), golden, &count, &text_flop, &flop);
        assert_close(cases[i].name, out, golden_f32(golden, cases[i].name, NULL), count, TOLERANCE);
        free(out);
        close_case(&o);
    }
    ff_weights_close(golden);
}

static void every_instruction_set_and_number_of_threads_gives_the_same_bits(void **state)
{
    static const ff_isa isas[] = {FF_ISA_AVX2, FF_ISA_AVX512, FF_ISA_NEON};
    ff_weights *golden = golden_open("diffusers/lora/golden.safetensors");
    int before = omp_get_max_threads();
    double text_flop, flop;
    size_t count;
    opened o = open_case(&cases[sizeof cases / sizeof *cases - 1]);
    float *expected = predict(&o, ff_kernels_scalar(), golden, &count, &text_flop, &flop);
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++)
        for (int threads = 1; threads <= 3; threads += 2) {
            ff_kernels kernels;
            if (ff_kernels_choose(isas[i], FF_BACKEND_OWN, &kernels, NULL))
                continue;
            omp_set_num_threads(threads);
            opened again = open_case(&cases[sizeof cases / sizeof *cases - 1]);
            float *out = predict(&again, &kernels, golden, &count, &text_flop, &flop);
            assert_memory_equal(out, expected, count * sizeof *out);
            free(out);
            close_case(&again);
        }
    omp_set_num_threads(before);
    free(expected);
    close_case(&o);
    ff_weights_close(golden);
}

// What is mapped stays: a second transformer of the same weights, without LoRA, computes as ever.
static void the_weights_stay_as_they_are(void **state)
{
    ff_weights *golden = golden_open("diffusers/lora/golden.safetensors");
    ff_error error = {0};
    double text_flop, flop;
    size_t count;
    opened o = open_case(&cases[9]), plain = {.weights = o.weights};
    assert_ok(ff_transformer_open(o.weights, o.config, &plain.transformer, &error), &error);
    float *out = predict(&plain, ff_kernels_scalar(), golden, &count, &text_flop, &flop);
    assert_close("output", out, golden_f32(golden, "output", NULL), count, TOLERANCE);
    free(out);
    ff_transformer_close(plain.transformer);
    close_case(&o);
    ff_weights_close(golden);
}

// w + s * d, product and sum rounded, element by element.
static void sums_are_two_rounded_operations(void **state)
{
    opened plain = open_case(NULL), o = open_case(&(given_case){"g", {{"g", 0.3}}});
    ff_weight delta;
    float d[6 * 28];
    const float *before = plain.transformer->blocks[1].scale_shift_table;
    const float *after = o.transformer->blocks[1].scale_shift_table;
    assert_true(ff_weights_find(ff_lora_weights(o.loras[0]), "diffusion_model.blocks.1.diff_m", &delta));
    assert_int_equal(ff_weight_elements(&delta), 6 * 28);
    ff_weight_widen(&delta, 0, 6 * 28, d);
    for (size_t i = 0; i < 6 * 28; i++) {
        volatile float product = 0.3f * d[i];
        assert_true(after[i] == before[i] + product);
    }
    close_case(&plain);
    close_case(&o);
}

// ---- what it takes ----

static void estimates_count_what_is_added(void **state)
{
    ff_weights *golden = golden_open("diffusers/lora/golden.safetensors");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double text_flop, flop;
        size_t count;
        opened o = open_case(&cases[i]);
        ff_kernels counting = counting_kernels();
        const ff_transformer_context text = {.tokens = 512};
        const ff_transformer_input input = {.extent = {2, 4, 6}, .contexts = &text, .context_count = 1};
        free(predict(&o, &counting, golden, &count, &text_flop, &flop));
        assert_true(text_flop == ff_transformer_text_flop(o.transformer, 6));
        assert_true(flop == ff_transformer_flop(o.transformer, &input, 2));
        close_case(&o);
    }
    ff_weights_close(golden);
}

// ---- what it says ----

static ff_lora_facts describe(const char *name)
{
    char path[512];
    ff_error error = {0};
    ff_lora_facts facts;
    snprintf(path, sizeof path, LORAS "%s.safetensors", name);
    assert_ok(ff_lora_inspect(path, &facts, &error), &error);
    return facts;
}

static void a_file_says_what_it_is(void **state)
{
    ff_lora_facts facts = describe("a_alpha");
    assert_string_equal(facts.layout, "diffusion_model.*.lora_down.weight");
    assert_int_equal(facts.tensors, 18);
    assert_int_equal(facts.products, 6);
    assert_int_equal(facts.least_rank, 4);
    assert_int_equal(facts.most_rank, 4);
    assert_true(facts.least_scale == 0.5 && facts.most_scale == 0.5);
    facts = describe("b_metadata");
    assert_true(facts.least_scale == 1.5 && facts.most_scale == 1.5);
    assert_string_equal(facts.layout, "transformer.*.lora_A.weight");
    assert_string_equal(describe("d").layout, "lora_unet__*.lora_down.weight");
    assert_string_equal(describe("f").layout, "pipe.dit.*.lora_A.default.weight");
    facts = describe("g");
    assert_int_equal(facts.sums, 16);
    assert_int_equal(facts.products, 4);
}

static void what_matches_nothing_is_counted(void **state)
{
    opened o = open_case(&cases[9]);
    ff_lora_facts facts = ff_lora_describe(o.loras[0]);
    assert_int_equal(facts.unmatched, 4);
    assert_int_equal(facts.ignored, 2);
    assert_non_null(strstr(facts.unmatched_name, "_img"));
    close_case(&o);
    o = open_case(&cases[0]);
    assert_int_equal(ff_lora_describe(o.loras[0]).unmatched, 0);
    close_case(&o);
}

// ---- what is refused ----

static char broken[] = "/tmp/firstframe-test-XXXXXX";

typedef struct part {
    const char *name;
    size_t shape[2];
} part;

// Adds a file of these tensors, zeros of a type, to the tiny model's transformer, and expects this in the sentence.
static void refuse(ff_dtype dtype, const part *parts, const char *said)
{
    static const float values[64 * 64];
    ff_error error = {0};
    ff_dump *dump;
    ff_lora *lora;
    opened o = open_case(NULL);
    assert_ok(ff_dump_create(broken, 8, &dump, &error), &error);
    for (; parts->name; parts++)
        assert_ok(ff_dump_tensor(dump, parts->name, dtype, parts->shape[1] ? 2 : 1,
                                 parts->shape, values, &error), &error);
    assert_ok(ff_dump_finish(dump, &error), &error);
    ff_status status = ff_lora_open(broken, 1, &lora, &error);
    if (!status)
        status = ff_transformer_add_lora(o.transformer, lora, &error);
    assert_int_equal(status, FF_ERROR_INPUT);
    if (!strstr(error.message, said))
        fail_msg("\"%s\" does not say \"%s\"", error.message, said);
    ff_lora_close(lora);
    close_case(&o);
}
#define REFUSE(said, ...) refuse(FF_F32, (const part[]){__VA_ARGS__, {0}}, said)

static void what_is_not_computed_is_refused_by_name(void **state)
{
    REFUSE("LoHa", {"lora_unet_blocks_0_ffn_0.hada_w1_a", {2, 2}});
    REFUSE("LoKr", {"lora_unet_blocks_0_ffn_0.lokr_w1", {2, 2}});
    REFUSE("DoRA", {"blocks.0.ffn.0.lora_A.weight", {2, 28}}, {"blocks.0.ffn.0.lora_B.weight", {58, 2}},
           {"blocks.0.ffn.0.dora_scale", {58, 1}});
    REFUSE("lora_mid", {"blocks.0.ffn.0.lora_mid.weight", {2, 2}});
    REFUSE("reshape_weight", {"blocks.0.ffn.0.reshape_weight", {2}});
    REFUSE("is no LoRA: of its 1 tensors", {"blocks.0.ffn.0.weight", {58, 28}});
}

static void what_does_not_fit_is_refused_with_both_shapes(void **state)
{
    REFUSE("stands alone; the other of the pair (lora_B, lora_up) is missing",
           {"blocks.0.ffn.0.lora_A.weight", {2, 28}});
    REFUSE("stands alone; the other of the pair (lora_A, lora_down)", {"blocks.0.ffn.0.lora_up.weight", {58, 2}});
    REFUSE("has shape [2, 28] and blocks.0.ffn.0.lora_B.weight has [58, 3]", {"blocks.0.ffn.0.lora_A.weight", {2, 28}},
           {"blocks.0.ffn.0.lora_B.weight", {58, 3}});
    REFUSE("blocks.0.ffn.0.lora_A.weight has shape [2, 29], and what it is for asks for [rank, 28]",
           {"blocks.0.ffn.0.lora_A.weight", {2, 29}}, {"blocks.0.ffn.0.lora_B.weight", {58, 2}});
    REFUSE("has shape [57, 2], and what it is for asks for [58, rank]", {"blocks.0.ffn.0.lora_A.weight", {2, 28}},
           {"blocks.0.ffn.0.lora_B.weight", {57, 2}});
    REFUSE("has shape [28, 58], and what it is for asks for [58, 28]", {"blocks.0.ffn.0.diff", {28, 58}});
    REFUSE("has shape [29], and what it is for asks for 28 elements", {"blocks.0.self_attn.q.diff_b", {29}});
    REFUSE("asks for one number", {"blocks.0.ffn.0.lora_A.weight", {2, 28}},
           {"blocks.0.ffn.0.lora_B.weight", {58, 2}}, {"blocks.0.ffn.0.alpha", {2}});
    refuse(FF_I64, (const part[]){{"blocks.0.ffn.0.diff", {58, 28}}, {0}}, "is I64, expected a floating-point");
    REFUSE("say the same of one module", {"blocks.0.ffn.0.diff", {58, 28}},
           {"diffusion_model.blocks.0.ffn.0.diff", {58, 28}});
}

static void a_lora_of_another_model_is_refused_with_what_it_is_for(void **state)
{
    REFUSE("it is a LoRA for a UNet", {"lora_unet_down_blocks_0_attentions_0_to_q.lora_down.weight", {2, 28}},
           {"lora_unet_down_blocks_0_attentions_0_to_q.lora_up.weight", {28, 2}});
    REFUSE("none of its 2 tensors, such as blocks.7.ffn.0.lora_A.weight, belongs to this transformer",
           {"blocks.7.ffn.0.lora_A.weight", {2, 28}}, {"blocks.7.ffn.0.lora_B.weight", {58, 2}});
}

// A file cut anywhere gives a sentence.
static void a_cut_file_is_refused(void **state)
{
    ff_lora *lora;
    ff_error error;
    FILE *file = fopen(LORAS "c.safetensors", "rb");
    static char bytes[1 << 16];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(size > 4096 && size < sizeof bytes);
    for (size_t cut = 0; cut < size; cut += 97) {
        error = (ff_error){0};
        file = fopen(broken, "wb");
        assert_int_equal(fwrite(bytes, 1, cut, file), cut);
        fclose(file);
        assert_int_equal(ff_lora_open(broken, 1, &lora, &error), FF_ERROR_INPUT);
        assert_true(error.message[0] != '\0');
    }
}

static int take_name(void **state)
{
    int file = mkstemp(broken);
    return file < 0 ? -1 : close(file);
}

static int remove_name(void **state)
{
    return remove(broken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_gives_what_diffusers_or_merged_weights_give),
        cmocka_unit_test(every_instruction_set_and_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(the_weights_stay_as_they_are),
        cmocka_unit_test(sums_are_two_rounded_operations),
        cmocka_unit_test(estimates_count_what_is_added),
        cmocka_unit_test(a_file_says_what_it_is),
        cmocka_unit_test(what_matches_nothing_is_counted),
        cmocka_unit_test(what_is_not_computed_is_refused_by_name),
        cmocka_unit_test(what_does_not_fit_is_refused_with_both_shapes),
        cmocka_unit_test(a_lora_of_another_model_is_refused_with_what_it_is_for),
        cmocka_unit_test(a_cut_file_is_refused),
    };
    return cmocka_run_group_tests(tests, take_name, remove_name);
}

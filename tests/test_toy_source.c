// A weight source of another kind, in this file alone: it computes tensors when they are asked for, in an element type
// of its own, under the names that Wan's own files have. A transformer opened on it gives the bits of the same weights
// in safetensors, with every table of kernels.
#include <string.h>

#include "golden.h"
#include "kernels/kernels.h"
#include "transformer/transformer.h"

#define FOLDER FF_GOLDEN "/diffusers/models/tiny-ti2v/transformer"
enum { CHANNELS = 8, FRAMES = 2, SIDE = 6, TEXT = 5, TEXT_DIM = 14, CELLS = CHANNELS * FRAMES * SIDE * SIDE };

// ---- an element type: pairs of floats whose bytes are exclusive-ored with the byte before them ----

static void decode_masked(const void *data, size_t first, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *block = (const uint8_t *)data + (first + i) / 2 * 9, *from = block + 1 + (first + i) % 2 * 4;
        uint8_t bytes[4];
        for (int byte = 0; byte < 4; byte++)
            bytes[byte] = from[byte] ^ block[0];
        memcpy(&out[i], bytes, sizeof bytes);
    }
}

static const ff_element masked = {"MASKED", 2, 9, decode_masked};

static void encode_masked(const float *values, size_t count, uint8_t *out)
{
    for (size_t i = 0; i < count; i += 2, out += 9) {
        out[0] = (uint8_t)(i * 37 + 11);
        memcpy(out + 1, values + i, 8);
        for (int byte = 1; byte < 9; byte++)
            out[byte] ^= out[0];
    }
}

// ---- names of its own ----

static const ff_name_pair pairs[] = {
    {"blocks.#.attn1.to_q.weight", "blocks.#.self_attn.q.weight"},
    {"blocks.#.attn1.to_out.0.bias", "blocks.#.self_attn.o.bias"},
    {"blocks.#.norm2.weight", "blocks.#.norm3.weight"},
    {"blocks.#.ffn.net.0.proj.weight", "blocks.#.ffn.0.weight"},
    {"blocks.#.scale_shift_table", "blocks.#.modulation"},
};
static const ff_name_table names = {pairs, sizeof pairs / sizeof *pairs};

// ---- the source ----

typedef struct toy {
    ff_weights *from;
    ff_arena *memory;
    size_t made, closed;
} toy;

static ff_status find(void *user, const char *name, ff_weight *out, bool *found, ff_error *error)
{
    toy *t = user;
    char other[FF_NAME_TEXT];
    *found = false;
    for (size_t i = 0; i < ff_weights_count(t->from) && !*found; i++) {
        size_t next = 0;
        const char *diffusers = ff_weights_at(t->from, i, out);
        *found = strcmp(name, ff_name_next(&names, diffusers, &next, other) ? other : diffusers) == 0;
    }
    if (!*found || out->rank < 2)
        return FF_OK;
    size_t count = 1;
    for (int i = 0; i < out->rank; i++)
        count *= out->shape[i];
    float *values = ff_arena_floats(t->memory, count);
    uint8_t *blocks = ff_arena_take(t->memory, count / 2, 9);
    ff_weight_widen(out, 0, count, values);
    encode_masked(values, count, blocks);
    out->data = blocks;
    out->dtype = &masked;
    t->made++;
    return FF_OK;
}

static void close_toy(void *user)
{
    ((toy *)user)->closed++;
}

// ---- the same transformer from both ----

static void evaluate(const ff_transformer *transformer, const ff_kernels *kernels, float out[CELLS])
{
    ff_error error = {0};
    float latents[CELLS], embeds[TEXT * TEXT_DIM], timestep = 600;
    ff_transformer_text *text;
    for (size_t i = 0; i < CELLS; i++)
        latents[i] = (float)((i * 29) % 64) / 32 - 1;
    for (size_t i = 0; i < TEXT * TEXT_DIM; i++)
        embeds[i] = (float)((i * 13) % 32) / 16 - 1;
    assert_ok(ff_transformer_text_create(transformer, kernels, embeds, TEXT, &text, &error), &error);
    ff_arena *arena = ff_arena_create();
    ff_transformer_context context = ff_transformer_text_context(text);
    ff_transformer_input input = {{FRAMES, SIDE, SIDE}, latents, &timestep, 1, &context, 1, 0, 0};
    assert_ok(ff_transformer_run(transformer, kernels, arena, &input, NULL, out, &error), &error);
    ff_transformer_text_destroy(text);
    ff_arena_destroy(arena);
}

static void test_a_transformer_opens_on_any_source(void **state)
{
    static const ff_backend backends[] = {FF_BACKEND_OWN, FF_BACKEND_OWN, FF_BACKEND_F64, FF_BACKEND_OPENBLAS};
    static const ff_isa isas[] = {FF_ISA_SCALAR, FF_ISA_AUTO, FF_ISA_AUTO, FF_ISA_AUTO};
    toy t = {.memory = ff_arena_create()};
    ff_error error = {0};
    ff_config *config;
    ff_weights *weights;
    ff_weight view;
    ff_transformer *expected, *transformer;
    assert_ok(ff_config_open(FOLDER "/config.json", &config, &error), &error);
    assert_ok(ff_weights_open(FOLDER, &t.from, &error), &error);
    assert_ok(ff_transformer_open(t.from, config, &expected, &error), &error);
    const ff_weight_source source = {.user = &t, .origin = "toy", .find = find, .close = close_toy};
    assert_ok(ff_weights_open_source(&source, &names, &weights, &error), &error);
    assert_ok(ff_transformer_open(weights, config, &transformer, &error), &error);
    assert_true(t.made > 20);
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        float out[2][CELLS];
        ff_kernels kernels;
        if (ff_kernels_choose(isas[i], backends[i], &kernels, NULL))
            continue;
        evaluate(expected, &kernels, out[0]);
        evaluate(transformer, &kernels, out[1]);
        assert_memory_equal(out[0], out[1], sizeof out[0]);
    }
    // messages have the source's names
    assert_int_equal(ff_weights_get(weights, &view, &error, 1, (size_t[]){3}, "blocks.1.norm2.weight"), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "toy: tensor blocks.1.norm3.weight has shape [28], config.json asks for [3]"));
    ff_transformer_close(transformer);
    ff_weights_close(weights);
    assert_int_equal(t.closed, 1);
    ff_transformer_close(expected);
    ff_weights_close(t.from);
    ff_config_close(config);
    ff_arena_destroy(t.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_transformer_opens_on_any_source)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Cross-attention over several contexts against a plain computation. Tolerance: relative L2 1e-5.
#include "transformer_models.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 1e-5

// Queries and results of each block's cross-attention, before its projection.
typedef struct cross_attentions {
    float *queries[8], *results[8];  // [tokens, dim] each
} cross_attentions;

static ff_status watch_cross_attention(void *user, ff_dump_level level, const char *name, ff_dtype dtype, int rank,
                                       const size_t *shape, void *data, ff_error *error)
{
    cross_attentions *seen = user;
    unsigned call, block;
    char part[16];
    if (sscanf(name, "call.%u.block.%u.attn2.%15s", &call, &block, part) != 3)
        return FF_OK;
    assert_true(block < 8);
    float **to = strcmp(part, "q") == 0 ? &seen->queries[block] : &seen->results[block];
    assert_null(*to);
    *to = allocate(shape[0] * shape[1]);
    memcpy(*to, data, shape[0] * shape[1] * sizeof **to);
    return FF_OK;
}

// Adds softmax(q k^T / sqrt(head_dim)) v for one head of one token to out.   q, out: [head_dim]
static void attend_plainly(const fixture *f, const ff_transformer_context *context, size_t layer, size_t head,
                           const float *q, double *out)
{
    size_t dim = f->shape.dim, head_dim = f->shape.head_dim;
    size_t first = layer * context->tokens * dim + head * head_dim;
    double total = 0, weights[64];
    assert_true(context->tokens <= 64);
    for (size_t token = 0; token < context->tokens; token++) {
        double score = 0;
        for (size_t d = 0; d < head_dim; d++)
            score += (double)q[d] * (double)context->keys[first + token * dim + d];
        total += weights[token] = exp(score / sqrt((double)head_dim));
    }
    for (size_t token = 0; token < context->tokens; token++)
        for (size_t d = 0; d < head_dim; d++)
            out[d] += weights[token] / total * (double)context->values[first + token * dim + d];
}

static void check_cross_attention(const fixture *f, const ff_transformer_input *input, size_t tokens, size_t layer,
                                  const float *queries, const float *results)
{
    size_t dim = f->shape.dim, head_dim = f->shape.head_dim;
    float *expected = allocate(tokens * dim);
    for (size_t at = 0; at < tokens * dim; at += head_dim) {
        double sum[64] = {0};
        assert_true(head_dim <= 64);
        for (size_t i = 0; i < input->context_count; i++)
            attend_plainly(f, &input->contexts[i], layer, at % dim / head_dim, queries + at, sum);
        for (size_t d = 0; d < head_dim; d++)
            expected[at + d] = (float)sum[d];
    }
    assert_close("cross-attention", results, expected, tokens * dim, TOLERANCE);
    free(expected);
}

// A second context, of another length: diffusers adds the picture's attention to the text's before the projection.
static void attentions_over_contexts_are_summed(void **state)
{
    fixture f = open_fixture("tokens");
    size_t dim = f.shape.dim, count = f.shape.layers * 5 * dim, tokens = f.timestep_count;
    float *keys = allocate(count), *values = allocate(count);
    float *traced = allocate(f.output_count), *out = allocate(f.output_count);
    for (size_t i = 0; i < count; i++) {
        keys[i] = (float)((i * 37) % 101) / 50 - 1;
        values[i] = (float)((i * 53) % 97) / 48 - 1;
    }
    ff_transformer_context contexts[2];
    ff_transformer_input input = golden_input(&f, contexts);
    contexts[1] = (ff_transformer_context){.tokens = 5, .keys = keys, .values = values};
    input.context_count = 2;

    cross_attentions seen = {0};
    ff_trace trace = {.user = &seen, .level = FF_DUMP_OP, .tensor = watch_cross_attention};
    ff_kernels counting = counting_kernels();
    ff_arena *arena = ff_arena_create();
    ff_error error = {0};
    assert_ok(ff_transformer_run(f.transformer, ff_kernels_scalar(), arena, &input, &trace, traced, &error), &error);
    assert_ok(ff_transformer_run(f.transformer, &counting, arena, &input, NULL, out, &error), &error);
    assert_memory_equal(out, traced, f.output_count * sizeof *out);
    assert_memory_not_equal(out, f.output, f.output_count * sizeof *out);
    assert_true(counted == ff_transformer_flop(f.transformer, &input, 3));
    for (size_t layer = 0; layer < f.shape.layers; layer++) {
        check_cross_attention(&f, &input, tokens, layer, seen.queries[layer], seen.results[layer]);
        free(seen.queries[layer]);
        free(seen.results[layer]);
    }
    ff_arena_destroy(arena);
    free(keys);
    free(values);
    free(traced);
    free(out);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attentions_over_contexts_are_summed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

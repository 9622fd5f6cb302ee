// A wrapping table in one file: every product that a text encoder asks for is computed again by the scalar kernels and
// held against what the fast ones gave, bit for bit, and a second table around the first counts them.
#include "golden.h"

#include <stdlib.h>
#include <string.h>

#include "text/text.h"

enum { TOKENS = 19 };

// ---- checks what passes against the scalar kernels ----

typedef struct check {
    size_t products, different;
    ff_status status;
} check;

static ff_status checked_matmul(const ff_kernels *kernels, const ff_matmul *p)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    check *c = kernels->user;
    ff_matmul again = *p;
    size_t bytes = p->rows * p->out_stride * sizeof *p->out;
    if (!(again.out = malloc(bytes)))
        return c->status = FF_ERROR_MEMORY;
    memcpy(again.out, p->out, bytes);
    c->status = ff_kernels_scalar()->matmul(ff_kernels_scalar(), &again);
    ff_status status = inner.matmul(&inner, p);
    c->different += memcmp(again.out, p->out, bytes) != 0;
    c->products++;
    free(again.out);
    return status ? status : c->status;
}

static ff_kernels checked(const ff_kernels *inner, check *state)
{
    ff_kernels table = ff_kernels_wrap(inner, state);
    table.matmul = checked_matmul;
    return table;
}

// ---- counts what passes, and changes it where it is told to ----

typedef struct counter {
    size_t products, norms;
    bool flips;          // the sign of a product's first value
} counter;

static ff_status counted_matmul(const ff_kernels *kernels, const ff_matmul *p)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    counter *c = kernels->user;
    c->products++;
    ff_status status = inner.matmul(&inner, p);
    if (c->flips)
        p->out[0] = -p->out[0];
    return status;
}

static void counted_rms_norm(const ff_kernels *kernels, size_t rows, size_t n, const float *x, float eps,
                             const float *weight, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    ((counter *)kernels->user)->norms++;
    inner.rms_norm(&inner, rows, n, x, eps, weight, out);
}

static ff_kernels counted(const ff_kernels *inner, counter *state)
{
    ff_kernels table = ff_kernels_wrap(inner, state);
    table.matmul = counted_matmul;
    table.rms_norm = counted_rms_norm;
    return table;
}

// ---- a text encoder on them ----

static void embed(const ff_text_encoder *encoder, const ff_kernels *kernels, float *out)
{
    ff_arena *arena = ff_arena_create();
    ff_error error = {0};
    int64_t ids[TOKENS];
    for (int64_t i = 0; i < TOKENS; i++)
        ids[i] = i % (int64_t)ff_text_encoder_vocabulary(encoder);
    assert_ok(ff_text_encoder_run(encoder, kernels, arena, ids, TOKENS, out, &error), &error);
    ff_arena_destroy(arena);
}

static void test_tables_wrap_tables(void **unused)
{
    const char *folder = FF_GOLDEN "/diffusers/models/tiny-ti2v/text_encoder";
    ff_weights *weights;
    ff_config *config;
    ff_text_encoder *encoder;
    ff_error error = {0};
    assert_ok(ff_weights_open(folder, &weights, &error), &error);
    assert_ok(ff_config_open(FF_GOLDEN "/diffusers/models/tiny-ti2v/text_encoder/config.json", &config, &error), &error);
    assert_ok(ff_text_encoder_open(weights, config, &encoder, &error), &error);
    size_t bytes = TOKENS * ff_text_encoder_dim(encoder) * sizeof(float);
    float *plain = malloc(bytes), *wrapped = malloc(bytes);
    ff_kernels fast;
    ff_scratch scratch = {0};
    assert_ok(ff_kernels_choose(FF_ISA_AUTO, FF_BACKEND_OWN, &fast, &error), &error);
    embed(encoder, &fast, plain);

    check compared = {0};
    counter count = {0};
    ff_kernels inner = checked(&fast, &compared), outer = counted(&inner, &count);
    outer.scratch = &scratch;        // that of the outermost goes all the way in
    embed(encoder, &outer, wrapped);
    assert_memory_equal(wrapped, plain, bytes);
    assert_true(count.products > 0 && count.products == compared.products && count.norms > 0);
    assert_int_equal(compared.different, 0);
    assert_true(scratch.size > 0);

    ff_scratch counts;               // and a scratch that only counts asks the same of the kernels
    ff_kernels counting = ff_kernels_counting(&inner, &counts);
    counting.attention(&counting, &(ff_attention){.queries = 9, .keys = 9, .heads = 2, .head_dim = 8});
    assert_true(counts.size > 0 && !counts.memory);

    count.flips = true;              // a fault in a table outside is seen, and not laid to the kernels inside
    embed(encoder, &outer, wrapped);
    assert_true(memcmp(wrapped, plain, bytes) != 0);
    assert_int_equal(compared.different, 0);

    ff_scratch_free(&scratch);
    free(plain);
    free(wrapped);
    ff_text_encoder_close(encoder);
    ff_config_close(config);
    ff_weights_close(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables_wrap_tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

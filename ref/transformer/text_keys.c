// The prompt's part of the transformer: text embedder, and keys and values of every cross-attention.
#include "../base/finite.h"
#include "transformer_weights.h"

#include <stdlib.h>
#include <string.h>

size_t ff_text_distinct_rows(const float *x, size_t rows, size_t n)
{
    size_t distinct = rows;
    while (distinct > 1 && memcmp(x + (distinct - 2) * n, x + (rows - 1) * n, n * sizeof *x) == 0)
        distinct--;
    return distinct;
}

void ff_text_repeat_row(float *x, size_t distinct, size_t rows, size_t n)
{
    for (size_t row = distinct; row < rows; row++)
        memcpy(x + row * n, x + (distinct - 1) * n, n * sizeof *x);
}

ff_status ff_text_keys_values(const ff_transformer *transformer, const ff_kernels *kernels, size_t layer,
                              const float *embedded, size_t tokens, size_t distinct, float *keys, float *values)
{
    const ff_transformer_attention *attention = &transformer->blocks[layer].attn2;
    size_t dim = transformer->shape.dim;
    if (ff_linear_apply(&attention->to_k, kernels, distinct, embedded, NULL, keys) ||
        ff_linear_apply(&attention->to_v, kernels, distinct, embedded, NULL, values))
        return FF_ERROR_MEMORY;
    kernels->rms_norm(kernels, distinct, dim, keys, transformer->shape.eps, attention->norm_k, keys);
    ff_text_repeat_row(keys, distinct, tokens, dim);
    ff_text_repeat_row(values, distinct, tokens, dim);
    return FF_OK;
}

// Floats a prompt of `tokens` rows holds: the embedded text, keys and values of each layer.
static bool text_floats(const ff_transformer *transformer, size_t tokens, size_t *plane, size_t *total)
{
    return ff_multiply_sizes(tokens, transformer->shape.dim, plane) &&
           ff_multiply_sizes(*plane, 2 * transformer->shape.layers + 1, total) && *total <= SIZE_MAX / sizeof(float);
}

ff_status ff_transformer_text_create(const ff_transformer *transformer, const ff_kernels *kernels, const float *embeds,
                                     size_t tokens, ff_transformer_text **out, ff_error *error)
{
    const ff_transformer_shape *shape = &transformer->shape;
    size_t plane, total;
    ff_status status;
    if (tokens == 0)
        return ff_fail(error, FF_ERROR_INPUT, "the prompt's embedding has no rows");
    size_t distinct = ff_text_distinct_rows(embeds, tokens, shape->text_dim);
    ff_transformer_text *text = calloc(1, sizeof *text);
    if (!text || !text_floats(transformer, tokens, &plane, &total) ||
        !(text->embedded = malloc(total * sizeof(float))))
        goto no_memory;
    text->tokens = tokens;
    text->keys = text->embedded + plane;
    text->values = text->keys + shape->layers * plane;

    float *hidden = text->keys;  // free until the first layer's keys are computed
    if (ff_linear_apply(&transformer->text_in, kernels, distinct, embeds, NULL, hidden))
        goto no_memory;
    kernels->gelu_tanh(kernels, distinct * shape->dim, hidden, hidden);
    if (ff_linear_apply(&transformer->text_out, kernels, distinct, hidden, NULL, text->embedded))
        goto no_memory;
    if ((status = ff_check_finite(distinct * shape->dim, text->embedded, error, "transformer, embedded text")))
        goto done;
    ff_text_repeat_row(text->embedded, distinct, tokens, shape->dim);

    for (size_t layer = 0; layer < shape->layers; layer++) {
        float *keys = text->keys + layer * plane, *values = text->values + layer * plane;
        if (ff_text_keys_values(transformer, kernels, layer, text->embedded, tokens, distinct, keys, values))
            goto no_memory;
        if ((status = ff_check_finite(distinct * shape->dim, keys, error, "transformer, block.%02zu.attn2.k", layer)) ||
            (status = ff_check_finite(distinct * shape->dim, values, error, "transformer, block.%02zu.attn2.v", layer)))
            goto done;
    }
    *out = text;
    return FF_OK;
done:
    ff_transformer_text_destroy(text);
    return status;
no_memory:
    ff_transformer_text_destroy(text);
    return ff_fail(error, FF_ERROR_MEMORY, "not enough memory for the keys and values of %zu text tokens in %zu layers",
                   tokens, shape->layers);
}

void ff_transformer_text_destroy(ff_transformer_text *text)
{
    if (!text)
        return;
    free(text->embedded);
    free(text);
}

ff_transformer_context ff_transformer_text_context(const ff_transformer_text *text)
{
    return (ff_transformer_context){text->tokens, text->keys, text->values, text->embedded};
}

double ff_transformer_text_flop(const ff_transformer *transformer, size_t distinct_tokens)
{
    const ff_transformer_shape *shape = &transformer->shape;
    double dim = (double)shape->dim;
    double added = ff_linear_added(&transformer->text_in) + ff_linear_added(&transformer->text_out);
    for (size_t layer = 0; layer < shape->layers; layer++)
        added += ff_linear_added(&transformer->blocks[layer].attn2.to_k) +
                 ff_linear_added(&transformer->blocks[layer].attn2.to_v);
    double own = dim * ((double)shape->text_dim + dim + 2 * dim * (double)shape->layers);
    return 2 * (double)distinct_tokens * (own + added);
}

size_t ff_transformer_text_memory(const ff_transformer *transformer, size_t tokens)
{
    size_t plane, total;
    return text_floats(transformer, tokens, &plane, &total) ? total * sizeof(float) : SIZE_MAX;
}

size_t ff_transformer_text_scratch(const ff_transformer *transformer, const ff_kernels *kernels, size_t distinct)
{
    ff_scratch scratch;
    const ff_kernels counting = ff_kernels_counting(kernels, &scratch);
    ff_linear_apply(&transformer->text_in, &counting, distinct, NULL, NULL, NULL);
    ff_linear_apply(&transformer->text_out, &counting, distinct, NULL, NULL, NULL);
    for (size_t layer = 0; layer < transformer->shape.layers; layer++) {
        const ff_transformer_attention *attention = &transformer->blocks[layer].attn2;
        ff_linear_apply(&attention->to_k, &counting, distinct, NULL, NULL, NULL);
        ff_linear_apply(&attention->to_v, &counting, distinct, NULL, NULL, NULL);
    }
    return scratch.size;
}

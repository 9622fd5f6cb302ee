// A LoRA in an opened transformer: products beside those of its linear layers, sums in copies of its vectors. The mapped
// weights stay as they are.
#include "transformer_weights.h"

#include <stdlib.h>
#include <string.h>

typedef struct addition {
    ff_transformer *transformer;
    ff_lora *lora;
    size_t matched;
} addition;

static ff_status no_memory(const addition *to, ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", ff_weights_origin(ff_lora_weights(to->lora)));
}

// out[i] = out[i] + factor * x[i], the product and the sum rounded
static void add_scaled(size_t count, float factor, const float *x, float *out)
{
    for (size_t i = 0; i < count; i++) {
        float product = factor * x[i];
        out[i] = out[i] + product;
    }
}

// out: [columns, depth] = chain(up, down)   up: [columns, rank]   down: [rank, depth]
static ff_status multiply(const ff_linear_addition *product, size_t columns, size_t depth, float *out)
{
    size_t rank = product->down.shape[0];
    float *up = calloc(columns * rank, sizeof *up), *down = calloc(rank * depth, sizeof *down);
    float *turned = calloc(rank * depth, sizeof *turned);  // [depth, rank]
    ff_status status = up && down && turned ? FF_OK : FF_ERROR_MEMORY;
    if (!status) {
        ff_weight_widen(&product->up, 0, columns * rank, up);
        ff_weight_widen(&product->down, 0, rank * depth, down);
        for (size_t r = 0; r < rank; r++)
            for (size_t d = 0; d < depth; d++)
                turned[d * rank + r] = down[r * depth + d];
        const ff_matmul matmul = {.rows = columns, .columns = depth, .depth = rank, .a = up, .a_stride = rank,
                                  .b = {.data = turned, .dtype = FF_F32}, .out = out, .out_stride = depth};
        status = ff_kernels_scalar()->matmul(ff_kernels_scalar(), &matmul);
    }
    free(turned);
    free(down);
    free(up);
    return status;
}

// A convolution's weight: what would be products is added into a copy, w + factor * chain(up, down).
static ff_status merge(const addition *to, ff_linear *linear, const ff_linear_addition *products, size_t count,
                       ff_error *error)
{
    size_t elements = ff_weight_elements(&linear->weight), columns = linear->weight.shape[0];
    float *sum = ff_arena_floats(to->transformer->added, elements), *product = malloc(elements * sizeof *product);
    ff_status status = sum && product ? FF_OK : FF_ERROR_MEMORY;
    if (!status)
        ff_weight_widen(&linear->weight, 0, elements, sum);
    for (size_t i = 0; i < count && !status; i++) {
        if (products[i].down.data)
            status = multiply(&products[i], columns, elements / columns, product);
        else
            ff_weight_widen(&products[i].up, 0, elements, product);
        if (!status)
            add_scaled(elements, products[i].factor, product, sum);
    }
    free(product);
    if (status)
        return no_memory(to, error);
    linear->weight.data = sum;
    linear->weight.dtype = FF_F32;
    linear->weight.scales = NULL;
    return FF_OK;
}

static ff_status add_products(addition *to, const ff_transformer_place *place, ff_error *error)
{
    ff_linear *linear = place->linear;
    ff_linear_addition found[FF_LORA_MOST], *all;
    size_t count, before = linear->addition_count, columns = linear->weight.shape[0];
    ff_status status = ff_lora_products(to->lora, place->name, columns, ff_weight_elements(&linear->weight) / columns,
                                        found, &count, error);
    if (status || count == 0)
        return status;
    to->matched += count;
    if (place->rank > 2)
        return merge(to, linear, found, count, error);
    all = ff_arena_take(to->transformer->added, before + count, sizeof *all);
    if (!all)
        return no_memory(to, error);
    if (before)
        memcpy(all, linear->additions, before * sizeof *all);
    memcpy(all + before, found, count * sizeof *all);
    linear->additions = all;
    linear->addition_count = before + count;
    return FF_OK;
}

static ff_status add_sums(addition *to, const ff_transformer_place *place, ff_error *error)
{
    ff_lora_sum found[FF_LORA_MOST];
    size_t count, elements = place->shape[0];
    ff_status status = ff_lora_sums(to->lora, place->name, elements, found, &count, error);
    if (status || count == 0)
        return status;
    to->matched += count;
    float *sum = ff_arena_floats(to->transformer->added, elements), *values = malloc(elements * sizeof *values);
    if (!sum || !values) {
        free(values);
        return no_memory(to, error);
    }
    memcpy(sum, *place->vector, elements * sizeof *sum);
    for (size_t i = 0; i < count; i++) {
        ff_weight_widen(&found[i].values, 0, elements, values);
        add_scaled(elements, found[i].factor, values, sum);
    }
    free(values);
    *place->vector = sum;
    return FF_OK;
}

static ff_status add_place(void *user, const ff_transformer_place *place, ff_error *error)
{
    return place->linear ? add_products(user, place, error) : add_sums(user, place, error);
}

ff_status ff_transformer_add_lora(ff_transformer *transformer, ff_lora *lora, ff_error *error)
{
    addition to = {.transformer = transformer, .lora = lora};
    if (!transformer->added && !(transformer->added = ff_arena_create()))
        return no_memory(&to, error);
    ff_status status = ff_transformer_visit(transformer, add_place, &to, error);
    if (status || to.matched)
        return status;
    const ff_lora_facts facts = ff_lora_describe(lora);
    return ff_fail(error, FF_ERROR_INPUT, "%s: none of its %zu tensors, such as %s, belongs to this transformer; it is "
                   "a LoRA for %s", ff_weights_origin(ff_lora_weights(lora)), facts.tensors, facts.unmatched_name,
                   ff_lora_purpose(lora));
}

// Reads a transformer's config and finds its weights.
#include "transformer_weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_DIM ((size_t)1 << 20)  // of any size in a config; far above every published model
#define MOST_LAYERS ((size_t)4096)

// ---- every weight by its name ----

// After a failure the visits that follow do nothing.
typedef struct visit {
    ff_status (*see)(void *user, const ff_transformer_place *place, ff_error *error);
    void *user;
    ff_error *error;
    ff_status status;
} visit;

static void see(visit *to, const char *name, int rank, const size_t *shape, ff_linear *linear, const float **vector)
{
    const ff_transformer_place place = {name, rank, shape, linear, vector};
    if (to->status == FF_OK)
        to->status = to->see(to->user, &place, to->error);
}

// prefix, name and suffix together are a weight's name in the checkpoint, here and below.
static void visit_vector(visit *to, const char *prefix, const char *name, const char *suffix, size_t count,
                         const float **vector)
{
    char whole[128];
    snprintf(whole, sizeof whole, "%s%s%s", prefix, name, suffix);
    see(to, whole, 1, &count, NULL, vector);
}

// The bias has as many elements as the weight's first axis.
static void visit_linear(visit *to, const char *prefix, const char *name, int rank, const size_t *shape,
                         ff_linear *linear)
{
    char weight[128];
    snprintf(weight, sizeof weight, "%s%s.weight", prefix, name);
    see(to, weight, rank, shape, linear, NULL);
    visit_vector(to, prefix, name, ".bias", shape[0], &linear->bias);
}

static void visit_matrix(visit *to, const char *prefix, const char *name, size_t columns, size_t depth,
                         ff_linear *linear)
{
    visit_linear(to, prefix, name, 2, (size_t[]){columns, depth}, linear);
}

static void visit_attention(visit *to, const char *prefix, size_t dim, ff_transformer_attention *attention)
{
    visit_matrix(to, prefix, "to_q", dim, dim, &attention->to_q);
    visit_matrix(to, prefix, "to_k", dim, dim, &attention->to_k);
    visit_matrix(to, prefix, "to_v", dim, dim, &attention->to_v);
    visit_matrix(to, prefix, "to_out.0", dim, dim, &attention->to_out);
    visit_vector(to, prefix, "norm_q", ".weight", dim, &attention->norm_q);
    visit_vector(to, prefix, "norm_k", ".weight", dim, &attention->norm_k);
}

static void visit_block(visit *to, size_t layer, const ff_transformer_shape *shape, ff_transformer_block *block)
{
    char prefix[64], attn1[80], attn2[80];
    size_t dim = shape->dim;
    snprintf(prefix, sizeof prefix, "blocks.%zu.", layer);
    snprintf(attn1, sizeof attn1, "%sattn1.", prefix);
    snprintf(attn2, sizeof attn2, "%sattn2.", prefix);
    visit_vector(to, prefix, "scale_shift_table", "", 6 * dim, &block->scale_shift_table);
    visit_attention(to, attn1, dim, &block->attn1);
    visit_attention(to, attn2, dim, &block->attn2);
    if (shape->cross_attn_norm) {
        visit_vector(to, prefix, "norm2", ".weight", dim, &block->norm2_weight);
        visit_vector(to, prefix, "norm2", ".bias", dim, &block->norm2_bias);
    }
    visit_matrix(to, prefix, "ffn.net.0.proj", shape->ffn_dim, dim, &block->ffn_in);
    visit_matrix(to, prefix, "ffn.net.2", dim, shape->ffn_dim, &block->ffn_out);
}

ff_status ff_transformer_visit(ff_transformer *transformer,
                               ff_status (*see_place)(void *user, const ff_transformer_place *place, ff_error *error),
                               void *user, ff_error *error)
{
    const ff_transformer_shape *shape = &transformer->shape;
    const size_t *patch = shape->patch;
    size_t dim = shape->dim;
    static const char condition[] = "condition_embedder.";
    visit to = {.see = see_place, .user = user, .error = error};

    visit_linear(&to, "", "patch_embedding", 5, (size_t[]){dim, shape->in_channels, patch[0], patch[1], patch[2]},
                 &transformer->patch_embedding);
    visit_matrix(&to, condition, "time_embedder.linear_1", dim, shape->freq_dim, &transformer->time_in);
    visit_matrix(&to, condition, "time_embedder.linear_2", dim, dim, &transformer->time_out);
    visit_matrix(&to, condition, "time_proj", 6 * dim, dim, &transformer->time_proj);
    visit_matrix(&to, condition, "text_embedder.linear_1", dim, shape->text_dim, &transformer->text_in);
    visit_matrix(&to, condition, "text_embedder.linear_2", dim, dim, &transformer->text_out);
    for (size_t layer = 0; layer < shape->layers && to.status == FF_OK; layer++)
        visit_block(&to, layer, shape, &transformer->blocks[layer]);
    visit_vector(&to, "", "scale_shift_table", "", 2 * dim, &transformer->scale_shift_table);
    visit_matrix(&to, "", "proj_out", transformer->patch_out, dim, &transformer->proj_out);
    return to.status;
}

// ---- opening ----

typedef struct lookup {
    ff_weights *weights;
    size_t parameters;
} lookup;

static ff_status find_weight(void *user, const ff_transformer_place *place, ff_error *error)
{
    lookup *in = user;
    size_t count = ff_shape_elements(place->rank, place->shape);
    in->parameters += count;
    if (place->linear)
        return ff_weights_get(in->weights, &place->linear->weight, error, place->rank, place->shape, "%s", place->name);
    return ff_weights_get_f32(in->weights, place->vector, error, count, "%s", place->name);
}

static ff_status find_weights(ff_transformer *transformer, ff_weights *weights, ff_error *error)
{
    lookup in = {.weights = weights};
    ff_status status = ff_transformer_visit(transformer, find_weight, &in, error);
    transformer->parameters = in.parameters;
    return status;
}

// The settings of other Wan models (image embeddings of Wan2.1-I2V, VACE, Animate) that this code does not compute.
static ff_status refuse_unsupported(const ff_config *config, ff_error *error)
{
    static const char *const image_keys[] = {"image_dim", "added_kv_proj_dim", "pos_embed_seq_len"};
    const char *class_name, *qk_norm;
    if (ff_config_string(config, "_class_name", "WanTransformer3DModel", &class_name, error) ||
        ff_config_string(config, "qk_norm", "rms_norm_across_heads", &qk_norm, error))
        return FF_ERROR_INPUT;
    if (strcmp(class_name, "WanTransformer3DModel") != 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: the class is %s; expected WanTransformer3DModel",
                       ff_config_path(config), class_name);
    for (size_t i = 0; i < sizeof image_keys / sizeof *image_keys; i++)
        if (ff_config_has(config, image_keys[i]))
            return ff_fail(error, FF_ERROR_INPUT,
                           "%s: %s is set; transformers with an image embedder are not supported",
                           ff_config_path(config), image_keys[i]);
    if (strcmp(qk_norm, "rms_norm_across_heads") != 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: qk_norm is \"%s\"; only \"rms_norm_across_heads\" is supported",
                       ff_config_path(config), qk_norm);
    return FF_OK;
}

static ff_status read_patch(const ff_config *config, size_t patch[3], ff_error *error)
{
    size_t count = 3;
    ff_status status = ff_config_sizes(config, "patch_size", patch, &count, error);
    if (status)
        return status;
    if (count == 0) {
        patch[0] = 1;
        patch[1] = patch[2] = 2;
        return FF_OK;
    }
    if (count != 3)
        return ff_fail(error, FF_ERROR_INPUT, "%s: patch_size has %zu entries; expected 3 (frames, rows, columns)",
                       ff_config_path(config), count);
    for (size_t axis = 0; axis < 3; axis++)
        if (patch[axis] < 1 || patch[axis] > 64)
            return ff_fail(error, FF_ERROR_INPUT, "%s: patch_size has the entry %zu; expected 1 to 64",
                           ff_config_path(config), patch[axis]);
    return FF_OK;
}

// Absent keys take the class's defaults, those of Wan2.1-T2V-14B; null for out_channels means in_channels.
static ff_status read_shape(const ff_config *config, ff_transformer_shape *shape, ff_error *error)
{
    double eps;
    ff_status status;
    if ((status = refuse_unsupported(config, error)) || (status = read_patch(config, shape->patch, error)) ||
        (status = ff_config_size(config, "num_layers", 40, 1, MOST_LAYERS, &shape->layers, error)) ||
        (status = ff_config_size(config, "num_attention_heads", 40, 1, 4096, &shape->heads, error)) ||
        (status = ff_config_size(config, "attention_head_dim", 128, 2, 4096, &shape->head_dim, error)) ||
        (status = ff_config_size(config, "in_channels", 16, 1, LARGEST_DIM, &shape->in_channels, error)) ||
        (status = ff_config_size(config, "out_channels", shape->in_channels, 1, LARGEST_DIM, &shape->out_channels,
                                 error)) ||
        (status = ff_config_size(config, "text_dim", 4096, 1, LARGEST_DIM, &shape->text_dim, error)) ||
        (status = ff_config_size(config, "freq_dim", 256, 1, LARGEST_DIM, &shape->freq_dim, error)) ||
        (status = ff_config_size(config, "ffn_dim", 13824, 1, LARGEST_DIM, &shape->ffn_dim, error)) ||
        (status = ff_config_size(config, "rope_max_seq_len", 1024, 1, LARGEST_DIM, &shape->rope_max_seq_len, error)) ||
        (status = ff_config_bool(config, "cross_attn_norm", true, &shape->cross_attn_norm, error)) ||
        (status = ff_config_number(config, "eps", 1e-6, &eps, error)))
        return status;
    if (shape->head_dim % 2 != 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: attention_head_dim is %zu; rotary embedding needs an even number",
                       ff_config_path(config), shape->head_dim);
    if (!(eps >= 0 && eps <= 1))
        return ff_fail(error, FF_ERROR_INPUT, "%s: eps is %g; expected 0 to 1", ff_config_path(config), eps);
    shape->dim = shape->heads * shape->head_dim;  // at most 2^24
    shape->eps = (float)eps;
    return FF_OK;
}

ff_status ff_transformer_open(ff_weights *weights, const ff_config *config, ff_transformer **out, ff_error *error)
{
    ff_transformer *transformer = calloc(1, sizeof *transformer);
    *out = NULL;
    if (!transformer)
        return ff_fail(error, FF_ERROR_MEMORY, "not enough memory to open the transformer");
    ff_transformer_shape *shape = &transformer->shape;
    ff_status status = read_shape(config, shape, error);
    if (status)
        goto fail;
    size_t patch = shape->patch[0] * shape->patch[1] * shape->patch[2];  // at most 2^18
    if (!ff_multiply_sizes(shape->in_channels, patch, &transformer->patch_in) ||
        !ff_multiply_sizes(shape->out_channels, patch, &transformer->patch_out)) {
        status = ff_fail(error, FF_ERROR_INPUT, "%s: a patch of %zu latent cells is too large", ff_config_path(config),
                         patch);
        goto fail;
    }
    transformer->blocks = calloc(shape->layers, sizeof *transformer->blocks);
    if (!transformer->blocks) {
        status = ff_fail(error, FF_ERROR_MEMORY, "not enough memory to open the transformer");
        goto fail;
    }
    status = find_weights(transformer, weights, error);
    if (status)
        goto fail;
    *out = transformer;
    return FF_OK;
fail:
    ff_transformer_close(transformer);
    return status;
}

void ff_transformer_close(ff_transformer *transformer)
{
    if (!transformer)
        return;
    ff_arena_destroy(transformer->added);
    free(transformer->blocks);
    free(transformer);
}

ff_transformer_shape ff_transformer_describe(const ff_transformer *transformer)
{
    return transformer->shape;
}

size_t ff_transformer_parameters(const ff_transformer *transformer)
{
    return transformer->parameters;
}

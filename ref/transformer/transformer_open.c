// Reads a transformer's config and finds its weights.
#include "transformer_weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_DIM ((size_t)1 << 20)  // of any size in a config; far above every published model
#define MOST_LAYERS ((size_t)4096)

// Where weights are looked up; after a failure the lookups that follow do nothing.
typedef struct lookup {
    ff_weights *weights;
    ff_error *error;
    ff_status status;
    size_t parameters;
} lookup;

// prefix, name and suffix together are a weight's name in the checkpoint, here and below.
static const float *find_vector(lookup *in, const char *prefix, const char *name, const char *suffix, size_t count)
{
    const float *vector = NULL;
    if (in->status == FF_OK)
        in->status = ff_weights_get_f32(in->weights, &vector, in->error, count, "%s%s%s", prefix, name, suffix);
    in->parameters += count;
    return vector;
}

// The bias has as many elements as the weight's first axis.
static ff_linear find_linear(lookup *in, const char *prefix, const char *name, int rank, const size_t *shape)
{
    ff_linear linear = {0};
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= shape[i];
    if (in->status == FF_OK)
        in->status = ff_weights_get(in->weights, &linear.weight, in->error, rank, shape, "%s%s.weight", prefix, name);
    in->parameters += count;
    linear.bias = find_vector(in, prefix, name, ".bias", shape[0]);
    return linear;
}

static ff_linear find_matrix(lookup *in, const char *prefix, const char *name, size_t columns, size_t depth)
{
    return find_linear(in, prefix, name, 2, (size_t[]){columns, depth});
}

static ff_transformer_attention find_attention(lookup *in, const char *prefix, size_t dim)
{
    ff_transformer_attention attention;
    attention.to_q = find_matrix(in, prefix, "to_q", dim, dim);
    attention.to_k = find_matrix(in, prefix, "to_k", dim, dim);
    attention.to_v = find_matrix(in, prefix, "to_v", dim, dim);
    attention.to_out = find_matrix(in, prefix, "to_out.0", dim, dim);
    attention.norm_q = find_vector(in, prefix, "norm_q", ".weight", dim);
    attention.norm_k = find_vector(in, prefix, "norm_k", ".weight", dim);
    return attention;
}

static ff_transformer_block find_block(lookup *in, size_t layer, const ff_transformer_shape *shape)
{
    char prefix[64], attn1[80], attn2[80];
    size_t dim = shape->dim;
    ff_transformer_block block = {0};
    snprintf(prefix, sizeof prefix, "blocks.%zu.", layer);
    snprintf(attn1, sizeof attn1, "%sattn1.", prefix);
    snprintf(attn2, sizeof attn2, "%sattn2.", prefix);
    block.scale_shift_table = find_vector(in, prefix, "scale_shift_table", "", 6 * dim);
    block.attn1 = find_attention(in, attn1, dim);
    block.attn2 = find_attention(in, attn2, dim);
    if (shape->cross_attn_norm) {
        block.norm2_weight = find_vector(in, prefix, "norm2", ".weight", dim);
        block.norm2_bias = find_vector(in, prefix, "norm2", ".bias", dim);
    }
    block.ffn_in = find_matrix(in, prefix, "ffn.net.0.proj", shape->ffn_dim, dim);
    block.ffn_out = find_matrix(in, prefix, "ffn.net.2", dim, shape->ffn_dim);
    return block;
}

static ff_status find_weights(ff_transformer *transformer, ff_weights *weights, ff_error *error)
{
    const ff_transformer_shape *shape = &transformer->shape;
    const size_t *patch = shape->patch;
    size_t dim = shape->dim;
    static const char condition[] = "condition_embedder.";
    lookup in = {.weights = weights, .error = error};

    transformer->patch_embedding =
        find_linear(&in, "", "patch_embedding", 5,
                    (size_t[]){dim, shape->in_channels, patch[0], patch[1], patch[2]});
    transformer->time_in = find_matrix(&in, condition, "time_embedder.linear_1", dim, shape->freq_dim);
    transformer->time_out = find_matrix(&in, condition, "time_embedder.linear_2", dim, dim);
    transformer->time_proj = find_matrix(&in, condition, "time_proj", 6 * dim, dim);
    transformer->text_in = find_matrix(&in, condition, "text_embedder.linear_1", dim, shape->text_dim);
    transformer->text_out = find_matrix(&in, condition, "text_embedder.linear_2", dim, dim);
    for (size_t layer = 0; layer < shape->layers && in.status == FF_OK; layer++)
        transformer->blocks[layer] = find_block(&in, layer, shape);
    transformer->scale_shift_table = find_vector(&in, "", "scale_shift_table", "", 2 * dim);
    transformer->proj_out = find_matrix(&in, "", "proj_out", transformer->patch_out, dim);
    transformer->parameters = in.parameters;
    return in.status;
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

// UMT5EncoderModel (transformers): T5's encoder with relative position biases in every layer.
//     hidden = embedding[ids]
//     each layer:  hidden += o(attention(q(n), k(n), v(n)))     n = rms_norm(hidden); scores are not scaled
//                  hidden += wo(activation(wi_0(n)) * wi_1(n))  n = rms_norm(hidden); wi_1 only if gated
//     out = rms_norm(hidden)
#include <stdlib.h>
#include <string.h>

#include "../base/finite.h"
#include "umt5.h"

// ---- opening ----

// feed_forward_proj: ACTIVATION or gated-ACTIVATION, by transformers' names. "gated-gelu" means gated-gelu_new.
static ff_status read_feed_forward(const ff_config *config, ff_text_encoder *encoder, ff_error *error)
{
    static const struct {
        const char *name;
        umt5_activation activation;
    } known[] = {{"gelu", GELU_ERF},  {"gelu_new", GELU_TANH}, {"gelu_pytorch_tanh", GELU_TANH},
                 {"silu", SILU},      {"swish", SILU},         {"relu", RELU}};
    const char *kind, *name;
    ff_status status = ff_config_string(config, "feed_forward_proj", "gated-gelu", &kind, error);
    if (status != FF_OK)
        return status;
    encoder->gated = strncmp(kind, "gated-", 6) == 0;
    name = encoder->gated ? kind + 6 : kind;
    if (strcmp(kind, "gated-gelu") == 0)
        name = "gelu_new";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i].name) == 0) {
            encoder->activation = known[i].activation;
            return FF_OK;
        }
    }
    return ff_fail(error, FF_ERROR_INPUT,
                   "%s: feed_forward_proj is %.100s; gelu, gelu_new, silu and relu are supported, alone and gated",
                   ff_config_path(config), kind);
}

// Fallbacks are those of transformers' UMT5Config.
static ff_status read_config(const ff_config *config, ff_text_encoder *encoder, ff_error *error)
{
    const size_t most = (size_t)1 << 24;
    const struct {
        const char *key;
        size_t fallback, minimum, maximum, *out;
    } sizes[] = {
        {"vocab_size", 250112, 1, most, &encoder->vocabulary},
        {"d_model", 512, 1, most, &encoder->dim},
        {"d_kv", 64, 1, most, &encoder->head_dim},
        {"d_ff", 1024, 1, most, &encoder->ffn},
        {"num_layers", 8, 1, 4096, &encoder->layer_count},
        {"num_heads", 6, 1, 65536, &encoder->heads},
        {"relative_attention_num_buckets", 32, 4, 256, &encoder->num_buckets},
    };
    const char *type;
    double eps;
    size_t max_distance;
    bool is_decoder;
    ff_status status = ff_config_string(config, "model_type", "umt5", &type, error);
    if (status == FF_OK && strcmp(type, "umt5") != 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: model_type is %.100s, expected umt5", ff_config_path(config), type);
    for (size_t i = 0; status == FF_OK && i < sizeof sizes / sizeof *sizes; i++)
        status = ff_config_size(config, sizes[i].key, sizes[i].fallback, sizes[i].minimum, sizes[i].maximum,
                                sizes[i].out, error);
    if (status == FF_OK)
        status = ff_config_size(config, "relative_attention_max_distance", 128, encoder->num_buckets / 4 + 1, most,
                                &max_distance, error);
    if (status == FF_OK)
        status = ff_config_number(config, "layer_norm_epsilon", 1e-6, &eps, error);
    if (status == FF_OK)
        status = ff_config_bool(config, "is_decoder", false, &is_decoder, error);
    if (status == FF_OK && is_decoder)
        return ff_fail(error, FF_ERROR_INPUT, "%s: is_decoder is true, expected an encoder", ff_config_path(config));
    if (status == FF_OK)
        status = read_feed_forward(config, encoder, error);
    if (status != FF_OK)
        return status;
    if (!(eps >= 0 && eps <= 1))
        return ff_fail(error, FF_ERROR_INPUT, "%s: layer_norm_epsilon is %g; expected 0 to 1", ff_config_path(config),
                       eps);
    encoder->eps = (float)eps;
    encoder->inner = encoder->heads * encoder->head_dim;  // below 2^40
    if (!ff_buckets_create(encoder->num_buckets, max_distance, &encoder->buckets))
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for the text encoder's buckets");
    return FF_OK;
}

static ff_status read_layer(ff_weights *weights, const ff_text_encoder *encoder, size_t i, umt5_layer *out,
                            ff_error *error)
{
    const char *attention = "encoder.block.%zu.layer.0.SelfAttention.%s.weight";
    const char *feed_forward = "encoder.block.%zu.layer.1.DenseReluDense.%s.weight";
    const char *norm = "encoder.block.%zu.layer.%d.layer_norm.weight";
    const size_t dim = encoder->dim;
    const struct {
        const char *format, *name;
        size_t shape[2];
        ff_weight *out;
    } matrices[] = {
        {attention, "q", {encoder->inner, dim}, &out->q.weight},
        {attention, "k", {encoder->inner, dim}, &out->k.weight},
        {attention, "v", {encoder->inner, dim}, &out->v.weight},
        {attention, "o", {dim, encoder->inner}, &out->o.weight},
        {feed_forward, encoder->gated ? "wi_0" : "wi", {encoder->ffn, dim}, &out->wi_0.weight},
        {feed_forward, "wo", {dim, encoder->ffn}, &out->wo.weight},
        {feed_forward, "wi_1", {encoder->ffn, dim}, &out->wi_1.weight},  // last: only if gated
    };
    const char *position = "encoder.block.%zu.layer.0.SelfAttention.relative_attention_bias.weight";
    const size_t position_shape[2] = {encoder->num_buckets, encoder->heads};
    ff_weight view;
    ff_status status = FF_OK;
    for (size_t j = 0; status == FF_OK && j < (encoder->gated ? 7 : 6); j++)
        status = ff_weights_get(weights, matrices[j].out, error, 2, matrices[j].shape, matrices[j].format, i,
                                matrices[j].name);
    if (status == FF_OK)
        status = ff_weights_get(weights, &view, error, 2, position_shape, position, i);
    if (status == FF_OK)
        status = ff_weights_get_f32(weights, &out->position_bias, error, encoder->num_buckets * encoder->heads,
                                    position, i);
    if (status == FF_OK)
        status = ff_weights_get_f32(weights, &out->attention_norm, error, dim, norm, i, 0);
    if (status == FF_OK)
        status = ff_weights_get_f32(weights, &out->feed_forward_norm, error, dim, norm, i, 1);
    return status;
}

// One matrix under two names; a file holds either or both. Where the two differ, transformers leaves them untied,
// whatever tie_word_embeddings says, and the encoder reads its own.
static const ff_name_pair tied_pairs[] = {
    {"encoder.embed_tokens.weight", "encoder.embed_tokens.weight"},
    {"encoder.embed_tokens.weight", "shared.weight"},
};
static const ff_name_table tied_names = {tied_pairs, sizeof tied_pairs / sizeof *tied_pairs};

ff_status ff_text_encoder_open(ff_weights *weights, const ff_config *config, ff_text_encoder **out, ff_error *error)
{
    ff_weight tied;
    ff_text_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for the text encoder");
    ff_status status = read_config(config, encoder, error);
    if (status != FF_OK)
        goto failed;
    encoder->layers = calloc(encoder->layer_count, sizeof *encoder->layers);
    if (!encoder->layers) {
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory for the text encoder's %zu layers", encoder->layer_count);
        goto failed;
    }
    ff_weights_use_names(weights, &tied_names);
    const size_t shape[] = {encoder->vocabulary, encoder->dim};
    status = ff_weights_get(weights, &encoder->embedding, error, 2, shape, "encoder.embed_tokens.weight");
    if (status == FF_OK && ff_weights_find(weights, "shared.weight", &tied))
        status = ff_weights_get(weights, &tied, error, 2, shape, "shared.weight");
    for (size_t i = 0; status == FF_OK && i < encoder->layer_count; i++)
        status = read_layer(weights, encoder, i, &encoder->layers[i], error);
    if (status == FF_OK)
        status = ff_weights_get_f32(weights, &encoder->final_norm, error, encoder->dim,
                                    "encoder.final_layer_norm.weight");
    if (status != FF_OK)
        goto failed;
    *out = encoder;
    return FF_OK;
failed:
    ff_text_encoder_close(encoder);
    return status;
}

void ff_text_encoder_close(ff_text_encoder *encoder)
{
    if (!encoder)
        return;
    ff_buckets_free(&encoder->buckets);
    free(encoder->layers);
    free(encoder);
}

size_t ff_text_encoder_dim(const ff_text_encoder *encoder)
{
    return encoder->dim;
}

size_t ff_text_encoder_vocabulary(const ff_text_encoder *encoder)
{
    return encoder->vocabulary;
}

// Elements of the matrices that every token meets in one layer.
static size_t layer_matrices(const ff_text_encoder *encoder)
{
    return encoder->dim * (4 * encoder->inner + (encoder->gated ? 3 : 2) * encoder->ffn);
}

size_t ff_text_encoder_parameters(const ff_text_encoder *encoder)
{
    size_t layer = layer_matrices(encoder) + encoder->num_buckets * encoder->heads + 2 * encoder->dim;
    return encoder->vocabulary * encoder->dim + encoder->layer_count * layer + encoder->dim;
}

double ff_text_encoder_flop(const ff_text_encoder *encoder, size_t count)
{
    double products = (double)layer_matrices(encoder) + 2.0 * (double)encoder->inner * (double)count;
    return 2.0 * products * (double)count * (double)encoder->layer_count;
}

// ---- running ----

// The buffers of a run, in the order in which they are taken from the arena.
enum {
    NORMED,                // [count, dim], also what a branch adds
    Q, K, V, ATTENDED,     // [count, inner]
    GATE, LINEAR,          // [count, ffn]
    BIAS,                  // [heads, count, count]
    BUFFERS
};

typedef struct buffers {
    float *normed, *q, *k, *v, *attended, *gate, *linear, *bias;
} buffers;

// Floats of each buffer; SIZE_MAX where they do not fit.
static void plan_buffers(const ff_text_encoder *encoder, size_t count, size_t floats[BUFFERS])
{
    const size_t widths[BUFFERS] = {
        [NORMED] = encoder->dim, [Q] = encoder->inner, [K] = encoder->inner, [V] = encoder->inner,
        [ATTENDED] = encoder->inner, [GATE] = encoder->ffn, [LINEAR] = encoder->gated ? encoder->ffn : 0,
    };
    for (int i = 0; i < BIAS; i++)
        if (!ff_multiply_sizes(count, widths[i], &floats[i]))
            floats[i] = SIZE_MAX;
    if (!ff_multiply_sizes(count, count, &floats[BIAS]) ||
        !ff_multiply_sizes(floats[BIAS], encoder->heads, &floats[BIAS]))
        floats[BIAS] = SIZE_MAX;
}

static bool take_buffers(const ff_text_encoder *encoder, ff_arena *arena, size_t count, buffers *out)
{
    size_t floats[BUFFERS];
    float *data[BUFFERS];
    plan_buffers(encoder, count, floats);
    for (int i = 0; i < BUFFERS; i++) {
        data[i] = ff_arena_floats(arena, floats[i]);
        if (!data[i])
            return false;
    }
    *out = (buffers){data[NORMED], data[Q], data[K], data[V], data[ATTENDED], data[GATE], data[LINEAR], data[BIAS]};
    return true;
}

size_t ff_text_encoder_memory(const ff_text_encoder *encoder, size_t count)
{
    size_t floats[BUFFERS], sum = 0;
    plan_buffers(encoder, count, floats);
    for (int i = 0; i < BUFFERS; i++)
        if (!ff_add_sizes(sum, floats[i], &sum))
            return SIZE_MAX;
    return ff_multiply_sizes(sum, sizeof(float), &sum) ? sum : SIZE_MAX;
}

// bias: [heads, count, count] from table: [num_buckets, heads]
static void spread_bias(const ff_text_encoder *encoder, const float *table, size_t count, float *bias)
{
    for (size_t query = 0; query < count; query++) {
        for (size_t key = 0; key < count; key++) {
            const float *row = table + ff_bucket(&encoder->buckets, query, key) * encoder->heads;
            for (size_t head = 0; head < encoder->heads; head++)
                bias[(head * count + query) * count + key] = row[head];
        }
    }
}

// Self-attention over `count` tokens.
static ff_attention attention_over(const ff_text_encoder *encoder, const ff_kernels *kernels, const buffers *s,
                                   size_t count)
{
    const size_t inner = encoder->inner;
    return (ff_attention){
        .queries = count, .keys = count, .heads = encoder->heads, .head_dim = encoder->head_dim,
        .q = s->q, .k = s->k, .v = s->v, .q_stride = inner, .k_stride = inner, .v_stride = inner,
        .scale = 1.0f, .bias = s->bias, .out = s->attended};
}

// Self-attention over all tokens, added to hidden: [count, dim].
static ff_status add_attention(const ff_text_encoder *encoder, const umt5_layer *layer, const ff_kernels *kernels,
                               const buffers *s, size_t count, float *hidden)
{
    const ff_attention attention = attention_over(encoder, kernels, s, count);
    kernels->rms_norm(kernels, count, encoder->dim, hidden, encoder->eps, layer->attention_norm, s->normed);
    ff_status status = ff_linear_apply(&layer->q, kernels, count, s->normed, NULL, s->q);
    if (status == FF_OK)
        status = ff_linear_apply(&layer->k, kernels, count, s->normed, NULL, s->k);
    if (status == FF_OK)
        status = ff_linear_apply(&layer->v, kernels, count, s->normed, NULL, s->v);
    if (status != FF_OK)
        return status;
    spread_bias(encoder, layer->position_bias, count, s->bias);
    status = kernels->attention(kernels, &attention);
    if (status == FF_OK)
        status = ff_linear_apply(&layer->o, kernels, count, s->attended, NULL, s->normed);
    if (status == FF_OK)
        kernels->add(kernels, count * encoder->dim, hidden, s->normed, hidden);
    return status;
}

static void activate(const ff_kernels *kernels, umt5_activation activation, size_t n, float *x)
{
    switch (activation) {
    case GELU_TANH: kernels->gelu_tanh(kernels, n, x, x); break;
    case GELU_ERF: kernels->gelu_erf(kernels, n, x, x); break;
    case SILU: kernels->silu(kernels, n, x, x); break;
    case RELU:
        for (size_t i = 0; i < n; i++)
            x[i] = x[i] < 0.0f ? 0.0f : x[i];
        break;
    }
}

// Feed-forward layer, added to hidden: [count, dim].
static ff_status add_feed_forward(const ff_text_encoder *encoder, const umt5_layer *layer, const ff_kernels *kernels,
                                  const buffers *s, size_t count, float *hidden)
{
    const size_t n = count * encoder->ffn;
    kernels->rms_norm(kernels, count, encoder->dim, hidden, encoder->eps, layer->feed_forward_norm, s->normed);
    ff_status status = ff_linear_apply(&layer->wi_0, kernels, count, s->normed, NULL, s->gate);
    if (status == FF_OK && encoder->gated)
        status = ff_linear_apply(&layer->wi_1, kernels, count, s->normed, NULL, s->linear);
    if (status != FF_OK)
        return status;
    activate(kernels, encoder->activation, n, s->gate);
    if (encoder->gated)
        kernels->multiply(kernels, n, s->gate, s->linear, s->gate);
    status = ff_linear_apply(&layer->wo, kernels, count, s->gate, NULL, s->normed);
    if (status == FF_OK)
        kernels->add(kernels, count * encoder->dim, hidden, s->normed, hidden);
    return status;
}

size_t ff_text_encoder_scratch(const ff_text_encoder *encoder, const ff_kernels *kernels, size_t count)
{
    ff_scratch scratch;
    const ff_kernels counting = ff_kernels_counting(kernels, &scratch);
    const ff_attention attention = attention_over(encoder, &counting, &(buffers){0}, count);
    counting.attention(&counting, &attention);
    for (size_t i = 0; i < encoder->layer_count; i++) {
        const umt5_layer *layer = &encoder->layers[i];
        const ff_linear *linears[] = {&layer->q, &layer->k, &layer->v, &layer->o, &layer->wi_0, &layer->wo,
                                      encoder->gated ? &layer->wi_1 : &layer->wi_0};
        for (size_t j = 0; j < sizeof linears / sizeof *linears; j++)
            ff_linear_apply(linears[j], &counting, count, NULL, NULL, NULL);
    }
    return scratch.size;
}

// hidden: [count, dim] after layer i. The bias is looked at too, since softmax takes -infinity for a mask.
static ff_status check_layer(const ff_text_encoder *encoder, const buffers *s, size_t i, size_t count,
                             const float *hidden, ff_error *error)
{
    ff_status status = ff_check_finite(encoder->heads * count * count, s->bias, error,
                                       "text encoder, position bias of block %zu", i);
    return status ? status
                  : ff_check_finite(count * encoder->dim, hidden, error, "text encoder, after block %zu of 0 to %zu", i,
                                    encoder->layer_count - 1);
}

ff_status ff_text_encoder_run(const ff_text_encoder *encoder, const ff_kernels *kernels, ff_arena *arena,
                              const int64_t *ids, size_t count, float *out, ff_error *error)
{
    buffers s;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < 0 || (uint64_t)ids[i] >= encoder->vocabulary)
            return ff_fail(error, FF_ERROR_INPUT, "token id %lld is not below the text encoder's vocab_size %zu",
                           (long long)ids[i], encoder->vocabulary);
    }
    ff_arena_mark mark = ff_arena_here(arena);
    ff_status status = take_buffers(encoder, arena, count, &s) ? FF_OK : FF_ERROR_MEMORY;
    if (status == FF_OK) {
        for (size_t i = 0; i < count; i++)
            ff_weight_widen(&encoder->embedding, (size_t)ids[i] * encoder->dim, encoder->dim, out + i * encoder->dim);
    }
    if (status == FF_OK)
        status = ff_check_finite(count * encoder->dim, out, error, "text encoder, embedded tokens");
    for (size_t i = 0; status == FF_OK && i < encoder->layer_count; i++) {
        status = add_attention(encoder, &encoder->layers[i], kernels, &s, count, out);
        if (status == FF_OK)
            status = add_feed_forward(encoder, &encoder->layers[i], kernels, &s, count, out);
        if (status == FF_OK)
            status = check_layer(encoder, &s, i, count, out, error);
    }
    if (status == FF_OK) {
        kernels->rms_norm(kernels, count, encoder->dim, out, encoder->eps, encoder->final_norm, out);
        status = ff_check_finite(count * encoder->dim, out, error, "text encoder, final norm");
    }
    ff_arena_return(arena, mark);
    if (status == FF_ERROR_MEMORY)
        return ff_fail(error, status, "no memory to encode %zu tokens of text", count);
    return status;
}

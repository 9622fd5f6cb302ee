// The text: prompt to tokens, tokens to embeddings. The encoder once more, with mistakes as switches; with every switch
// at 0 it gives the bits of ref/text/umt5.c.
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "text/umt5.h"
#include "verify_parts.h"

// ---- tokens ----

static ff_status encode(ff_verifier *v, const char *text, int64_t *ids, size_t *count)
{
    return ff_tokenizer_encode(v->model->tokenizer, text, strlen(text), FF_TEXT_TOKENS, ids, count, v->error);
}

static bool same_ids(const int64_t *a, size_t a_count, const int64_t *b, size_t b_count)
{
    return a_count == b_count && memcmp(a, b, a_count * sizeof *a) == 0;
}

// A dump may hold padded ids; the padding, zeros at the end, is none of the prompt's.
static size_t without_padding(const int64_t *ids, size_t count)
{
    while (count > 1 && ids[count - 1] == 0)
        count--;
    return count;
}

// Differing positions over all positions.
static double ids_distance(const int64_t *a, size_t a_count, const int64_t *b, size_t b_count)
{
    size_t longer = a_count > b_count ? a_count : b_count, shorter = a_count + b_count - longer;
    size_t differ = longer - shorter;
    for (size_t i = 0; i < shorter; i++)
        differ += a[i] != b[i];
    return (double)differ / (double)longer;
}

static void lower_case(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}

// Which mistake gives the dumped ids [count].   right: what they should be   prompt, cleaned: the texts
static ff_status explain_ids(ff_verifier *v, const char *prompt, const char *cleaned, const int64_t *right,
                             size_t right_count, const int64_t *dumped, size_t count, ff_stage_finding *finding)
{
    int64_t ids[FF_TEXT_TOKENS];
    size_t n;
    ff_status status = encode(v, prompt, ids, &n);
    if (status)
        return status;
    const char *found = NULL;
    if (count + 1 == right_count && same_ids(dumped, count, right, count)) {
        found = "the end of text (</s>) is missing";
    } else if (count == right_count + 1 && same_ids(dumped + 1, right_count, right, right_count)) {
        found = "a token stands before the text";
    } else if (count < right_count && count > 1 && memcmp(dumped, right, (count - 1) * sizeof *right) == 0) {
        found = "the prompt is cut short";
    } else if (same_ids(dumped, count, ids, n)) {
        found = "the prompt is not cleaned (quotes, white space, HTML, full-width letters)";
    } else {
        char *lower = strdup(cleaned);
        if (!lower)
            return ff_fail(v->error, FF_ERROR_MEMORY, "not enough memory for a prompt");
        lower_case(lower);
        status = encode(v, lower, ids, &n);
        free(lower);
        if (status)
            return status;
        if (same_ids(dumped, count, ids, n))
            found = "the prompt is put into small letters";
        bool off = count == right_count;
        for (size_t i = 0; i < count && off; i++)
            off = dumped[i] - right[i] == dumped[0] - right[0];
        if (off)
            found = "all ids are shifted by the same number: a vocabulary of another origin";
    }
    snprintf(finding->cause, sizeof finding->cause, "%s", found ? found : "");
    return FF_OK;
}

static ff_status judge_ids(ff_verifier *v, const char *prompt, const char *name)
{
    ff_stage_finding *finding = ff_finding_of(&v->findings, "tokenizer");
    const int64_t *dumped;
    int64_t ids[FF_TEXT_TOKENS];
    size_t count = 0, n = 0;
    ff_status status = ff_verify_dump_ids(&v->dump, name, &dumped, &count, v->error);
    if (status)
        return status;
    if (!dumped || !prompt) {
        ff_finding_missing(finding, dumped ? "the metadata's prompt" : name);
        return FF_OK;
    }
    char *cleaned;
    if ((status = ff_text_clean(prompt, strlen(prompt), &cleaned, v->error)))
        return status;
    count = without_padding(dumped, count);
    status = encode(v, cleaned, ids, &n);
    if (!status && same_ids(dumped, count, ids, n)) {
        ff_finding_add(finding, FF_EQUAL, name, 0, 0);
    } else if (!status && ff_finding_add(finding, FF_FAULT, name, ids_distance(dumped, count, ids, n), 0)) {
        size_t first = 0;
        while (first < n && first < count && dumped[first] == ids[first])
            first++;
        status = explain_ids(v, prompt, cleaned, ids, n, dumped, count, finding);
        snprintf(finding->where, sizeof finding->where, "%zu ids, expected %zu; they part at position %zu (%lld, "
                 "expected %lld)", count, n, first, first < count ? (long long)dumped[first] : -1,
                 first < n ? (long long)ids[first] : -1);
    }
    free(cleaned);
    return status;
}

// ---- the encoder ----

typedef struct text_variant {
    int nothing;
    int bias;         // 1 first layer only, 2 the first layer's in all, 3 none, 4 query and key exchanged, 5 one-sided
    int scale;        // 1: scores divided by sqrt(d_kv)
    int activation;   // 1 exact GELU, 2 tanh GELU, 3 SiLU, 4 ReLU
    int gate;         // 1 wi_0 and wi_1 exchanged, 2 not gated
    int padding;      // 1: the padding to 512 tokens takes part
    int norm;         // 1 LayerNorm, 2 the final norm is left out
    int eps;          // index into epsilons
    int heads;        // 1: interleaved
    int embedding;    // 1 times sqrt(dim), 2 ids off by one
    int transposed;   // 1 q, 2 k, 3 v, 4 o, 5 wi_0, 6 wi_1, 7 wo
    int left_out;     // 1: the last layer
} text_variant;

#define SET(FIELD, VALUE, CAUSE) {.cause = CAUSE, .parts = 1, .set = {{offsetof(text_variant, FIELD), VALUE}}}

static const ff_mistake text_mistakes[] = {
    SET(bias, 1, "T5's relative position bias acts in the first layer only; UMT5 has one in every layer"),
    SET(bias, 2, "T5's relative position bias of the first layer acts in all; UMT5 has one for every layer"),
    SET(bias, 3, "the relative position bias is left out"),
    SET(bias, 4, "relative positions have the wrong sign (query and key exchanged)"),
    SET(bias, 5, "relative position buckets are one-sided, as in a decoder"),
    SET(padding, 1, "padding tokens are attended to (no attention mask in the text encoder)"),
    SET(scale, 1, "attention scale: scores are divided by sqrt(d_kv), T5 does not scale them"),
    SET(activation, 1, "exact GELU (erf) in the feed-forward, not its tanh form"),
    SET(activation, 2, "GELU in its tanh form in the feed-forward, not exact"),
    SET(activation, 3, "SiLU in the feed-forward"),
    SET(activation, 4, "ReLU in the feed-forward"),
    SET(gate, 1, "feed-forward: the activation is on wi_1, not wi_0 (weights exchanged)"),
    SET(gate, 2, "feed-forward: not gated (wi_1 is left out)"),
    SET(norm, 2, "the final norm is left out"),
    SET(norm, 1, "LayerNorm where T5 has RMS norm"),
    SET(eps, 1, "epsilon of the norms is 1e-5"), SET(eps, 2, "epsilon of the norms is 1e-12"),
    SET(eps, 3, "epsilon of the norms is 1e-8"), SET(eps, 4, "epsilon of the norms is 1e-3"),
    SET(eps, 5, "epsilon of the norms is 1e-4"), SET(eps, 6, "epsilon of the norms is 1e-6"),
    SET(heads, 1, "heads are interleaved: elements of a head lie apart, not together"),
    SET(embedding, 1, "embeddings are multiplied by sqrt(d_model)"),
    SET(embedding, 2, "embeddings are looked up one row off"),
    SET(left_out, 1, "the last layer is left out (hidden state of the layer before)"),
    SET(transposed, 1, "the weight of SelfAttention.q is transposed"),
    SET(transposed, 2, "the weight of SelfAttention.k is transposed"),
    SET(transposed, 3, "the weight of SelfAttention.v is transposed"),
    SET(transposed, 4, "the weight of SelfAttention.o is transposed"),
    SET(transposed, 5, "the weight of DenseReluDense.wi_0 is transposed"),
    SET(transposed, 6, "the weight of DenseReluDense.wi_1 is transposed"),
    SET(transposed, 7, "the weight of DenseReluDense.wo is transposed"),
    {.cause = "norms are rounded to bf16", .parts = 1, .reduced = FF_NORMS_BFLOAT},
    {.cause = "weights are rounded to bf16", .parts = 1, .reduced = FF_WEIGHTS_BFLOAT, .harmless = true},
    {.cause = "weights are rounded to f16", .parts = 1, .reduced = FF_WEIGHTS_HALF, .harmless = true},
    {.cause = "products take their inputs in TF32", .parts = 1, .reduced = FF_PRODUCTS_TF32, .harmless = true},
    {.cause = "products take their inputs in bf16", .parts = 1, .reduced = FF_PRODUCTS_BFLOAT, .harmless = true},
    {.cause = "computed in bf16", .parts = 1, .reduced = FF_ALL_BFLOAT, .harmless = true},
};

typedef struct text_replay {
    ff_verifier *v;
    const ff_text_encoder *encoder;
    const int64_t *ids;
    size_t count, rows;       // tokens; rows of the embeddings
    // of the replay in progress
    const text_variant *variant;
    const ff_kernels *kernels;
    size_t tokens;            // that are encoded: count, or rows with the padding
    float *hidden, *normed, *q, *k, *v_rows, *attended, *gate, *straight, *bias;
} text_replay;

static ff_status project(const text_replay *r, int id, const ff_linear *layer, const float *x, float *out)
{
    const ff_weight *weight = &layer->weight;
    size_t columns = weight->shape[0], depth = weight->shape[1];
    ff_matmul product = {.rows = r->tokens, .columns = columns, .depth = depth, .a = x, .a_stride = depth,
                         .b = ff_weight_operand(weight), .out = out, .out_stride = columns};
    ff_arena_mark mark = ff_arena_here(r->v->arena);
    if (r->variant->transposed == id) {
        float *copy = ff_arena_take(r->v->arena, columns, depth * sizeof(float));
        if (!copy)
            return FF_ERROR_MEMORY;
        for (size_t c = 0; c < columns; c++)
            for (size_t d = 0; d < depth; d++)
                ff_weight_widen(weight, d * columns + c, 1, &copy[c * depth + d]);
        product.b = (ff_operand){.data = copy, .dtype = FF_F32};
    }
    ff_status status = r->kernels->matmul(r->kernels, &product);
    ff_arena_return(r->v->arena, mark);
    return status;
}

static void norm(const text_replay *r, const float *weight, const float *x, float *out)
{
    static const float epsilons[] = {0, 1e-5f, 1e-12f, 1e-8f, 1e-3f, 1e-4f, 1e-6f};
    float eps = r->variant->eps ? epsilons[r->variant->eps] : r->encoder->eps;
    if (r->variant->norm == 1)
        r->kernels->layer_norm(r->kernels, r->tokens, r->encoder->dim, x, eps, weight, NULL, out);
    else
        r->kernels->rms_norm(r->kernels, r->tokens, r->encoder->dim, x, eps, weight, out);
}

static void fill_bias(const text_replay *r, size_t layer)
{
    const ff_text_encoder *encoder = r->encoder;
    size_t heads = encoder->heads, count = r->tokens;
    int variant = r->variant->bias;
    const float *table = encoder->layers[variant == 2 ? 0 : layer].position_bias;
    bool none = variant == 3 || (variant == 1 && layer > 0);
    for (size_t query = 0; query < count; query++)
        for (size_t key = 0; key < count; key++) {
            size_t bucket = variant == 4 ? ff_bucket(&encoder->buckets, key, query)
                                        : ff_bucket(&encoder->buckets, query, key);
            if (variant == 5) {  // all buckets for keys before the query
                size_t distance = query > key ? query - key : 0;
                bucket = distance < encoder->num_buckets / 2 ? distance : encoder->num_buckets - 1;
            }
            for (size_t head = 0; head < heads; head++) {
                float value = none ? 0 : table[bucket * heads + head];
                ff_round_weights(r->kernels, 1, &value);
                r->bias[(head * count + query) * count + key] = value;
            }
        }
}

static void regroup(const text_replay *r, bool back, float *x, float *room)
{
    size_t heads = r->encoder->heads, head_dim = r->encoder->head_dim, inner = r->encoder->inner;
    for (size_t row = 0; row < r->tokens; row++, x += inner) {
        for (size_t h = 0; h < heads; h++)
            for (size_t d = 0; d < head_dim; d++)
                room[back ? d * heads + h : h * head_dim + d] = x[back ? h * head_dim + d : d * heads + h];
        memcpy(x, room, inner * sizeof *x);
    }
}

static ff_status add_attention(const text_replay *r, size_t index)
{
    const ff_text_encoder *encoder = r->encoder;
    const umt5_layer *layer = &encoder->layers[index];
    size_t inner = encoder->inner;
    ff_status status;
    norm(r, layer->attention_norm, r->hidden, r->normed);
    if ((status = project(r, 1, &layer->q, r->normed, r->q)) || (status = project(r, 2, &layer->k, r->normed, r->k)) ||
        (status = project(r, 3, &layer->v, r->normed, r->v_rows)))
        return status;
    if (r->variant->heads)
        regroup(r, false, r->q, r->attended), regroup(r, false, r->k, r->attended),
            regroup(r, false, r->v_rows, r->attended);
    fill_bias(r, index);
    status = r->kernels->attention(r->kernels, &(ff_attention){
        .queries = r->tokens, .keys = r->tokens, .heads = encoder->heads, .head_dim = encoder->head_dim, .q = r->q,
        .k = r->k, .v = r->v_rows, .q_stride = inner, .k_stride = inner, .v_stride = inner,
        .scale = r->variant->scale ? (float)(1 / sqrt((double)encoder->head_dim)) : 1.0f, .bias = r->bias,
        .out = r->attended});
    if (r->variant->heads)
        regroup(r, true, r->attended, r->q);
    if (!status)
        status = project(r, 4, &layer->o, r->attended, r->normed);
    if (!status)
        r->kernels->add(r->kernels, r->tokens * encoder->dim, r->hidden, r->normed, r->hidden);
    return status;
}

static void activate(const text_replay *r, size_t n, float *x)
{
    static const umt5_activation wrong[] = {GELU_TANH, GELU_ERF, GELU_TANH, SILU, RELU};
    umt5_activation activation = r->variant->activation ? wrong[r->variant->activation] : r->encoder->activation;
    switch (activation) {
    case GELU_TANH: r->kernels->gelu_tanh(r->kernels, n, x, x); break;
    case GELU_ERF: r->kernels->gelu_erf(r->kernels, n, x, x); break;
    case SILU: r->kernels->silu(r->kernels, n, x, x); break;
    case RELU:
        for (size_t i = 0; i < n; i++)
            x[i] = x[i] < 0.0f ? 0.0f : x[i];
        break;
    }
}

static ff_status add_feed_forward(const text_replay *r, size_t index)
{
    const ff_text_encoder *encoder = r->encoder;
    const umt5_layer *layer = &encoder->layers[index];
    bool exchanged = r->variant->gate == 1 && encoder->gated, gated = encoder->gated && r->variant->gate != 2;
    size_t n = r->tokens * encoder->ffn;
    ff_status status;
    norm(r, layer->feed_forward_norm, r->hidden, r->normed);
    if ((status = project(r, 5, exchanged ? &layer->wi_1 : &layer->wi_0, r->normed, r->gate)) ||
        (gated && (status = project(r, 6, exchanged ? &layer->wi_0 : &layer->wi_1, r->normed, r->straight))))
        return status;
    activate(r, n, r->gate);
    if (gated)
        r->kernels->multiply(r->kernels, n, r->gate, r->straight, r->gate);
    if ((status = project(r, 7, &layer->wo, r->gate, r->normed)))
        return status;
    r->kernels->add(r->kernels, r->tokens * encoder->dim, r->hidden, r->normed, r->hidden);
    return FF_OK;
}

static bool take_buffers(text_replay *r)
{
    const ff_text_encoder *encoder = r->encoder;
    ff_arena *arena = r->v->arena;
    size_t floats = sizeof(float), pairs;
    if (!ff_multiply_sizes(r->tokens, r->tokens, &pairs))
        return false;
    r->hidden = ff_arena_take(arena, r->tokens, encoder->dim * floats);
    r->normed = ff_arena_take(arena, r->tokens, encoder->dim * floats);
    r->q = ff_arena_take(arena, r->tokens, encoder->inner * floats);
    r->k = ff_arena_take(arena, r->tokens, encoder->inner * floats);
    r->v_rows = ff_arena_take(arena, r->tokens, encoder->inner * floats);
    r->attended = ff_arena_take(arena, r->tokens, encoder->inner * floats);
    r->gate = ff_arena_take(arena, r->tokens, encoder->ffn * floats);
    r->straight = ff_arena_take(arena, r->tokens, encoder->ffn * floats);
    r->bias = ff_arena_take(arena, pairs, encoder->heads * floats);
    return r->hidden && r->normed && r->q && r->k && r->v_rows && r->attended && r->gate && r->straight && r->bias;
}

// out: [count, dim], the prompt's own tokens.
static ff_status replay_text(void *user, const void *variant, const ff_kernels *kernels, float *out, ff_error *error)
{
    text_replay r = *(const text_replay *)user;
    const ff_text_encoder *encoder = r.encoder;
    size_t dim = encoder->dim, layers = encoder->layer_count;
    ff_arena_mark mark = ff_arena_here(r.v->arena);
    r.variant = variant;
    r.kernels = kernels;
    r.tokens = r.variant->padding ? r.rows : r.count;
    ff_status status = take_buffers(&r) ? FF_OK : FF_ERROR_MEMORY;
    for (size_t i = 0; !status && i < r.tokens; i++) {
        size_t id = i < r.count ? (size_t)r.ids[i] : 0;
        if (r.variant->embedding == 2)
            id = (id + 1) % encoder->vocabulary;
        ff_weight_widen(&encoder->embedding, id * dim, dim, r.hidden + i * dim);
        ff_round_weights(kernels, dim, r.hidden + i * dim);
    }
    for (size_t i = 0; !status && r.variant->embedding == 1 && i < r.tokens * dim; i++)
        r.hidden[i] *= (float)sqrt((double)dim);
    for (size_t i = 0; !status && i + (r.variant->left_out == 1) < layers; i++) {
        status = add_attention(&r, i);
        if (!status)
            status = add_feed_forward(&r, i);
    }
    if (!status && r.variant->norm != 2)
        norm(&r, encoder->final_norm, r.hidden, r.hidden);
    if (!status)
        memcpy(out, r.hidden, r.count * dim * sizeof *out);
    ff_arena_return(r.v->arena, mark);
    if (status)
        return ff_fail(error, status, "not enough memory to encode %zu tokens of text", r.tokens);
    return FF_OK;
}

// The prompt's rows are right: what stands in the rows behind them?
static void explain_padding(ff_stage_finding *finding, const char *name, size_t count, size_t rows, double error)
{
    if (ff_finding_add(finding, FF_FAULT, name, error, 0)) {
        snprintf(finding->cause, sizeof finding->cause, "padding is not zeroed: the rows after the prompt's %zu tokens "
                 "must be zeros", count);
        snprintf(finding->where, sizeof finding->where, "in rows %zu to %zu", count, rows - 1);
    }
}

static ff_status judge_rows(ff_verifier *v, const char *name, text_replay *r, float *dumped, ff_precision precision)
{
    static const text_variant right = {0};
    ff_stage_finding *finding = ff_finding_of(&v->findings, "text_encoder");
    size_t dim = r->encoder->dim, n = r->count * dim, all = r->rows * dim;
    ff_arena_mark mark = ff_arena_here(v->arena);
    float *ours = ff_arena_floats(v->arena, n), *rounded = ff_arena_floats(v->arena, n);
    ff_status status;
    if (!ours || !rounded)
        return ff_fail(v->error, FF_ERROR_MEMORY, "not enough memory to judge %s", name);
    ff_reduced_state state;
    const ff_kernels rounding = ff_verify_rounding(precision, &state);
    if ((status = replay_text(r, &right, ff_verify_kernels(), ours, v->error)))
        return status;
    ff_case judged = {
        .tensor = name, .slices = {1, r->count, dim, "token"}, .precision = precision, .dumped = dumped, .exact = ours,
        .rounded = rounded, .equal = ff_floats_equal(ours, dumped, n),
        .search = {.mistakes = text_mistakes, .count = sizeof text_mistakes / sizeof *text_mistakes, .parts = 1,
                   .variant_size = sizeof(text_variant), .replay = replay_text, .user = r}};
    if (!judged.equal && ((status = replay_text(r, &right, ff_verify_exact(), ours, v->error)) ||
                          (status = replay_text(r, &right, &rounding, rounded, v->error))))
        return status;
    if ((status = ff_judge(v, finding, &judged, NULL)))
        return status;
    double outside = 0, inside = 0;
    for (size_t i = 0; i < all; i++)
        *(i < n ? &inside : &outside) += (double)dumped[i] * dumped[i];
    if (outside != 0)
        explain_padding(finding, name, r->count, r->rows, sqrt(outside / (inside > 0 ? inside : 1)));
    ff_arena_return(v->arena, mark);
    return FF_OK;
}

static ff_status judge_embeds(ff_verifier *v, const char *ids_name, const char *name)
{
    ff_stage_finding *finding = ff_finding_of(&v->findings, "text_encoder");
    text_replay r = {.v = v, .encoder = v->model->text_encoder};
    size_t shape[2] = {0, v->model->facts.text_dim};
    ff_precision precision;
    float *dumped = NULL;
    ff_status status = ff_verify_dump_ids(&v->dump, ids_name, &r.ids, &r.count, v->error);
    if (!status)
        status = ff_verify_dump_floats(&v->dump, name, 2, shape, &dumped, &precision, v->error);
    if (status || !dumped || !r.ids) {
        if (!status)
            ff_finding_missing(finding, dumped ? ids_name : name);
        free(dumped);
        return status;
    }
    r.rows = shape[0];
    r.count = without_padding(r.ids, r.count);
    if (r.count > r.rows)
        status = ff_fail(v->error, FF_ERROR_INPUT, "%s: tensor %s has %zu rows for %zu tokens", v->dump.path, name,
                         r.rows, r.count);
    for (size_t i = 0; i < r.count && !status; i++)
        if (r.ids[i] < 0 || (uint64_t)r.ids[i] >= r.encoder->vocabulary)
            status = ff_fail(v->error, FF_ERROR_INPUT, "%s: tensor %s holds the id %lld, the model has %zu",
                             v->dump.path, ids_name, (long long)r.ids[i], r.encoder->vocabulary);
    if (!status)
        status = judge_rows(v, name, &r, dumped, precision);
    free(dumped);
    return status;
}

ff_status ff_verify_text(ff_verifier *v)
{
    const ff_verify_dump *dump = &v->dump;
    bool negative = ff_verify_dump_has(dump, "negative_token_ids");
    bool guided = ff_verify_dump_has(dump, "negative_prompt_embeds");
    ff_status status = judge_ids(v, dump->prompt, "token_ids");
    if (!status && negative)
        status = judge_ids(v, dump->negative, "negative_token_ids");
    if (!status)
        status = judge_embeds(v, "token_ids", "prompt_embeds");
    if (!status && guided)
        status = judge_embeds(v, "negative_token_ids", "negative_prompt_embeds");
    return status;
}

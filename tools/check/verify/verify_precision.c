// Kernels that round as a program in another precision would: the weights and inputs of products, the results of
// everything, or of norms alone. A product's sums stay in single precision, as on every accelerator.
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "kernels/moves.h"
#include "verify_parts.h"

typedef enum rounding { KEEP, TO_BFLOAT, TO_HALF, TO_TF32 } rounding;

typedef struct recipe {
    rounding weights, inputs, results, norms;
} recipe;

static ff_kernels fastest;
static once_flag chosen = ONCE_FLAG_INIT;

static void choose(void)
{
    if (ff_kernels_choose(FF_ISA_AUTO, FF_BACKEND_OWN, &fastest, NULL))
        fastest = *ff_kernels_scalar();
}

const ff_kernels *ff_verify_kernels(void)
{
    call_once(&chosen, choose);
    return &fastest;
}

const ff_kernels *ff_verify_exact(void)
{
    return ff_kernels_f64();
}

// ---- rounding ----

// To `kept` bits of the 23 behind the point, to the nearest, ties to even.
static float round_mantissa(float x, unsigned kept)
{
    uint32_t bits, drop = 23 - kept;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7f800000u) == 0x7f800000u)
        return x;
    bits += (1u << (drop - 1)) - 1 + (bits >> drop & 1u);
    bits &= ~((1u << drop) - 1);
    memcpy(&x, &bits, sizeof x);
    return x;
}

// Numbers below 2^-14 have fewer bits: adding and taking away 1.5 * 2^-1 leaves multiples of 2^-24.
static float round_half(float x)
{
    if (x < 0x1p-14f && x > -0x1p-14f)
        return (x + 0.75f) - 0.75f;
    x = round_mantissa(x, 10);
    return x > 65504.0f ? 65504.0f : x < -65504.0f ? -65504.0f : x;
}

static void round_all(rounding how, size_t n, float *x)
{
    for (size_t i = 0; i < n && how != KEEP; i++)
        x[i] = how == TO_HALF ? round_half(x[i]) : round_mantissa(x[i], how == TO_BFLOAT ? 7 : 10);
}

void ff_round_floats(ff_precision precision, size_t n, float *x)
{
    static const rounding how[] = {[FF_SINGLE] = KEEP, [FF_BFLOAT] = TO_BFLOAT, [FF_HALF] = TO_HALF};
    round_all(how[precision], n, x);
}

// rows of n numbers `stride` apart, rounded and put together; NULL without memory.
static float *rounded_rows(rounding how, size_t rows, size_t n, const float *x, size_t stride)
{
    size_t count, bytes;
    if (!ff_multiply_sizes(rows, n, &count) || !ff_multiply_sizes(count, sizeof *x, &bytes))
        return NULL;
    float *copy = malloc(bytes ? bytes : 1);
    for (size_t row = 0; copy && row < rows; row++)
        memcpy(copy + row * n, x + row * stride, n * sizeof *x);
    if (copy)
        round_all(how, count, copy);
    return copy;
}

static float *rounded_weight(rounding how, const void *data, ff_dtype dtype, size_t count)
{
    ff_weight view = {.data = data, .dtype = dtype};
    float *copy = count <= SIZE_MAX / sizeof *copy ? malloc(count ? count * sizeof *copy : 1) : NULL;
    if (copy) {
        ff_weight_widen(&view, 0, count, copy);
        round_all(how, count, copy);
    }
    return copy;
}

// ---- products ----

// What a product's finish does with it, each operation rounded as the recipe says.   y: [rows, columns], the product
static void finish_by(const recipe *r, const ff_matmul *p, float *y)
{
    const ff_kernels *kernels = ff_verify_kernels();
    size_t n = p->rows * p->columns;
    round_all(r->results, n, y);
    if (p->finish == FF_FINISH_GELU_TANH)
        kernels->gelu_tanh(n, y, y);
    for (size_t row = 0; row < p->rows; row++) {
        float *from = y + row * p->columns, *to = p->out + row * p->out_stride;
        ff_groups one = {.group = NULL, .stride = 0};
        const float *gate = p->gate;
        if (gate && p->groups.group)
            gate += p->groups.group[row] * p->groups.stride;
        if (p->finish == FF_FINISH_ADD)
            kernels->add(p->columns, to, from, to);
        else if (p->finish == FF_FINISH_ADD_GATED)
            kernels->add_gated(1, p->columns, from, one, gate, to);
        else
            memcpy(to, from, p->columns * sizeof *to);
        round_all(r->results, p->columns, to);
    }
}

static ff_status matmul_by(const recipe *r, const ff_matmul *p)
{
    ff_matmul changed = *p;
    float *a = NULL, *b = NULL, *bias = NULL, *product = NULL;
    ff_status status = FF_ERROR_MEMORY;
    if (r->inputs != KEEP) {
        if (!(a = rounded_rows(r->inputs, p->rows, p->depth, p->a, p->a_stride)))
            goto done;
        changed.a = a;
        changed.a_stride = p->depth;
    }
    if (r->weights != KEEP) {
        if (!(b = rounded_weight(r->weights, p->b, p->b_dtype, p->columns * p->depth)))
            goto done;
        changed.b = b;
        changed.b_dtype = FF_F32;
        if (p->bias && !(bias = rounded_rows(r->weights, 1, p->columns, p->bias, p->columns)))
            goto done;
        changed.bias = bias;
    }
    if (r->results != KEEP) {
        size_t count;
        if (!ff_multiply_sizes(p->rows, p->columns, &count) || count > SIZE_MAX / sizeof *product ||
            !(product = malloc(count ? count * sizeof *product : 1)))
            goto done;
        changed.finish = FF_FINISH_STORE;
        changed.out = product;
        changed.out_stride = p->columns;
    }
    status = ff_verify_kernels()->matmul(&changed);
    if (product && status == FF_OK)
        finish_by(r, p, product);
done:
    free(a);
    free(b);
    free(bias);
    free(product);
    return status;
}

static ff_status convolution_by(const recipe *r, const ff_convolution *p)
{
    ff_convolution changed = *p;
    size_t frames = p->out_frames * p->stride_t + p->kernel_t - p->stride_t;
    size_t floats = p->in_height * p->in_width * p->in_channels;
    size_t taps = p->kernel_t * p->kernel_h * p->kernel_w;
    float *weight = NULL, *bias = NULL, **copies = calloc(frames ? frames : 1, sizeof *copies);
    ff_status status = FF_ERROR_MEMORY;
    if (!copies)
        return status;
    for (size_t i = 0; r->inputs != KEEP && i < frames; i++)
        if (p->frames[i] && !(copies[i] = rounded_rows(r->inputs, 1, floats, p->frames[i], floats)))
            goto done;
    if (r->inputs != KEEP)
        changed.frames = (const float *const *)copies;
    if (r->weights != KEEP) {
        weight = rounded_weight(r->weights, p->weight, p->weight_dtype, p->out_channels * p->in_channels * taps);
        if (!weight)
            goto done;
        changed.weight = weight;
        changed.weight_dtype = FF_F32;
        if (p->bias && !(bias = rounded_rows(r->weights, 1, p->out_channels, p->bias, p->out_channels)))
            goto done;
        changed.bias = bias;
    }
    status = ff_verify_kernels()->convolution(&changed);
    round_all(r->results, p->out_frames * p->out_height * p->out_width * p->out_channels, p->out);
done:
    for (size_t i = 0; i < frames; i++)
        free(copies[i]);
    free(copies);
    free(weight);
    free(bias);
    return status;
}

static ff_status attention_by(const recipe *r, const ff_attention *p)
{
    ff_attention changed = *p;
    size_t n = p->heads * p->head_dim;
    float *q = NULL, *k = NULL, *v = NULL;
    ff_status status = FF_ERROR_MEMORY;
    if (r->inputs != KEEP) {
        q = rounded_rows(r->inputs, p->queries, n, p->q, p->q_stride);
        k = rounded_rows(r->inputs, p->keys, n, p->k, p->k_stride);
        v = rounded_rows(r->inputs, p->keys, n, p->v, p->v_stride);
        if (!q || !k || !v)
            goto done;
        changed.q = q, changed.k = k, changed.v = v;
        changed.q_stride = changed.k_stride = changed.v_stride = n;
    }
    status = ff_verify_kernels()->attention(&changed);
    round_all(r->results, p->queries * n, p->out);
done:
    free(q);
    free(k);
    free(v);
    return status;
}

// ---- norms ----

// A norm cannot fail; that it went without memory is kept here until it is asked for.
static _Thread_local bool starved;

bool ff_verify_starved(void)
{
    bool was = starved;
    starved = false;
    return was;
}

// A norm's vector as the recipe stores weights.
typedef struct vector {
    const float *values;
    float *own;            // values, if they are not the model's; to be freed
} vector;

static vector vector_by(const recipe *r, size_t n, const float *stored)
{
    bool weights_only = r->weights != KEEP && r->inputs == KEEP;
    if (!stored || !weights_only)
        return (vector){stored, NULL};
    float *own = rounded_rows(r->weights, 1, n, stored, n);
    starved = starved || !own;
    return (vector){own ? own : stored, own};
}

static void layer_norm_by(const recipe *r, size_t rows, size_t n, const float *x, float eps, const float *weight,
                          const float *bias, float *out)
{
    vector by_weight = vector_by(r, n, weight), by_bias = vector_by(r, n, bias);
    ff_verify_kernels()->layer_norm(rows, n, x, eps, by_weight.values, by_bias.values, out);
    round_all(r->norms, rows * n, out);
    free(by_weight.own);
    free(by_bias.own);
}

static void rms_norm_by(const recipe *r, size_t rows, size_t n, const float *x, float eps, const float *weight,
                        float *out)
{
    vector by = vector_by(r, n, weight);
    ff_verify_kernels()->rms_norm(rows, n, x, eps, by.values, out);
    round_all(r->norms, rows * n, out);
    free(by.own);
}

static void channel_norm_by(const recipe *r, size_t pixels, size_t n, const float *x, const float *gamma, bool silu,
                            float *out)
{
    vector by = vector_by(r, n, gamma);
    ff_verify_kernels()->channel_norm(pixels, n, x, by.values, silu, out);
    round_all(r->norms, pixels * n, out);
    free(by.own);
}

// ---- the tables ----

static double multiply_adds(size_t rounds, float *sum)
{
    return ff_verify_kernels()->multiply_adds(rounds, sum);
}

// A kernel more needs an entry more in TABLE.
enum { KERNELS = 21 };
_Static_assert(sizeof(ff_kernels) == sizeof(const char *) + sizeof(ff_scratch *) + KERNELS * sizeof(void (*)(void)),
               "TABLE has all the kernels there are");

// Functions of a table named NAME that do what its recipe says, and the table.
#define TABLE(NAME, ...)                                                                                               \
    static const recipe NAME##_recipe = {__VA_ARGS__};                                                                 \
    static ff_status NAME##_matmul(const ff_matmul *p)                                                                 \
    {                                                                                                                  \
        return matmul_by(&NAME##_recipe, p);                                                                           \
    }                                                                                                                  \
    static ff_status NAME##_convolution(const ff_convolution *p)                                                       \
    {                                                                                                                  \
        return convolution_by(&NAME##_recipe, p);                                                                      \
    }                                                                                                                  \
    static ff_status NAME##_attention(const ff_attention *p)                                                           \
    {                                                                                                                  \
        return attention_by(&NAME##_recipe, p);                                                                        \
    }                                                                                                                  \
    static void NAME##_layer_norm(size_t rows, size_t n, const float *x, float eps, const float *weight,               \
                                  const float *bias, float *out)                                                       \
    {                                                                                                                  \
        layer_norm_by(&NAME##_recipe, rows, n, x, eps, weight, bias, out);                                             \
    }                                                                                                                  \
    static void NAME##_layer_norm_modulate(size_t rows, size_t n, const float *x, float eps, ff_groups groups,         \
                                           const float *scale, const float *shift, float *out)                         \
    {                                                                                                                  \
        ff_verify_kernels()->layer_norm_modulate(rows, n, x, eps, groups, scale, shift, out);                          \
        round_all(NAME##_recipe.norms, rows * n, out);                                                                 \
    }                                                                                                                  \
    static void NAME##_rms_norm(size_t rows, size_t n, const float *x, float eps, const float *weight, float *out)     \
    {                                                                                                                  \
        rms_norm_by(&NAME##_recipe, rows, n, x, eps, weight, out);                                                     \
    }                                                                                                                  \
    static void NAME##_channel_norm(size_t pixels, size_t n, const float *x, const float *gamma, bool silu,            \
                                    float *out)                                                                        \
    {                                                                                                                  \
        channel_norm_by(&NAME##_recipe, pixels, n, x, gamma, silu, out);                                               \
    }                                                                                                                  \
    static void NAME##_rotary(size_t rows, size_t heads, size_t head_dim, const float *angles, float *x)               \
    {                                                                                                                  \
        ff_verify_kernels()->rotary(rows, heads, head_dim, angles, x);                                                 \
        round_all(NAME##_recipe.results, rows * heads * head_dim, x);                                                  \
    }                                                                                                                  \
    static void NAME##_add(size_t n, const float *a, const float *b, float *out)                                       \
    {                                                                                                                  \
        ff_verify_kernels()->add(n, a, b, out);                                                                        \
        round_all(NAME##_recipe.results, n, out);                                                                      \
    }                                                                                                                  \
    static void NAME##_multiply(size_t n, const float *a, const float *b, float *out)                                  \
    {                                                                                                                  \
        ff_verify_kernels()->multiply(n, a, b, out);                                                                   \
        round_all(NAME##_recipe.results, n, out);                                                                      \
    }                                                                                                                  \
    static void NAME##_silu(size_t n, const float *x, float *out)                                                      \
    {                                                                                                                  \
        ff_verify_kernels()->silu(n, x, out);                                                                          \
        round_all(NAME##_recipe.results, n, out);                                                                      \
    }                                                                                                                  \
    static void NAME##_gelu_tanh(size_t n, const float *x, float *out)                                                 \
    {                                                                                                                  \
        ff_verify_kernels()->gelu_tanh(n, x, out);                                                                     \
        round_all(NAME##_recipe.results, n, out);                                                                      \
    }                                                                                                                  \
    static void NAME##_gelu_erf(size_t n, const float *x, float *out)                                                  \
    {                                                                                                                  \
        ff_verify_kernels()->gelu_erf(n, x, out);                                                                      \
        round_all(NAME##_recipe.results, n, out);                                                                      \
    }                                                                                                                  \
    static void NAME##_add_gated(size_t rows, size_t n, const float *y, ff_groups groups, const float *gate,           \
                                 float *hidden)                                                                        \
    {                                                                                                                  \
        ff_verify_kernels()->add_gated(rows, n, y, groups, gate, hidden);                                              \
        round_all(NAME##_recipe.results, rows * n, hidden);                                                            \
    }                                                                                                                  \
    static void NAME##_guidance(size_t n, const float *conditional, const float *unconditional, float g, float *out)   \
    {                                                                                                                  \
        ff_verify_kernels()->guidance(n, conditional, unconditional, g, out);                                          \
        round_all(NAME##_recipe.results, n, out);                                                                      \
    }                                                                                                                  \
    static void NAME##_combine(size_t n, size_t terms, const float *const *x, const float *k, float *out)              \
    {                                                                                                                  \
        ff_verify_kernels()->combine(n, terms, x, k, out);                                                             \
        round_all(NAME##_recipe.results, n, out);                                                                      \
    }                                                                                                                  \
    static const ff_kernels NAME##_table = {                                                                           \
        .name = #NAME, .matmul = NAME##_matmul, .convolution = NAME##_convolution, .attention = NAME##_attention,      \
        .layer_norm = NAME##_layer_norm, .layer_norm_modulate = NAME##_layer_norm_modulate,                            \
        .rms_norm = NAME##_rms_norm, .channel_norm = NAME##_channel_norm, .rotary = NAME##_rotary, .add = NAME##_add,  \
        .multiply = NAME##_multiply, .silu = NAME##_silu, .gelu_tanh = NAME##_gelu_tanh,                               \
        .gelu_erf = NAME##_gelu_erf, .add_gated = NAME##_add_gated, .guidance = NAME##_guidance,                       \
        .combine = NAME##_combine, .copy = ff_copy, .average_down = ff_average_frames_down,                            \
        .repeat_up = ff_repeat_frame_up, .double_size = ff_double_frame, .multiply_adds = multiply_adds,               \
    }

TABLE(weights_bfloat, .weights = TO_BFLOAT);
TABLE(weights_half, .weights = TO_HALF);
TABLE(products_tf32, .weights = TO_TF32, .inputs = TO_TF32);
TABLE(products_bfloat, .weights = TO_BFLOAT, .inputs = TO_BFLOAT);
TABLE(norms_bfloat, .norms = TO_BFLOAT);
TABLE(all_bfloat, TO_BFLOAT, TO_BFLOAT, TO_BFLOAT, TO_BFLOAT);
TABLE(all_half, TO_HALF, TO_HALF, TO_HALF, TO_HALF);

const ff_kernels *ff_verify_economy(ff_economy economy)
{
    switch (economy) {
    case FF_WEIGHTS_BFLOAT: return &weights_bfloat_table;
    case FF_WEIGHTS_HALF: return &weights_half_table;
    case FF_PRODUCTS_TF32: return &products_tf32_table;
    case FF_PRODUCTS_BFLOAT: return &products_bfloat_table;
    case FF_NORMS_BFLOAT: return &norms_bfloat_table;
    case FF_ALL_BFLOAT: return &all_bfloat_table;
    case FF_ALL_HALF: return &all_half_table;
    case FF_NO_ECONOMY:
    case FF_ECONOMIES: break;
    }
    return ff_verify_kernels();
}

void ff_round_weights(const ff_kernels *kernels, size_t n, float *x)
{
    if (kernels == &weights_bfloat_table)
        round_all(TO_BFLOAT, n, x);
    else if (kernels == &weights_half_table)
        round_all(TO_HALF, n, x);
}

const ff_kernels *ff_verify_rounding(ff_precision precision)
{
    static const ff_economy economies[] = {
        [FF_SINGLE] = FF_NO_ECONOMY, [FF_BFLOAT] = FF_ALL_BFLOAT, [FF_HALF] = FF_ALL_HALF};
    return ff_verify_economy(economies[precision]);
}

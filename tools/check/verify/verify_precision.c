// Kernels that round as a program in another precision would: the weights and inputs of products, the results of
// everything, or of norms alone. A product's sums stay in single precision, as on every accelerator.
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "verify_parts.h"

typedef enum rounding { KEEP, TO_BFLOAT, TO_HALF, TO_TF32 } rounding;

// What a table rounds.
typedef struct recipe {
    const char *name;
    rounding weights, inputs, results, norms;
} recipe;

static const recipe recipes[FF_REDUCED_PRECISIONS] = {
    [FF_WEIGHTS_BFLOAT] = {"weights_bfloat", .weights = TO_BFLOAT},
    [FF_WEIGHTS_HALF] = {"weights_half", .weights = TO_HALF},
    [FF_PRODUCTS_TF32] = {"products_tf32", .weights = TO_TF32, .inputs = TO_TF32},
    [FF_PRODUCTS_BFLOAT] = {"products_bfloat", .weights = TO_BFLOAT, .inputs = TO_BFLOAT},
    [FF_NORMS_BFLOAT] = {"norms_bfloat", .norms = TO_BFLOAT},
    [FF_ALL_BFLOAT] = {"all_bfloat", TO_BFLOAT, TO_BFLOAT, TO_BFLOAT, TO_BFLOAT},
    [FF_ALL_HALF] = {"all_half", TO_HALF, TO_HALF, TO_HALF, TO_HALF},
};

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

// weight: rows of `length` elements
static float *rounded_weight(rounding how, ff_operand weight, size_t rows, size_t length)
{
    size_t count = rows * length;
    float *copy = count <= SIZE_MAX / sizeof *copy ? malloc(count ? count * sizeof *copy : 1) : NULL;
    if (copy) {
        for (size_t row = 0; row < rows; row++)
            ff_operand_decode(ff_operand_from(weight, row, length), 0, length, copy + row * length);
        round_all(how, count, copy);
    }
    return copy;
}

static const recipe *recipe_of(const ff_kernels *kernels)
{
    return &recipes[((const ff_reduced_state *)kernels->user)->reduced];
}

// ---- products ----

// What a product's finish does with it, each operation rounded as the recipe says.   y: [rows, columns], the product
static void finish(const recipe *r, const ff_kernels *kernels, const ff_matmul *p, float *y)
{
    size_t n = p->rows * p->columns;
    round_all(r->results, n, y);
    if (p->finish == FF_FINISH_GELU_TANH)
        kernels->gelu_tanh(kernels, n, y, y);
    for (size_t row = 0; row < p->rows; row++) {
        float *from = y + row * p->columns, *to = p->out + row * p->out_stride;
        ff_groups one = {.group = NULL, .stride = 0};
        const float *gate = p->gate;
        if (gate && p->groups.group)
            gate += p->groups.group[row] * p->groups.stride;
        if (p->finish == FF_FINISH_ADD)
            kernels->add(kernels, p->columns, to, from, to);
        else if (p->finish == FF_FINISH_ADD_GATED)
            kernels->add_gated(kernels, 1, p->columns, from, one, gate, to);
        else
            memcpy(to, from, p->columns * sizeof *to);
        round_all(r->results, p->columns, to);
    }
}

static ff_status matmul(const ff_kernels *kernels, const ff_matmul *p)
{
    const recipe *r = recipe_of(kernels);
    ff_kernels inner = ff_kernels_inner(kernels);
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
        if (!(b = rounded_weight(r->weights, p->b, p->columns, p->depth)))
            goto done;
        changed.b = (ff_operand){.data = b, .dtype = FF_F32};
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
    status = inner.matmul(&inner, &changed);
    if (product && status == FF_OK)
        finish(r, &inner, p, product);
done:
    free(a);
    free(b);
    free(bias);
    free(product);
    return status;
}

static ff_status convolution(const ff_kernels *kernels, const ff_convolution *p)
{
    const recipe *r = recipe_of(kernels);
    ff_kernels inner = ff_kernels_inner(kernels);
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
        weight = rounded_weight(r->weights, p->weight, p->out_channels, p->in_channels * taps);
        if (!weight)
            goto done;
        changed.weight = (ff_operand){.data = weight, .dtype = FF_F32};
        if (p->bias && !(bias = rounded_rows(r->weights, 1, p->out_channels, p->bias, p->out_channels)))
            goto done;
        changed.bias = bias;
    }
    status = inner.convolution(&inner, &changed);
    round_all(r->results, p->out_frames * p->out_height * p->out_width * p->out_channels, p->out);
done:
    for (size_t i = 0; i < frames; i++)
        free(copies[i]);
    free(copies);
    free(weight);
    free(bias);
    return status;
}

static ff_status attention(const ff_kernels *kernels, const ff_attention *p)
{
    const recipe *r = recipe_of(kernels);
    ff_kernels inner = ff_kernels_inner(kernels);
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
    status = inner.attention(&inner, &changed);
    round_all(r->results, p->queries * n, p->out);
done:
    free(q);
    free(k);
    free(v);
    return status;
}

// ---- norms ----

// A norm's vector as the recipe stores weights.
typedef struct vector {
    const float *values;
    float *own;            // values, if they are not the model's; to be freed
} vector;

static vector rounded_vector(const ff_kernels *kernels, size_t n, const float *stored)
{
    ff_reduced_state *state = kernels->user;
    const recipe *r = recipe_of(kernels);
    bool weights_only = r->weights != KEEP && r->inputs == KEEP;
    if (!stored || !weights_only)
        return (vector){stored, NULL};
    float *own = rounded_rows(r->weights, 1, n, stored, n);
    state->starved = state->starved || !own;
    return (vector){own ? own : stored, own};
}

static void layer_norm(const ff_kernels *kernels, size_t rows, size_t n, const float *x, float eps,
                       const float *weight, const float *bias, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    vector by_weight = rounded_vector(kernels, n, weight), by_bias = rounded_vector(kernels, n, bias);
    inner.layer_norm(&inner, rows, n, x, eps, by_weight.values, by_bias.values, out);
    round_all(recipe_of(kernels)->norms, rows * n, out);
    free(by_weight.own);
    free(by_bias.own);
}

static void layer_norm_modulate(const ff_kernels *kernels, size_t rows, size_t n, const float *x, float eps,
                                ff_modulation modulation, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.layer_norm_modulate(&inner, rows, n, x, eps, modulation, out);
    round_all(recipe_of(kernels)->norms, rows * n, out);
}

static void rms_norm(const ff_kernels *kernels, size_t rows, size_t n, const float *x, float eps, const float *weight,
                     float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    vector by_weight = rounded_vector(kernels, n, weight);
    inner.rms_norm(&inner, rows, n, x, eps, by_weight.values, out);
    round_all(recipe_of(kernels)->norms, rows * n, out);
    free(by_weight.own);
}

static void channel_norm(const ff_kernels *kernels, size_t pixels, size_t n, const float *x, const float *gamma,
                         bool with_silu, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    vector by_gamma = rounded_vector(kernels, n, gamma);
    inner.channel_norm(&inner, pixels, n, x, by_gamma.values, with_silu, out);
    round_all(recipe_of(kernels)->norms, pixels * n, out);
    free(by_gamma.own);
}

// ---- elementwise ----

static void rotary(const ff_kernels *kernels, size_t rows, size_t heads, size_t head_dim, const float *angles, float *x)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.rotary(&inner, rows, heads, head_dim, angles, x);
    round_all(recipe_of(kernels)->results, rows * heads * head_dim, x);
}

static void add(const ff_kernels *kernels, size_t n, const float *a, const float *b, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.add(&inner, n, a, b, out);
    round_all(recipe_of(kernels)->results, n, out);
}

static void multiply(const ff_kernels *kernels, size_t n, const float *a, const float *b, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.multiply(&inner, n, a, b, out);
    round_all(recipe_of(kernels)->results, n, out);
}

static void silu(const ff_kernels *kernels, size_t n, const float *x, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.silu(&inner, n, x, out);
    round_all(recipe_of(kernels)->results, n, out);
}

static void gelu_tanh(const ff_kernels *kernels, size_t n, const float *x, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.gelu_tanh(&inner, n, x, out);
    round_all(recipe_of(kernels)->results, n, out);
}

static void gelu_erf(const ff_kernels *kernels, size_t n, const float *x, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.gelu_erf(&inner, n, x, out);
    round_all(recipe_of(kernels)->results, n, out);
}

static void add_gated(const ff_kernels *kernels, size_t rows, size_t n, const float *y, ff_groups groups,
                      const float *gate, float *hidden)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.add_gated(&inner, rows, n, y, groups, gate, hidden);
    round_all(recipe_of(kernels)->results, rows * n, hidden);
}

static void guidance(const ff_kernels *kernels, size_t n, const float *conditional, const float *unconditional,
                     float g, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.guidance(&inner, n, conditional, unconditional, g, out);
    round_all(recipe_of(kernels)->results, n, out);
}

static void combine(const ff_kernels *kernels, size_t n, size_t terms, const float *const *x, const float *k,
                    float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.combine(&inner, n, terms, x, k, out);
    round_all(recipe_of(kernels)->results, n, out);
}

// ---- the tables ----

ff_kernels ff_verify_reduced(ff_reduced_precision reduced, ff_reduced_state *state)
{
    *state = (ff_reduced_state){.reduced = reduced};
    if (reduced == FF_NOT_REDUCED)
        return *ff_verify_kernels();
    ff_kernels table = ff_kernels_wrap(ff_verify_kernels(), state);
    table.name = recipes[reduced].name;
    table.matmul = matmul;
    table.convolution = convolution;
    table.attention = attention;
    table.layer_norm = layer_norm;
    table.layer_norm_modulate = layer_norm_modulate;
    table.rms_norm = rms_norm;
    table.channel_norm = channel_norm;
    table.rotary = rotary;
    table.add = add;
    table.multiply = multiply;
    table.silu = silu;
    table.gelu_tanh = gelu_tanh;
    table.gelu_erf = gelu_erf;
    table.add_gated = add_gated;
    table.guidance = guidance;
    table.combine = combine;
    return table;
}

ff_reduced_precision ff_reduced_precision_of(const ff_kernels *kernels)
{
    return kernels->matmul == matmul ? ((const ff_reduced_state *)kernels->user)->reduced : FF_NOT_REDUCED;
}

void ff_round_weights(const ff_kernels *kernels, size_t n, float *x)
{
    ff_reduced_precision reduced = ff_reduced_precision_of(kernels);
    if (reduced == FF_WEIGHTS_BFLOAT || reduced == FF_WEIGHTS_HALF)
        round_all(recipes[reduced].weights, n, x);
}

ff_kernels ff_verify_rounding(ff_precision precision, ff_reduced_state *state)
{
    static const ff_reduced_precision reductions[] = {
        [FF_SINGLE] = FF_NOT_REDUCED, [FF_BFLOAT] = FF_ALL_BFLOAT, [FF_HALF] = FF_ALL_HALF};
    return ff_verify_reduced(reductions[precision], state);
}

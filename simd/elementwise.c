// Sums and products of arrays, and rotary embedding.
#include "elements.h"
#include "simd.h"

static void add(const ff_kernels *kernels, size_t n, const float *a, const float *b, float *out)
{
#pragma omp parallel for if (n > ALONE)
    for (size_t first = 0; first < n; first += BLOCK)
        FOR_VECTORS(first, block_end(first, n), PUT(out, vec_add(GET(a), GET(b))));
}

static void multiply(const ff_kernels *kernels, size_t n, const float *a, const float *b, float *out)
{
#pragma omp parallel for if (n > ALONE)
    for (size_t first = 0; first < n; first += BLOCK)
        FOR_VECTORS(first, block_end(first, n), PUT(out, vec_mul(GET(a), GET(b))));
}

static void guidance(const ff_kernels *kernels, size_t n, const float *conditional, const float *unconditional,
                     float g, float *out)
{
    vec scale = vec_set(g);
#pragma omp parallel for if (n > ALONE)
    for (size_t first = 0; first < n; first += BLOCK)
        FOR_VECTORS(first, block_end(first, n), {
            vec u = GET(unconditional);
            PUT(out, vec_add(u, vec_mul(scale, vec_sub(GET(conditional), u))));
        });
}

static void combine(const ff_kernels *kernels, size_t n, size_t terms, const float *const *x, const float *k,
                    float *out)
{
#pragma omp parallel for if (n > ALONE)
    for (size_t first = 0; first < n; first += BLOCK)
        FOR_VECTORS(first, block_end(first, n), {
            vec sum = terms ? vec_mul(vec_set(k[0]), GET(x[0])) : vec_zero();
            for (size_t term = 1; term < terms; term++)
                sum = vec_add(sum, vec_mul(vec_set(k[term]), GET(x[term])));
            PUT(out, sum);
        });
}

static void add_gated(const ff_kernels *kernels, size_t rows, size_t n, const float *y, ff_groups groups,
                      const float *gate, float *hidden)
{
#pragma omp parallel for if (rows * n > ALONE)
    for (size_t row = 0; row < rows; row++) {
        const float *row_y = y + row * n, *row_gate = group_vector(groups, row, gate);
        float *to = hidden + row * n;
        FOR_VECTORS(0, n, PUT(to, vec_add(GET(to), vec_mul(GET(row_y), GET(row_gate)))));
    }
}

// (x0, x1) becomes (x0 cos + x1 (-sin), x1 cos + x0 sin): the same bits as the formula's.
static void rotary(const ff_kernels *kernels, size_t rows, size_t heads, size_t head_dim, const float *angles, float *x)
{
    const ivec minus = vec_bits(vec_alternate(vec_set(-0.0f), vec_zero()));  // the sign bit in even lanes
    const size_t paired = head_dim / 2 * 2;
#pragma omp parallel for if (rows * heads * head_dim > ALONE)
    for (size_t row = 0; row < rows; row++) {
        const float *angle = angles + row * head_dim;
        float *token = x + row * heads * head_dim;
        FOR_VECTORS(0, paired, {
            vec cosine = vec_double_even(GET(angle));
            vec sine = vec_from_bits(ivec_xor(vec_bits(vec_double_odd(GET(angle))), minus));
            for (size_t head = 0; head < heads; head++) {
                float *pairs = token + head * head_dim;
                vec pair = GET(pairs);
                PUT(pairs, vec_add(vec_mul(pair, cosine), vec_mul(vec_swap_pairs(pair), sine)));
            }
        });
    }
}

void FF_SIMD_NAME(ff_simd_elementwise_)(ff_kernels *table)
{
    table->add = add;
    table->multiply = multiply;
    table->guidance = guidance;
    table->combine = combine;
    table->add_gated = add_gated;
    table->rotary = rotary;
}

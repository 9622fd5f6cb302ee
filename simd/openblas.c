// The third backend: matrix products through OpenBLAS's sgemm. It keeps to no order of summation, so it agrees with the
// other kernels within rounding: an independent check, and the yardstick for their speed.
#include "simd.h"

#include <cblas.h>
#include <limits.h>
#include <omp.h>

#define MOST_WIDENED ((size_t)8 << 20)  // floats of the weights that are widened at once

// out[:, first...] = a b^T for `columns` rows of b: [columns, depth]
static void multiply(const ff_matmul *p, size_t first, size_t columns, const float *b, float *out, size_t out_stride)
{
    const size_t most = INT_MAX / 2;
    for (size_t row = 0; row < p->rows; row += most) {
        size_t rows = p->rows - row < most ? p->rows - row : most;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)rows, (blasint)columns, (blasint)p->depth, 1.0f,
                    p->a + row * p->a_stride, (blasint)p->a_stride, b, (blasint)p->depth, 0.0f,
                    out + row * out_stride + first, (blasint)out_stride);
    }
}

// Columns of 16-bit weights that are widened at once.
static size_t widened_columns(const ff_matmul *p)
{
    size_t block = p->depth < MOST_WIDENED ? MOST_WIDENED / p->depth : 1;
    return block < p->columns ? block : p->columns;
}

// The same with 16-bit weights.   widened: [widened_columns, depth]
static void multiply_widened(const ff_matmul *p, float *widened, float *out, size_t out_stride)
{
    size_t block = widened_columns(p);
    const ff_weight weight = {.data = p->b, .dtype = p->b_dtype};
    for (size_t first = 0; first < p->columns; first += block) {
        size_t columns = p->columns - first < block ? p->columns - first : block;
#pragma omp parallel for
        for (size_t column = 0; column < columns; column++)
            ff_weight_widen(&weight, (first + column) * p->depth, p->depth, widened + column * p->depth);
        multiply(p, first, columns, widened, out, out_stride);
    }
}

// y: [columns], a row's products
static void finish_row(const ff_matmul *p, const ff_kernels *own, size_t row, float *y)
{
    float *out = p->out + row * p->out_stride;
    const float *gate = p->gate;
    for (size_t column = 0; p->bias && column < p->columns; column++)
        y[column] += p->bias[column];
    switch (p->finish) {
    case FF_FINISH_STORE:
        break;
    case FF_FINISH_GELU_TANH:
        own->gelu_tanh(p->columns, y, y);
        break;
    case FF_FINISH_ADD:
        own->add(p->columns, out, y, out);
        break;
    case FF_FINISH_ADD_GATED:
        gate += p->groups.group ? p->groups.group[row] * p->groups.stride : 0;
        own->add_gated(1, p->columns, y, (ff_groups){0}, gate, out);
        break;
    }
}

static ff_status matmul(const ff_matmul *p)
{
    bool adds = p->finish == FF_FINISH_ADD || p->finish == FF_FINISH_ADD_GATED;
    size_t stride = adds ? p->columns : p->out_stride, sum_floats = 0, widened_floats = 0, bytes;
    ff_scratch own_scratch = {0}, *scratch = p->scratch ? p->scratch : &own_scratch;
    ff_kernels own;
    if (p->rows == 0 || p->columns == 0)
        return FF_OK;
    // OpenBLAS counts in int, and wants strides of at least 1
    if (p->depth == 0 || p->a_stride > INT_MAX || p->out_stride > INT_MAX || p->depth > INT_MAX ||
        p->columns > INT_MAX)
        return ff_kernels_scalar()->matmul(p);
    if ((adds && !ff_multiply_sizes(p->rows, p->columns, &sum_floats)) ||
        (p->b_dtype != FF_F32 && !ff_multiply_sizes(widened_columns(p), p->depth, &widened_floats)) ||
        !ff_add_sizes(sum_floats, widened_floats, &bytes) ||
        !ff_multiply_sizes(bytes ? bytes : 1, sizeof(float), &bytes))
        return FF_ERROR_MEMORY;
    float *memory = ff_scratch_take(scratch, bytes), *sums = adds ? memory : p->out;
    if (!memory)
        return FF_ERROR_MEMORY;
    if (openblas_get_num_threads() != omp_get_max_threads())
        openblas_set_num_threads(omp_get_max_threads());
    ff_status status = ff_simd_choose(FF_ISA_AUTO, &own, NULL);
    if (status == FF_OK && p->b_dtype == FF_F32)
        multiply(p, 0, p->columns, p->b, sums, stride);
    else if (status == FF_OK)
        multiply_widened(p, memory + sum_floats, sums, stride);
    if (status == FF_OK && (p->bias || p->finish != FF_FINISH_STORE)) {
#pragma omp parallel for
        for (size_t row = 0; row < p->rows; row++)
            finish_row(p, &own, row, sums + row * stride);
    }
    ff_scratch_free(&own_scratch);
    return status;
}

const char *ff_openblas_core(void)
{
    return openblas_get_corename();
}

void ff_openblas_products(ff_kernels *table)
{
    table->name = "openblas";
    table->matmul = matmul;
}

// The matrix product.
//
// With many rows, micro-panels of rows are copied from a and the weight's rows are packed as columns. With few, the two
// change places, so that the weight, which is then all the work, is only streamed: the weight's rows go into the
// micro-panels, a's rows are packed as columns, and micro-tiles come out transposed. fma(a, b, c) is fma(b, a, c).
#include "vector_elementary.h"
#include "pack.h"
#include "product.h"

#define FEW_ROWS 128

// ---- what happens to a sum before it is stored ----

// Columns [column, column + count) of a row, count at most VEC.
static inline void finish_vector(const ff_matmul *p, size_t row, size_t column, size_t count, vec sum)
{
    float *out = p->out + row * p->out_stride + column;
    if (p->bias)
        sum = vec_add(sum, vec_load_some(p->bias + column, count));
    if (p->finish == FF_FINISH_GELU_TANH) {
        sum = vec_gelu_tanh(sum);
    } else if (p->finish == FF_FINISH_ADD) {
        sum = vec_add(vec_load_some(out, count), sum);
    } else if (p->finish == FF_FINISH_ADD_GATED) {
        const float *gate = p->gate + (p->groups.group ? p->groups.group[row] * p->groups.stride : 0) + column;
        sum = vec_add(vec_load_some(out, count), vec_mul(sum, vec_load_some(gate, count)));
    }
    vec_store_some(out, count, sum);
}

// ---- many rows ----

static const float *fetch_rows(const void *source, size_t row, size_t count, size_t k, size_t n, float *room)
{
    const ff_matmul *p = source;
    for (size_t r = 0; r < count; r++)
        pack_run_as(LANES_F32, p->a + (row + r) * p->a_stride, k, n, room + r * KC_STRIDE);
    return room;
}

static void prefetch_rows(const void *source, size_t row, size_t count, size_t k, size_t n)
{
    const ff_matmul *p = source;
    for (size_t r = 0; r < count; r++)
        prefetch_run(p->a + (row + r) * p->a_stride + k, n * sizeof(float));
}

static void pack_weight(const void *source, size_t column, size_t count, size_t pitch, float *to)
{
    const ff_matmul *p = source;
    pack_transposed(&(packing){.rows = ff_operand_from(p->b, column, p->depth), .stride = p->depth,
                               .count = count, .channels = p->depth, .taps = 1, .pitch = pitch}, to);
}

static void finish_tile(const void *source, size_t row, size_t count, size_t column, size_t width, float *tile)
{
    for (size_t r = 0; r < count; r++)
        for (size_t c = 0; c < width; c += VEC)
            finish_vector(source, row + r, column + c, ff_smaller(VEC, width - c),
                          vec_load(tile + r * NR + c));
}

// ---- few rows ----

static const float *fetch_weight(const void *source, size_t row, size_t count, size_t k, size_t n, float *room)
{
    const ff_matmul *p = source;
    for (size_t r = 0; r < count; r++)
        pack_run(ff_operand_from(p->b, row + r, p->depth), k, n, room + r * KC_STRIDE);
    return room;
}

static void pack_rows(const void *source, size_t row, size_t count, size_t pitch, float *to)
{
    const ff_matmul *p = source;
    pack_transposed(&(packing){.rows = {.data = p->a + row * p->a_stride, .dtype = FF_F32}, .stride = p->a_stride,
                               .count = count, .channels = p->depth, .taps = 1, .pitch = pitch}, to);
}

// tile: [columns of out, rows of out], NR apart
static void finish_transposed(const void *source, size_t column, size_t width, size_t row, size_t count, float *tile)
{
    for (size_t c = 0; c < width; c += VEC)
        for (size_t r = 0; r < count; r += VEC) {
            vec block[VEC];
            for (size_t i = 0; i < VEC; i++)
                block[i] = c + i < width ? vec_load(tile + (c + i) * NR + r) : vec_zero();
            vec_transpose(block);
            for (size_t i = 0; i < VEC && r + i < count; i++)
                finish_vector(source, row + r + i, column + c, ff_smaller(VEC, width - c), block[i]);
        }
}

static ff_status matmul(const ff_kernels *kernels, const ff_matmul *p)
{
    const ff_product many = {.rows = p->rows, .columns = p->columns, .depth = p->depth, .source = p,
                             .scratch = kernels->scratch, .fetch = fetch_rows, .prefetch = prefetch_rows,
                             .pack = pack_weight, .finish = finish_tile};
    const ff_product few = {.rows = p->columns, .columns = p->rows, .depth = p->depth, .source = p,
                            .scratch = kernels->scratch, .fetch = fetch_weight, .pack = pack_rows,
                            .finish = finish_transposed};
    return ff_product_run(p->rows <= FEW_ROWS ? &few : &many);
}

void FF_SIMD_NAME(ff_simd_matmul_)(ff_kernels *table)
{
    table->matmul = matmul;
}

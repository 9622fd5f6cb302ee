// Softmax attention: scores of a block of queries with all keys, their exponentials, and the sum of values, each a
// product of micro-panels of rows with packed columns. Keys are packed transposed, values as they lie, once a head.
#include "vector_elementary.h"
#include "lanes.h"
#include "pack.h"
#include "product.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#define QUERY_PANELS ((size_t)4)             // micro-panels in a block of queries
#define PACKED_FLOATS ((size_t)4 << 20)      // heads are packed together up to this many floats, or alone
#define ALONE 1e6
#define VALUES_AHEAD 16                      // rows of values lie too far apart for the processor to foresee them

_Static_assert(QUERY_PANELS <= MC_PANELS, "a block of queries is one block of the product");

// One head's share of the work, and a block of its queries.
//   scores: micro-panels [panel][KC of keys], where the product with the values reads them
typedef struct block {
    const ff_attention *p;
    size_t head, query, height;  // first query; queries in a micro-panel
    float *scores;
    float *most;  // [rows, VEC], the largest scores of each row so far; NaN is passed over
    float sums[QUERY_PANELS * MR];
} block;

// Where the score of a row of the block with a key is.
static float *score_at(const block *b, size_t row, size_t key)
{
    size_t depth_blocks = divide_up(b->p->keys, KC);
    size_t panel = row / b->height * depth_blocks + key / KC;
    return b->scores + panel * ROW_PANEL_FLOATS + row % b->height * KC_STRIDE + key % KC;
}

// ---- scores: queries times keys ----

static const float *fetch_queries(const void *source, size_t row, size_t count, size_t k, size_t n, float *room)
{
    const block *b = source;
    const float *q = b->p->q + (b->query + row) * b->p->q_stride + b->head * b->p->head_dim;
    for (size_t r = 0; r < count; r++)
        pack_run_as(LANES_F32, q + r * b->p->q_stride, k, n, room + r * KC_STRIDE);
    return room;
}

static void pack_keys(const void *source, size_t column, size_t count, size_t pitch, float *to)
{
    const block *b = source;
    const ff_attention *p = b->p;
    const float *rows = p->k + column * p->k_stride + b->head * p->head_dim;
    pack_transposed(&(packing){.rows = {.data = rows, .dtype = FF_F32}, .stride = p->k_stride,
                               .count = count, .channels = p->head_dim, .taps = 1, .pitch = pitch}, to);
}

static void finish_scores(const void *source, size_t row, size_t count, size_t key, size_t width, float *tile)
{
    const block *b = source;
    const ff_attention *p = b->p;
    for (size_t r = 0; r < count; r++) {
        float *to = score_at(b, row + r, key);
        float *most = b->most + (row + r) * VEC;
        const float *bias = p->bias ? p->bias + (b->head * p->queries + b->query + row + r) * p->keys + key : NULL;
        for (size_t c = 0; c < width; c += VEC) {
            vec score = vec_mul(vec_load(tile + r * NR + c), vec_set(p->scale));
            if (bias)
                score = vec_add(score, vec_load_some(bias + c, ff_smaller(VEC, width - c)));
            vec_store(to + c, score);
            if (c + VEC <= width)
                vec_store(most, vec_max(score, vec_load(most)));
            else
                for (size_t i = 0; c + i < width; i++)
                    most[i] = to[c + i] > most[i] ? to[c + i] : most[i];
        }
    }
}

// ---- softmax ----

static float largest(const float most[VEC])
{
    float best = -INFINITY;
    for (size_t i = 0; i < VEC; i++)
        best = most[i] > best ? most[i] : best;
    return best;
}

// s -> exp(s - max) over a row of scores; returns the lane sum.
static float exponentials(const block *b, size_t row)
{
    vec most = vec_set(largest(b->most + row * VEC)), lanes[LANE_VECTORS];
    for (size_t i = 0; i < LANE_VECTORS; i++)
        lanes[i] = vec_zero();
    for (size_t first = 0; first < b->p->keys; first += KC) {
        float *s = score_at(b, row, first);
        size_t n = ff_smaller(KC, b->p->keys - first);
        for (size_t j = 0; j < n; j += LANES)
            for (size_t i = 0; i < LANE_VECTORS && j + i * VEC < n; i++) {
                vec e = vec_exp(vec_sub(vec_load(s + j + i * VEC), most));
                vec_store(s + j + i * VEC, e);
                lanes[i] = vec_add(lanes[i], vec_keep_some(e, lanes_left(n, j + i * VEC)));
            }
    }
    return lanes_fold(lanes);
}

// ---- out: exponentials times values ----

static const float *fetch_exponentials(const void *source, size_t row, size_t count, size_t k, size_t n, float *room)
{
    return score_at(source, row, k);
}

static void pack_values(const void *source, size_t column, size_t count, size_t pitch, float *to)
{
    const block *b = source;
    const float *v = b->p->v + b->head * b->p->head_dim + column;
    for (size_t key = 0; key < b->p->keys; key++) {
        __builtin_prefetch(v + (key + VALUES_AHEAD) * b->p->v_stride);
        vec_store(to + key * pitch, vec_load_some(v + key * b->p->v_stride, count));
    }
}

static void finish_out(const void *source, size_t row, size_t count, size_t column, size_t width, float *tile)
{
    const block *b = source;
    const ff_attention *p = b->p;
    for (size_t r = 0; r < count; r++) {
        float *out = p->out + ((b->query + row + r) * p->heads + b->head) * p->head_dim + column;
        for (size_t c = 0; c < width; c += VEC)
            vec_store_some(out + c, ff_smaller(VEC, width - c),
                           vec_div(vec_load(tile + r * NR + c), vec_set(b->sums[row + r])));
    }
}

// ---- all together ----

static ff_product product_with_keys(const block *b)
{
    return (ff_product){.rows = b->p->queries, .columns = b->p->keys, .depth = b->p->head_dim, .source = b,
                        .fetch = fetch_queries, .pack = pack_keys, .finish = finish_scores};
}

static ff_product product_with_values(const block *b)
{
    return (ff_product){.rows = b->p->queries, .columns = b->p->head_dim, .depth = b->p->keys, .source = b,
                        .fetch = fetch_exponentials, .pack = pack_values, .finish = finish_out};
}

static void multiply(const ff_product *product, size_t rows, size_t height, const float *packed, float *workspace)
{
    size_t nc = ff_product_nc(product->columns);
    for (size_t first = 0; first < product->columns; first += nc)
        ff_product_macro_kernel(product, 0, rows, height, first, ff_smaller(nc, product->columns - first),
                                packed + first * product->depth, workspace);
}

static void attend(block *b, size_t rows, const float *keys, const float *values, float *workspace)
{
    ff_product with_keys = product_with_keys(b), with_values = product_with_values(b);
    for (size_t row = 0; row < rows; row++)
        vec_store(b->most + row * VEC, vec_set(-INFINITY));
    multiply(&with_keys, rows, b->height, keys, workspace);
    for (size_t row = 0; row < rows; row++)
        b->sums[row] = exponentials(b, row);
    multiply(&with_values, rows, b->height, values, workspace);
}

static ff_status attention(const ff_kernels *kernels, const ff_attention *p)
{
    if (p->queries == 0 || p->keys == 0 || p->heads == 0 || p->head_dim == 0)
        return FF_OK;
    bool alone = (double)p->queries * (double)p->keys * (double)p->head_dim * (double)p->heads < ALONE;
    size_t threads = alone ? 1 : (size_t)omp_get_max_threads();
    size_t panels = divide_up(p->queries, MR), height = divide_up(p->queries, panels);
    size_t block_rows = QUERY_PANELS * height, blocks = divide_up(p->queries, block_rows);
    size_t key_floats, value_floats, head_floats, own_floats, floats;
    if (!ff_product_packed(p->keys, p->head_dim, &key_floats) ||
        !ff_product_packed(p->head_dim, p->keys, &value_floats) ||
        !ff_add_sizes(key_floats, value_floats, &head_floats) ||
        !ff_multiply_sizes(divide_up(p->keys, KC), QUERY_PANELS * ROW_PANEL_FLOATS, &own_floats) ||
        !ff_add_sizes(own_floats, WORKSPACE_FLOATS, &own_floats) || !ff_multiply_sizes(own_floats, threads, &floats))
        return FF_ERROR_MEMORY;
    size_t most_heads = ff_smaller(p->heads, PACKED_FLOATS / head_floats ? PACKED_FLOATS / head_floats : 1);
    size_t packed_floats;
    if (!ff_multiply_sizes(most_heads, head_floats, &packed_floats) || !ff_add_sizes(floats, packed_floats, &floats))
        return FF_ERROR_MEMORY;
    float *packed = ff_product_memory(kernels->scratch, floats);
    if (!packed)
        return FF_ERROR_MEMORY;
    size_t key_vectors = divide_up(p->keys, VEC), value_vectors = divide_up(p->head_dim, VEC);
#pragma omp parallel num_threads(threads) if (!alone)
    {
        float *workspace = packed + packed_floats + (size_t)omp_get_thread_num() * own_floats;
        float most[QUERY_PANELS * MR * VEC];
        block b = {.p = p, .height = height, .scores = workspace + WORKSPACE_FLOATS, .most = most};
        for (size_t first = 0; first < p->heads; first += most_heads) {
            size_t heads = ff_smaller(most_heads, p->heads - first);
#pragma omp for schedule(dynamic, 4)
            for (size_t task = 0; task < heads * (key_vectors + value_vectors); task++) {
                size_t head = task / (key_vectors + value_vectors), vector = task % (key_vectors + value_vectors);
                float *keys = packed + head * head_floats;
                b.head = first + head;
                if (vector < key_vectors) {
                    ff_product product = product_with_keys(&b);
                    ff_product_pack(&product, 0, p->keys, vector * VEC, keys);
                } else {
                    ff_product product = product_with_values(&b);
                    ff_product_pack(&product, 0, p->head_dim, (vector - key_vectors) * VEC, keys + key_floats);
                }
            }
#pragma omp for schedule(dynamic)
            for (size_t task = 0; task < heads * blocks; task++) {
                const float *keys = packed + task / blocks * head_floats;
                b.head = first + task / blocks;
                b.query = task % blocks * block_rows;
                attend(&b, ff_smaller(block_rows, p->queries - b.query), keys, keys + key_floats, workspace);
            }
        }
    }
    ff_product_leave(kernels->scratch, packed);
    return FF_OK;
}

void FF_SIMD_NAME(ff_simd_attention_)(ff_kernels *table)
{
    table->attention = attention;
}

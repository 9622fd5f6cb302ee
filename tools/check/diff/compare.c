#include "compare.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "pairing.h"

// Pieces worked on at once, by all threads, and how many such batches pass before memory may be dropped. Pieces that do
// not follow each other in memory touch up to 64 pages of each tensor, which the system reads in groups of 16.
#define BATCH 256
#define BATCH_OUT_OF_ORDER 32
#define BATCHES_KEPT 8
#define WORTH_A_TEAM 8  // pieces

// Distances in steps between floats are counted one by one below EXACT, above in EXACT / 2 parts of each octave.
#define EXACT 4096
#define EXACT_BITS 12
#define BUCKETS (EXACT + (32 - EXACT_BITS) * (EXACT / 2))

#define LANES 4  // of the sums, so that they can be vectorised and are the same in any case

// What a piece comes to, or all pieces so far.
typedef struct partial {
    size_t count, different, first_different, nan_a, nan_b, inf_a, inf_b, unmatched;
    size_t finite;                   // pairs that all below is of
    double max_abs;
    size_t max_abs_index;
    double difference2, a2, b2, ab;  // sums of squares and of products
    uint32_t max_ulp;
} partial;

struct ff_tensor_comparison {
    partial sum;
    partial *pieces;      // [BATCH]
    int threads, busy;    // busy: those that have counted anything
    size_t *histograms;   // [threads, BUCKETS] finite pairs by their distance in steps between floats
};

static const partial nothing = {.first_different = SIZE_MAX};

ff_tensor_comparison *ff_tensor_comparison_create(void)
{
    ff_tensor_comparison *comparison = calloc(1, sizeof *comparison);
    if (!comparison)
        return NULL;
    comparison->threads = omp_get_max_threads();
    comparison->pieces = malloc(BATCH * sizeof *comparison->pieces);
    comparison->histograms = calloc((size_t)comparison->threads, BUCKETS * sizeof *comparison->histograms);
    if (!comparison->pieces || !comparison->histograms) {
        ff_tensor_comparison_destroy(comparison);
        return NULL;
    }
    comparison->sum = nothing;
    return comparison;
}

void ff_tensor_comparison_destroy(ff_tensor_comparison *comparison)
{
    if (!comparison)
        return;
    free(comparison->pieces);
    free(comparison->histograms);
    free(comparison);
}

// ---- steps between floats ----

static size_t bucket_of(uint32_t steps)
{
    if (steps < EXACT)
        return steps;
    int octave = 31 - __builtin_clz(steps) - EXACT_BITS;
    return EXACT + (size_t)octave * (EXACT / 2) + ((steps >> (octave + 1)) & (EXACT / 2 - 1));
}

void ff_tensor_comparison_clear(ff_tensor_comparison *comparison)
{
    size_t used = bucket_of(comparison->sum.max_ulp) + 1;
    for (int thread = 0; thread < comparison->busy; thread++)
        memset(comparison->histograms + (size_t)thread * BUCKETS, 0, used * sizeof *comparison->histograms);
    comparison->busy = 0;
    comparison->sum = nothing;
}

// The most steps that fall into a bucket.
static uint32_t bucket_end(size_t bucket)
{
    if (bucket < EXACT)
        return (uint32_t)bucket;
    uint32_t octave = (uint32_t)((bucket - EXACT) / (EXACT / 2)), part = (uint32_t)((bucket - EXACT) % (EXACT / 2));
    return ((EXACT / 2 + part + 1) << (octave + 1)) - 1;
}

// Compiled into a function for each instruction set below; the operations, and so the results, are the same.
#define IN_EACH static inline __attribute__((always_inline))

// Floats in their order as whole numbers, neighbours 1 apart, both zeros 0.
IN_EACH int32_t place_of(double value)
{
    float rounded = (float)value;
    int32_t bits;
    memcpy(&bits, &rounded, sizeof bits);
    return bits < 0 ? (int32_t)(0x80000000u - (uint32_t)bits) : bits;
}

IN_EACH void count_steps(size_t count, const double *a, const double *b, size_t *histogram, partial *out)
{
    uint32_t steps[FF_PIECE_ELEMENTS], most = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t p = place_of(a[i]), q = place_of(b[i]);
        steps[i] = p > q ? (uint32_t)p - (uint32_t)q : (uint32_t)q - (uint32_t)p;
        most = steps[i] > most ? steps[i] : most;
    }
    for (size_t i = 0; i < count; i++)
        histogram[bucket_of(steps[i])]++;
    out->max_ulp = most;
}

// ---- a piece ----

// Counts pairs in which something is not finite and makes them pairs of zeros.
static void set_aside(size_t count, double *a, double *b, partial *out)
{
    for (size_t i = 0; i < count; i++) {
        bool nan_a = isnan(a[i]), nan_b = isnan(b[i]), inf_a = isinf(a[i]), inf_b = isinf(b[i]);
        out->nan_a += nan_a;
        out->nan_b += nan_b;
        out->inf_a += inf_a;
        out->inf_b += inf_b;
        if (nan_a || nan_b || inf_a || inf_b) {
            out->unmatched += !(nan_a && nan_b) && a[i] != b[i];
            out->finite--;
            a[i] = b[i] = 0;
        }
    }
}

// The first position of a pair that is not equal.
static size_t find_difference(size_t count, const double *a, const double *b)
{
    size_t i = 0;
    while (i < count && (a[i] == b[i] || (isnan(a[i]) && isnan(b[i]))))
        i++;
    return i;
}

static double fold(const double lanes[LANES])
{
    double sum = 0;
    for (int l = 0; l < LANES; l++)
        sum += lanes[l];
    return sum;
}

// Sums over pairs; a and b have room for LANES - 1 zeros more. False if something is not finite.
IN_EACH bool add_up(size_t count, double *a, double *b, partial *out)
{
    double difference2[LANES] = {0}, a2[LANES] = {0}, b2[LANES] = {0}, ab[LANES] = {0}, most[LANES] = {0};
    double different[LANES] = {0};
    for (size_t i = count; i % LANES != 0; i++)
        a[i] = b[i] = 0;
    for (size_t i = 0; i < count; i += LANES)
        for (int l = 0; l < LANES; l++) {
            double x = a[i + (size_t)l], y = b[i + (size_t)l], difference = x - y, size = fabs(difference);
            difference2[l] += difference * difference;
            a2[l] += x * x;
            b2[l] += y * y;
            ab[l] += x * y;
            most[l] = size > most[l] ? size : most[l];
            different[l] += x == y ? 0.0 : 1.0;
        }
    out->difference2 = fold(difference2);
    out->a2 = fold(a2);
    out->b2 = fold(b2);
    out->ab = fold(ab);
    out->max_abs = 0;
    for (int l = 0; l < LANES; l++)
        out->max_abs = most[l] > out->max_abs ? most[l] : out->max_abs;
    out->different = out->unmatched + (size_t)fold(different);
    return isfinite(out->a2 + out->b2);
}

IN_EACH partial compare_piece(const ff_pairing *pairing, size_t piece, size_t *histogram)
{
    double a[FF_PIECE_ELEMENTS + LANES], b[FF_PIECE_ELEMENTS + LANES];
    size_t count = ff_pairing_read(pairing, piece, a, b);
    partial out = {.count = count, .finite = count};
    bool finite = add_up(count, a, b, &out);
    size_t first = out.different ? find_difference(count, a, b) : 0;
    if (!finite) {
        set_aside(count, a, b, &out);
        add_up(count, a, b, &out);
    }
    out.first_different = out.different ? ff_pairing_index(pairing, piece, first) : SIZE_MAX;
    if (out.different > out.unmatched) {
        count_steps(count, a, b, histogram, &out);
        histogram[0] -= count - out.finite;
    } else {
        histogram[0] += out.finite;
    }
    return out;
}

static partial compare_piece_anywhere(const ff_pairing *pairing, size_t piece, size_t *histogram)
{
    return compare_piece(pairing, piece, histogram);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static partial compare_piece_avx2(const ff_pairing *pairing, size_t piece,
                                                                  size_t *histogram)
{
    return compare_piece(pairing, piece, histogram);
}
#endif

typedef partial (*piece_comparer)(const ff_pairing *pairing, size_t piece, size_t *histogram);

static piece_comparer choose_comparer(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return compare_piece_avx2;
#endif
    return compare_piece_anywhere;
}

// ---- all pieces ----

// base: index of the tensor's first element among all
static void merge(partial *sum, const partial *piece, size_t base)
{
    sum->count += piece->count;
    sum->finite += piece->finite;
    sum->different += piece->different;
    if (piece->different && base + piece->first_different < sum->first_different)
        sum->first_different = base + piece->first_different;
    sum->nan_a += piece->nan_a;
    sum->nan_b += piece->nan_b;
    sum->inf_a += piece->inf_a;
    sum->inf_b += piece->inf_b;
    sum->unmatched += piece->unmatched;
    sum->max_abs = piece->max_abs > sum->max_abs ? piece->max_abs : sum->max_abs;
    sum->difference2 += piece->difference2;
    sum->a2 += piece->a2;
    sum->b2 += piece->b2;
    sum->ab += piece->ab;
    sum->max_ulp = piece->max_ulp > sum->max_ulp ? piece->max_ulp : sum->max_ulp;
}

// The index of the pair that lies furthest apart in a piece.
static size_t find_largest(const ff_pairing *pairing, size_t piece, double max_abs)
{
    double a[FF_PIECE_ELEMENTS], b[FF_PIECE_ELEMENTS];
    size_t count = ff_pairing_read(pairing, piece, a, b), i = 0;
    while (i + 1 < count && !(isfinite(a[i]) && isfinite(b[i]) && fabs(a[i] - b[i]) == max_abs))
        i++;
    return ff_pairing_index(pairing, piece, i);
}

ff_status ff_tensor_comparison_add(ff_tensor_comparison *comparison, const ff_strided *a, const ff_strided *b,
                                   void (*between)(void *user), void *user, ff_error *error)
{
    ff_pairing pairing;
    ff_status status = ff_pairing_make(a, b, &pairing, error);
    if (status)
        return status;
    size_t base = comparison->sum.count, batch = pairing.in_order ? BATCH : BATCH_OUT_OF_ORDER, kept = 0;
    piece_comparer compare = choose_comparer();
    size_t largest = SIZE_MAX;  // the piece with the largest difference so far
    for (size_t first = 0; first < pairing.pieces; first += batch) {
        size_t count = pairing.pieces - first < batch ? pairing.pieces - first : batch;
        int threads = count > WORTH_A_TEAM ? comparison->threads : 1;
        comparison->busy = threads > comparison->busy ? threads : comparison->busy;
#pragma omp parallel for schedule(static) num_threads(threads)
        for (size_t i = 0; i < count; i++)
            comparison->pieces[i] = compare(&pairing, first + i,
                                            comparison->histograms + (size_t)omp_get_thread_num() * BUCKETS);
        for (size_t i = 0; i < count; i++) {
            largest = comparison->pieces[i].max_abs > comparison->sum.max_abs ? first + i : largest;
            merge(&comparison->sum, &comparison->pieces[i], base);
        }
        if (between && (++kept % BATCHES_KEPT == 0 || !pairing.in_order))
            between(user);
    }
    if (largest != SIZE_MAX)
        comparison->sum.max_abs_index = base + find_largest(&pairing, largest, comparison->sum.max_abs);
    if (between)
        between(user);
    return FF_OK;
}

// The smallest distance that `percent` of 100 pairs do not exceed.
static uint32_t percentile(const ff_tensor_comparison *comparison, size_t percent)
{
    size_t pairs = comparison->sum.finite, seen = 0;
    size_t wanted = pairs / 100 * percent + (pairs % 100 * percent + 99) / 100;
    for (size_t bucket = 0; seen < pairs; bucket++) {
        for (int thread = 0; thread < comparison->busy; thread++)
            seen += comparison->histograms[(size_t)thread * BUCKETS + bucket];
        if (seen >= wanted) {
            uint32_t end = bucket_end(bucket);
            return end < comparison->sum.max_ulp ? end : comparison->sum.max_ulp;
        }
    }
    return 0;
}

ff_distance ff_tensor_comparison_result(const ff_tensor_comparison *comparison)
{
    const partial *sum = &comparison->sum;
    ff_distance result = {
        .count = sum->count, .different = sum->different, .first_different = sum->first_different,
        .nan_a = sum->nan_a, .nan_b = sum->nan_b, .inf_a = sum->inf_a, .inf_b = sum->inf_b,
        .unmatched = sum->unmatched, .max_abs = sum->max_abs, .max_abs_index = sum->max_abs_index,
        .norm_a = sqrt(sum->a2), .norm_b = sqrt(sum->b2),
        .ulp50 = percentile(comparison, 50), .ulp99 = percentile(comparison, 99),
        .ulp100 = sum->max_ulp,
    };
    double against = sum->a2 > 0 ? result.norm_a : result.norm_b;
    result.relative_l2 = sum->different == sum->unmatched ? 0 : sqrt(sum->difference2) / against;
    result.cosine = against == 0 ? 1 : result.norm_a == 0 || result.norm_b == 0 ? 0 :
                    sum->ab / (result.norm_a * result.norm_b);
    result.cosine = result.cosine > 1 ? 1 : result.cosine < -1 ? -1 : result.cosine;
    if (isnan(result.relative_l2))
        result.relative_l2 = INFINITY;
    return result;
}

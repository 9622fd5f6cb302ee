// How far two tensors are apart, gathered piece by piece: neither is copied, converted as a whole or held in memory.
//
//     ff_tensor_comparison *comparison = ff_tensor_comparison_create();
//     ff_strided a = ff_strided_of(&weight), b = ff_strided_of_floats(computed, rank, shape);
//     ff_status status = ff_tensor_comparison_add(comparison, &a, &b, NULL, NULL, error);
//     ff_distance distance = ff_tensor_comparison_result(comparison);
//
// Results do not depend on the number of threads.
#ifndef FF_COMPARE_H
#define FF_COMPARE_H

#include "base/tensor.h"

#define FF_STRIDED_MOST_AXES 8

// Numbers lying somewhere, seen as a tensor: element [i, j, ...] is data[i * stride[0] + j * stride[1] + ...].
// data may be unaligned and of any element type.
typedef struct ff_strided {
    const void *data;
    ff_dtype dtype;
    int rank;
    size_t shape[FF_STRIDED_MOST_AXES], stride[FF_STRIDED_MOST_AXES];
} ff_strided;

ff_strided ff_strided_of(const ff_weight *weight);
ff_strided ff_strided_of_floats(const float *data, int rank, const size_t *shape);
ff_strided ff_strided_of_doubles(const double *data, int rank, const size_t *shape);
size_t ff_strided_count(const ff_strided *view);
void ff_strided_read(const ff_strided *view, float *out);      // all elements in row-major order, rounded to f32

// What was found. Index i counts the elements of a in row-major order, over all tensors added.
typedef struct ff_distance {
    size_t count;
    size_t different;              // pairs that are not equal; NaN equals NaN, 0 equals -0
    size_t first_different;        // index of the first of them; SIZE_MAX if there is none
    size_t nan_a, nan_b, inf_a, inf_b;
    size_t unmatched;              // different pairs with a NaN or an infinity; they are left out of all that follows
    double max_abs;                // largest |a - b|
    size_t max_abs_index;
    double norm_a, norm_b;         // L2 norms
    double relative_l2;            // |a - b| / |a|, or / |b| where a is all zeros; infinite if that overflows
    double cosine;                 // 1 where both are zeros, 0 where one is
    uint32_t ulp50, ulp99, ulp100; // percentiles of the distance of a and b rounded to float32, in steps between
                                   // neighbouring floats; below 4096 exact, above at most 1/2048 too high
} ff_distance;

typedef struct ff_tensor_comparison ff_tensor_comparison;
ff_tensor_comparison *ff_tensor_comparison_create(void);               // NULL without memory
void ff_tensor_comparison_destroy(ff_tensor_comparison *comparison);   // NULL allowed
void ff_tensor_comparison_clear(ff_tensor_comparison *comparison);     // as new

// Goes on with another tensor, or part of one. The elements of each are taken in row-major order; shapes need not be
// the same, but an axis of one must be an axis of the other, or several of them, or a part. between: called now and
// then, by one thread, when everything read so far may be dropped from memory; may be NULL.
// FF_ERROR_INPUT: not as many elements in both, or axes that do not divide into each other.
ff_status ff_tensor_comparison_add(ff_tensor_comparison *comparison, const ff_strided *a, const ff_strided *b,
                                   void (*between)(void *user), void *user, ff_error *error);
ff_distance ff_tensor_comparison_result(const ff_tensor_comparison *comparison);

#endif

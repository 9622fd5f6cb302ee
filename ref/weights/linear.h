// Linear layers: the one place where a stage's weight meets its input.
#ifndef FF_LINEAR_H
#define FF_LINEAR_H

#include "../kernels/kernels.h"
#include "weights.h"

// A product that is added to a layer's own: factor * up(down(x)), LoRA's s * B A x; without down, factor * up(x).
typedef struct ff_linear_addition {
    ff_weight down;  // [rank, depth]; data NULL: there is none, and rank is depth
    ff_weight up;    // [columns, rank]
    float factor;
} ff_linear_addition;

// y = x weight^T + bias, then y + factor * u for each addition in turn, u = chain(up, chain(down, x)): the product and
// the sum are rounded.
typedef struct ff_linear {
    ff_weight weight;                     // [columns, ...], whose other axes make up the depth
    const float *bias;                    // [columns] or NULL
    const ff_linear_addition *additions;  // [addition_count]
    size_t addition_count;
} ff_linear;

// What becomes of y, as for ff_matmul.
typedef struct ff_linear_finish {
    ff_finish kind;
    ff_groups groups;   // FF_FINISH_ADD_GATED: gate is [groups, columns]
    const float *gate;
} ff_linear_finish;

// out: [rows, columns] from x: [rows, depth].   finish: NULL stores y
// Without additions it is one call of the kernels' matmul. With a scratch that counts, x and out are not looked at.
// Fails only for want of memory; out is then undefined.
ff_status ff_linear_apply(const ff_linear *linear, const ff_kernels *kernels, size_t rows, const float *x,
                          const ff_linear_finish *finish, float *out);

// Multiply-adds that the additions take for each row.
double ff_linear_added(const ff_linear *linear);

#endif

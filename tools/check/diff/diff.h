// Two dumps, tensor by tensor, in the order in which a run computes them.
#ifndef FF_DIFF_H
#define FF_DIFF_H

#include "compare.h"
#include "order.h"
#include "tensors.h"

// What may be apart by how much: relative L2, or where both tensors hold whole numbers, the largest difference.
typedef struct ff_tolerance {
    const char *pattern;   // of names; * stands for anything
    double value;
    bool whole;            // for whole numbers, too
} ff_tolerance;

// Where no pattern matches, the last of several deciding: 5e-5 as for a whole run, and 1 for U8 (a level of a pixel);
// other whole numbers must be equal.
#define FF_TOLERANCE_RUN 5e-5
#define FF_TOLERANCE_PIXEL 1

typedef struct ff_diff_row {
    const char *name;
    ff_place place;
    const ff_tensor *a, *b;  // NULL: not in this dump
    bool shapes_differ;      // nothing below is known then, but `beyond` is set
    bool whole;              // both hold whole numbers
    ff_distance distance;
    double error;            // what the tolerance is for; infinite where just one is NaN or infinite
    double tolerance;
    bool beyond;
} ff_diff_row;

typedef struct ff_diff {
    ff_diff_row *rows;       // in execution order; names that are no dump's at the end, as they lie in a
    size_t count;
    size_t equal, within, beyond;  // tensors in both: without a difference; within the tolerance; beyond it
    size_t only_a, only_b;
    size_t first;            // the first beyond its tolerance; count if there is none
} ff_diff;

// between: called after each tensor; a true result ends the comparison with FF_CANCELLED. May be NULL.
// FF_ERROR_INPUT: no name is in both.
ff_status ff_diff_run(const ff_tensors *a, const ff_tensors *b, const ff_tolerance *tolerances, size_t tolerance_count,
                      bool (*between)(void *user), void *user, ff_diff *out, ff_error *error);
void ff_diff_free(ff_diff *diff);

bool ff_name_matches(const char *pattern, const char *name);

#endif

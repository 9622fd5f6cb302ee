// How a tensor of another program is brought to the layout of ours, without being copied.
#ifndef FF_ARRANGE_H
#define FF_ARRANGE_H

#include "compare.h"

// A tensor with its shape. The view holds the same elements in the same order; its axes are those of the shape, or,
// after a reshape of what does not lie in row-major order, still the ones before.
typedef struct ff_arranged {
    ff_strided view;
    int rank;
    size_t shape[FF_STRIDED_MOST_AXES];
} ff_arranged;

ff_arranged ff_arranged_of(const ff_weight *weight);

typedef enum ff_arrangement_kind {
    FF_ARRANGE_TRANSPOSE,       // the last two axes change places
    FF_ARRANGE_PERMUTE,         // axis i becomes what was axis number[i]
    FF_ARRANGE_RESHAPE,         // one number may be -1: what is left
    FF_ARRANGE_SELECT,          // of axis number[0], only element number[1]; the axis goes
    FF_ARRANGE_CHANNELS_FIRST,  // the last axis becomes the first
    FF_ARRANGE_CHANNELS_LAST,   // the first axis longer than 1 becomes the last
} ff_arrangement_kind;

typedef struct ff_arrangement {
    ff_arrangement_kind kind;
    int count;
    long long number[FF_STRIDED_MOST_AXES];
} ff_arrangement;

// words: the operation's name and its numbers. FF_ERROR_INPUT: a sentence that goes on after "FILE:LINE: ".
ff_status ff_arrangement_parse(int count, char *const *words, ff_arrangement *out, ff_error *error);
// FF_ERROR_INPUT, the same: the tensor has other axes than the operation asks for.
ff_status ff_arrange(const ff_arrangement *arrangement, ff_arranged *tensor, ff_error *error);

#endif

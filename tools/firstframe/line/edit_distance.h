// How alike two names are, for "did you mean".
#ifndef FF_EDIT_DISTANCE_H
#define FF_EDIT_DISTANCE_H

#include <stddef.h>

#define FF_LONGEST_NAME 64  // bytes, with the 0 at its end

// Single letters wrong, missing, extra or swapped between a and b. FF_LONGEST_NAME if one of them is longer than that.
size_t ff_edit_distance(const char *a, const char *b);

#endif

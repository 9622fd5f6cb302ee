// Two views of as many elements, cut into pieces small enough for a processor's cache, whichever way each lies in
// memory.
#ifndef FF_PAIRING_H
#define FF_PAIRING_H

#include "compare.h"

#define FF_PIECE_ELEMENTS 2048
#define FF_PAIRING_MOST_AXES (2 * FF_STRIDED_MOST_AXES)

typedef struct ff_pairing {
    const ff_strided *a, *b;
    bool in_order;             // both are read from beginning to end
    size_t pieces;
    int rank;                  // of the axes below: those of the views, divided and joined until they agree
    size_t extent[FF_PAIRING_MOST_AXES], stride_a[FF_PAIRING_MOST_AXES], stride_b[FF_PAIRING_MOST_AXES];
    size_t step[FF_PAIRING_MOST_AXES];   // in the views' row-major order
    size_t block[FF_PAIRING_MOST_AXES];  // extent of a piece
} ff_pairing;

// Both views must stay where they are.
// FF_ERROR_INPUT: not as many elements in both, or axes that do not divide into each other.
ff_status ff_pairing_make(const ff_strided *a, const ff_strided *b, ff_pairing *out, ff_error *error);

// Reads a piece as doubles, into room for FF_PIECE_ELEMENTS each. Returns how many there are.
size_t ff_pairing_read(const ff_pairing *pairing, size_t piece, double *a, double *b);
// The row-major index of a piece's element at position `at`; grows with `at`.
size_t ff_pairing_index(const ff_pairing *pairing, size_t piece, size_t at);

#endif

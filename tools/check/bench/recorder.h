// A table of kernels that counts the products it passes on: how many, and of which shapes.
#ifndef FF_RECORDER_H
#define FF_RECORDER_H

#include "kernels/kernels.h"

// [rows, depth] times [depth, columns], that ran `count` times. A convolution is the product of its output pixels with
// its kernel, attention two products a head.
typedef struct ff_recorded {
    size_t rows, columns, depth, count;
} ff_recorded;

#define FF_MOST_PRODUCTS 256

typedef struct ff_recorder {
    ff_recorded products[FF_MOST_PRODUCTS];  // unequal shapes; those beyond are in `flop` alone
    size_t count;
    double flop;                            // two for each multiply-add, those with the padding's zeros included
} ff_recorder;

double ff_recorded_flop(const ff_recorded *product);  // of all its runs

// Products of the returned table, which wraps `inner`, are added to *recorder, which begins anew.
ff_kernels ff_recorder_kernels(ff_recorder *recorder, const ff_kernels *inner);

#endif

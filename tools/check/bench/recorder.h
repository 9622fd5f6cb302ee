// A table of kernels that counts the products it passes on: how many, and of which shapes.
#ifndef FF_RECORDER_H
#define FF_RECORDER_H

#include "kernels/kernels.h"

// [rows, depth] times [depth, columns], that ran `count` times. A convolution is the product of its output pixels with
// its kernel, attention two products a head.
typedef struct ff_product {
    size_t rows, columns, depth, count;
} ff_product;

#define FF_MOST_PRODUCTS 256

typedef struct ff_recorder {
    const ff_kernels *inner;
    ff_product products[FF_MOST_PRODUCTS];  // unequal shapes; those beyond are in `flop` alone
    size_t count;
    double flop;                            // two for each multiply-add, those with the padding's zeros included
} ff_recorder;

double ff_product_flop(const ff_product *product);  // of all its runs

// Products of the returned table are added to *recorder, if this thread calls it before ff_recorder_stop. inner does
// the work and must live as long.
ff_kernels ff_recorder_start(ff_recorder *recorder, const ff_kernels *inner);
void ff_recorder_stop(void);

#endif

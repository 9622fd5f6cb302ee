// What to hold a stage's speed against: the processor's fused multiply-adds, and OpenBLAS.
#ifndef FF_REFERENCE_H
#define FF_REFERENCE_H

#include "recorder.h"

// GFLOP/s of independent fused multiply-adds on all threads at once, over a tenth of a second.
double ff_measure_peak(const ff_kernels *kernels);

// Seconds that OpenBLAS's sgemm takes for the recorded products: each shape is timed by itself, with operands of random
// numbers, two to ten times, and the fastest counts as often as the product ran. Where its operands would take more
// than a quarter of a gigabyte, with fewer rows.
// NaN without OpenBLAS; FF_ERROR_MEMORY without room for operands.
ff_status ff_measure_openblas(const ff_recorder *recorder, double *seconds, ff_error *error);

#endif

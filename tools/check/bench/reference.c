#include "reference.h"

#include <math.h>
#include <stdlib.h>

#include "base/system.h"
#include "random_elements.h"

#define PEAK_SECONDS 0.1
#define PEAK_ROUNDS 65536
#define MOST_OPERANDS ((size_t)256 << 20)  // bytes of the operands with a row for each output
#define PRODUCT_SECONDS 0.3
#define LEAST_RUNS 2
#define MOST_RUNS 10

double ff_measure_peak(const ff_kernels *kernels)
{
    double work = 0, begun = ff_seconds(), end = begun + PEAK_SECONDS;
#pragma omp parallel reduction(+ : work)
    {
        float sum;
        do
            work += kernels->multiply_adds(kernels, PEAK_ROUNDS, &sum);
        while (ff_seconds() < end);
    }
    return work / (ff_seconds() - begun) / 1e9;
}

// Seconds of the fastest of some runs.
static ff_status time_product(const ff_kernels *openblas, const ff_matmul *product, double *fastest)
{
    double spent = 0;
    *fastest = INFINITY;
    for (size_t runs = 0; runs < LEAST_RUNS || (spent < PRODUCT_SECONDS && runs < MOST_RUNS); runs++) {
        double begun = ff_seconds();
        if (openblas->matmul(openblas, product))
            return FF_ERROR_MEMORY;
        double seconds = ff_seconds() - begun;
        spent += seconds;
        *fastest = seconds < *fastest ? seconds : *fastest;
    }
    return FF_OK;
}

// Adds the seconds of all runs of a product to *seconds.
static ff_status add_product(const ff_kernels *openblas, const ff_recorded *shape, double *seconds)
{
    size_t columns = shape->columns, depth = shape->depth, rows = MOST_OPERANDS / sizeof(float) / (columns + depth);
    rows = rows < 1 ? 1 : rows < shape->rows ? rows : shape->rows;
    size_t counts[3] = {rows * depth, columns * depth, rows * columns};
    float *operands[3] = {NULL};
    double fastest = 0;
    bool room = true;
    for (int i = 0; i < 3 && room; i++) {
        operands[i] = malloc(counts[i] * sizeof(float));
        if ((room = operands[i] != NULL))
            ff_random_floats(0, counts[i], 1, operands[i]);
    }
    room = room && time_product(openblas, &(ff_matmul){
        .rows = rows, .columns = columns, .depth = depth, .a = operands[0], .a_stride = depth,
        .b = {.data = operands[1], .dtype = FF_F32}, .out = operands[2], .out_stride = columns}, &fastest) == FF_OK;
    for (int i = 0; i < 3; i++)
        free(operands[i]);
    *seconds += fastest * (double)shape->rows / (double)rows * (double)shape->count;
    return room ? FF_OK : FF_ERROR_MEMORY;
}

ff_status ff_measure_openblas(const ff_recorder *recorder, double *seconds, ff_error *error)
{
    ff_kernels openblas;
    double sum = 0, flop = 0;
    *seconds = NAN;
    if (ff_kernels_choose(FF_ISA_AUTO, FF_BACKEND_OPENBLAS, &openblas, NULL))
        return FF_OK;
    for (size_t i = 0; i < recorder->count; i++) {
        if (add_product(&openblas, &recorder->products[i], &sum))
            return ff_fail(error, FF_ERROR_MEMORY, "no memory to time OpenBLAS");
        flop += ff_recorded_flop(&recorder->products[i]);
    }
    if (flop > 0)
        *seconds = sum * (recorder->flop / flop);  // shapes that were too many to record go at the others' speed
    return FF_OK;
}

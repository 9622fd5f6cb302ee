// How fast this machine is: its kernels, and each stage of a run.
#ifndef FF_BENCH_H
#define FF_BENCH_H

#include "firstframe.h"

// GFLOP/s of the kernels on this machine, for a linear layer and a convolution of ordinary size; takes a third of a
// second. Arguments as in ff_request.
typedef struct ff_speed {
    double matmul, convolution;
} ff_speed;
ff_status ff_measure_speed(size_t threads, ff_isa isa, ff_backend backend, ff_speed *out, ff_error *error);

// The stages of i2v that can be timed, as bits.
enum {
    FF_BENCH_TEXT_ENCODER = 1,   // over 512 tokens
    FF_BENCH_TRANSFORMER = 2,    // one evaluation, without embedding the text
    FF_BENCH_VAE_ENCODE = 4,     // the still
    FF_BENCH_VAE_DECODE = 8,     // the whole clip
};
#define FF_BENCH_STAGES 4

typedef struct ff_bench_request {
    const char *dims;            // without a model, random weights of these dimensions: "ti2v-5b" or "t2v-1.3b"
    size_t blocks;               // with dims: transformer blocks and text encoder layers; 0: as published
    const char *dtype;           // with dims: element type of the matrices, "bf16" or "q4_k"; NULL: f32
    size_t most_weight_bytes;    // with dims: a component of more is refused while it is made; 0: what is free
    size_t width, height, frames;  // 0: the model's; rounded down as for a run
    unsigned stages;             // 0: all of them
    size_t threads;
    ff_isa isa;
    ff_backend backend;
    void *user;
    bool (*progress)(void *user, const char *doing);  // before each part, or NULL; a true result ends the bench
} ff_bench_request;

typedef struct ff_bench_stage {
    const char *name;
    char work[80];               // such as "1540 tokens, 2 blocks"
    size_t runs;
    double seconds;              // of the fastest
    double gflop;                // in the products it executed, two for each multiply-add
    double openblas_seconds;     // of OpenBLAS's sgemm on products of the same shapes; NaN without OpenBLAS
    size_t weight_bytes;         // of the stage's component, as stored
} ff_bench_stage;

typedef struct ff_bench_result {
    size_t width, height, frames, threads;
    const char *kernels;
    double peak_gflops;          // of fused multiply-adds alone, with the same threads and instruction set
    const char *openblas_core;   // the processor whose kernels OpenBLAS chose; NULL without OpenBLAS
    char openblas_missing[256];  // why OpenBLAS was not timed, "" if it was
    size_t peak_memory_bytes;    // most that was resident at once, weights included, before OpenBLAS was timed
    size_t count;
    ff_bench_stage stages[FF_BENCH_STAGES];
} ff_bench_result;

// Times a model, or with model NULL the dimensions that the request names.
ff_status ff_bench(ff_model *model, const ff_bench_request *request, ff_bench_result *out, ff_error *error);

#endif

// What every stage shares: element types, views of weights, errors, scratch memory and the tap through which every
// named intermediate tensor passes. Stages include this file and ref/kernels/kernels.h and nothing of each other.
#ifndef FF_TENSOR_H
#define FF_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../firstframe.h"

#define FF_MAX_RANK 5

// Models hold the first three, dumps the first five; the others come from other programs' dumps.
typedef enum ff_dtype { FF_F32, FF_F16, FF_BF16, FF_I64, FF_U8, FF_F64, FF_I32, FF_BOOL } ff_dtype;

// Bytes in one element, and the name a safetensors header gives the type.
size_t ff_dtype_size(ff_dtype dtype);
const char *ff_dtype_name(ff_dtype dtype);

// One element of a weight as f32. Exact for all three floating types.
float ff_widen_f16(uint16_t bits);
float ff_widen_bf16(uint16_t bits);

// A read-only tensor, row-major, in a mapped file. `data` is aligned to its element.
typedef struct ff_weight {
    const void *data;
    ff_dtype dtype;
    int rank;
    size_t shape[FF_MAX_RANK];
} ff_weight;

// A shape as "[2, 3]".   rank: at most FF_MAX_RANK
#define FF_SHAPE_TEXT 128
void ff_print_shape(char text[FF_SHAPE_TEXT], int rank, const size_t *shape);

// Copies elements [first, first + count) of a floating-point weight to f32.
void ff_weight_widen(const ff_weight *weight, size_t first, size_t count, float *out);

// Size arithmetic. Each returns false, and leaves *out alone, if the true result does not fit.
bool ff_multiply_sizes(size_t a, size_t b, size_t *out);
bool ff_add_sizes(size_t a, size_t b, size_t *out);

// Scratch memory for one run: takes are 64-byte aligned and live until the arena goes back to an earlier mark.
// Not safe for several threads at once; a stage takes before its parallel loops.
typedef struct ff_arena ff_arena;
typedef struct ff_arena_mark { size_t count; } ff_arena_mark;

ff_arena *ff_arena_create(void);              // NULL without memory
void ff_arena_destroy(ff_arena *arena);       // NULL allowed
void *ff_arena_take(ff_arena *arena, size_t count, size_t element_size);  // NULL without memory or on overflow
float *ff_arena_floats(ff_arena *arena, size_t count);
ff_arena_mark ff_arena_here(const ff_arena *arena);
void ff_arena_return(ff_arena *arena, ff_arena_mark mark);
size_t ff_arena_peak(const ff_arena *arena);  // most bytes ever held at once

// The tap: every tensor with a name in the dump list passes through it once, when it has just been computed. The
// pipeline's tap writes it to the dump, or replaces its contents from `--load`. A stage calls ff_tap and goes on.
// FF_DUMP_ATTENTION passes maps that are computed only to be looked at (call.NNN.block.BB.attn1.frames, .attn2.words).
typedef enum ff_dump_level {
    FF_DUMP_RUN, FF_DUMP_STEP, FF_DUMP_BLOCK, FF_DUMP_OP, FF_DUMP_ATTENTION
} ff_dump_level;

typedef struct ff_trace {
    void *user;
    ff_dump_level level;   // deepest level wanted
    ff_status (*tensor)(void *user, ff_dump_level level, const char *name, ff_dtype dtype, int rank,
                        const size_t *shape, void *data, ff_error *error);
    size_t unseen;         // for an experiment: so many tokens at the start are hidden from the attention of the others
} ff_trace;

// name may be a printf format. data: [shape], may be changed in place. trace may be NULL.
ff_status ff_tap(const ff_trace *trace, ff_dump_level level, ff_dtype dtype, int rank, const size_t *shape, void *data,
                 ff_error *error, const char *name_format, ...) __attribute__((format(printf, 8, 9)));
bool ff_traced(const ff_trace *trace, ff_dump_level level);

#endif

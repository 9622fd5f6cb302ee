// The tap through which every named intermediate tensor of a run passes.
#ifndef FF_TRACE_H
#define FF_TRACE_H

#include "tensor.h"

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
} ff_trace;

// A tensor on its way through the tap.   data: [shape], may be changed in place
typedef struct ff_tapped {
    ff_dtype dtype;
    int rank;
    const size_t *shape;
    void *data;
} ff_tapped;

// name may be a printf format. trace may be NULL.
ff_status ff_tap(const ff_trace *trace, ff_dump_level level, ff_tapped tensor, ff_error *error,
                 const char *name_format, ...) __attribute__((format(printf, 5, 6)));
bool ff_traced(const ff_trace *trace, ff_dump_level level);

#endif

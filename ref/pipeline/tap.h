// The pipeline's tap: writes named tensors to a dump and replaces them from a loaded one.
#ifndef FF_TAP_H
#define FF_TAP_H

#include "plan.h"

typedef struct ff_taps {
    ff_trace trace;            // hand &trace to the stages
    ff_dump *dump;             // NULL: nothing is written
    ff_dump_level dump_level;  // deepest level written; any level may be replaced
    ff_weights *load;          // NULL: nothing is replaced
    const char *load_path;
    char not_finite[96];       // the first loaded tensor that holds NaN or infinity, whether it matters or not; else ""
    const ff_request *request; // whose `tensor` is called
    size_t shape[4];           // of the frames: [frames, height, width, 3]
    size_t frames_float, frames;  // where their next values go in the dump
} ff_taps;

// Opens what request->dump_path and load_path name. Call ff_taps_close in any case.
ff_status ff_taps_open(const ff_model *model, const ff_request *request, const ff_plan *plan, ff_taps *out,
                       ff_error *error);
// complete: finish the dump, so that it appears under its name; otherwise nothing is left of it.
ff_status ff_taps_close(ff_taps *taps, bool complete, ff_error *error);

// A loaded I64 vector of at most `capacity` values, if there is one; *count is its length, else unchanged.
ff_status ff_taps_replace_ids(const ff_taps *taps, const char *name, int64_t *ids, size_t capacity, size_t *count,
                              ff_error *error);

// One frame: replaced from loaded `frames_float`, made bytes, these replaced from loaded `frames`, and both written.
//   values: [height, width, 3] in 0..1   rgb: receives the same as bytes
ff_status ff_taps_frame(ff_taps *taps, size_t index, float *values, uint8_t *rgb, ff_error *error);

#endif

// What the files of `verify` share: the dump under examination, comparing a tensor, trying explanations.
#ifndef FF_VERIFY_PARTS_H
#define FF_VERIFY_PARTS_H

#include "pipeline/model.h"
#include "pipeline/plan.h"
#include "verify.h"

// ---- arithmetic in other precisions ----

typedef enum ff_precision { FF_SINGLE, FF_BFLOAT, FF_HALF } ff_precision;

// What the judgement computes with: our kernels, the same in double and, below, our kernels with results rounded.
const ff_kernels *ff_verify_kernels(void);
const ff_kernels *ff_verify_exact(void);

// Reduced precisions in which programs compute.
typedef enum ff_reduced_precision {
    FF_NOT_REDUCED, FF_WEIGHTS_BFLOAT, FF_WEIGHTS_HALF, FF_PRODUCTS_TF32, FF_PRODUCTS_BFLOAT, FF_NORMS_BFLOAT,
    FF_ALL_BFLOAT, FF_ALL_HALF, FF_REDUCED_PRECISIONS
} ff_reduced_precision;
// What a table that computes in one of them holds.
typedef struct ff_reduced_state {
    ff_reduced_precision reduced;
    bool starved;          // a norm, which cannot fail, went without the memory to round its weights
} ff_reduced_state;
// Our kernels, wrapped so that they round. state: must live as long as the table.
ff_kernels ff_verify_reduced(ff_reduced_precision reduced, ff_reduced_state *state);
ff_kernels ff_verify_rounding(ff_precision precision, ff_reduced_state *state);  // every result
ff_reduced_precision ff_reduced_precision_of(const ff_kernels *kernels);
// Weights that are no operand of a kernel, in place, as a table that stores weights in less precision has them.
void ff_round_weights(const ff_kernels *kernels, size_t n, float *x);
// Rounds in place, to the nearest, ties to even.
void ff_round_floats(ff_precision precision, size_t n, float *x);

// ---- the dump ----

typedef struct ff_verify_dump {
    ff_weights *file;
    const char *path;
    bool dtype_given;
    ff_precision dtype;              // of the metadata, else FF_SINGLE
    const char *prompt, *negative;   // NULL: not in the metadata, and no default
    bool seed_given;
    uint64_t seed;
    double guidance;
    size_t steps;                    // 0: unknown
    double flow_shift;               // NaN: the model's
    ff_scheduler scheduler;
    size_t last_call, last_step;     // highest numbers found, plus one; 0: none
    size_t calls_per_step;
    // latents' extent, from any tensor that tells it; 0: unknown
    size_t frames, height, width;
} ff_verify_dump;

ff_status ff_verify_dump_open(const ff_model *model, const char *path, ff_verify_dump *out, ff_error *error);
void ff_verify_dump_close(ff_verify_dump *dump);
// name may be a printf format.
bool ff_verify_dump_has(const ff_verify_dump *dump, const char *name_format, ...) __attribute__((format(printf, 2, 3)));
// A floating-point tensor as f32, to be freed; *out is NULL if the dump lacks it.
//   shape: what it must be; FF_ERROR_INPUT otherwise. A 0 in shape takes any size and receives it.
// precision: of its values, receives the dump's or, where the metadata is silent, what they fit in. May be NULL.
ff_status ff_verify_dump_floats(const ff_verify_dump *dump, const char *name, int rank, size_t *shape, float **out,
                                ff_precision *precision, ff_error *error);
// The first tensor, in the order of a run, that holds NaN or infinity where values mean something; "" if none does.
void ff_verify_dump_not_finite(const ff_verify_dump *dump, char name[96]);
ff_status ff_verify_dump_ids(const ff_verify_dump *dump, const char *name, const int64_t **out, size_t *count,
                             ff_error *error);

// ---- comparing ----

// A tensor seen as [outer, slices, inner]; an error may sit in one slice (a token, a frame) only.
typedef struct ff_slices {
    size_t outer, count, inner;
    const char *name;                // of one: "token", "frame"
} ff_slices;

typedef struct ff_rounding_comparison {
    double error;                    // relative L2, all of the tensor
    double expected;                 // more is no rounding
    double excess;                   // the larger of error / expected and the same for the worst slice; 1 is the limit
    bool finite;
    size_t worst_slice, bad_slices;  // the slice with the largest error, and how many are beyond rounding
} ff_rounding_comparison;

size_t ff_slices_elements(ff_slices slices);
bool ff_floats_equal(const float *a, const float *b, size_t n);
double ff_relative_distance(const float *x, const float *reference, size_t n);
// exact: the stage in double.   rounded: the stage as rounding may leave it, in the tensor's precision
ff_rounding_comparison ff_compare_rounding(ff_slices slices, ff_precision precision, const float *dumped,
                                           const float *exact, const float *rounded);

// ---- findings ----

typedef struct ff_findings {
    ff_stage_finding *list;
    size_t count, capacity;
} ff_findings;

// The finding of this name, made as not judged if it is not there. NULL without memory.
ff_stage_finding *ff_finding_of(ff_findings *findings, const char *stage_format, ...)
    __attribute__((format(printf, 2, 3)));
void ff_finding_missing(ff_stage_finding *finding, const char *tensor);
// Keeps the worse of what is known and this tensor's verdict; true if this one is the worst so far and a fault.
bool ff_finding_add(ff_stage_finding *finding, ff_verdict verdict, const char *tensor, double error, double expected);
void ff_describe_slices(ff_slices slices, const ff_rounding_comparison *comparison, char *out, size_t capacity);

// ---- explanations ----

// Something a port may do instead of what is right. `apply` changes what the stage's replay works with.
typedef struct ff_mistake {
    const char *cause;
    unsigned parts;        // where it can act, a stage's own bits
    ff_reduced_precision reduced;    // computed with this table
    bool harmless;         // no fault but rounding of another kind
    // ints of the stage's variant that take these values; offset 0 ends the list
    struct { size_t offset; int value; } set[4];
} ff_mistake;

// Replays a stage with a variant and kernels: computes what is compared with `dumped`.
typedef ff_status (*ff_replay)(void *user, const void *variant, const ff_kernels *kernels, float *out,
                               ff_error *error);

typedef struct ff_search {
    const ff_mistake *mistakes;
    size_t count;
    unsigned parts;                  // only mistakes that act here
    size_t variant_size;              // bytes of the variant, all zero when everything is right
    ff_replay replay;
    void *user;
    size_t n;
    const float *dumped;
    double error, expected;          // of the comparison to be explained
} ff_search;

typedef struct ff_diagnosis {
    bool found, harmless;
    unsigned parts;                  // of the mistake
    double error;                    // that it leaves
    char cause[256];
} ff_diagnosis;

// Looks for the mistake, or the two, that bring the error down. Not finding one is no failure.
ff_status ff_diagnose(const ff_search *search, ff_diagnosis *out, ff_error *error);

// ---- stages ----

typedef struct ff_verifier {
    ff_model *model;
    ff_verify_dump dump;
    ff_findings findings;
    ff_arena *arena;
    ff_error *error;
} ff_verifier;

// A comparison judged: the verdict is noted, and a fault or a suspicion looked into.
//   exact: the result in double   equal: the dump has our bits
typedef struct ff_case {
    const char *tensor;
    ff_slices slices;
    ff_precision precision;
    const float *dumped, *exact, *rounded;
    bool equal;
    ff_search search;                // replay NULL: no explanations
} ff_case;
// finding: of the stage; a mistake's parts can say which of `others` [32] it belongs to instead (NULL entries: none).
ff_status ff_judge(ff_verifier *v, ff_stage_finding *finding, ff_case *judged, ff_stage_finding *const *others);

// The dump's frames as bytes, judged by frames_float if that is there (values: [T, H, W, 3], or NULL). *out is NULL if
// the dump lacks them.   shape: what they must have
ff_status ff_verify_frames(ff_verifier *v, const size_t shape[4], const float *values, const uint8_t **out);

// The dump's latents before a step; before the first the noise or, where a run starts below full strength, the noised
// known latents. NULL in *out if the dump lacks what that takes.
ff_status ff_verify_before(const ff_verifier *v, size_t step, float **out);

ff_status ff_verify_text(ff_verifier *v);
ff_status ff_verify_noise(ff_verifier *v);
ff_status ff_verify_anchor(ff_verifier *v);
ff_status ff_verify_transformer(ff_verifier *v);
ff_status ff_verify_guidance(ff_verifier *v);
ff_status ff_verify_scheduler(ff_verifier *v);
ff_status ff_verify_encoder(ff_verifier *v);
ff_status ff_verify_decoder(ff_verifier *v);

#endif

// Judges the dump of another program against a model, stage by stage. Each stage is replayed from the dump's own
// inputs, so that errors do not pile up: the first stage whose output differs by more than rounding is where the
// program goes wrong. What rounding is, is measured for every tensor: the distance between the stage in the dump's
// precision and the stage computed in double.
#ifndef FF_VERIFY_H
#define FF_VERIFY_H

#include "firstframe.h"

typedef enum ff_verdict { FF_NOT_JUDGED, FF_EQUAL, FF_ROUNDING, FF_FAULT } ff_verdict;

// What became of one stage; over all its tensors, the one that is worst.
typedef struct ff_stage_finding {
    char stage[32];        // "tokenizer", ..., "transformer.block.07", ...
    ff_verdict verdict;
    char tensor[96];       // the worst tensor; not judged: one that is missing
    double error;          // relative L2 distance to the stage in double; of ids and bytes, the part that differs
    double expected;       // what rounding may come to
    char cause[256];       // fault: the mistake that explains the error, or "" if none was found
    char where[256];       // where the error is largest, what helps a search; not judged: why
} ff_stage_finding;

typedef struct ff_verification {
    ff_verdict verdict;            // the worst of all stages
    size_t count, first_fault;     // first_fault is count if there is none
    ff_stage_finding *stages;      // in execution order
    char not_finite[96];           // the run's first tensor that holds NaN or infinity; "": none does
} ff_verification;

// path: a dump in safetensors, with names as ref/README.md lists them.   threads: 0 as many as OpenMP would take
// FF_ERROR_INPUT: not a dump, no tensor that can be judged, tensors of another model's shape.
ff_status ff_verify(ff_model *model, const char *path, size_t threads, ff_verification **out, ff_error *error);
void ff_verification_free(ff_verification *verification);  // NULL allowed

const char *ff_verdict_name(ff_verdict verdict);  // "not judged", "equal", "rounding", "fault"

#endif

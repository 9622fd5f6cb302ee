// Runs a job for each of its seeds and writes what comes out: frames, metadata, contact sheet, state.
#ifndef FF_MAKE_H
#define FF_MAKE_H

#include "job.h"

// The job's inputs are in place. Plans, runs (or estimates) and reports.
// FF_CANCELLED: interrupted; the sentence says what is kept.
ff_status ff_make(ff_job *job, ff_error *error);

#endif

// One run of the model, for one seed: output, progress, state, metadata and report.
#ifndef FF_SEED_RUN_H
#define FF_SEED_RUN_H

#include "job.h"

// The record of a run as far as it is known before; the caller deletes it. NULL without memory.
cJSON *ff_run_record(const ff_job *job, uint64_t seed);

// job: planned. path: of the output, or NULL to write none. several: one of several runs, so that the summary is left
// to the caller. still: receives a copy of frame 0, to be freed with ff_picture_free; or NULL.
// FF_CANCELLED: interrupted; the sentence says whether a state was kept.
ff_status ff_run_seed(ff_job *job, uint64_t seed, const char *path, bool several, ff_image *still, ff_error *error);

// Reports a result that was there already. record: what it says of itself.
void ff_run_report_kept(ff_job *job, const char *path, uint64_t seed, const cJSON *record);

#endif

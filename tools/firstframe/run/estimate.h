// What a command that makes several runs would take: a line for each part, then their sum.
#ifndef FF_ESTIMATE_H
#define FF_ESTIMATE_H

#include "job.h"

typedef struct ff_estimate {
    ff_report *report;
    cJSON *parts;
    ff_speed speed;
    double gflop, seconds;
    size_t memory_bytes, weight_bytes, temporary_bytes;   // the most that any run takes
} ff_estimate;

// Measures this machine's speed. What ff_measure_speed returns.
ff_status ff_estimate_start(ff_estimate *estimate, const ff_options *options, ff_report *report, ff_error *error);
// `count` runs of a planned job.
void ff_estimate_add_runs(ff_estimate *estimate, const char *name, const ff_job *job, size_t count);
// `count` passes through the VAE of so much work each. what: "pictures"
void ff_estimate_add_passes(ff_estimate *estimate, const char *name, const char *what, double gflop, size_t count);
// Measuring clips of a planned job of image-to-video: `sides` times `seeds` clips, and with several seeds the spread.
void ff_estimate_add_figures(ff_estimate *estimate, const ff_job *job, size_t sides, size_t seeds);
void ff_estimate_finish(const ff_estimate *estimate);

#endif

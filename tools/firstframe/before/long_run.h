// What a run that takes long is said to take before it starts, and that one of hours is asked about.
#ifndef FF_LONG_RUN_H
#define FF_LONG_RUN_H

#include "../run/job.h"

#define FF_TOLD_SECONDS 120.0           // from there on a run says what it will take
#define FF_ASKED_SECONDS (6 * 3600.0)   // from there on somebody must have wanted it

// Seconds that a plan's work takes at a speed: text and denoising are matrix products for the most part, encoding and
// decoding convolutions.
double ff_plan_seconds(const ff_plan *plan, const ff_speed *speed);

// Settings that make a planned job cheaper, nearest to what was asked for first, each with the time it takes.
enum { FF_MOST_CHEAPER = 3 };
typedef struct ff_cheaper {
    char option[40];   // as it would be typed: "--steps 25"
    double seconds;
} ff_cheaper;
size_t ff_cheaper_settings(const ff_job *job, const ff_speed *speed, ff_cheaper out[FF_MOST_CHEAPER]);

// job: planned, for `count` runs. Says on stderr what they take together, from FF_TOLD_SECONDS on; from FF_ASKED_SECONDS
// on asks on a terminal, unless there is --yes or --resume. FF_ERROR_INPUT: the answer was no, or nobody can be asked.
// The speed is measured only for work that may take so long; $FIRSTFRAME_ASSUMED_GFLOPS, for tests, is taken instead.
ff_status ff_long_run_check(const ff_job *job, size_t count, ff_error *error);

#endif

// The errors of a comparison, drawn over the course of the run.
#ifndef FF_ERROR_PLOT_H
#define FF_ERROR_PLOT_H

#include "check/diff/diff.h"

// Each tensor that both dumps hold is a mark: to the right its position in the run, upwards its relative L2 on a
// logarithmic scale. Tolerances are a line; what is equal stands at the bottom, what cannot be compared at the top.
ff_status ff_error_plot_write(const ff_diff *diff, const char *name_a, const char *name_b, const char *path,
                              ff_error *error);

#endif

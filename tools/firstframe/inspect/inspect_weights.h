// What `inspect` says of a file of weights.
#ifndef FF_INSPECT_WEIGHTS_H
#define FF_INSPECT_WEIGHTS_H

#include "../line/report.h"

// What it is taken for and why, its element types, and what else a run needs; of a file that is no part of a model, its
// tensors.
ff_status ff_inspect_weights(const char *path, ff_report *report, ff_error *error);

#endif

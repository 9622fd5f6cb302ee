// The figures of pictures and clips, for tests that also compare dumps: both have a type ff_view.
#ifndef FF_TESTS_FIGURES_H
#define FF_TESTS_FIGURES_H

#include "firstframe.h"

// Measures two clips made of the two pictures, and brings the second's colours to the first's; adds every number to the
// hash.
ff_status hash_figures(const ff_image *a, const ff_image *b, ff_sha256 *hash, ff_error *error);

#endif

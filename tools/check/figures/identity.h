// Identity: how differently the subject looks to the model's own encoder.
//
//     identity(A, B) = sum w |a - b|^2 / sum w (|a|^2 + |b|^2)
//
// a and b are the encoder's features of the two pictures in a cell, less their means over the subject (so that other
// light and other colours all over count little); w says how much of the subject is in the cell. B is brought to A's
// place before it is encoded (image/align.h). 0 for a copy, 1 for unrelated features, 2 at most.
// The subject: near the middle (a Gaussian, a quarter of each side wide) and of a colour unlike those along the top and
// the sides: w = gauss * (0.05 + d^2 / (d^2 + 15^2)), d the CIELAB distance to the nearest of them.
// Limits: a subject elsewhere is missed; turning away and new expressions count as well as another face; the features
// are those of an autoencoder, which tell how a face is drawn, not who it is.
#ifndef FF_MEASURE_IDENTITY_H
#define FF_MEASURE_IDENTITY_H

#include "image/view.h"

// How much of the subject is in each cell.   weights: [rows, columns]   FF_ERROR_MEMORY
ff_status ff_measure_subject(const ff_view *view, size_t columns, size_t rows, double *weights, ff_error *error);

// a, b: [channels, cells]   weights: [cells]
double ff_measure_identity(const float *a, const float *b, size_t channels, size_t cells, const double *weights);

#endif

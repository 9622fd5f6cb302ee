// Kernels that move values and hardly compute; every table has these.
#ifndef FF_MOVES_H
#define FF_MOVES_H

#include "kernels.h"

void ff_copy(const ff_kernels *kernels, size_t n, const float *x, float *out);
void ff_average_frames_down(const ff_kernels *kernels, const ff_average_down *);
void ff_repeat_frame_up(const ff_kernels *kernels, const ff_repeat_up *);
void ff_double_frame(const ff_kernels *kernels, const ff_double_size *);

#endif

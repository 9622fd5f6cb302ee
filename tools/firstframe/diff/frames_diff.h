// The frames of two dumps, compared as pictures.
#ifndef FF_FRAMES_DIFF_H
#define FF_FRAMES_DIFF_H

#include "check/diff/picture.h"
#include "check/diff/tensors.h"

typedef struct ff_frames_diff {
    size_t count, width, height;
    ff_picture_distance *frames;   // [count]
    size_t worst;                  // the frame with the largest mean squared error
    double psnr, ssim;             // of all frames; SSIM is the mean over them
    ff_image a, b;                 // the worst frame
    ff_image largest;              // at each pixel's place, the largest difference over frames, for each colour
} ff_frames_diff;

// Tensors of the shape [frames, height, width, 3], a leading axis of 1 aside, whole numbers in 0..255 or others in
// 0..1; at most 100000 frames of 16 million pixels.
bool ff_frames_are_pictures(const ff_tensor *a, const ff_tensor *b);
// FF_ERROR_MEMORY; FF_ERROR_INPUT if they are no pictures. *out is to be freed in any case.
ff_status ff_frames_diff_run(const ff_tensor *a, const ff_tensor *b, ff_frames_diff *out, ff_error *error);
void ff_frames_diff_free(ff_frames_diff *diff);

// The worst frame of both, the difference between the two, and where there are several frames, the largest difference
// in any of them, as colours from black to white.
ff_status ff_heat_map_write(const ff_frames_diff *diff, const char *path, ff_error *error);

#endif

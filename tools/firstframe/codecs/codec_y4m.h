// YUV4MPEG2, what ffmpeg and mpv read from a pipe. Written as C444 with BT.601 limited-range values, which is what
// readers take untagged video for; computed in integers, so that the bytes are the same everywhere.
#ifndef FF_CODEC_Y4M_H
#define FF_CODEC_Y4M_H

#include <stdio.h>

#include "firstframe.h"

// FF_ERROR_INPUT if fps is not above 0. FF_ERROR_IO if it cannot be written.
ff_status ff_y4m_start(FILE *file, const char *name, size_t width, size_t height, double fps, ff_error *error);
ff_status ff_y4m_add(FILE *file, const char *name, const ff_image *frame, ff_error *error);

#endif

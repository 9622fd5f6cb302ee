// MP4, WebM and GIF, which ffmpeg makes of YUV4MPEG2.
#ifndef FF_FFMPEG_H
#define FF_FFMPEG_H

#include "child.h"

// Whether a path ends in .mp4, .webm or .gif.
bool ff_ffmpeg_writes(const char *path);
// FF_ERROR_INPUT: there is no ffmpeg; the sentence says how to install it.
ff_status ff_ffmpeg_check(const char *path, ff_error *error);

typedef struct ff_ffmpeg_settings {
    size_t width, height;
    double fps, quality;   // 0 to 100
} ff_ffmpeg_settings;

typedef struct ff_ffmpeg {
    const char *path, *file;   // of the output, and what is written for it; the caller's
    ff_child child;
} ff_ffmpeg;

// file: an existing one, whose content is replaced. FF_ERROR_IO: ffmpeg cannot be started or does not read.
ff_status ff_ffmpeg_start(ff_ffmpeg *out, const char *path, const char *file, const ff_ffmpeg_settings *settings,
                          ff_error *error);
// A frame of the size announced. FF_ERROR_IO: ffmpeg has failed; the sentence has its last line.
ff_status ff_ffmpeg_add(ff_ffmpeg *ffmpeg, const ff_image *frame, ff_error *error);
// The same errors, also where the file is empty, and FF_CANCELLED where a signal came before it was done.
ff_status ff_ffmpeg_finish(ff_ffmpeg *ffmpeg, ff_error *error);
void ff_ffmpeg_abandon(ff_ffmpeg *ffmpeg);

#endif

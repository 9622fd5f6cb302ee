// WebP by libwebp; the container of what is written is our own, so that frames go to the file as they come.
#ifndef FF_CODEC_WEBP_H
#define FF_CODEC_WEBP_H

#include <stdio.h>

#include "../pictures/original.h"

bool ff_webp_recognise(const uint8_t *bytes, size_t size);

// A whole file in memory, or the first frame of an animation, upright; name is what errors call it. FF_ERROR_INPUT if
// it is damaged, cut off or too large; a damaged colour profile is only told of.
ff_status ff_webp_read(const uint8_t *bytes, size_t size, const char *name, ff_original *out, ff_error *error);

// The XMP packet, inside bytes; *xmp is NULL if there is none.
ff_status ff_webp_read_xmp(const uint8_t *bytes, size_t size, const char *name, const uint8_t **xmp, size_t *xmp_size,
                           ff_error *error);

// A lossless still in memory. *bytes is the caller's, to be freed.
ff_status ff_webp_encode(const ff_image *image, uint8_t **bytes, size_t *size, ff_error *error);

typedef struct ff_webp_settings {
    size_t width, height;  // up to 16383
    size_t frames;         // 1: a still
    double fps;            // above 0, at most 1000; not used for a still
    bool lossless;
    double quality;        // 0 to 100
    const ff_colour_space *colours;  // whose profile is written; or NULL
} ff_webp_settings;

// A file being written. Zeroed, it is closed.
typedef struct ff_webp_writer {
    ff_webp_settings settings;
    FILE *file;
    const char *name;      // the caller's
    size_t written;        // frames so far
    bool alpha;            // some of them had any
} ff_webp_writer;

// Checks the settings and writes the header from where `file`, which must be seekable, stands: its start.
ff_status ff_webp_start(ff_webp_writer *writer, FILE *file, const char *name, const ff_webp_settings *settings,
                        ff_error *error);
// Each frame, of 8-bit samples, stands for itself: whatever came before, it is encoded whole. Lossless, colours stay
// also where nothing of them shows.
ff_status ff_webp_add(ff_webp_writer *writer, const ff_original *frame, ff_error *error);
// xmp: a packet or NULL. Does not close the file.
ff_status ff_webp_finish(ff_webp_writer *writer, const char *xmp, ff_error *error);

#endif

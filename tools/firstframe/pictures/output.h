// Writing frames. The ending of the name says what is written:
//     clip.webp       animated WebP, looping for ever (a still WebP if only one frame comes)
//     still.png       one frame
//     f-%03d.png      a numbered PNG for every frame, from 0; a % in a folder's name means nothing
//     clip.y4m or -   YUV4MPEG2, 4:4:4, BT.601 limited range; `-` is stdout
//     clip.mp4, .webm, .gif   what ffmpeg makes of that
// Frames are encoded as they come and nothing in memory grows with the clip. Everything is written to temporary files
// beside the output, created when it is opened, and renamed at the end; until then what was there stays as it was.
#ifndef FF_OUTPUT_H
#define FF_OUTPUT_H

#include "original.h"

typedef enum ff_output_kind { FF_OUTPUT_WEBP, FF_OUTPUT_PNG, FF_OUTPUT_NUMBERED, FF_OUTPUT_Y4M,
                              FF_OUTPUT_VIDEO } ff_output_kind;

// Fails if the ending is none of the above or a pattern is not one %d or %0Nd. Touches no file.
ff_status ff_output_recognise(const char *path, ff_output_kind *out, ff_error *error);

typedef struct ff_output_settings {
    size_t width, height;  // of every frame
    size_t frames;         // that will come
    double fps;            // frame i is shown from round(1000 i / fps) ms; not used for PNG
    bool lossless;         // WebP
    double quality;        // WebP when not lossless, and video: 0 to 100
    const ff_colour_space *colours;  // what numbers mean, for PNG and, if it is a profile, WebP; the caller's, or NULL
} ff_output_settings;

typedef struct ff_output ff_output;

// Opens the first temporary file, so that what cannot be written is known before the long run. FF_ERROR_INPUT: the
// settings do not suit the kind (several frames into one PNG), or there is no ffmpeg. FF_ERROR_IO: the folder does not exist or is not
// writable, or the output is a folder.
ff_status ff_output_open(const char *path, const ff_output_settings *settings, ff_output **out, ff_error *error);

ff_output_kind ff_output_kind_of(const ff_output *output);

// The next frame; its size must be the one announced. After a failure only ff_output_abandon is left to call.
ff_status ff_output_add(ff_output *output, const ff_image *frame, ff_error *error);

// The same of a picture with alpha or 16-bit samples, as far as the kind of output holds them: PNG all, WebP alpha,
// YUV4MPEG2 nothing, so that it shows white. The picture's own colours count for nothing.
ff_status ff_output_add_original(ff_output *output, const ff_original *picture, ff_error *error);

// Puts the files in place. metadata: a JSON object, embedded in WebP and every PNG; NULL embeds nothing. Frees output
// also on failure, when the temporary files are gone and what was there is as it was; only if renaming fails half way
// through numbered files are some of them new.
ff_status ff_output_finish(ff_output *output, const char *metadata, ff_error *error);

// Removes the temporary files. NULL allowed.
void ff_output_abandon(ff_output *output);

// One picture: open, add, finish. path ends in .png or .webp, and a % in it is no pattern. colours as above.
ff_status ff_output_still(const char *path, const ff_image *image, const ff_colour_space *colours,
                          const char *metadata, ff_error *error);

#endif

#include "output.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../codecs/codec_png.h"
#include "../codecs/codec_webp.h"
#include "../codecs/codec_y4m.h"
#include "../files/metadata.h"
#include "../files/protect.h"
#include "../video/ffmpeg.h"

#define PATH_ROOM 4096

struct ff_output {
    ff_output_kind kind;
    ff_output_settings settings;
    char *path;
    bool to_stdout;
    size_t added;          // frames so far
    FILE *file;            // being written: stdout or the last of files; NULL between numbered files
    ff_atomic_file *files; // [count], those that finish puts in place
    size_t count, room;
    ff_webp_writer webp;
    ff_ffmpeg ffmpeg;      // started by the first frame, as it would wait for it for as long as the run takes
};

// ---- names ----

static bool ends_in(const char *path, const char *ending)
{
    size_t length = strlen(path), ending_length = strlen(ending);
    return length > ending_length && path[length - ending_length - 1] != '/'
           && strcasecmp(path + length - ending_length, ending) == 0;
}

// The first % of the file's own name; those of folders mean nothing.
static const char *find_percent(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strchr(slash ? slash : path, '%');
}

// A pattern's parts: what precedes %0Nd, N (0 for %d), and what follows. False unless it is just one of these.
static bool split_pattern(const char *pattern, size_t *before, int *digits, const char **after)
{
    const char *percent = find_percent(pattern), *next = percent + 1;
    *before = (size_t)(percent - pattern);
    *digits = 0;
    if (next[0] == '0' && next[1] >= '1' && next[1] <= '9') {
        *digits = next[1] - '0';
        next += 2;
    }
    *after = next + 1;
    return *next == 'd' && !strchr(*after, '%');
}

ff_status ff_output_recognise(const char *path, ff_output_kind *out, ff_error *error)
{
    size_t before;
    int digits;
    const char *after;

    if (strcmp(path, "-") == 0 || ends_in(path, ".y4m")) {
        *out = FF_OUTPUT_Y4M;
    } else if (ends_in(path, ".webp")) {
        *out = FF_OUTPUT_WEBP;
    } else if (ff_ffmpeg_writes(path)) {
        *out = FF_OUTPUT_VIDEO;
    } else if (ends_in(path, ".png")) {
        *out = find_percent(path) ? FF_OUTPUT_NUMBERED : FF_OUTPUT_PNG;
        if (*out == FF_OUTPUT_NUMBERED && !split_pattern(path, &before, &digits, &after))
            return ff_fail(error, FF_ERROR_INPUT,
                           "%s: numbered files need exactly one %%d or %%0Nd in their name, as in f-%%03d.png", path);
    } else {
        return ff_fail(error, FF_ERROR_INPUT,
                       "%s: the output must end in .webp, .png (f-%%03d.png for every frame), .y4m, .mp4, .webm or .gif, or "
                       "be - (stdout)", path);
    }
    return FF_OK;
}

// The name of file i, in name[PATH_ROOM].
static ff_status name_file(const ff_output *output, size_t i, char *name, ff_error *error)
{
    int length = -1;
    if (output->kind == FF_OUTPUT_NUMBERED) {
        size_t before;
        int digits;
        const char *after;
        if (split_pattern(output->path, &before, &digits, &after) && before < PATH_ROOM)
            length = snprintf(name, PATH_ROOM, "%.*s%0*zu%s", (int)before, output->path, digits, i, after);
    } else {
        length = snprintf(name, PATH_ROOM, "%s", output->path);
    }
    if (length < 0 || length >= PATH_ROOM)
        return ff_fail(error, FF_ERROR_INPUT, "%.200s...: the path is too long", output->path);
    return FF_OK;
}

// ---- files ----

// Creates file i, i being the next one.
static ff_status create_file(ff_output *output, size_t i, ff_error *error)
{
    char name[PATH_ROOM];

    if (i == output->room) {
        size_t room = output->room ? 2 * output->room : 16;  // one a frame written: far from overflowing
        ff_atomic_file *larger = realloc(output->files, room * sizeof(*larger));
        if (!larger)
            return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", output->path);
        output->files = larger;
        output->room = room;
    }
    ff_atomic_file *file = &output->files[i];
    ff_status status = name_file(output, i, name, error);
    if (status == FF_OK)
        status = ff_protect_check(name, error);
    if (status == FF_OK)
        status = i ? ff_atomic_create_next(name, output->files, i, file, error) : ff_atomic_create(name, file, error);
    if (status != FF_OK)
        return status;
    output->file = file->file;
    output->count++;
    return FF_OK;
}

// Closes the file being written, or flushes stdout; what the buffer still held may be what does not fit on the disk.
static ff_status close_file(ff_output *output, ff_error *error)
{
    int failed = output->to_stdout ? fflush(output->file) : fclose(output->file);
    int reason = errno;
    output->file = NULL;
    if (output->count)
        output->files[output->count - 1].file = NULL;
    if (failed)
        return ff_fail(error, FF_ERROR_IO, "%s: cannot be written: %s", output->path, strerror(reason));
    return FF_OK;
}

// ---- frames ----

static ff_status start_y4m(ff_output *output, ff_error *error)
{
    const ff_output_settings *settings = &output->settings;
    return ff_y4m_start(output->file, output->path, settings->width, settings->height, settings->fps, error);
}

static ff_status start_file(ff_output *output, ff_error *error)
{
    const ff_output_settings *settings = &output->settings;
    ff_webp_settings webp = {settings->width,    settings->height,  settings->frames, settings->fps,
                             settings->lossless, settings->quality, settings->colours};
    if (output->kind == FF_OUTPUT_VIDEO)
        return close_file(output, error);   // ffmpeg writes it
    if (output->kind == FF_OUTPUT_WEBP)
        return ff_webp_start(&output->webp, output->file, output->path, &webp, error);
    return output->kind == FF_OUTPUT_Y4M && !output->to_stdout ? start_y4m(output, error) : FF_OK;
}

static ff_status open_kind(ff_output_kind kind, const char *path, const ff_output_settings *settings, ff_output **out,
                           ff_error *error)
{
    ff_status status = FF_OK;
    *out = NULL;
    if (settings->frames == 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: no frames to write", path);
    if (kind == FF_OUTPUT_PNG && settings->frames > 1)
        return ff_fail(error, FF_ERROR_INPUT,
                       "%s: a PNG holds one frame, not %zu; name it f-%%03d.png for a file each, or .webp", path,
                       settings->frames);
    if (kind == FF_OUTPUT_VIDEO && (status = ff_ffmpeg_check(path, error)) != FF_OK)
        return status;
    ff_output *output = calloc(1, sizeof(*output));
    if (!output || !(output->path = strdup(path))) {
        free(output);
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
    }
    output->kind = kind;
    output->settings = *settings;
    output->to_stdout = strcmp(path, "-") == 0;
    if (output->to_stdout)
        output->file = stdout;
    else
        status = create_file(output, 0, error);
    if (status == FF_OK)
        status = start_file(output, error);
    if (status != FF_OK) {
        ff_output_abandon(output);
        return status;
    }
    *out = output;
    return FF_OK;
}

ff_status ff_output_open(const char *path, const ff_output_settings *settings, ff_output **out, ff_error *error)
{
    ff_output_kind kind;
    *out = NULL;
    ff_status status = ff_output_recognise(path, &kind, error);
    return status == FF_OK ? open_kind(kind, path, settings, out, error) : status;
}

ff_output_kind ff_output_kind_of(const ff_output *output)
{
    return output->kind;
}

static ff_status add_png(ff_output *output, const ff_original *picture, ff_error *error)
{
    ff_original coloured = *picture;
    ff_status status = FF_OK;
    coloured.colours = output->settings.colours ? *output->settings.colours : (ff_colour_space){0};
    if (!output->file)
        status = create_file(output, output->added, error);
    if (status == FF_OK)
        status = ff_png_write_original(output->file, output->path, &coloured, error);
    if (status == FF_OK)
        status = close_file(output, error);
    return status;
}

static ff_status add_webp(ff_output *output, const ff_original *picture, ff_error *error)
{
    ff_original narrow;
    if (picture->depth == 8)
        return ff_webp_add(&output->webp, picture, error);
    ff_status status = ff_original_narrow(picture, &narrow, error);
    if (status == FF_OK)
        status = ff_webp_add(&output->webp, &narrow, error);
    ff_original_free(&narrow);
    return status;
}

static ff_status add_y4m(ff_output *output, const ff_original *picture, ff_error *error)
{
    ff_image flat;
    ff_status status = ff_original_flatten(picture, 255, &flat, error);
    if (status == FF_OK && output->to_stdout && output->added == 0)  // a run that fails earlier leaves nothing there
        status = start_y4m(output, error);
    if (status == FF_OK)
        status = ff_y4m_add(output->file, output->path, &flat, error);
    free(flat.rgb);
    return status;
}

static ff_status add_video(ff_output *output, const ff_original *picture, ff_error *error)
{
    const ff_output_settings *settings = &output->settings;
    const ff_ffmpeg_settings video = {settings->width, settings->height, settings->fps, settings->quality};
    ff_image flat;
    ff_status status = ff_original_flatten(picture, 255, &flat, error);
    if (status == FF_OK && output->added == 0)
        status = ff_ffmpeg_start(&output->ffmpeg, output->path, output->files[0].temporary, &video, error);
    if (status == FF_OK)
        status = ff_ffmpeg_add(&output->ffmpeg, &flat, error);
    free(flat.rgb);
    return status;
}

ff_status ff_output_add_original(ff_output *output, const ff_original *picture, ff_error *error)
{
    const ff_output_settings *settings = &output->settings;
    ff_status status = FF_OK;

    if (picture->width != settings->width || picture->height != settings->height)
        return ff_fail(error, FF_ERROR_INPUT, "%s: frame %zu is %zu x %zu pixels, the others %zu x %zu", output->path,
                       output->added, picture->width, picture->height, settings->width, settings->height);
    if (output->added == settings->frames)
        return ff_fail(error, FF_ERROR_INPUT, "%s: more than the %zu frames announced", output->path,
                       settings->frames);
    switch (output->kind) {
    case FF_OUTPUT_WEBP:
        status = add_webp(output, picture, error);
        break;
    case FF_OUTPUT_Y4M:
        status = add_y4m(output, picture, error);
        break;
    case FF_OUTPUT_VIDEO:
        status = add_video(output, picture, error);
        break;
    case FF_OUTPUT_PNG:
    case FF_OUTPUT_NUMBERED:
        status = add_png(output, picture, error);
        break;
    }
    output->added += status == FF_OK;
    return status;
}

ff_status ff_output_add(ff_output *output, const ff_image *frame, ff_error *error)
{
    const ff_original picture = {frame->width, frame->height, 3, 8, frame->rgb, 1, {0}};
    return ff_output_add_original(output, &picture, error);
}

// ---- the end ----

// The text goes into every file before its end; one at a time is open, as there may be more than a process may have.
static ff_status append_texts(ff_output *output, const char *metadata, ff_error *error)
{
    for (size_t i = 0; i < output->count; i++) {
        FILE *file = fopen(output->files[i].temporary, "r+b");
        if (!file)
            return ff_fail(error, FF_ERROR_IO, "%s: cannot be written: %s", output->path, strerror(errno));
        ff_status status = ff_png_append_text(file, output->path, FF_METADATA_KEYWORD, metadata, error);
        if (fclose(file) != 0 && status == FF_OK)
            status = ff_fail(error, FF_ERROR_IO, "%s: cannot be written: %s", output->path, strerror(errno));
        if (status != FF_OK)
            return status;
    }
    return FF_OK;
}

static ff_status complete_files(ff_output *output, const char *metadata, ff_error *error)
{
    char *xmp = NULL;
    ff_status status = FF_OK;

    switch (output->kind) {
    case FF_OUTPUT_WEBP:
        if (metadata)
            status = ff_metadata_write_xmp(metadata, &xmp, error);
        if (status == FF_OK)
            status = ff_webp_finish(&output->webp, xmp, error);
        free(xmp);
        break;
    case FF_OUTPUT_PNG:
    case FF_OUTPUT_NUMBERED:
        if (metadata)
            status = append_texts(output, metadata, error);
        break;
    case FF_OUTPUT_Y4M:
        break;
    case FF_OUTPUT_VIDEO:
        status = ff_ffmpeg_finish(&output->ffmpeg, error);
        break;
    }
    if (status == FF_OK && output->to_stdout)
        status = close_file(output, error);
    return status;
}

ff_status ff_output_finish(ff_output *output, const char *metadata, ff_error *error)
{
    ff_status status = FF_OK;

    if (output->added != output->settings.frames)
        status = ff_fail(error, FF_ERROR_INPUT, "%s: %zu frames came instead of %zu", output->path, output->added,
                         output->settings.frames);
    else
        status = complete_files(output, metadata, error);
    if (status == FF_OK) {
        status = ff_atomic_finish(output->files, output->count, error);
        output->count = 0;
    }
    ff_output_abandon(output);
    return status;
}

void ff_output_abandon(ff_output *output)
{
    if (!output)
        return;
    ff_ffmpeg_abandon(&output->ffmpeg);
    ff_atomic_abandon(output->files, output->count);
    free(output->files);
    free(output->path);
    free(output);
}

ff_status ff_output_still(const char *path, const ff_image *image, const ff_colour_space *colours,
                          const char *metadata, ff_error *error)
{
    ff_output_settings settings = {.width = image->width, .height = image->height, .frames = 1, .lossless = true,
                                   .colours = colours};
    ff_output *output;

    bool png = ends_in(path, ".png");
    if (!png && !ends_in(path, ".webp"))
        return ff_fail(error, FF_ERROR_INPUT, "%s: one picture must end in .png or .webp", path);
    ff_status status = open_kind(png ? FF_OUTPUT_PNG : FF_OUTPUT_WEBP, path, &settings, &output, error);
    if (status != FF_OK)
        return status;
    status = ff_output_add(output, image, error);
    if (status != FF_OK) {
        ff_output_abandon(output);
        return status;
    }
    return ff_output_finish(output, metadata, error);
}

#include "codec_webp.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>

#include "codec_pixels.h"

bool ff_webp_recognise(const uint8_t *bytes, size_t size)
{
    return size >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0;
}

// ---- reading ----

static ff_status fail_reading(const char *name, ff_error *error)
{
    return ff_fail(error, FF_ERROR_INPUT, "%s: not a whole WebP file", name);
}

// RGBA to RGB, in place.
static void drop_alpha(uint8_t *pixels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memmove(pixels + 3 * i, pixels + 4 * i, 3);
}

// The first frame of a whole file, on a canvas that is transparent elsewhere.
static ff_status read_first_frame(const WebPDemuxer *demuxer, const WebPIterator *frame, const char *name,
                                  ff_original *out, ff_error *error)
{
    size_t width = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH), height = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
    size_t frame_width = (size_t)frame->width, frame_height = (size_t)frame->height;
    uint8_t *pixels, *canvas;

    ff_status status = ff_pixels_allocate(name, frame_width, frame_height, 4, &pixels, error);
    if (status != FF_OK)
        return status;
    if (!WebPDecodeRGBAInto(frame->fragment.bytes, frame->fragment.size, pixels, 4 * frame_width * frame_height,
                            4 * frame->width)) {
        free(pixels);
        return fail_reading(name, error);
    }
    if (frame_width == width && frame_height == height) {
        if (!frame->has_alpha)
            drop_alpha(pixels, width * height);
        *out = (ff_original){width, height, frame->has_alpha ? 4 : 3, 8, pixels, 1, {0}};
        return FF_OK;
    }
    status = ff_pixels_allocate(name, width, height, 4, &canvas, error);
    if (status == FF_OK) {
        size_t corner = (size_t)frame->y_offset * width + (size_t)frame->x_offset;
        memset(canvas, 0, 4 * width * height);
        for (size_t y = 0; y < frame_height; y++)
            memcpy(canvas + 4 * (corner + y * width), pixels + 4 * y * frame_width, 4 * frame_width);
        *out = (ff_original){width, height, 4, 8, canvas, 1, {0}};
    }
    free(pixels);
    return status;
}

ff_status ff_webp_read(const uint8_t *bytes, size_t size, const char *name, ff_original *out, ff_error *error)
{
    WebPData data = {bytes, size};
    WebPIterator frame;
    WebPChunkIterator chunk;
    int orientation = 1;
    ff_status status;

    *out = (ff_original){0};
    WebPDemuxer *demuxer = WebPDemux(&data);  // NULL unless the file is whole
    if (!demuxer)
        return fail_reading(name, error);
    if (WebPDemuxGetFrame(demuxer, 1, &frame)) {
        status = read_first_frame(demuxer, &frame, name, out, error);
        WebPDemuxReleaseIterator(&frame);
    } else {
        status = fail_reading(name, error);
    }
    out->frames = WebPDemuxGetI(demuxer, WEBP_FF_FRAME_COUNT);
    if (status == FF_OK && WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) {
        orientation = ff_pixels_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    if (status == FF_OK && WebPDemuxGetChunk(demuxer, "ICCP", 1, &chunk)) {
        status = ff_colour_space_set_profile(&out->colours, chunk.chunk.bytes, chunk.chunk.size, error);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    WebPDemuxDelete(demuxer);
    if (status == FF_OK)
        status = ff_pixels_turn(out, orientation, error);
    if (status != FF_OK)
        ff_original_free(out);
    return status;
}

ff_status ff_webp_read_xmp(const uint8_t *bytes, size_t size, const char *name, const uint8_t **xmp, size_t *xmp_size,
                           ff_error *error)
{
    WebPData data = {bytes, size};
    WebPChunkIterator chunk;

    *xmp = NULL;
    *xmp_size = 0;
    WebPDemuxer *demuxer = WebPDemux(&data);
    if (!demuxer)
        return fail_reading(name, error);
    if (WebPDemuxGetChunk(demuxer, "XMP ", 1, &chunk)) {
        *xmp = chunk.chunk.bytes;
        *xmp_size = chunk.chunk.size;
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    WebPDemuxDelete(demuxer);
    return FF_OK;
}

// ---- writing: RIFF, VP8X, ICCP, then ANIM and an ANMF for each frame or the still's own chunk, then XMP ----
// (WebP Container Specification, "Extended File Format")

#define FLAG_ANIMATION 0x02
#define FLAG_XMP 0x04
#define FLAG_ALPHA 0x10
#define FLAG_PROFILE 0x20
#define FRAME_OVERWRITES 0x02  // ANMF: the frame replaces the canvas, it is not blended with it

static uint8_t *put(uint8_t *out, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *out++ = (uint8_t)(value >> (8 * i));
    return out;
}

static uint8_t *put_tag(uint8_t *out, const char *tag)
{
    memcpy(out, tag, 4);
    return out + 4;
}

static ff_status write_bytes(ff_webp_writer *writer, const void *bytes, size_t size, ff_error *error)
{
    if (fwrite(bytes, 1, size, writer->file) == size)
        return FF_OK;
    return ff_fail(error, FF_ERROR_IO, "%s: cannot be written: %s", writer->name, strerror(errno));
}

static ff_status write_profile(ff_webp_writer *writer, ff_error *error)
{
    const ff_colour_space *colours = writer->settings.colours;
    uint8_t header[8];
    size_t size = colours->profile_size;
    put(put_tag(header, "ICCP"), (uint32_t)size, 4);
    ff_status status = write_bytes(writer, header, sizeof header, error);
    if (status == FF_OK)
        status = write_bytes(writer, colours->profile, size, error);
    return status == FF_OK && size % 2 ? write_bytes(writer, "", 1, error) : status;
}

// riff_size: bytes after the first 8; 0 while it is not known.
static ff_status write_header(ff_webp_writer *writer, uint32_t riff_size, uint32_t flags, ff_error *error)
{
    const ff_webp_settings *settings = &writer->settings;
    bool profile = settings->colours && settings->colours->profile;
    uint8_t header[30], animation[14], *out = header;

    out = put(put_tag(out, "RIFF"), riff_size, 4);
    out = put_tag(out, "WEBP");
    out = put(put_tag(out, "VP8X"), 10, 4);
    out = put(out, flags | (profile ? FLAG_PROFILE : 0), 4);
    out = put(out, (uint32_t)settings->width - 1, 3);
    put(out, (uint32_t)settings->height - 1, 3);
    ff_status status = write_bytes(writer, header, sizeof header, error);
    if (status == FF_OK && profile)
        status = write_profile(writer, error);
    if (status != FF_OK || settings->frames == 1)
        return status;
    out = put(put_tag(animation, "ANIM"), 6, 4);
    out = put(out, 0xffffffff, 4);  // background: white, opaque
    put(out, 0, 2);                 // loops for ever
    return write_bytes(writer, animation, sizeof animation, error);
}

ff_status ff_webp_start(ff_webp_writer *writer, FILE *file, const char *name, const ff_webp_settings *settings,
                        ff_error *error)
{
    if (!settings->width || !settings->height || settings->width > WEBP_MAX_DIMENSION
        || settings->height > WEBP_MAX_DIMENSION)
        return ff_fail(error, FF_ERROR_INPUT, "%s: a WebP has 1 to %d pixels a side, not %zu x %zu", name,
                       WEBP_MAX_DIMENSION, settings->width, settings->height);
    if (settings->frames > 1 && !(settings->fps >= 0.1 && settings->fps <= 1000.0))
        return ff_fail(error, FF_ERROR_INPUT, "%s: an animated WebP has 0.1 to 1000 frames a second, not %g", name,
                       settings->fps);
    if (!settings->lossless && !(settings->quality >= 0.0 && settings->quality <= 100.0))
        return ff_fail(error, FF_ERROR_INPUT, "%s: the quality of a WebP is 0 to 100, not %g", name,
                       settings->quality);
    *writer = (ff_webp_writer){.settings = *settings, .file = file, .name = name};
    return write_header(writer, 0, 0, error);
}

// The frame as a WebP file of its own, in *encoded.
static ff_status encode(const ff_webp_writer *writer, const ff_original *frame, WebPMemoryWriter *encoded,
                        ff_error *error)
{
    int (*import)(WebPPicture *, const uint8_t *, int) = frame->channels == 4 ? WebPPictureImportRGBA
                                                                              : WebPPictureImportRGB;
    WebPConfig config;
    WebPPicture picture;

    if (!WebPConfigInit(&config) || !WebPPictureInit(&picture))
        return ff_fail(error, FF_ERROR_IO, "%s: libwebp is not of the version this program was built for",
                       writer->name);
    config.method = 4;
    if (writer->settings.lossless) {
        config.lossless = config.exact = 1;
    } else {
        config.quality = (float)writer->settings.quality;
        config.use_sharp_yuv = 1;
    }
    picture.use_argb = 1;
    picture.width = (int)frame->width;
    picture.height = (int)frame->height;
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = encoded;
    int stride = (int)(frame->channels * frame->width);
    bool done = import(&picture, frame->samples, stride) && WebPEncode(&config, &picture);
    WebPEncodingError reason = picture.error_code;
    WebPPictureFree(&picture);
    if (done)
        return FF_OK;
    if (reason == VP8_ENC_ERROR_OUT_OF_MEMORY || reason == VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY
        || reason == VP8_ENC_ERROR_BAD_WRITE)  // what is written goes to memory
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory encoding a frame", writer->name);
    return ff_fail(error, FF_ERROR_IO, "%s: libwebp could not encode a frame (its error %d)", writer->name,
                   (int)reason);
}

ff_status ff_webp_encode(const ff_image *image, uint8_t **bytes, size_t *size, ff_error *error)
{
    const ff_webp_writer writer = {.settings = {.lossless = true}, .name = "a picture"};
    const ff_original picture = {image->width, image->height, 3, 8, image->rgb, 1, {0}};
    WebPMemoryWriter encoded;
    WebPMemoryWriterInit(&encoded);
    ff_status status = encode(&writer, &picture, &encoded, error);
    if (status == FF_OK && !(*bytes = malloc(encoded.size)))
        status = ff_fail(error, FF_ERROR_MEMORY, "out of memory for a picture");
    if (status == FF_OK)
        memcpy(*bytes, encoded.mem, *size = encoded.size);
    WebPMemoryWriterClear(&encoded);
    return status;
}

// When frame i is shown, in milliseconds. Durations are differences of these, so that rounding does not add up.
static uint32_t timestamp_of(const ff_webp_writer *writer, size_t i)
{
    return (uint32_t)(uint64_t)floor((double)i * 1000.0 / writer->settings.fps + 0.5);
}

// Where the chunks that hold the pixels begin in what libwebp wrote: behind RIFF, size and WEBP, and a VP8X, which
// belongs to a file and not to a frame.
static size_t find_pixels(const WebPMemoryWriter *encoded)
{
    const size_t riff_size = 12, vp8x_size = 18;
    bool extended = encoded->size > riff_size + vp8x_size && memcmp(encoded->mem + riff_size, "VP8X", 4) == 0;
    return riff_size + (extended ? vp8x_size : 0);
}

ff_status ff_webp_add(ff_webp_writer *writer, const ff_original *frame, ff_error *error)
{
    WebPMemoryWriter encoded;
    uint8_t header[24], *out = header;

    WebPMemoryWriterInit(&encoded);
    ff_status status = encode(writer, frame, &encoded, error);
    size_t start = status == FF_OK ? find_pixels(&encoded) : 0;  // what follows are chunks, padded to an even size
    if (status == FF_OK && writer->settings.frames > 1) {
        uint32_t duration = timestamp_of(writer, writer->written + 1) - timestamp_of(writer, writer->written);
        out = put(put_tag(out, "ANMF"), (uint32_t)(16 + encoded.size - start), 4);
        out = put(put(out, 0, 3), 0, 3);  // at (0, 0)
        out = put(out, (uint32_t)frame->width - 1, 3);
        out = put(out, (uint32_t)frame->height - 1, 3);
        out = put(out, duration, 3);
        out = put(out, FRAME_OVERWRITES, 1);
        status = write_bytes(writer, header, (size_t)(out - header), error);
    }
    if (status == FF_OK)
        status = write_bytes(writer, encoded.mem + start, encoded.size - start, error);
    WebPMemoryWriterClear(&encoded);
    writer->alpha = writer->alpha || frame->channels == 4;
    writer->written += status == FF_OK;
    return status;
}

ff_status ff_webp_finish(ff_webp_writer *writer, const char *xmp, ff_error *error)
{
    uint32_t flags = (writer->settings.frames > 1 ? FLAG_ANIMATION : 0) | (writer->alpha ? FLAG_ALPHA : 0);
    ff_status status = FF_OK;

    if (xmp) {
        size_t size = strlen(xmp);
        uint8_t header[8];
        if (size > UINT32_MAX / 2)
            return ff_fail(error, FF_ERROR_INPUT, "%s: metadata of %zu bytes does not fit", writer->name, size);
        put(put_tag(header, "XMP "), (uint32_t)size, 4);
        status = write_bytes(writer, header, sizeof(header), error);
        if (status == FF_OK)
            status = write_bytes(writer, xmp, size + size % 2, error);  // padded with the string's own NUL
        flags |= FLAG_XMP;
    }
    if (status != FF_OK)
        return status;
    long size = ftell(writer->file);
    if (size < 0 || (unsigned long)size > UINT32_MAX - 8u)
        return ff_fail(error, FF_ERROR_IO, "%s: a WebP cannot be larger than 4 GiB", writer->name);
    if (fseek(writer->file, 0, SEEK_SET) != 0)
        return ff_fail(error, FF_ERROR_IO, "%s: cannot be written: %s", writer->name, strerror(errno));
    return write_header(writer, (uint32_t)size - 8, flags, error);
}

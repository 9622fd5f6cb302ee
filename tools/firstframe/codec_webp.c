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

// The first frame of a whole file, over the background, on a canvas that is background elsewhere.
static ff_status read_first_frame(const WebPDemuxer *demuxer, const WebPIterator *frame, const char *name,
                                  uint8_t background, ff_image *out, ff_error *error)
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
    ff_pixels_flatten(pixels, frame_width * frame_height, background);
    if (frame_width == width && frame_height == height) {
        *out = (ff_image){width, height, pixels};
        return FF_OK;
    }
    status = ff_pixels_allocate(name, width, height, 3, &canvas, error);
    if (status == FF_OK) {
        size_t corner = (size_t)frame->y_offset * width + (size_t)frame->x_offset;
        memset(canvas, background, 3 * width * height);
        for (size_t y = 0; y < frame_height; y++)
            memcpy(canvas + 3 * (corner + y * width), pixels + 3 * y * frame_width, 3 * frame_width);
        *out = (ff_image){width, height, canvas};
    }
    free(pixels);
    return status;
}

ff_status ff_webp_read(const uint8_t *bytes, size_t size, const char *name, uint8_t background, ff_image *out,
                       ff_error *error)
{
    WebPData data = {bytes, size};
    WebPIterator frame;
    WebPChunkIterator chunk;
    int orientation = 1;
    ff_status status;

    *out = (ff_image){0};
    WebPDemuxer *demuxer = WebPDemux(&data);  // NULL unless the file is whole
    if (!demuxer)
        return fail_reading(name, error);
    if (WebPDemuxGetFrame(demuxer, 1, &frame)) {
        status = read_first_frame(demuxer, &frame, name, background, out, error);
        WebPDemuxReleaseIterator(&frame);
    } else {
        status = fail_reading(name, error);
    }
    if (status == FF_OK && WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) {
        orientation = ff_pixels_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    WebPDemuxDelete(demuxer);
    if (status == FF_OK)
        status = ff_pixels_turn(out, orientation, error);
    if (status != FF_OK) {
        free(out->rgb);
        *out = (ff_image){0};
    }
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

// ---- writing: RIFF, VP8X, then ANIM and an ANMF for each frame or the still's own chunk, then XMP ----
// (WebP Container Specification, "Extended File Format")

#define FLAG_ANIMATION 0x02
#define FLAG_XMP 0x04
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

// riff_size: bytes after the first 8; 0 while it is not known.
static ff_status write_header(ff_webp_writer *writer, uint32_t riff_size, uint32_t flags, ff_error *error)
{
    const ff_webp_settings *settings = &writer->settings;
    uint8_t header[44], *out = header;

    out = put(put_tag(out, "RIFF"), riff_size, 4);
    out = put_tag(out, "WEBP");
    out = put(put_tag(out, "VP8X"), 10, 4);
    out = put(out, flags, 4);
    out = put(out, (uint32_t)settings->width - 1, 3);
    out = put(out, (uint32_t)settings->height - 1, 3);
    if (settings->frames > 1) {
        out = put(put_tag(out, "ANIM"), 6, 4);
        out = put(out, 0xffffffff, 4);  // background: white, opaque
        out = put(out, 0, 2);           // loops for ever
    }
    return write_bytes(writer, header, (size_t)(out - header), error);
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
static ff_status encode(const ff_webp_writer *writer, const ff_image *frame, WebPMemoryWriter *encoded,
                        ff_error *error)
{
    WebPConfig config;
    WebPPicture picture;

    if (!WebPConfigInit(&config) || !WebPPictureInit(&picture))
        return ff_fail(error, FF_ERROR_IO, "%s: libwebp is not of the version this program was built for",
                       writer->name);
    config.method = 4;
    if (writer->settings.lossless) {
        config.lossless = 1;
    } else {
        config.quality = (float)writer->settings.quality;
        config.use_sharp_yuv = 1;
    }
    picture.use_argb = 1;
    picture.width = (int)frame->width;
    picture.height = (int)frame->height;
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = encoded;
    bool done = WebPPictureImportRGB(&picture, frame->rgb, 3 * (int)frame->width) && WebPEncode(&config, &picture);
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
    WebPMemoryWriter encoded;
    WebPMemoryWriterInit(&encoded);
    ff_status status = encode(&writer, image, &encoded, error);
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

ff_status ff_webp_add(ff_webp_writer *writer, const ff_image *frame, ff_error *error)
{
    const size_t riff_header = 12;  // RIFF, size, WEBP; what follows is a chunk, padded to an even size
    WebPMemoryWriter encoded;
    uint8_t header[24], *out = header;

    WebPMemoryWriterInit(&encoded);
    ff_status status = encode(writer, frame, &encoded, error);
    if (status == FF_OK && writer->settings.frames > 1) {
        uint32_t duration = timestamp_of(writer, writer->written + 1) - timestamp_of(writer, writer->written);
        out = put(put_tag(out, "ANMF"), (uint32_t)(16 + encoded.size - riff_header), 4);
        out = put(put(out, 0, 3), 0, 3);  // at (0, 0)
        out = put(out, (uint32_t)frame->width - 1, 3);
        out = put(out, (uint32_t)frame->height - 1, 3);
        out = put(out, duration, 3);
        out = put(out, FRAME_OVERWRITES, 1);
        status = write_bytes(writer, header, (size_t)(out - header), error);
    }
    if (status == FF_OK)
        status = write_bytes(writer, encoded.mem + riff_header, encoded.size - riff_header, error);
    WebPMemoryWriterClear(&encoded);
    writer->written += status == FF_OK;
    return status;
}

ff_status ff_webp_finish(ff_webp_writer *writer, const char *xmp, ff_error *error)
{
    uint32_t flags = writer->settings.frames > 1 ? FLAG_ANIMATION : 0;
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

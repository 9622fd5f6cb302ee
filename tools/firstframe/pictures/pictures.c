#include "pictures.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../codecs/codec_jpeg.h"
#include "../codecs/codec_png.h"
#include "../codecs/codec_webp.h"
#include "weights/content.h"

#define MOST_BYTES ((size_t)1 << 30)   // a device may never end
#define WHITE 255

ff_status ff_picture_load(const char *path, uint8_t **bytes, size_t *size, ff_error *error)
{
    size_t capacity = 1 << 16, held = 0, count;
    uint8_t *buffer = NULL;
    ff_status status = FF_OK;

    *bytes = NULL;
    *size = 0;
    FILE *file = fopen(path, "rb");
    if (!file)
        return ff_fail(error, FF_ERROR_INPUT, "%s: cannot be read: %s", path, strerror(errno));
    do {
        if (held > MOST_BYTES) {
            status = ff_fail(error, FF_ERROR_INPUT, "%s: larger than 1 GiB; no picture is", path);
            goto done;
        }
        if (!buffer || held == capacity) {
            uint8_t *larger = capacity <= SIZE_MAX / 2 ? realloc(buffer, 2 * capacity) : NULL;
            if (!larger) {
                status = ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory reading it", path);
                goto done;
            }
            buffer = larger;
            capacity *= 2;
        }
        count = fread(buffer + held, 1, capacity - held, file);
        held += count;
    } while (count > 0);
    if (ferror(file)) {
        status = ff_fail(error, FF_ERROR_INPUT, "%s: cannot be read: %s", path, strerror(errno));
        goto done;
    }
    *bytes = buffer;
    *size = held;
    buffer = NULL;
done:
    free(buffer);
    fclose(file);
    return status;
}

ff_status ff_picture_decode_original(const void *bytes, size_t size, const char *name, ff_original *out,
                                     ff_error *error)
{
    *out = (ff_original){0};
    if (size == 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: the file is empty", name);
    if (ff_png_recognise(bytes, size))
        return ff_png_read(bytes, size, name, out, error);
    if (ff_jpeg_recognise(bytes, size))
        return ff_jpeg_read(bytes, size, name, out, error);
    if (ff_webp_recognise(bytes, size))
        return ff_webp_read(bytes, size, name, out, error);
    const char *content = ff_content_name(bytes, size);
    return ff_fail(error, FF_ERROR_INPUT, "%s: neither a PNG nor a JPEG nor a WebP picture%s%s", name,
                   content ? ": it is " : "", content ? content : "");
}

ff_status ff_picture_reduce(ff_original *picture, uint8_t background, ff_image *out, ff_error *error)
{
    if (picture->channels != 3 || picture->depth != 8)
        return ff_original_flatten(picture, background, out, error);
    *out = (ff_image){picture->width, picture->height, picture->samples};
    picture->samples = NULL;
    return FF_OK;
}

ff_status ff_picture_decode(const void *bytes, size_t size, const char *name, uint8_t background, ff_image *out,
                            ff_error *error)
{
    ff_original picture;
    *out = (ff_image){0};
    ff_status status = ff_picture_decode_original(bytes, size, name, &picture, error);
    if (status == FF_OK)
        status = ff_picture_reduce(&picture, background, out, error);
    ff_original_free(&picture);
    return status;
}

ff_status ff_picture_read(const char *path, ff_image *out, ff_error *error)
{
    uint8_t *bytes;
    size_t size;

    *out = (ff_image){0};
    ff_status status = ff_picture_load(path, &bytes, &size, error);
    if (status != FF_OK)
        return status;
    status = ff_picture_decode(bytes, size, path, WHITE, out, error);
    free(bytes);
    return status;
}

void ff_picture_free(ff_image *image)
{
    if (!image)
        return;
    free(image->rgb);
    *image = (ff_image){0};
}

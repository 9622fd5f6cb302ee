#include "codec_pixels.h"

#include <stdlib.h>
#include <string.h>

#include "../pictures/pictures.h"

ff_status ff_pixels_allocate(const char *name, size_t width, size_t height, size_t pixel_bytes, uint8_t **out,
                             ff_error *error)
{
    *out = NULL;
    if (!width || !height || width > FF_PICTURE_MOST_PIXELS / height)
        return ff_fail(error, FF_ERROR_INPUT, "%s: %zu x %zu pixels; a picture may have 1 to %zu", name, width, height,
                       FF_PICTURE_MOST_PIXELS);
    *out = malloc(pixel_bytes * width * height);
    if (!*out)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory for %zu x %zu pixels", name, width, height);
    return FF_OK;
}

// ---- EXIF: a TIFF file whose first directory may hold the tag Orientation (0x0112), a SHORT ----

static uint32_t read_number(const uint8_t *bytes, int count, bool big_endian)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | bytes[big_endian ? i : count - 1 - i];
    return value;
}

int ff_pixels_orientation(const uint8_t *exif, size_t size)
{
    if (size >= 6 && memcmp(exif, "Exif\0\0", 6) == 0) {
        exif += 6;
        size -= 6;
    }
    if (size < 8 || (memcmp(exif, "II*\0", 4) != 0 && memcmp(exif, "MM\0*", 4) != 0))
        return 1;
    bool big_endian = exif[0] == 'M';
    size_t directory = read_number(exif + 4, 4, big_endian);
    if (directory > size - 2)
        return 1;
    size_t entries = read_number(exif + directory, 2, big_endian);
    for (size_t i = 0; i < entries; i++) {
        size_t entry = directory + 2 + 12 * i;  // tag 2, type 2, count 4, value 4
        if (entry + 12 > size)
            return 1;
        if (read_number(exif + entry, 2, big_endian) == 0x0112 && read_number(exif + entry + 2, 2, big_endian) == 3) {
            uint32_t orientation = read_number(exif + entry + 8, 2, big_endian);
            return orientation >= 1 && orientation <= 8 ? (int)orientation : 1;
        }
    }
    return 1;
}

ff_status ff_pixels_turn(ff_original *picture, int orientation, ff_error *error)
{
    bool swapped = orientation >= 5;  // the stored rows are columns of the upright picture
    bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    size_t width = picture->width, height = picture->height, size = picture->channels * picture->depth / 8;
    const uint8_t *samples = picture->samples;

    if (orientation == 1)
        return FF_OK;
    uint8_t *upright = malloc(size * width * height), *out = upright;
    if (!upright)
        return ff_fail(error, FF_ERROR_MEMORY, "out of memory turning a picture of %zu x %zu pixels", width, height);
    picture->width = swapped ? height : width;
    picture->height = swapped ? width : height;
    for (size_t y = 0; y < picture->height; y++)
        for (size_t x = 0; x < picture->width; x++, out += size) {
            size_t column = swapped ? y : x, row = swapped ? x : y;
            if (flip_x)
                column = width - 1 - column;
            if (flip_y)
                row = height - 1 - row;
            memcpy(out, samples + size * (row * width + column), size);
        }
    free(picture->samples);
    picture->samples = upright;
    return FF_OK;
}

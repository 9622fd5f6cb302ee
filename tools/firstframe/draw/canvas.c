#include "canvas.h"

#include <stdlib.h>
#include <string.h>

#include "../codecs/codec_png.h"
#include "font.h"
#include "../files/protect.h"

ff_status ff_canvas_create(size_t width, size_t height, ff_image *image, ff_error *error)
{
    size_t bytes = 3 * width * height;
    *image = (ff_image){width, height, malloc(bytes)};
    if (!image->rgb)
        return ff_fail(error, FF_ERROR_MEMORY, "out of memory for a picture of %zux%zu", width, height);
    memset(image->rgb, 255, bytes);
    return FF_OK;
}

void ff_canvas_fill(ff_image *image, long x, long y, long width, long height, ff_colour colour)
{
    long left = x < 0 ? 0 : x, top = y < 0 ? 0 : y;
    long right = x + width < (long)image->width ? x + width : (long)image->width;
    long bottom = y + height < (long)image->height ? y + height : (long)image->height;
    for (long row = top; row < bottom; row++)
        for (long column = left; column < right; column++) {
            uint8_t *pixel = image->rgb + 3 * ((size_t)row * image->width + (size_t)column);
            pixel[0] = colour.red;
            pixel[1] = colour.green;
            pixel[2] = colour.blue;
        }
}

void ff_canvas_text(ff_image *image, long x, long y, long scale, ff_colour colour, const char *text)
{
    for (; *text; text++, x += (FF_FONT_WIDTH + 1) * scale) {
        unsigned glyph = (unsigned char)*text - (unsigned)FF_FONT_FIRST;
        if (glyph >= FF_FONT_GLYPHS)
            glyph = '?' - FF_FONT_FIRST;
        for (long row = 0; row < FF_FONT_HEIGHT; row++)
            for (long column = 0; column < FF_FONT_WIDTH; column++)
                if (ff_font[glyph][row] >> (FF_FONT_WIDTH - 1 - column) & 1)
                    ff_canvas_fill(image, x + column * scale, y + row * scale, scale, scale, colour);
    }
}

long ff_canvas_text_width(const char *text, long scale)
{
    return (long)strlen(text) * (FF_FONT_WIDTH + 1) * scale;
}

void ff_canvas_picture(ff_image *image, long x, long y, long scale, const ff_image *picture)
{
    const uint8_t *pixel = picture->rgb;
    for (size_t row = 0; row < picture->height; row++)
        for (size_t column = 0; column < picture->width; column++, pixel += 3)
            ff_canvas_fill(image, x + (long)column * scale, y + (long)row * scale, scale, scale,
                           (ff_colour){pixel[0], pixel[1], pixel[2]});
}

ff_status ff_canvas_write(const ff_image *image, const char *path, ff_error *error)
{
    ff_atomic_file out;
    ff_status status = ff_protect_check(path, error);
    if (!status)
        status = ff_atomic_create(path, &out, error);
    if (status)
        return status;
    if (!(status = ff_png_write(out.file, path, image, error)))
        return ff_atomic_finish(&out, 1, error);
    ff_atomic_abandon(&out, 1);
    return status;
}

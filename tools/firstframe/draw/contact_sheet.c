#include "contact_sheet.h"

#include <stdlib.h>
#include <string.h>

#include "font.h"

#define GUTTER 8
#define BACKGROUND 240
#define INK 40
#define MOST_BYTES 0x1p40
#define LETTER_ADVANCE (FF_FONT_WIDTH + 1)

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t empty_cells(size_t columns, size_t count)
{
    return (columns - count % columns) % columns;
}

// One letter, each of its pixels a square of `scale`, clipped at the right by `end_x`.
static void draw_letter(ff_image *sheet, char letter, size_t x, size_t y, size_t scale, size_t end_x)
{
    static const uint8_t box[FF_FONT_HEIGHT] = {0x1f, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1f, 0x00, 0x00};
    unsigned glyph = (unsigned char)letter - (unsigned)FF_FONT_FIRST;
    const uint8_t *rows = glyph < FF_FONT_GLYPHS ? ff_font[glyph] : box;

    for (size_t row = 0; row < FF_FONT_HEIGHT * scale; row++)
        for (size_t column = 0; column < FF_FONT_WIDTH * scale && x + column < end_x; column++)
            if (rows[row / scale] >> (FF_FONT_WIDTH - 1 - column / scale) & 1)
                memset(sheet->rgb + 3 * ((y + row) * sheet->width + x + column), INK, 3);
}

ff_status ff_contact_sheet_draw(const ff_image *stills, const char *const *labels, size_t count, ff_image *out,
                                ff_error *error)
{
    size_t columns = 1;
    while (columns * columns < count)
        columns++;
    if (empty_cells(columns + 1, count) < empty_cells(columns, count))
        columns++;
    return ff_contact_sheet_draw_columns(stills, labels, count, columns, out, error);
}

ff_status ff_contact_sheet_draw_columns(const ff_image *stills, const char *const *labels, size_t count,
                                        size_t columns, ff_image *out, ff_error *error)
{
    size_t cell_width = 1, cell_height = 1, letters = 1;

    *out = (ff_image){0};
    if (count == 0)
        return ff_fail(error, FF_ERROR_INPUT, "a contact sheet needs a picture");
    for (size_t i = 0; i < count; i++) {
        cell_width = larger(cell_width, stills[i].width);
        cell_height = larger(cell_height, stills[i].height);
        letters = larger(letters, labels[i] ? strlen(labels[i]) : 0);
    }
    size_t rows = (count + columns - 1) / columns;
    // Letters grow with the stills but shrink until the longest label fits.
    size_t scale = 2 + cell_width / 256;
    while (scale > 1 && letters * LETTER_ADVANCE * scale > cell_width)
        scale--;
    size_t label_height = (FF_FONT_HEIGHT + 2) * scale;  // the text and what separates it from its still

    // in double first: exact as far as MOST_BYTES, and it cannot overflow
    double wide = (double)columns * (double)(cell_width + GUTTER) + GUTTER;
    double high = (double)rows * (double)(cell_height + label_height + GUTTER) + GUTTER;
    size_t width = 0, height = 0, bytes = 0;
    if (3 * wide * high <= MOST_BYTES) {
        width = (size_t)wide;
        height = (size_t)high;
        bytes = 3 * width * height;
        out->rgb = malloc(bytes);
    }
    if (!out->rgb)
        return ff_fail(error, FF_ERROR_MEMORY, "out of memory for a contact sheet of %zu pictures", count);
    out->width = width;
    out->height = height;
    memset(out->rgb, BACKGROUND, bytes);

    for (size_t i = 0; i < count; i++) {
        size_t x = GUTTER + i % columns * (cell_width + GUTTER);
        size_t y = GUTTER + i / columns * (cell_height + label_height + GUTTER);
        for (size_t row = 0; row < stills[i].height; row++)
            memcpy(out->rgb + 3 * ((y + row) * width + x), stills[i].rgb + 3 * row * stills[i].width,
                   3 * stills[i].width);
        size_t letter_x = x;
        for (const char *letter = labels[i]; letter && *letter && letter_x < x + cell_width; letter++) {
            draw_letter(out, *letter, letter_x, y + cell_height + 2 * scale, scale, x + cell_width);
            letter_x += LETTER_ADVANCE * scale;
        }
    }
    return FF_OK;
}

#include "show.h"

#include <stdlib.h>
#include <string.h>

#include "../files/base64.h"
#include "../codecs/codec_png.h"

#define CHUNK 4096   // characters that Kitty takes at once

static bool names(const char *variable, const char *value)
{
    const char *found = getenv(variable);
    return found && strcmp(found, value) == 0;
}

ff_terminal ff_show_recognise(void)
{
    if (getenv("KITTY_WINDOW_ID") || names("TERM", "xterm-kitty") || names("TERM", "xterm-ghostty"))
        return FF_TERMINAL_KITTY;
    if (names("TERM_PROGRAM", "iTerm.app") || names("LC_TERMINAL", "iTerm2") || names("TERM_PROGRAM", "WezTerm"))
        return FF_TERMINAL_ITERM;
    return FF_TERMINAL_BLOCKS;
}

static ff_status fail_memory(ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "no memory to show a picture");
}

// bytes as base64, in memory; NULL without any.
static char *encode(const void *bytes, size_t size)
{
    char *text = malloc(ff_base64_length(size) + 1);
    if (text)
        ff_base64_encode(bytes, size, text);
    return text;
}

// a=T: transmit and show; f=24: RGB; m: whether more follows.
static ff_status show_kitty(FILE *stream, const ff_image *image, ff_error *error)
{
    char *text = encode(image->rgb, 3 * image->width * image->height);
    if (!text)
        return fail_memory(error);
    size_t length = strlen(text);
    for (size_t at = 0; at < length; at += CHUNK) {
        if (at == 0)
            fprintf(stream, "\033_Ga=T,f=24,s=%zu,v=%zu,m=%d;", image->width, image->height, length > CHUNK);
        else
            fprintf(stream, "\033_Gm=%d;", length - at > CHUNK);
        fprintf(stream, "%.*s\033\\", CHUNK, text + at);
    }
    fputc('\n', stream);
    free(text);
    return FF_OK;
}

static ff_status show_iterm(FILE *stream, const ff_image *image, ff_error *error)
{
    FILE *file = tmpfile();
    if (!file)
        return ff_fail(error, FF_ERROR_IO, "a picture cannot be shown: there is no temporary file");
    ff_status status = ff_png_write(file, "a picture", image, error);
    long size = status == FF_OK ? ftell(file) : 0;
    uint8_t *bytes = size > 0 ? malloc((size_t)size) : NULL;
    rewind(file);
    if (bytes && fread(bytes, 1, (size_t)size, file) == (size_t)size) {
        char *text = encode(bytes, (size_t)size);
        if (text)
            fprintf(stream, "\033]1337;File=inline=1;size=%ld:%s\a\n", size, text);
        else
            status = fail_memory(error);
        free(text);
    } else if (status == FF_OK) {
        status = fail_memory(error);
    }
    free(bytes);
    fclose(file);
    return status;
}

// The upper half of a character is its letter's colour, the lower its ground's.
static ff_status show_blocks(FILE *stream, size_t width, const ff_image *image, ff_error *error)
{
    ff_image small = {image->width, image->height, NULL};
    if (small.width > width) {
        small.height = (image->height * width + image->width / 2) / image->width;
        small.height += small.height == 0;
        small.width = width;
    }
    small.rgb = malloc(3 * small.width * small.height);
    if (!small.rgb)
        return fail_memory(error);
    ff_status status = ff_image_resize(image, &small, error);
    for (size_t y = 0; status == FF_OK && y < small.height; y += 2) {
        for (size_t x = 0; x < small.width; x++) {
            const uint8_t *upper = small.rgb + 3 * (y * small.width + x), *lower = upper + 3 * small.width;
            fprintf(stream, "\033[38;2;%d;%d;%dm", upper[0], upper[1], upper[2]);
            if (y + 1 < small.height)
                fprintf(stream, "\033[48;2;%d;%d;%dm", lower[0], lower[1], lower[2]);
            fputs("\xE2\x96\x80", stream);   // upper half block
        }
        fputs("\033[0m\n", stream);
    }
    free(small.rgb);
    return status;
}

ff_status ff_show_picture(FILE *stream, ff_terminal terminal, size_t width, const ff_image *image, ff_error *error)
{
    switch (terminal) {
    case FF_TERMINAL_KITTY:
        return show_kitty(stream, image, error);
    case FF_TERMINAL_ITERM:
        return show_iterm(stream, image, error);
    case FF_TERMINAL_BLOCKS:
        break;
    }
    return show_blocks(stream, width, image, error);
}

#include "codec_png.h"

#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "codec_pixels.h"

bool ff_png_recognise(const uint8_t *bytes, size_t size)
{
    return size >= 8 && png_sig_cmp(bytes, 0, 8) == 0;
}

// libpng's way out of an error is longjmp. Everything that must outlive the jump is here, not in local variables.
typedef struct ff_png_state {
    png_structp png;
    png_infop info;
    const uint8_t *next;      // reading: the bytes not yet read
    size_t left;
    FILE *file;               // writing
    uint8_t *pixels;
    png_bytep *rows;
    const char *name;
    int system_error;         // errno of a failed write
    char problem[160];
} ff_png_state;

static void on_error(png_structp png, png_const_charp message)
{
    ff_png_state *state = png_get_error_ptr(png);
    snprintf(state->problem, sizeof(state->problem), "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void on_read(png_structp png, png_bytep out, size_t count)
{
    ff_png_state *state = png_get_io_ptr(png);
    if (count > state->left)
        png_error(png, "the file ends too early");
    memcpy(out, state->next, count);
    state->next += count;
    state->left -= count;
}

static void on_write(png_structp png, png_bytep bytes, size_t count)
{
    ff_png_state *state = png_get_io_ptr(png);
    if (fwrite(bytes, 1, count, state->file) != count) {
        state->system_error = errno;
        png_error(png, "write error");
    }
}

static void on_flush(png_structp png)
{
    (void)png;
}

static ff_status fail_memory(const ff_png_state *state, ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", state->name);
}

// ---- reading ----

static ff_status start_reading(ff_png_state *state, ff_error *error)
{
    state->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, state, on_error, on_warning);
    state->info = state->png ? png_create_info_struct(state->png) : NULL;
    if (!state->info)
        return fail_memory(state, error);
    png_set_read_fn(state->png, state, on_read);
    png_set_user_limits(state->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    return FF_OK;
}

static void stop_reading(ff_png_state *state)
{
    png_destroy_read_struct(&state->png, &state->info, NULL);
    free(state->rows);
    free(state->pixels);
}

static ff_status fail_reading(const ff_png_state *state, ff_error *error)
{
    return ff_fail(error, FF_ERROR_INPUT, "%s: not a whole PNG file: %s", state->name, state->problem);
}

// Reads to the end of the file. state->pixels then holds [height, width, 4].
static ff_status read_pixels(ff_png_state *state, size_t *width, size_t *height, ff_error *error)
{
    if (setjmp(png_jmpbuf(state->png)))
        return fail_reading(state, error);
    png_read_info(state->png, state->info);
    *width = png_get_image_width(state->png, state->info);
    *height = png_get_image_height(state->png, state->info);
    ff_status status = ff_pixels_allocate(state->name, *width, *height, 4, &state->pixels, error);
    if (status != FF_OK)
        return status;
    state->rows = malloc(*height * sizeof(*state->rows));
    if (!state->rows)
        return fail_memory(state, error);
    for (size_t y = 0; y < *height; y++)
        state->rows[y] = state->pixels + 4 * y * *width;

    png_set_expand(state->png);  // palette and grey below 8 bits to 8 bits, tRNS to alpha
    png_set_scale_16(state->png);
    png_set_gray_to_rgb(state->png);
    png_set_add_alpha(state->png, 255, PNG_FILLER_AFTER);
    png_set_interlace_handling(state->png);
    png_read_update_info(state->png, state->info);
    png_read_image(state->png, state->rows);
    png_read_end(state->png, state->info);
    return FF_OK;
}

ff_status ff_png_read(const uint8_t *bytes, size_t size, const char *name, uint8_t background, ff_image *out,
                      ff_error *error)
{
    ff_png_state state = {.next = bytes, .left = size, .name = name};
    size_t width = 0, height = 0;

    *out = (ff_image){0};
    ff_status status = start_reading(&state, error);
    if (status == FF_OK)
        status = read_pixels(&state, &width, &height, error);
    if (status == FF_OK) {
        png_bytep exif;
        png_uint_32 exif_size;
        int orientation = 1;
        if (png_get_eXIf_1(state.png, state.info, &exif_size, &exif))
            orientation = ff_pixels_orientation(exif, exif_size);
        ff_pixels_flatten(state.pixels, width * height, background);
        *out = (ff_image){width, height, state.pixels};
        state.pixels = NULL;
        status = ff_pixels_turn(out, orientation, error);
        if (status != FF_OK) {
            free(out->rgb);
            *out = (ff_image){0};
        }
    }
    stop_reading(&state);
    return status;
}

ff_status ff_png_read_text(const uint8_t *bytes, size_t size, const char *name, const char *keyword, char **text,
                           ff_error *error)
{
    ff_png_state state = {.next = bytes, .left = size, .name = name};
    size_t width, height;
    png_textp texts;
    int count = 0;

    *text = NULL;
    ff_status status = start_reading(&state, error);
    if (status == FF_OK)
        status = read_pixels(&state, &width, &height, error);  // texts may follow the pixels
    if (status == FF_OK)
        png_get_text(state.png, state.info, &texts, &count);
    for (int i = 0; i < count && !*text; i++)
        if (strcmp(texts[i].key, keyword) == 0) {
            *text = strdup(texts[i].text);
            if (!*text)
                status = fail_memory(&state, error);
        }
    stop_reading(&state);
    return status;
}

// ---- writing ----

static ff_status start_writing(ff_png_state *state, ff_error *error)
{
    state->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, state, on_error, on_warning);
    state->info = state->png ? png_create_info_struct(state->png) : NULL;
    if (!state->info) {
        png_destroy_write_struct(&state->png, NULL);
        return fail_memory(state, error);
    }
    png_set_write_fn(state->png, state, on_write, on_flush);
    return FF_OK;
}

static ff_status fail_writing(const ff_png_state *state, ff_error *error)
{
    if (state->system_error)
        return ff_fail(error, FF_ERROR_IO, "%s: cannot be written: %s", state->name, strerror(state->system_error));
    return ff_fail(error, FF_ERROR_IO, "%s: cannot be written: %s", state->name, state->problem);
}

static ff_status write_image(ff_png_state *state, const ff_image *image, ff_error *error)
{
    if (setjmp(png_jmpbuf(state->png)))
        return fail_writing(state, error);
    png_set_user_limits(state->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(state->png, state->info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(state->png, state->info);
    for (size_t y = 0; y < image->height; y++)
        png_write_row(state->png, image->rgb + 3 * y * image->width);
    png_write_end(state->png, NULL);
    return FF_OK;
}

ff_status ff_png_write(FILE *file, const char *name, const ff_image *image, ff_error *error)
{
    ff_png_state state = {.file = file, .name = name};

    if (!image->width || !image->height || image->width > PNG_UINT_31_MAX || image->height > PNG_UINT_31_MAX)
        return ff_fail(error, FF_ERROR_INPUT, "%s: a PNG cannot have %zu x %zu pixels", name, image->width,
                       image->height);
    ff_status status = start_writing(&state, error);
    if (status != FF_OK)
        return status;
    status = write_image(&state, image, error);
    png_destroy_write_struct(&state.png, &state.info);
    return status;
}

#define IEND_SIZE 12  // length, type, checksum

static ff_status write_text(ff_png_state *state, const uint8_t *chunk, size_t size, ff_error *error)
{
    if (setjmp(png_jmpbuf(state->png)))
        return fail_writing(state, error);
    png_write_chunk(state->png, (png_const_bytep) "iTXt", chunk, size);
    png_write_chunk(state->png, (png_const_bytep) "IEND", NULL, 0);
    return FF_OK;
}

ff_status ff_png_append_text(FILE *file, const char *name, const char *keyword, const char *utf8, ff_error *error)
{
    // iTXt: keyword, NUL, not compressed (two zeros), empty language, NUL, empty translation, NUL, text
    ff_png_state state = {.file = file, .name = name};
    size_t keyword_size = strlen(keyword), text_size = strlen(utf8), size = keyword_size + 5 + text_size;

    if (size > PNG_UINT_31_MAX)
        return ff_fail(error, FF_ERROR_INPUT, "%s: a text of %zu bytes does not fit into a PNG", name, text_size);
    uint8_t *chunk = calloc(size, 1);
    if (!chunk)
        return fail_memory(&state, error);
    memcpy(chunk, keyword, keyword_size);
    memcpy(chunk + keyword_size + 5, utf8, text_size);

    ff_status status = FF_OK;
    if (fseek(file, -IEND_SIZE, SEEK_END) != 0)
        status = ff_fail(error, FF_ERROR_IO, "%s: cannot be written: %s", name, strerror(errno));
    if (status == FF_OK && (status = start_writing(&state, error)) == FF_OK) {
        status = write_text(&state, chunk, size, error);
        png_destroy_write_struct(&state.png, &state.info);
    }
    free(chunk);
    return status;
}

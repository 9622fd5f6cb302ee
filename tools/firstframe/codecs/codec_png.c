#include "codec_png.h"

#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "codec_pixels.h"
#include "png_colours.h"

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

// Asks libpng for red, green, blue and, where the file has any, alpha, in 8 or 16 bits.
static void choose_samples(ff_png_state *state, ff_original *out)
{
    const uint16_t one = 1;
    png_set_expand(state->png);  // palette and grey below 8 bits to 8 bits, tRNS to alpha
    png_set_gray_to_rgb(state->png);
    if (*(const uint8_t *)&one)
        png_set_swap(state->png);
    png_set_interlace_handling(state->png);
    out->width = png_get_image_width(state->png, state->info);
    out->height = png_get_image_height(state->png, state->info);
    out->depth = png_get_bit_depth(state->png, state->info) == 16 ? 16 : 8;
    bool alpha = (png_get_color_type(state->png, state->info) & PNG_COLOR_MASK_ALPHA) ||
                 png_get_valid(state->png, state->info, PNG_INFO_tRNS);
    out->channels = alpha ? 4 : 3;
}

// Reads to the end of the file. state->pixels then holds the samples that *out describes.
static ff_status read_pixels(ff_png_state *state, ff_original *out, ff_error *error)
{
    if (setjmp(png_jmpbuf(state->png)))
        return fail_reading(state, error);
    png_read_info(state->png, state->info);
    choose_samples(state, out);
    size_t pixel_size = out->channels * out->depth / 8;
    ff_status status = ff_pixels_allocate(state->name, out->width, out->height, pixel_size, &state->pixels, error);
    if (status != FF_OK)
        return status;
    state->rows = malloc(out->height * sizeof(*state->rows));
    if (!state->rows)
        return fail_memory(state, error);
    for (size_t y = 0; y < out->height; y++)
        state->rows[y] = state->pixels + pixel_size * y * out->width;
    png_read_update_info(state->png, state->info);
    if (png_get_rowbytes(state->png, state->info) != pixel_size * out->width)
        png_error(state->png, "rows of another size than the header says");
    png_read_image(state->png, state->rows);
    png_read_end(state->png, state->info);
    return FF_OK;
}

ff_status ff_png_read(const uint8_t *bytes, size_t size, const char *name, ff_original *out, ff_error *error)
{
    ff_png_state state = {.next = bytes, .left = size, .name = name};
    png_bytep exif;
    png_uint_32 exif_size;
    int orientation = 1;

    *out = (ff_original){0};
    ff_status status = start_reading(&state, error);
    if (status == FF_OK)
        status = read_pixels(&state, out, error);
    if (status == FF_OK) {
        if (png_get_eXIf_1(state.png, state.info, &exif_size, &exif))
            orientation = ff_pixels_orientation(exif, exif_size);
        out->samples = state.pixels;
        state.pixels = NULL;
        status = ff_pixels_turn(out, orientation, error);
    }
    if (status == FF_OK)
        status = ff_png_read_colours(bytes, size, &out->colours, &out->frames, error);
    if (status != FF_OK)
        ff_original_free(out);
    stop_reading(&state);
    return status;
}

ff_status ff_png_read_text(const uint8_t *bytes, size_t size, const char *name, const char *keyword, char **text,
                           ff_error *error)
{
    ff_png_state state = {.next = bytes, .left = size, .name = name};
    ff_original picture = {0};
    png_textp texts;
    int count = 0;

    *text = NULL;
    ff_status status = start_reading(&state, error);
    if (status == FF_OK)
        status = read_pixels(&state, &picture, error);  // texts may follow the pixels
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

static void write_colours(png_structp png, const ff_colour_space *colours, const ff_png_chunk *profile)
{
    for (size_t i = 0; i < colours->chunk_count; i++)
        png_write_chunk(png, (png_const_bytep)colours->chunks[i].type, colours->chunks[i].bytes,
                        colours->chunks[i].size);
    if (profile->bytes)
        png_write_chunk(png, (png_const_bytep)profile->type, profile->bytes, profile->size);
}

static ff_status write_picture(ff_png_state *state, const ff_original *picture, const ff_png_chunk *profile,
                               ff_error *error)
{
    const uint16_t one = 1;
    size_t row_size = picture->channels * picture->depth / 8 * picture->width;
    if (setjmp(png_jmpbuf(state->png)))
        return fail_writing(state, error);
    png_set_user_limits(state->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(state->png, state->info, (png_uint_32)picture->width, (png_uint_32)picture->height,
                 (int)picture->depth, picture->channels == 4 ? PNG_COLOR_TYPE_RGB_ALPHA : PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(state->png, state->info);
    write_colours(state->png, &picture->colours, profile);
    if (picture->depth == 16 && *(const uint8_t *)&one)
        png_set_swap(state->png);
    for (size_t y = 0; y < picture->height; y++)
        png_write_row(state->png, (png_const_bytep)picture->samples + row_size * y);
    png_write_end(state->png, NULL);
    return FF_OK;
}

ff_status ff_png_write_original(FILE *file, const char *name, const ff_original *picture, ff_error *error)
{
    ff_png_state state = {.file = file, .name = name};
    ff_png_chunk profile;

    if (!picture->width || !picture->height || picture->width > PNG_UINT_31_MAX || picture->height > PNG_UINT_31_MAX)
        return ff_fail(error, FF_ERROR_INPUT, "%s: a PNG cannot have %zu x %zu pixels", name, picture->width,
                       picture->height);
    ff_status status = ff_png_pack_profile(&picture->colours, &profile, error);
    if (status == FF_OK)
        status = start_writing(&state, error);
    if (status == FF_OK) {
        status = write_picture(&state, picture, &profile, error);
        png_destroy_write_struct(&state.png, &state.info);
    }
    free(profile.bytes);
    return status;
}

ff_status ff_png_write(FILE *file, const char *name, const ff_image *image, ff_error *error)
{
    const ff_original picture = {image->width, image->height, 3, 8, image->rgb, 1, {0}};
    return ff_png_write_original(file, name, &picture, error);
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

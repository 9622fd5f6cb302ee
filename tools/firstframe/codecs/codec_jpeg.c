#include "codec_jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "codec_pixels.h"

#define ICC_MARKER (JPEG_APP0 + 2)
#define MOST_SCANS 500  // a progressive file of more is made to keep decoders busy

bool ff_jpeg_recognise(const uint8_t *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

// libjpeg's way out of an error is longjmp. Everything that must outlive the jump is here, not in local variables.
typedef struct ff_jpeg_state {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    uint8_t *pixels;
    int orientation;
    ff_colour_space *colours;
    char problem[JMSG_LENGTH_MAX];
} ff_jpeg_state;

static void on_error(j_common_ptr jpeg)
{
    ff_jpeg_state *state = jpeg->client_data;
    state->errors.format_message(jpeg, state->problem);
    longjmp(state->escape, 1);
}

// libjpeg goes on after damage, with grey where data is missing; here it does not. Oddities that leave every pixel
// intact (bytes between segments, unknown versions) pass.
static void on_message(j_common_ptr jpeg, int level)
{
    if (level >= 0)
        return;
    switch (jpeg->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
        on_error(jpeg);
    }
}

static void on_progress(j_common_ptr jpeg)
{
    if (((j_decompress_ptr)jpeg)->input_scan_number > MOST_SCANS) {
        ff_jpeg_state *state = jpeg->client_data;
        snprintf(state->problem, sizeof(state->problem), "more than %d scans", MOST_SCANS);
        longjmp(state->escape, 1);
    }
}

// The ICC profile, whose parts lie in as many APP2 segments as it takes.
static ff_status read_profile(ff_jpeg_state *state, ff_error *error)
{
    JOCTET *profile;
    unsigned size;
    bool any = false;
    for (jpeg_saved_marker_ptr marker = state->jpeg.marker_list; marker; marker = marker->next)
        any = any || (marker->marker == ICC_MARKER && marker->data_length >= 12 &&
                      memcmp(marker->data, "ICC_PROFILE", 12) == 0);
    if (!any)
        return FF_OK;
    if (!jpeg_read_icc_profile(&state->jpeg, &profile, &size)) {
        snprintf(state->colours->trouble, sizeof state->colours->trouble, "it is damaged: parts of it are missing");
        return FF_OK;
    }
    ff_status status = ff_colour_space_set_profile(state->colours, profile, size, error);
    free(profile);
    return status;
}

static ff_status read_pixels(ff_jpeg_state *state, const uint8_t *bytes, size_t size, const char *name,
                             ff_error *error)
{
    struct jpeg_decompress_struct *jpeg = &state->jpeg;

    if (setjmp(state->escape))
        return state->errors.msg_code == JERR_OUT_OF_MEMORY
                   ? ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", name)
                   : ff_fail(error, FF_ERROR_INPUT, "%s: not a whole JPEG file: %s", name, state->problem);
    jpeg_create_decompress(jpeg);
    jpeg->progress = &state->progress;
    jpeg_mem_src(jpeg, bytes, size);
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);  // EXIF
    jpeg_save_markers(jpeg, ICC_MARKER, 0xffff);
    jpeg_read_header(jpeg, TRUE);
    if (jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK)
        return ff_fail(error, FF_ERROR_INPUT, "%s: a CMYK picture (for printing); save it as RGB first", name);
    state->orientation = 1;
    for (jpeg_saved_marker_ptr marker = jpeg->marker_list; marker && state->orientation == 1; marker = marker->next)
        if (marker->marker == JPEG_APP0 + 1)
            state->orientation = ff_pixels_orientation(marker->data, marker->data_length);
    ff_status status = read_profile(state, error);
    if (status != FF_OK)
        return status;
    jpeg->out_color_space = JCS_RGB;
    status = ff_pixels_allocate(name, jpeg->image_width, jpeg->image_height, 3, &state->pixels, error);
    if (status != FF_OK)
        return status;
    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = state->pixels + (size_t)3 * jpeg->output_width * jpeg->output_scanline;
        jpeg_read_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_decompress(jpeg);
    return FF_OK;
}

ff_status ff_jpeg_read(const uint8_t *bytes, size_t size, const char *name, ff_original *out, ff_error *error)
{
    *out = (ff_original){0};
    ff_jpeg_state *state = calloc(1, sizeof(*state));
    if (!state)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", name);
    state->jpeg.err = jpeg_std_error(&state->errors);
    state->jpeg.client_data = state;
    state->errors.error_exit = on_error;
    state->errors.emit_message = on_message;
    state->progress.progress_monitor = on_progress;
    state->colours = &out->colours;

    ff_status status = read_pixels(state, bytes, size, name, error);
    if (status == FF_OK) {
        *out = (ff_original){state->jpeg.image_width, state->jpeg.image_height, 3, 8, state->pixels, 1, out->colours};
        state->pixels = NULL;
        status = ff_pixels_turn(out, state->orientation, error);
    }
    if (status != FF_OK)
        ff_original_free(out);
    jpeg_destroy_decompress(&state->jpeg);
    free(state->pixels);
    free(state);
    return status;
}

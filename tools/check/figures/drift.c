#include "drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "composition.h"
#include "identity.h"
#include "palette.h"
#include "style.h"

static size_t nearest_multiple(size_t side, size_t factor)
{
    size_t times = (side + factor / 2) / factor;
    return times ? times * factor : factor;
}

static ff_status make_ready(const ff_image *picture, const ff_encoder *encoder, ff_measured *out, ff_error *error)
{
    size_t width, height;
    *out = (ff_measured){0};
    if (!picture->width || !picture->height)
        return ff_fail(error, FF_ERROR_INPUT, "a picture of %zux%zu cannot be measured", picture->width,
                       picture->height);
    ff_view_size(picture->width, picture->height, FF_VIEW_MOST_SIDE, &width, &height);
    if (encoder) {
        width = nearest_multiple(width, encoder->factor);
        height = nearest_multiple(height, encoder->factor);
        out->columns = width / encoder->factor;
        out->rows = height / encoder->factor;
    }
    out->picture = (ff_image){width, height, malloc(3 * width * height)};
    if (!out->picture.rgb)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory to measure a picture of %zux%zu", width, height);
    ff_status status = FF_OK;
    if (width == picture->width && height == picture->height)
        memcpy(out->picture.rgb, picture->rgb, 3 * width * height);
    else
        status = ff_image_resize(picture, &out->picture, error);
    if (status == FF_OK)
        status = ff_view_create(&out->picture, &out->view, error);
    if (status != FF_OK)
        ff_measured_free(out);
    return status;
}

ff_status ff_measured_create(const ff_image *picture, const ff_encoder *encoder, ff_measured *out, ff_error *error)
{
    ff_float_mode before = ff_float_mode_enter();
    ff_status status = make_ready(picture, encoder, out, error);
    ff_float_mode_leave(before);
    return status;
}

void ff_measured_free(ff_measured *measured)
{
    free(measured->picture.rgb);
    ff_view_free(&measured->view);
    free(measured->features);
    free(measured->subject);
    *measured = (ff_measured){0};
}

// A reference's features and subject, once.
static ff_status prepare_reference(ff_measured *reference, const ff_encoder *encoder, ff_error *error)
{
    size_t cells = reference->columns * reference->rows;
    if (reference->subject)
        return FF_OK;
    float *features = malloc(encoder->channels * cells * sizeof *features);
    double *subject = malloc(cells * sizeof *subject);
    ff_status status = FF_ERROR_MEMORY;
    if (!features || !subject)
        ff_fail(error, status, "no memory for a picture's features");
    else if (!(status = encoder->encode(encoder->user, &reference->picture, features, error)))
        status = ff_measure_subject(&reference->view, reference->columns, reference->rows, subject, error);
    if (status != FF_OK) {
        free(features);
        free(subject);
        return status;
    }
    reference->features = features;
    reference->subject = subject;
    return FF_OK;
}

static ff_status measure_identity(ff_measured *reference, const ff_measured *picture, const ff_encoder *encoder,
                                  const ff_alignment *alignment, double *out, ff_error *error)
{
    size_t cells = reference->columns * reference->rows;
    ff_image aligned = {0};
    ff_status status = prepare_reference(reference, encoder, error);
    float *features = malloc(encoder->channels * cells * sizeof *features);
    if (status == FF_OK && !features)
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory for a picture's features");
    if (status == FF_OK)
        status = ff_align_picture(&reference->picture, &picture->picture, alignment, &aligned, error);
    if (status == FF_OK)
        status = encoder->encode(encoder->user, &aligned, features, error);
    if (status == FF_OK)
        *out = ff_measure_identity(reference->features, features, encoder->channels, cells, reference->subject);
    free(aligned.rgb);
    free(features);
    return status;
}

static ff_status measure(ff_measured *reference, const ff_measured *picture, const ff_encoder *encoder, ff_drift *out,
                         ff_error *error)
{
    ff_alignment alignment;
    const ff_view *a = &reference->view, *b = &picture->view;
    ff_status status;
    *out = (ff_drift){.identity = NAN};
    if (a->width != b->width || a->height != b->height)
        return ff_fail(error, FF_ERROR_INPUT, "pictures of %zux%zu and %zux%zu cannot be compared: one size is needed",
                       a->width, a->height, b->width, b->height);
    if ((status = ff_align(a, b, &alignment, error)) ||
        (status = ff_measure_palette(a, b, &out->palette, error)) ||
        (status = ff_measure_composition(a, b, &alignment, &out->composition, error)) ||
        (status = ff_measure_style(a, b, &out->style, error)))
        return status;
    return encoder ? measure_identity(reference, picture, encoder, &alignment, &out->identity, error) : FF_OK;
}

ff_status ff_drift_measure(ff_measured *reference, const ff_measured *picture, const ff_encoder *encoder,
                           ff_drift *out, ff_error *error)
{
    ff_float_mode before = ff_float_mode_enter();
    ff_status status = measure(reference, picture, encoder, out, error);
    ff_float_mode_leave(before);
    return status;
}

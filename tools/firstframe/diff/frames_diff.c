#include "frames_diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_FRAMES 100000
#define MOST_PIXELS ((size_t)1 << 24)  // of a frame; a few hundred MB are taken for so many

// The last four axes, if the elements lie along them; those before must be 1.
static bool picture_axes(const ff_tensor *tensor, size_t shape[4], size_t stride[4])
{
    int extra = tensor->rank - 4;
    if (extra < 0 || tensor->view.rank != tensor->rank ||
        memcmp(tensor->view.shape, tensor->shape, (size_t)tensor->rank * sizeof *tensor->shape) != 0)
        return false;
    for (int i = 0; i < extra; i++)
        if (tensor->shape[i] != 1)
            return false;
    for (int i = 0; i < 4; i++) {
        shape[i] = tensor->shape[extra + i];
        stride[i] = tensor->view.stride[extra + i];
    }
    return shape[0] > 0 && shape[0] <= MOST_FRAMES && shape[1] > 0 && shape[2] > 0 &&
           shape[1] <= MOST_PIXELS / shape[2] && shape[3] == 3;
}

bool ff_frames_are_pictures(const ff_tensor *a, const ff_tensor *b)
{
    size_t shape_a[4], shape_b[4], stride[4];
    return picture_axes(a, shape_a, stride) && picture_axes(b, shape_b, stride) &&
           memcmp(shape_a, shape_b, sizeof shape_a) == 0;
}

// Frame `index` as bytes. values: room for its numbers
static void read_frame(const ff_tensor *tensor, size_t index, float *values, ff_image *out)
{
    size_t shape[4], stride[4], count = 3 * out->width * out->height;
    bool whole = tensor->dtype == FF_U8 || tensor->dtype == FF_I32 || tensor->dtype == FF_I64;
    picture_axes(tensor, shape, stride);
    ff_strided frame = {.dtype = tensor->dtype, .rank = 3};
    frame.data = (const char *)tensor->view.data + index * stride[0] * tensor->dtype->bytes;
    memcpy(frame.shape, shape + 1, 3 * sizeof *shape);
    memcpy(frame.stride, stride + 1, 3 * sizeof *stride);
    ff_strided_read(&frame, values);
    for (size_t i = 0; i < count; i++) {
        float level = whole ? values[i] : values[i] * 255.0f;
        out->rgb[i] = level >= 255 ? 255 : level > 0 ? (uint8_t)rintf(level) : 0;
    }
}

static void note_largest(const ff_image *a, const ff_image *b, ff_image *largest)
{
    for (size_t i = 0; i < 3 * a->width * a->height; i++) {
        uint8_t difference = (uint8_t)abs((int)a->rgb[i] - (int)b->rgb[i]);
        largest->rgb[i] = difference > largest->rgb[i] ? difference : largest->rgb[i];
    }
}

ff_status ff_frames_diff_run(const ff_tensor *a, const ff_tensor *b, ff_frames_diff *out, ff_error *error)
{
    size_t shape[4], stride[4];
    *out = (ff_frames_diff){0};
    if (!ff_frames_are_pictures(a, b) || !picture_axes(a, shape, stride))
        return ff_fail(error, FF_ERROR_INPUT, "%s are not [frames, height, width, 3] in both", a->name);
    *out = (ff_frames_diff){.count = shape[0], .height = shape[1], .width = shape[2]};
    size_t bytes = 3 * shape[1] * shape[2];
    ff_image *const images[] = {&out->a, &out->b, &out->largest};
    float *values = malloc(bytes * sizeof *values);
    bool room = values && (out->frames = malloc(shape[0] * sizeof *out->frames));
    for (size_t i = 0; i < 3; i++) {
        *images[i] = (ff_image){shape[2], shape[1], calloc(bytes, 1)};
        room = room && images[i]->rgb;
    }
    ff_status status = room ? FF_OK : ff_fail(error, FF_ERROR_MEMORY, "not enough memory to compare frames of %zux%zu",
                                              shape[2], shape[1]);
    double squared_error = 0;
    for (size_t i = 0; i < out->count && !status; i++) {
        read_frame(a, i, values, &out->a);
        read_frame(b, i, values, &out->b);
        note_largest(&out->a, &out->b, &out->largest);
        if ((status = ff_picture_compare(&out->a, &out->b, &out->frames[i], error)))
            break;
        squared_error += out->frames[i].squared_error / (double)out->count;
        out->ssim += out->frames[i].ssim / (double)out->count;
        out->worst = out->frames[i].squared_error > out->frames[out->worst].squared_error ? i : out->worst;
    }
    if (!status) {
        read_frame(a, out->worst, values, &out->a);
        read_frame(b, out->worst, values, &out->b);
        out->psnr = ff_picture_psnr(squared_error);
    }
    free(values);
    return status;
}

void ff_frames_diff_free(ff_frames_diff *diff)
{
    free(diff->frames);
    free(diff->a.rgb);
    free(diff->b.rgb);
    free(diff->largest.rgb);
    *diff = (ff_frames_diff){0};
}

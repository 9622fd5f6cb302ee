#include "inpaint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/sizes.h"
#include "../base/system.h"

#define MOST_TINT 32.0f  // of 255

typedef struct span {
    size_t start, length;
} span;

// A span of `wanted` around the middle of `box`, moved inside [0, limit).
static span centre_inside(span box, double wanted, size_t limit)
{
    size_t length = wanted < (double)limit ? (size_t)wanted : limit;
    size_t middle_twice = 2 * box.start + box.length;
    size_t start = middle_twice > length ? (middle_twice - length) / 2 : 0;
    return (span){ff_smaller(start, limit - length), length};
}

static bool mask_box(size_t width, size_t height, const uint8_t *mask, span *x, span *y)
{
    size_t left = width, right = 0, top = height, bottom = 0;
    for (size_t row = 0; row < height; row++)
        for (size_t column = 0; column < width; column++)
            if (mask[row * width + column] >= 128) {
                left = ff_smaller(left, column);
                right = column + 1 > right ? column + 1 : right;
                top = ff_smaller(top, row);
                bottom = row + 1;
            }
    if (right == 0)
        return false;
    *x = (span){left, right - left};
    *y = (span){top, bottom - top};
    return true;
}

ff_status ff_inpaint_crop(size_t width, size_t height, const uint8_t *mask, double context, size_t aspect_w,
                          size_t aspect_h, ff_plan *plan, ff_error *error)
{
    span x, y;
    if (!mask_box(width, height, mask, &x, &y))
        return ff_fail(error, FF_ERROR_INPUT, "the mask paints nothing: it has no pixel of 128 or above");
    double wide = ceil((double)x.length * context), high = ceil((double)y.length * context);
    double aspect = (double)aspect_w / (double)aspect_h;
    if (wide < high * aspect)
        wide = ceil(high * aspect);
    else
        high = ceil(wide / aspect);
    x = centre_inside(x, wide, width);
    y = centre_inside(y, high, height);
    plan->crop_x = x.start;
    plan->crop_y = y.start;
    plan->crop_width = x.length;
    plan->crop_height = y.length;
    return FF_OK;
}

static bool allocate_image(ff_image *image, size_t width, size_t height)
{
    size_t bytes;
    *image = (ff_image){width, height, NULL};
    if (ff_multiply_sizes(width, height, &bytes) && ff_multiply_sizes(bytes, 3, &bytes))
        image->rgb = malloc(bytes);
    return image->rgb != NULL;
}

// The masked pixels of a picture, and how far inside the mask they are.
typedef struct interior {
    size_t width, height, count;
    uint32_t *depth;  // [width * height], steps from the nearest unmasked pixel (4 neighbours), 0 outside the mask
    size_t *order;    // the masked pixels as they are reached from outside, `count` of them; none if nothing is outside
    float *value;     // [width * height], room for a channel
} interior;

static void find_depths(const uint8_t *mask, interior *out)
{
    size_t width = out->width, height = out->height, *order = out->order;
    uint32_t *depth = out->depth;
    size_t found = 0;
    memset(depth, 0, width * height * sizeof *depth);
    for (size_t level = 0, done = 0;; level++) {
        size_t before = found;
        if (level == 0) {
            for (size_t i = 0; i < width * height; i++) {
                size_t column = i % width, row = i / width;
                bool rim = mask[i] && ((column > 0 && !mask[i - 1]) || (column + 1 < width && !mask[i + 1]) ||
                                       (row > 0 && !mask[i - width]) || (row + 1 < height && !mask[i + width]));
                if (rim) {
                    depth[i] = 1;
                    order[found++] = i;
                }
            }
        } else {
            for (size_t end = before; done < end; done++) {
                size_t i = order[done], column = i % width, row = i / width;
                size_t next[4] = {i - 1, i + 1, i - width, i + width};
                bool inside[4] = {column > 0, column + 1 < width, row > 0, row + 1 < height};
                for (int side = 0; side < 4; side++)
                    if (inside[side] && mask[next[side]] && !depth[next[side]]) {
                        depth[next[side]] = (uint32_t)level + 1;
                        order[found++] = next[side];
                    }
            }
        }
        if (found == before)
            break;
    }
    out->count = found;
}

static void free_interior(interior *inside)
{
    free(inside->depth);
    free(inside->order);
    free(inside->value);
}

// out: to be freed, after an error as well
static ff_status find_interior(size_t width, size_t height, const uint8_t *mask, interior *out, ff_error *error)
{
    size_t pixels = width * height;
    *out = (interior){.width = width, .height = height};
    out->depth = malloc(pixels * sizeof *out->depth);
    out->order = malloc(pixels * sizeof *out->order);
    out->value = malloc(pixels * sizeof *out->value);
    if (!out->depth || !out->order || !out->value)
        return ff_fail(error, FF_ERROR_MEMORY, "out of memory for a picture of %zux%zu", width, height);
    find_depths(mask, out);
    return FF_OK;
}

static size_t deepest(const interior *inside)
{
    return inside->count ? inside->depth[inside->order[inside->count - 1]] : 0;
}

// Masked values become the mean of their already known 8 neighbours, from the rim inward, and are then smoothed among
// themselves and against the rim, often enough to be smooth from rim to rim.
static void fill_values(interior *inside)
{
    size_t width = inside->width, height = inside->height, passes = ff_smaller(2 * deepest(inside), 64);
    const uint32_t *depth = inside->depth;
    float *value = inside->value;
    for (size_t pass = 0; pass <= passes; pass++)
        for (size_t k = 0; k < inside->count; k++) {
            size_t i = inside->order[k], column = i % width, row = i / width;
            float sum = 0, neighbours = 0;
            for (int dy = -1; dy <= 1; dy++)
                for (int dx = -1; dx <= 1; dx++) {
                    if ((dx == 0 && dy == 0) || (dx < 0 && column == 0) || (dx > 0 && column + 1 == width) ||
                        (dy < 0 && row == 0) || (dy > 0 && row + 1 == height))
                        continue;
                    size_t j = (size_t)((ptrdiff_t)i + dy * (ptrdiff_t)width + dx);
                    if (pass == 0 && depth[j] >= depth[i])
                        continue;
                    sum = sum + value[j];
                    neighbours = neighbours + 1;
                }
            if (neighbours > 0)
                value[i] = sum / neighbours;
        }
}

// The new picture comes in over an eighth of the way to the mask's middle, at least over one pixel.
static float share_of_new(const interior *inside, size_t pixel)
{
    size_t feather = deepest(inside) / 8 + 1;
    uint32_t depth = inside->depth[pixel];
    return depth && depth <= feather ? (float)depth / (float)(feather + 1) : 1.0f;
}

static ff_status fill_masked(const ff_image *in, const uint8_t *mask, ff_image *out, ff_error *error)
{
    size_t pixels = in->width * in->height;
    interior inside;
    ff_status status = find_interior(in->width, in->height, mask, &inside, error);
    for (size_t channel = 0; channel < 3 && !status; channel++) {
        for (size_t i = 0; i < pixels; i++)
            inside.value[i] = in->rgb[3 * i + channel];
        fill_values(&inside);
        for (size_t i = 0; i < pixels; i++)
            out->rgb[3 * i + channel] = mask[i] ? (uint8_t)(inside.value[i] + 0.5f) : in->rgb[3 * i + channel];
    }
    // nothing known to fill from: grey
    if (!status && inside.count == 0)
        memset(out->rgb, 128, 3 * pixels);
    free_interior(&inside);
    return status;
}

// Pixels of the model's picture above any masked pixel of the crop.
static void enlarge_mask(const ff_plan *plan, const uint8_t *crop_mask, uint8_t *out)
{
    size_t cw = plan->crop_width, ch = plan->crop_height, mw = plan->model_width, mh = plan->model_height;
    for (size_t y = 0; y < mh; y++)
        for (size_t x = 0; x < mw; x++) {
            size_t bottom = ((y + 1) * ch + mh - 1) / mh, right = ((x + 1) * cw + mw - 1) / mw;
            uint8_t painted = 0;
            for (size_t row = y * ch / mh; row < bottom && !painted; row++)
                for (size_t column = x * cw / mw; column < right && !painted; column++)
                    painted = crop_mask[row * cw + column];
            out[y * mw + x] = painted;
        }
}

ff_status ff_inpaint_prepare(const ff_image *picture, const uint8_t *mask, const ff_plan *plan, bool fill,
                             ff_inpaint *out, ff_error *error)
{
    size_t cw = plan->crop_width, ch = plan->crop_height;
    *out = (ff_inpaint){0};
    out->mask = malloc(plan->model_width * plan->model_height);
    out->crop_mask = malloc(cw * ch);
    if (!out->mask || !out->crop_mask || !allocate_image(&out->original, cw, ch) ||
        !allocate_image(&out->filled, cw, ch) ||
        !allocate_image(&out->enlarged, plan->model_width, plan->model_height)) {
        ff_inpaint_free(out);
        return ff_fail(error, FF_ERROR_MEMORY, "out of memory for a crop of %zux%zu", cw, ch);
    }
    for (size_t y = 0; y < ch; y++) {
        size_t from = (plan->crop_y + y) * picture->width + plan->crop_x;
        memcpy(out->original.rgb + 3 * y * cw, picture->rgb + 3 * from, 3 * cw);
        for (size_t x = 0; x < cw; x++)
            out->crop_mask[y * cw + x] = mask[from + x] >= 128 ? 255 : 0;
    }
    enlarge_mask(plan, out->crop_mask, out->mask);
    ff_status status = fill_masked(&out->original, out->crop_mask, &out->filled, error);
    if (!status)
        status = ff_image_resize(fill ? &out->filled : &out->original, &out->enlarged, error);
    if (status)
        ff_inpaint_free(out);
    return status;
}

void ff_inpaint_free(ff_inpaint *inpaint)
{
    free(inpaint->original.rgb);
    free(inpaint->filled.rgb);
    free(inpaint->enlarged.rgb);
    free(inpaint->mask);
    free(inpaint->crop_mask);
    *inpaint = (ff_inpaint){0};
}

// A difference of colour as far as it is a tint: beyond MOST_TINT it counts for less, and from twice that on for
// nothing, being another shape or the colour that was asked for.
static float as_tint(float difference)
{
    float size = fabsf(difference);
    return size <= MOST_TINT ? difference : size < 2 * MOST_TINT ? copysignf(2 * MOST_TINT - size, difference) : 0;
}

// The result without the tint in which it differs from the crop around the mask: the difference outside the mask is
// filled into it and added (Perez, Gangnet and Blake, "Poisson Image Editing", 2003).
static ff_status match_rim(const ff_inpaint *inpaint, const ff_image *result, ff_image *out, ff_error *error)
{
    size_t pixels = result->width * result->height;
    interior inside;
    ff_status status = find_interior(result->width, result->height, inpaint->mask, &inside, error);
    if (!status)
        status = ff_image_resize(&inpaint->filled, out, error);  // the flaw would reach over the mask's rim
    for (size_t channel = 0; channel < 3 && !status; channel++) {
        for (size_t i = 0; i < pixels; i++)
            inside.value[i] = as_tint((float)out->rgb[3 * i + channel] - (float)result->rgb[3 * i + channel]);
        fill_values(&inside);
        for (size_t i = 0; i < pixels; i++) {
            float tinted = (float)result->rgb[3 * i + channel] + (inside.count ? inside.value[i] : 0);
            out->rgb[3 * i + channel] = (uint8_t)(fminf(fmaxf(tinted, 0), 255) + 0.5f);
        }
    }
    free_interior(&inside);
    return status;
}

ff_status ff_inpaint_paste(const ff_inpaint *inpaint, const ff_image *picture, const ff_image *result,
                           const ff_plan *plan, bool fill, ff_image *out, ff_error *error)
{
    size_t cw = plan->crop_width, ch = plan->crop_height;
    const ff_image *base = fill ? &inpaint->filled : &inpaint->original;
    interior inside;
    ff_image matched = {0}, shrunk = {0};
    ff_status status = find_interior(cw, ch, inpaint->crop_mask, &inside, error);
    if (!status && (!allocate_image(&matched, result->width, result->height) || !allocate_image(&shrunk, cw, ch)))
        status = ff_fail(error, FF_ERROR_MEMORY, "out of memory for a crop of %zux%zu", cw, ch);
    if (!status)
        status = match_rim(inpaint, result, &matched, error);
    if (!status)
        status = ff_image_resize(&matched, &shrunk, error);
    if (!status) {
        memcpy(out->rgb, picture->rgb, 3 * picture->width * picture->height);
        for (size_t i = 0; i < cw * ch; i++) {
            uint8_t *to = out->rgb + 3 * ((plan->crop_y + i / cw) * picture->width + plan->crop_x + i % cw);
            if (!inpaint->crop_mask[i])
                continue;
            float share = share_of_new(&inside, i);
            for (size_t channel = 0; channel < 3; channel++) {
                float new_value = shrunk.rgb[3 * i + channel], old_value = base->rgb[3 * i + channel];
                to[channel] = (uint8_t)(old_value + share * (new_value - old_value) + 0.5f);
            }
        }
    }
    free(matched.rgb);
    free(shrunk.rgb);
    free_interior(&inside);
    return status;
}

ff_status ff_inpaint_alpha(const ff_request *request, const ff_plan *plan, float *alpha, ff_error *error)
{
    size_t width = request->image->width, cw = plan->crop_width, ch = plan->crop_height;
    float *corner = alpha + plan->crop_y * width + plan->crop_x;
    interior inside;
    ff_float_mode before = ff_float_mode_enter();
    uint8_t *crop_mask = calloc(cw, ch);
    ff_status status = FF_OK;
    if (!crop_mask) {
        status = ff_fail(error, FF_ERROR_MEMORY, "out of memory for a crop of %zux%zu", cw, ch);
    } else {
        for (size_t i = 0; i < cw * ch; i++)
            crop_mask[i] = request->mask[(plan->crop_y + i / cw) * width + plan->crop_x + i % cw] >= 128 ? 255 : 0;
        status = find_interior(cw, ch, crop_mask, &inside, error);
        for (size_t i = 0; i < cw * ch && !status; i++)
            inside.value[i] = corner[i / cw * width + i % cw];
        if (!status && request->strength >= 1)
            fill_values(&inside);
        for (size_t i = 0; i < cw * ch && !status; i++)
            if (crop_mask[i]) {
                float *to = corner + i / cw * width + i % cw, old = fmaxf(*to, inside.value[i]);
                *to = old + share_of_new(&inside, i) * (1.0f - old);
            }
        free_interior(&inside);
    }
    free(crop_mask);
    ff_float_mode_leave(before);
    return status;
}

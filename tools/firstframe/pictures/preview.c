#include "preview.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../files/host.h"
#include "output.h"

enum { CELLS = 12, PICTURES = 6, SHAPES = 8 };   // cells along a side of a drawn picture

#define STIFF 1e-3        // keeps the map small where the pictures leave it open
#define LONGEST 96        // pixels of the longer side of a frame in the preview
#define TRAINED_STEPS 1000.0f   // a timestep is the noise level times this

// ---- drawn pictures ----

static uint32_t draw_number(uint32_t *state)
{
    *state = 1664525 * *state + 1013904223;
    return *state >> 16;
}

// A ground that changes from one colour to another, with boxes and discs in further colours.
static void draw_picture(ff_image *image, uint32_t *state)
{
    int from[3], to[3];
    size_t side = image->width;
    for (int c = 0; c < 3; c++) {
        from[c] = (int)(draw_number(state) % 256);
        to[c] = (int)(draw_number(state) % 256);
    }
    for (size_t i = 0; i < side * side; i++)
        for (int c = 0; c < 3; c++)
            image->rgb[3 * i + (size_t)c] = (uint8_t)(from[c] + (to[c] - from[c]) * (int)(i / side) / (int)side);
    for (int shape = 0; shape < SHAPES; shape++) {
        long x = draw_number(state) % side, y = draw_number(state) % side;
        long radius = (long)side / 16 + (long)(draw_number(state) % (side / 4));
        bool disc = draw_number(state) % 2;
        uint8_t colour[3];
        for (int c = 0; c < 3; c++)
            colour[c] = (uint8_t)(draw_number(state) % 256);
        for (size_t i = 0; i < side * side; i++) {
            long u = (long)(i % side) - x, v = (long)(i / side) - y;
            if (disc ? u * u + v * v < radius * radius : labs(u) < radius && labs(v) < radius)
                memcpy(image->rgb + 3 * i, colour, 3);
        }
    }
}

// ---- the fit ----

// Solves a x = b for three b at once, by Cholesky's a = l l^T.   a: [n, n], replaced by l   b: [3, n], replaced by x
static void solve(size_t n, double *a, double *b)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k <= i; k++) {
            double sum = a[i * n + k];
            for (size_t j = 0; j < k; j++)
                sum -= a[i * n + j] * a[k * n + j];
            a[i * n + k] = i == k ? sqrt(sum) : sum / a[k * n + k];
        }
    for (size_t c = 0; c < 3; c++, b += n) {
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < i; j++)
                b[i] -= a[i * n + j] * b[j];
            b[i] /= a[i * n + i];
        }
        for (size_t i = n; i-- > 0;) {
            for (size_t j = i + 1; j < n; j++)
                b[i] -= a[j * n + i] * b[j];
            b[i] /= a[i * n + i];
        }
    }
}

// Least squares of three targets by n features: a x = b.
typedef struct normal_equations {
    size_t n;
    double *a, *b;        // [n, n], [3, n]
    double *features;     // [n] of one cell
} normal_equations;

// Adds a picture's cells: features are a cell's latents and 1, the target its mean colour.
//   latents: [n - 1, frames, CELLS, CELLS], of which frame `frame` is taken   factor: pixels of a cell's side
static void add_cells(const normal_equations *sums, const ff_image *image, size_t factor, const float *latents,
                      size_t frames, size_t frame)
{
    size_t cells = CELLS * CELLS, n = sums->n;
    for (size_t cell = 0; cell < cells; cell++) {
        double colour[3] = {0};
        size_t left = cell % CELLS * factor, top = cell / CELLS * factor;
        for (size_t y = top; y < top + factor; y++)
            for (size_t x = left; x < left + factor; x++)
                for (size_t c = 0; c < 3; c++)
                    colour[c] += image->rgb[3 * (y * image->width + x) + c] / (double)(factor * factor);
        double *features = sums->features;
        for (size_t c = 0; c + 1 < n; c++)
            features[c] = latents[(frames * c + frame) * cells + cell];
        features[n - 1] = 1;
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < n; k++)
                sums->a[i * n + k] += features[i] * features[k];
            for (size_t c = 0; c < 3; c++)
                sums->b[c * n + i] += features[i] * colour[c];
        }
    }
}

static ff_status fit(const ff_model *model, size_t channels, size_t threads, double *maps, ff_error *error)
{
    ff_model_facts facts = ff_model_describe(model);
    size_t n = channels + 1, side = CELLS * facts.spatial_factor;
    // whatever its factor, the VAE encodes 4k + 1 frames; the fewest that give a latent frame for each map
    size_t frames = 1 + ((FF_PREVIEW_MAPS - 1) * facts.temporal_factor + 3) / 4 * 4;
    size_t latent_frames = 1 + (frames - 1) / facts.temporal_factor;
    uint32_t state = 1;
    ff_image image = {side, side, malloc(3 * side * side)};
    float *latents = malloc(latent_frames * channels * CELLS * CELLS * sizeof *latents);
    double *a = calloc(FF_PREVIEW_MAPS * n * n, sizeof *a), *features = malloc(n * sizeof *features);
    ff_status status = FF_OK;
    if (!image.rgb || !latents || !a || !features)
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory for the preview");
    for (int i = 0; i < PICTURES && status == FF_OK; i++) {
        draw_picture(&image, &state);
        if ((status = ff_host_check_interrupt("fitting the preview", error)))
            break;
        status = ff_encode_image(model, &image, frames, threads, latents, error);
        for (size_t frame = 0; frame < FF_PREVIEW_MAPS && status == FF_OK; frame++)
            add_cells(&(normal_equations){n, a + frame * n * n, maps + frame * 3 * n, features}, &image,
                      facts.spatial_factor, latents, latent_frames, frame);
    }
    for (size_t frame = 0; frame < FF_PREVIEW_MAPS && status == FF_OK; frame++) {
        for (size_t i = 0; i < n; i++)
            a[(frame * n + i) * n + i] += STIFF * PICTURES * CELLS * CELLS;
        solve(n, a + frame * n * n, maps + frame * 3 * n);
    }
    free(image.rgb);
    free(latents);
    free(a);
    free(features);
    return status;
}

// ---- the preview ----

ff_status ff_preview_open(const ff_model *model, const ff_plan *plan, const char *path, size_t threads,
                          ff_preview *out, ff_error *error)
{
    ff_output_kind kind;
    size_t n = plan->latent_channels * plan->latent_frames * plan->latent_height * plan->latent_width;
    const double *stored = ff_model_describe(model).preview;
    *out = (ff_preview){.path = path, .channels = plan->latent_channels, .frames = plan->latent_frames,
                        .height = plan->latent_height, .width = plan->latent_width};
    ff_status status = ff_output_recognise(path, &kind, error);
    if (status == FF_OK && kind != FF_OUTPUT_PNG && kind != FF_OUTPUT_WEBP)
        status = ff_fail(error, FF_ERROR_INPUT, "%s: a preview is one picture; name it .png or .webp", path);
    if (status != FF_OK)
        return status;
    out->maps = calloc(out->channels + 1, 3 * FF_PREVIEW_MAPS * sizeof *out->maps);
    out->input = calloc(n, sizeof *out->input);
    out->mask = malloc(n / out->channels * sizeof *out->mask);
    for (size_t i = 0; out->mask && i < n / out->channels; i++)
        out->mask[i] = 1;
    if (!out->maps || !out->input || !out->mask)
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory for the preview");
    if (status == FF_OK && stored)
        memcpy(out->maps, stored, (out->channels + 1) * 3 * FF_PREVIEW_MAPS * sizeof *out->maps);
    else if (status == FF_OK)
        status = fit(model, out->channels, threads, out->maps, error);
    if (status != FF_OK)
        ff_preview_close(out);
    return status;
}

void ff_preview_close(ff_preview *preview)
{
    free(preview->maps);
    free(preview->input);
    free(preview->mask);
    *preview = (ff_preview){0};
}

static uint8_t colour_at(const ff_preview *preview, const float *prediction, size_t frame, size_t cell, size_t c)
{
    size_t cells = preview->height * preview->width, channels = preview->channels;
    size_t which = frame < FF_PREVIEW_MAPS ? frame : FF_PREVIEW_MAPS - 1;
    const double *map = preview->maps + (3 * which + c) * (channels + 1);
    double sum = map[channels], sigma = preview->mask[frame * cells + cell] * preview->timestep / TRAINED_STEPS;
    for (size_t k = 0; k < channels; k++) {
        size_t i = (k * preview->frames + frame) * cells + cell;
        sum += map[k] * (preview->input[i] - sigma * prediction[i]);
    }
    return (uint8_t)(sum > 0 ? sum < 255 ? sum + 0.5 : 255 : 0);   // NaN is black
}

// All latent frames in a row, a cell a square of pixels.
static ff_status write_row(ff_preview *preview, const float *prediction, ff_error *error)
{
    size_t longer = preview->width > preview->height ? preview->width : preview->height;
    size_t unit = longer < LONGEST ? LONGEST / longer : 1, gap = preview->frames > 1 ? 4 : 0;
    size_t wide = preview->width * unit, high = preview->height * unit;
    ff_image row = {preview->frames * (wide + gap) - gap, high, NULL};
    row.rgb = malloc(3 * row.width * row.height);
    if (!row.rgb)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for the preview");
    memset(row.rgb, 255, 3 * row.width * row.height);
    for (size_t frame = 0; frame < preview->frames; frame++)
        for (size_t y = 0; y < high; y++)
            for (size_t x = 0; x < wide; x++)
                for (size_t c = 0; c < 3; c++)
                    row.rgb[3 * (y * row.width + frame * (wide + gap) + x) + c] =
                        colour_at(preview, prediction, frame, y / unit * preview->width + x / unit, c);
    preview->failed = ff_output_still(preview->path, &row, NULL, NULL, &preview->trouble) != FF_OK;
    free(row.rgb);
    return FF_OK;
}

ff_status ff_preview_watch(ff_preview *preview, const char *name, const float *data, const size_t *shape,
                           ff_error *error)
{
    const char *rest = strrchr(name, '.');
    size_t n = preview->channels * preview->frames * preview->height * preview->width;
    if (!rest || preview->failed)
        return FF_OK;
    if (strcmp(rest, ".mask") == 0)
        memcpy(preview->mask, data, n / preview->channels * sizeof *data);
    else if (strcmp(rest, ".input") == 0)
        memcpy(preview->input, data, n * sizeof *data);
    else if (strncmp(name, "step.", 5) == 0 && strcmp(rest, ".timestep") == 0 && shape[0] == 1)
        preview->timestep = data[0];
    else if (strcmp(rest, ".noise_pred") == 0)
        return write_row(preview, data, error);
    return FF_OK;
}

#include "anchor.h"

static size_t cell_count(const ff_lattice *lattice)
{
    return lattice->frames * lattice->height * lattice->width;
}

// The first cell of the patch that holds cell (frame, y, x).
static size_t patch_corner(const ff_lattice *lattice, size_t frame, size_t y, size_t x)
{
    frame -= frame % lattice->patch_t;
    y -= y % lattice->patch_h;
    x -= x % lattice->patch_w;
    return (frame * lattice->height + y) * lattice->width + x;
}

size_t ff_lattice_tokens(const ff_lattice *lattice)
{
    return lattice->frames / lattice->patch_t * (lattice->height / lattice->patch_h) *
           (lattice->width / lattice->patch_w);
}

// A selection and not (1 - mask) * known + mask * x, which turns an infinite or -0 into something else.
void ff_anchor_select(const ff_anchor *anchor, const float *x, float *out)
{
    size_t cells = cell_count(&anchor->lattice);
    for (size_t c = 0; c < anchor->channels; c++)
        for (size_t i = 0; i < cells; i++)
            out[c * cells + i] = anchor->mask[i] == 0 ? anchor->known[c * cells + i] : x[c * cells + i];
}

void ff_anchor_timesteps(const ff_anchor *anchor, float timestep, float *out)
{
    const ff_lattice *lattice = &anchor->lattice;
    for (size_t frame = 0; frame < lattice->frames; frame += lattice->patch_t)
        for (size_t y = 0; y < lattice->height; y += lattice->patch_h)
            for (size_t x = 0; x < lattice->width; x += lattice->patch_w)
                *out++ = anchor->mask[patch_corner(lattice, frame, y, x)] * timestep;
}

void ff_mask_generate(const ff_lattice *lattice, float *mask)
{
    for (size_t i = 0; i < cell_count(lattice); i++)
        mask[i] = 1;
}

ff_status ff_mask_frames(const ff_lattice *lattice, bool last, float *mask, ff_error *error)
{
    if (lattice->patch_t > 1)
        return ff_fail(error, FF_ERROR_INPUT, "the transformer's patches hold %zu latent frames; a known frame needs "
                       "patches of one", lattice->patch_t);
    ff_mask_generate(lattice, mask);
    size_t area = lattice->height * lattice->width;
    for (size_t i = 0; i < area; i++) {
        mask[i] = 0;
        if (last)
            mask[(lattice->frames - 1) * area + i] = 0;
    }
    return FF_OK;
}

ff_status ff_mask_pixels(const ff_lattice *lattice, size_t factor, const uint8_t *pixels, float *mask,
                         ff_error *error)
{
    for (size_t i = 0; i < cell_count(lattice); i++)
        mask[i] = 0;

    // Each painted pixel marks the corner of its patch, in frame 0.
    bool painted = false;
    for (size_t y = 0; y < lattice->height * factor; y++)
        for (size_t x = 0; x < lattice->width * factor; x++)
            if (pixels[y * lattice->width * factor + x] >= 128) {
                mask[patch_corner(lattice, 0, y / factor, x / factor)] = 1;
                painted = true;
            }
    if (!painted)
        return ff_fail(error, FF_ERROR_INPUT, "the mask is empty: paint what is to be repaired white");

    for (size_t frame = 0; frame < lattice->frames; frame++)
        for (size_t y = 0; y < lattice->height; y++)
            for (size_t x = 0; x < lattice->width; x++)
                mask[(frame * lattice->height + y) * lattice->width + x] = mask[patch_corner(lattice, 0, y, x)];
    return FF_OK;
}

ff_status ff_mask_check(const ff_lattice *lattice, const float *mask, ff_error *error)
{
    for (size_t frame = 0; frame < lattice->frames; frame++)
        for (size_t y = 0; y < lattice->height; y++)
            for (size_t x = 0; x < lattice->width; x++) {
                float value = mask[(frame * lattice->height + y) * lattice->width + x];
                if (value != 0 && value != 1)
                    return ff_fail(error, FF_ERROR_INPUT, "the mask holds %g at frame %zu, row %zu, column %zu, "
                                   "expected 0 or 1", (double)value, frame, y, x);
                if (value != mask[patch_corner(lattice, frame, y, x)])
                    return ff_fail(error, FF_ERROR_INPUT, "the mask changes inside the patch at frame %zu, row %zu, "
                                   "column %zu, expected patches wholly 0 or 1", frame, y, x);
            }
    return FF_OK;
}

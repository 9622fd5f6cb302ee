#include "anchor.h"

#include <string.h>

// The first cell of the patch that holds cell (frame, y, x).
static size_t patch_corner(const ff_lattice *lattice, size_t frame, size_t y, size_t x)
{
    frame -= frame % lattice->patch.frames;
    y -= y % lattice->patch.height;
    x -= x % lattice->patch.width;
    return (frame * lattice->cells.height + y) * lattice->cells.width + x;
}

// A selection and not (1 - mask) * known + mask * x, which turns an infinite or -0 into something else.
void ff_anchor_select(const ff_anchor *anchor, const float *x, float *out)
{
    size_t cells = ff_extent_cells(anchor->lattice.cells);
    for (size_t c = 0; c < anchor->channels; c++)
        for (size_t i = 0; i < cells; i++)
            out[c * cells + i] = anchor->mask[i] == 0 ? anchor->known[c * cells + i] : x[c * cells + i];
}

void ff_anchor_timesteps(const ff_anchor *anchor, float timestep, float *out)
{
    const ff_lattice *lattice = &anchor->lattice;
    for (size_t frame = 0; frame < lattice->cells.frames; frame += lattice->patch.frames)
        for (size_t y = 0; y < lattice->cells.height; y += lattice->patch.height)
            for (size_t x = 0; x < lattice->cells.width; x += lattice->patch.width)
                *out++ = anchor->mask[patch_corner(lattice, frame, y, x)] * timestep;
}

void ff_mask_generate(const ff_lattice *lattice, float *mask)
{
    for (size_t i = 0; i < ff_extent_cells(lattice->cells); i++)
        mask[i] = 1;
}

ff_status ff_mask_frames(const ff_lattice *lattice, bool last, float *mask, ff_error *error)
{
    if (lattice->patch.frames > 1)
        return ff_fail(error, FF_ERROR_INPUT, "the transformer's patches hold %zu latent frames; a known frame needs "
                       "patches of one", lattice->patch.frames);
    ff_mask_generate(lattice, mask);
    size_t area = lattice->cells.height * lattice->cells.width;
    for (size_t i = 0; i < area; i++) {
        mask[i] = 0;
        if (last)
            mask[(lattice->cells.frames - 1) * area + i] = 0;
    }
    return FF_OK;
}

ff_status ff_mask_pixels(const ff_lattice *lattice, size_t factor, const uint8_t *pixels, float *mask,
                         ff_error *error)
{
    const ff_extent *cells = &lattice->cells;
    for (size_t i = 0; i < ff_extent_cells(*cells); i++)
        mask[i] = 0;

    // Each painted pixel marks the corner of its patch, in frame 0.
    bool painted = false;
    for (size_t y = 0; y < cells->height * factor; y++)
        for (size_t x = 0; x < cells->width * factor; x++)
            if (pixels[y * cells->width * factor + x] >= 128) {
                mask[patch_corner(lattice, 0, y / factor, x / factor)] = 1;
                painted = true;
            }
    if (!painted)
        return ff_fail(error, FF_ERROR_INPUT, "the mask is empty: paint what is to be repaired white");

    for (size_t frame = 0; frame < cells->frames; frame++)
        for (size_t y = 0; y < cells->height; y++)
            for (size_t x = 0; x < cells->width; x++)
                mask[(frame * cells->height + y) * cells->width + x] = mask[patch_corner(lattice, 0, y, x)];
    return FF_OK;
}

ff_status ff_mask_check(const ff_lattice *lattice, const float *mask, ff_error *error)
{
    const ff_extent *cells = &lattice->cells;
    for (size_t frame = 0; frame < cells->frames; frame++)
        for (size_t y = 0; y < cells->height; y++)
            for (size_t x = 0; x < cells->width; x++) {
                float value = mask[(frame * cells->height + y) * cells->width + x];
                if (value != 0 && value != 1)
                    return ff_fail(error, FF_ERROR_INPUT, "the mask holds %g at frame %zu, row %zu, column %zu, "
                                   "expected 0 or 1", (double)value, frame, y, x);
                if (value != mask[patch_corner(lattice, frame, y, x)])
                    return ff_fail(error, FF_ERROR_INPUT, "the mask changes inside the patch at frame %zu, row %zu, "
                                   "column %zu, expected patches wholly 0 or 1", frame, y, x);
            }
    return FF_OK;
}

// ---- as a conditioning ----

static ff_status build_mask(const ff_known *known, float *mask, ff_error *error)
{
    if (known->repaint)
        return ff_mask_pixels(&known->lattice, known->spatial_factor, known->repaint, mask, error);
    if (known->first)
        return ff_mask_frames(&known->lattice, known->last, mask, error);
    ff_mask_generate(&known->lattice, mask);
    return FF_OK;
}

// Encodes a picture that stands still for `frames` frames; their last latent frame goes to latent frame `to` of out.
//   out: [channels, cells]
static ff_status encode_frame(const ff_known *known, ff_known_picture which, size_t frames, size_t to, float *out,
                              ff_error *error)
{
    size_t area = known->lattice.cells.height * known->lattice.cells.width;
    size_t coded = (frames - 1) / known->temporal_factor + 1;
    ff_arena_mark mark = ff_arena_here(known->arena);
    float *latents = ff_arena_floats(known->arena, known->channels * coded * area);
    if (!latents)
        return FF_ERROR_MEMORY;
    ff_status status = known->encode(known->user, which, frames, latents, error);
    for (size_t c = 0; !status && c < known->channels; c++)
        memcpy(out + (c * known->lattice.cells.frames + to) * area, latents + (c * coded + coded - 1) * area,
               area * sizeof *out);
    ff_arena_return(known->arena, mark);
    return status;
}

static ff_status prepare(ff_conditioning *self, const ff_known *known, ff_error *error)
{
    ff_anchor *anchor = (ff_anchor *)self;
    const ff_lattice *lattice = &known->lattice;
    size_t cells = ff_extent_cells(lattice->cells), values = known->channels * cells;
    size_t shape[4] = {known->channels, lattice->cells.frames, lattice->cells.height, lattice->cells.width};
    float *latents = ff_arena_floats(known->arena, values), *mask = ff_arena_floats(known->arena, cells);
    ff_status status;
    if (!latents || !mask)
        return FF_ERROR_MEMORY;
    memset(latents, 0, values * sizeof *latents);
    anchor->lattice = *lattice;
    anchor->channels = known->channels;
    anchor->known = latents;
    anchor->mask = mask;
    if ((status = build_mask(known, mask, error)) || !known->first)
        return status;
    if ((status = encode_frame(known, FF_KNOWN_FIRST, 1, 0, latents, error)))
        return status;
    // the final latent frame holds several frames: the picture standing still
    if (known->last && (status = encode_frame(known, FF_KNOWN_LAST, FF_TAIL_FRAMES, lattice->cells.frames - 1, latents,
                                              error)))
        return status;
    if ((status = ff_tap(known->trace, FF_DUMP_RUN, (ff_tapped){FF_F32, 4, shape, latents}, error, "anchor.known")))
        return status;
    shape[0] = 1;
    if ((status = ff_tap(known->trace, FF_DUMP_RUN, (ff_tapped){FF_F32, 4, shape, mask}, error, "anchor.mask")))
        return status;
    anchor->conditioning.original = latents;
    return ff_mask_check(lattice, mask, error);
}

static void input(const ff_conditioning *self, const float *x, float *out)
{
    ff_anchor_select((const ff_anchor *)self, x, out);
}

static size_t timesteps(const ff_conditioning *self, float timestep, float *out)
{
    const ff_anchor *anchor = (const ff_anchor *)self;
    ff_anchor_timesteps(anchor, timestep, out);
    return ff_lattice_tokens(&anchor->lattice);
}

static ff_conditioning *create(ff_arena *arena)
{
    ff_anchor *anchor = ff_arena_take(arena, 1, sizeof *anchor);
    if (!anchor)
        return NULL;
    *anchor = (ff_anchor){.conditioning = {.prepare = prepare, .input = input, .timesteps = timesteps,
                                           .finish = input}};
    return &anchor->conditioning;
}

const ff_conditioning_kind ff_anchored = {.name = "anchor", .holds_pictures = true, .create = create};

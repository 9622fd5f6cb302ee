// The VAE: the still to the known latents, the latents to frames.
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "vae/strips.h"
#include "vae/vae_layer.h"
#include "verify_parts.h"

#define MOST_FLOATS ((size_t)100 << 20)  // of frames that are judged; the decoder is causal: a beginning will do

typedef struct vae_variant {
    int nothing;
    int statistics;   // of the latents: 1 mean and std the other way round, 2 std inverted, 3 mean left out, 4 both
                      // left out, 5 sign of the mean, 6 std left out
    int cache;        // 1 dropped at chunk borders, 2 the older of two frames is dropped, 3 so in chunks of one frame,
                      // 4 that of the temporal upsampling is dropped, 5 the older is the last of the chunk before,
                      // 6 as 3, but for the temporal upsampling
    int colours;      // 1 not brought from -1..1 to 0..1 (or the reverse), 2 blue first, 3 not clamped, 4 negative,
                      // 5 brought there twice, 6 left in -1..1
    int patch;        // 1: rows and columns of a patch exchanged
    int attention;    // 1: left out
    int silu;         // 1: left out after norms
    int pairs;        // 1: the two frames made of one exchanged
} vae_variant;

enum { ENCODER = 1, DECODER = 2 };
#define SET(PARTS, FIELD, VALUE, CAUSE) {.cause = CAUSE, .parts = PARTS, .set = {{offsetof(vae_variant, FIELD), VALUE}}}

static const ff_mistake vae_mistakes[] = {
    SET(DECODER, statistics, 1, "latents_mean and latents_std are applied the other way round (normalised once more)"),
    SET(ENCODER, statistics, 1, "latents_mean and latents_std are applied the other way round (denormalised)"),
    SET(ENCODER | DECODER, statistics, 2, "latents_std is inverted (multiplied where it divides)"),
    SET(ENCODER | DECODER, statistics, 3, "latents_mean is left out"),
    SET(ENCODER | DECODER, statistics, 4, "latents_mean and latents_std are left out"),
    SET(ENCODER | DECODER, statistics, 5, "the sign of latents_mean"),
    SET(ENCODER | DECODER, statistics, 6, "latents_std is left out"),
    SET(DECODER, cache, 1, "VAE cache: what convolutions remember is dropped at chunk borders"),
    SET(DECODER, cache, 3, "VAE cache: of a chunk of one frame only that frame is kept, not the one before it too"),
    SET(DECODER, cache, 6, "VAE cache: of a chunk of one frame only that frame is kept, not the one before it too"),
    SET(DECODER, cache, 2, "VAE cache: at chunk borders one earlier frame is kept, not two"),
    SET(DECODER, cache, 5, "VAE cache: at chunk borders the older of the two kept frames is of the chunk before"),
    SET(DECODER, cache, 4, "VAE cache: the temporal upsampling forgets at chunk borders"),
    SET(DECODER, pairs, 1, "the two frames that temporal upsampling makes of one are exchanged"),
    SET(DECODER, colours, 1, "colour range: -1..1 is clamped to 0..1, not scaled"),
    SET(DECODER, colours, 6, "colour range: frames are left in -1..1, not brought to 0..1"),
    SET(DECODER, colours, 3, "colour range: not clamped to 0..1"),
    SET(DECODER, colours, 4, "colours are negative"),
    SET(DECODER, colours, 5, "colour range: x / 2 + 1/2 is applied twice"),
    SET(ENCODER, colours, 1, "colour range: the encoder is given 0..1, not -1..1"),
    SET(ENCODER, colours, 4, "colours are negative"),
    SET(ENCODER | DECODER, colours, 2, "colours in the order blue, green, red"),
    SET(ENCODER | DECODER, patch, 1, "rows and columns inside a patch exchanged"),
    SET(ENCODER | DECODER, attention, 1, "attention in the middle is left out"),
    SET(ENCODER | DECODER, silu, 1, "SiLU after the norms is left out"),
    {.cause = "norms are rounded to bf16", .parts = ENCODER | DECODER, .reduced = FF_NORMS_BFLOAT},
    {.cause = "weights are rounded to bf16", .parts = ENCODER | DECODER, .reduced = FF_WEIGHTS_BFLOAT,
     .harmless = true},
    {.cause = "weights are rounded to f16", .parts = ENCODER | DECODER, .reduced = FF_WEIGHTS_HALF, .harmless = true},
    {.cause = "products take their inputs in TF32", .parts = ENCODER | DECODER, .reduced = FF_PRODUCTS_TF32,
     .harmless = true},
    {.cause = "products take their inputs in bf16", .parts = ENCODER | DECODER, .reduced = FF_PRODUCTS_BFLOAT,
     .harmless = true},
    {.cause = "computed in bf16", .parts = ENCODER | DECODER, .reduced = FF_ALL_BFLOAT, .harmless = true},
};

typedef struct vae_replay {
    ff_verifier *v;
    const ff_vae *vae;
    bool encoder;
    const float *in;               // encoder: image [3, H, W]; decoder: latents [C, all_frames, h, w]
    size_t all_frames, frames;     // decoder: latent frames, and how many of them are decoded
    size_t height, width;          // of `in`
    bool bytes;                    // decoder: the result is rounded to bytes
    // of the replay in progress
    const vae_variant *variant;
    float *out;
} vae_replay;

static ff_status no_memory(const ff_verifier *v)
{
    return ff_fail(v->error, FF_ERROR_MEMORY, "not enough memory for the VAE's frames");
}

// ---- running a network, with mistakes ----

// A network without what the variant leaves out.   layers: copy, as many as the network has
static ff_vae_network changed_network(const ff_vae_network *network, const vae_variant *variant, ff_vae_layer *layers)
{
    memcpy(layers, network->layers, network->count * sizeof *layers);
    for (size_t i = 0; i < network->count; i++)
        if (variant->attention && layers[i].ops == &ff_vae_attention_ops)
            layers[i].ops = &ff_vae_branch_ops;  // which keeps the frame and leaves it as it is
    return (ff_vae_network){layers, network->count};
}

// What layers' caches held before a chunk, two histories a layer.
typedef struct cache_note {
    size_t seen;
    float *newest;                 // NULL if nobody asks for it
} cache_note;

static ff_vae_history *history_of(const ff_vae_run *run, size_t i)
{
    ff_vae_state *state = &run->states[i / 2];
    return i % 2 ? &state->second : &state->first;
}

static float *frame_before(const ff_vae_history *history, size_t age)
{
    return history->frames[(history->seen - 1 - age) % history->capacity];
}

static void note_caches(const ff_vae_run *run, cache_note *notes)
{
    for (size_t i = 0; i < 2 * run->part.network->count; i++) {
        const ff_vae_history *history = history_of(run, i);
        notes[i].seen = history->seen;
        if (notes[i].newest && history->seen > 0)
            memcpy(notes[i].newest, frame_before(history, 0), history->floats * sizeof(float));
    }
}

// Makes the mistake of that number between two chunks.
static void spoil_caches(const ff_vae_run *run, int variant, const cache_note *notes)
{
    for (size_t i = 0; i < 2 * run->part.network->count; i++) {
        ff_vae_history *history = history_of(run, i);
        const ff_vae_layer_ops *ops = run->part.network->layers[i / 2].ops;
        size_t added = history->seen - notes[i].seen;
        bool upsampling = ops == &ff_vae_upsample_ops;
        if (ops == &ff_vae_branch_ops)
            continue;
        if (variant == 1 || (variant == 4 && upsampling))
            history->seen = 0;
        if (history->capacity < 2)
            continue;
        bool forgets = variant == 2 || (variant == 3 && added == 1) || (variant == 6 && added == 1 && !upsampling);
        if (forgets && history->seen > 1)
            memset(frame_before(history, 1), 0, history->floats * sizeof(float));
        if (variant != 5 || added < 2 || !notes[i].newest)
            continue;
        if (notes[i].seen > 0)
            memcpy(frame_before(history, 1), notes[i].newest, history->floats * sizeof(float));
        else
            memset(frame_before(history, 1), 0, history->floats * sizeof(float));
    }
}

static ff_status take_notes(const ff_verifier *v, const ff_vae_run *run, int variant, cache_note *notes)
{
    for (size_t i = 0; i < 2 * run->part.network->count; i++) {
        const ff_vae_history *history = history_of(run, i);
        notes[i].newest = NULL;
        if (variant == 5 && history->capacity == 2 && !(notes[i].newest = ff_arena_floats(v->arena, history->floats)))
            return FF_ERROR_MEMORY;
    }
    return FF_OK;
}

// A table's norms leave SiLU out.
static void norm_without_silu(const ff_kernels *kernels, size_t pixels, size_t n, const float *x, const float *gamma,
                              bool with_silu, float *out)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    inner.channel_norm(&inner, pixels, n, x, gamma, false, out);
}

// ---- decoder ----

static float within(float low, float x, float high)
{
    return x < low ? low : x > high ? high : x;
}

// A value of the network as it is in a frame: from -1..1 to 0..1.
static float shown(int colours, float value)
{
    if (colours == 3)
        return value * 0.5f + 0.5f;
    value = within(-1.0f, value, 1.0f);
    if (colours == 6)
        return value;
    if (colours == 4)
        value = -value;
    if (colours != 1)
        value = value * 0.5f + 0.5f;
    if (colours == 5)
        value = value * 0.5f + 0.5f;
    return within(0.0f, value, 1.0f);
}

// [height * patch, width * patch, 3] of a network's frame; see ref/vae/vae.c.
static void put_pixels(const vae_replay *r, size_t height, size_t width, const float *in, float *out)
{
    size_t patch = r->vae->shape.patch;
    const vae_variant *m = r->variant;
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            for (size_t colour = 0; colour < 3; colour++)
                for (size_t column = 0; column < patch; column++)
                    for (size_t row = 0; row < patch; row++) {
                        float value = *in++;
                        size_t a = m->patch ? column : row, b = m->patch ? row : column;
                        value = shown(m->colours, value);
                        if (r->bytes)
                            value = (float)(rint((double)value * 255) / 255);
                        size_t to = m->colours == 2 ? 2 - colour : colour;
                        out[((y * patch + a) * width * patch + x * patch + b) * 3 + to] = value;
                    }
}

static ff_status emit_frame(ff_vae_run *run, size_t index)
{
    vae_replay *r = run->user;
    size_t factor = r->vae->shape.spatial_factor, patch = r->vae->shape.patch;
    size_t floats = 3 * r->height * r->width * factor * factor;
    if (r->variant->pairs && index > 0)  // 1 and 2, 3 and 4, ...
        index = index % 2 ? index + 1 : index - 1;
    put_pixels(r, r->height * factor / patch, r->width * factor / patch, run->frame, r->out + index * floats);
    return FF_OK;
}

static float denormalised(const vae_replay *r, size_t channel, float x)
{
    float mean = r->vae->mean[channel], inverse = r->vae->inverse_std[channel];
    switch (r->variant->statistics) {
    case 1: return (x - mean) * inverse;
    case 2: return x * inverse + mean;
    case 3: return x / inverse;
    case 4: return x;
    case 5: return x / inverse - mean;
    case 6: return x + mean;
    default: return x / inverse + mean;
    }
}

static ff_status decode_frames(vae_replay *r, ff_vae_run *run, cache_note *notes)
{
    size_t cells = r->height * r->width, channels = r->vae->shape.latent_channels;
    ff_status status = take_notes(r->v, run, r->variant->cache, notes);
    for (size_t frame = 0; frame < r->frames && !status; frame++) {
        float *to = run->frame;
        for (size_t cell = 0; cell < cells; cell++)
            for (size_t c = 0; c < channels; c++)
                *to++ = denormalised(r, c, r->in[(c * r->all_frames + frame) * cells + cell]);
        note_caches(run, notes);
        status = ff_vae_run_frame(run, 0);
        spoil_caches(run, r->variant->cache, notes);
    }
    return status;
}

// ---- encoder ----

static ff_status emit_latents(ff_vae_run *run, size_t index)
{
    vae_replay *r = run->user;
    size_t factor = r->vae->shape.spatial_factor, channels = r->vae->shape.latent_channels;
    size_t cells = r->height / factor * (r->width / factor);
    for (size_t c = 0; c < channels; c++) {
        float mean = r->vae->mean[c], inverse = r->vae->inverse_std[c];
        for (size_t cell = 0; cell < cells; cell++) {
            float x = run->frame[cell * channels + c], *to = r->out + c * cells + cell;
            switch (r->variant->statistics) {
            case 1: *to = x / inverse + mean; break;
            case 2: *to = (x - mean) / inverse; break;
            case 3: *to = x * inverse; break;
            case 4: *to = x; break;
            case 5: *to = (x + mean) * inverse; break;
            case 6: *to = x - mean; break;
            default: *to = (x - mean) * inverse; break;
            }
        }
    }
    return FF_OK;
}

static void get_pixels(const vae_replay *r, float *out)
{
    size_t patch = r->vae->shape.patch, plane = r->height * r->width;
    const vae_variant *m = r->variant;
    for (size_t y = 0; y < r->height / patch; y++)
        for (size_t x = 0; x < r->width / patch; x++)
            for (size_t colour = 0; colour < 3; colour++)
                for (size_t column = 0; column < patch; column++)
                    for (size_t row = 0; row < patch; row++) {
                        size_t a = m->patch ? column : row, b = m->patch ? row : column;
                        size_t from = m->colours == 2 ? 2 - colour : colour;
                        float value = r->in[from * plane + (y * patch + a) * r->width + x * patch + b];
                        *out++ = m->colours == 1 ? value * 0.5f + 0.5f : m->colours == 4 ? -value : value;
                    }
}

static ff_status run_network(vae_replay *r, const ff_kernels *kernels)
{
    ff_verifier *v = r->v;
    bool encoder = r->encoder;
    const ff_vae_network *network = encoder ? &r->vae->encoder : &r->vae->decoder;
    size_t patch = r->vae->shape.patch, bytes;
    ff_kernels unactivated = ff_kernels_wrap(kernels, NULL);
    ff_arena_mark mark = ff_arena_here(v->arena);
    ff_vae_layer *layers = ff_arena_take(v->arena, network->count, sizeof *layers);
    cache_note *notes = ff_arena_take(v->arena, network->count, 2 * sizeof *notes);
    if (!layers || !notes)
        return no_memory(v);
    ff_vae_network changed = changed_network(network, r->variant, layers);
    unactivated.channel_norm = norm_without_silu;
    ff_vae_run run = {.kernels = r->variant->silu ? &unactivated : kernels,
                      .emit = encoder ? emit_latents : emit_frame, .user = r};
    size_t height = encoder ? r->height / patch : r->height, width = encoder ? r->width / patch : r->width;
    ff_extent in = {encoder ? 1 : r->frames, height, width};
    ff_vae_strips strips = ff_vae_strips_plan(&changed, !encoder, in, 1);
    ff_vae_part all = ff_vae_strips_all(&strips);
    ff_status status = ff_vae_run_prepare(&run, &all, v->arena, &bytes, v->error);
    if (!status && encoder) {
        get_pixels(r, run.frame);
        status = ff_vae_run_frame(&run, 0);
    } else if (!status) {
        status = decode_frames(r, &run, notes);
    }
    ff_arena_return(v->arena, mark);
    return status;
}

static ff_status replay(void *user, const void *variant, const ff_kernels *kernels, float *out, ff_error *error)
{
    vae_replay r = *(const vae_replay *)user;
    r.variant = variant;
    r.out = out;
    return run_network(&r, kernels);
}

// ---- judging ----

static ff_status judge(ff_verifier *v, const char *stage, const char *tensor, vae_replay *r, ff_slices slices,
                       ff_precision precision, const float *dumped)
{
    static const vae_variant right = {0};
    size_t n = ff_slices_elements(slices);
    float *ours = malloc(n * sizeof *ours), *rounded = malloc(n * sizeof *rounded);
    ff_reduced_state state;
    const ff_kernels rounding = ff_verify_rounding(precision, &state);
    ff_status status = ours && rounded ? replay(r, &right, ff_verify_kernels(), ours, v->error) : no_memory(v);
    ff_case judged = {
        .tensor = tensor, .slices = slices, .precision = precision, .dumped = dumped, .exact = ours, .rounded = rounded,
        .equal = !status && ff_floats_equal(ours, dumped, n),
        .search = {.mistakes = vae_mistakes, .count = sizeof vae_mistakes / sizeof *vae_mistakes,
                   .parts = r->encoder ? ENCODER : DECODER, .variant_size = sizeof(vae_variant), .replay = replay,
                   .user = r}};
    if (!status && !judged.equal) {
        bool bytes = r->bytes;
        if (bytes)
            memcpy(rounded, ours, n * sizeof *ours);
        else
            status = replay(r, &right, &rounding, rounded, v->error);
        r->bytes = false;
        if (!status)
            status = replay(r, &right, ff_verify_exact(), ours, v->error);
        r->bytes = bytes;
    }
    if (!status)
        status = ff_judge(v, ff_finding_of(&v->findings, "%s", stage), &judged, NULL);
    free(ours);
    free(rounded);
    return status;
}

// Bytes make odd multiples of 1/255 in -1..1; a picture of whole multiples in 0..1 was never brought there.
static void check_image_range(ff_verifier *v, size_t n, const float *image)
{
    size_t even = 0, whole = 0;
    bool inside = true;
    for (size_t i = 0; i < n; i++) {
        double value = (double)image[i] * 255, nearest = rint(value);
        inside = inside && image[i] >= 0 && image[i] <= 1;
        whole += fabs(value - nearest) < 1e-3;
        even += fabs(value - nearest) < 1e-3 && fmod(nearest, 2) == 0;
    }
    ff_stage_finding *finding = ff_finding_of(&v->findings, "vae_encode");
    if (inside && whole == n && even > n / 8 && ff_finding_add(finding, FF_FAULT, "image", 1, 0))
        snprintf(finding->cause, sizeof finding->cause, "colour range: the image is in 0..1, the encoder takes -1..1");
}

ff_status ff_verify_encoder(ff_verifier *v)
{
    const ff_verify_dump *dump = &v->dump;
    ff_stage_finding *finding = ff_finding_of(&v->findings, "vae_encode");
    size_t channels = v->model->facts.latent_channels, factor = v->model->facts.spatial_factor;
    size_t cells = dump->height * dump->width;
    size_t known_shape[4] = {channels, 0, dump->height, dump->width};
    size_t image_shape[3] = {3, dump->height * factor, dump->width * factor};
    float *image, *known = NULL;
    ff_precision precision;
    ff_status status = ff_verify_dump_floats(dump, "image", 3, image_shape, &image, NULL, v->error);
    if (!status)
        status = ff_verify_dump_floats(dump, "anchor.known", 4, known_shape, &known, &precision, v->error);
    if (!status && (!image || !known)) {
        ff_finding_missing(finding, image ? "anchor.known" : "image");
    } else if (!status) {
        for (size_t c = 1; c < channels; c++)  // the first latent frame only
            memmove(known + c * cells, known + c * known_shape[1] * cells, cells * sizeof *known);
        vae_replay r = {.v = v, .vae = v->model->vae, .encoder = true, .in = image, .height = image_shape[1],
                        .width = image_shape[2]};
        status = judge(v, "vae_encode", "anchor.known", &r, (ff_slices){1, channels, cells, "channel"}, precision,
                       known);
        if (!status)
            check_image_range(v, 3 * image_shape[1] * image_shape[2], image);
    }
    free(image);
    free(known);
    return status;
}

static ff_status judge_decoded(ff_verifier *v, const float *latents, size_t frames_in, const size_t shape[4],
                               bool bytes, ff_precision precision, const float *dumped)
{
    const ff_verify_dump *dump = &v->dump;
    size_t floats = shape[1] * shape[2] * 3, temporal = v->model->facts.temporal_factor, frames = frames_in;
    while (frames > 2 && ((frames - 1) * temporal + 1) * floats > MOST_FLOATS)
        frames--;
    vae_replay r = {.v = v, .vae = v->model->vae, .in = latents, .all_frames = frames_in, .frames = frames,
                    .height = dump->height, .width = dump->width, .bytes = bytes};
    return judge(v, "vae_decode", bytes ? "frames" : "frames_float", &r,
                 (ff_slices){1, (frames - 1) * temporal + 1, floats, "frame"}, precision, dumped);
}

ff_status ff_verify_decoder(ff_verifier *v)
{
    const ff_verify_dump *dump = &v->dump;
    const ff_model_facts *facts = &v->model->facts;
    ff_stage_finding *decoding = ff_finding_of(&v->findings, "vae_decode");
    ff_stage_finding *finding = ff_finding_of(&v->findings, "frames");
    size_t latent_shape[4] = {facts->latent_channels, dump->frames, dump->height, dump->width};
    size_t shape[4] = {dump->frames ? (dump->frames - 1) * facts->temporal_factor + 1 : 0,
                       dump->height * facts->spatial_factor, dump->width * facts->spatial_factor, 3};
    float *latents, *values = NULL;
    const uint8_t *bytes = NULL;
    ff_precision precision;
    ff_status status = ff_verify_dump_floats(dump, "latents", 4, latent_shape, &latents, NULL, v->error);
    if (!status)
        status = ff_verify_dump_floats(dump, "frames_float", 4, shape, &values, &precision, v->error);
    if (!status && dump->height)
        status = ff_verify_frames(v, shape, values, &bytes);
    size_t n = shape[0] * shape[1] * shape[2] * shape[3];
    if (!values || !bytes)
        ff_finding_missing(finding, values ? "frames" : "frames_float");
    if (!status && values && latents) {
        status = judge_decoded(v, latents, dump->frames, shape, false, precision, values);
    } else if (!status && bytes && latents) {
        // without frames_float the decoder is judged by the bytes
        float *scaled = malloc(n * sizeof *scaled);
        for (size_t i = 0; scaled && i < n; i++)
            scaled[i] = (float)(bytes[i] / 255.0);
        status = scaled ? judge_decoded(v, latents, dump->frames, shape, true, FF_BFLOAT, scaled) : no_memory(v);
        free(scaled);
    } else {
        ff_finding_missing(decoding, latents ? "frames_float" : "latents");
    }
    free(latents);
    free(values);
    return status;
}

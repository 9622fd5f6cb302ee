// What is known of the clip before it is sampled: pictures fitted, encoded, and put to the model's conditioning.
#include <string.h>

#include "../base/system.h"
#include "../image/fit.h"
#include "../sampler/ablation.h"
#include "pixels.h"
#include "stages.h"

ff_status ff_stage_fit(ff_run_state *r)
{
    const ff_request *request = r->request;
    const ff_plan *plan = &r->plan;
    ff_status status;
    if (request->task == FF_INPAINT)
        return ff_inpaint_prepare(request->image, request->mask, plan, request->strength >= 1, &r->inpaint, r->error);
    if (request->task != FF_IMAGE_TO_VIDEO)
        return FF_OK;
    status = ff_fit_image(request->image, request->fit, plan->model_width, plan->model_height, &r->still, NULL,
                          r->error);
    if (!status && request->last)
        status = ff_fit_image(request->last, request->fit, plan->model_width, plan->model_height, &r->last, NULL,
                              r->error);
    return status;
}

// The picture as the dump's `image`, [3, height, width]; what the tap leaves in it goes back to pixels.
static ff_status tap_image(ff_run_state *r, float *pixels, size_t height, size_t width)
{
    size_t cells = height * width, shape[3] = {3, height, width};
    if (!ff_traced(&r->taps.trace, FF_DUMP_RUN))
        return FF_OK;
    ff_arena_mark mark = ff_arena_here(r->arena);
    float *planes = ff_arena_floats(r->arena, 3 * cells);
    if (!planes)
        return ff_run_fail_memory(r);
    for (size_t i = 0; i < 3 * cells; i++)
        planes[i % 3 * cells + i / 3] = pixels[i];
    ff_status status = ff_run_tap(r, 3, shape, planes, "image");
    for (size_t i = 0; i < 3 * cells; i++)
        pixels[i] = planes[i % 3 * cells + i / 3];
    ff_arena_return(r->arena, mark);
    return status;
}

static ff_status repeated_picture(void *user, size_t index, const float **pixels, ff_error *error)
{
    *pixels = user;
    return FF_OK;
}

// Pictures by ff_known_picture, and what their encoding is called.
typedef struct encoding {
    ff_run_state *run;
    const ff_image *pictures[2];   // rgb NULL where there is none
    size_t done, total;
} encoding;
static const char *const prefixes[] = {"vae_encode", "vae_encode_last"};
static const char *const doings[] = {"encoding the picture", "encoding the last picture"};

// ff_known.encode
static ff_status encode_picture(void *user, ff_known_picture which, size_t frames, float *latents, ff_error *error)
{
    encoding *e = user;
    ff_run_state *r = e->run;
    const ff_image *image = e->pictures[which];
    size_t values = 3 * image->width * image->height;
    ff_arena_mark mark = ff_arena_here(r->arena);
    float *pixels = ff_arena_floats(r->arena, values);
    ff_status status;
    if (!pixels)
        return ff_run_fail_memory(r);
    if (e->done == 0 && (status = ff_run_report(r, FF_STAGE_ENCODE, 0, e->total)))
        return status;
    ff_pixels_normalise(values, image->rgb, pixels);
    if (which == FF_KNOWN_FIRST && (status = tap_image(r, pixels, image->height, image->width)))
        return status;
    const ff_vae_encoding request = {
        .extent = {frames, image->height, image->width}, .source = repeated_picture, .user = pixels,
        .strips = ff_plan_strips(r->request), .latents = latents, .tap = {&r->taps.trace, prefixes[which]}};
    status = ff_vae_encode(r->model->vae, r->kernels, r->arena, &request, error);
    ff_arena_return(r->arena, mark);
    if ((status = ff_run_blame(r, status, r->model->vae_files.weights, doings[which])))
        return status;
    return ff_run_report(r, FF_STAGE_ENCODE, ++e->done, e->total);
}

ff_status ff_stage_known(ff_run_state *r)
{
    double start = ff_seconds();
    const ff_model_facts *facts = &r->model->facts;
    bool inpaint = r->request->task == FF_INPAINT;
    encoding e = {.run = r, .pictures = {inpaint ? &r->inpaint.enlarged : &r->still, &r->last}};
    ff_known known = {
        .lattice = ff_plan_lattice(r->model, &r->plan),
        .channels = r->plan.latent_channels,
        .spatial_factor = facts->spatial_factor,
        .temporal_factor = facts->temporal_factor,
        .first = e.pictures[FF_KNOWN_FIRST]->rgb,
        .last = e.pictures[FF_KNOWN_LAST]->rgb,
        .repaint = r->inpaint.mask,
        .arena = r->arena,
        .trace = &r->taps.trace,
        .encode = encode_picture,
        .user = &e,
    };
    e.total = (size_t)known.first + known.last;
    if (!r->conditioning)
        r->conditioning = r->model->conditioning->create(r->arena);
    if (r->conditioning)
        r->conditioning = ff_ablate(r->arena, r->request->ablate, r->conditioning);
    if (!r->conditioning)
        return ff_run_fail_memory(r);
    ff_status status = r->conditioning->prepare(r->conditioning, &known, r->error);
    if (status)
        return status;
    ff_weights_release_pages(r->model->vae_files.weights);
    r->result.seconds_encode = ff_seconds() - start;
    return FF_OK;
}

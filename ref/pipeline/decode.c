// Latents to frames, each finished and handed over as soon as it is there.
#include <stdlib.h>

#include "../base/system.h"
#include "../image/colour_match.h"
#include "pixels.h"
#include "stages.h"

typedef struct decoding {
    ff_run_state *run;
    float *values;             // [height, width, 3] in 0..1
    ff_image frame;
} decoding;

static ff_status hand_over(ff_run_state *r, size_t index, const ff_image *frame)
{
    ff_sha256_add(&r->frames_hash, frame->rgb, 3 * frame->width * frame->height);
    return r->request->frame ? r->request->frame(r->request->user, index, frame, r->error) : FF_OK;
}

static ff_status paste_result(ff_run_state *r, size_t index, const ff_image *frame)
{
    const ff_image *picture = r->request->image;
    size_t bytes = 3 * picture->width * picture->height;
    ff_image whole = {picture->width, picture->height, malloc(bytes)};
    if (!whole.rgb)
        return ff_run_fail_memory(r);
    ff_status status = ff_inpaint_paste(&r->inpaint, picture, frame, &r->plan, r->request->strength >= 1, &whole,
                                        r->error);
    if (!status)
        status = hand_over(r, index, &whole);
    free(whole.rgb);
    return status;
}

static ff_status finish_frame(void *user, size_t index, const float *pixels, ff_error *error)
{
    decoding *d = user;
    ff_run_state *r = d->run;
    ff_pixels_finish(3 * d->frame.width * d->frame.height, pixels, d->values);
    ff_status status = ff_taps_frame(&r->taps, index, d->values, d->frame.rgb, error);
    if (status)
        return status;
    if (r->request->match_colours && r->still.rgb && (status = ff_colour_match(&r->still, &d->frame, r->error)))
        return status;
    if (r->request->task == FF_INPAINT)
        return paste_result(r, index, &d->frame);
    return hand_over(r, index, index == 0 && r->request->keep_first && r->still.rgb ? &r->still : &d->frame);
}

static ff_status report_decoding(void *user, size_t done, size_t total, ff_error *error)
{
    const decoding *d = user;
    return ff_run_report(d->run, FF_STAGE_DECODE, done, total);
}

ff_status ff_stage_decode(ff_run_state *r)
{
    double start = ff_seconds();
    const ff_plan *plan = &r->plan;
    size_t pixels = plan->model_width * plan->model_height;
    decoding d = {
        .run = r,
        .values = ff_arena_floats(r->arena, 3 * pixels),
        .frame = {plan->model_width, plan->model_height, ff_arena_take(r->arena, 3 * pixels, 1)},
    };
    if (!d.values || !d.frame.rgb)
        return ff_run_fail_memory(r);
    ff_status status = ff_run_report(r, FF_STAGE_DECODE, 0, plan->frames * plan->decode_strips);
    const ff_vae_decoding request = {
        .extent = {plan->latent_frames, plan->latent_height, plan->latent_width}, .latents = r->latents,
        .strips = plan->decode_strips, .sink = finish_frame, .progress = report_decoding, .user = &d,
        .tap = {&r->taps.trace, "vae_decode"}};
    if (!status)
        status = ff_vae_decode(r->model->vae, r->kernels, r->arena, &request, r->error);
    r->result.seconds_decode = ff_seconds() - start;
    return ff_run_blame(r, status, r->model->vae_files.weights, "decoding the frames");
}

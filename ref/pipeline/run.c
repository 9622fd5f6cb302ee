// ff_run: text, anchor, noise, the sampler's loop, decoding. The commands differ only in the mask of the anchor.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../image/fit.h"
#include "../image/colour_match.h"
#include "../base/finite.h"
#include "../sampler/noise.h"
#include "../sampler/schedule.h"
#include "../base/system.h"
#include "culprit.h"
#include "inpaint.h"
#include "pixels.h"
#include "plan.h"
#include "resume.h"
#include "tap.h"
#include "threads.h"

// Everything one run holds.
typedef struct run {
    ff_model *model;
    const ff_request *request;
    ff_kernels table;
    const ff_kernels *kernels; // the table
    ff_scratch scratch;        // for the kernels
    ff_plan plan;
    ff_arena *arena;
    ff_taps taps;
    ff_error *error;

    ff_transformer_text *text, *negative_text;
    ff_image still, last;      // fitted to the model's size; rgb NULL if there is none
    ff_inpaint inpaint;
    ff_anchor anchor;
    ff_schedule *schedule;
    ff_schedule_state *solver;
    float *latents;            // [channels, frames, height, width]
    float *known, *mask;
    ff_sha256 frames_hash;
    ff_result result;
} run;

static ff_status fail_memory(run *r)
{
    return ff_fail(r->error, FF_ERROR_MEMORY, "out of memory at %zux%zu with %zu frames", r->plan.model_width,
                   r->plan.model_height, r->plan.frames);
}

static ff_status report(run *r, ff_stage stage, size_t done, size_t total)
{
    ff_progress progress = {stage, done, total};
    if (r->request->progress && r->request->progress(r->request->user, &progress))
        return ff_fail(r->error, FF_CANCELLED, "interrupted");
    return FF_OK;
}

static ff_status tap(run *r, ff_dump_level level, int rank, const size_t *shape, float *data, const char *name)
{
    return ff_tap(&r->taps.trace, level, FF_F32, rank, shape, data, r->error, "%s", name);
}

// Says where values that stopped being finite may have come from. weights: of the component that computed, or NULL
static ff_status blame(run *r, ff_status status, const ff_weights *weights, const char *doing)
{
    ff_suspects suspects = {weights, r->taps.not_finite, r->request->load_path};
    return ff_blame(status, suspects, r->error, "%s", doing);
}

// ---- text ----

// A prompt's embedding, padded with zeros to FF_TEXT_TOKENS rows, and what the transformer makes of it.
static ff_status encode_prompt(run *r, const char *prompt, const char *ids_name, const char *embeds_name,
                               ff_transformer_text **out)
{
    size_t dim = r->model->facts.text_dim, count = 0, shape[2] = {FF_TEXT_TOKENS, dim};
    ff_arena_mark mark = ff_arena_here(r->arena);
    int64_t *ids = ff_arena_take(r->arena, FF_TEXT_TOKENS, sizeof *ids);
    float *embeds = ff_arena_floats(r->arena, FF_TEXT_TOKENS * dim);
    const char *doing = out == &r->text ? "encoding the prompt" : "encoding the negative prompt";
    char *cleaned = NULL;
    if (!ids || !embeds)
        return fail_memory(r);
    memset(embeds, 0, FF_TEXT_TOKENS * dim * sizeof *embeds);
    ff_status status = ff_text_clean(prompt, strlen(prompt), &cleaned, r->error);
    if (!status)
        status = ff_tokenizer_encode(r->model->tokenizer, cleaned, strlen(cleaned), FF_TEXT_TOKENS, ids, &count,
                                     r->error);
    free(cleaned);
    if (status || (status = ff_taps_replace_ids(&r->taps, ids_name, ids, FF_TEXT_TOKENS, &count, r->error)) ||
        (status = ff_tap(&r->taps.trace, FF_DUMP_RUN, FF_I64, 1, &count, ids, r->error, "%s", ids_name)) ||
        (status = blame(r, ff_text_encoder_run(r->model->text_encoder, r->kernels, r->arena, ids, count, embeds,
                                               r->error), r->model->text_files.weights, doing)) ||
        (status = tap(r, FF_DUMP_RUN, 2, shape, embeds, embeds_name)) ||
        (status = blame(r, ff_check_finite(FF_TEXT_TOKENS * dim, embeds, r->error, "%s", embeds_name), NULL, doing)))
        return status;
    status = ff_transformer_text_create(r->model->transformer, r->kernels, embeds, FF_TEXT_TOKENS, out, r->error);
    ff_arena_return(r->arena, mark);
    return blame(r, status, r->model->transformer_files.weights, doing);
}

static ff_status encode_text(run *r)
{
    double start = ff_seconds();
    bool guided = r->plan.guidance_scale > 1;
    ff_status status = report(r, FF_STAGE_TEXT, 0, 1 + guided);
    if (!status)
        status = encode_prompt(r, r->request->prompt, "token_ids", "prompt_embeds", &r->text);
    if (!status && guided && !(status = report(r, FF_STAGE_TEXT, 1, 2)))
        status = encode_prompt(r, r->plan.negative_prompt, "negative_token_ids", "negative_prompt_embeds",
                               &r->negative_text);
    ff_weights_release_pages(r->model->text_files.weights);
    ff_weights_release_pages(r->model->transformer_files.weights);  // their part in the text's keys and values
    r->result.seconds_text = ff_seconds() - start;
    return status ? status : report(r, FF_STAGE_TEXT, 1 + guided, 1 + guided);
}

static void free_text(run *r)
{
    ff_transformer_text_destroy(r->text);
    ff_transformer_text_destroy(r->negative_text);
    r->text = r->negative_text = NULL;
}

// ---- anchor ----

// The picture as the dump's `image`, [3, height, width]; what the tap leaves in it goes back to pixels.
static ff_status tap_image(run *r, float *pixels, size_t height, size_t width)
{
    size_t cells = height * width, shape[3] = {3, height, width};
    if (!ff_traced(&r->taps.trace, FF_DUMP_RUN))
        return FF_OK;
    ff_arena_mark mark = ff_arena_here(r->arena);
    float *planes = ff_arena_floats(r->arena, 3 * cells);
    if (!planes)
        return fail_memory(r);
    for (size_t i = 0; i < 3 * cells; i++)
        planes[i % 3 * cells + i / 3] = pixels[i];
    ff_status status = tap(r, FF_DUMP_RUN, 3, shape, planes, "image");
    for (size_t i = 0; i < 3 * cells; i++)
        pixels[i] = planes[i % 3 * cells + i / 3];
    ff_arena_return(r->arena, mark);
    return status;
}

static ff_status repeated_picture(void *user, size_t index, const float **pixels, ff_error *error)
{
    (void)index, (void)error;
    *pixels = user;
    return FF_OK;
}

// Encodes one picture repeated over `frames` frames; its last latent frame goes to latent frame `to` of known.
static ff_status encode_picture(run *r, const ff_image *image, size_t frames, size_t to, bool named)
{
    const ff_plan *plan = &r->plan;
    size_t cells = plan->latent_height * plan->latent_width;
    size_t latent_frames = (frames - 1) / r->model->facts.temporal_factor + 1;
    ff_arena_mark mark = ff_arena_here(r->arena);
    float *pixels = ff_arena_floats(r->arena, 3 * image->width * image->height);
    float *latents = ff_arena_floats(r->arena, plan->latent_channels * latent_frames * cells);
    if (!pixels || !latents)
        return fail_memory(r);
    ff_pixels_normalise(3 * image->width * image->height, image->rgb, pixels);
    ff_status status = named ? tap_image(r, pixels, image->height, image->width) : FF_OK;
    ff_vae_set_trace(r->model->vae, &r->taps.trace, named ? "vae_encode" : "vae_encode_last");
    if (!status)
        status = ff_vae_encode_frames(r->model->vae, r->kernels, r->arena, ff_plan_strips(r->request), repeated_picture,
                                      pixels, frames, image->height, image->width, latents, r->error);
    blame(r, status, r->model->vae_files.weights, named ? "encoding the picture" : "encoding the last picture");
    for (size_t c = 0; !status && c < plan->latent_channels; c++)
        memcpy(r->known + (c * plan->latent_frames + to) * cells,
               latents + (c * latent_frames + latent_frames - 1) * cells, cells * sizeof *latents);
    ff_arena_return(r->arena, mark);
    return status;
}

static ff_status build_mask(run *r, const ff_lattice *lattice)
{
    switch (r->request->task) {
    case FF_IMAGE_TO_VIDEO:
        return ff_mask_frames(lattice, r->request->last != NULL, r->mask, r->error);
    case FF_INPAINT:
        return ff_mask_pixels(lattice, r->model->facts.spatial_factor, r->inpaint.mask, r->mask, r->error);
    default:
        ff_mask_generate(lattice, r->mask);
        return FF_OK;
    }
}

static ff_status fit_pictures(run *r)
{
    const ff_request *request = r->request;
    const ff_plan *plan = &r->plan;
    ff_status status = FF_OK;
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

static ff_status build_anchor(run *r)
{
    double start = ff_seconds();
    const ff_plan *plan = &r->plan;
    bool video = r->request->task == FF_IMAGE_TO_VIDEO, pictured = video || r->request->task == FF_INPAINT;
    size_t encodings = pictured + (r->last.rgb != NULL);
    size_t shape[4] = {plan->latent_channels, plan->latent_frames, plan->latent_height, plan->latent_width};
    ff_lattice lattice = ff_plan_lattice(r->model, plan);
    ff_status status;
    memset(r->known, 0, ff_plan_elements(plan) * sizeof *r->known);
    r->anchor = (ff_anchor){lattice, plan->latent_channels, r->known, r->mask};
    if ((status = build_mask(r, &lattice)))
        return status;
    if (pictured) {
        if ((status = report(r, FF_STAGE_ENCODE, 0, encodings)) ||
            (status = encode_picture(r, video ? &r->still : &r->inpaint.enlarged, 1, 0, true)) ||
            (status = report(r, FF_STAGE_ENCODE, 1, encodings)))
            return status;
        // the final latent frame holds several frames: the picture standing still
        if (r->last.rgb &&
            ((status = encode_picture(r, &r->last, FF_TAIL_FRAMES, plan->latent_frames - 1, false)) ||
             (status = report(r, FF_STAGE_ENCODE, 2, encodings))))
            return status;
        if ((status = tap(r, FF_DUMP_RUN, 4, shape, r->known, "anchor.known")))
            return status;
        shape[0] = 1;
        if ((status = tap(r, FF_DUMP_RUN, 4, shape, r->mask, "anchor.mask")) ||
            (status = ff_mask_check(&lattice, r->mask, r->error)))
            return status;
    }
    ff_weights_release_pages(r->model->vae_files.weights);
    r->result.seconds_encode = ff_seconds() - start;
    return FF_OK;
}

// ---- sampling ----

static ff_status blame_step(run *r, ff_status status, const ff_weights *weights, size_t done)
{
    char doing[64];
    snprintf(doing, sizeof doing, "denoising, step %zu of %zu", done + 1,
             r->plan.steps - ff_plan_first_step(r->request, &r->plan));
    return blame(r, status, weights, doing);
}

// One evaluation of the transformer on what is known and what is not, in the `done`-th step of this run.
//   input: [channels, frames, height, width]   timesteps: one or one a token
static ff_status evaluate(run *r, const ff_transformer_text *text, size_t call, const size_t shape[4], float *input,
                          float *timesteps, size_t timestep_count, float *out)
{
    const ff_plan *plan = &r->plan;
    const ff_trace *trace = &r->taps.trace;
    const ff_weights *weights = r->model->transformer_files.weights;
    size_t n = ff_plan_elements(plan), done = call / (r->negative_text ? 2 : 1);
    ff_status status;
    if ((status = ff_tap(trace, FF_DUMP_STEP, FF_F32, 4, shape, input, r->error, "call.%03zu.input", call)) ||
        (status = ff_tap(trace, FF_DUMP_STEP, FF_F32, 1, &timestep_count, timesteps, r->error, "call.%03zu.timestep",
                         call)) ||
        (status = blame_step(r, ff_check_finite(n, input, r->error, "call.%03zu.input", call), NULL, done)))
        return status;
    status = ff_transformer_run(r->model->transformer, r->kernels, r->arena, text, input, plan->latent_frames,
                                plan->latent_height, plan->latent_width, timesteps, timestep_count, call, trace, out,
                                r->error);
    if ((status = blame_step(r, status, weights, done)))
        return status;
    return ff_tap(trace, FF_DUMP_STEP, FF_F32, 4, shape, out, r->error, "call.%03zu.output", call);
}

typedef struct workspace {
    float *input, *prediction, *unconditional, *timesteps;
} workspace;

// Step i of the schedule, the `done`-th of this run.
static ff_status denoise_step(run *r, size_t i, size_t done, const size_t shape[4], const workspace *w)
{
    const ff_trace *trace = &r->taps.trace;
    size_t n = ff_plan_elements(&r->plan), one = 1, call = done * (r->negative_text ? 2 : 1);
    size_t timestep_count = r->model->expand_timesteps ? r->plan.tokens : 1;
    float timestep = ff_schedule_timestep(r->schedule, i);
    ff_status status;
    float sigma = ff_schedule_sigma(r->schedule, i);
    if ((status = ff_tap(trace, FF_DUMP_STEP, FF_F32, 1, &one, &timestep, r->error, "step.%03zu.timestep", done)) ||
        (status = ff_tap(trace, FF_DUMP_ATTENTION, FF_F32, 1, &one, &sigma, r->error, "step.%03zu.sigma", done)))
        return status;
    for (size_t pass = 0; pass < (r->negative_text ? 2u : 1u); pass++) {
        if (r->request->ablate == FF_ABLATE_KNOWN)
            memcpy(w->input, r->latents, n * sizeof *w->input);
        else
            ff_anchor_select(&r->anchor, r->latents, w->input);
        if (r->model->expand_timesteps)
            ff_anchor_timesteps(&r->anchor, timestep, w->timesteps);
        else
            w->timesteps[0] = timestep;
        for (size_t token = 0; r->request->ablate == FF_ABLATE_TIMESTEP && token < timestep_count; token++)
            w->timesteps[token] = timestep;
        if ((status = evaluate(r, pass ? r->negative_text : r->text, call + pass, shape, w->input, w->timesteps,
                               timestep_count, pass ? w->unconditional : w->prediction)))
            return status;
    }
    if (r->negative_text)
        r->kernels->guidance(r->kernels, n, w->prediction, w->unconditional, (float)r->plan.guidance_scale,
                             w->prediction);
    if ((status = ff_tap(trace, FF_DUMP_STEP, FF_F32, 4, shape, w->prediction, r->error, "step.%03zu.noise_pred",
                         done)) ||
        (status = ff_schedule_step(r->schedule, r->solver, r->kernels, i, w->prediction, r->latents, r->error)) ||
        (status = ff_tap(trace, FF_DUMP_STEP, FF_F32, 4, shape, r->latents, r->error, "step.%03zu.latents", done)))
        return status;
    ff_anchor_select(&r->anchor, r->latents, w->input);  // cells known by mask mean nothing
    return blame_step(r, ff_check_finite(n, w->input, r->error, "step.%03zu.latents", done), NULL, done);
}

static ff_status sample(run *r)
{
    double start = ff_seconds();
    const ff_plan *plan = &r->plan;
    const ff_request *request = r->request;
    size_t n = ff_plan_elements(plan), first = ff_plan_first_step(request, plan), next = first;
    size_t shape[4] = {plan->latent_channels, plan->latent_frames, plan->latent_height, plan->latent_width};
    ff_arena_mark mark = ff_arena_here(r->arena);
    workspace w = {
        .input = ff_arena_floats(r->arena, n),
        .prediction = ff_arena_floats(r->arena, n),
        .unconditional = ff_arena_floats(r->arena, r->negative_text ? n : 0),
        .timesteps = ff_arena_floats(r->arena, plan->tokens),
    };
    ff_status status;
    if (!w.input || !w.prediction || !w.unconditional || !w.timesteps)
        return fail_memory(r);
    ff_noise_normal(request->seed, n, r->latents);
    if ((status = tap(r, FF_DUMP_RUN, 4, shape, r->latents, "noise")) ||
        (status = ff_schedule_create(r->model->scheduler, request->scheduler, plan->flow_shift, plan->steps,
                                     &r->schedule, r->error)) ||
        (status = ff_schedule_state_create(r->schedule, n, &r->solver, r->error)))
        return status;
    if (request->task == FF_INPAINT && request->strength < 1)
        ff_schedule_noise(r->kernels, ff_schedule_sigma(r->schedule, first), n, r->known, r->latents, r->latents);

    uint8_t fingerprint[32] = {0};
    if (request->state || request->resume_state)
        status = ff_resume_fingerprint(r->model, request, plan, fingerprint, r->error);
    if (!status && request->resume_state)
        status = ff_resume_read(request->resume_state, request->resume_size, fingerprint, r->solver, n, r->latents,
                                &next, r->error);
    if (!status && (next < first || next > plan->steps))
        status = ff_fail(r->error, FF_ERROR_INPUT, "the saved state is damaged");
    if (!status)
        status = report(r, FF_STAGE_DENOISE, next - first, plan->steps - first);
    for (size_t i = next; !status && i < plan->steps; i++) {
        status = denoise_step(r, i, i - first, shape, &w);
        if (!status && request->state)
            status = ff_resume_write(fingerprint, r->solver, n, r->latents, i + 1, request->state, request->user,
                                     r->error);
        if (!status)
            status = report(r, FF_STAGE_DENOISE, i + 1 - first, plan->steps - first);
    }
    if (status)
        return status;
    ff_anchor_select(&r->anchor, r->latents, r->latents);
    ff_arena_return(r->arena, mark);
    ff_weights_release_pages(r->model->transformer_files.weights);
    free_text(r);
    r->result.seconds_denoise = ff_seconds() - start;
    if ((status = tap(r, FF_DUMP_RUN, 4, shape, r->latents, "latents")))
        return status;
    return blame(r, ff_check_finite(n, r->latents, r->error, "latents"), NULL, "denoising");
}

// ---- decoding ----

typedef struct decoding {
    run *run;
    float *values;             // [height, width, 3] in 0..1
    ff_image frame;
} decoding;

static ff_status hand_over(run *r, size_t index, const ff_image *frame)
{
    ff_sha256_add(&r->frames_hash, frame->rgb, 3 * frame->width * frame->height);
    return r->request->frame ? r->request->frame(r->request->user, index, frame, r->error) : FF_OK;
}

static ff_status paste_result(run *r, size_t index, const ff_image *frame)
{
    const ff_image *picture = r->request->image;
    size_t bytes = 3 * picture->width * picture->height;
    ff_image whole = {picture->width, picture->height, malloc(bytes)};
    if (!whole.rgb)
        return fail_memory(r);
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
    run *r = d->run;
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
    (void)error;  // the run's
    return report(d->run, FF_STAGE_DECODE, done, total);
}

static ff_status decode(run *r)
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
        return fail_memory(r);
    ff_status status = report(r, FF_STAGE_DECODE, 0, plan->frames * plan->decode_strips);
    ff_vae_set_trace(r->model->vae, &r->taps.trace, "vae_decode");
    if (!status)
        status = ff_vae_decode_frames(r->model->vae, r->kernels, r->arena, plan->decode_strips, r->latents,
                                      plan->latent_frames, plan->latent_height, plan->latent_width, finish_frame,
                                      report_decoding, &d, r->error);
    r->result.seconds_decode = ff_seconds() - start;
    return blame(r, status, r->model->vae_files.weights, "decoding the frames");
}

// ---- the whole ----

static ff_status run_stages(run *r)
{
    ff_status status;
    size_t n = ff_plan_elements(&r->plan);
    ff_lattice lattice = ff_plan_lattice(r->model, &r->plan);
    if ((status = ff_taps_open(r->model, r->request, &r->plan, &r->taps, r->error)))
        return status;
    r->latents = ff_arena_floats(r->arena, n);
    r->known = ff_arena_floats(r->arena, n);
    r->mask = ff_arena_floats(r->arena, lattice.frames * lattice.height * lattice.width);
    if (!r->latents || !r->known || !r->mask)
        return fail_memory(r);
    ff_sha256_start(&r->frames_hash);
    if ((status = fit_pictures(r)) || (status = encode_text(r)) || (status = build_anchor(r)) ||
        (status = sample(r)) || (status = decode(r)))
        return status;
    ff_sha256_finish(&r->frames_hash, r->result.frames_sha256);
    return ff_taps_close(&r->taps, true, r->error);
}

static ff_status run_threaded(void *user)
{
    run *r = user;
    r->arena = ff_arena_create();
    return r->arena ? run_stages(r) : fail_memory(r);
}

ff_status ff_run(ff_model *model, const ff_request *request, ff_result *out, ff_error *error)
{
    ff_error own = {0};        // so that a callback which gives no reason leaves no reason of another
    run r = {.model = model, .request = request, .kernels = &r.table, .error = &own};
    ff_status status = ff_plan_request(model, request, &r.plan, error);
    if (status || (status = ff_kernels_choose(request->isa, request->backend, &r.table, error)))
        return status;
    r.table.scratch = &r.scratch;
    status = ff_with_threads(request->threads, run_threaded, &r, &own);
    if (status == FF_ERROR_MEMORY && !own.message[0])
        fail_memory(&r);
    ff_vae_set_trace(model->vae, NULL, NULL);
    ff_taps_close(&r.taps, false, NULL);
    ff_schedule_state_destroy(r.solver);
    ff_schedule_destroy(r.schedule);
    free_text(&r);
    ff_inpaint_free(&r.inpaint);
    free(r.still.rgb);
    free(r.last.rgb);
    if (r.arena)
        r.result.peak_memory_bytes = ff_arena_peak(r.arena) + r.scratch.size;
    ff_arena_destroy(r.arena);
    ff_scratch_free(&r.scratch);
    if (status)
        return ff_fail(error, status, "%s", own.message[0] ? own.message : "a callback ended the run");
    if (out)
        *out = r.result;
    return FF_OK;
}

// Sampling: noise to latents, step by step down the schedule.
#include <stdio.h>

#include "../base/finite.h"
#include "../base/system.h"
#include "../sampler/noise.h"
#include "../sampler/schedule.h"
#include "resume.h"
#include "stages.h"

typedef struct denoising {
    ff_run_state *run;
    ff_schedule *schedule;
    ff_schedule_state *solver;
    size_t first, next;            // steps of the schedule: where such a run begins, where this one goes on
    size_t values;                 // of the latents
    size_t shape[4], input_shape[4];  // [channels, frames, height, width]
    float *input, *timesteps, *predictions[2];
    uint8_t fingerprint[32];       // of the run, where states are saved or read
} denoising;

static ff_status blame(const denoising *d, ff_status status, const ff_weights *weights, size_t i)
{
    char doing[64];
    snprintf(doing, sizeof doing, "denoising, step %zu of %zu", i - d->first + 1, d->run->plan.steps - d->first);
    return ff_run_blame(d->run, status, weights, doing);
}

static ff_status tap_level(const denoising *d, size_t i, float *timestep)
{
    const ff_trace *trace = &d->run->taps.trace;
    float sigma = ff_schedule_sigma(d->schedule, i);
    size_t one = 1, step = i - d->first;
    ff_status status = ff_tap(trace, FF_DUMP_STEP, (ff_tapped){FF_F32, 1, &one, timestep}, d->run->error,
                              "step.%03zu.timestep", step);
    return status ? status : ff_tap(trace, FF_DUMP_ATTENTION, (ff_tapped){FF_F32, 1, &one, &sigma}, d->run->error,
                                    "step.%03zu.sigma", step);
}

static ff_status tap_step(const denoising *d, size_t i, const char *part, float *latents)
{
    return ff_tap(&d->run->taps.trace, FF_DUMP_STEP, (ff_tapped){FF_F32, 4, d->shape, latents}, d->run->error,
                  "step.%03zu.%s", i - d->first, part);
}

// An expert on the input and its timesteps, under prompt `pass`, to predictions[pass].
static ff_status evaluate(const denoising *d, size_t i, size_t expert, size_t pass, size_t timestep_count)
{
    ff_run_state *r = d->run;
    const ff_expert *chosen = &r->model->experts[expert];
    const ff_trace *trace = &r->taps.trace;
    size_t call = (i - d->first) * r->prompts + pass, values = d->input_shape[0] * d->values / d->shape[0];
    const ff_transformer_context context = ff_transformer_text_context(r->texts[expert][pass]);
    const ff_transformer_input input = {
        .extent = {r->plan.latent_frames, r->plan.latent_height, r->plan.latent_width}, .latents = d->input,
        .timesteps = d->timesteps, .timestep_count = timestep_count, .contexts = &context, .context_count = 1,
        .call = call,
        .unseen = r->conditioning->unseen};
    ff_status status;
    if ((status = ff_tap(trace, FF_DUMP_STEP, (ff_tapped){FF_F32, 4, d->input_shape, d->input}, r->error,
                         "call.%03zu.input", call)) ||
        (status = ff_tap(trace, FF_DUMP_STEP, (ff_tapped){FF_F32, 1, &timestep_count, d->timesteps}, r->error,
                         "call.%03zu.timestep", call)) ||
        (status = blame(d, ff_check_finite(values, d->input, r->error, "call.%03zu.input", call), NULL, i)))
        return status;
    status = ff_transformer_run(chosen->transformer, r->kernels, r->arena, &input, trace, d->predictions[pass],
                                r->error);
    if ((status = blame(d, status, chosen->files.weights, i)))
        return status;
    return ff_tap(trace, FF_DUMP_STEP, (ff_tapped){FF_F32, 4, d->shape, d->predictions[pass]}, r->error,
                  "call.%03zu.output", call);
}

// Step i is done: its latents are numbers, the state is saved, and the caller hears of it.
static ff_status end_step(const denoising *d, size_t i)
{
    ff_run_state *r = d->run;
    const ff_request *request = r->request;
    float *finished = d->predictions[0];
    r->conditioning->finish(r->conditioning, r->latents, finished);  // what is known means nothing in the latents
    ff_status status = blame(d, ff_check_finite(d->values, finished, r->error, "step.%03zu.latents", i - d->first), NULL,
                             i);
    if (!status && request->state)
        status = ff_resume_write(d->fingerprint, d->solver, d->values, r->latents, i + 1, request->state, request->user,
                                 r->error);
    return status ? status : ff_run_report(r, FF_STAGE_DENOISE, i + 1 - d->first, r->plan.steps - d->first);
}

// The loop. At each noise level: choose the expert, read what is known, evaluate, guide, step to the next level.
static ff_status denoise(denoising *d)
{
    ff_run_state *r = d->run;
    const ff_conditioning *conditioning = r->conditioning;
    float *prediction = d->predictions[0];
    ff_status status;
    for (size_t i = d->next; i < r->plan.steps; i++) {
        float timestep = ff_schedule_timestep(d->schedule, i);
        if ((status = tap_level(d, i, &timestep)))
            return status;
        size_t expert = ff_model_expert(r->model, timestep);
        for (size_t pass = 0; pass < r->prompts; pass++) {
            conditioning->input(conditioning, r->latents, d->input);
            size_t count = conditioning->timesteps(conditioning, timestep, d->timesteps);
            if ((status = evaluate(d, i, expert, pass, count)))
                return status;
        }
        if (r->prompts == 2)
            r->kernels->guidance(r->kernels, d->values, prediction, d->predictions[1],
                                 (float)ff_plan_guidance(r->model, r->request, expert), prediction);
        if ((status = tap_step(d, i, "noise_pred", prediction)) ||
            (status = ff_schedule_step(d->schedule, d->solver, r->kernels, i, prediction, r->latents, r->error)) ||
            (status = tap_step(d, i, "latents", r->latents)) ||
            (status = end_step(d, i)))
            return status;
    }
    conditioning->finish(conditioning, r->latents, r->latents);
    return FF_OK;
}

// The latents and the solver as they are before step d->next: noise, a noised original, or a saved state.
static ff_status begin(denoising *d)
{
    ff_run_state *r = d->run;
    const ff_request *request = r->request;
    const ff_plan *plan = &r->plan;
    ff_status status;
    ff_noise_normal(request->seed, d->values, r->latents);
    if ((status = ff_run_tap(r, 4, d->shape, r->latents, "noise")) ||
        (status = ff_schedule_create(r->model->scheduler, request->scheduler, plan->flow_shift, plan->steps,
                                     &d->schedule, r->error)) ||
        (status = ff_schedule_state_create(d->schedule, d->values, &d->solver, r->error)))
        return status;
    if (request->task == FF_INPAINT && request->strength < 1)
        ff_schedule_noise(r->kernels, ff_schedule_sigma(d->schedule, d->first), d->values, r->conditioning->original,
                          r->latents, r->latents);
    if (request->state || request->resume_state)
        status = ff_resume_fingerprint(r->model, request, plan, d->fingerprint, r->error);
    if (!status && request->resume_state)
        status = ff_resume_read(request->resume_state, request->resume_size, d->fingerprint, d->solver, d->values,
                                r->latents, &d->next, r->error);
    if (status)
        return status;
    if (d->next < d->first || d->next > plan->steps)
        return ff_fail(r->error, FF_ERROR_INPUT, "the saved state is damaged");
    return ff_run_report(r, FF_STAGE_DENOISE, d->next - d->first, plan->steps - d->first);
}

static ff_status take_memory(denoising *d)
{
    ff_run_state *r = d->run;
    bool all = (d->input = ff_arena_floats(r->arena, d->input_shape[0] * d->values / d->shape[0]));
    for (size_t i = 0; i < r->prompts; i++)
        all = (d->predictions[i] = ff_arena_floats(r->arena, d->values)) && all;
    d->timesteps = ff_arena_floats(r->arena, r->plan.tokens);
    return all && d->timesteps ? FF_OK : ff_run_fail_memory(r);
}

ff_status ff_stage_denoise(ff_run_state *r)
{
    double start = ff_seconds();
    const ff_plan *plan = &r->plan;
    size_t first = ff_plan_first_step(r->request, plan);
    size_t in_channels = ff_transformer_describe(r->model->experts[0].transformer).in_channels;
    denoising d = {
        .run = r, .first = first, .next = first, .values = ff_plan_elements(plan),
        .shape = {plan->latent_channels, plan->latent_frames, plan->latent_height, plan->latent_width},
        .input_shape = {in_channels, plan->latent_frames, plan->latent_height, plan->latent_width},
    };
    ff_arena_mark mark = ff_arena_here(r->arena);
    ff_status status = take_memory(&d);
    if (!status && !(status = begin(&d)))
        status = denoise(&d);
    ff_schedule_state_destroy(d.solver);
    ff_schedule_destroy(d.schedule);
    ff_arena_return(r->arena, mark);
    if (status)
        return status;
    for (size_t i = 0; i < r->model->expert_count; i++)
        ff_expert_release_pages(&r->model->experts[i]);
    ff_stage_free_texts(r);
    r->result.seconds_denoise = ff_seconds() - start;
    if ((status = ff_run_tap(r, 4, d.shape, r->latents, "latents")))
        return status;
    return ff_run_blame(r, ff_check_finite(d.values, r->latents, r->error, "latents"), NULL, "denoising");
}

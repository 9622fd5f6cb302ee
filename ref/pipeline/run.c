// ff_run, the whole: pictures are fitted, prompts encoded, what is known prepared, noise becomes latents, latents frames.
#include <stdlib.h>

#include "culprit.h"
#include "stages.h"
#include "threads.h"

ff_status ff_run_fail_memory(ff_run_state *r)
{
    return ff_fail(r->error, FF_ERROR_MEMORY, "out of memory at %zux%zu with %zu frames", r->plan.model_width,
                   r->plan.model_height, r->plan.frames);
}

ff_status ff_run_report(ff_run_state *r, ff_stage stage, size_t done, size_t total)
{
    ff_progress progress = {stage, done, total};
    if (r->request->progress && r->request->progress(r->request->user, &progress))
        return ff_fail(r->error, FF_CANCELLED, "interrupted");
    return FF_OK;
}

ff_status ff_run_tap(ff_run_state *r, int rank, const size_t *shape, float *data, const char *name)
{
    return ff_tap(&r->taps.trace, FF_DUMP_RUN, (ff_tapped){FF_F32, rank, shape, data}, r->error, "%s", name);
}

ff_status ff_run_blame(ff_run_state *r, ff_status status, const ff_weights *weights, const char *doing)
{
    ff_suspects suspects = {.weights = weights, .loaded = r->taps.not_finite, .load_path = r->request->load_path};
    for (size_t i = 0; i < r->model->expert_count; i++) {
        const ff_expert *expert = &r->model->experts[i];
        if (expert->files.weights == weights) {
            suspects.loras = expert->loras;
            suspects.lora_count = expert->lora_count;
        }
    }
    return ff_blame(status, suspects, r->error, "%s", doing);
}

static ff_status run_stages(ff_run_state *r)
{
    ff_status status;
    if ((status = ff_taps_open(r->model, r->request, &r->plan, &r->taps, r->error)))
        return status;
    r->latents = ff_arena_floats(r->arena, ff_plan_elements(&r->plan));
    if (!r->latents)
        return ff_run_fail_memory(r);
    ff_sha256_start(&r->frames_hash);
    if ((status = ff_stage_fit(r)) || (status = ff_stage_text(r)) || (status = ff_stage_known(r)) ||
        (status = ff_stage_denoise(r)) || (status = ff_stage_decode(r)))
        return status;
    ff_sha256_finish(&r->frames_hash, r->result.frames_sha256);
    return ff_taps_close(&r->taps, true, r->error);
}

static ff_status run_threaded(void *user)
{
    ff_run_state *r = user;
    r->arena = ff_arena_create();
    return r->arena ? run_stages(r) : ff_run_fail_memory(r);
}

ff_status ff_run_conditioned(ff_model *model, const ff_request *request, ff_conditioning *conditioning,
                             ff_result *out, ff_error *error)
{
    ff_error own = {0};        // so that a callback which gives no reason leaves no reason of another
    ff_kernels table;
    ff_scratch scratch = {0};  // for the kernels
    ff_run_state r = {.model = model, .request = request, .kernels = &table, .conditioning = conditioning,
                      .error = &own};
    ff_status status = ff_plan_request(model, request, &r.plan, error);
    if (status || (status = ff_kernels_choose(request->isa, request->backend, &table, error)))
        return status;
    table.scratch = &scratch;
    r.prompts = r.plan.guidance_scale > 1 ? 2 : 1;
    status = ff_with_threads(request->threads, run_threaded, &r, &own);
    if (status == FF_ERROR_MEMORY && !own.message[0])
        ff_run_fail_memory(&r);
    ff_taps_close(&r.taps, false, NULL);
    ff_stage_free_texts(&r);
    ff_inpaint_free(&r.inpaint);
    free(r.still.rgb);
    free(r.last.rgb);
    if (r.arena)
        r.result.peak_memory_bytes = ff_arena_peak(r.arena) + scratch.size;
    ff_arena_destroy(r.arena);
    ff_scratch_free(&scratch);
    if (status)
        return ff_fail(error, status, "%s", own.message[0] ? own.message : "a callback ended the run");
    if (out)
        *out = r.result;
    return FF_OK;
}

ff_status ff_run(ff_model *model, const ff_request *request, ff_result *out, ff_error *error)
{
    return ff_run_conditioned(model, request, NULL, out, error);
}

#include "verify.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/threads.h"
#include "verify_parts.h"

// The stages but for the blocks, in the order of a run; blocks come between embed and head.
static const char *const stages_before[] = {"tokenizer", "text_encoder", "noise", "anchor", "transformer.embed"};
static const char *const stages_after[] = {"transformer.head", "guidance", "scheduler", "vae_encode", "vae_decode",
                                           "frames"};
enum {
    BEFORE = sizeof stages_before / sizeof *stages_before,
    AFTER = sizeof stages_after / sizeof *stages_after,
};

static ff_status list_stages(ff_verifier *v)
{
    size_t layers = v->model->facts.layers;
    v->findings.capacity = BEFORE + layers + AFTER;
    v->findings.list = calloc(v->findings.capacity, sizeof *v->findings.list);
    if (!v->findings.list)
        return ff_fail(v->error, FF_ERROR_MEMORY, "not enough memory for a report on %zu layers", layers);
    for (size_t i = 0; i < BEFORE; i++)
        ff_finding_of(&v->findings, "%s", stages_before[i]);
    for (size_t layer = 0; layer < layers; layer++)
        ff_finding_of(&v->findings, "transformer.block.%02zu", layer);
    for (size_t i = 0; i < AFTER; i++)
        ff_finding_of(&v->findings, "%s", stages_after[i]);
    return FF_OK;
}

static ff_status verify_stages(ff_verifier *v)
{
    static ff_status (*const stages[])(ff_verifier *) = {
        ff_verify_text,     ff_verify_noise,     ff_verify_anchor,  ff_verify_transformer,
        ff_verify_guidance, ff_verify_scheduler, ff_verify_encoder, ff_verify_decoder};
    ff_status status = list_stages(v);
    for (size_t i = 0; i < sizeof stages / sizeof *stages && !status; i++)
        status = stages[i](v);
    return status;
}

static ff_status conclude(const ff_verifier *v, ff_verification *out)
{
    out->count = out->first_fault = v->findings.count;
    out->stages = v->findings.list;
    ff_verify_dump_not_finite(&v->dump, out->not_finite);
    for (size_t i = out->count; i-- > 0;) {
        if (out->stages[i].verdict == FF_FAULT)
            out->first_fault = i;
        if (out->stages[i].verdict > out->verdict)
            out->verdict = out->stages[i].verdict;
    }
    if (out->verdict == FF_NOT_JUDGED)
        return ff_fail(v->error, FF_ERROR_INPUT, "%s: none of its tensors can be judged; a stage needs its input and "
                       "its output under a dump's names (noise, call.000.input, ...)", v->dump.path);
    return FF_OK;
}

typedef struct verifying {
    ff_verifier verifier;
    const char *path;
    ff_verification *out;
} verifying;

static ff_status verify(void *user)
{
    verifying *all = user;
    ff_verifier *v = &all->verifier;
    ff_status status;
    if ((status = ff_verify_dump_open(v->model, all->path, &v->dump, v->error)) || (status = verify_stages(v)))
        return status;
    return conclude(v, all->out);
}

ff_status ff_verify(ff_model *model, const char *path, size_t threads, ff_verification **out, ff_error *error)
{
    ff_error own = {0};
    ff_verification *verification = calloc(1, sizeof *verification);
    verifying all = {{.model = model, .arena = ff_arena_create(), .error = &own}, path, verification};
    ff_verifier *v = &all.verifier;
    ff_status status = v->arena && verification ? ff_with_threads(threads, verify, &all, &own)
                                                : ff_fail(&own, FF_ERROR_MEMORY, "%s: out of memory", path);
    *out = NULL;
    ff_verify_dump_close(&v->dump);
    ff_arena_destroy(v->arena);
    if (status) {
        free(v->findings.list);
        free(verification);
        return ff_fail(error, status, "%s", own.message);
    }
    *out = verification;
    return FF_OK;
}

void ff_verification_free(ff_verification *verification)
{
    if (!verification)
        return;
    free(verification->stages);
    free(verification);
}

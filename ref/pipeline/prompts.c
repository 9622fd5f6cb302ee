// Prompts to what the transformers attend to.
#include <stdlib.h>
#include <string.h>

#include "../base/finite.h"
#include "../base/system.h"
#include "stages.h"

// What the tensors of a prompt are called, and what is being done with it.
typedef struct prompt_names {
    const char *ids, *embeds, *doing;
} prompt_names;
static const prompt_names names[] = {
    {"token_ids", "prompt_embeds", "encoding the prompt"},
    {"negative_token_ids", "negative_prompt_embeds", "encoding the negative prompt"},
};

// ids: [FF_TEXT_TOKENS], of which *count are used
static ff_status tokenise(ff_run_state *r, const char *prompt, const char *name, int64_t *ids, size_t *count)
{
    char *cleaned;
    ff_status status = ff_text_clean(prompt, strlen(prompt), &cleaned, r->error);
    if (status)
        return status;
    status = ff_tokenizer_encode(r->model->tokenizer, cleaned, strlen(cleaned), FF_TEXT_TOKENS, ids, count, r->error);
    free(cleaned);
    if (status || (status = ff_taps_replace_ids(&r->taps, name, ids, FF_TEXT_TOKENS, count, r->error)))
        return status;
    return ff_tap(&r->taps.trace, FF_DUMP_RUN, (ff_tapped){FF_I64, 1, count, ids}, r->error, "%s", name);
}

// What the embeddings of these ids are kept under. False: the encoder's files cannot be told, so that nothing is kept.
static bool key_of(const ff_run_state *r, const int64_t *ids, size_t count, uint8_t key[32])
{
    static const char version[] = "firstframe prompt " FF_VERSION;
    uint32_t backend = r->request->backend;
    ff_sha256 hash;
    if (!r->request->prompt_store || ff_model_hash_text_encoder(r->model, key, NULL))
        return false;
    ff_sha256_start(&hash);
    ff_sha256_add(&hash, version, sizeof version);
    ff_sha256_add(&hash, &backend, sizeof backend);  // others than our own kernels have other last bits
    ff_sha256_add(&hash, key, 32);
    ff_sha256_add(&hash, ids, count * sizeof *ids);
    ff_sha256_finish(&hash, key);
    return true;
}

// embeds: [count, text_dim], kept ones or else the text encoder's
static ff_status embed(ff_run_state *r, const prompt_names *name, const int64_t *ids, size_t count, float *embeds)
{
    const ff_model *model = r->model;
    const ff_prompt_store *store = r->request->prompt_store;
    size_t values = count * model->facts.text_dim;
    uint8_t key[32];
    bool keyed = key_of(r, ids, count, key);
    if (keyed && store->recall(store->user, key, values, embeds))
        return FF_OK;
    ff_status status = ff_text_encoder_run(model->text_encoder, r->kernels, r->arena, ids, count, embeds, r->error);
    if (!status && keyed && !ff_check_finite(values, embeds, NULL, "%s", name->embeds))
        store->keep(store->user, key, values, embeds);
    return ff_run_blame(r, status, model->text_files.weights, name->doing);
}

// Prompt `which`: its embedding, padded with zeros to FF_TEXT_TOKENS rows, and what each expert makes of it.
static ff_status encode_prompt(ff_run_state *r, size_t which, const char *prompt)
{
    const ff_model *model = r->model;
    const prompt_names *name = &names[which];
    size_t dim = model->facts.text_dim, count = 0, shape[2] = {FF_TEXT_TOKENS, dim};
    ff_arena_mark mark = ff_arena_here(r->arena);
    int64_t *ids = ff_arena_take(r->arena, FF_TEXT_TOKENS, sizeof *ids);
    float *embeds = ff_arena_floats(r->arena, FF_TEXT_TOKENS * dim);
    ff_status status;
    if (!ids || !embeds)
        return ff_run_fail_memory(r);
    memset(embeds, 0, FF_TEXT_TOKENS * dim * sizeof *embeds);
    if ((status = tokenise(r, prompt, name->ids, ids, &count)) ||
        (status = embed(r, name, ids, count, embeds)) ||
        (status = ff_run_tap(r, 2, shape, embeds, name->embeds)) ||
        (status = ff_run_blame(r, ff_check_finite(FF_TEXT_TOKENS * dim, embeds, r->error, "%s", name->embeds), NULL,
                               name->doing)))
        return status;
    for (size_t i = 0; i < model->expert_count; i++) {
        const ff_expert *expert = &model->experts[i];
        status = ff_transformer_text_create(expert->transformer, r->kernels, embeds, FF_TEXT_TOKENS,
                                            &r->texts[i][which], r->error);
        if ((status = ff_run_blame(r, status, expert->files.weights, name->doing)))
            return status;
    }
    ff_arena_return(r->arena, mark);
    return FF_OK;
}

ff_status ff_stage_text(ff_run_state *r)
{
    double start = ff_seconds();
    const char *const prompts[] = {r->request->prompt, r->plan.negative_prompt};
    ff_status status = FF_OK;
    for (size_t i = 0; i < r->prompts && !status; i++) {
        status = ff_run_report(r, FF_STAGE_TEXT, i, r->prompts);
        if (!status)
            status = encode_prompt(r, i, prompts[i]);
    }
    ff_weights_release_pages(r->model->text_files.weights);
    for (size_t i = 0; i < r->model->expert_count; i++)  // their part in the text's keys and values
        ff_expert_release_pages(&r->model->experts[i]);
    r->result.seconds_text = ff_seconds() - start;
    return status ? status : ff_run_report(r, FF_STAGE_TEXT, r->prompts, r->prompts);
}

void ff_stage_free_texts(ff_run_state *r)
{
    for (size_t i = 0; i < FF_MOST_EXPERTS; i++)
        for (size_t k = 0; k < 2; k++) {
            ff_transformer_text_destroy(r->texts[i][k]);
            r->texts[i][k] = NULL;
        }
}

// A tokenizer from spiece.model alone, as transformers' T5Tokenizer (5.23.0) makes one of it: its pieces and the
// sentinels as the vocabulary, its charsmap as the normalizer, WhitespaceSplit and Metaspace before, </s> behind.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/system.h"
#include "../weights/json.h"
#include "spiece_tokens.h"

// Whatever the model's own unk_id, and without its byte fallback: T5Tokenizer knows neither.
#define UNKNOWN 2

static ff_status no_memory(const char *path, ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "no memory to read %s", path);
}

static ff_status read_vocabulary(const char *path, const ff_spiece_model *model, size_t extra_ids, ff_tokenizer *out,
                                 ff_error *error)
{
    ff_wire pieces = model->pieces;
    ff_spiece piece;
    char sentinel[FF_SENTINEL_TEXT];
    size_t bytes = model->bytes + extra_ids * sizeof sentinel;
    if (!ff_unigram_create(&out->model, model->count + extra_ids, bytes))
        return no_memory(path, error);
    while (ff_spiece_next(&pieces, &piece))
        ff_unigram_add(&out->model, piece.text, piece.size, piece.score);
    for (size_t i = extra_ids; i-- > 0;) {
        ff_sentinel(i, sentinel);
        ff_unigram_add(&out->model, sentinel, strlen(sentinel), 0);
    }
    if (out->model.count <= UNKNOWN)
        return ff_fail(error, FF_ERROR_INPUT, "%s: has %zu pieces, T5Tokenizer needs more than %d", path,
                       out->model.count, UNKNOWN);
    out->model.unknown = UNKNOWN;
    out->sentinels = extra_ids;
    return FF_OK;
}

static ff_status read_normalizer(const char *path, const ff_spiece_model *model, ff_normalizer *out, ff_error *error)
{
    if (!model->charsmap)
        return FF_OK;
    if (!(out->steps = calloc(1, sizeof *out->steps)))
        return no_memory(path, error);
    out->count = 1;
    out->steps->kind = FF_NORMALIZE_CHARSMAP;
    switch (ff_charsmap_read(model->charsmap, model->charsmap_size, &out->steps->charsmap)) {
    case FF_CHARSMAP_OK: return FF_OK;
    case FF_CHARSMAP_NO_MEMORY: return no_memory(path, error);
    case FF_CHARSMAP_BROKEN: break;
    }
    return ff_fail(error, FF_ERROR_INPUT, "%s: its precompiled_charsmap is broken", path);
}

static ff_status read_tokens(const char *path, const ff_spiece_configs *configs, const ff_spiece_model *model,
                             size_t extra_ids, ff_tokenizer *out, ff_error *error)
{
    ff_token_list list;
    const char *eos;
    uint32_t id;
    ff_status status = ff_spiece_tokens(path, configs, model, extra_ids, &list, &eos, error);
    if (status == FF_OK)
        status = ff_tokenizer_reserve(out, list.count, list.bytes, path, error);
    if (status == FF_OK && !(out->special = malloc(sizeof *out->special)))
        status = no_memory(path, error);
    for (size_t i = 0; i < list.count && status == FF_OK; i++) {
        status = ff_tokenizer_add(out, &list.at[i].token, path, error);
        if (strcmp(list.at[i].token.text, eos) == 0)
            out->special[0] = out->added[out->added_count - 1].id;
    }
    out->special_count = 1;
    if (status == FF_OK && ff_pieces_find(&out->model.pieces, eos, strlen(eos), &id))
        out->special[0] = id;
    ff_token_list_free(&list);
    return status;
}

// A configuration beside spiece.model, if it is there.
static ff_status read_beside(const char *path, const char *name, cJSON **out, ff_tokenizer *tokenizer, ff_error *error)
{
    char beside[4096];
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash + 1 - path) : 0;
    *out = NULL;
    if ((size_t)snprintf(beside, sizeof beside, "%.*s%s", folder, path, name) >= sizeof beside)
        return ff_fail(error, FF_ERROR_INPUT, "%.200s...: the path is too long", path);
    if (!ff_file_exists(beside))
        return FF_OK;
    ff_status status = ff_json_read(beside, out, error);
    return status ? status : ff_tokenizer_name_file(tokenizer, beside, error);
}

// sentinels: how many are added to the pieces
static ff_status read_model(const char *path, const ff_mapping *file, const ff_spiece_configs *configs,
                            size_t sentinels, ff_tokenizer *out, ff_error *error)
{
    ff_spiece_model model;
    ff_status status;
    out->split_spaces = true;
    out->metaspace = (ff_metaspace){.used = true, .split = true, .prepend = FF_PREPEND_ALWAYS, .mark = "\u2581",
                                    .mark_size = 3};
    if ((status = ff_spiece_read(path, file->data, file->size, &model, error)) ||
        (status = read_vocabulary(path, &model, sentinels, out, error)) ||
        (status = read_normalizer(path, &model, &out->normalizer, error)))
        return status;
    return read_tokens(path, configs, &model, sentinels, out, error);
}

ff_status ff_tokenizer_open_spiece(const char *path, ff_tokenizer **out, ff_error *error)
{
    ff_mapping file = {0};
    ff_spiece_configs configs = {0};
    ff_tokenizer *tokenizer;
    size_t sentinels;
    *out = NULL;
    ff_status status = ff_tokenizer_create(path, &tokenizer, error);
    if (status != FF_OK)
        return status;
    if (!(status = ff_map_file(path, &file, error)) &&
        !(status = read_beside(path, "tokenizer_config.json", &configs.config, tokenizer, error)) &&
        !(status = read_beside(path, "special_tokens_map.json", &configs.map, tokenizer, error)) &&
        !(status = read_beside(path, "added_tokens.json", &configs.added, tokenizer, error)) &&
        !(status = ff_spiece_extra_ids(path, &configs, &sentinels, error)))
        status = read_model(path, &file, &configs, sentinels, tokenizer, error);
    cJSON_Delete(configs.config);
    cJSON_Delete(configs.map);
    cJSON_Delete(configs.added);
    ff_unmap_file(&file);
    if (status != FF_OK) {
        ff_tokenizer_close(tokenizer);
        return status;
    }
    *out = tokenizer;
    return FF_OK;
}

ff_status ff_tokenizer_read_spiece(const char *path, const void *bytes, size_t size, ff_tokenizer **out,
                                   ff_error *error)
{
    ff_tokenizer *tokenizer;
    *out = NULL;
    ff_status status = ff_tokenizer_create(path, &tokenizer, error);
    if (!status && (status = read_model(path, &(ff_mapping){bytes, size}, &(ff_spiece_configs){0}, 0, tokenizer,
                                        error)))
        ff_tokenizer_close(tokenizer);
    if (!status)
        *out = tokenizer;
    return status;
}

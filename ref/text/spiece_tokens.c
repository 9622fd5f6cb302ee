#include "spiece_tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unicode.h"
#include "../weights/json.h"

#define DEFAULT_EXTRA_IDS 100
#define MOST_EXTRA_IDS 100000

// In transformers' order, with the texts that T5Tokenizer has for them of its own.
static const struct {
    const char *key, *text;
} named_tokens[] = {{"bos_token", NULL}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"sep_token", NULL},
                    {"pad_token", "<pad>"}, {"cls_token", NULL}, {"mask_token", NULL}};
enum { NAMED = sizeof named_tokens / sizeof *named_tokens };

static const cJSON *item(const cJSON *object, const char *key)
{
    return ff_json_item(object, key);
}

void ff_sentinel(size_t number, char out[FF_SENTINEL_TEXT])
{
    snprintf(out, FF_SENTINEL_TEXT, "<extra_id_%zu>", number);
}

// ---- the list ----

static ff_status append(ff_token_list *list, const char *text, size_t size, ff_new_token flags, bool declared,
                        ff_error *error)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64, bytes;
        struct ff_listed_token *longer = NULL;
        if (ff_multiply_sizes(capacity, sizeof *longer, &bytes))
            longer = realloc(list->at, bytes);
        if (!longer)
            return ff_fail(error, FF_ERROR_MEMORY, "no memory for the tokenizer's tokens");
        list->at = longer;
        list->capacity = capacity;
    }
    if (!(flags.text = strndup(text, size)))
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for the tokenizer's tokens");
    list->at[list->count++] = (struct ff_listed_token){flags, declared};
    list->bytes += size;
    return FF_OK;
}

void ff_token_list_free(ff_token_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free((char *)list->at[i].token.text);
    free(list->at);
    *list = (ff_token_list){0};
}

// Leaves each text once, where it came first, as it came last; but what is declared stays as declared.
static ff_status merge(ff_token_list *list, ff_error *error)
{
    ff_pieces seen;
    size_t kept = 0;
    if (!ff_pieces_create(&seen, list->count, list->bytes))
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for the tokenizer's tokens");
    for (size_t i = 0; i < list->count; i++) {
        struct ff_listed_token now = list->at[i];
        size_t size = strlen(now.token.text);
        uint32_t number;
        if (size && !ff_pieces_find(&seen, now.token.text, size, &number)) {
            ff_pieces_add(&seen, now.token.text, size, (uint32_t)kept);
            list->at[kept++] = now;
            continue;
        }
        if (size && (now.declared || !list->at[number].declared)) {
            const char *text = list->at[number].token.text;
            list->at[number].token = now.token;
            list->at[number].token.text = text;
        }
        free((char *)now.token.text);
    }
    list->count = kept;
    ff_pieces_free(&seen);
    return FF_OK;
}

// ---- what files say of a token ----

static ff_status refuse(const char *path, const char *key, ff_error *error)
{
    return ff_fail(error, FF_ERROR_INPUT, "%s: the tokenizer's configuration beside it says of %.100s what T5Tokenizer "
                   "does not take", path, key);
}

static const char *text_of(const cJSON *token)
{
    const char *text = cJSON_GetStringValue(cJSON_IsObject(token) ? item(token, "content") : token);
    return text && ff_utf8_check(text, strlen(text)) == strlen(text) ? text : NULL;
}

// A string, or an object with content and flags. special: what it is without a word on it
static ff_status append_described(ff_token_list *list, const cJSON *token, bool special, bool declared,
                                  const char *path, const char *key, ff_error *error)
{
    const char *text = text_of(token);
    const cJSON *normalized = item(token, "normalized"), *is_special = item(token, "special");
    if (!text)
        return refuse(path, key, error);
    if (cJSON_IsBool(is_special))
        special = cJSON_IsTrue(is_special);
    ff_new_token flags = {.single_word = cJSON_IsTrue(item(token, "single_word")),
                          .lstrip = cJSON_IsTrue(item(token, "lstrip")), .rstrip = cJSON_IsTrue(item(token, "rstrip")),
                          .normalized = cJSON_IsBool(normalized) ? cJSON_IsTrue(normalized) : !special};
    return append(list, text, strlen(text), flags, declared, error);
}

// A named token: of the map if it has it, else of the configuration. NULL: of neither
static const cJSON *find_named(const ff_spiece_configs *configs, const char *key)
{
    const cJSON *found = item(configs->config, "added_tokens_decoder") ? NULL : item(configs->map, key);
    return found ? found : item(configs->config, key);
}

// extra_special_tokens, or by their older name additional_special_tokens. NULL: neither is there
static const cJSON *find_extra(const ff_spiece_configs *configs)
{
    const cJSON *extra = item(configs->config, "extra_special_tokens");
    const cJSON *additional = item(configs->config, "additional_special_tokens");
    return additional && (!extra || !extra->child) ? additional : extra;
}

static bool is_special(const ff_spiece_configs *configs, const char *text)
{
    const cJSON *extra;
    for (size_t i = 0; i < NAMED; i++) {
        const char *named = text_of(find_named(configs, named_tokens[i].key));
        if (named && strcmp(named, text) == 0)
            return true;
    }
    cJSON_ArrayForEach(extra, find_extra(configs)) {
        const char *other = text_of(extra);
        if (other && strcmp(other, text) == 0)
            return true;
    }
    return false;
}

// ---- which tokens there are ----

typedef struct numbered {
    double id;
    const cJSON *token;
} numbered;

static int compare_ids(const void *a, const void *b)
{
    double p = ((const numbered *)a)->id, q = ((const numbered *)b)->id;
    return (p > q) - (p < q);
}

// added_tokens_decoder, {"7": {"content": "<x>", ...}}, or without it added_tokens.json, {"<x>": 7}; in the order of
// their numbers.
static ff_status append_declared(ff_token_list *list, const ff_spiece_configs *configs, const char *path,
                                 ff_error *error)
{
    const cJSON *decoder = item(configs->config, "added_tokens_decoder"), *tokens = decoder ? decoder : configs->added;
    const cJSON *token;
    size_t count = 0;
    ff_status status = FF_OK;
    numbered *order = calloc((size_t)cJSON_GetArraySize(tokens) + 1, sizeof *order);
    if (!order)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for the tokenizer's tokens");
    cJSON_ArrayForEach(token, tokens) {
        char *end = "";
        double id = decoder && token->string ? strtod(token->string, &end) : token->valuedouble;
        if (decoder ? !cJSON_IsObject(token) || *end : !cJSON_IsNumber(token))
            status = refuse(path, decoder ? "added_tokens_decoder" : "added_tokens.json", error);
        order[count++] = (numbered){id, token};
    }
    qsort(order, count, sizeof *order, compare_ids);
    for (size_t i = 0; i < count && status == FF_OK; i++) {
        const char *text = order[i].token->string;
        if (decoder)
            status = append_described(list, order[i].token, false, true, path, "added_tokens_decoder", error);
        else if (ff_utf8_check(text, strlen(text)) != strlen(text))
            status = refuse(path, "added_tokens.json", error);
        else
            status = append(list, text, strlen(text), (ff_new_token){.normalized = !is_special(configs, text)}, true,
                            error);
    }
    free(order);
    return status;
}

static ff_status append_named(ff_token_list *list, const ff_spiece_configs *configs, const char *path, const char **eos,
                              ff_error *error)
{
    ff_status status = FF_OK;
    for (size_t i = 0; i < NAMED && status == FF_OK; i++) {
        const char *key = named_tokens[i].key, *text = named_tokens[i].text;
        const cJSON *named = find_named(configs, key);
        if (named && !cJSON_IsNull(named)) {
            text = text_of(named);
            status = append_described(list, named, true, false, path, key, error);
        } else if (!named && text) {
            status = append(list, text, strlen(text), (ff_new_token){0}, false, error);
        } else {
            text = NULL;
        }
        if (strcmp(key, "eos_token") == 0)
            *eos = text;
    }
    if (status == FF_OK && (!*eos || !**eos))
        status = ff_fail(error, FF_ERROR_INPUT, "%s: the tokenizer's configuration beside it has no eos_token", path);
    return status;
}

// Tokens of models with more of them than T5: other keys that end in _token, and extra_special_tokens as an object.
static ff_status append_specific(ff_token_list *list, const ff_spiece_configs *configs, const char *path,
                                 ff_error *error)
{
    const cJSON *extra = item(configs->config, "extra_special_tokens"), *token;
    ff_status status = FF_OK;
    cJSON_ArrayForEach(token, configs->config) {
        const char *key = token->string;
        size_t length = strlen(key);
        bool known = length < 6 || strcmp(key + length - 6, "_token") != 0 || !text_of(token);
        for (size_t i = 0; i < NAMED && !known; i++)
            known = strcmp(key, named_tokens[i].key) == 0;
        if (!known && status == FF_OK)
            status = append_described(list, token, true, false, path, key, error);
    }
    if (cJSON_IsObject(extra)) {
        cJSON_ArrayForEach(token, extra) {
            if (status == FF_OK)
                status = append_described(list, token, true, false, path, "extra_special_tokens", error);
        }
    }
    return status;
}

// Without a word on them in the configuration: the model's control and user-defined pieces, and the sentinels, unless
// some of the former are sentinels.
static ff_status append_extra(ff_token_list *list, const ff_spiece_configs *configs, const ff_spiece_model *model,
                              size_t extra_ids, const char *path, ff_error *error)
{
    static const char sentinel[] = "<extra_id_";
    const cJSON *extra = find_extra(configs), *token;
    ff_wire pieces = model->pieces;
    ff_spiece piece;
    size_t sentinels = 0;
    char text[FF_SENTINEL_TEXT];
    ff_status status = FF_OK;
    bool given = extra && !cJSON_IsObject(extra);
    if (given && !cJSON_IsArray(extra) && !cJSON_IsNull(extra))
        return refuse(path, "extra_special_tokens", error);
    if (given) {
        cJSON_ArrayForEach(token, extra) {
            if (status == FF_OK)
                status = append_described(list, token, true, false, path, "extra_special_tokens", error);
        }
    }
    while (model->marked && status == FF_OK && ff_spiece_next(&pieces, &piece)) {
        if (piece.type != FF_SPIECE_CONTROL && piece.type != FF_SPIECE_USER_DEFINED)
            continue;
        if (piece.size >= sizeof sentinel - 1 && memcmp(piece.text, sentinel, sizeof sentinel - 1) == 0)
            sentinels++;
        if (!given)
            status = append(list, piece.text, piece.size, (ff_new_token){0}, false, error);
    }
    if (status == FF_OK && sentinels && extra_ids && sentinels != extra_ids)
        status = ff_fail(error, FF_ERROR_INPUT, "%s: has %zu pieces %sN>, extra_ids is %zu", path, sentinels, sentinel,
                         extra_ids);
    for (size_t i = 0; !given && !sentinels && i < extra_ids && status == FF_OK; i++) {
        ff_sentinel(i, text);
        status = append(list, text, strlen(text), (ff_new_token){0}, false, error);
    }
    return status;
}

ff_status ff_spiece_extra_ids(const char *path, const ff_spiece_configs *configs, size_t *extra_ids, ff_error *error)
{
    const cJSON *given = item(configs->config, "extra_ids");
    double count = given ? given->valuedouble : DEFAULT_EXTRA_IDS;
    if (given && (!cJSON_IsNumber(given) || !(count <= MOST_EXTRA_IDS && count >= -MOST_EXTRA_IDS) ||
                  count != (double)(long)count))
        return refuse(path, "extra_ids", error);
    *extra_ids = count > 0 ? (size_t)count : 0;
    return FF_OK;
}

ff_status ff_spiece_tokens(const char *path, const ff_spiece_configs *configs, const ff_spiece_model *model,
                           size_t extra_ids, ff_token_list *out, const char **eos, ff_error *error)
{
    ff_status status;
    *out = (ff_token_list){0};
    if (cJSON_IsTrue(item(configs->config, "split_special_tokens")))
        return ff_fail(error, FF_ERROR_INPUT, "%s: the configuration beside it has split_special_tokens true, which is "
                       "not supported", path);
    if (!(status = append_declared(out, configs, path, error)) &&
        !(status = append_named(out, configs, path, eos, error)) &&
        !(status = append_specific(out, configs, path, error)) &&
        !(status = append_extra(out, configs, model, extra_ids, path, error)))
        status = merge(out, error);
    return status;
}

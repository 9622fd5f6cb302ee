// Reads a tokenizer.json. What is not understood is refused by name: ids that differ silently would be worse.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../weights/json.h"
#include "tokenizer.h"

static const cJSON *item(const cJSON *object, const char *key)
{
    return ff_json_item(object, key);
}

static bool is_text(const cJSON *json)
{
    const char *text = cJSON_GetStringValue(json);
    return text && ff_utf8_check(text, strlen(text)) == strlen(text);
}

// A number that is an index below `limit`.
static bool read_index(const cJSON *json, size_t limit, size_t *out)
{
    if (!cJSON_IsNumber(json) || !(json->valuedouble >= 0) || !(json->valuedouble < (double)limit))
        return false;
    *out = (size_t)json->valuedouble;
    return (double)*out == json->valuedouble;
}

// ---- pre-tokenizer ----

static ff_status read_metaspace(const cJSON *json, const char *path, bool split_spaces, ff_metaspace *out,
                                ff_error *error)
{
    const cJSON *replacement = item(json, "replacement"), *scheme = item(json, "prepend_scheme");
    uint32_t codepoint;
    size_t length = 0;
    *out = (ff_metaspace){.used = true, .split = !cJSON_IsFalse(item(json, "split"))};
    if (is_text(replacement))
        length = ff_utf8_decode(replacement->valuestring, strlen(replacement->valuestring), &codepoint);
    if (length == 0 || replacement->valuestring[length] != '\0')
        return ff_fail(error, FF_ERROR_INPUT, "%s: the Metaspace replacement is not one character", path);
    memcpy(out->mark, replacement->valuestring, length);
    out->mark_size = length;
    if (!scheme) {
        out->prepend = cJSON_IsFalse(item(json, "add_prefix_space")) ? FF_PREPEND_NEVER : FF_PREPEND_ALWAYS;
        return FF_OK;
    }
    const char *name = cJSON_IsString(scheme) ? scheme->valuestring : "?";
    if (strcmp(name, "always") == 0)
        out->prepend = FF_PREPEND_ALWAYS;
    else if (strcmp(name, "first") == 0 && !split_spaces)  // which word is first is unclear where one grows to two
        out->prepend = FF_PREPEND_FIRST;
    else if (strcmp(name, "never") == 0)
        out->prepend = FF_PREPEND_NEVER;
    else
        return ff_fail(error, FF_ERROR_INPUT, "%s: the Metaspace prepend_scheme %.100s is not supported%s", path, name,
                       split_spaces ? " after WhitespaceSplit" : "");
    return FF_OK;
}

// WhitespaceSplit, Metaspace, or the first and then the second.
static ff_status read_pre_tokenizer(const cJSON *json, const char *path, ff_tokenizer *out, ff_error *error)
{
    if (!json || cJSON_IsNull(json))
        return FF_OK;
    const char *type = cJSON_GetStringValue(item(json, "type"));
    if (type && strcmp(type, "Sequence") == 0) {
        const cJSON *step;
        ff_status status = FF_OK;
        cJSON_ArrayForEach(step, item(json, "pretokenizers")) {
            if (status == FF_OK)
                status = read_pre_tokenizer(step, path, out, error);
        }
        return status;
    }
    if (out->metaspace.used)
        return ff_fail(error, FF_ERROR_INPUT, "%s: a pre-tokenizer after Metaspace is not supported", path);
    if (type && strcmp(type, "Metaspace") == 0)
        return read_metaspace(json, path, out->split_spaces, &out->metaspace, error);
    if (!type || strcmp(type, "WhitespaceSplit") != 0)
        return ff_fail(error, FF_ERROR_INPUT,
                       "%s: the pre-tokenizer %.100s is not supported; WhitespaceSplit and Metaspace are", path,
                       type ? type : "without a type");
    out->split_spaces = true;
    return FF_OK;
}

// ---- model ----

static ff_status read_vocabulary(const cJSON *list, const char *path, ff_unigram *model, ff_error *error)
{
    const cJSON *entry;
    size_t bytes = 0, count = 0;
    cJSON_ArrayForEach(entry, list) {
        const cJSON *piece = entry->child, *score = piece ? piece->next : NULL;
        if (!cJSON_IsArray(entry) || !cJSON_IsString(piece) || !cJSON_IsNumber(score) || score->next ||
            !isfinite(score->valuedouble))
            return ff_fail(error, FF_ERROR_INPUT, "%s: vocabulary entry %zu is not a piece and its score", path, count);
        bytes += strlen(piece->valuestring);  // no more than the file holds
        count++;
    }
    if (!ff_unigram_create(model, count, bytes))
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for the %zu pieces of %s", count, path);
    cJSON_ArrayForEach(entry, list)
        ff_unigram_add(model, entry->child->valuestring, strlen(entry->child->valuestring),
                       entry->child->next->valuedouble);
    return FF_OK;
}

static ff_status read_model(const cJSON *json, const char *path, ff_unigram *model, ff_error *error)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *type = cJSON_GetStringValue(item(json, "type"));
    const cJSON *vocabulary = item(json, "vocab"), *unknown = item(json, "unk_id");
    if (!type || strcmp(type, "Unigram") != 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: the model is %.100s, only Unigram is supported", path,
                       type ? type : "without a type");
    if (!cJSON_IsArray(vocabulary))
        return ff_fail(error, FF_ERROR_INPUT, "%s: the model has no vocab", path);
    ff_status status = read_vocabulary(vocabulary, path, model, error);
    if (status != FF_OK)
        return status;
    model->unknown = FF_NO_PIECE;
    if (unknown && !cJSON_IsNull(unknown) && !read_index(unknown, model->count, &model->unknown))
        return ff_fail(error, FF_ERROR_INPUT, "%s: unk_id is not the number of one of the %zu pieces", path,
                       model->count);
    model->byte_fallback = cJSON_IsTrue(item(json, "byte_fallback"));
    for (size_t byte = 0; byte < 256; byte++) {
        char name[] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
        uint32_t id;
        model->bytes[byte] = ff_pieces_find(&model->pieces, name, sizeof name, &id) ? id : FF_NO_PIECE;
    }
    return FF_OK;
}

// ---- added tokens ----

static ff_status read_added_token(const cJSON *json, const char *path, ff_tokenizer *out, ff_error *error)
{
    static const char *const flags[] = {"single_word", "lstrip", "rstrip", "normalized"};
    const cJSON *content = item(json, "content");
    bool value[4];
    if (!is_text(content))
        return ff_fail(error, FF_ERROR_INPUT, "%s: added token %zu has no content", path, out->added_count);
    for (size_t i = 0; i < 4; i++) {
        if (!cJSON_IsBool(item(json, flags[i])))
            return ff_fail(error, FF_ERROR_INPUT, "%s: added token %.100s has no flag %s", path, content->valuestring,
                           flags[i]);
        value[i] = cJSON_IsTrue(item(json, flags[i]));
    }
    const ff_new_token token = {content->valuestring, value[0], value[1], value[2], value[3]};
    return ff_tokenizer_add(out, &token, path, error);
}

static ff_status read_added_tokens(const cJSON *list, const char *path, ff_tokenizer *out, ff_error *error)
{
    const cJSON *token;
    size_t count = 0, bytes = 0;
    cJSON_ArrayForEach(token, list) {
        const char *content = cJSON_GetStringValue(item(token, "content"));
        bytes += content ? strlen(content) : 0;
        count++;
    }
    ff_status status = ff_tokenizer_reserve(out, count, bytes, path, error);
    cJSON_ArrayForEach(token, list) {
        if (status == FF_OK)
            status = read_added_token(token, path, out, error);
    }
    return status;
}

// ---- post-processor ----

static ff_status append_special(const cJSON *post, const char *name, const char *path, ff_tokenizer *out,
                                ff_error *error)
{
    const cJSON *token = name ? item(item(post, "special_tokens"), name) : NULL, *id;
    if (!token)
        return ff_fail(error, FF_ERROR_INPUT, "%s: TemplateProcessing does not say which ids %.100s has", path,
                       name ? name : "a special token");
    cJSON_ArrayForEach(id, item(token, "ids")) {
        size_t bytes;
        if (!ff_multiply_sizes(out->special_count + 1, sizeof *out->special, &bytes))
            return ff_fail(error, FF_ERROR_MEMORY, "no memory to read %s", path);
        size_t *longer = realloc(out->special, bytes);
        if (!longer)
            return ff_fail(error, FF_ERROR_MEMORY, "no memory to read %s", path);
        out->special = longer;
        if (!read_index(id, out->vocabulary, &longer[out->special_count++]))
            return ff_fail(error, FF_ERROR_INPUT, "%s: an id of the special token %.100s is not below %zu", path, name,
                           out->vocabulary);
    }
    return FF_OK;
}

// TemplateProcessing for a single text: special tokens, the text, special tokens.
static ff_status read_post_processor(const cJSON *json, const char *path, ff_tokenizer *out, ff_error *error)
{
    const cJSON *piece;
    size_t texts = 0;
    if (!json || cJSON_IsNull(json))
        return FF_OK;
    const char *type = cJSON_GetStringValue(item(json, "type"));
    if (!type || strcmp(type, "TemplateProcessing") != 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: the post-processor %.100s is not supported; TemplateProcessing is",
                       path, type ? type : "without a type");
    cJSON_ArrayForEach(piece, item(json, "single")) {
        if (item(piece, "Sequence")) {
            out->before = out->special_count;
            texts++;
            continue;
        }
        ff_status status = append_special(json, cJSON_GetStringValue(item(item(piece, "SpecialToken"), "id")), path,
                                          out, error);
        if (status != FF_OK)
            return status;
    }
    if (texts != 1)
        return ff_fail(error, FF_ERROR_INPUT, "%s: TemplateProcessing has %zu places for the text, expected 1", path,
                       texts);
    return FF_OK;
}

ff_status ff_tokenizer_open(const char *path, ff_tokenizer **out, ff_error *error)
{
    cJSON *json;
    ff_tokenizer *tokenizer;
    *out = NULL;
    ff_status status = ff_tokenizer_create(path, &tokenizer, error);
    if (status != FF_OK)
        return status;
    status = ff_json_read(path, &json, error);
    if (status == FF_OK)
        status = ff_normalizer_read(item(json, "normalizer"), path, &tokenizer->normalizer, error);
    if (status == FF_OK)
        status = read_pre_tokenizer(item(json, "pre_tokenizer"), path, tokenizer, error);
    if (status == FF_OK)
        status = read_model(item(json, "model"), path, &tokenizer->model, error);
    if (status == FF_OK)
        status = read_added_tokens(item(json, "added_tokens"), path, tokenizer, error);
    if (status == FF_OK)
        status = read_post_processor(item(json, "post_processor"), path, tokenizer, error);
    cJSON_Delete(json);
    if (status != FF_OK) {
        ff_tokenizer_close(tokenizer);
        return status;
    }
    *out = tokenizer;
    return FF_OK;
}

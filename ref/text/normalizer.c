#include "normalizer.h"
#include "../weights/json.h"

#include <stdlib.h>
#include <string.h>

// ---- reading ----

static ff_status copy_string(const cJSON *json, const char *path, const char *what, char **out, ff_error *error)
{
    const char *text = cJSON_GetStringValue(json);
    if (!text || ff_utf8_check(text, strlen(text)) != strlen(text))
        return ff_fail(error, FF_ERROR_INPUT, "%s: the %s of a Replace normalizer is not a string", path, what);
    *out = strdup(text);
    return *out ? FF_OK : ff_fail(error, FF_ERROR_MEMORY, "no memory to read %s", path);
}

static ff_status read_replace(const cJSON *json, const char *path, ff_normalizer_step *step, ff_error *error)
{
    const cJSON *pattern = ff_json_item(json, "pattern");
    const cJSON *plain = ff_json_item(pattern, "String");
    const cJSON *regex = ff_json_item(pattern, "Regex");
    ff_status status = copy_string(ff_json_item(json, "content"), path, "content", &step->content,
                                   error);
    if (status != FF_OK)
        return status;
    if (cJSON_IsString(regex)) {
        if (strcmp(regex->valuestring, " {2,}") != 0)
            return ff_fail(error, FF_ERROR_INPUT,
                           "%s: the Replace normalizer's expression \"%.100s\" is not supported; \" {2,}\" is", path,
                           regex->valuestring);
        step->kind = FF_NORMALIZE_SPACES;
        return FF_OK;
    }
    step->kind = FF_NORMALIZE_REPLACE;
    status = copy_string(plain, path, "pattern", &step->pattern, error);
    if (status == FF_OK && step->pattern[0] == '\0')
        return ff_fail(error, FF_ERROR_INPUT, "%s: a Replace normalizer's pattern is empty", path);
    return status;
}

static ff_status read_charsmap(const cJSON *json, const char *path, ff_normalizer_step *step, ff_error *error)
{
    const cJSON *map = ff_json_item(json, "precompiled_charsmap");
    ff_charsmap_result result = FF_CHARSMAP_BROKEN;
    step->kind = FF_NORMALIZE_CHARSMAP;
    if (cJSON_IsString(map))
        result = ff_charsmap_decode(map->valuestring, &step->charsmap);
    if (result == FF_CHARSMAP_NO_MEMORY)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory to read %s", path);
    if (result == FF_CHARSMAP_BROKEN)
        return ff_fail(error, FF_ERROR_INPUT, "%s: the Precompiled normalizer's precompiled_charsmap is broken", path);
    return FF_OK;
}

static ff_status read_step(const cJSON *json, const char *path, ff_normalizer_step *step, ff_error *error)
{
    static const struct {
        const char *name;
        ff_normal_form form;
    } forms[] = {{"NFC", FF_NFC}, {"NFD", FF_NFD}, {"NFKC", FF_NFKC}, {"NFKD", FF_NFKD}};
    const char *type = cJSON_GetStringValue(ff_json_item(json, "type"));
    if (!type)
        return ff_fail(error, FF_ERROR_INPUT, "%s: a normalizer has no type", path);
    if (strcmp(type, "Precompiled") == 0)
        return read_charsmap(json, path, step, error);
    if (strcmp(type, "Replace") == 0)
        return read_replace(json, path, step, error);
    if (strcmp(type, "Nmt") == 0) {
        step->kind = FF_NORMALIZE_NMT;
        return FF_OK;
    }
    if (strcmp(type, "Strip") == 0) {
        step->kind = FF_NORMALIZE_STRIP;
        step->strip_left = cJSON_IsTrue(ff_json_item(json, "strip_left"));
        step->strip_right = cJSON_IsTrue(ff_json_item(json, "strip_right"));
        return FF_OK;
    }
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (strcmp(type, forms[i].name) == 0) {
            step->kind = FF_NORMALIZE_FORM;
            step->form = forms[i].form;
            return FF_OK;
        }
    }
    return ff_fail(error, FF_ERROR_INPUT, "%s: the normalizer %.100s is not supported", path, type);
}

ff_status ff_normalizer_read(const cJSON *json, const char *path, ff_normalizer *out, ff_error *error)
{
    ff_normalizer normalizer = {0};
    ff_status status = FF_OK;
    const char *type = cJSON_GetStringValue(ff_json_item(json, "type"));
    const cJSON *step = json;
    size_t count = 1;
    *out = normalizer;
    if (!json || cJSON_IsNull(json))
        return FF_OK;
    if (type && strcmp(type, "Sequence") == 0) {
        const cJSON *list = ff_json_item(json, "normalizers");
        if (!cJSON_IsArray(list))
            return ff_fail(error, FF_ERROR_INPUT, "%s: the Sequence normalizer has no list of normalizers", path);
        count = (size_t)cJSON_GetArraySize(list);
        step = list->child;
    }
    normalizer.steps = calloc(count ? count : 1, sizeof *normalizer.steps);
    if (!normalizer.steps)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory to read %s", path);
    for (; status == FF_OK && normalizer.count < count; step = step->next)
        status = read_step(step, path, &normalizer.steps[normalizer.count++], error);
    if (status != FF_OK)
        ff_normalizer_free(&normalizer);
    *out = normalizer;
    return status;
}

void ff_normalizer_free(ff_normalizer *normalizer)
{
    for (size_t i = 0; i < normalizer->count; i++) {
        ff_charsmap_free(&normalizer->steps[i].charsmap);
        free(normalizer->steps[i].pattern);
        free(normalizer->steps[i].content);
    }
    free(normalizer->steps);
    *normalizer = (ff_normalizer){0};
}

// ---- applying ----

static void normalize_form(ff_normal_form form, const char *text, size_t size, ff_bytes *out)
{
    ff_codepoints before = {0}, after = {0};
    uint32_t codepoint;
    for (size_t at = 0, length; at < size; at += length) {
        length = ff_utf8_decode(text + at, size - at, &codepoint);
        ff_codepoints_append_one(&before, codepoint);
    }
    ff_normalize_unicode(before.at, before.count, form, &after);
    out->failed |= before.failed || after.failed;
    for (size_t i = 0; i < after.count; i++)
        ff_bytes_append_codepoint(out, after.at[i]);
    ff_codepoints_free(&before);
    ff_codepoints_free(&after);
}

// Controls are dropped; breaks, zero-width characters, U+2581 and the replacement character become spaces.
static void normalize_nmt(const char *text, size_t size, ff_bytes *out)
{
    uint32_t c;
    for (size_t at = 0, length; at < size; at += length) {
        length = ff_utf8_decode(text + at, size - at, &c);
        if ((c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F)
            continue;
        if (c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
            c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD)
            c = ' ';
        ff_bytes_append_codepoint(out, c);
    }
}

static void normalize_strip(const ff_normalizer_step *step, const char *text, size_t size, ff_bytes *out)
{
    size_t first = size, end = 0;
    uint32_t c;
    for (size_t at = 0, length; at < size; at += length) {
        length = ff_utf8_decode(text + at, size - at, &c);
        if (ff_is_space(c))
            continue;
        if (first == size)
            first = at;
        end = at + length;
    }
    if (!step->strip_left)
        first = 0;
    if (!step->strip_right)
        end = size;
    if (first < end)
        ff_bytes_append(out, text + first, end - first);
}

static void normalize_replace(const ff_normalizer_step *step, const char *text, size_t size, ff_bytes *out)
{
    size_t length = strlen(step->pattern), content = strlen(step->content);
    for (size_t at = 0; at < size;) {
        if (size - at >= length && memcmp(text + at, step->pattern, length) == 0) {
            ff_bytes_append(out, step->content, content);
            at += length;
        } else {
            ff_bytes_append(out, text + at++, 1);
        }
    }
}

static void normalize_spaces(const ff_normalizer_step *step, const char *text, size_t size, ff_bytes *out)
{
    for (size_t at = 0, end; at < size; at = end) {
        for (end = at; end < size && text[end] == ' ';)
            end++;
        if (end - at >= 2) {
            ff_bytes_append(out, step->content, strlen(step->content));
        } else {
            end = at + 1;
            ff_bytes_append(out, text + at, 1);
        }
    }
}

static void normalize_step(const ff_normalizer_step *step, const char *text, size_t size, ff_bytes *out)
{
    switch (step->kind) {
    case FF_NORMALIZE_CHARSMAP: ff_charsmap_apply(&step->charsmap, text, size, out); break;
    case FF_NORMALIZE_FORM: normalize_form(step->form, text, size, out); break;
    case FF_NORMALIZE_NMT: normalize_nmt(text, size, out); break;
    case FF_NORMALIZE_STRIP: normalize_strip(step, text, size, out); break;
    case FF_NORMALIZE_REPLACE: normalize_replace(step, text, size, out); break;
    case FF_NORMALIZE_SPACES: normalize_spaces(step, text, size, out); break;
    }
}

void ff_normalizer_apply(const ff_normalizer *normalizer, const char *text, size_t size, ff_bytes *out)
{
    ff_bytes before = {0};
    ff_bytes_append(out, text, size);
    for (size_t i = 0; i < normalizer->count && !out->failed; i++) {
        ff_bytes swap = before;
        before = *out;
        *out = swap;
        out->count = 0;
        normalize_step(&normalizer->steps[i], before.at, before.count, out);
    }
    ff_bytes_free(&before);
}

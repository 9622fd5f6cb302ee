#include "json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/system.h"
#include "content.h"

// What takes the place of Python's names for numbers, in as many bytes, so that offsets in messages stay those of the
// file. 1e999 is infinite. For NaN there is no number: a string takes its place whose byte no UTF-8 has, so that no
// other string is this one, and becomes the number once cJSON has read the text.
static const struct {
    const char *name, *instead;
} python_numbers[] = {{"NaN", "\"\xFF\""}, {"Infinity", "1e999   "}, {"-Infinity", "-1e999   "}};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Writes over the names that stand where a value may stand. Answers how many there were.
static size_t replace_python_numbers(char *text, size_t size)
{
    size_t count = 0;
    char before = 0;   // the last character that was neither blank nor in a string
    for (size_t at = 0; at < size; at++) {
        if (text[at] == '"') {
            for (at++; at < size && text[at] != '"'; at++)
                at += text[at] == '\\';
            before = '"';
            continue;
        }
        for (size_t i = 0; i < sizeof python_numbers / sizeof *python_numbers; i++) {
            size_t length = strlen(python_numbers[i].name), after = at + length;
            if (!strchr(":[,", before) || !before || size - at < length ||
                memcmp(text + at, python_numbers[i].name, length) != 0)
                continue;
            while (after < size && is_blank(text[after]))
                after++;
            if (after == size || !strchr(",]}", text[after]) || !text[after])
                continue;
            memcpy(text + at, python_numbers[i].instead, length);
            at = after - 1;
            count++;
            break;
        }
        if (!is_blank(text[at]))
            before = text[at];
    }
    return count;
}

static void restore_nans(cJSON *item)
{
    for (; item; item = item->next) {
        restore_nans(item->child);   // no deeper than cJSON reads
        if (!cJSON_IsString(item) || strcmp(item->valuestring, "\xFF") != 0)
            continue;
        cJSON_free(item->valuestring);
        item->valuestring = NULL;
        item->type = (item->type & ~cJSON_String) | cJSON_Number;
        item->valuedouble = NAN;
    }
}

// Only for text that is not JSON: what is, is read once and never copied.
static cJSON *parse_python(const char *text, size_t size, const char **end)
{
    size_t read = (size_t)(*end - text);
    char *copy = malloc(size);
    const char *copy_end = copy;
    cJSON *json = NULL;
    if (!copy) {
        errno = ENOMEM;
        return NULL;
    }
    memcpy(copy, text, size);
    if (replace_python_numbers(copy, size)) {
        json = cJSON_ParseWithLengthOpts(copy, size, &copy_end, false);
        restore_nans(json);
        read = (size_t)(copy_end - copy);
    }
    free(copy);
    *end = text + read;
    return json;
}

ff_status ff_json_parse(const char *path, const char *what, const void *text, size_t size, cJSON **out,
                        ff_error *error)
{
    const char *end = text, *content;
    cJSON *json = NULL;
    *out = NULL;
    errno = 0;
    if (size)
        json = cJSON_ParseWithLengthOpts(text, size, &end, false);
    if (size && !json && errno != ENOMEM)
        json = parse_python(text, size, &end);
    if (!json && errno == ENOMEM)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
    size_t read = size ? (size_t)(end - (const char *)text) : 0, after = read;
    while (after < size && is_blank(((const char *)text)[after]))
        after++;
    if (cJSON_IsObject(json) && after == size) {
        *out = json;
        return FF_OK;
    }
    if (cJSON_IsObject(json)) {
        cJSON_Delete(json);
        return ff_fail(error, FF_ERROR_INPUT, "%s: %s: something follows the object, from byte %zu of %zu on", path,
                       what, after, size);
    }
    cJSON_Delete(json);
    if ((content = ff_content_name(text, size)))
        return ff_fail(error, FF_ERROR_INPUT, "%s: %s: it is %s", path, what, content);
    return ff_fail(error, FF_ERROR_INPUT, "%s: %s (%zu bytes, read up to byte %zu)", path, what, size,
                   read);
}

const cJSON *ff_json_item(const cJSON *object, const char *key)
{
    const cJSON *item, *found = NULL;
    cJSON_ArrayForEach(item, object)
        if (item->string && strcmp(item->string, key) == 0)
            found = item;
    return found;
}

ff_status ff_json_read(const char *path, cJSON **out, ff_error *error)
{
    ff_mapping file;
    *out = NULL;
    ff_status status = ff_map_file(path, &file, error);
    if (status)
        return status;
    status = ff_json_parse(path, "not a JSON object", file.data, file.size, out, error);
    ff_unmap_file(&file);
    return status;
}

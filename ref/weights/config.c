// config.json and its like: one JSON object with typed, checked access.
#include "weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/system.h"
#include "json.h"

struct ff_config {
    cJSON *object;
    char *path;
};

static ff_status create(const char *path, const void *text, size_t size, ff_config **out, ff_error *error)
{
    ff_status status;
    ff_config *config = calloc(1, sizeof *config);
    *out = NULL;
    if (!config || !(config->path = strdup(path)))
        status = ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
    else
        status = ff_json_parse(path, "not a JSON object", text, size, &config->object, error);
    if (status) {
        ff_config_close(config);
        return status;
    }
    *out = config;
    return FF_OK;
}

ff_status ff_config_open(const char *path, ff_config **out, ff_error *error)
{
    ff_mapping file;
    *out = NULL;
    ff_status status = ff_map_file(path, &file, error);
    if (status)
        return status;
    status = create(path, file.data, file.size, out, error);
    ff_unmap_file(&file);
    return status;
}

ff_status ff_config_parse(const char *name, const char *text, ff_config **out, ff_error *error)
{
    return create(name, text, strlen(text), out, error);
}

void ff_config_close(ff_config *config)
{
    if (!config)
        return;
    cJSON_Delete(config->object);
    free(config->path);
    free(config);
}

const char *ff_config_path(const ff_config *config)
{
    return config->path;
}

// The value, or NULL if absent or null.
static const cJSON *lookup(const ff_config *config, const char *key)
{
    const cJSON *item = ff_json_item(config->object, key);
    return item && !cJSON_IsNull(item) ? item : NULL;
}

bool ff_config_has(const ff_config *config, const char *key)
{
    return lookup(config, key) != NULL;
}

static ff_status wrong_kind(const ff_config *config, const char *key, const char *expected, ff_error *error)
{
    return ff_fail(error, FF_ERROR_INPUT, "%s: %s must be %s", config->path, key, expected);
}

// A whole number that a double holds exactly.
static bool whole(const cJSON *item, size_t *out)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= 0x1p53) ||
        item->valuedouble != floor(item->valuedouble))
        return false;
    *out = (size_t)item->valuedouble;
    return true;
}

ff_status ff_config_size(const ff_config *config, const char *key, size_t fallback, size_t minimum, size_t maximum,
                         size_t *out, ff_error *error)
{
    const cJSON *item = lookup(config, key);
    size_t value = fallback;
    if (item && !whole(item, &value))
        return wrong_kind(config, key, "a whole number", error);
    if (value < minimum || value > maximum)
        return ff_fail(error, FF_ERROR_INPUT, "%s: %s is %zu, must be from %zu to %zu", config->path, key, value,
                       minimum, maximum);
    *out = value;
    return FF_OK;
}

ff_status ff_config_number(const ff_config *config, const char *key, double fallback, double *out, ff_error *error)
{
    const cJSON *item = lookup(config, key);
    if (item && cJSON_IsNumber(item) && !isfinite(item->valuedouble))
        return ff_fail(error, FF_ERROR_INPUT, "%s: %s is %s, must be a finite number", config->path, key,
                       isnan(item->valuedouble) ? "NaN" : item->valuedouble > 0 ? "Infinity" : "-Infinity");
    if (item && !cJSON_IsNumber(item))
        return wrong_kind(config, key, "a number", error);
    *out = item ? item->valuedouble : fallback;
    return FF_OK;
}

ff_status ff_config_bool(const ff_config *config, const char *key, bool fallback, bool *out, ff_error *error)
{
    const cJSON *item = lookup(config, key);
    if (item && !cJSON_IsBool(item))
        return wrong_kind(config, key, "true or false", error);
    *out = item ? cJSON_IsTrue(item) : fallback;
    return FF_OK;
}

ff_status ff_config_string(const ff_config *config, const char *key, const char *fallback, const char **out,
                           ff_error *error)
{
    const cJSON *item = lookup(config, key);
    if (item && !cJSON_IsString(item))
        return wrong_kind(config, key, "a string", error);
    *out = item ? item->valuestring : fallback;
    return FF_OK;
}

ff_status ff_config_element(const ff_config *config, const char *key, int index, const char **out, ff_error *error)
{
    const cJSON *array = lookup(config, key), *element = cJSON_GetArrayItem(array, index);
    *out = NULL;
    if ((array && !cJSON_IsArray(array)) || (element && !cJSON_IsString(element) && !cJSON_IsNull(element)))
        return wrong_kind(config, key, "an array of strings", error);
    if (element)
        *out = cJSON_GetStringValue(element);
    return FF_OK;
}

const char *ff_config_key(const ff_config *config, int index)
{
    const cJSON *item = cJSON_GetArrayItem(config->object, index);
    return item ? item->string : NULL;
}

// The array under `key` with at most `capacity` elements, or NULL if absent.
static ff_status lookup_array(const ff_config *config, const char *key, size_t capacity, const cJSON **out,
                              ff_error *error)
{
    const cJSON *array = lookup(config, key);
    *out = array;
    if (array && (!cJSON_IsArray(array) || (size_t)cJSON_GetArraySize(array) > capacity))
        return ff_fail(error, FF_ERROR_INPUT, "%s: %s must be an array of at most %zu elements", config->path, key,
                       capacity);
    return FF_OK;
}

ff_status ff_config_sizes(const ff_config *config, const char *key, size_t *out, size_t *count, ff_error *error)
{
    const cJSON *array, *item;
    ff_status status = lookup_array(config, key, *count, &array, error);
    if (status)
        return status;
    *count = 0;
    cJSON_ArrayForEach(item, array)
        if (!whole(item, &out[(*count)++]))
            return wrong_kind(config, key, "an array of whole numbers", error);
    return FF_OK;
}

ff_status ff_config_numbers(const ff_config *config, const char *key, double *out, size_t *count, ff_error *error)
{
    const cJSON *array, *item;
    ff_status status = lookup_array(config, key, *count, &array, error);
    if (status)
        return status;
    *count = 0;
    cJSON_ArrayForEach(item, array)
    {
        if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble))
            return wrong_kind(config, key, "an array of finite numbers", error);
        out[(*count)++] = item->valuedouble;
    }
    return FF_OK;
}

ff_status ff_config_bools(const ff_config *config, const char *key, bool *out, size_t *count, ff_error *error)
{
    const cJSON *array, *item;
    ff_status status = lookup_array(config, key, *count, &array, error);
    if (status)
        return status;
    *count = 0;
    cJSON_ArrayForEach(item, array)
    {
        if (!cJSON_IsBool(item))
            return wrong_kind(config, key, "an array of true and false", error);
        out[(*count)++] = cJSON_IsTrue(item);
    }
    return FF_OK;
}

ff_status ff_config_strings(const ff_config *config, const char *key, const char **out, size_t *count,
                            ff_error *error)
{
    const cJSON *array, *item;
    ff_status status = lookup_array(config, key, *count, &array, error);
    if (status)
        return status;
    *count = 0;
    cJSON_ArrayForEach(item, array)
    {
        if (!cJSON_IsString(item))
            return wrong_kind(config, key, "an array of strings", error);
        out[(*count)++] = item->valuestring;
    }
    return FF_OK;
}

// item: arrays `rank` deep. *out moves on past what was read.
static bool read_nested(const cJSON *item, int rank, const size_t *shape, double **out)
{
    const cJSON *inner;
    if (rank == 0) {
        if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble))
            return false;
        *(*out)++ = item->valuedouble;
        return true;
    }
    if (!cJSON_IsArray(item) || (size_t)cJSON_GetArraySize(item) != shape[0])
        return false;
    cJSON_ArrayForEach(inner, item)
        if (!read_nested(inner, rank - 1, shape + 1, out))
            return false;
    return true;
}

ff_status ff_config_table(const ff_config *config, const char *parent, const char *key, int rank, const size_t *shape,
                          double *out, ff_error *error)
{
    const cJSON *item = ff_json_item(lookup(config, parent), key);
    char expected[64] = "";
    if (read_nested(item, rank, shape, &out))
        return FF_OK;
    for (int d = 0; d < rank; d++)
        snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "%s%zu", d ? " x " : "", shape[d]);
    return ff_fail(error, FF_ERROR_INPUT, "%s: %s.%s must be %s numbers, in arrays", config->path, parent, key,
                   expected);
}

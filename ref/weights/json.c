#include "json.h"

#include <errno.h>

ff_status ff_json_parse(const char *path, const char *what, const void *text, size_t size, cJSON **out,
                        ff_error *error)
{
    const char *end = text;
    cJSON *json = NULL;
    *out = NULL;
    errno = 0;
    if (size)
        json = cJSON_ParseWithLengthOpts(text, size, &end, false);
    if (!json && errno == ENOMEM)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
    if (!cJSON_IsObject(json)) {
        cJSON_Delete(json);
        return ff_fail(error, FF_ERROR_INPUT, "%s: %s (%zu bytes, read up to byte %zu)", path, what, size,
                       size ? (size_t)(end - (const char *)text) : 0);
    }
    *out = json;
    return FF_OK;
}

// JSON files. cJSON answers bad text and want of memory alike; here they are told apart.
#ifndef FF_JSON_H
#define FF_JSON_H

#include <cjson/cJSON.h>

#include "../base/tensor.h"

// text: `size` bytes holding one JSON object.   path, what: "config.json", "not a JSON object", for messages
// NaN, Infinity and -Infinity, which are not JSON but what Python's json writes for such numbers, become those numbers.
// *out is to be freed with cJSON_Delete, and is NULL on failure.
// FF_ERROR_INPUT: "<path>: <what> (<size> bytes, read up to byte <n>)", or what the text is instead
ff_status ff_json_parse(const char *path, const char *what, const void *text, size_t size, cJSON **out,
                        ff_error *error);
// The value under a key, exactly; where the key occurs more than once, as Python has it, the last. NULL: there is none.
const cJSON *ff_json_item(const cJSON *object, const char *key);
// The same as ff_json_parse of a file.
ff_status ff_json_read(const char *path, cJSON **out, ff_error *error);

#endif

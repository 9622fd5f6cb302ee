// Published forms: QUANTIZATION.md of github.com/Comfy-Org/ComfyUI; LightX2V writes a scale for each row.
#include "scales.h"

#include <stdio.h>
#include <string.h>

#include "../kernels/blocks.h"
#include "json.h"
#include "names.h"

#define LAYER_TEXT (FF_NAME_TEXT + 16)  // a name with another ending

static ff_status no_memory(const ff_scales *scales, ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", scales->source->origin);
}

ff_status ff_scales_open(const ff_weight_source *source, ff_arena *memory, ff_scales *out, ff_error *error)
{
    const char *text = source->metadata ? source->metadata(source->user, "_quantization_metadata") : NULL;
    *out = (ff_scales){.source = source, .memory = memory};
    return text ? ff_json_parse(source->origin, "its _quantization_metadata is not a JSON object", text, strlen(text),
                                &out->metadata, error)
                : FF_OK;
}

void ff_scales_close(ff_scales *scales)
{
    cJSON_Delete(scales->metadata);
    *scales = (ff_scales){0};
}

// X of X.weight; false for other names.
static bool layer_of(const char *name, char layer[FF_NAME_TEXT])
{
    static const char ending[] = ".weight";
    size_t length = strlen(name), rest = sizeof ending - 1;
    if (length <= rest || length >= FF_NAME_TEXT || strcmp(name + length - rest, ending) != 0)
        return false;
    memcpy(layer, name, length - rest);
    layer[length - rest] = 0;
    return true;
}

static ff_status find(const ff_scales *scales, const char *layer, const char *ending, ff_weight *out, bool *found,
                      char name[LAYER_TEXT], ff_error *error)
{
    snprintf(name, LAYER_TEXT, "%s.%s", layer, ending);
    *out = (ff_weight){0};
    return scales->source->find(scales->source->user, name, out, found, error);
}

// ---- marks ----

static bool is_word(const char *text)
{
    return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")] == 0;
}

// mark: {"format": ...}
static ff_status check_mark(const ff_scales *scales, const char *name, const cJSON *mark, ff_error *error)
{
    static const char *const read[] = {"float8_e4m3fn", "float8_e5m2", "int8_tensorwise"};
    const cJSON *convrot = ff_json_item(mark, "convrot");
    const char *format = cJSON_GetStringValue(ff_json_item(mark, "format")), *rotated = "";
    if (convrot && !cJSON_IsFalse(convrot) && !cJSON_IsNull(convrot))
        rotated = " with convrot (rotated)";
    for (size_t i = 0; i < sizeof read / sizeof *read && format && !*rotated; i++)
        if (strcmp(format, read[i]) == 0)
            return FF_OK;
    return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s is quantised as %.40s%s, which is not supported: float8_e4m3fn, "
                   "float8_e5m2 and int8_tensorwise are", scales->source->origin, name,
                   format && is_word(format) ? format : "(no format)", rotated);
}

ff_status ff_scales_check(const ff_scales *scales, const char *name, ff_error *error)
{
    char layer[FF_NAME_TEXT], mark_name[LAYER_TEXT];
    ff_weight bytes;
    bool found;
    if (!layer_of(name, layer))
        return FF_OK;
    const cJSON *listed = ff_json_item(ff_json_item(scales->metadata, "layers"), layer);
    if (listed)
        return check_mark(scales, name, listed, error);
    ff_status status = find(scales, layer, "comfy_quant", &bytes, &found, mark_name, error);
    if (status || !found)
        return status;
    if (bytes.dtype != FF_U8)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s is %s, expected JSON in U8", scales->source->origin,
                       mark_name, bytes.dtype->name);
    char what[LAYER_TEXT + 40];
    cJSON *mark;
    snprintf(what, sizeof what, "tensor %s is not a JSON object", mark_name);
    status = ff_json_parse(scales->source->origin, what, bytes.data, ff_weight_elements(&bytes), &mark, error);
    if (!status)
        status = check_mark(scales, name, mark, error);
    cJSON_Delete(mark);
    return status;
}

// ---- scales ----

static bool has_numbers(const ff_weight *scale)
{
    return scale->dtype == FF_F32 || scale->dtype == FF_F16 || scale->dtype == FF_BF16;
}

// scale: the tensor scale_name, which goes with weight, the tensor `name`
static ff_status give(const ff_scales *scales, const char *name, const char *scale_name, const ff_weight *scale,
                      ff_weight *weight, ff_error *error)
{
    size_t count = ff_weight_elements(scale), rows = weight->rank ? weight->shape[0] : 1;
    bool each = scale->rank > 0 && scale->shape[0] == rows && count == rows;
    char shape[FF_SHAPE_TEXT];
    if (!has_numbers(scale))
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s is %s; a scale is F32, F16 or BF16",
                       scales->source->origin, scale_name, scale->dtype->name);
    if (count != 1 && !each) {
        ff_print_shape(shape, scale->rank, scale->shape);
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has shape %s; one scale is read, or one for each of the "
                       "%zu rows of %s", scales->source->origin, scale_name, shape, rows, name);
    }
    float *values = ff_arena_floats(scales->memory, count);
    if (!values)
        return no_memory(scales, error);
    ff_weight_widen(scale, 0, count, values);
    weight->scales = values;
    weight->scale_step = count != 1;
    return FF_OK;
}

ff_status ff_scales_give(const ff_scales *scales, const char *name, ff_weight *weight, ff_error *error)
{
    static const char *const endings[] = {"weight_scale", "scale_weight"};
    char layer[FF_NAME_TEXT], scale_name[LAYER_TEXT];
    ff_weight scale;
    bool found = false;
    if (weight->scales)  // the source knows them
        return FF_OK;
    for (size_t i = 0; i < 2 && !found && layer_of(name, layer); i++) {
        ff_status status = find(scales, layer, endings[i], &scale, &found, scale_name, error);
        if (status)
            return status;
    }
    if (found)
        return give(scales, name, scale_name, &scale, weight, error);
    if (weight->dtype == &ff_block_formats[FF_BLOCK_I8].element)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s is I8 and has no scale beside it, such as "
                       "layer.weight_scale beside layer.weight", scales->source->origin, name);
    return FF_OK;
}

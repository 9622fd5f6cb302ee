// The dump under examination: what its metadata says of the run, its tensors, checked for shape.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/finite.h"
#include "base/system.h"
#include "../diff/order.h"
#include "verify_parts.h"

#define MOST_NUMBER 20000  // of calls; a run has at most twice FF_MOST_STEPS

// ---- metadata ----

static ff_status read_size(const ff_verify_dump *dump, const char *key, uint64_t *out, bool *given, ff_error *error)
{
    const char *text = ff_weights_metadata(dump->file, key);
    uint64_t value = 0;
    *given = text != NULL;
    if (!text)
        return FF_OK;
    bool good = *text != 0 && strlen(text) < 20;
    for (const char *at = text; good && *at; at++) {
        good = *at >= '0' && *at <= '9';
        value = value * 10 + (uint64_t)(*at - '0');
    }
    if (!good)
        return ff_fail(error, FF_ERROR_INPUT, "%s: its metadata has %s \"%.40s\", expected a whole number",
                       dump->path, key, text);
    *out = value;
    return FF_OK;
}

static ff_status read_number(const ff_verify_dump *dump, const char *key, double *out, ff_error *error)
{
    const char *text = ff_weights_metadata(dump->file, key);
    char *end;
    if (!text || strcmp(text, "None") == 0)
        return FF_OK;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value))
        return ff_fail(error, FF_ERROR_INPUT, "%s: its metadata has %s \"%.40s\", expected a number", dump->path, key,
                       text);
    *out = value;
    return FF_OK;
}

static ff_status read_dtype(ff_verify_dump *dump, ff_error *error)
{
    static const struct {
        const char *name;
        ff_precision precision;
    } known[] = {{"float32", FF_SINGLE},  {"fp32", FF_SINGLE},  {"f32", FF_SINGLE}, {"float", FF_SINGLE},
                 {"float64", FF_SINGLE},  {"bfloat16", FF_BFLOAT}, {"bf16", FF_BFLOAT}, {"float16", FF_HALF},
                 {"fp16", FF_HALF},       {"f16", FF_HALF},     {"half", FF_HALF}};
    const char *text = ff_weights_metadata(dump->file, "dtype");
    if (!text)
        return FF_OK;
    if (strncmp(text, "torch.", 6) == 0)
        text += 6;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(text, known[i].name) == 0) {
            dump->dtype = known[i].precision;
            dump->dtype_given = true;
            return FF_OK;
        }
    return ff_fail(error, FF_ERROR_INPUT, "%s: its metadata has dtype \"%.40s\", expected float32, bfloat16 or float16",
                   dump->path, text);
}

static ff_status read_scheduler(ff_verify_dump *dump, ff_error *error)
{
    const char *text = ff_weights_metadata(dump->file, "scheduler");
    if (!text)
        return FF_OK;
    if (strcmp(text, "unipc") == 0 || strcmp(text, "UniPCMultistepScheduler") == 0)
        dump->scheduler = FF_SCHEDULER_UNIPC;
    else if (strcmp(text, "euler") == 0 || strcmp(text, "FlowMatchEulerDiscreteScheduler") == 0)
        dump->scheduler = FF_SCHEDULER_EULER;
    else
        return ff_fail(error, FF_ERROR_INPUT, "%s: its metadata has scheduler \"%.40s\", expected unipc or euler",
                       dump->path, text);
    return FF_OK;
}

// A scheduler of the model's own kind is the model's, options and all.
static void prefer_own_scheduler(const ff_model *model, ff_verify_dump *dump)
{
    const char *own;
    if (ff_config_string(model->scheduler, "_class_name", "", &own, NULL))
        return;
    bool unipc = strcmp(own, "UniPCMultistepScheduler") == 0;
    if (dump->scheduler == (unipc ? FF_SCHEDULER_UNIPC : FF_SCHEDULER_EULER))
        dump->scheduler = FF_SCHEDULER_MODEL;
}

static ff_status read_metadata(const ff_model *model, ff_verify_dump *dump, ff_error *error)
{
    uint64_t steps = 0;
    bool given;
    ff_status status;
    dump->prompt = ff_weights_metadata(dump->file, "prompt");
    dump->negative = ff_weights_metadata(dump->file, "negative_prompt");
    if (!dump->negative)
        dump->negative = model->facts.default_negative_prompt;
    dump->guidance = model->facts.default_guidance_scale;
    dump->flow_shift = NAN;
    dump->scheduler = FF_SCHEDULER_MODEL;
    if ((status = read_size(dump, "seed", &dump->seed, &dump->seed_given, error)) ||
        (status = read_size(dump, "num_inference_steps", &steps, &given, error)) ||
        (status = read_number(dump, "guidance_scale", &dump->guidance, error)) ||
        (status = read_number(dump, "flow_shift", &dump->flow_shift, error)) ||
        (status = read_dtype(dump, error)) || (status = read_scheduler(dump, error)))
        return status;
    prefer_own_scheduler(model, dump);
    if (steps > 1000)
        return ff_fail(error, FF_ERROR_INPUT, "%s: its metadata has %llu steps, expected at most 1000", dump->path,
                       (unsigned long long)steps);
    dump->steps = steps;
    return FF_OK;
}

// ---- what is there ----

static ff_status shape_error(const ff_verify_dump *dump, const char *name, const ff_weight *found, int rank,
                             const size_t *shape, ff_error *error)
{
    char found_text[FF_SHAPE_TEXT], wanted[FF_SHAPE_TEXT];
    bool open = false;
    for (int i = 0; i < rank; i++)
        open = open || shape[i] == 0;
    ff_print_shape(found_text, found->rank, found->shape);
    ff_print_shape(wanted, rank, shape);
    return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has shape %s, with this model it would be %s%s", dump->path,
                   name, found_text, wanted, open ? " (0: any size)" : "");
}

// Latents all have one extent; those of a single known frame may have fewer frames.
static ff_status take_extent(const ff_model *model, ff_verify_dump *dump, const char *name, const ff_weight *found,
                             bool known, ff_error *error)
{
    size_t shape[4] = {model->facts.latent_channels, dump->frames, dump->height, dump->width};
    if (strcmp(name, "anchor.mask") == 0)
        shape[0] = 1;
    bool fits = found->rank == 4 && found->shape[0] == shape[0];
    for (int i = 1; i < 4 && fits; i++)
        fits = found->shape[i] > 0 && (shape[i] == 0 || shape[i] == found->shape[i] ||
                                       (i == 1 && known && found->shape[i] == 1));
    if (!fits)
        return shape_error(dump, name, found, 4, shape, error);
    if (!known || found->shape[1] > 1)
        dump->frames = found->shape[1];
    dump->height = found->shape[2];
    dump->width = found->shape[3];
    return FF_OK;
}

// "call.012.output": the number and what follows it. False for other names.
static bool split_name(const char *name, const char *kind, size_t *number, const char **rest)
{
    size_t length = strlen(kind), digits = 0;
    if (strncmp(name, kind, length) != 0 || name[length] != '.')
        return false;
    *number = 0;
    for (name += length + 1; *name >= '0' && *name <= '9' && digits < 9; name++, digits++)
        *number = *number * 10 + (size_t)(*name - '0');
    *rest = name + 1;
    return digits >= 3 && *name == '.';
}

static ff_status survey(const ff_model *model, ff_verify_dump *dump, ff_error *error)
{
    for (size_t i = 0; i < ff_weights_count(dump->file); i++) {
        ff_weight found;
        const char *name = ff_weights_at(dump->file, i, &found), *rest = "";
        size_t number = 0;
        bool call = split_name(name, "call", &number, &rest), step = !call && split_name(name, "step", &number, &rest);
        if ((call || step) && number >= MOST_NUMBER)
            return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %.80s has a number beyond any run", dump->path, name);
        if (call && number >= dump->last_call)
            dump->last_call = number + 1;
        if (step && number >= dump->last_step)
            dump->last_step = number + 1;
        bool of_call = call && (strcmp(rest, "input") == 0 || strcmp(rest, "output") == 0);
        bool of_step = step && (strcmp(rest, "latents") == 0 || strcmp(rest, "noise_pred") == 0);
        bool known = strcmp(name, "anchor.known") == 0;
        if (of_call || of_step || known || strcmp(name, "noise") == 0 || strcmp(name, "latents") == 0 ||
            strcmp(name, "anchor.mask") == 0) {
            ff_status status = take_extent(model, dump, name, &found, known, error);
            if (status)
                return status;
        }
    }
    if (dump->frames == 0 && dump->height)
        dump->frames = 1;
    dump->calls_per_step = dump->guidance > 1 ? 2 : 1;
    if (dump->last_step && dump->last_call == dump->last_step)
        dump->calls_per_step = 1;
    else if (dump->last_step && dump->last_call == 2 * dump->last_step)
        dump->calls_per_step = 2;
    if (!dump->steps)
        dump->steps = dump->last_step;
    return FF_OK;
}

ff_status ff_verify_dump_open(const ff_model *model, const char *path, ff_verify_dump *out, ff_error *error)
{
    *out = (ff_verify_dump){.path = path};
    ff_status status = ff_weights_open_file(path, &out->file, error);
    if (!status)
        status = read_metadata(model, out, error);
    return status ? status : survey(model, out, error);
}

void ff_verify_dump_close(ff_verify_dump *dump)
{
    ff_weights_close(dump->file);
    dump->file = NULL;
}

// ---- tensors ----

bool ff_verify_dump_has(const ff_verify_dump *dump, const char *name_format, ...)
{
    char name[128];
    ff_weight found;
    va_list arguments;
    va_start(arguments, name_format);
    vsnprintf(name, sizeof name, name_format, arguments);
    va_end(arguments);
    return ff_weights_find(dump->file, name, &found);
}

// Do all values fit a narrower type? One that is all zeros says nothing.
static ff_precision precision_of_values(size_t n, const float *x)
{
    bool bfloat = true, half = true, any = false;
    for (size_t i = 0; i < n && (bfloat || half); i++) {
        uint32_t bits;
        float rounded = x[i];
        memcpy(&bits, &x[i], sizeof bits);
        any = any || x[i] != 0;
        bfloat = bfloat && (bits & 0xffffu) == 0;
        if (half) {
            ff_round_floats(FF_HALF, 1, &rounded);
            half = rounded == x[i];
        }
    }
    return !any ? FF_SINGLE : bfloat ? FF_BFLOAT : half ? FF_HALF : FF_SINGLE;
}

ff_status ff_verify_dump_floats(const ff_verify_dump *dump, const char *name, int rank, size_t *shape, float **out,
                                ff_precision *precision, ff_error *error)
{
    ff_weight found;
    size_t count = 1;
    *out = NULL;
    if (!ff_weights_find(dump->file, name, &found))
        return FF_OK;
    if (found.dtype != FF_F32 && found.dtype != FF_F16 && found.dtype != FF_BF16)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s is %s, expected F32, BF16 or F16", dump->path, name,
                       found.dtype->name);
    bool fits = found.rank == rank;
    for (int i = 0; i < rank && fits; i++) {
        fits = found.shape[i] > 0 && (shape[i] == 0 || shape[i] == found.shape[i]);
        count *= found.shape[i];  // of a tensor that is in the file: fits
    }
    if (!fits)
        return shape_error(dump, name, &found, rank, shape, error);
    memcpy(shape, found.shape, (size_t)rank * sizeof *shape);
    float *values = count <= SIZE_MAX / sizeof *values ? malloc(count * sizeof *values) : NULL;
    if (!values)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: not enough memory for tensor %s", dump->path, name);
    ff_weight_widen(&found, 0, count, values);
    if (precision) {
        *precision = dump->dtype_given ? dump->dtype : precision_of_values(count, values);
        if (found.dtype != FF_F32 && *precision == FF_SINGLE)
            *precision = found.dtype == FF_BF16 ? FF_BFLOAT : FF_HALF;
    }
    *out = values;
    return FF_OK;
}

ff_status ff_verify_dump_ids(const ff_verify_dump *dump, const char *name, const int64_t **out, size_t *count,
                             ff_error *error)
{
    ff_weight found;
    *out = NULL;
    if (!ff_weights_find(dump->file, name, &found))
        return FF_OK;
    if (found.dtype != FF_I64 || found.rank != 1 || found.shape[0] == 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s is %s of rank %d, expected a vector of I64", dump->path,
                       name, found.dtype->name, found.rank);
    *out = found.data;
    *count = found.shape[0];
    return FF_OK;
}

// Cells that are known by mask mean nothing in the noise and in a step's tensors, nor frames of anchor.known that are
// not.
static bool may_be_anything(const char *name)
{
    return strcmp(name, "noise") == 0 || strcmp(name, "anchor.known") == 0 || strncmp(name, "step.", 5) == 0;
}

void ff_verify_dump_not_finite(const ff_verify_dump *dump, char name[96])
{
    size_t calls_per_step = dump->calls_per_step ? dump->calls_per_step : 1;
    ff_place first = {.number = {FF_PHASE_UNKNOWN}};
    name[0] = 0;
    for (size_t i = 0; i < ff_weights_count(dump->file); i++) {
        ff_weight view;
        const char *candidate = ff_weights_at(dump->file, i, &view);
        ff_place place = ff_place_of(candidate, calls_per_step);
        if (ff_place_compare(&place, &first) < 0 && !may_be_anything(candidate) && !ff_weight_is_finite(&view)) {
            first = place;
            snprintf(name, 96, "%s", candidate);
        }
    }
}

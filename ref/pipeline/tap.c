#include "tap.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../system.h"

static size_t elements_of(int rank, const size_t *shape)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= shape[i];
    return count;
}

// anchor.known may hold its first latent frame only; the others are not read.
static bool first_frame_only(const char *name, int rank, const size_t *shape, const ff_weight *loaded)
{
    return strcmp(name, "anchor.known") == 0 && rank == 4 && loaded->rank == 4 && loaded->shape[1] == 1 &&
           loaded->shape[0] == shape[0] && loaded->shape[2] == shape[2] && loaded->shape[3] == shape[3];
}

static ff_status replace(const ff_taps *taps, const char *name, ff_dtype dtype, int rank, const size_t *shape,
                         void *data, ff_error *error)
{
    ff_weight loaded;
    if (!taps->load || !ff_weights_find(taps->load, name, &loaded))
        return FF_OK;
    bool floating = loaded.dtype == FF_F32 || loaded.dtype == FF_F16 || loaded.dtype == FF_BF16;
    if (dtype == FF_F32 ? !floating : loaded.dtype != dtype)
        return ff_fail(error, FF_ERROR_INPUT, "the loaded tensor %s is %s, expected %s", name,
                       ff_dtype_name(loaded.dtype), ff_dtype_name(dtype));
    if (dtype == FF_F32 && first_frame_only(name, rank, shape, &loaded)) {
        size_t cells = shape[2] * shape[3];
        for (size_t c = 0; c < shape[0]; c++)
            ff_weight_widen(&loaded, c * cells, cells, (float *)data + c * shape[1] * cells);
        return FF_OK;
    }
    if (loaded.rank != rank || memcmp(loaded.shape, shape, (size_t)rank * sizeof *shape) != 0)
        return ff_fail(error, FF_ERROR_INPUT,
                       "the loaded tensor %s has another shape (%d dimensions, %zu elements) than this run's (%d "
                       "dimensions, %zu elements)",
                       name, loaded.rank, elements_of(loaded.rank, loaded.shape), rank, elements_of(rank, shape));
    size_t count = elements_of(rank, shape);
    if (dtype == FF_F32)
        ff_weight_widen(&loaded, 0, count, data);
    else
        memcpy(data, loaded.data, count * ff_dtype_size(dtype));
    return FF_OK;
}

static ff_status tap(void *user, const char *name, ff_dtype dtype, int rank, const size_t *shape, void *data,
                     ff_error *error)
{
    ff_taps *taps = user;
    ff_status status = replace(taps, name, dtype, rank, shape, data, error);
    if (!status && taps->dump)
        status = ff_dump_tensor(taps->dump, name, dtype, rank, shape, data, error);
    return status;
}

ff_status ff_taps_replace_ids(const ff_taps *taps, const char *name, int64_t *ids, size_t capacity, size_t *count,
                              ff_error *error)
{
    ff_weight loaded;
    if (!taps->load || !ff_weights_find(taps->load, name, &loaded))
        return FF_OK;
    if (loaded.dtype != FF_I64 || loaded.rank != 1 || loaded.shape[0] == 0 || loaded.shape[0] > capacity)
        return ff_fail(error, FF_ERROR_INPUT, "the loaded tensor %s must be I64 with 1 to %zu values", name, capacity);
    *count = loaded.shape[0];
    memcpy(ids, loaded.data, *count * sizeof *ids);
    return FF_OK;
}

// A double as the shortest text that reads back the same, or nearly so; independent of the locale.
static void print_number(char *text, size_t capacity, double value)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, capacity, "%.*g", digits, value);
        for (char *c = text; *c; c++)
            if (*c == ',')
                *c = '.';
        if (ff_parse_number(text, NULL) == value)
            return;
    }
}

static ff_status write_metadata(const ff_request *request, const ff_plan *plan, ff_dump *dump, ff_error *error)
{
    char seed[24], guidance[40], steps[24], shift[40];
    snprintf(seed, sizeof seed, "%" PRIu64, request->seed);
    snprintf(steps, sizeof steps, "%zu", plan->steps);
    print_number(guidance, sizeof guidance, plan->guidance_scale);
    print_number(shift, sizeof shift, plan->flow_shift);
    const char *const pairs[][2] = {
        {"prompt", request->prompt}, {"negative_prompt", plan->negative_prompt}, {"seed", seed},
        {"guidance_scale", guidance}, {"num_inference_steps", steps}, {"flow_shift", shift},
        {"scheduler", plan->scheduler}, {"dtype", "float32"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        ff_status status = ff_dump_metadata(dump, pairs[i][0], pairs[i][1], error);
        if (status)
            return status;
    }
    return FF_OK;
}

ff_status ff_taps_open(const ff_model *model, const ff_request *request, const ff_plan *plan, ff_taps *out,
                       ff_error *error)
{
    static const ff_dump_level levels[] = {
        [FF_DETAIL_RUN] = FF_DUMP_RUN, [FF_DETAIL_STEP] = FF_DUMP_STEP, [FF_DETAIL_BLOCK] = FF_DUMP_BLOCK};
    ff_status status = FF_OK;
    *out = (ff_taps){.shape = {plan->frames, plan->model_height, plan->model_width, 3}};
    if (!request->dump_path && !request->load_path)
        return FF_OK;
    out->trace = (ff_trace){.user = out, .level = levels[request->dump_detail], .tensor = tap};
    if (request->load_path) {
        // any level may be replaced
        out->trace.level = request->dump_path ? out->trace.level : FF_DUMP_BLOCK;
        if ((status = ff_weights_open_file(request->load_path, &out->load, error)))
            return status;
    }
    if (!request->dump_path)
        return FF_OK;
    size_t per_call = 3 + (request->dump_detail == FF_DETAIL_BLOCK ? 3 + model->facts.layers : 0);
    size_t most = 16 + plan->steps * 3 + plan->evaluations * per_call;
    if ((status = ff_dump_create(request->dump_path, most, &out->dump, error)) ||
        (status = write_metadata(request, plan, out->dump, error)))
        return status;
    if (!(out->frames = malloc(elements_of(4, out->shape))))
        return ff_fail(error, FF_ERROR_MEMORY, "out of memory for the frames of the dump");
    return FF_OK;
}

ff_status ff_taps_frame(ff_taps *taps, size_t index, float *values, uint8_t *rgb, ff_error *error)
{
    ff_weight loaded;
    size_t count = elements_of(3, taps->shape + 1);
    ff_status status = FF_OK;
    if (taps->load && ff_weights_find(taps->load, "frames", &loaded)) {
        if (loaded.dtype != FF_U8 || loaded.rank != 4 || memcmp(loaded.shape, taps->shape, sizeof taps->shape) != 0)
            return ff_fail(error, FF_ERROR_INPUT, "the loaded tensor frames is not U8 of this run's shape");
        memcpy(rgb, (const uint8_t *)loaded.data + index * count, count);
    }
    if (!taps->dump)
        return FF_OK;
    if (index == 0)
        status = ff_dump_begin(taps->dump, "frames_float", FF_F32, 4, taps->shape, error);
    if (!status)
        status = ff_dump_append(taps->dump, FF_F32, values, count, error);
    memcpy(taps->frames + index * count, rgb, count);
    if (!status && index + 1 == taps->shape[0])
        status = ff_dump_tensor(taps->dump, "frames", FF_U8, 4, taps->shape, taps->frames, error);
    return status;
}

ff_status ff_taps_close(ff_taps *taps, bool complete, ff_error *error)
{
    ff_status status = FF_OK;
    if (complete && taps->dump)
        status = ff_dump_finish(taps->dump, error);
    else
        ff_dump_abandon(taps->dump);
    ff_weights_close(taps->load);
    free(taps->frames);
    *taps = (ff_taps){0};
    return status;
}

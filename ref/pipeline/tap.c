#include "tap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/finite.h"
#include "../base/system.h"
#include "pixels.h"

#define MOST_PARTS_OF_A_BLOCK 19  // that op level shows, its output included

// anchor.known may hold its first latent frame only; the others are not read.
static bool first_frame_only(const char *name, int rank, const size_t *shape, const ff_weight *loaded)
{
    return strcmp(name, "anchor.known") == 0 && rank == 4 && loaded->rank == 4 && loaded->shape[1] == 1 &&
           loaded->shape[0] == shape[0] && loaded->shape[2] == shape[2] && loaded->shape[3] == shape[3];
}

// The loaded tensor of this name, if there is one, with the kind of elements that the run has.
static ff_status find_loaded(const ff_taps *taps, const char *name, ff_dtype dtype, ff_weight *loaded, bool *found,
                             ff_error *error)
{
    *found = taps->load && ff_weights_find(taps->load, name, loaded);
    if (!*found)
        return FF_OK;
    bool floating = loaded->dtype == FF_F32 || loaded->dtype == FF_F16 || loaded->dtype == FF_BF16;
    if (dtype == FF_F32 ? !floating : loaded->dtype != dtype)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s is %s, expected %s", taps->load_path, name,
                       loaded->dtype->name, dtype->name);
    return FF_OK;
}

static ff_status check_shape(const ff_taps *taps, const char *name, const ff_weight *loaded, int rank,
                             const size_t *shape, ff_error *error)
{
    char found[FF_SHAPE_TEXT], wanted[FF_SHAPE_TEXT];
    if (loaded->rank == rank && memcmp(loaded->shape, shape, (size_t)rank * sizeof *shape) == 0)
        return FF_OK;
    ff_print_shape(found, loaded->rank, loaded->shape);
    ff_print_shape(wanted, rank, shape);
    return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has shape %s, this run's has %s", taps->load_path, name, found,
                   wanted);
}

static ff_status replace(ff_taps *taps, const char *name, ff_dtype dtype, int rank, const size_t *shape,
                         void *data, ff_error *error)
{
    ff_weight loaded;
    bool found;
    ff_status status = find_loaded(taps, name, dtype, &loaded, &found, error);
    if (status || !found)
        return status;
    if (dtype == FF_F32 && !taps->not_finite[0] && !ff_weight_is_finite(&loaded))
        snprintf(taps->not_finite, sizeof taps->not_finite, "%s", name);
    if (dtype == FF_F32 && first_frame_only(name, rank, shape, &loaded)) {
        size_t cells = shape[2] * shape[3];
        for (size_t c = 0; c < shape[0]; c++)
            ff_weight_widen(&loaded, c * cells, cells, (float *)data + c * shape[1] * cells);
        return FF_OK;
    }
    if ((status = check_shape(taps, name, &loaded, rank, shape, error)))
        return status;
    size_t count = ff_shape_elements(rank, shape);
    if (dtype == FF_F32)
        ff_weight_widen(&loaded, 0, count, data);
    else
        memcpy(data, loaded.data, ff_element_bytes(dtype, count));
    return FF_OK;
}

static ff_status tap(void *user, ff_dump_level level, const char *name, ff_dtype dtype, int rank,
                     const size_t *shape, void *data, ff_error *error)
{
    ff_taps *taps = user;
    ff_status status = replace(taps, name, dtype, rank, shape, data, error);
    if (!status && taps->dump && level <= taps->dump_level)
        status = ff_dump_tensor(taps->dump, name, dtype, rank, shape, data, error);
    if (!status && taps->request->tensor && dtype == FF_F32)
        status = taps->request->tensor(taps->request->user, name, rank, shape, data, error);
    return status;
}

ff_status ff_taps_replace_ids(const ff_taps *taps, const char *name, int64_t *ids, size_t capacity, size_t *count,
                              ff_error *error)
{
    ff_weight loaded;
    bool found;
    ff_status status = find_loaded(taps, name, FF_I64, &loaded, &found, error);
    if (status || !found)
        return status;
    if (loaded.rank != 1 || loaded.shape[0] == 0 || loaded.shape[0] > capacity)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s must be a vector of 1 to %zu values", taps->load_path,
                       name, capacity);
    *count = loaded.shape[0];
    memcpy(ids, loaded.data, *count * sizeof *ids);
    return FF_OK;
}

static ff_status write_metadata(const ff_request *request, const ff_plan *plan, ff_dump *dump, ff_error *error)
{
    char seed[24], steps[24], guidance[FF_NUMBER_TEXT], shift[FF_NUMBER_TEXT];
    snprintf(seed, sizeof seed, "%" PRIu64, request->seed);
    snprintf(steps, sizeof steps, "%zu", plan->steps);
    ff_format_number(guidance, plan->guidance_scale);
    ff_format_number(shift, plan->flow_shift);
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

// Whether a file holds any tensor that a run could take.
static bool holds_known_tensor(const ff_weights *load)
{
    static const char *const names[] = {"image", "token_ids", "negative_token_ids", "prompt_embeds",
                                        "negative_prompt_embeds", "anchor.known", "anchor.mask", "noise", "latents",
                                        "frames_float", "frames"};
    for (size_t i = 0; i < ff_weights_count(load); i++) {
        ff_weight view;
        const char *name = ff_weights_at(load, i, &view);
        if (strncmp(name, "call.", 5) == 0 || strncmp(name, "step.", 5) == 0 ||
            strncmp(name, "vae_", 4) == 0)
            return true;
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (strcmp(name, names[k]) == 0)
                return true;
    }
    return false;
}

// Upper bound on the tensors of a run.
static size_t most_tensors(const ff_model *model, const ff_plan *plan, ff_dump_level level)
{
    size_t most = 16 + plan->steps * 3, per_call = 3;
    if (level >= FF_DUMP_BLOCK)
        per_call += 4 + (level == FF_DUMP_OP ? MOST_PARTS_OF_A_BLOCK : 1) * model->facts.layers;
    if (level == FF_DUMP_OP)
        most += ff_vae_stages(model->vae, true) * plan->frames +
                ff_vae_stages(model->vae, false) * (1 + FF_TAIL_FRAMES);
    return most + plan->evaluations * per_call;
}

ff_status ff_taps_open(const ff_model *model, const ff_request *request, const ff_plan *plan, ff_taps *out,
                       ff_error *error)
{
    static const ff_dump_level levels[] = {
        [FF_DETAIL_RUN] = FF_DUMP_RUN, [FF_DETAIL_STEP] = FF_DUMP_STEP, [FF_DETAIL_BLOCK] = FF_DUMP_BLOCK,
        [FF_DETAIL_OP] = FF_DUMP_OP};
    ff_status status = FF_OK;
    *out = (ff_taps){.request = request, .shape = {plan->frames, plan->model_height, plan->model_width, 3}};
    if (!request->dump_path && !request->load_path && !request->tensor)
        return FF_OK;
    out->dump_level = levels[request->dump_detail];
    out->trace.user = out;
    out->trace.tensor = tap;
    out->trace.level = request->load_path ? FF_DUMP_OP : out->dump_level;
    if (request->tensor && request->attention)
        out->trace.level = FF_DUMP_ATTENTION;
    if (request->load_path) {
        out->load_path = request->load_path;
        if ((status = ff_weights_open_file(request->load_path, &out->load, error)))
            return status;
        if (!holds_known_tensor(out->load))
            return ff_fail(error, FF_ERROR_INPUT, "%s: none of its tensors has a dump's name (noise, latents, ...)",
                           request->load_path);
    }
    if (!request->dump_path)
        return FF_OK;
    if ((status = ff_dump_create(request->dump_path, most_tensors(model, plan, out->dump_level), &out->dump, error)))
        return status;
    return write_metadata(request, plan, out->dump, error);
}

ff_status ff_taps_frame(ff_taps *taps, size_t index, float *values, uint8_t *rgb, ff_error *error)
{
    ff_weight loaded;
    bool found;
    size_t count = ff_shape_elements(3, taps->shape + 1);
    ff_status status = find_loaded(taps, "frames_float", FF_F32, &loaded, &found, error);
    if (status || (found && (status = check_shape(taps, "frames_float", &loaded, 4, taps->shape, error))))
        return status;
    if (found)
        ff_weight_widen(&loaded, index * count, count, values);
    if (found && (status = ff_check_finite(count, values, error, "frames_float, frame %zu", index))) {
        snprintf(taps->not_finite, sizeof taps->not_finite, "frames_float");
        return status;
    }
    ff_pixels_round(count, values, rgb);
    status = find_loaded(taps, "frames", FF_U8, &loaded, &found, error);
    if (status || (found && (status = check_shape(taps, "frames", &loaded, 4, taps->shape, error))))
        return status;
    if (found)
        memcpy(rgb, (const uint8_t *)loaded.data + index * count, count);
    if (!taps->dump)
        return FF_OK;
    if (index == 0 &&
        ((status = ff_dump_begin(taps->dump, "frames_float", FF_F32, 4, taps->shape, &taps->frames_float, error)) ||
         (status = ff_dump_begin(taps->dump, "frames", FF_U8, 4, taps->shape, &taps->frames, error))))
        return status;
    status = ff_dump_append(taps->dump, &taps->frames_float, FF_F32, values, count, error);
    return status ? status : ff_dump_append(taps->dump, &taps->frames, FF_U8, rgb, count, error);
}

ff_status ff_taps_close(ff_taps *taps, bool complete, ff_error *error)
{
    ff_status status = FF_OK;
    if (complete && taps->dump)
        status = ff_dump_finish(taps->dump, error);
    else
        ff_dump_abandon(taps->dump);
    ff_weights_close(taps->load);
    *taps = (ff_taps){0};
    return status;
}

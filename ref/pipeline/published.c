// What a run falls back on: firstframe.json where the folder has one, else what Wan publishes.
#include <stdlib.h>
#include <string.h>

#include "../base/system.h"
#include "../sampler/schedule.h"
#include "../text/unicode.h"
#include "model.h"

// What Wan publishes for its two sizes of model (Wan2.2 wan/configs, Wan2.1 README).
typedef struct published {
    size_t width, height, frames, steps;
    double fps, guidance_scale;
} published;
static const published wan_ti2v = {1280, 704, 121, 50, 24, 5};
static const published wan_t2v = {832, 480, 81, 50, 16, 5};
// Wan's sample_neg_prompt, in Chinese as published.
static const char wan_negative_prompt[] =
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，JPEG压缩残留，丑陋的，"
    "残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，手指融合，静止不动的画面，杂乱的背景，"
    "三条腿，背景人很多，倒着走";

// The map that firstframe.json may hold to look at latents:
//   "preview": {"weights": [maps, 3, channels], "bias": [maps, 3]}
static ff_status read_preview(ff_model *model, ff_error *error)
{
    const ff_config *config = model->defaults;
    size_t channels = model->facts.latent_channels, rows = 3 * FF_PREVIEW_MAPS, count, bytes;
    const size_t shape[] = {FF_PREVIEW_MAPS, 3, channels};
    if (!ff_config_has(config, "preview"))
        return FF_OK;
    if (!ff_multiply_sizes(rows, channels + 1, &count) || !ff_multiply_sizes(count, sizeof *model->preview, &bytes) ||
        !(model->preview = malloc(bytes)))
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", ff_config_path(config));
    double *maps = model->preview, bias[3 * FF_PREVIEW_MAPS];
    ff_status status = ff_config_table(config, "preview", "weights", 3, shape, maps, error);
    if (status == FF_OK)
        status = ff_config_table(config, "preview", "bias", 2, shape, bias, error);
    if (status != FF_OK)
        return status;
    for (size_t row = rows; row-- > 0;) {   // rows move apart, from the last on
        memmove(maps + row * (channels + 1), maps + row * channels, channels * sizeof *maps);
        maps[row * (channels + 1) + channels] = bias[row];
    }
    model->facts.preview = maps;
    return FF_OK;
}

#define MOST_DRAWS 200   // bytes

// What firstframe.json may say of what the model was trained on:
//   "draws": a text that goes on after "it draws"; "words": ["...", ...], those it knows
static ff_status read_words(ff_model *model, ff_error *error)
{
    const ff_config *config = model->defaults;
    const char *draws;
    ff_status status = ff_config_string(config, "draws", NULL, &draws, error);
    if (status)
        return status;
    bool plain = draws && *draws && strlen(draws) <= MOST_DRAWS && ff_utf8_check(draws, strlen(draws)) == strlen(draws);
    for (const char *at = draws; plain && *at; at++)
        plain = (unsigned char)*at >= 0x20 && *at != 0x7F;
    if (draws && !plain)
        return ff_fail(error, FF_ERROR_INPUT, "%s: draws must be one line of UTF-8, 1 to %d bytes",
                       ff_config_path(config), MOST_DRAWS);
    model->facts.draws = draws;
    if (!ff_config_has(config, "words"))
        return FF_OK;
    if ((status = ff_word_list_open(config, "words", &model->words, error)))
        return status;
    model->facts.known_words = ff_word_list_count(model->words);
    return FF_OK;
}

// A run's number by default; within what an option may be, so that a run can be made again from its record.
static ff_status read_number(const ff_config *config, const char *key, double otherwise, double least, double most,
                             double *out, ff_error *error)
{
    ff_status status = ff_config_number(config, key, otherwise, out, error);
    if (!status && ff_config_has(config, key) && !(*out >= least && *out <= most))
        return ff_fail(error, FF_ERROR_INPUT, "%s: %s is %g, must be %g to %g", ff_config_path(config), key, *out, least,
                       most);
    return status;
}

ff_status ff_defaults_read(ff_model *model, ff_error *error)
{
    char path[FF_MOST_PATH];
    ff_model_facts *facts = &model->facts;
    const published *wan = model->expand_timesteps ? &wan_ti2v : &wan_t2v;
    ff_status status = ff_model_path(path, model->folder, "firstframe.json", error);
    facts->default_width = wan->width;
    facts->default_height = wan->height;
    facts->default_frames = wan->frames;
    facts->default_steps = wan->steps;
    facts->default_fps = wan->fps;
    facts->default_guidance_scale = wan->guidance_scale;
    facts->default_negative_prompt = wan_negative_prompt;
    if (status || !ff_file_exists(path))
        return status;
    if ((status = ff_config_open(path, &model->defaults, error)))
        return status;
    const ff_config *config = model->defaults;
    if ((status = ff_config_size(config, "width", wan->width, 1, 1 << 16, &facts->default_width, error)) ||
        (status = ff_config_size(config, "height", wan->height, 1, 1 << 16, &facts->default_height, error)) ||
        (status = ff_config_size(config, "frames", wan->frames, 1, 1 << 16, &facts->default_frames, error)) ||
        (status = ff_config_size(config, "steps", wan->steps, 1, FF_MOST_STEPS, &facts->default_steps, error)) ||
        (status = read_number(config, "fps", wan->fps, FF_LEAST_FPS, FF_MOST_FPS, &facts->default_fps, error)) ||
        (status = read_number(config, "guidance_scale", wan->guidance_scale, 0, FF_MOST_GUIDANCE,
                              &facts->default_guidance_scale, error)) ||
        (status = read_number(config, "flow_shift", facts->default_flow_shift, FF_LEAST_FLOW_SHIFT, FF_MOST_FLOW_SHIFT,
                              &facts->default_flow_shift, error)) ||
        (status = ff_config_string(config, "negative_prompt", wan_negative_prompt, &facts->default_negative_prompt,
                                   error)) ||
        (status = read_words(model, error)))
        return status;
    return read_preview(model, error);
}

// The public view of a file of weights: what it is taken for, its sizes, and what a run needs beside it.
#include <stdio.h>
#include <string.h>

#include "geometry.h"
#include "needed.h"
#include "recognise.h"

static size_t setting(const ff_config *config, const char *key)
{
    size_t value = 0;
    ff_config_size(config, key, 0, 0, SIZE_MAX, &value, NULL);
    return value;
}

// *channels: of the latents
static void describe(ff_part_kind kind, const ff_config *config, size_t *channels, char *out, size_t capacity)
{
    const char *key = kind == FF_PART_VAE ? "z_dim" : "out_channels";
    *channels = setting(config, key);
    if (kind == FF_PART_TRANSFORMER)
        snprintf(out, capacity, "%zu layers of %zu = %zu heads x %zu, ffn %zu, %zu channels in, %zu out",
                 setting(config, "num_layers"), setting(config, "num_attention_heads") * 128,
                 setting(config, "num_attention_heads"), setting(config, "attention_head_dim"),
                 setting(config, "ffn_dim"), setting(config, "in_channels"), *channels);
    else if (kind == FF_PART_VAE)
        snprintf(out, capacity, "%zu latent channels, base %zu, patches of %zux%zu", *channels,
                 setting(config, "base_dim"), setting(config, "patch_size") ? setting(config, "patch_size") : 1,
                 setting(config, "patch_size") ? setting(config, "patch_size") : 1);
    else
        snprintf(out, capacity, "%zu layers of %zu, %zu heads x %zu, ffn %zu, %zu pieces in the vocabulary",
                 setting(config, "num_layers"), setting(config, "d_model"), setting(config, "num_heads"),
                 setting(config, "d_kv"), setting(config, "d_ff"), setting(config, "vocab_size"));
}

// found: the i-th of those in the file, which is opened once more, for its prefix
static ff_status measure(const char *path, const ff_recognised *found, ff_recognised_part *out, size_t *channels,
                         ff_error *error)
{
    static ff_status (*const geometries[])(const ff_weights *, ff_config **, ff_error *) = {
        [FF_PART_TRANSFORMER] = ff_geometry_transformer, [FF_PART_VAE] = ff_geometry_vae,
        [FF_PART_TEXT_ENCODER] = ff_geometry_text_encoder};
    ff_weights *weights;
    ff_config *config;
    ff_error why = {0};
    ff_status status = ff_weights_open_file(path, &weights, error);
    if (status)
        return status;
    status = ff_weights_use_prefix(weights, found->prefix, error);
    if (!status && found->names)
        ff_weights_use_names(weights, found->names);
    if (!status && geometries[found->kind](weights, &config, &why) == FF_OK) {
        describe(found->kind, config, channels, out->geometry, sizeof out->geometry);
        ff_config_close(config);
    } else {
        snprintf(out->geometry, sizeof out->geometry, "unknown: %.300s", why.message);
    }
    ff_weights_close(weights);
    return status;
}

static bool holds(const ff_recognised *found, size_t count, ff_part_kind kind)
{
    for (size_t i = 0; i < count; i++)
        if (found[i].kind == kind)
            return true;
    return false;
}

ff_status ff_file_recognise(const char *path, ff_recognised_parts *out, ff_error *error)
{
    static const ff_part_kind others[][2] = {[FF_PART_TRANSFORMER] = {FF_PART_VAE, FF_PART_TEXT_ENCODER},
                                             [FF_PART_VAE] = {FF_PART_TRANSFORMER, FF_PART_TEXT_ENCODER},
                                             [FF_PART_TEXT_ENCODER] = {FF_PART_TRANSFORMER, FF_PART_VAE}};
    ff_recognised found[FF_MOST_RECOGNISED];
    ff_weights *weights;
    *out = (ff_recognised_parts){0};
    ff_status status = ff_weights_open_file(path, &weights, error);
    if (status)
        return status;
    ff_recognise(weights, found, &out->count);
    ff_weights_close(weights);
    for (size_t i = 0; i < out->count && !status; i++) {
        ff_recognised_part *part = &out->at[i];
        size_t channels = 0, needed = 0;
        part->part = ff_part_name(found[i].kind);
        part->what = found[i].what;
        part->refused = found[i].refused;
        memcpy(part->why, found[i].why, sizeof part->why);
        memcpy(part->prefix, found[i].prefix, sizeof part->prefix);
        if (!part->part)
            continue;
        status = measure(path, &found[i], part, &channels, error);
        if (found[i].kind != FF_PART_TEXT_ENCODER)
            part->latent_channels = channels;
        for (size_t k = 0; k < 2 && !part->refused; k++)
            if (!holds(found, out->count, others[found[i].kind][k]))
                ff_needed_file(others[found[i].kind][k], channels, part->needs[needed++]);
    }
    return status;
}

_Static_assert(sizeof ((ff_recognised_part *)0)->needs == 2 * FF_NEEDED_TEXT, "what is needed is told whole");
_Static_assert((int)FF_MOST_FILE_PARTS == (int)FF_MOST_RECOGNISED, "every part that is recognised is told");
_Static_assert(sizeof ((ff_recognised_part *)0)->why == sizeof ((ff_recognised *)0)->why, "a tensor's name is told whole");
_Static_assert(sizeof ((ff_recognised_part *)0)->prefix == sizeof ((ff_recognised *)0)->prefix, "and its prefix");

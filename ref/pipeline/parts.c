#include "parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/system.h"
#include "../weights/content.h"
#include "classes.h"
#include "geometry.h"
#include "needed.h"
#include "wan_config.h"

static const struct {
    const char *class_name, *option;
    ff_status (*measure)(const ff_weights *weights, ff_config **out, ff_error *error);
} parts[] = {
    [FF_PART_TRANSFORMER] = {"WanTransformer3DModel", "transformer", ff_geometry_transformer},
    [FF_PART_VAE] = {"AutoencoderKLWan", "vae", ff_geometry_vae},
    [FF_PART_TEXT_ENCODER] = {"UMT5EncoderModel", "text-encoder", ff_geometry_text_encoder},
};

static bool is_folder(const char *path)
{
    char inside[FF_MOST_PATH];
    return ff_model_path(inside, path, ".", NULL) == FF_OK && ff_file_exists(inside);
}

static bool holds(const char *folder, const char *name, char path[FF_MOST_PATH])
{
    return ff_model_path(path, folder, name, NULL) == FF_OK && ff_file_exists(path);
}

static size_t channels_of(const ff_model *model)
{
    const ff_transformer *transformer = model->experts[0].transformer;
    return transformer ? ff_transformer_describe(transformer).out_channels : 0;
}

// ---- what -m names ----

ff_status ff_parts_find_layout(ff_model *model, ff_error *error)
{
    char path[FF_MOST_PATH];
    ff_config *config;
    model->layout = FF_LAYOUT_DIFFUSERS;
    if (!is_folder(model->folder)) {
        if (ff_file_exists(model->folder))
            model->layout = FF_LAYOUT_FILE;
        return FF_OK;
    }
    if (holds(model->folder, "model_index.json", path))
        return FF_OK;
    if (holds(model->folder, "high_noise_model", path))
        return ff_fail(error, FF_ERROR_INPUT, "%s: holds two transformers, for much noise and for little; such models do "
                       "not run yet", model->folder);
    if (!holds(model->folder, "config.json", path))
        return FF_OK;
    ff_status status = ff_config_open(path, &config, error);
    if (!status && ff_wan_config_is(config))
        model->layout = FF_LAYOUT_WAN;
    ff_config_close(config);
    return status;
}

// ---- sentences about what is not there ----

// A pickle in the folder whose name has this in it; false if there is none.
static bool find_pickle(const char *folder, ff_part_kind kind, char name[FF_RECOGNISED_TEXT])
{
    static const char *const endings[] = {".pth", ".pt", ".bin", ".ckpt"};
    ff_names names;
    bool found = false;
    if (ff_list_folder(folder, &names, NULL) == FF_OK)
        for (size_t i = 0; i < names.count && !found; i++) {
            const char *ending = strrchr(names.at[i], '.');
            bool sought = strstr(names.at[i], kind == FF_PART_VAE ? "VAE" : "t5") != NULL;
            for (size_t k = 0; ending && sought && k < sizeof endings / sizeof *endings && !found; k++)
                found = strcmp(ending, endings[k]) == 0;
            if (found)
                snprintf(name, FF_RECOGNISED_TEXT, "%s", names.at[i]);
        }
    ff_names_free(&names);
    return found;
}

static ff_status fail_missing(const ff_model *model, ff_part_kind kind, ff_error *error)
{
    char pickle[FF_RECOGNISED_TEXT], published[FF_NEEDED_TEXT];
    ff_needed_file(kind, channels_of(model), published);
    if (model->layout == FF_LAYOUT_WAN && find_pickle(model->folder, kind, pickle))
        return ff_fail(error, FF_ERROR_INPUT, "%s/%s is a pickle, which may run any program when it is read, and is not "
                       "read here; give --%s with %s", model->folder, pickle, parts[kind].option, published);
    return ff_fail(error, FF_ERROR_INPUT, "%s: %s is needed as well; give --%s with %s", model->folder,
                   ff_part_words(kind), parts[kind].option, published);
}

static ff_status refuse_pickle(const char *path, ff_part_kind kind, size_t channels, ff_error *error)
{
    char bytes[8] = {0}, published[FF_NEEDED_TEXT];
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    const char *name = size > 3 ? ff_content_name(bytes, size) : NULL;
    if (!name || (memcmp(bytes, "PK", 2) != 0 && bytes[0] != '\x80'))
        return FF_OK;
    ff_needed_file(kind, channels, published);
    return ff_fail(error, FF_ERROR_INPUT, "%s: it is %s; a pickle may run any program when it is read, and is not read "
                   "here: people publish the same as %s", path, name, published);
}

// ---- one part ----

static ff_status fail_other(const char *path, ff_part_kind kind, const ff_recognised *found, size_t count,
                            ff_error *error)
{
    if (count == 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: %s was expected, and none of its tensors is called as one of those",
                       path, ff_part_words(kind));
    return ff_fail(error, FF_ERROR_INPUT, "%s: %s was expected; it is %s (tensor %s)", path, ff_part_words(kind),
                   found->refused ? found->refused : found->what, found->why);
}

// Which part of the file or folder this is: its names and prefix.
static ff_status choose(const char *path, ff_part_kind kind, ff_component *out, ff_error *error)
{
    ff_recognised found[FF_MOST_RECOGNISED];
    size_t count, i = 0;
    ff_recognise(out->weights, found, &count);
    while (i < count && found[i].kind != kind)
        i++;
    if (i == count)
        return fail_other(path, kind, found, count, error);
    if (found[i].refused)
        return ff_fail(error, FF_ERROR_INPUT, "%s: it is %s (tensor %s)", path, found[i].refused, found[i].why);
    out->what = found[i].what;
    ff_status status = ff_weights_use_prefix(out->weights, found[i].prefix, error);
    if (!status && found[i].names)
        ff_weights_use_names(out->weights, found[i].names);
    return status;
}

static ff_status read_config(const char *file, ff_component *out, ff_error *error)
{
    ff_config *config;
    ff_status status = ff_config_open(file, &config, error);
    if (status)
        return status;
    if (!(out->config_file = strdup(file)))
        status = ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", file);
    if (!status && ff_wan_config_is(config)) {
        status = ff_wan_config_translate(config, &out->config, error);
        ff_config_close(config);
    } else {
        out->config = config;
    }
    return status;
}

// Its own config.json, else that of the folder whose part it replaces, else what its shapes say.
static ff_status find_config(const ff_model *model, const char *path, ff_part_kind kind, ff_component *out,
                             ff_error *error)
{
    char file[FF_MOST_PATH], folder[FF_MOST_PATH];
    if (is_folder(path) && holds(path, "config.json", file))
        return read_config(file, out, error);
    if (model->layout == FF_LAYOUT_DIFFUSERS) {
        ff_status status = ff_model_path(folder, model->folder, ff_part_name(kind), error);
        if (!status && (status = ff_model_path(file, folder, "config.json", error)) == FF_OK)
            status = read_config(file, out, error);
        return status;
    }
    if (model->layout == FF_LAYOUT_WAN && kind == FF_PART_TRANSFORMER && holds(model->folder, "config.json", file))
        return read_config(file, out, error);
    return parts[kind].measure(out->weights, &out->config, error);
}

static ff_status open_given(ff_model *model, ff_part_kind kind, const char *path, ff_component *out, ff_error *error)
{
    ff_status status;
    if (is_folder(path))
        status = ff_weights_open(path, &out->weights, error);
    else if (!(status = refuse_pickle(path, kind, channels_of(model), error)))
        status = ff_weights_open_file(path, &out->weights, error);
    if (status || (status = choose(path, kind, out, error)))
        return status;
    return find_config(model, path, kind, out, error);
}

// A part of a diffusers folder, as its model_index.json has it.
static ff_status open_own(ff_model *model, ff_part_kind kind, ff_component *out, ff_error *error)
{
    char path[FF_MOST_PATH], file[FF_MOST_PATH];
    const char *name = ff_part_name(kind);
    ff_status status;
    if ((status = ff_classes_part(model->index, name, parts[kind].class_name, error)) ||
        (status = ff_model_path(path, model->folder, name, error)) ||
        (status = ff_model_path(file, path, "config.json", error)) ||
        (status = ff_config_open(file, &out->config, error)))
        return status;
    if (!(out->config_file = strdup(file)))
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", file);
    const char *found;
    // transformers writes architectures, diffusers _class_name; the latter is checked where it is there
    if ((status = ff_config_string(out->config, "_class_name", parts[kind].class_name, &found, error)))
        return status;
    if (strcmp(found, parts[kind].class_name) != 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s/config.json: _class_name is %s, expected %s", path, found,
                       parts[kind].class_name);
    return ff_weights_open(path, &out->weights, error);
}

// Whether the one file that the model is holds such a part too.
static ff_status file_has(const ff_model *model, ff_part_kind kind, bool *has, ff_error *error)
{
    ff_recognised found[FF_MOST_RECOGNISED];
    ff_weights *weights;
    size_t count;
    *has = false;
    ff_status status = refuse_pickle(model->folder, kind, 0, error);
    if (!status)
        status = ff_weights_open_file(model->folder, &weights, error);
    if (status)
        return status;
    ff_recognise(weights, found, &count);
    for (size_t i = 0; i < count; i++)
        *has = *has || found[i].kind == kind;
    ff_weights_close(weights);
    return FF_OK;
}

ff_status ff_part_open(ff_model *model, ff_part_kind kind, const char *given, ff_component *out,
                       const char **class_name, ff_error *error)
{
    ff_status status = FF_OK;
    bool own = model->layout == FF_LAYOUT_WAN && kind == FF_PART_TRANSFORMER;
    if (!given && model->layout == FF_LAYOUT_FILE) {
        // of a file without any transformer its kind is said, not that one is missing
        own = kind == FF_PART_TRANSFORMER;
        if (!own)
            status = file_has(model, kind, &own, error);
    }
    if (!given && own)
        given = model->folder;
    if (!status && given)
        status = open_given(model, kind, given, out, error);
    else if (!status && model->layout == FF_LAYOUT_DIFFUSERS)
        status = open_own(model, kind, out, error);
    else if (!status)
        status = fail_missing(model, kind, error);
    if (!status && kind == FF_PART_TEXT_ENCODER)
        status = ff_classes_text_encoder(out->config, error);
    if (!status)
        status = ff_config_string(out->config, "_class_name", parts[kind].class_name, class_name, error);
    return status;
}

void ff_part_close(ff_component *component)
{
    ff_weights_close(component->weights);
    ff_config_close(component->config);
    free(component->config_file);
}

// ---- tokenizer ----

// path: tokenizer.json or a SentencePiece model
static ff_status open_tokenizer_file(ff_model *model, const char *path, ff_error *error)
{
    const char *ending = strrchr(path, '.');
    model->tokenizer_folder = strdup(path);
    if (!model->tokenizer_folder)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
    char *slash = strrchr(model->tokenizer_folder, '/');
    if (slash)
        slash[slash == model->tokenizer_folder] = '\0';
    else
        strcpy(model->tokenizer_folder, ".");
    return ending && strcmp(ending, ".json") == 0 ? ff_tokenizer_open(path, &model->tokenizer, error)
                                                  : ff_tokenizer_open_spiece(path, &model->tokenizer, error);
}

// In a folder. *found: whether there is one
static ff_status open_tokenizer_in(ff_model *model, const char *folder, bool *found, ff_error *error)
{
    char path[FF_MOST_PATH];
    *found = true;
    if (holds(folder, "tokenizer.json", path))
        return open_tokenizer_file(model, path, error);
    *found = holds(folder, "spiece.model", path);
    if (!*found)
        return FF_OK;
    ff_status status = model->index ? ff_classes_tokenizer(model->index, error) : FF_OK;
    return status ? status : open_tokenizer_file(model, path, error);
}

ff_status ff_part_open_tokenizer(ff_model *model, const char *given, ff_error *error)
{
    char folder[FF_MOST_PATH];
    bool found;
    bool diffusers = model->layout == FF_LAYOUT_DIFFUSERS;
    if (given && !is_folder(given))
        return open_tokenizer_file(model, given, error);
    ff_status status = given ? FF_OK : ff_model_path(folder, model->folder, diffusers ? "tokenizer" : "google/umt5-xxl",
                                                     error);
    if (status || (status = open_tokenizer_in(model, given ? given : folder, &found, error)) || found)
        return status;
    if (given || (diffusers && !model->text_files.what))
        return ff_fail(error, FF_ERROR_INPUT, "%s: no tokenizer.json or spiece.model here", given ? given : folder);
    if ((status = ff_tokenizer_open_weights(model->text_files.weights, &model->tokenizer, error)) || model->tokenizer)
        return status;
    return ff_fail(error, FF_ERROR_INPUT, "%s: this text encoder's file holds no tokenizer; give --tokenizer with the "
                   "spiece.model or tokenizer.json of google/umt5-xxl", ff_weights_origin(model->text_files.weights));
}

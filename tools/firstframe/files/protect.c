#include "protect.h"
#include "host.h"

#include <stdlib.h>
#include <string.h>

#define MOST_FILES (24 + 2 * FF_MOST_TEXTS)

typedef struct protected_file {
    const char *name;   // as it was given
    char *real;         // without links on the way
    const char *option; // "image", or NULL for what belongs to none
    bool replaceable;   // by --output
} protected_file;

// Of the one run of this process.
static protected_file files[MOST_FILES];
static size_t count;
static const char *output;
static char *model;

static void protect(const char *path, const char *option, bool replaceable)
{
    char *real = path && count < MOST_FILES ? ff_host_real_path(path) : NULL;
    if (real)
        files[count++] = (protected_file){path, real, option, replaceable};
}

static void protect_loras(const ff_texts *loras, const char *option)
{
    for (size_t i = 0; i < loras->count; i++) {
        double strength;
        char *path = strndup(loras->texts[i], ff_split_number(loras->texts[i], &strength));
        size_t before = count;
        protect(path, option, false);
        if (count > before)   // the name lives no longer than this
            files[before].name = files[before].real;
        free(path);
    }
}

ff_status ff_protect_inputs(const ff_options *options, ff_error *error)
{
    const char *const written[] = {options->output, options->dump, options->preview, options->plot, options->heat_map};
    ff_status status = FF_OK;
    output = options->output;
    protect(options->image, "image", options->command == FF_COMMAND_INPAINT);
    protect(options->last, "last", false);
    protect(options->mask, "mask", false);
    protect(options->load, "load", false);
    protect_loras(&options->loras, "lora");
    protect_loras(&options->loras_2, "lora-2");
    protect(options->map, "map", false);
    for (size_t i = 0; i < FF_MODEL_OPTIONS; i++) {
        ff_option_id id = ff_model_options[i];
        const char *path = ff_options_path(options, id);
        if (path && !ff_host_is_folder(path))
            protect(path, ff_option_table[id].name, false);
    }
    protect(options->operand, NULL, options->command == FF_COMMAND_AGAIN);
    protect(options->second_operand, NULL, false);
    for (size_t i = 0; i < sizeof written / sizeof *written && !status; i++)
        status = written[i] ? ff_protect_check(written[i], error) : FF_OK;
    return status;
}

void ff_protect_file(const char *path)
{
    protect(path, NULL, false);
}

void ff_protect_model(const char *folder)
{
    free(model);
    model = ff_host_real_path(folder);
}

// Whether an existing file is one of the model's.
static bool is_models(const char *path)
{
    static const char *const parts[] = {"transformer", "transformer_2", "vae", "text_encoder", "tokenizer", "scheduler",
                                        "image_encoder"};
    const char *slash = strrchr(path, '/'), *ending = strrchr(path, '.');
    size_t length = model ? strlen(model) : 0;
    if (!model || !ff_host_exists(path))
        return false;
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    char *real = folder ? ff_host_real_path(folder) : NULL;
    const char *below = real && strncmp(real, model, length) == 0 && real[length] == '/' ? real + length + 1 : NULL;
    bool part = false;
    for (size_t i = 0; below && i < sizeof parts / sizeof *parts && !part; i++)
        part = strcmp(below, parts[i]) == 0;
    bool beside = real && strcmp(real, model) == 0 && ending && strcmp(ending, ".json") == 0;
    free(folder);
    free(real);
    return part || beside;
}

ff_status ff_protect_check(const char *path, ff_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const protected_file *file = &files[i];
        bool same = ff_host_same_place(path, file->real) || ff_host_same_place(path, file->name);
        if (!same || (file->replaceable && output && ff_host_same_place(path, output)))
            continue;
        return ff_fail(error, FF_ERROR_INPUT, "%s would take the place of %s%s, which is read", path,
                       file->option ? "what is given as --" : "", file->option ? file->option : file->name);
    }
    if (is_models(path))
        return ff_fail(error, FF_ERROR_INPUT, "%s would take the place of a file of the model", path);
    return FF_OK;
}

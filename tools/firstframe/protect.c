#include "protect.h"
#include "host.h"

#include <stdlib.h>
#include <string.h>

#define MOST_FILES 16

// Of the one run of this process.
static char *files[MOST_FILES];   // without links on the way
static size_t count;
static char *model;

static void protect(const char *path)
{
    char *real = path && count < MOST_FILES ? ff_host_real_path(path) : NULL;
    if (real)
        files[count++] = real;
}

void ff_protect_inputs(const ff_options *options)
{
    if (options->command != FF_COMMAND_INPAINT)
        protect(options->image);
    protect(options->last);
    protect(options->mask);
    protect(options->load);
    protect(options->map);
    if (options->command != FF_COMMAND_AGAIN)
        protect(options->operand);
    protect(options->second_operand);
}

void ff_protect_model(const char *folder)
{
    free(model);
    model = ff_host_real_path(folder);
}

// Whether an existing file is one of the model's.
static bool is_models(const char *path)
{
    const char *slash = strrchr(path, '/'), *ending = strrchr(path, '.');
    size_t length = model ? strlen(model) : 0;
    if (!model || !ff_host_exists(path))
        return false;
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    char *real = folder ? ff_host_real_path(folder) : NULL;
    bool below = real && strncmp(real, model, length) == 0 && real[length] == '/';
    bool beside = real && strcmp(real, model) == 0 && ending && strcmp(ending, ".json") == 0;
    free(folder);
    free(real);
    return below || beside;
}

ff_status ff_protect_check(const char *path, ff_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (ff_host_same_place(path, files[i]))
            return ff_fail(error, FF_ERROR_INPUT, "%s would take the place of a file that is read", path);
    if (is_models(path))
        return ff_fail(error, FF_ERROR_INPUT, "%s would take the place of a file of the model", path);
    return FF_OK;
}

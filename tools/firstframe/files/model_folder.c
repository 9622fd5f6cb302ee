#include "model_folder.h"
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Where an installed program finds the model, from the folder it lies in.
#ifndef FF_SHARE
#define FF_SHARE "../share/firstframe/model"
#endif

static bool holds_model(const char *folder)
{
    char path[FF_LONGEST_PATH + 32];
    int length = snprintf(path, sizeof path, "%s/model_index.json", folder);
    return length > 0 && (size_t)length < sizeof path && ff_host_exists(path);
}

static bool join(const char *folder, const char *path, char out[FF_LONGEST_PATH])
{
    int length = snprintf(out, FF_LONGEST_PATH, "%s/%s", folder, path);
    return length > 0 && length < FF_LONGEST_PATH;
}

ff_status ff_model_folder_find(const char *given, char out[FF_LONGEST_PATH], ff_error *error)
{
    const char *named = given ? given : getenv("FIRSTFRAME_MODEL");
    char program[FF_LONGEST_PATH];
    if (named && *named) {
        if (strlen(named) >= FF_LONGEST_PATH)
            return ff_fail(error, FF_ERROR_INPUT, "the model folder's path is longer than %d bytes",
                           FF_LONGEST_PATH - 1);
        strcpy(out, named);
        if (!ff_host_is_folder(out))
            return ff_fail(error, FF_ERROR_INPUT, "%s: %s; a model is a folder in diffusers' layout%s", out,
                           ff_host_exists(out) ? "not a folder" : "no such folder",
                           given ? "" : " (FIRSTFRAME_MODEL names it)");
        if (!holds_model(out))
            return ff_fail(error, FF_ERROR_INPUT, "%s: no model_index.json in it; a model is a folder in diffusers' "
                           "layout%s", out, given ? "" : " (FIRSTFRAME_MODEL names it)");
        return FF_OK;
    }
    bool placed = ff_host_program_folder(program, sizeof program);
    if (placed && join(program, FF_SHARE, out) && holds_model(out))
        return FF_OK;
    strcpy(out, "golden/model");
    if (holds_model(out))
        return FF_OK;
    if (placed && join(program, "../golden/model", out) && holds_model(out))
        return FF_OK;
    return ff_fail(error, FF_ERROR_INPUT, "no model found; give its folder with -m or in $FIRSTFRAME_MODEL");
}

ff_status ff_model_folder_open(const char *folder, ff_report *report, ff_model **out, ff_error *error)
{
    ff_status status = ff_model_open(folder, out, error);
    if (status != FF_OK)
        return status;
    const char *taken = ff_model_describe(*out).taken;
    if (taken)
        ff_report_note_once(report, taken);
    return FF_OK;
}

void ff_print_multiples(const ff_model_facts *facts, char out[48])
{
    if (facts->multiple_width == facts->multiple_height)
        snprintf(out, 48, "%zu", facts->multiple_width);
    else
        snprintf(out, 48, "%zux%zu", facts->multiple_width, facts->multiple_height);
}

#include "model_folder.h"
#include "host.h"
#include "protect.h"

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

// What --model or the environment names: a file, or a folder in which a model may be.
static ff_status check_named(const char *path, const char *from, ff_error *error)
{
    static const char *const marks[] = {"model_index.json", "config.json", "high_noise_model"};
    char inside[FF_LONGEST_PATH];
    bool holds = false;
    if (!ff_host_exists(path))
        return ff_fail(error, FF_ERROR_INPUT, "%s: no such folder or file; a model is a folder in diffusers' layout or "
                       "Wan's, or a file%s", path, from);
    if (!ff_host_is_folder(path))
        return FF_OK;
    for (size_t i = 0; i < sizeof marks / sizeof *marks && !holds; i++)
        holds = join(path, marks[i], inside) && ff_host_exists(inside);
    if (!holds)
        return ff_fail(error, FF_ERROR_INPUT, "%s: no model_index.json in it; a model is a folder in diffusers' layout "
                       "or Wan's, or a file%s", path, from);
    return FF_OK;
}

// What a transformer's file needs and is not given is looked for beside it.
static ff_status find_parts(ff_model_choice *out, ff_error *error)
{
    const char *transformer = out->parts.transformer ? out->parts.transformer : out->parts.model;
    bool alone = !out->parts.model || !ff_host_is_folder(out->parts.model);
    ff_found_parts found;
    if (!alone || ff_host_is_folder(transformer) || (out->parts.vae && out->parts.text_encoder))
        return FF_OK;
    ff_status status = ff_find_parts(transformer, !out->parts.vae, !out->parts.text_encoder, &found, error);
    if (status != FF_OK)
        return status;
    if (found.vae && strlen(found.vae) < sizeof out->vae)
        out->parts.vae = strcpy(out->vae, found.vae);
    if (found.text_encoder && strlen(found.text_encoder) < sizeof out->text_encoder)
        out->parts.text_encoder = strcpy(out->text_encoder, found.text_encoder);
    ff_found_parts_free(&found);
    ff_protect_file(*out->vae ? out->vae : NULL);
    ff_protect_file(*out->text_encoder ? out->text_encoder : NULL);
    return FF_OK;
}

ff_status ff_model_choose(const ff_model_parts *given, ff_model_choice *out, ff_error *error)
{
    const char *named = given->model ? given->model : getenv("FIRSTFRAME_MODEL");
    char program[FF_LONGEST_PATH];
    *out = (ff_model_choice){.parts = *given};
    bool chosen = named && *named;
    if (!chosen)
        named = given->transformer;
    if (named) {
        if (strlen(named) >= FF_LONGEST_PATH)
            return ff_fail(error, FF_ERROR_INPUT, "the model's path is longer than %d bytes", FF_LONGEST_PATH - 1);
        strcpy(out->path, named);
        out->parts.model = chosen ? out->path : NULL;
        return chosen ? check_named(named, given->model ? "" : " (FIRSTFRAME_MODEL names it)", error) : FF_OK;
    }
    out->parts.model = out->path;
    bool placed = ff_host_program_folder(program, sizeof program);
    if (placed && join(program, FF_SHARE, out->path) && holds_model(out->path))
        return FF_OK;
    strcpy(out->path, "golden/model");
    if (holds_model(out->path))
        return FF_OK;
    if (placed && join(program, "../golden/model", out->path) && holds_model(out->path))
        return FF_OK;
    return ff_fail(error, FF_ERROR_INPUT, "no model found; give its folder or file with -m or in $FIRSTFRAME_MODEL");
}

ff_status ff_model_choice_open(ff_model_choice *choice, ff_report *report, ff_model **out, ff_error *error)
{
    char note[FF_LONGEST_PATH + 64];
    const struct {
        const char *what, *path;
    } found[] = {{"VAE", choice->vae}, {"text encoder", choice->text_encoder}};
    ff_status status = find_parts(choice, error);
    if (status != FF_OK)
        return status;
    for (size_t i = 0; i < 2; i++)
        if (*found[i].path) {
            snprintf(note, sizeof note, "%s: %s, found beside the transformer", found[i].what, found[i].path);
            ff_report_note_once(report, note);
        }
    status = ff_model_open_parts(&choice->parts, out, error);
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

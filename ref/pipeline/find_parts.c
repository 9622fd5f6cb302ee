// Looks for a VAE and a text encoder beside the file of a transformer, by what files hold and not by their names.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/system.h"
#include "model.h"

#define CANDIDATES 3   // two are too many

// Folders, seen from the transformer's: its own; those of repositories that hold all; ComfyUI's beside its own.
static const char *const folders[] = {"", "vae", "VAE", "text_encoders", "text_encoder", "clip", "../vae",
                                      "../text_encoders", "../clip"};

typedef struct search {
    const char *part;          // "vae"
    size_t channels;           // of the latents, that a VAE must have; 0: any
    char found[CANDIDATES][FF_MOST_PATH];
    size_t count;
} search;

static bool ends(const char *name, const char *ending)
{
    size_t length = strlen(name), rest = strlen(ending);
    return length > rest && strcmp(name + length - rest, ending) == 0;
}

// Whether the file is the part, alone: a checkpoint that holds several is named where it is meant.
static bool is_sought(const search *s, const char *path)
{
    ff_recognised_parts parts;
    if (ff_file_recognise(path, &parts, NULL) || parts.count != 1)
        return false;
    const ff_recognised_part *only = &parts.at[0];
    return only->part && !only->refused && strcmp(only->part, s->part) == 0 &&
           (!s->channels || !only->latent_channels || only->latent_channels == s->channels);
}

static ff_status search_folder(search *s, const char *folder, ff_error *error)
{
    char path[FF_MOST_PATH];
    ff_names names;
    if (ff_list_folder(folder, &names, NULL)) {   // there is none, or it may not be read
        ff_names_free(&names);
        return FF_OK;
    }
    for (size_t i = 0; i < names.count && s->count < CANDIDATES; i++) {
        if (!ends(names.at[i], ".safetensors") && !ends(names.at[i], ".gguf"))
            continue;
        if (ff_model_path(path, folder, names.at[i], NULL) == FF_OK && is_sought(s, path))
            strcpy(s->found[s->count++], path);
    }
    ff_names_free(&names);
    return FF_OK;
}

// *out: the one file there is, to be freed, or NULL
static ff_status find_one(const char *transformer, search *s, char **out, ff_error *error)
{
    char own[FF_MOST_PATH], folder[FF_MOST_PATH];
    const char *slash = strrchr(transformer, '/');
    ff_status status = FF_OK;
    *out = NULL;
    snprintf(own, sizeof own, "%.*s", slash ? (int)(slash - transformer) : 1, slash ? transformer : ".");
    if (slash == transformer)
        strcpy(own, "/");
    for (size_t i = 0; i < sizeof folders / sizeof *folders && !status && s->count == 0; i++)
        if ((size_t)snprintf(folder, sizeof folder, *folders[i] ? "%s/%s" : "%s", own, folders[i]) < sizeof folder)
            status = search_folder(s, folder, error);
    if (status || s->count == 0)
        return status;
    if (s->count > 1)
        return ff_fail(error, FF_ERROR_INPUT, "%s and %s could both be meant; say which with --%s", s->found[0],
                       s->found[1], strcmp(s->part, "vae") == 0 ? "vae" : "text-encoder");
    *out = strdup(s->found[0]);
    return *out ? FF_OK : ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", transformer);
}

ff_status ff_find_parts(const char *transformer, bool vae, bool text_encoder, ff_found_parts *out, ff_error *error)
{
    ff_recognised_parts parts;
    const ff_recognised_part *main = NULL;
    *out = (ff_found_parts){0};
    ff_status status = ff_file_recognise(transformer, &parts, error);
    if (status)
        return status;
    for (size_t i = 0; i < parts.count; i++) {
        const char *part = parts.at[i].part ? parts.at[i].part : "";
        main = strcmp(part, "transformer") == 0 ? &parts.at[i] : main;
        vae = vae && strcmp(part, "vae") != 0;
        text_encoder = text_encoder && strcmp(part, "text_encoder") != 0;
    }
    if (!main)
        return FF_OK;
    search *s = calloc(1, sizeof *s);
    if (!s)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", transformer);
    *s = (search){.part = "vae", .channels = main->latent_channels};
    if (vae)
        status = find_one(transformer, s, &out->vae, error);
    s->part = "text_encoder";
    s->channels = s->count = 0;
    if (!status && text_encoder)
        status = find_one(transformer, s, &out->text_encoder, error);
    free(s);
    if (status)
        ff_found_parts_free(out);
    return status;
}

void ff_found_parts_free(ff_found_parts *found)
{
    free(found->vae);
    free(found->text_encoder);
    *found = (ff_found_parts){0};
}

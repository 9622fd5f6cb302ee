#include "destination.h"
#include "host.h"
#include "../pictures/output.h"
#include "../line/text_of.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool names_folder(const char *path)
{
    return ff_host_is_folder(path) || (strchr(last_part(path), '.') == NULL && strcmp(path, "-") != 0);
}

ff_status ff_destination_choose(const char *output, bool stills, uint64_t first_seed, size_t count,
                                ff_destination *out, ff_error *error)
{
    ff_output_kind kind;
    *out = (ff_destination){.output = output, .count = count, .first_seed = first_seed};
    out->folder = stills && names_folder(output);
    out->numbered = out->folder || count > 1;
    if (out->folder)
        return FF_OK;
    ff_status status = ff_output_recognise(output, &kind, error);
    if (status != FF_OK && stills && !strchr(last_part(output), '%'))
        return ff_fail(error, FF_ERROR_INPUT, "%.200s: a picture must end in .png or .webp, a folder whose name has a "
                       "dot in a /", output);
    if (status != FF_OK)
        return status;
    if (count > 1 && (kind == FF_OUTPUT_NUMBERED || strcmp(output, "-") == 0))
        return ff_fail(error, FF_ERROR_INPUT, "-o %.200s takes one result, and -n asks for %zu", output, count);
    return FF_OK;
}

char *ff_destination_path(const ff_destination *destination, size_t i)
{
    const char *output = destination->output;
    unsigned long long seed = destination->first_seed + i;
    if (destination->folder) {
        bool slash = output[strlen(output) - 1] == '/';
        return ff_text_of("%s%sseed-%04llu.png", output, slash ? "" : "/", seed);
    }
    if (!destination->numbered)
        return strdup(output);
    const char *ending = strrchr(last_part(output), '.');
    return ff_text_of("%.*s-seed-%04llu%s", (int)(ending - output), output, seed, ending);
}

char *ff_destination_sheet(const ff_destination *destination)
{
    const char *output = destination->output;
    bool slash = output[strlen(output) - 1] == '/';
    const char *ending = destination->folder ? output + strlen(output) : strrchr(last_part(output), '.');
    const char *joint = destination->folder ? (slash ? "" : "/") : "-";
    for (size_t i = 1; i < 100000; i++) {
        char number[24] = "";
        if (i > 1)
            snprintf(number, sizeof number, "-%zu", i);
        char *path = ff_text_of("%.*s%scontact%s.png", (int)(ending - output), output, joint, number);
        if (!path || !ff_host_exists(path))
            return path;
        free(path);
    }
    return NULL;
}

ff_status ff_destination_check_free(const ff_destination *destination, ff_error *error)
{
    for (size_t i = 0; destination->numbered && i < destination->count; i++) {
        char *path = ff_destination_path(destination, i);
        bool taken = path && ff_host_exists(path);
        ff_status status = FF_OK;
        if (path)
            ff_atomic_sweep(path);   // also where the run is refused
        if (!path)
            status = ff_fail(error, FF_ERROR_MEMORY, "no memory for a path");
        else if (taken)
            status = ff_fail(error, FF_ERROR_INPUT, "%s exists already; take another seed or another place, or "
                             "--resume to make only what is missing", path);
        free(path);
        if (status != FF_OK)
            return status;
    }
    return FF_OK;
}

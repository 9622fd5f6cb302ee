// report.json of a comparison.
#include "comparison.h"
#include "../files/host.h"

#include <stdlib.h>
#include <string.h>

static cJSON *drift_object(const ff_drift *drift)
{
    cJSON *object = cJSON_CreateObject();
    ff_json_number(object, "identity", drift->identity);
    ff_json_number(object, "composition", drift->composition);
    ff_json_number(object, "palette", drift->palette);
    ff_json_number(object, "style", drift->style);
    return object;
}

// One array a figure, frame by frame; null where identity was not measured.
static cJSON *curves_object(const ff_drift *drifts, size_t count)
{
    static const char *const names[] = {"identity", "composition", "palette", "style"};
    cJSON *object = cJSON_CreateObject();
    for (size_t figure = 0; figure < 4; figure++) {
        cJSON *values = cJSON_AddArrayToObject(object, names[figure]), *holder = cJSON_CreateObject();
        for (size_t t = 0; t < count; t++) {
            const double all[] = {drifts[t].identity, drifts[t].composition, drifts[t].palette, drifts[t].style};
            ff_json_number(holder, "value", all[figure]);
            cJSON_AddItemToArray(values, cJSON_DetachItemFromObject(holder, "value"));
        }
        cJSON_Delete(holder);
    }
    return object;
}

static cJSON *take_object(const ff_take *take)
{
    cJSON *object = cJSON_CreateObject();
    ff_json_text(object, "clip", take->name);
    ff_json_whole(object, "seed", take->seed);
    cJSON_AddStringToObject(object, "frames_sha256", take->frames_sha256);
    cJSON_AddItemToObject(object, "from_own_first_frame", drift_object(&take->drift.mean_from_first));
    cJSON_AddItemToObject(object, "from_still", drift_object(&take->drift.mean_from_still));
    ff_json_number(object, "flicker", take->drift.flicker);
    ff_json_number(object, "motion", take->drift.motion);
    cJSON *curves = cJSON_AddObjectToObject(object, "curves");
    cJSON_AddItemToObject(curves, "from_own_first_frame", curves_object(take->drift.from_first, take->drift.count));
    cJSON_AddItemToObject(curves, "from_still", curves_object(take->drift.from_still, take->drift.count));
    return object;
}

static cJSON *side_object(const ff_side *side, size_t seeds)
{
    cJSON *object = cJSON_CreateObject(), *clips;
    ff_json_text(object, "prompt", side->prompt);
    cJSON_AddItemToObject(object, "from_own_first_frame", drift_object(&side->from_first));
    cJSON_AddItemToObject(object, "from_still", drift_object(&side->from_still));
    cJSON_AddItemToObject(object, "spread_across_seeds", drift_object(&side->spread));
    ff_json_number(object, "flicker", side->flicker);
    ff_json_number(object, "motion", side->motion);
    clips = cJSON_AddArrayToObject(object, "clips");
    for (size_t i = 0; i < seeds; i++)
        cJSON_AddItemToArray(clips, take_object(&side->takes[i]));
    return object;
}

static cJSON *comparison_object(const ff_comparison *all)
{
    static const char *const ways[FF_WAYS] = {"anchored", "matched", "unanchored"};
    cJSON *object = cJSON_CreateObject(), *scenes;
    cJSON_AddStringToObject(object, "program", "firstframe " FF_VERSION);
    ff_json_text(object, "prompt", all->options->prompt);
    ff_json_text(object, "still", all->still_name ? all->still_name : all->still_path);
    ff_json_whole(object, "width", all->width);
    ff_json_whole(object, "height", all->height);
    ff_json_whole(object, "frames", all->frames);
    ff_json_number(object, "fps", all->fps);
    ff_json_whole(object, "steps", all->steps);
    ff_json_number(object, "guidance", all->guidance);
    const cJSON *unknown = cJSON_GetObjectItem(all->report->object, "unknown_words");
    if (unknown)
        cJSON_AddItemToObject(object, "unknown_words", cJSON_Duplicate(unknown, true));
    cJSON_AddItemToObject(object, "vae_round_trip", drift_object(&all->floor));
    scenes = cJSON_AddArrayToObject(object, "motions");
    for (size_t s = 0; s < all->scenes; s++) {
        const ff_scene *scene = &all->scene[s];
        cJSON *item = cJSON_CreateObject();
        ff_json_text(item, "motion", scene->motion);
        ff_json_text(item, "verdict", scene->verdict);
        ff_json_text(item, "pairs", scene->pairs);
        for (ff_way way = 0; way < FF_WAYS; way++)
            if (scene->sides[way].takes)
                cJSON_AddItemToObject(item, ways[way], side_object(&scene->sides[way], all->seeds));
        cJSON_AddItemToArray(scenes, item);
    }
    return object;
}

ff_status ff_compare_record_write(const ff_comparison *all, const char *path, ff_error *error)
{
    cJSON *object = comparison_object(all);
    char *text = object ? cJSON_Print(object) : NULL;
    ff_status status;
    if (text)
        status = ff_host_write_file(path, &(ff_file_part){text, strlen(text)}, 1, error);
    else
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory for %s", path);
    cJSON_free(text);
    cJSON_Delete(object);
    return status;
}

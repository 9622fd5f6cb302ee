// firstframe compare: the same idea from a still and from text alone, measured.
#include "commands.h"
#include "../compare/comparison.h"
#include "../files/encoding.h"
#include "../files/host.h"
#include "../files/model_folder.h"
#include "../line/text_of.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SEEDS 4
#define MOST_SEEDS 64

static ff_status fail_memory(ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "no memory to compare");
}

// ---- figures ----

static ff_status measure_side(ff_comparison *all, ff_side *side, size_t every, const ff_encoder *encoder,
                              ff_error *error)
{
    const ff_clip **clips = calloc(all->seeds, sizeof *clips);
    ff_drift *first = calloc(all->seeds, sizeof *first), *still = calloc(all->seeds, sizeof *still);
    ff_status status = clips && first && still ? FF_OK : fail_memory(error);
    for (size_t i = 0; i < all->seeds && status == FF_OK; i++) {
        ff_take *take = &side->takes[i];
        clips[i] = &take->clip;
        status = ff_clip_measure(&take->clip, &all->still, every, encoder, &take->drift, error);
        first[i] = take->drift.mean_from_first;
        still[i] = take->drift.mean_from_still;
        side->flicker += take->drift.flicker / (double)all->seeds;
        side->motion += take->drift.motion / (double)all->seeds;
    }
    if (status == FF_OK)
        status = ff_clip_spread(clips, all->seeds, every, encoder, &side->spread, error);
    if (status == FF_OK) {
        side->from_first = ff_drift_mean(first, all->seeds);
        side->from_still = ff_drift_mean(still, all->seeds);
    }
    free(clips);
    free(first);
    free(still);
    return status;
}

static ff_status measure(ff_comparison *all, ff_error *error)
{
    ff_model_choice choice;
    ff_model *model;
    ff_status status = ff_model_choose(&all->options->model, &choice, error);
    if (status == FF_OK)
        status = ff_model_choice_open(&choice, all->report, &model, error);
    if (status != FF_OK)
        return status;
    ff_model_facts facts = ff_model_describe(model);
    ff_encoding encoding = {model, all->options->threads};
    const ff_encoder encoder = ff_encoding_encoder(&encoding);
    for (size_t s = 0; s < all->scenes && status == FF_OK; s++) {
        ff_scene *scene = &all->scene[s];
        for (ff_way way = 0; way < FF_WAYS && status == FF_OK; way++)
            if (scene->sides[way].takes)
                status = measure_side(all, &scene->sides[way], facts.temporal_factor, &encoder, error);
        if (status == FF_OK)
            ff_comparison_judge(all, scene);
    }
    // frame 0 of an anchored clip is the still, encoded and decoded
    if (status == FF_OK)
        all->floor = all->scene[0].sides[FF_ANCHORED].takes[0].drift.from_still[0];
    ff_model_close(model);
    return status;
}

// ---- the whole ----

static ff_status write_file(const ff_comparison *all, const char *name, ff_error *error,
                            ff_status (*write)(const ff_comparison *all, const char *path, ff_error *error))
{
    char *path = ff_text_of("%s/%s", all->options->output, name);
    ff_status status = path ? write(all, path, error) : fail_memory(error);
    free(path);
    return status;
}

static ff_status write_results(ff_comparison *all, ff_error *error)
{
    ff_status status = FF_OK;
    for (size_t s = 0; s < all->scenes && status == FF_OK; s++) {
        ff_scene *scene = &all->scene[s];
        scene->pairs = all->scenes > 1 ? ff_text_of("%zu-pairs.webp", s + 1) : strdup("pairs.webp");
        char *path = scene->pairs ? ff_text_of("%s/%s", all->options->output, scene->pairs) : NULL;
        status = path ? ff_pair_sheet_write(all, scene, path, error) : fail_memory(error);
        free(path);
    }
    if (status == FF_OK)
        status = write_file(all, "report.json", error, ff_compare_record_write);
    if (status == FF_OK)
        status = write_file(all, "report.html", error, ff_compare_page_write);
    return status;
}

static void report_results(const ff_comparison *all, double seconds)
{
    ff_report *report = all->report;
    char *page = ff_text_of("%s/report.html", all->options->output);
    for (size_t s = 0; s < all->scenes; s++)
        ff_report_line(report, "%s: %s", all->scene[s].motion, all->scene[s].verdict);
    ff_report_line(report, "%s: %zu clips of %zux%zu, %zu frames, made and measured in %.1f s", page ? page : "",
                   2 * all->scenes * all->seeds, all->width, all->height, all->frames, seconds);
    if (page)
        ff_json_text(report->object, "report", page);
    ff_json_number(report->object, "seconds", seconds);
    cJSON *verdicts = cJSON_AddArrayToObject(report->object, "verdicts");
    for (size_t s = 0; s < all->scenes; s++)
        cJSON_AddItemToArray(verdicts, ff_json_text(NULL, NULL, all->scene[s].verdict));
    free(page);
}

static void free_side(ff_side *side, size_t seeds)
{
    for (size_t i = 0; side->takes && i < seeds; i++) {
        ff_take *take = &side->takes[i];
        for (size_t t = 0; t < take->clip.count; t++)
            free(take->clip.frames[t].rgb);
        free(take->clip.frames);
        ff_clip_drift_free(&take->drift);
        free(take->path);
        free(take->name);
    }
    free(side->takes);
    free(side->prompt);
}

static void free_comparison(ff_comparison *all)
{
    for (size_t s = 0; s < all->scenes; s++) {
        for (ff_way way = 0; way < FF_WAYS; way++)
            free_side(&all->scene[s].sides[way], all->seeds);
        free(all->scene[s].pairs);
    }
    free(all->still.rgb);
    free(all->still_path);
    free(all->still_name);
    free(all);
}

ff_status ff_command_compare(const ff_options *given, ff_report *report, ff_error *error)
{
    double begun = ff_host_seconds();
    ff_options options = *given;
    ff_comparison *all;
    bool made = false;
    if (!options.given[FF_OPTION_COUNT])
        options.count = DEFAULT_SEEDS;
    if (options.count > MOST_SEEDS)
        return ff_fail(error, FF_ERROR_INPUT, "--count: compare takes at most %d seeds, found %zu", MOST_SEEDS,
                       options.count);
    if (options.seed.random) {
        options.seed = (ff_seed){.value = ff_host_random()};
        ff_report_note(report, "seed %llu, drawn at random", (unsigned long long)options.seed.value);
    }
    if (options.seed.value > UINT64_MAX - (options.count - 1))
        return ff_fail(error, FF_ERROR_INPUT, "--seed %llu leaves no room for %zu seeds after it",
                       (unsigned long long)options.seed.value, options.count);
    if (!options.estimate && ff_host_exists(options.output) && !ff_host_is_folder(options.output))
        return ff_fail(error, FF_ERROR_INPUT, "%s: compare writes into a folder, and this is a file", options.output);
    all = calloc(1, sizeof *all);
    if (!all)
        return fail_memory(error);
    all->options = &options;
    all->report = report;
    all->seeds = options.count;
    all->scenes = options.motions.count;
    if (options.estimate) {
        ff_status status = ff_comparison_estimate(all, error);
        free_comparison(all);
        return status;
    }
    ff_status status = ff_host_make_folder(options.output, &made, error);
    if (status == FF_OK)
        status = ff_comparison_make(all, error);
    if (status == FF_OK)
        status = measure(all, error);
    if (status == FF_OK)
        status = write_results(all, error);
    if (status == FF_OK)
        report_results(all, ff_host_seconds() - begun);
    if (status != FF_OK && made)
        ff_host_remove_folder(options.output);   // if nothing is in it
    free_comparison(all);
    return status;
}

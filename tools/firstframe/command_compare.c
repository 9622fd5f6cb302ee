// firstframe compare: the same idea from a still and from text alone, measured.
#define _GNU_SOURCE
#include "commands.h"
#include "comparison.h"
#include "host.h"
#include "image/fit.h"
#include "measure/colour_match.h"
#include "output.h"
#include "pictures.h"
#include "run.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SEEDS 4
#define MOST_SEEDS 64

static char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text_of(const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return length < 0 ? NULL : text;
}

static ff_status fail_memory(ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "no memory to compare");
}

// ---- runs ----

// The options of one of the runs: what its command takes of those given.
static ff_options derive_options(const ff_options *options, unsigned command)
{
    ff_options out = *options;
    out.command = command;
    out.count = 1;
    for (int id = 0; id < FF_OPTIONS; id++)
        if (!(ff_option_table[id].commands & command))
            out.given[id] = false;
    out.color_match = false;
    out.given[FF_OPTION_COLOR_MATCH] = false;
    return out;
}

static void silence(ff_report *report, const ff_options *options)
{
    *report = (ff_report){.json = true, .quiet = options->quiet, .verbose = options->verbose};
    ff_report_start(report, "");
}

// The hash that the last run reported.
static void take_hash(const ff_report *report, char out[65])
{
    const cJSON *outputs = cJSON_GetObjectItem(report->object, "outputs");
    const cJSON *last = cJSON_GetArrayItem(outputs, cJSON_GetArraySize(outputs) - 1);
    const char *hash = cJSON_GetStringValue(cJSON_GetObjectItem(last, "frames_sha256"));
    snprintf(out, 65, "%s", hash ? hash : "");
}

// Keeps a small copy of a frame.
static ff_status keep_frame(ff_clip *clip, const ff_image *frame, ff_error *error)
{
    size_t width, height;
    ff_view_size(frame->width, frame->height, FF_VIEW_MOST_SIDE, &width, &height);
    ff_image *to = &clip->frames[clip->count];
    *to = (ff_image){width, height, malloc(3 * width * height)};
    if (!to->rgb)
        return fail_memory(error);
    clip->count++;
    return ff_image_resize(frame, to, error);
}

// A run's frames on their way: to the take, and with their colours matched to another one.
typedef struct watcher {
    ff_take *take, *matched;       // matched may be NULL
    const ff_image *still;         // fitted
    ff_output *output;             // of the matched clip
    ff_sha256 hash;
} watcher;

static ff_status watch(void *user, size_t index, const ff_image *rgb, ff_error *error)
{
    watcher *w = user;
    size_t bytes = 3 * rgb->width * rgb->height;
    (void)index;
    ff_status status = keep_frame(&w->take->clip, rgb, error);
    if (status != FF_OK || !w->matched)
        return status;
    ff_image copy = {rgb->width, rgb->height, malloc(bytes)};
    if (!copy.rgb)
        return fail_memory(error);
    memcpy(copy.rgb, rgb->rgb, bytes);
    status = ff_colour_match(w->still, &copy, error);
    ff_sha256_add(&w->hash, copy.rgb, bytes);
    if (status == FF_OK)
        status = keep_frame(&w->matched->clip, &copy, error);
    if (status == FF_OK)
        status = ff_output_add(w->output, &copy, error);
    free(copy.rgb);
    return status;
}

static ff_status open_matched(watcher *w, const ff_job *job, ff_error *error)
{
    const ff_output_settings settings = {
        .width = job->plan.width, .height = job->plan.height, .frames = job->plan.frames, .fps = job->fps,
        .lossless = job->options->lossless, .quality = job->options->quality,
    };
    ff_sha256_start(&w->hash);
    return ff_output_open(w->matched->path, &settings, &w->output, error);
}

static ff_status finish_matched(watcher *w, ff_error *error)
{
    uint8_t hash[32];
    ff_output *output = w->output;
    ff_sha256_finish(&w->hash, hash);
    ff_print_hash(hash, w->matched->frames_sha256);
    w->output = NULL;
    return ff_output_finish(output, NULL, error);
}

// Names a take and makes room for its frames.
static ff_status prepare_take(const ff_comparison *all, const ff_scene *scene, ff_way way, size_t frames, uint64_t seed,
                              double fps, ff_take *out, ff_error *error)
{
    static const char *const names[FF_WAYS] = {"anchored", "matched", "unanchored"};
    char number[16] = "";
    if (all->scenes > 1)
        snprintf(number, sizeof number, "%zu-", (size_t)(scene - all->scene) + 1);
    *out = (ff_take){.seed = seed, .name = text_of("%s%s-seed-%04llu.webp", number, names[way],
                                                   (unsigned long long)seed)};
    out->path = out->name ? text_of("%s/%s", all->options->output, out->name) : NULL;
    out->clip = (ff_clip){.frames = calloc(frames, sizeof *out->clip.frames), .fps = fps};
    return out->path && out->clip.frames ? FF_OK : fail_memory(error);
}

static ff_status run_take(const ff_comparison *all, ff_job *job, ff_scene *scene, ff_way way, size_t i,
                          const ff_image *still, ff_error *error)
{
    uint64_t seed = job->resolved.seed.value + i;
    ff_side *matched = &scene->sides[FF_MATCHED];
    watcher w = {.take = &scene->sides[way].takes[i], .still = still,
                 .matched = way == FF_ANCHORED && matched->takes ? &matched->takes[i] : NULL};
    ff_status status = prepare_take(all, scene, way, job->plan.frames, seed, job->fps, w.take, error);
    if (status == FF_OK && w.matched)
        status = prepare_take(all, scene, FF_MATCHED, job->plan.frames, seed, job->fps, w.matched, error);
    if (status == FF_OK && w.matched)
        status = open_matched(&w, job, error);
    job->title = ff_way_name(way);
    job->stateless = true;
    job->watcher = &w;
    job->watch = watch;
    if (status == FF_OK)
        status = ff_run_seed(job, seed, w.take->path, true, NULL, error);
    if (status == FF_OK)
        take_hash(job->report, w.take->frames_sha256);
    if (status == FF_OK && w.matched)
        status = finish_matched(&w, error);
    ff_output_abandon(w.output);
    return status;
}

static ff_status run_takes(ff_comparison *all, ff_job *job, ff_scene *scene, ff_way way, const ff_image *still,
                           ff_error *error)
{
    ff_side *side = &scene->sides[way];
    side->takes = calloc(all->seeds, sizeof *side->takes);
    ff_status status = side->takes ? FF_OK : fail_memory(error);
    for (size_t i = 0; i < all->seeds && status == FF_OK; i++)
        status = run_take(all, job, scene, way, i, still, error);
    return status;
}

// The still as the clips see it, and a small copy for the figures.
static ff_status fit_still(ff_comparison *all, const ff_job *job, ff_image *out, ff_error *error)
{
    ff_clip copy = {.frames = &all->still};
    ff_status status = ff_fit_image(&job->image, job->request.fit, job->plan.width, job->plan.height, out, NULL, error);
    if (status != FF_OK || all->still.rgb)
        return status;
    return keep_frame(&copy, out, error);
}

// Clips from the still; the prompt is the motion alone.
static ff_status run_anchored(ff_comparison *all, ff_scene *scene, ff_report *report, ff_error *error)
{
    ff_options options = derive_options(all->options, FF_COMMAND_I2V);
    ff_side *matched = &scene->sides[FF_MATCHED];
    ff_image still = {0};
    ff_job job;
    options.prompt = scene->motion;
    options.image = all->still_path;
    options.given[FF_OPTION_IMAGE] = true;
    scene->sides[FF_ANCHORED].prompt = strdup(scene->motion);
    if (!scene->sides[FF_ANCHORED].prompt)
        return fail_memory(error);
    ff_status status = ff_job_open(&job, FF_IMAGE_TO_VIDEO, &options, report, error);
    if (status != FF_OK)
        return status;
    job.request.image = &job.image;
    status = ff_job_read_picture(&job, FF_OPTION_IMAGE, &job.image, error);
    if (status == FF_OK)
        status = ff_job_plan(&job, error);
    if (status == FF_OK)
        status = ff_job_check_memory(&job, error);
    if (status == FF_OK)
        status = fit_still(all, &job, &still, error);
    if (status == FF_OK && all->options->color_match &&
        (!(matched->takes = calloc(all->seeds, sizeof *matched->takes)) || !(matched->prompt = strdup(scene->motion))))
        status = fail_memory(error);
    if (status == FF_OK) {
        all->width = job.plan.width;
        all->height = job.plan.height;
        all->frames = job.plan.frames;
        all->steps = job.plan.steps;
        all->guidance = job.plan.guidance_scale;
        all->fps = job.fps;
        status = run_takes(all, &job, scene, FF_ANCHORED, &still, error);
    }
    free(still.rgb);
    ff_job_close(&job);
    return status;
}

// "STILL. MOTION"
static char *join_prompts(const char *still, const char *motion)
{
    size_t length = strlen(still);
    while (length && (isspace((unsigned char)still[length - 1]) || strchr(".,;", still[length - 1])))
        length--;
    return text_of("%.*s. %s", (int)length, still, motion);
}

// Clips of the same size and length from text alone.
static ff_status run_unanchored(ff_comparison *all, ff_scene *scene, ff_report *report, ff_error *error)
{
    ff_options options = derive_options(all->options, FF_COMMAND_T2V);
    ff_job job;
    options.size = (ff_size){all->width, all->height};
    options.given[FF_OPTION_WIDTH] = options.given[FF_OPTION_HEIGHT] = true;
    options.prompt = scene->sides[FF_UNANCHORED].prompt = join_prompts(all->options->prompt, scene->motion);
    if (!options.prompt)
        return fail_memory(error);
    ff_status status = ff_job_open(&job, FF_TEXT_TO_VIDEO, &options, report, error);
    if (status != FF_OK)
        return status;
    status = ff_job_plan(&job, error);
    if (status == FF_OK)
        status = ff_job_check_memory(&job, error);
    if (status == FF_OK)
        status = run_takes(all, &job, scene, FF_UNANCHORED, NULL, error);
    ff_job_close(&job);
    return status;
}

static ff_status make_still(ff_comparison *all, ff_report *report, ff_error *error)
{
    ff_options options = derive_options(all->options, FF_COMMAND_T2I);
    ff_job job;
    if (all->options->image) {
        all->still_path = strdup(all->options->image);
        return all->still_path ? FF_OK : fail_memory(error);
    }
    all->still_name = strdup("still.png");
    all->still_path = text_of("%s/still.png", all->options->output);
    if (!all->still_name || !all->still_path)
        return fail_memory(error);
    ff_status status = ff_job_open(&job, FF_TEXT_TO_IMAGE, &options, report, error);
    if (status != FF_OK)
        return status;
    job.title = "still";
    job.stateless = true;
    status = ff_job_plan(&job, error);
    if (status == FF_OK)
        status = ff_job_check_memory(&job, error);
    if (status == FF_OK)
        status = ff_run_seed(&job, job.resolved.seed.value, all->still_path, true, NULL, error);
    ff_job_close(&job);
    return status;
}

// ---- figures ----

typedef struct encoding {
    ff_model *model;
    size_t threads;
} encoding;

static ff_status encode(void *user, const ff_image *image, float *features, ff_error *error)
{
    const encoding *e = user;
    if (ff_host_interrupted())
        return ff_fail(error, FF_CANCELLED, "interrupted while measuring; the clips are there");
    return ff_encode_image(e->model, image, 1, e->threads, features, error);
}

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
    char folder[FF_LONGEST_PATH];
    encoding e = {.threads = all->options->threads};
    ff_status status = ff_model_folder_find(all->options->model, folder, error);
    if (status == FF_OK)
        status = ff_model_open(folder, &e.model, error);
    if (status != FF_OK)
        return status;
    ff_model_facts facts = ff_model_describe(e.model);
    const ff_encoder encoder = {facts.latent_channels, facts.spatial_factor, encode, &e};
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
    ff_model_close(e.model);
    return status;
}

// ---- the whole ----

static ff_status make_scenes(ff_comparison *all, ff_error *error)
{
    ff_report report;
    silence(&report, all->options);
    ff_status status = make_still(all, &report, error);
    for (size_t s = 0; s < all->scenes && status == FF_OK; s++) {
        ff_scene *scene = &all->scene[s];
        scene->motion = all->options->motions.texts[s];
        status = run_anchored(all, scene, &report, error);
        if (status == FF_OK)
            status = run_unanchored(all, scene, &report, error);
    }
    cJSON_Delete(report.object);
    return status;
}

static ff_status write_file(const ff_comparison *all, const char *name, ff_error *error,
                            ff_status (*write)(const ff_comparison *all, const char *path, ff_error *error))
{
    char *path = text_of("%s/%s", all->options->output, name);
    ff_status status = path ? write(all, path, error) : fail_memory(error);
    free(path);
    return status;
}

static ff_status write_results(ff_comparison *all, ff_error *error)
{
    ff_status status = FF_OK;
    for (size_t s = 0; s < all->scenes && status == FF_OK; s++) {
        ff_scene *scene = &all->scene[s];
        scene->pairs = all->scenes > 1 ? text_of("%zu-pairs.webp", s + 1) : strdup("pairs.webp");
        char *path = scene->pairs ? text_of("%s/%s", all->options->output, scene->pairs) : NULL;
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
    char *page = text_of("%s/report.html", all->options->output);
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
    if (ff_host_exists(options.output) && !ff_host_is_folder(options.output))
        return ff_fail(error, FF_ERROR_INPUT, "%s: compare writes into a folder, and this is a file", options.output);
    all = calloc(1, sizeof *all);
    if (!all)
        return fail_memory(error);
    all->options = &options;
    all->report = report;
    all->seeds = options.count;
    all->scenes = options.motions.count;
    ff_status status = ff_host_make_folder(options.output, &made, error);
    if (status == FF_OK)
        status = make_scenes(all, error);
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

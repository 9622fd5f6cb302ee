// The clips that `compare` measures: from the still and from text alone, and what making them would take.
#include "comparison.h"
#include "../run/estimate.h"
#include "../files/host.h"
#include "image/fit.h"
#include "../pictures/kept.h"
#include "image/colour_match.h"
#include "../pictures/output.h"
#include "../run/seed_run.h"
#include "../line/text_of.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        .colours = &job->original.colours,
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
    *out = (ff_take){.seed = seed, .name = ff_text_of("%s%s-seed-%04llu.webp", number, names[way],
                                                   (unsigned long long)seed)};
    out->path = out->name ? ff_text_of("%s/%s", all->options->output, out->name) : NULL;
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

// Notes the words of all prompts that the model does not know, once for all jobs.
static ff_status note_words(ff_comparison *all, const ff_job *job, ff_error *error)
{
    const ff_texts *motions = &all->options->motions;
    const char *texts[FF_MOST_TEXTS + 1] = {all->options->prompt};
    if (all->words_noted)
        return FF_OK;
    all->words_noted = true;
    memcpy(texts + 1, motions->texts, motions->count * sizeof *texts);
    return ff_job_note_words(job, texts, 1 + motions->count, all->report, error);
}

// A job for the clips from the still, planned; the prompt is the motion alone. Without a still yet, it is planned with
// a blank one of the comparison's size.
static ff_status open_anchored(ff_comparison *all, const char *motion, ff_options *options, ff_report *report,
                               ff_job *job, ff_error *error)
{
    *options = derive_options(all->options, FF_COMMAND_I2V);
    options->prompt = motion;
    options->image = all->still_path;
    options->given[FF_OPTION_IMAGE] = all->still_path != NULL;
    ff_status status = ff_job_open(job, FF_IMAGE_TO_VIDEO, options, report, error);
    if (status != FF_OK)
        return status;
    job->request.image = &job->image;
    if (all->still_path)
        status = ff_job_read_image(job, error);
    else if (!(job->image = (ff_image){all->width, all->height, calloc(all->width, 3 * all->height)}).rgb)
        status = fail_memory(error);
    if (status == FF_OK)
        status = ff_job_plan(job, error);
    if (status == FF_OK)
        status = note_words(all, job, error);
    if (status != FF_OK)
        ff_job_close(job);
    return status;
}

static void take_plan(ff_comparison *all, const ff_job *job)
{
    all->width = job->plan.width;
    all->height = job->plan.height;
    all->frames = job->plan.frames;
    all->steps = job->plan.steps;
    all->guidance = job->plan.guidance_scale;
    all->fps = job->fps;
}

static ff_status run_anchored(ff_comparison *all, ff_scene *scene, ff_report *report, ff_error *error)
{
    ff_side *matched = &scene->sides[FF_MATCHED];
    ff_image still = {0};
    ff_options options;
    ff_job job;
    if (!(scene->sides[FF_ANCHORED].prompt = strdup(scene->motion)))
        return fail_memory(error);
    ff_status status = open_anchored(all, scene->motion, &options, report, &job, error);
    if (status != FF_OK)
        return status;
    status = ff_job_check_memory(&job, error);
    if (status == FF_OK)
        status = fit_still(all, &job, &still, error);
    if (status == FF_OK && all->options->color_match &&
        (!(matched->takes = calloc(all->seeds, sizeof *matched->takes)) || !(matched->prompt = strdup(scene->motion))))
        status = fail_memory(error);
    if (status == FF_OK) {
        take_plan(all, &job);
        if (scene == all->scene)
            ff_kept_note_page(&job, all->report);
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
    return ff_text_of("%.*s. %s", (int)length, still, motion);
}

// A job for the clips of the same size and length from text alone, planned.
static ff_status open_unanchored(const ff_comparison *all, const char *prompt, ff_options *options, ff_report *report,
                                 ff_job *job, ff_error *error)
{
    *options = derive_options(all->options, FF_COMMAND_T2V);
    options->size = (ff_size){all->width, all->height};
    options->given[FF_OPTION_WIDTH] = options->given[FF_OPTION_HEIGHT] = true;
    options->prompt = prompt;
    ff_status status = ff_job_open(job, FF_TEXT_TO_VIDEO, options, report, error);
    if (status != FF_OK)
        return status;
    status = ff_job_plan(job, error);
    if (status != FF_OK)
        ff_job_close(job);
    return status;
}

static ff_status run_unanchored(ff_comparison *all, ff_scene *scene, ff_report *report, ff_error *error)
{
    ff_options options;
    ff_job job;
    char *prompt = scene->sides[FF_UNANCHORED].prompt = join_prompts(all->options->prompt, scene->motion);
    if (!prompt)
        return fail_memory(error);
    ff_status status = open_unanchored(all, prompt, &options, report, &job, error);
    if (status != FF_OK)
        return status;
    status = ff_job_check_memory(&job, error);
    if (status == FF_OK)
        status = run_takes(all, &job, scene, FF_UNANCHORED, NULL, error);
    ff_job_close(&job);
    return status;
}

static ff_status open_still(ff_comparison *all, ff_options *options, ff_report *report, ff_job *job,
                            ff_error *error)
{
    *options = derive_options(all->options, FF_COMMAND_T2I);
    ff_status status = ff_job_open(job, FF_TEXT_TO_IMAGE, options, report, error);
    if (status != FF_OK)
        return status;
    job->title = "still";
    job->stateless = true;
    status = ff_job_plan(job, error);
    if (status == FF_OK)
        status = note_words(all, job, error);
    if (status != FF_OK)
        ff_job_close(job);
    return status;
}

static ff_status make_still(ff_comparison *all, ff_report *report, ff_error *error)
{
    ff_options options;
    ff_job job;
    if (all->options->image) {
        all->still_path = strdup(all->options->image);
        return all->still_path ? FF_OK : fail_memory(error);
    }
    all->still_name = strdup("still.png");
    all->still_path = ff_text_of("%s/still.png", all->options->output);
    if (!all->still_name || !all->still_path)
        return fail_memory(error);
    ff_status status = open_still(all, &options, report, &job, error);
    if (status != FF_OK)
        return status;
    status = ff_job_check_memory(&job, error);
    if (status == FF_OK)
        status = ff_run_seed(&job, job.resolved.seed.value, all->still_path, true, NULL, error);
    ff_job_close(&job);
    return status;
}

// ---- all of them ----

ff_status ff_comparison_make(ff_comparison *all, ff_error *error)
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

// ---- what they would take ----

static ff_status estimate_still(ff_comparison *all, ff_estimate *estimate, ff_report *report, ff_error *error)
{
    ff_options options;
    ff_job job;
    if (all->options->image) {
        all->still_path = strdup(all->options->image);
        return all->still_path ? FF_OK : fail_memory(error);
    }
    ff_status status = open_still(all, &options, report, &job, error);
    if (status != FF_OK)
        return status;
    take_plan(all, &job);
    ff_estimate_add_runs(estimate, "still", &job, 1);
    ff_job_close(&job);
    return FF_OK;
}

// All motions' clips are of one length: the first motion's stand for all.
static ff_status estimate_clips(ff_comparison *all, ff_estimate *estimate, ff_report *report, ff_error *error)
{
    const char *motion = all->options->motions.texts[0];
    char *prompt = join_prompts(all->options->prompt, motion);
    size_t clips = all->scenes * all->seeds, sides = all->options->color_match ? 3 : 2;
    ff_options options, unanchored_options;
    ff_job job, unanchored;
    ff_status status = prompt ? open_anchored(all, motion, &options, report, &job, error) : fail_memory(error);
    if (status == FF_OK) {
        take_plan(all, &job);
        ff_estimate_add_runs(estimate, ff_way_name(FF_ANCHORED), &job, clips);
        status = open_unanchored(all, prompt, &unanchored_options, report, &unanchored, error);
        if (status == FF_OK) {
            ff_estimate_add_runs(estimate, ff_way_name(FF_UNANCHORED), &unanchored, clips);
            ff_estimate_add_figures(estimate, &job, all->scenes * sides, all->seeds);
            ff_job_close(&unanchored);
        }
        ff_job_close(&job);
    }
    free(prompt);
    return status;
}

ff_status ff_comparison_estimate(ff_comparison *all, ff_error *error)
{
    ff_report report;
    ff_estimate estimate;
    silence(&report, all->options);
    ff_status status = ff_estimate_start(&estimate, all->options, all->report, error);
    if (status == FF_OK)
        status = estimate_still(all, &estimate, &report, error);
    if (status == FF_OK)
        status = estimate_clips(all, &estimate, &report, error);
    if (status == FF_OK)
        ff_estimate_finish(&estimate);
    cJSON_Delete(report.object);
    return status;
}

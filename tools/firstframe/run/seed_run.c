#include "seed_run.h"
#include "../files/host.h"
#include "../pictures/kept.h"
#include "../pictures/output.h"
#include "../pictures/pictures.h"
#include "../pictures/preview.h"
#include "../line/progress.h"
#include "record.h"
#include "resume_run.h"
#include "../pictures/show.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG_RUN_SECONDS 3.0   // from there on the state is kept after each step

typedef struct run {
    ff_job *job;
    uint64_t seed;
    const char *path;
    char title[64];
    cJSON *record;
    char *record_text;     // without what is only known at the end
    char *state_path;      // NULL: no state is kept
    char *other_state_path;  // the state that was found under another ending, or NULL
    uint8_t *state;        // to go on from
    size_t state_size;
    bool state_kept, state_failed;
    bool stopping;        // interrupted, and seen so by on_state
    size_t steps;          // since this run began
    double begun;
    ff_display display;
    ff_output *output;
    ff_image *still;
    ff_image shown;        // what --show will show
    ff_preview preview;
    bool preview_noted;
} run;

cJSON *ff_run_record(const ff_job *job, uint64_t seed)
{
    ff_options options = job->resolved;
    options.seed = (ff_seed){.value = seed};
    return ff_record_create(&options, &job->input_hashes, job->model_hash);
}

// ---- callbacks ----

static bool on_progress(void *user, const ff_progress *progress)
{
    run *one = user;
    ff_display_show(&one->display, progress);
    // an interruption that came after the step's state was passed over waits for the next one, or none would be kept
    bool between = progress->stage == FF_STAGE_DENOISE && one->state_path && one->steps > 0 && !one->stopping &&
                   !one->state_kept && !one->state_failed && progress->done < progress->total;
    return !between && ff_host_interrupted();
}

static ff_status copy_picture(const ff_image *rgb, ff_image *out, ff_error *error)
{
    size_t bytes = 3 * rgb->width * rgb->height;
    *out = (ff_image){rgb->width, rgb->height, malloc(bytes)};
    if (!out->rgb)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for a copy of a frame");
    memcpy(out->rgb, rgb->rgb, bytes);
    return FF_OK;
}

static ff_status on_frame(void *user, size_t index, const ff_image *rgb, ff_error *error)
{
    run *one = user;
    ff_status status = FF_OK;
    if (one->still && index == 0)
        status = copy_picture(rgb, one->still, error);
    if (status == FF_OK && one->job->options->show && index + 1 == one->job->plan.frames)
        status = copy_picture(rgb, &one->shown, error);
    if (status == FF_OK)
        status = one->job->watch ? one->job->watch(one->job->watcher, index, rgb, error) : FF_OK;
    return status == FF_OK && one->output ? ff_kept_add(one->job, one->output, rgb, error) : status;
}

static ff_status on_tensor(void *user, const char *name, int rank, const size_t *shape, const float *data,
                           ff_error *error)
{
    run *one = user;
    ff_job *job = one->job;
    ff_status status = FF_OK;
    if (one->preview.path)
        status = ff_preview_watch(&one->preview, name, data, shape, error);
    if (one->preview.failed && !one->preview_noted) {
        one->preview_noted = true;
        ff_display_clear(&one->display);
        ff_report_note(job->report, "%s; the run goes on without a preview", one->preview.trouble.message);
    }
    if (status == FF_OK && job->watch_tensor)
        status = job->watch_tensor(job->watcher, name, rank, shape, data, error);
    return status;
}

// Keeps the state of a run that takes long or is about to be interrupted. That it cannot be written ends no run.
static ff_status on_state(void *user, const void *bytes, size_t size, ff_error *error)
{
    run *one = user;
    ff_error trouble;
    one->steps++;
    double expected = (ff_host_seconds() - one->begun) * (double)one->job->plan.steps / (double)one->steps;
    one->stopping = ff_host_interrupted();
    if (one->state_failed || (expected < LONG_RUN_SECONDS && !one->stopping))
        return FF_OK;
    if (ff_state_write(one->state_path, one->record_text, bytes, size, &trouble) == FF_OK) {
        one->state_kept = true;
        return FF_OK;
    }
    one->state_failed = true;
    ff_display_clear(&one->display);
    ff_report_note(one->job->report, "%s; the run goes on, but could not be resumed", trouble.message);
    return FF_OK;
}

// ---- beginning and end ----

static ff_status prepare(run *one, ff_error *error)
{
    const ff_options *options = one->job->options;
    bool keeps_state = one->path && strcmp(one->path, "-") != 0 && !options->dump && !one->job->stateless;
    one->record = ff_run_record(one->job, one->seed);
    one->record_text = one->record ? cJSON_PrintUnformatted(one->record) : NULL;
    if (keeps_state)
        one->state_path = ff_state_path(one->path);
    if (!one->record_text || (keeps_state && !one->state_path))
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for the record of the run");
    if (one->state_path)
        ff_atomic_sweep(one->state_path);  // this run may be too short to write one
    if (!one->state_path || !options->resume) {
        if (one->state_path && ff_host_exists(one->state_path))
            ff_report_note(one->job->report, "%s is left from an interrupted run; this one starts over",
                           one->state_path);
        return FF_OK;
    }
    bool begun = ff_host_exists(one->state_path);
    if (!begun && ff_state_find_other(one->path, one->record, &one->other_state_path, &one->state, &one->state_size)) {
        one->state_kept = true;
        ff_report_note(one->job->report, "goes on from %s", one->other_state_path);
        return FF_OK;
    }
    if (!begun && options->count > 1)
        return FF_OK;
    if (!begun && !ff_host_exists(one->path)) {  // interrupted before its first step was done
        ff_report_note(one->job->report, "there is no %s; the run starts from the beginning", one->state_path);
        return FF_OK;
    }
    ff_status status = ff_state_read(one->state_path, one->record, &one->state, &one->state_size, error);
    one->state_kept = status == FF_OK;
    return status;
}

static ff_status open_output(run *one, ff_error *error)
{
    const ff_job *job = one->job;
    const ff_output_settings settings = {
        .width = job->plan.width, .height = job->plan.height, .frames = job->plan.frames, .fps = job->fps,
        .lossless = ff_kept_lossless(job->options), .quality = job->options->quality,
        .colours = &job->original.colours,
    };
    return one->path ? ff_output_open(one->path, &settings, &one->output, error) : FF_OK;
}

// For `again`: the frames must be those that were made before.
static ff_status check_frames(const run *one, const char *hash, ff_error *error)
{
    const ff_expectation *expected = one->job->options->expected;
    bool same = expected && strcmp(expected->frames_sha256, hash) == 0;
    if (!expected)
        return FF_OK;
    cJSON_AddBoolToObject(one->job->report->object, "identical", same);
    if (same)
        return FF_OK;
    return ff_fail(error, FF_ERROR_IO, "%s cannot be made again: its frames_sha256 is %.12s, now it is %.12s%s%s",
                   expected->source, expected->frames_sha256, hash, one->path ? "; the new frames are in " : "",
                   one->path ? one->path : "");
}

static ff_status finish_output(run *one, const ff_result *result, ff_error *error)
{
    char *metadata = NULL;
    ff_output *output = one->output;
    ff_record_complete(one->record, &one->job->plan, one->job->fps, result->frames_sha256);
    if (!output)
        return FF_OK;
    if (!one->job->options->no_metadata && !(metadata = cJSON_PrintUnformatted(one->record)))
        return ff_fail(error, FF_ERROR_MEMORY, "%s: no memory for its metadata", one->path);
    one->output = NULL;
    ff_status status = ff_output_finish(output, metadata, error);
    cJSON_free(metadata);
    if (status == FF_OK && one->state_path)
        ff_host_remove_file(one->state_path);
    if (status == FF_OK && one->other_state_path)
        ff_host_remove_file(one->other_state_path);
    return status;
}

// ---- reports ----

static cJSON *report_output(ff_job *job, const char *path, uint64_t seed, const char *hash)
{
    cJSON *object = job->report->object, *outputs = cJSON_GetObjectItem(object, "outputs");
    cJSON *output = cJSON_CreateObject();
    if (!outputs)
        outputs = cJSON_AddArrayToObject(object, "outputs");
    if (path)
        ff_json_text(output, "path", path);
    ff_json_whole(output, "seed", seed);
    if (hash)
        cJSON_AddStringToObject(output, "frames_sha256", hash);
    cJSON_AddItemToArray(outputs, output);
    return output;
}

static void report_plan(ff_job *job)
{
    cJSON *object = job->report->object;
    const ff_plan *plan = &job->plan;
    if (cJSON_GetObjectItem(object, "width"))
        return;
    ff_json_whole(object, "width", plan->width);
    ff_json_whole(object, "height", plan->height);
    ff_json_whole(object, "frames", plan->frames);
    if (plan->frames > 1)
        ff_json_number(object, "fps", job->fps);
    ff_json_whole(object, "steps", plan->steps);
    ff_json_number(object, "guidance", plan->guidance_scale);
    ff_json_number(object, "flow_shift", plan->flow_shift);
    cJSON_AddStringToObject(object, "scheduler", plan->scheduler);
    ff_json_hash(object, "model_sha256", job->model_hash);
}

// Seconds, rounded to whole milliseconds.
static double round_seconds(double seconds)
{
    return floor(1000 * seconds + 0.5) / 1000;
}

static void report_run(run *one, const ff_result *result, const char *hash, bool several)
{
    ff_job *job = one->job;
    cJSON *object = job->report->object, *output, *seconds;
    double total = ff_host_seconds() - one->begun;
    const char *written = one->path ? one->path : job->options->dump;
    char clip[96] = "";
    report_plan(job);
    output = report_output(job, one->path, one->seed, hash);
    seconds = cJSON_AddObjectToObject(output, "seconds");
    ff_json_number(seconds, "text", round_seconds(result->seconds_text));
    ff_json_number(seconds, "encode", round_seconds(result->seconds_encode));
    ff_json_number(seconds, "denoise", round_seconds(result->seconds_denoise));
    ff_json_number(seconds, "decode", round_seconds(result->seconds_decode));
    ff_json_number(seconds, "total", round_seconds(total));
    ff_json_whole(output, "scratch_bytes", result->peak_memory_bytes);
    cJSON_DeleteItemFromObject(object, "peak_memory_bytes");
    ff_json_whole(object, "peak_memory_bytes", ff_peak_memory());
    if (!several) {
        if (one->path)
            ff_json_text(object, "output", one->path);
        ff_json_whole(object, "seed", one->seed);
        cJSON_AddStringToObject(object, "frames_sha256", hash);
    }
    if (several && !job->report->verbose)
        return;
    if (job->plan.frames > 1)
        snprintf(clip, sizeof clip, "%zu frames, %.3f s at %g fps, ", job->plan.frames,
                 (double)job->plan.frames / job->fps, job->fps);
    ff_report_line(job->report, "%s: %s%zux%zu, seed %llu, made in %.1f s, frames_sha256 %.12s",
                   written ? written : "not written", clip, job->plan.width, job->plan.height,
                   (unsigned long long)one->seed, total, hash);
}

void ff_run_report_kept(ff_job *job, const char *path, uint64_t seed, const cJSON *record)
{
    cJSON *output = report_output(job, path, seed, ff_record_text(record, "frames_sha256"));
    cJSON_AddTrueToObject(output, "kept");
    if (job->report->verbose)
        ff_report_line(job->report, "%s: kept", path);
}

static ff_status explain_stop(const run *one, ff_status status, ff_error *error)
{
    const char *kept = one->other_state_path && one->steps == 0 ? one->other_state_path : one->state_path;
    if (status == FF_CANCELLED && one->state_kept)
        return ff_fail(error, status, "interrupted; %s keeps what was done, and the same command with --resume goes on "
                       "from there", kept);
    if (status == FF_CANCELLED && one->path && strcmp(one->path, "-") == 0)
        return ff_fail(error, status, "interrupted; what went to standard output is not the whole clip");
    if (status == FF_CANCELLED)
        return ff_fail(error, status, "interrupted; nothing of %s was written", one->path ? one->path : "the run");
    if (status == FF_ERROR_NOT_FINITE && one->state_kept && !one->state) {  // going on from it would end here again
        ff_host_remove_file(one->state_path);
        return status;
    }
    if (one->state_kept)
        ff_report_note(one->job->report, "%s keeps what was done; --resume goes on from there", kept);
    return status;
}

static ff_status show(const run *one, ff_error *error)
{
    const ff_report *report = one->job->report;
    FILE *stream = report->stdout_taken || report->json ? stderr : stdout;
    return ff_show_picture(stream, ff_show_recognise(), ff_host_terminal_width(stream), &one->shown, error);
}

ff_status ff_run_seed(ff_job *job, uint64_t seed, const char *path, bool several, ff_image *still, ff_error *error)
{
    run one = {.job = job, .seed = seed, .path = path, .still = still, .begun = ff_host_seconds()};
    ff_request request = job->request;
    ff_result result;
    char hash[65];
    ff_host_catch_signals();
    ff_status status = prepare(&one, error);
    if (status == FF_OK && job->options->preview)
        status = ff_preview_open(job->model, &job->plan, job->options->preview, request.threads, &one.preview, error);
    if (status == FF_OK)
        status = open_output(&one, error);
    if (status == FF_OK) {
        if (several)
            snprintf(one.title, sizeof one.title, "%.30s%sseed %llu", job->title ? job->title : "",
                     job->title ? ", " : "", (unsigned long long)seed);
        ff_display_start(&one.display, &job->plan, several ? one.title : NULL, job->report->quiet,
                         job->report->verbose);
        request.seed = seed;
        request.user = &one;
        request.progress = on_progress;
        request.frame = on_frame;
        request.tensor = job->watch_tensor || one.preview.path ? on_tensor : NULL;
        request.state = one.state_path ? on_state : NULL;
        request.resume_state = one.state;
        request.resume_size = one.state_size;
        status = ff_run(job->model, &request, &result, error);
        ff_display_clear(&one.display);
        if (status == FF_OK)
            status = ff_host_check_interrupt("writing", error);
        if (status == FF_OK)
            status = finish_output(&one, &result, error);
        if (status == FF_ERROR_IO && ff_host_interrupted())   // a signal ends what a write waits for
            status = FF_CANCELLED;
        if (status != FF_OK)
            status = explain_stop(&one, status, error);
    }
    if (status == FF_OK) {
        ff_print_hash(result.frames_sha256, hash);
        report_run(&one, &result, hash, several);
        status = check_frames(&one, hash, error);
        if (status == FF_OK && job->options->show)
            status = show(&one, error);
    }
    ff_preview_close(&one.preview);
    ff_picture_free(&one.shown);
    ff_output_abandon(one.output);
    free(one.state);
    free(one.state_path);
    free(one.other_state_path);
    cJSON_free(one.record_text);
    cJSON_Delete(one.record);
    return status;
}

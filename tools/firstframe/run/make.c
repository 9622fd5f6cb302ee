#include "make.h"
#include "../before/long_run.h"
#include "../before/room.h"
#include "../draw/contact_sheet.h"
#include "../files/destination.h"
#include "../files/host.h"
#include "../pictures/kept.h"
#include "../files/metadata.h"
#include "../pictures/output.h"
#include "../pictures/pictures.h"
#include "record.h"
#include "seed_run.h"
#include "../video/ffmpeg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHEET_SIDE 320   // longest side of a still on the contact sheet, in pixels

// All runs of a job.
typedef struct batch {
    ff_job *job;
    ff_destination destination;
    bool writes;              // there is an output at all
    bool sheet;
    ff_image *cells;          // [count] for the contact sheet
    double begun;
} batch;

// ---- results that are there already (--resume) ----

// The record in a picture; NULL if it has none that can be read.
static cJSON *read_record(const char *path)
{
    char *text;
    if (ff_metadata_read(path, &text, NULL) != FF_OK)
        return NULL;
    cJSON *record = cJSON_Parse(text);
    free(text);
    return record;
}

// FF_ERROR_INPUT unless every result that exists is what this run would make.
static ff_status check_existing(const batch *all, ff_error *error)
{
    ff_status status = FF_OK;
    for (size_t i = 0; i < all->destination.count && status == FF_OK; i++) {
        char difference[320] = "it does not say what made it";
        char *path = ff_destination_path(&all->destination, i);
        cJSON *now = NULL, *then = NULL;
        if (!path) {
            status = ff_fail(error, FF_ERROR_MEMORY, "no memory for a path");
        } else if (ff_host_exists(path)) {
            now = ff_run_record(all->job, all->destination.first_seed + i);
            then = read_record(path);
            if (!now)
                status = ff_fail(error, FF_ERROR_MEMORY, "%s: no memory for its record", path);
            else if (!then || ff_record_differs(then, now, difference, sizeof difference))
                status = ff_fail(error, FF_ERROR_INPUT, "%s exists and is not this run's (%s)", path, difference);
        }
        cJSON_Delete(then);
        cJSON_Delete(now);
        free(path);
    }
    return status;
}

// ---- contact sheet ----

// Keeps a small copy of a still for the sheet.
static ff_status keep_cell(ff_image *cell, const ff_image *still, ff_error *error)
{
    size_t longest = still->width > still->height ? still->width : still->height;
    *cell = (ff_image){still->width, still->height, NULL};
    if (longest > SHEET_SIDE) {
        cell->width = (still->width * SHEET_SIDE + longest / 2) / longest;
        cell->height = (still->height * SHEET_SIDE + longest / 2) / longest;
        cell->width += cell->width == 0;
        cell->height += cell->height == 0;
    }
    cell->rgb = malloc(3 * cell->width * cell->height);
    if (!cell->rgb)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for the contact sheet");
    return ff_image_resize(still, cell, error);
}

static ff_status write_sheet(batch *all, char **path, ff_error *error)
{
    size_t count = all->destination.count;
    char (*texts)[32] = calloc(count, sizeof *texts);
    const char **labels = calloc(count, sizeof *labels);
    ff_image sheet = {0};
    ff_status status;
    *path = ff_destination_sheet(&all->destination);
    if (texts && labels && *path) {
        for (size_t i = 0; i < count; i++) {
            snprintf(texts[i], sizeof texts[i], "seed %llu",
                     (unsigned long long)(all->destination.first_seed + i));
            labels[i] = texts[i];
        }
        status = ff_contact_sheet_draw(all->cells, labels, count, &sheet, error);
        if (status == FF_OK)
            status = ff_output_still(*path, &sheet, &all->job->original.colours, NULL, error);
        ff_picture_free(&sheet);
    } else {
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory for the contact sheet");
    }
    free(labels);
    free(texts);
    return status;
}

// ---- the runs ----

static ff_status take_existing(batch *all, const char *path, size_t i, ff_error *error)
{
    ff_image still = {0};
    cJSON *record = read_record(path);
    ff_run_report_kept(all->job, path, all->destination.first_seed + i, record);
    cJSON_Delete(record);
    if (!all->sheet)
        return FF_OK;
    ff_status status = ff_picture_read(path, &still, error);
    if (status == FF_OK)
        status = keep_cell(&all->cells[i], &still, error);
    ff_picture_free(&still);
    return status;
}

static ff_status make_one(batch *all, size_t i, ff_error *error)
{
    ff_image still = {0};
    char *path = all->writes ? ff_destination_path(&all->destination, i) : NULL;
    ff_status status;
    if (all->writes && !path)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for a path");
    if (path && all->destination.numbered && ff_host_exists(path)) {
        status = take_existing(all, path, i, error);
    } else {
        status = ff_run_seed(all->job, all->destination.first_seed + i, path, all->destination.numbered,
                             all->sheet ? &still : NULL, error);
        if (status == FF_OK && all->sheet)
            status = keep_cell(&all->cells[i], &still, error);
    }
    ff_picture_free(&still);
    free(path);
    if (status == FF_CANCELLED && all->destination.count > 1 && i > 0)
        ff_report_note(all->job->report, "%zu of %zu were finished and stay; the same command with --resume makes the "
                       "others", i, all->destination.count);
    return status;
}

// "10 results of 128x128: a/seed-0000.png to a/seed-0009.png and a/contact.png, made in 83.1 s"
static ff_status report_all(batch *all, const char *sheet, ff_error *error)
{
    const ff_destination *destination = &all->destination;
    char *first = ff_destination_path(destination, 0), *last = ff_destination_path(destination, destination->count - 1);
    ff_status status = FF_OK;
    if (first && last)
        ff_report_line(all->job->report, "%zu results of %zux%zu: %s to %s%s%s, made in %.1f s", destination->count,
                       all->job->plan.width, all->job->plan.height, first, last, sheet ? " and " : "",
                       sheet ? sheet : "", ff_host_seconds() - all->begun);
    else
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory for a path");
    free(first);
    free(last);
    return status;
}

static ff_status make_batch(batch *all, ff_error *error)
{
    ff_status status = FF_OK;
    char *sheet = NULL;
    for (size_t i = 0; i < all->destination.count && status == FF_OK; i++)
        status = make_one(all, i, error);
    if (status == FF_OK && all->sheet)
        status = ff_host_check_interrupt("drawing the contact sheet; the stills are there", error);
    if (status == FF_OK && all->sheet)
        status = write_sheet(all, &sheet, error);
    if (status == FF_OK && sheet)
        ff_json_text(all->job->report->object, "contact_sheet", sheet);
    if (status == FF_OK && all->destination.count > 1)
        status = report_all(all, sheet, error);
    free(sheet);
    return status;
}

// ---- before the first run ----

static ff_status choose_seed(ff_job *job, ff_error *error)
{
    const ff_options *options = job->options;
    ff_seed *seed = &job->resolved.seed;
    if (seed->random) {
        *seed = (ff_seed){.value = ff_host_random()};
        ff_report_note(job->report, "seed %llu, drawn at random", (unsigned long long)seed->value);
    }
    if (seed->value > UINT64_MAX - (options->count - 1))
        return ff_fail(error, FF_ERROR_INPUT, "--seed %llu leaves no room for %zu seeds after it",
                       (unsigned long long)seed->value, options->count);
    if (options->count > 1 && options->dump)
        return ff_fail(error, FF_ERROR_INPUT, "--dump takes one run, and -n asks for %zu", options->count);
    return FF_OK;
}

static ff_status choose_destination(batch *all, ff_error *error)
{
    ff_job *job = all->job;
    const ff_options *options = job->options;
    bool stills = (options->command & FF_COMMANDS_STILL) != 0;
    all->destination = (ff_destination){.output = "", .count = options->count,
                                        .first_seed = job->resolved.seed.value};
    if (!all->writes)
        return FF_OK;
    ff_status status = ff_destination_choose(options->output, stills, job->resolved.seed.value, options->count,
                                             &all->destination, error);
    if (status != FF_OK)
        return status;
    all->sheet = stills && options->count > 1;
    if (strcmp(options->output, "-") == 0) {
        if (options->json)
            return ff_fail(error, FF_ERROR_INPUT, "-o - and --json both want standard output");
        if (ff_host_is_terminal(stdout))
            return ff_fail(error, FF_ERROR_INPUT, "-o - writes a clip, and standard output is a terminal; send it to a "
                           "file or a program");
        job->report->stdout_taken = true;
    }
    ff_output_kind kind = FF_OUTPUT_PNG;
    if (!all->destination.folder && (status = ff_output_recognise(options->output, &kind, error)) != FF_OK)
        return status;
    if (kind == FF_OUTPUT_VIDEO && (status = ff_ffmpeg_check(options->output, error)) != FF_OK)
        return status;
    ff_kept_note(job, kind, job->report);
    if (kind == FF_OUTPUT_VIDEO && !options->no_metadata)
        ff_report_note(job->report, "%s keeps no record of how it was made, so that `again` cannot make it once more; "
                       ".webp and .png do", options->output);
    if (!options->resume)
        return ff_destination_check_free(&all->destination, error);
    return all->destination.numbered ? check_existing(all, error) : FF_OK;
}

ff_status ff_make(ff_job *job, ff_error *error)
{
    batch all = {.job = job, .writes = job->options->output != NULL, .begun = ff_host_seconds()};
    bool folder_made = false;
    ff_status status = ff_job_plan(job, error);
    if (status == FF_OK)
        status = ff_job_note_words(job, &job->options->prompt, 1, job->report, error);
    if (status == FF_OK && job->options->estimate)
        return ff_job_estimate(job, error);
    if (status == FF_OK)
        status = ff_job_check_memory(job, error);
    if (status == FF_OK)
        status = choose_seed(job, error);
    if (status == FF_OK)
        status = choose_destination(&all, error);
    if (status == FF_OK)
        status = ff_room_check(job, job->options->count, error);
    if (status == FF_OK)
        status = ff_long_run_check(job, job->options->count, error);
    if (status == FF_OK && all.sheet && !(all.cells = calloc(all.destination.count, sizeof *all.cells)))
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory for the contact sheet");
    if (status == FF_OK && all.destination.folder)
        status = ff_host_make_folder(all.destination.output, &folder_made, error);
    if (status == FF_OK)
        status = make_batch(&all, error);
    if (status != FF_OK && folder_made)
        ff_host_remove_folder(all.destination.output);
    for (size_t i = 0; all.cells && i < all.destination.count; i++)
        ff_picture_free(&all.cells[i]);
    free(all.cells);
    return status;
}

#include "job.h"
#include "../cache/prompt_cache.h"
#include "../files/host.h"
#include "../pictures/pictures.h"
#include "job_loras.h"
#include "../files/protect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHITE 255   // shows through what is transparent

static void number_or_default(double *out, double value)
{
    if (!isnan(value))
        *out = value;
}

static void fill_request(ff_job *job)
{
    const ff_options *options = job->options;
    ff_request *request = &job->request;
    static const ff_scheduler schedulers[] = {FF_SCHEDULER_UNIPC, FF_SCHEDULER_EULER};
    static const ff_fit fits[] = {FF_FIT_COVER, FF_FIT_STRETCH, FF_FIT_CROP, FF_FIT_PAD};
    static const ff_detail details[] = {FF_DETAIL_STEP, FF_DETAIL_RUN, FF_DETAIL_BLOCK, FF_DETAIL_OP};
    request->prompt = options->prompt;
    request->negative_prompt = options->negative;
    request->seed = options->seed.value;
    request->width = options->size.width;
    request->height = options->size.height;
    if (options->steps)
        request->steps = options->steps;
    number_or_default(&request->guidance_scale, options->guidance);
    number_or_default(&request->flow_shift, options->flow_shift);
    number_or_default(&request->context, options->context);
    number_or_default(&request->strength, options->strength);
    if (options->given[FF_OPTION_SCHEDULER])
        request->scheduler = schedulers[options->scheduler];
    if (options->given[FF_OPTION_FIT])
        request->fit = fits[options->fit];
    request->keep_first = options->keep_first;
    request->match_colours = options->color_match;
    request->threads = options->threads;
    ff_options_kernels(options, &request->isa, &request->backend);
    request->dump_path = options->dump;
    request->dump_detail = details[options->dump_level];
    request->load_path = options->load;
    request->prompt_store = options->no_cache ? NULL : ff_prompt_cache();

    job->fps = isnan(options->fps) ? job->facts.default_fps : options->fps;
    if (options->frames)
        request->frames = options->frames;
    if (!isnan(options->seconds)) {
        size_t group = job->facts.temporal_factor;
        request->frames = group * (size_t)floor(options->seconds * job->fps / (double)group + 0.5) + 1;
    }
}

// For `again`: the model must be the one that was used.
static ff_status check_model(const ff_job *job, ff_error *error)
{
    const ff_expectation *expected = job->options->expected;
    char hash[65];
    ff_print_hash(job->model_hash, hash);
    if (!expected || !expected->model_sha256 || strcmp(expected->model_sha256, hash) == 0)
        return FF_OK;
    return ff_fail(error, FF_ERROR_INPUT, "%s was made with the model %.12s, and %s is %.12s; give its folder with -m",
                   expected->source, expected->model_sha256, job->choice.path, hash);
}

ff_status ff_job_open(ff_job *job, ff_task task, const ff_options *options, ff_report *report, ff_error *error)
{
    *job = (ff_job){.options = options, .report = report, .request = ff_request_default(task)};
    ff_status status = ff_model_choose(&options->model, &job->choice, error);
    if (status == FF_OK)
        status = ff_model_choice_open(&job->choice, report, &job->model, error);
    if (status != FF_OK)
        return status;
    ff_protect_model(job->choice.path);
    if ((status = ff_job_add_loras(job, error)) != FF_OK) {
        ff_job_close(job);
        return status;
    }
    job->facts = ff_model_describe(job->model);
    fill_request(job);
    status = ff_model_hash(job->model, job->model_hash, error);
    if (status == FF_OK)
        status = check_model(job, error);
    if (status == FF_OK && options->dump)
        status = ff_protect_check(options->dump, error);
    if (status == FF_OK && options->load)
        status = ff_job_hash_input(job, FF_OPTION_LOAD, error);
    if (status != FF_OK)
        ff_job_close(job);
    return status;
}

void ff_job_close(ff_job *job)
{
    ff_picture_free(&job->image);
    ff_picture_free(&job->last);
    ff_original_free(&job->original);
    free(job->mask);
    ff_model_close(job->model);
    *job = (ff_job){0};
}

static const char *path_of(const ff_job *job, ff_option_id id)
{
    return *(const char *const *)((const char *)job->options + ff_option_table[id].offset);
}

ff_status ff_job_read_original(ff_job *job, ff_option_id id, ff_original *out, ff_error *error)
{
    const char *path = path_of(job, id);
    uint8_t *bytes;
    size_t size;
    ff_sha256 hash;
    *out = (ff_original){0};
    ff_status status = ff_picture_load(path, &bytes, &size, error);
    if (status != FF_OK)
        return status;
    ff_sha256_start(&hash);
    ff_sha256_add(&hash, bytes, size);
    ff_sha256_finish(&hash, job->input_hashes.of[id][0]);
    status = ff_picture_decode_original(bytes, size, path, out, error);
    free(bytes);
    return status;
}

ff_status ff_job_read_image(ff_job *job, ff_error *error)
{
    ff_status status = ff_job_read_original(job, FF_OPTION_IMAGE, &job->original, error);
    if (status != FF_OK)
        return status;
    job->opaque = ff_original_is_opaque(&job->original);
    return ff_picture_reduce(&job->original, WHITE, &job->image, error);
}

ff_status ff_job_read_last(ff_job *job, ff_error *error)
{
    ff_original last;
    ff_status status = ff_job_read_original(job, FF_OPTION_LAST, &last, error);
    job->same_colours = ff_colour_space_equal(&job->original.colours, &last.colours);
    job->last_opaque = ff_original_is_opaque(&last);
    if (status == FF_OK)
        status = ff_picture_reduce(&last, WHITE, &job->last, error);
    ff_original_free(&last);
    return status;
}

ff_status ff_job_hash_input(ff_job *job, ff_option_id id, ff_error *error)
{
    return ff_host_hash_file(path_of(job, id), job->input_hashes.of[id][0], error);
}

// ---- what the request comes to ----

// A still that keeps its shape may lose this part of it to rounded sides without a note; a very long one loses more.
#define ROUNDING_CROPS 0.1

static void note_plan(ff_job *job)
{
    const ff_plan *plan = &job->plan;
    const ff_options *options = job->options;
    char multiples[48];
    ff_print_multiples(&job->facts, multiples);
    if (plan->size_rounded)
        ff_report_note(job->report, "size rounded down to %zux%zu, multiples of %s", plan->model_width,
                       plan->model_height, multiples);
    if (plan->frames_rounded)
        ff_report_note(job->report, "%zu frames rounded to %zu, which is %zuk + 1", job->request.frames, plan->frames,
                       job->facts.temporal_factor);
    bool size_given = options->size.width || options->size.height;
    if (plan->cropped > (size_given ? 0 : ROUNDING_CROPS))
        ff_report_note(job->report, "%.1f %% of the still is cut off to make its %zux%zu fit %zux%zu",
                       100 * plan->cropped, job->image.width, job->image.height, plan->width, plan->height);
    if (plan->prompt_cut)
        ff_report_note(job->report, "the prompt is too long; the model reads its first %zu tokens",
                       plan->prompt_tokens);
    if (plan->negative_cut)
        ff_report_note(job->report, "the negative prompt is too long; the model reads its first %zu tokens",
                       plan->negative_tokens);
    if (plan->guidance_scale <= 1 && options->given[FF_OPTION_NEGATIVE])
        ff_report_note(job->report, "--negative has no effect at a guidance of %g", plan->guidance_scale);
}

static void resolve(ff_job *job)
{
    ff_options *resolved = &job->resolved;
    const ff_plan *plan = &job->plan;
    bool clip = (job->options->command & FF_COMMANDS_CLIP) != 0;
    *resolved = *job->options;
    resolved->model.vae = job->choice.parts.vae;                    // as they were found, if they were
    resolved->model.text_encoder = job->choice.parts.text_encoder;
    resolved->steps = plan->steps;
    resolved->guidance = plan->guidance_scale;
    resolved->flow_shift = plan->flow_shift;
    resolved->scheduler = strcmp(plan->scheduler, "euler") == 0;
    resolved->given[FF_OPTION_SEED] = resolved->given[FF_OPTION_STEPS] = resolved->given[FF_OPTION_GUIDANCE] = true;
    resolved->given[FF_OPTION_FLOW_SHIFT] = resolved->given[FF_OPTION_SCHEDULER] = true;
    resolved->given[FF_OPTION_BACKEND] = job->request.backend != FF_BACKEND_OWN;  // else the bits are the same
    if (plan->guidance_scale > 1 && plan->negative_prompt) {
        resolved->negative = plan->negative_prompt;
        resolved->given[FF_OPTION_NEGATIVE] = true;
    }
    if (clip) {
        resolved->frames = plan->frames;
        resolved->fps = job->fps;
        resolved->given[FF_OPTION_FRAMES] = resolved->given[FF_OPTION_FPS] = true;
    }
    if (job->options->command == FF_COMMAND_INPAINT) {
        resolved->context = job->request.context;
        resolved->strength = job->request.strength;
        resolved->given[FF_OPTION_CONTEXT] = resolved->given[FF_OPTION_STRENGTH] = true;
    }
}

ff_status ff_job_plan(ff_job *job, ff_error *error)
{
    ff_status status = ff_plan_request(job->model, &job->request, &job->plan, error);
    if (status != FF_OK)
        return status;
    note_plan(job);
    resolve(job);
    return FF_OK;
}

// ---- words the model does not know ----

#define MOST_NAMED 5

// texts: how many prompts there are
static void note_words(const ff_job *job, size_t texts, const ff_unknown_words *unknown, ff_report *report)
{
    char named[MOST_NAMED * (FF_UNKNOWN_BYTES + 4) + 32];
    size_t count = unknown->count < MOST_NAMED ? unknown->count : MOST_NAMED, length = 0;
    const char *draws = job->facts.draws;
    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(named + length, sizeof named - length, "%s\"%s\"", i ? ", " : "",
                                   unknown->word[i]);
    snprintf(named + length, sizeof named - length, "%s", unknown->more || unknown->count > count ? " and others" : "");
    const char *knows = unknown->known ? "does not know"
                        : texts == 1 ? "knows no word of the prompt:" : "knows no word of the prompts:";
    ff_report_note(report, "this model %s %s; %s%s%sfor anything else name a real model with -m, such as "
                   "Wan2.2-TI2V-5B (README, \"A real model\")", knows, named, draws ? "it draws " : "",
                   draws ? draws : "", draws ? ", whatever is asked; " : "");
}

ff_status ff_job_note_words(const ff_job *job, const char *const *texts, size_t count, ff_report *report,
                            ff_error *error)
{
    const ff_options *options = job->options;
    const char *all[FF_MOST_TEXTS + 2];
    ff_unknown_words unknown;
    if (job->facts.known_words == 0)
        return FF_OK;
    memcpy(all, texts, count * sizeof *all);
    if (options->given[FF_OPTION_NEGATIVE] && job->plan.guidance_scale > 1)
        all[count++] = options->negative;
    ff_status status = ff_model_unknown_words(job->model, all, count, &unknown, error);
    if (status != FF_OK)
        return status;
    cJSON *words = cJSON_AddArrayToObject(report->object, "unknown_words");
    for (size_t i = 0; i < unknown.count; i++)
        cJSON_AddItemToArray(words, ff_json_text(NULL, NULL, unknown.word[i]));
    if (unknown.count)
        note_words(job, count, &unknown, report);
    return FF_OK;
}

// ---- memory ----

ff_status ff_job_check_memory(const ff_job *job, ff_error *error)
{
    double gigabyte = 1024.0 * 1024 * 1024;
    size_t has = ff_available_memory(), needs = job->plan.memory_bytes;
    if (has == 0 || needs <= has)
        return FF_OK;
    return ff_fail(error, FF_ERROR_MEMORY, "%zux%zu x %zu needs about %.1f GiB of memory, and %.1f are free",
                   job->plan.model_width, job->plan.model_height, job->plan.frames, (double)needs / gigabyte,
                   (double)has / gigabyte);
}

// firstframe explain: one run of image-to-video, shown from the inside.
#include "commands.h"
#include "../before/long_run.h"
#include "../files/encoding.h"
#include "../run/estimate.h"
#include "../explain/explanation.h"
#include "../files/host.h"
#include "image/fit.h"
#include "../pictures/kept.h"
#include "../pictures/output.h"
#include "../pictures/pictures.h"
#include "../run/seed_run.h"
#include "../line/text_of.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ff_status fail_memory(ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "no memory to explain a run");
}

// ---- before the run ----

// The prompt's words, and which of its tokens each one has: those that a prefix ending with it adds.
static ff_status find_words(ff_explanation *all, ff_job *job, ff_error *error)
{
    const char *prompt = job->options->prompt;
    char *prefix = strdup(prompt);
    ff_request request = job->request;
    ff_status status = prefix ? FF_OK : fail_memory(error);
    size_t at = 0, tokens = 0;
    request.prompt = prefix;
    while (status == FF_OK && all->word_count < FF_MOST_WORDS) {
        at += strspn(prompt + at, " \t\n");
        size_t length = strcspn(prompt + at, " \t\n");
        ff_plan plan;
        if (!length)
            break;
        memcpy(prefix, prompt, at + length);
        prefix[at + length] = 0;
        status = ff_plan_request(job->model, &request, &plan, error);
        if (status != FF_OK || plan.prompt_tokens - 1 <= tokens)   // cut off, or nothing but marks
            break;
        ff_word *word = &all->words[all->word_count++];
        *word = (ff_word){strndup(prompt + at, length), tokens, plan.prompt_tokens - 1};
        status = word->text ? FF_OK : fail_memory(error);
        tokens = word->end;
        at += length;
    }
    free(prefix);
    return status;
}

static size_t count_looks(size_t steps)
{
    return steps < FF_MOST_LOOKS ? steps : FF_MOST_LOOKS;
}

// The steps whose prediction is decoded, the first and the last among them.
static ff_status choose_looks(ff_explanation *all, ff_error *error)
{
    size_t steps = all->plan.steps;
    all->look_count = count_looks(steps);
    for (size_t k = 0; k < all->look_count; k++) {
        ff_look *look = &all->looks[k];
        look->step = all->look_count > 1 ? k * (steps - 1) / (all->look_count - 1) : 0;
        look->path = ff_text_of("%s/step-%02zu.webp", all->options->output, look->step + 1);
        look->latents = calloc(ff_explanation_elements(all), sizeof *look->latents);
        if (!look->path || !look->latents)
            return fail_memory(error);
    }
    return FF_OK;
}

static ff_status make_room(ff_explanation *all, ff_job *job, ff_error *error)
{
    const ff_plan *plan = &job->plan;
    size_t n, per_step;
    all->plan = *plan;
    all->facts = job->facts;
    all->fps = job->fps;
    all->rows = plan->latent_height * all->facts.spatial_factor / all->facts.multiple_height;
    all->columns = plan->tokens / plan->latent_frames / all->rows;
    all->text_tokens = plan->prompt_tokens;
    n = ff_explanation_elements(all);
    per_step = all->facts.layers * all->facts.heads * plan->latent_frames;
    all->known = calloc(n / plan->latent_frames, sizeof *all->known);
    all->timesteps = calloc(plan->steps, 2 * sizeof *all->timesteps);
    all->sigmas = calloc(plan->steps, sizeof *all->sigmas);
    all->guidance = calloc(plan->steps, sizeof *all->guidance);
    all->to_first = calloc(plan->steps * per_step, sizeof *all->to_first);
    all->to_text = calloc(plan->tokens * all->text_tokens, sizeof *all->to_text);
    all->input = calloc(n, sizeof *all->input);
    all->conditional = calloc(n, sizeof *all->conditional);
    if (!all->known || !all->timesteps || !all->sigmas || !all->guidance || !all->to_first || !all->to_text ||
        !all->input || !all->conditional)
        return fail_memory(error);
    for (size_t i = 0; i < plan->steps; i++)
        all->guidance[i] = NAN;
    ff_status status = choose_looks(all, error);
    return status == FF_OK ? find_words(all, job, error) : status;
}

// ---- the runs ----

// Keeps a small copy of a picture.
static ff_status keep_picture(const ff_image *picture, ff_image *out, ff_error *error)
{
    size_t width, height;
    ff_view_size(picture->width, picture->height, FF_VIEW_MOST_SIDE, &width, &height);
    *out = (ff_image){width, height, malloc(3 * width * height)};
    return out->rgb ? ff_image_resize(picture, out, error) : fail_memory(error);
}

typedef struct watcher {
    ff_explanation *all;
    ff_trial *trial;
} watcher;

static ff_status watch_frame(void *user, size_t index, const ff_image *rgb, ff_error *error)
{
    ff_clip *clip = &((watcher *)user)->trial->clip;
    clip->count = index + 1;
    return keep_picture(rgb, &clip->frames[index], error);
}

static ff_status watch_tensor(void *user, const char *name, int rank, const size_t *shape, const float *data,
                              ff_error *error)
{
    return ff_explanation_watch(((watcher *)user)->all, name, rank, shape, data, error);
}

static void take_seconds(ff_explanation *all, const ff_report *report)
{
    static const char *const stages[] = {"text", "encode", "denoise", "decode"};
    const cJSON *output = cJSON_GetArrayItem(cJSON_GetObjectItem(report->object, "outputs"), 0);
    const cJSON *seconds = cJSON_GetObjectItem(output, "seconds");
    for (int i = 0; i < 4; i++) {
        const cJSON *value = cJSON_GetObjectItem(seconds, stages[i]);
        all->seconds[i] = cJSON_IsRaw(value) ? strtod(value->valuestring, NULL) : 0;
    }
}

static ff_status run_trial(ff_explanation *all, ff_job *job, ff_ablation ablation, ff_error *error)
{
    static const char *const names[] = {"as it is", "without timestep 0", "without clean latents",
                                        "without attention to it"};
    static const char *const files[] = {"clip", "without-timestep", "without-known", "without-attention"};
    ff_trial *trial = &all->trials[all->trial_count++];
    watcher w = {all, trial};
    *trial = (ff_trial){.name = names[ablation], .ablation = ablation,
                        .path = ff_text_of("%s/%s.webp", all->options->output, files[ablation]),
                        .clip = {.frames = calloc(job->plan.frames, sizeof(ff_image)), .fps = job->fps}};
    if (!trial->path || !trial->clip.frames)
        return fail_memory(error);
    job->title = trial->name;
    job->stateless = true;
    job->watcher = &w;
    job->watch = watch_frame;
    job->watch_tensor = ablation ? NULL : watch_tensor;
    job->request.attention = !ablation;
    job->request.ablate = ablation;
    ff_status status = ff_run_seed(job, job->resolved.seed.value, trial->path, true, NULL, error);
    if (status == FF_OK && !ablation)
        take_seconds(all, job->report);
    return status;
}

// ablation: 0 to 2, in the order of --ablate's choices.
static bool is_chosen(const ff_options *options, int ablation)
{
    return options->given[FF_OPTION_ABLATE] && (options->ablate == ablation || options->ablate == 3);
}

static ff_status run_trials(ff_explanation *all, ff_job *job, ff_error *error)
{
    static const ff_ablation chosen[] = {FF_ABLATE_TIMESTEP, FF_ABLATE_KNOWN, FF_ABLATE_ATTENTION};
    ff_status status = run_trial(all, job, FF_ABLATE_NOTHING, error);
    for (int i = 0; i < 3 && status == FF_OK; i++)
        if (is_chosen(all->options, i))
            status = run_trial(all, job, chosen[i], error);
    return status;
}

// ---- after the runs ----

static ff_status add_frame(void *user, size_t index, const ff_image *rgb, ff_error *error)
{
    ff_status status = ff_host_check_interrupt("decoding the steps", error);
    return status ? status : ff_output_add(user, rgb, error);
}

static ff_status decode_looks(ff_explanation *all, const ff_job *job, ff_error *error)
{
    const ff_plan *plan = &all->plan;
    const ff_output_settings settings = {.width = plan->width, .height = plan->height, .frames = plan->frames,
                                         .fps = all->fps, .quality = 85,
                                         .colours = &job->original.colours};
    ff_status status = FF_OK;
    for (size_t k = 0; k < all->look_count && status == FF_OK; k++) {
        ff_output *output;
        status = ff_output_open(all->looks[k].path, &settings, &output, error);
        if (status != FF_OK)
            return status;
        const ff_latents latents = {plan->latent_frames, plan->latent_height, plan->latent_width, all->looks[k].latents};
        status = ff_decode_latents(job->model, &latents, all->options->threads, output, add_frame, error);
        if (status == FF_OK)
            status = ff_output_finish(output, NULL, error);
        else
            ff_output_abandon(output);
    }
    return status;
}

static ff_status measure_trials(ff_explanation *all, ff_job *job, ff_error *error)
{
    ff_encoding encoding = {job->model, all->options->threads};
    const ff_encoder encoder = ff_encoding_encoder(&encoding);
    ff_status status = FF_OK;
    for (size_t i = 0; i < all->trial_count && status == FF_OK; i++)
        status = ff_clip_measure(&all->trials[i].clip, &all->still, all->facts.temporal_factor, &encoder,
                                 &all->trials[i].drift, error);
    return status;
}

static void free_explanation(ff_explanation *all)
{
    free(all->still.rgb);
    free(all->known);
    free(all->timesteps);
    free(all->sigmas);
    free(all->guidance);
    free(all->to_first);
    free(all->to_text);
    free(all->input);
    free(all->conditional);
    for (size_t i = 0; i < all->word_count; i++)
        free(all->words[i].text);
    for (size_t i = 0; i < all->look_count; i++) {
        free(all->looks[i].latents);
        free(all->looks[i].path);
    }
    for (size_t i = 0; i < all->trial_count; i++) {
        ff_trial *trial = &all->trials[i];
        for (size_t t = 0; t < trial->clip.count; t++)
            free(trial->clip.frames[t].rgb);
        free(trial->clip.frames);
        free(trial->path);
        ff_clip_drift_free(&trial->drift);
    }
}

// ---- the whole ----

static ff_status prepare_job(ff_explanation *all, ff_job *job, ff_error *error)
{
    ff_image fitted;
    job->request.image = &job->image;
    ff_status status = ff_job_read_image(job, error);
    if (status == FF_OK)
        status = ff_job_plan(job, error);
    if (status == FF_OK)
        status = ff_fit_image(&job->image, job->request.fit, job->plan.width, job->plan.height, &fitted, NULL, error);
    if (status != FF_OK)
        return status;
    status = keep_picture(&fitted, &all->still, error);
    free(fitted.rgb);
    return status;
}

static ff_status write_page(const ff_explanation *all, ff_report *report, double begun, ff_error *error)
{
    char *path = ff_text_of("%s/explain.html", all->options->output);
    ff_status status = path ? ff_host_check_interrupt("writing the page; the clips are there", error)
                            : fail_memory(error);
    if (status == FF_OK)
        status = ff_explain_page_write(all, path, error);
    if (status == FF_OK) {
        double seconds = ff_host_seconds() - begun;
        ff_report_line(report, "%s: %zu run%s of %zu frames of %zux%zu, explained in %.1f s", path, all->trial_count,
                       all->trial_count == 1 ? "" : "s", all->plan.frames, all->plan.width, all->plan.height, seconds);
        ff_json_text(report->object, "report", path);
        ff_json_number(report->object, "seconds", seconds);
    }
    free(path);
    return status;
}

static size_t count_trials(const ff_explanation *all)
{
    size_t trials = 1;
    for (int i = 0; i < 3; i++)
        trials += is_chosen(all->options, i);
    return trials;
}

static ff_status estimate_all(const ff_explanation *all, const ff_job *job, ff_report *report, ff_error *error)
{
    ff_estimate estimate;
    size_t trials = count_trials(all);
    ff_status status = ff_estimate_start(&estimate, all->options, report, error);
    if (status != FF_OK)
        return status;
    ff_estimate_add_runs(&estimate, "clips", job, trials);
    ff_estimate_add_passes(&estimate, "steps", "of them to decode", job->plan.gflop_decode,
                           count_looks(job->plan.steps));
    ff_estimate_add_figures(&estimate, job, trials, 1);
    ff_estimate_finish(&estimate);
    return FF_OK;
}

static ff_status explain(ff_explanation *all, ff_job *job, ff_report *report, double begun, ff_error *error)
{
    bool made = false;
    ff_status status = prepare_job(all, job, error);
    if (status == FF_OK)
        status = ff_job_note_words(job, &job->options->prompt, 1, report, error);
    if (status == FF_OK && all->options->estimate)
        return estimate_all(all, job, report, error);
    if (status == FF_OK)
        ff_kept_note_page(job, report);
    if (status == FF_OK)
        status = ff_job_check_memory(job, error);
    if (status == FF_OK)
        status = ff_long_run_check(job, count_trials(all), error);
    if (status == FF_OK)
        status = make_room(all, job, error);
    if (status == FF_OK)
        status = ff_host_make_folder(all->options->output, &made, error);
    if (status == FF_OK)
        status = run_trials(all, job, error);
    if (status == FF_OK)
        status = decode_looks(all, job, error);
    if (status == FF_OK)
        status = measure_trials(all, job, error);
    if (status == FF_OK)
        status = write_page(all, report, begun, error);
    if (status != FF_OK && made)
        ff_host_remove_folder(all->options->output);   // if nothing is in it
    return status;
}

ff_status ff_command_explain(const ff_options *given, ff_report *report, ff_error *error)
{
    double begun = ff_host_seconds();
    ff_report silent = {.json = true, .quiet = given->quiet, .verbose = given->verbose};
    ff_explanation all = {.options = given};
    ff_options options = *given;
    ff_job job;
    options.command = FF_COMMAND_I2V;
    options.given[FF_OPTION_ABLATE] = false;
    if (options.seed.random) {
        options.seed = (ff_seed){.value = ff_host_random()};
        ff_report_note(report, "seed %llu, drawn at random", (unsigned long long)options.seed.value);
    }
    if (!options.estimate && ff_host_exists(options.output) && !ff_host_is_folder(options.output))
        return ff_fail(error, FF_ERROR_INPUT, "%s: explain writes into a folder, and this is a file", options.output);
    ff_report_start(&silent, "explain");
    ff_status status = ff_job_open(&job, FF_IMAGE_TO_VIDEO, &options, &silent, error);
    if (status == FF_OK) {
        status = explain(&all, &job, report, begun, error);
        ff_job_close(&job);
    }
    free_explanation(&all);
    cJSON_Delete(silent.object);
    return status;
}

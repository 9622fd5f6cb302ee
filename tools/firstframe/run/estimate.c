// --estimate: what a run would take.
#include "estimate.h"
#include "../before/long_run.h"
#include "check/figures/clip.h"
#include "../line/progress.h"

#include <math.h>
#include <stdio.h>

static void add_stages(cJSON *object, const char *key, const double stages[4])
{
    static const char *const names[] = {"text", "encode", "denoise", "decode"};
    cJSON *list = cJSON_AddObjectToObject(object, key);
    for (int i = 0; i < 4; i++)
        ff_json_number(list, names[i], stages[i]);
}

// Three digits, without an exponent where there are more. out: 32 bytes.
static const char *print_work(double gflop, char *out)
{
    snprintf(out, 32, gflop < 100 ? "%.3g" : "%.0f", gflop);
    return out;
}

ff_status ff_job_estimate(ff_job *job, ff_error *error)
{
    const ff_plan *plan = &job->plan;
    ff_report *report = job->report;
    size_t count = job->options->count;
    const double work[4] = {plan->gflop_text, plan->gflop_encode, plan->gflop_denoise, plan->gflop_decode};
    double all = work[0] + work[1] + work[2] + work[3], megabyte = 1024 * 1024;
    char duration[32], texts[5][32];
    ff_speed speed;
    ff_status status = ff_measure_speed(job->request.threads, job->request.isa, job->request.backend, &speed, error);
    if (status != FF_OK)
        return status;
    double seconds = ff_plan_seconds(plan, &speed);
    ff_print_duration(seconds, duration);
    ff_json_whole(report->object, "count", count);
    ff_json_whole(report->object, "width", plan->width);
    ff_json_whole(report->object, "height", plan->height);
    ff_json_whole(report->object, "frames", plan->frames);
    ff_json_whole(report->object, "tokens", plan->tokens);
    ff_json_whole(report->object, "steps", plan->steps);
    ff_json_whole(report->object, "evaluations", plan->evaluations);
    add_stages(report->object, "gflop", work);
    ff_json_number(report->object, "gflop_total", all * (double)count);
    ff_json_number(report->object, "seconds", floor(10 * seconds * (double)count + 0.5) / 10);
    ff_json_whole(report->object, "memory_bytes", plan->memory_bytes);
    ff_json_whole(report->object, "weight_bytes", plan->weight_bytes);
    ff_json_whole(report->object, "temporary_bytes", plan->temporary_bytes);
    ff_json_whole(report->object, "decode_strips", plan->decode_strips);
    ff_json_number(report->object, "decode_repeated", plan->decode_repeated);

    if (plan->frames > 1)
        ff_report_line(report, "clip      %zu frames of %zux%zu, %.3f s at %g fps", plan->frames, plan->width,
                       plan->height, (double)plan->frames / job->fps, job->fps);
    else
        ff_report_line(report, "still     %zux%zu%s", plan->width, plan->height,
                       job->options->command == FF_COMMAND_INPAINT ? ", mended" : "");
    if (count > 1)
        ff_report_line(report, "count     %zu; what follows is for each", count);
    ff_report_line(report, "latents   %zu x %zu x %zu x %zu, %zu tokens", plan->latent_channels, plan->latent_frames,
                   plan->latent_height, plan->latent_width, plan->tokens);
    ff_report_line(report, "steps     %zu with %s, flow shift %g, guidance %g: %zu evaluations", plan->steps,
                   plan->scheduler, plan->flow_shift, plan->guidance_scale, plan->evaluations);
    ff_report_line(report, "work      text %s, encode %s, denoise %s, decode %s: %s GFLOP",
                   print_work(work[0], texts[0]), print_work(work[1], texts[1]), print_work(work[2], texts[2]),
                   print_work(work[3], texts[3]), print_work(all, texts[4]));
    ff_report_line(report, "memory    %.0f MiB, and %.0f MiB of weights mapped from their files",
                   (double)plan->memory_bytes / megabyte, (double)plan->weight_bytes / megabyte);
    if (plan->decode_strips > 1)
        ff_report_line(report, "strips    frames are decoded in %zu; rows that two of them need make %.1f %% more work",
                       plan->decode_strips, 100 * plan->decode_repeated);
    if (plan->temporary_bytes > 0)
        ff_report_line(report, "disk      %.0f MiB of temporary files", (double)plan->temporary_bytes / megabyte);
    ff_report_line(report, "time      about %s, at %.3g GFLOP/s in products and %.3g in convolutions", duration,
                   speed.matmul, speed.convolution);
    return FF_OK;
}

// ---- several runs ----

ff_status ff_estimate_start(ff_estimate *estimate, const ff_options *options, ff_report *report, ff_error *error)
{
    ff_isa isa;
    ff_backend backend;
    ff_options_kernels(options, &isa, &backend);
    *estimate = (ff_estimate){.report = report, .parts = cJSON_AddArrayToObject(report->object, "parts")};
    return ff_measure_speed(options->threads, isa, backend, &estimate->speed, error);
}

static void add_part(ff_estimate *estimate, const char *name, size_t count, double gflop, double seconds)
{
    cJSON *part = cJSON_CreateObject();
    ff_json_text(part, "name", name);
    ff_json_whole(part, "count", count);
    ff_json_number(part, "gflop", gflop);
    cJSON_AddItemToArray(estimate->parts, part);
    estimate->gflop += (double)count * gflop;
    estimate->seconds += (double)count * seconds;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

void ff_estimate_add_runs(ff_estimate *estimate, const char *name, const ff_job *job, size_t count)
{
    const ff_plan *plan = &job->plan;
    double work_each = plan->gflop_text + plan->gflop_denoise + plan->gflop_encode + plan->gflop_decode;
    char frames[48] = "", work[32];
    if (plan->frames > 1)
        snprintf(frames, sizeof frames, "%zu frames of ", plan->frames);
    add_part(estimate, name, count, work_each, ff_plan_seconds(plan, &estimate->speed));
    estimate->memory_bytes = larger(estimate->memory_bytes, plan->memory_bytes);
    estimate->weight_bytes = larger(estimate->weight_bytes, plan->weight_bytes);
    estimate->temporary_bytes = larger(estimate->temporary_bytes, plan->temporary_bytes);
    ff_report_line(estimate->report, "%-16s %zu x %s%zux%zu in %zu evaluations, %s GFLOP each", name, count, frames,
                   plan->width, plan->height, plan->evaluations, print_work(work_each, work));
}

void ff_estimate_add_passes(ff_estimate *estimate, const char *name, const char *what, double gflop, size_t count)
{
    char work[32];
    add_part(estimate, name, count, gflop, gflop / estimate->speed.convolution);
    ff_report_line(estimate->report, "%-16s %zu %s, %s GFLOP each", name, count, what, print_work(gflop, work));
}

void ff_estimate_add_figures(ff_estimate *estimate, const ff_job *job, size_t sides, size_t seeds)
{
    const ff_plan *plan = &job->plan;
    size_t every = job->facts.temporal_factor, width, height;
    size_t pictures = seeds * ff_clip_measure_encodings(plan->frames, every) +
                      ff_clip_spread_encodings(seeds, plan->frames, every);
    ff_view_size(plan->width, plan->height, FF_VIEW_MOST_SIDE, &width, &height);   // they are measured small
    double share = (double)(width * height) / (double)(plan->width * plan->height);
    ff_estimate_add_passes(estimate, "figures", "pictures to encode", share * plan->gflop_encode, sides * pictures);
}

void ff_estimate_finish(const ff_estimate *estimate)
{
    ff_report *report = estimate->report;
    double megabyte = 1024 * 1024;
    char duration[32], work[32];
    ff_print_duration(estimate->seconds, duration);
    ff_json_number(report->object, "gflop_total", estimate->gflop);
    ff_json_number(report->object, "seconds", floor(10 * estimate->seconds + 0.5) / 10);
    ff_json_whole(report->object, "memory_bytes", estimate->memory_bytes);
    ff_json_whole(report->object, "weight_bytes", estimate->weight_bytes);
    ff_json_whole(report->object, "temporary_bytes", estimate->temporary_bytes);
    ff_report_line(report, "%-16s %s GFLOP", "all of it", print_work(estimate->gflop, work));
    ff_report_line(report, "%-16s %.0f MiB, and %.0f MiB of weights mapped from their files", "memory",
                   (double)estimate->memory_bytes / megabyte, (double)estimate->weight_bytes / megabyte);
    if (estimate->temporary_bytes > 0)
        ff_report_line(report, "%-16s %.0f MiB of temporary files", "disk",
                       (double)estimate->temporary_bytes / megabyte);
    ff_report_line(report, "%-16s about %s, at %.3g GFLOP/s in products and %.3g in convolutions; comparing pixels "
                   "comes on top", "time", duration, estimate->speed.matmul, estimate->speed.convolution);
}

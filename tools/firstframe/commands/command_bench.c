#include "commands.h"
#include "check/bench/bench.h"
#include "../files/host.h"
#include "../files/model_folder.h"

#include <math.h>
#include <stdio.h>

typedef struct listener {
    bool shows;
} listener;

static bool on_progress(void *user, const char *doing)
{
    const listener *to = user;
    if (to->shows)
        fprintf(stderr, "\r\033[K%s ...", doing);
    return ff_host_interrupted();
}

static void report_stage(cJSON *list, const ff_bench_stage *stage, double peak)
{
    cJSON *object = cJSON_CreateObject();
    double speed = stage->gflop / stage->seconds;
    ff_json_text(object, "name", stage->name);
    ff_json_text(object, "work", stage->work);
    ff_json_number(object, "seconds", stage->seconds);
    ff_json_whole(object, "runs", stage->runs);
    ff_json_number(object, "gflop", stage->gflop);
    ff_json_number(object, "gflops", speed);
    ff_json_number(object, "share_of_peak", speed / peak);
    ff_json_number(object, "openblas_gflops", stage->gflop / stage->openblas_seconds);
    ff_json_whole(object, "weight_bytes", stage->weight_bytes);
    cJSON_AddItemToArray(list, object);
}

// OpenBLAS's speed over all stages.
static double openblas_speed(const ff_bench_result *result)
{
    double gflop = 0, seconds = 0;
    for (size_t i = 0; i < result->count; i++) {
        gflop += result->stages[i].gflop;
        seconds += result->stages[i].openblas_seconds;
    }
    return gflop / seconds;
}

static void report_result(const ff_bench_result *result, ff_report *report)
{
    cJSON *object = report->object;
    ff_json_text(object, "kernels", result->kernels);
    ff_json_whole(object, "threads", result->threads);
    ff_json_whole(object, "width", result->width);
    ff_json_whole(object, "height", result->height);
    ff_json_whole(object, "frames", result->frames);
    ff_json_number(object, "peak_gflops", result->peak_gflops);
    ff_json_number(object, "openblas_gflops", openblas_speed(result));
    if (result->openblas_core)
        ff_json_text(object, "openblas_core", result->openblas_core);
    if (result->openblas_missing[0])
        ff_json_text(object, "openblas_missing", result->openblas_missing);
    ff_json_whole(object, "peak_memory_bytes", result->peak_memory_bytes);
    cJSON *list = cJSON_AddArrayToObject(object, "stages");
    for (size_t i = 0; i < result->count; i++)
        report_stage(list, &result->stages[i], result->peak_gflops);
}

static void print_result(const ff_bench_result *result, ff_report *report)
{
    ff_report_line(report, "kernels %s, threads %zu: fused multiply-adds alone reach %.4g GFLOP/s", result->kernels,
                   result->threads, result->peak_gflops);
    ff_report_line(report, "%-12s  %-24s %10s %5s %9s %8s %8s %9s", "stage", "work", "seconds", "runs", "GFLOP",
                   "GFLOP/s", "of peak", "OpenBLAS");
    for (size_t i = 0; i < result->count; i++) {
        const ff_bench_stage *stage = &result->stages[i];
        double speed = stage->gflop / stage->seconds;
        char openblas[32] = "-", work[32];
        snprintf(work, sizeof work, stage->gflop < 100 ? "%.3g" : "%.0f", stage->gflop);
        if (!isnan(stage->openblas_seconds))
            snprintf(openblas, sizeof openblas, "%.1f", stage->gflop / stage->openblas_seconds);
        ff_report_line(report, "%-12s  %-24s %10.4f %5zu %9s %8.1f %6.1f %% %9s", stage->name, stage->work,
                       stage->seconds, stage->runs, work, speed, 100 * speed / result->peak_gflops, openblas);
    }
    if (result->openblas_core)
        ff_report_line(report, "OpenBLAS: its kernels for %s; OPENBLAS_CORETYPE chooses others", result->openblas_core);
    else
        ff_report_line(report, "OpenBLAS was not timed: %s", result->openblas_missing);
    ff_report_line(report, "memory: %.0f MiB resident at the peak, weights included",
                   (double)result->peak_memory_bytes / (1024 * 1024));
}

ff_status ff_command_bench(const ff_options *options, ff_report *report, ff_error *error)
{
    listener to = {.shows = !options->quiet && ff_host_is_terminal(stderr)};
    ff_model_choice choice;
    ff_model *model = NULL;
    ff_bench_result result;
    ff_bench_request request = {
        .blocks = options->blocks, .dtype = ff_option_table[FF_OPTION_DTYPE].choices[options->dtype],
        .width = options->size.width, .height = options->size.height, .frames = options->frames, .threads = options->threads,
        .stages = options->given[FF_OPTION_ONLY] ? 1u << options->only : 0,  // the choices are in the order of the bits
        .user = &to, .progress = on_progress,
    };
    ff_status status = FF_OK;
    ff_options_kernels(options, &request.isa, &request.backend);
    if (options->given[FF_OPTION_DIMS])
        request.dims = ff_option_table[FF_OPTION_DIMS].choices[options->dims];
    else if ((status = ff_model_choose(&options->model, &choice, error)) == FF_OK)
        status = ff_model_choice_open(&choice, report, &model, error);
    ff_host_catch_signals();
    if (status == FF_OK)
        status = ff_bench(model, &request, &result, error);
    if (status == FF_OK)
        status = ff_host_check_interrupt("timing", error);
    ff_model_close(model);
    if (to.shows)
        fputs("\r\033[K", stderr);
    if (status != FF_OK)
        return status;
    report_result(&result, report);
    print_result(&result, report);
    return FF_OK;
}

#include "long_run.h"
#include "../files/host.h"
#include "../line/progress.h"
#include "room.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A thread of any machine has fewer GFLOP/s than the first, and of any that is used more than a fiftieth of it. Work
// that is done sooner than in two minutes even so need not be measured, which takes a third of a second.
#define MOST_THREAD_GFLOPS 400.0
#define LEAST_THREAD_GFLOPS (MOST_THREAD_GFLOPS / 50)

#define WORTH_SAYING 0.8       // of the time; settings that save less are not proposed
#define FEW_STEPS 8            // models that are made for so few do without guidance
#define FEW_FRAMES 9
#define LEAST_AREA 300000.0    // pixels; below, Wan's large models give noise

double ff_plan_seconds(const ff_plan *plan, const ff_speed *speed)
{
    return (plan->gflop_text + plan->gflop_denoise) / speed->matmul +
           (plan->gflop_encode + plan->gflop_decode) / speed->convolution;
}

// ---- cheaper settings ----

// Plans the job with another request; true if that saves enough to be told.
static bool is_cheaper(const ff_job *job, const ff_request *request, const ff_speed *speed, ff_plan *plan,
                       double *seconds)
{
    if (ff_plan_request(job->model, request, plan, NULL) != FF_OK)
        return false;
    *seconds = ff_plan_seconds(plan, speed);
    return *seconds < WORTH_SAYING * ff_plan_seconds(&job->plan, speed);
}

// Half the area in the same shape, rounded to what the model can do.
static bool halve_area(const ff_job *job, ff_request *request)
{
    const ff_plan *plan = &job->plan;
    const ff_model_facts *facts = &job->facts;
    double area = (double)(plan->model_width * plan->model_height) / 2;
    double usual = (double)(facts->default_width * facts->default_height);
    if (area < (usual < LEAST_AREA ? usual / 2 : LEAST_AREA))
        return false;
    request->width = (size_t)((double)plan->model_width * sqrt(0.5)) / facts->multiple_width * facts->multiple_width;
    request->height = (size_t)((double)plan->model_height * sqrt(0.5)) / facts->multiple_height * facts->multiple_height;
    return request->width > 0 && request->height > 0;
}

size_t ff_cheaper_settings(const ff_job *job, const ff_speed *speed, ff_cheaper out[FF_MOST_CHEAPER])
{
    const ff_plan *plan = &job->plan;
    ff_plan other;
    size_t count = 0;
    ff_request request = job->request;
    if (plan->guidance_scale > 1 && plan->steps <= FEW_STEPS) {
        request.guidance_scale = 1;
        if (is_cheaper(job, &request, speed, &other, &out[count].seconds))
            snprintf(out[count++].option, sizeof out->option, "--guidance 1");
    }
    request = job->request;
    request.steps = (plan->steps + 1) / 2;
    if (plan->steps > FEW_STEPS && is_cheaper(job, &request, speed, &other, &out[count].seconds))
        snprintf(out[count++].option, sizeof out->option, "--steps %zu", other.steps);
    request = job->request;
    request.frames = (plan->frames + 1) / 2;
    if (plan->frames > FEW_FRAMES && is_cheaper(job, &request, speed, &other, &out[count].seconds))
        snprintf(out[count++].option, sizeof out->option, "--frames %zu", other.frames);
    request = job->request;
    if (count < FF_MOST_CHEAPER && halve_area(job, &request) &&
        is_cheaper(job, &request, speed, &other, &out[count].seconds))
        snprintf(out[count++].option, sizeof out->option, "--size %zux%zu", other.model_width, other.model_height);
    return count;
}

// ---- what is said and asked ----

static ff_status find_speed(const ff_job *job, size_t count, ff_speed *out, ff_error *error)
{
    const char *assumed = getenv("FIRSTFRAME_ASSUMED_GFLOPS");
    const ff_plan *plan = &job->plan;
    double work = plan->gflop_text + plan->gflop_encode + plan->gflop_denoise + plan->gflop_decode;
    double threads = job->request.threads ? (double)job->request.threads : (double)omp_get_max_threads();
    double number;
    if (assumed && ff_read_number(assumed, &number) && number > 0) {
        *out = (ff_speed){number, number};
        return FF_OK;
    }
    *out = (ff_speed){INFINITY, INFINITY};
    if ((double)count * work < FF_TOLD_SECONDS * threads * LEAST_THREAD_GFLOPS)
        return FF_OK;
    return ff_measure_speed(job->request.threads, job->request.isa, job->request.backend, out, error);
}

static void tell(const ff_job *job, size_t count, double seconds, const ff_speed *speed)
{
    double gigabyte = 1e9;
    const ff_plan *plan = &job->plan;
    ff_room room = ff_room_needed(job, count);
    ff_cheaper cheaper[FF_MOST_CHEAPER];
    size_t ways = ff_cheaper_settings(job, speed, cheaper), length = 0;
    char duration[32], list[256] = "";
    ff_print_duration(seconds, duration);
    ff_report_note(job->report, "this will take about %s, %.3g GB of memory beside %.3g GB of mapped weights, and %.3g "
                   "GB of disk", duration, (double)plan->memory_bytes / gigabyte,
                   (double)plan->weight_bytes / gigabyte,
                   (double)(room.output_bytes + room.scratch_bytes) / gigabyte);
    for (size_t i = 0; i < ways; i++) {
        ff_print_duration((double)count * cheaper[i].seconds, duration);
        length += (size_t)snprintf(list + length, sizeof list - length, "%s%s takes %s",
                                   i == 0 ? "" : i + 1 == ways ? ", and " : ", ", cheaper[i].option, duration);
    }
    if (ways)
        ff_report_note(job->report, "cheaper on this machine: %s", list);
}

static ff_status ask(double seconds, ff_error *error)
{
    char answer[16] = "", duration[32];
    ff_print_duration(seconds, duration);
    if (!ff_host_is_terminal(stdin) || !ff_host_is_terminal(stderr))
        return ff_fail(error, FF_ERROR_INPUT, "this run will take about %s; --yes starts it all the same", duration);
    fprintf(stderr, "it will take about %s; start it? [y/N] ", duration);
    fflush(stderr);
    if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
        return FF_OK;
    return ff_fail(error, FF_ERROR_INPUT, "not started");
}

ff_status ff_long_run_check(const ff_job *job, size_t count, ff_error *error)
{
    ff_speed speed;
    ff_status status = find_speed(job, count, &speed, error);
    if (status != FF_OK)
        return status;
    double seconds = (double)count * ff_plan_seconds(&job->plan, &speed);
    if (seconds < FF_TOLD_SECONDS)
        return FF_OK;
    ff_json_number(job->report->object, "expected_seconds", floor(seconds + 0.5));
    tell(job, count, seconds, &speed);
    if (seconds < FF_ASKED_SECONDS || job->options->yes || job->options->resume)
        return FF_OK;
    return ask(seconds, error);
}

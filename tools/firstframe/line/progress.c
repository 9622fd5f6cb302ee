#include "progress.h"
#include "../files/host.h"

#include <stdio.h>
#include <string.h>

#define REDRAW_SECONDS 0.1
#define BAR_LENGTH 24

static const char *const stage_names[] = {
    [FF_STAGE_TEXT] = "text", [FF_STAGE_ENCODE] = "encode", [FF_STAGE_DENOISE] = "denoise",
    [FF_STAGE_DECODE] = "decode",
};

void ff_print_duration(double seconds, char *out)
{
    unsigned long long whole = seconds > 0 && seconds < 1e15 ? (unsigned long long)(seconds + 0.5) : 0;
    if (whole >= 3600)
        snprintf(out, 32, "%llu:%02llu:%02llu", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(out, 32, "%llu:%02llu", whole / 60, whole % 60);
}

double ff_work_done(const double work[4], const ff_progress *progress)
{
    double all = 0, done = 0;
    for (int stage = 0; stage < 4; stage++) {
        all += work[stage];
        if (stage < (int)progress->stage)
            done += work[stage];
    }
    if (progress->total > 0)
        done += work[progress->stage] * (double)progress->done / (double)progress->total;
    return all > 0 ? done / all : 0;
}

void ff_display_start(ff_display *display, const ff_plan *plan, const char *title, bool quiet, bool verbose)
{
    bool terminal = ff_host_is_terminal(stderr);
    *display = (ff_display){
        .bar = terminal && !quiet && !verbose,
        .lines = verbose,
        .width = ff_host_terminal_width(stderr),
        .title = title,
        .work = {plan->gflop_text, plan->gflop_encode, plan->gflop_denoise, plan->gflop_decode},
        .begun = -1,
    };
}

static void draw(const ff_display *display, const ff_progress *progress, double part, double seconds_left)
{
    char line[256], bar[BAR_LENGTH + 1], left[48] = "";
    size_t filled = (size_t)(part * BAR_LENGTH), most = display->width - 1;
    memset(bar, ' ', BAR_LENGTH);
    memset(bar, '=', filled);
    if (filled < BAR_LENGTH)
        bar[filled] = '>';
    bar[BAR_LENGTH] = 0;
    if (seconds_left >= 0) {
        char duration[32];
        ff_print_duration(seconds_left, duration);
        snprintf(left, sizeof left, "  %s left", duration);
    }
    snprintf(line, sizeof line, "%s%s%-7s %3zu/%-3zu [%s] %3.0f%%%s", display->title ? display->title : "",
             display->title ? "  " : "", stage_names[progress->stage], progress->done, progress->total, bar,
             100 * part, left);
    if (most < sizeof line)
        line[most] = 0;
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
}

void ff_display_show(ff_display *display, const ff_progress *progress)
{
    double now = ff_host_seconds(), part = ff_work_done(display->work, progress), left = -1;
    bool new_stage = display->begun < 0 || progress->stage != display->last.stage;
    bool resumed = new_stage && progress->stage == FF_STAGE_DENOISE && progress->done > 1;
    if (display->begun < 0 || resumed) {  // from here on work and time go together
        display->begun = now;
        display->done_before = part;
    }
    display->last = *progress;
    if (display->lines && progress->done == 0)
        return;
    if (display->lines) {
        fprintf(stderr, "%s%s%-7s %zu/%zu  %.1f s\n", display->title ? display->title : "", display->title ? "  " : "",
                stage_names[progress->stage], progress->done, progress->total, now - display->begun);
        return;
    }
    if (!display->bar || (!new_stage && now - display->last_shown < REDRAW_SECONDS))
        return;
    if (part > display->done_before && now - display->begun > 1)
        left = (now - display->begun) * (1 - part) / (part - display->done_before);
    draw(display, progress, part, left);
    display->last_shown = now;
}

void ff_display_clear(ff_display *display)
{
    if (display->bar && display->begun >= 0)
        fprintf(stderr, "\r\033[K");
}

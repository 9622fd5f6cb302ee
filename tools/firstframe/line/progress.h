// The line that shows how far a run is: stage, step, a bar and the time left, on stderr when that is a terminal; with
// -v a line for every step instead.
#ifndef FF_PROGRESS_H
#define FF_PROGRESS_H

#include "firstframe.h"

typedef struct ff_display {
    bool bar, lines;
    size_t width;              // of the terminal
    const char *title;         // what is being made: "seed 3", or NULL
    double work[4];            // GFLOP of each stage
    double begun, done_before; // when the first report came, and how much of the work was done by then
    double last_shown;
    ff_progress last;
} ff_display;

void ff_display_start(ff_display *display, const ff_plan *plan, const char *title, bool quiet, bool verbose);
void ff_display_show(ff_display *display, const ff_progress *progress);
void ff_display_clear(ff_display *display);  // takes the bar away

// "1:05", "2:03:20": seconds for people. out: 32 bytes.
void ff_print_duration(double seconds, char *out);
// Work done so far over all work, 0 to 1.
double ff_work_done(const double work[4], const ff_progress *progress);

#endif

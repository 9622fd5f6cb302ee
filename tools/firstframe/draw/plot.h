// Curves over time, drawn as SVG into a page.
#ifndef FF_PLOT_H
#define FF_PLOT_H

#include "page.h"

typedef struct ff_curve {
    const double *values;     // [count], one a frame; NaN: no value there
    size_t count;
    const char *colour;       // a class of the page's style: still, text, third
    bool mean;                // drawn strong
} ff_curve;

typedef struct ff_plot {
    const char *title, *unit; // plain ASCII; unit may be ""
    double fps;               // 0: the values are one a step, and x counts them from 1
    double floor;             // a dotted line; NaN: none
    size_t count;
    const ff_curve *curves;   // [count]
} ff_plot;

// y from 0 to a round number above all values, x in seconds or steps.
void ff_plot_draw(ff_page *page, const ff_plot *plot);

#endif

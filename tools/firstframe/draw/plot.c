#include "plot.h"

#include <math.h>

#define WIDTH 320.0
#define HEIGHT 190.0
#define LEFT 38.0
#define RIGHT 10.0
#define TOP 28.0
#define BOTTOM 24.0

// The least of some round numbers times a power of ten that is not below value.
static double round_above(double value)
{
    static const double steps[] = {1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10};
    double power = 1e-6;
    if (!(value > power))
        return 1;
    while (power * 10 < value)
        power *= 10;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i] * power >= value)
            return steps[i] * power;
    return 10 * power;
}

static double x_of(double at, double longest)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * (longest > 0 ? at / longest : 0);
}

static double y_of(double value, double highest)
{
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / highest;
}

static void draw_axes(ff_page *page, double longest, double highest, bool in_steps)
{
    for (int i = 0; i <= 2; i++) {
        double value = highest * i / 2, y = y_of(value, highest);
        ff_page_add(page, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/><text x=\"%.1f\" y=\"%.1f\" "
                    "text-anchor=\"end\">%.4g</text>", LEFT, y, WIDTH - RIGHT, LEFT - 5, y + 4, value);
    }
    for (int i = 0; i <= 2; i++) {
        if (in_steps && i == 1)     // may be between two steps
            continue;
        double at = longest * i / 2;
        ff_page_add(page, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%.3g%s</text>", x_of(at, longest), HEIGHT - 8,
                    i == 0 ? "start" : i == 1 ? "middle" : "end", in_steps ? at + 1 : at, in_steps ? "" : " s");
    }
}

static void draw_curve(ff_page *page, const ff_curve *curve, double fps, double longest, double highest)
{
    bool begun = false;
    ff_page_add(page, "<path class=\"%s %s\" d=\"", curve->mean ? "mean" : "curve", curve->colour);
    for (size_t i = 0; i < curve->count; i++) {
        if (!isfinite(curve->values[i]))
            continue;
        ff_page_add(page, "%s%.1f %.1f", begun ? "L" : "M", x_of((double)i / fps, longest),
                    y_of(curve->values[i], highest));
        begun = true;
    }
    ff_page_add(page, "\"/>");
}

void ff_plot_draw(ff_page *page, const ff_plot *plot)
{
    double fps = plot->fps > 0 ? plot->fps : 1;
    double highest = isfinite(plot->floor) ? plot->floor : 0, longest = 0;
    for (size_t c = 0; c < plot->count; c++) {
        const ff_curve *curve = &plot->curves[c];
        for (size_t i = 0; i < curve->count; i++)
            highest = curve->values[i] > highest ? curve->values[i] : highest;   // NaN is not above
        if (curve->count > 1)
            longest = fmax(longest, (double)(curve->count - 1) / fps);
    }
    highest = round_above(1.02 * highest);
    ff_page_add(page, "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s, curves\"><text class=\"title\" "
                "x=\"4\" y=\"15\">%s</text><text x=\"%g\" y=\"15\" text-anchor=\"end\">%s</text>", WIDTH, HEIGHT,
                plot->title, plot->title, WIDTH - RIGHT, plot->unit);
    draw_axes(page, longest, highest, !(plot->fps > 0));
    if (isfinite(plot->floor))
        ff_page_add(page, "<path class=\"floor\" d=\"M%.1f %.1fH%.1f\"/>", LEFT, y_of(plot->floor, highest),
                    WIDTH - RIGHT);
    for (size_t c = 0; c < plot->count; c++)
        draw_curve(page, &plot->curves[c], fps, longest, highest);
    ff_page_add(page, "</svg>\n");
}

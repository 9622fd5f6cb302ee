#include "error_plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../draw/canvas.h"

#define WIDTH 1280
#define HEIGHT 720
#define LEFT 92           // of the area with marks
#define RIGHT 1250
#define TOP 84
#define BOTTOM 590
#define EQUAL_Y 612       // where equal tensors stand
#define BEYOND_Y 70       // where those stand that cannot be compared
#define LOWEST_DECADE (-12)
#define MARK 5

static const ff_colour ink = {40, 40, 40}, faint = {226, 226, 226}, grey = {150, 150, 150},
                       white = {255, 255, 255}, red = {208, 32, 32};

// What marks are told apart by.
static const struct {
    const char *label;
    ff_colour colour;
} kinds[] = {
    {"text", {120, 120, 120}},    {"anchor, noise", {150, 100, 50}}, {"inside calls", {70, 130, 220}},
    {"calls", {20, 60, 140}},     {"steps", {230, 140, 0}},          {"VAE", {130, 80, 180}},
    {"latents, frames", {0, 140, 90}}, {"other", {200, 90, 160}},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static int kind_of(const ff_diff_row *row)
{
    const char *name = row->name;
    size_t length = strlen(name);
    switch ((ff_phase)row->place.number[0]) {
    case FF_PHASE_TEXT: return 0;
    case FF_PHASE_ANCHOR: return strncmp(name, "vae_", 4) == 0 ? 5 : 1;
    case FF_PHASE_NOISE: return 1;
    case FF_PHASE_SAMPLING:
        if (name[0] == 's')
            return 4;
        return strcmp(name + length - 6, ".input") == 0 || strcmp(name + length - 7, ".output") == 0 ||
               strcmp(name + length - 9, ".timestep") == 0 ? 3 : 2;
    case FF_PHASE_DECODE: return 5;
    case FF_PHASE_LATENTS:
    case FF_PHASE_FRAMES: return 6;
    case FF_PHASE_UNKNOWN: break;
    }
    return 7;
}

typedef struct plot {
    ff_image image;
    const ff_diff *diff;
    const ff_diff_row **rows;  // [count] that both dumps hold
    size_t count;
    int lowest, highest;       // decades
} plot;

static long x_of(const plot *p, size_t i)
{
    return LEFT + 12 + (long)((double)(RIGHT - LEFT - 24) * ((double)i + 0.5) / (double)p->count);
}

static long y_of(const plot *p, double error)
{
    double decade = log10(error), part = (decade - p->lowest) / (p->highest - p->lowest);
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    return BOTTOM - (long)(part * (BOTTOM - TOP));
}

static void vertical(plot *p, long x, ff_colour colour)
{
    ff_canvas_fill(&p->image, x, BEYOND_Y - 4, 1, EQUAL_Y - BEYOND_Y + 12, colour);
}

static bool in_sight(const ff_diff_row *row)
{
    return !row->shapes_differ && isfinite(row->distance.relative_l2) && row->distance.unmatched == 0;
}

static void choose_decades(plot *p)
{
    p->lowest = 0;
    p->highest = -20;
    for (size_t i = 0; i < p->count; i++) {
        const ff_diff_row *row = p->rows[i];
        double values[2] = {in_sight(row) ? row->distance.relative_l2 : 0, row->whole ? 0 : row->tolerance};
        for (int k = 0; k < 2; k++) {
            if (values[k] <= 0)
                continue;
            int decade = (int)floor(log10(values[k]));
            p->lowest = decade < p->lowest ? decade : p->lowest;
            p->highest = decade + 1 > p->highest ? decade + 1 : p->highest;
        }
    }
    p->lowest = p->lowest < LOWEST_DECADE ? LOWEST_DECADE : p->lowest;
    p->highest = p->highest > p->lowest ? p->highest : p->lowest + 1;
}

static void draw_axes(plot *p)
{
    int step = (p->highest - p->lowest) / 16 + 1;
    for (int decade = p->lowest; decade <= p->highest; decade += step) {
        char label[16];
        long y = y_of(p, pow(10, decade));
        snprintf(label, sizeof label, "1e%d", decade);
        ff_canvas_fill(&p->image, LEFT, y, RIGHT - LEFT, 1, faint);
        ff_canvas_text(&p->image, LEFT - 10 - ff_canvas_text_width(label, 2), y - 7, 2, ink, label);
    }
    ff_canvas_fill(&p->image, LEFT, EQUAL_Y + 3, RIGHT - LEFT, 1, faint);
    ff_canvas_text(&p->image, LEFT - 10 - ff_canvas_text_width("equal", 2), EQUAL_Y - 4, 2, ink, "equal");
    ff_canvas_fill(&p->image, LEFT, BEYOND_Y - 4, 1, EQUAL_Y - BEYOND_Y + 12, ink);
}

// What stands below a stretch of the axis: tensors with the same label belong together.
static void stretch_label(const ff_place *place, char out[24])
{
    static const char *const phases[] = {"text", "anchor", "noise", "", "latents", "decode", "frames", "other"};
    if (place->number[0] == FF_PHASE_SAMPLING)
        snprintf(out, 24, "step %u", (unsigned)place->number[1]);
    else
        snprintf(out, 24, "%s", phases[place->number[0]]);
}

// Lines between stretches; labels where there is room for them.
static void draw_stretches(plot *p)
{
    long free_from = LEFT;
    for (size_t first = 0, end; first < p->count; first = end) {
        char label[24], other[24];
        stretch_label(&p->rows[first]->place, label);
        for (end = first + 1; end < p->count; end++) {
            stretch_label(&p->rows[end]->place, other);
            if (strcmp(label, other) != 0)
                break;
        }
        long x = first == 0 ? LEFT : (x_of(p, first - 1) + x_of(p, first)) / 2;
        long past = end == p->count ? RIGHT : (x_of(p, end - 1) + x_of(p, end)) / 2;
        long width = ff_canvas_text_width(label, 2);
        long at = (x + past - width) / 2 < free_from ? free_from : (x + past - width) / 2;
        if (first > 0)
            vertical(p, x, faint);
        if (at <= past - width / 2 && at + width < WIDTH) {
            ff_canvas_text(&p->image, at, EQUAL_Y + 18, 2, ink, label);
            free_from = at + width + 12;
        }
    }
}

static void draw_marks(plot *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const ff_diff_row *row = p->rows[i];
        if (!row->whole && row->tolerance > 0)
            ff_canvas_fill(&p->image, x_of(p, i) - 4, y_of(p, row->tolerance), 9, 2, (ff_colour){240, 150, 150});
    }
    for (size_t i = 0; i < p->count; i++) {
        const ff_diff_row *row = p->rows[i];
        double error = row->shapes_differ ? INFINITY : row->distance.relative_l2;
        long y = !in_sight(row) ? BEYOND_Y : error == 0 ? EQUAL_Y + 3 : y_of(p, error);
        ff_canvas_fill(&p->image, x_of(p, i) - MARK / 2, y - MARK / 2, MARK, MARK, kinds[kind_of(row)].colour);
        if (row->whole)
            ff_canvas_fill(&p->image, x_of(p, i) - MARK / 2 + 1, y - MARK / 2 + 1, MARK - 2, MARK - 2, white);
    }
}

// The first tensor beyond its tolerance: a line down the plot, with its name on the side where there is room.
static void draw_first(plot *p)
{
    char label[160];
    if (p->diff->first == p->diff->count) {
        ff_canvas_text(&p->image, LEFT, 42, 2, (ff_colour){0, 120, 60}, "Nothing is beyond its tolerance.");
        return;
    }
    const ff_diff_row *row = &p->diff->rows[p->diff->first];
    size_t i = 0;
    while (p->rows[i] != row)
        i++;
    vertical(p, x_of(p, i), red);
    snprintf(label, sizeof label, "First beyond its tolerance: %.80s", row->name);
    ff_canvas_text(&p->image, LEFT, 42, 2, red, label);
}

static void draw_legend(plot *p)
{
    bool used[KINDS] = {false};
    long x = LEFT;
    for (size_t i = 0; i < p->count; i++)
        used[kind_of(p->rows[i])] = true;
    for (int kind = 0; kind < KINDS; kind++) {
        if (!used[kind])
            continue;
        ff_canvas_fill(&p->image, x, 671, 10, 10, kinds[kind].colour);
        ff_canvas_text(&p->image, x + 16, 669, 2, ink, kinds[kind].label);
        x += 16 + ff_canvas_text_width(kinds[kind].label, 2) + 22;
    }
    ff_canvas_fill(&p->image, x, 675, 10, 2, (ff_colour){240, 150, 150});
    ff_canvas_text(&p->image, x + 16, 669, 2, ink, "tolerance");
    ff_canvas_text(&p->image, LEFT, 696, 1, grey, "Hollow marks are whole numbers, which have tolerances of their own.");
}

static void draw(plot *p, const char *name_a, const char *name_b)
{
    char title[200];
    snprintf(title, sizeof title, "Relative L2 between %.40s and %.40s, %zu tensors", name_a, name_b, p->count);
    ff_canvas_text(&p->image, LEFT, 14, 2, ink, title);
    ff_canvas_text(&p->image, RIGHT - ff_canvas_text_width("position in the run", 1), EQUAL_Y + 42, 1, grey,
                   "position in the run");
    choose_decades(p);
    draw_axes(p);
    draw_stretches(p);
    draw_first(p);
    draw_marks(p);
    draw_legend(p);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

ff_status ff_error_plot_write(const ff_diff *diff, const char *name_a, const char *name_b, const char *path,
                              ff_error *error)
{
    plot p = {.diff = diff, .rows = malloc(diff->count * sizeof *p.rows)};
    ff_status status = p.rows ? ff_canvas_create(WIDTH, HEIGHT, &p.image, error) :
                       ff_fail(error, FF_ERROR_MEMORY, "out of memory for a plot of %zu tensors", diff->count);
    for (size_t i = 0; i < diff->count && !status; i++)
        if (diff->rows[i].a && diff->rows[i].b)
            p.rows[p.count++] = &diff->rows[i];
    if (!status) {
        draw(&p, last_part(name_a), last_part(name_b));
        status = ff_canvas_write(&p.image, path, error);
    }
    free(p.rows);
    free(p.image.rgb);
    return status;
}

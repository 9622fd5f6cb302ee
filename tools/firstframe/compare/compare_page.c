// report.html of a comparison.
#include "comparison.h"
#include "../draw/page.h"
#include "../draw/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef enum figure { IDENTITY, COMPOSITION, PALETTE, STYLE, FIGURES } figure;

static const struct {
    const char *name, *unit, *format;
} figures[FIGURES] = {
    {"Identity", "", "%.3f"}, {"Composition", "", "%.3f"}, {"Palette", "CIELAB", "%.2f"}, {"Style", "", "%.3f"},
};
static const char *const colours[FF_WAYS] = {"still", "third", "text"};

static double value_of(const ff_drift *drift, figure which)
{
    const double all[FIGURES] = {drift->identity, drift->composition, drift->palette, drift->style};
    return all[which];
}

// ---- clips ----

static ff_status add_card(ff_page *page, const ff_comparison *all, const ff_scene *scene, size_t seed, ff_error *error)
{
    ff_status status = FF_OK;
    bool three = scene->sides[FF_MATCHED].takes != NULL;
    ff_page_add(page, "<div class=\"card\"><div class=\"pair%s\">", three ? " three" : "");
    for (ff_way way = 0; way < FF_WAYS && status == FF_OK; way++) {
        const ff_take *take = scene->sides[way].takes ? &scene->sides[way].takes[seed] : NULL;
        char alt[96];
        if (!take)
            continue;
        snprintf(alt, sizeof alt, "clip %s, seed %llu", ff_way_name(way), (unsigned long long)take->seed);
        ff_page_add(page, "<figure>");
        status = ff_page_file(page, take->path, all->width, all->height, alt, error);
        ff_page_add(page, "<figcaption><span class=\"%s\">%s</span></figcaption></figure>", colours[way],
                    ff_way_name(way));
    }
    ff_page_add(page, "</div><p class=\"quiet\" style=\"margin:.4em 0 0\">seed %llu</p></div>\n",
                (unsigned long long)scene->sides[FF_ANCHORED].takes[seed].seed);
    return status;
}

// ---- the table ----

static void add_value(ff_page *page, figure which, double value)
{
    if (isnan(value))
        ff_page_add(page, "<td>&ndash;</td>");
    else {
        char text[32];
        snprintf(text, sizeof text, figures[which].format, value);
        ff_page_add(page, "<td>%s</td>", text);
    }
}

// Rows for four figures, each way a column; drifts[way] may be NULL.
static void add_drifts(ff_page *page, const char *heading, const ff_drift *const drifts[FF_WAYS], const ff_drift *floor,
                       size_t columns)
{
    ff_page_add(page, "<tr class=\"head\"><th colspan=\"%zu\">%s</th></tr>\n", columns + 1, heading);
    for (figure which = 0; which < FIGURES; which++) {
        ff_page_add(page, "<tr><td>%s", figures[which].name);
        if (floor) {
            char text[32];
            snprintf(text, sizeof text, figures[which].format, value_of(floor, which));
            ff_page_add(page, " <span class=\"quiet\">(floor %s)</span>", text);
        }
        ff_page_add(page, "</td>");
        for (ff_way way = 0; way < FF_WAYS; way++)
            if (drifts[way])
                add_value(page, which, value_of(drifts[way], which));
        ff_page_add(page, "</tr>\n");
    }
}

static void add_table(ff_page *page, const ff_comparison *all, const ff_scene *scene)
{
    const ff_drift *first[FF_WAYS] = {0}, *still[FF_WAYS] = {0}, *spread[FF_WAYS] = {0};
    size_t columns = 0;
    ff_page_add(page, "<table>\n<tr><th>mean of %zu clip%s</th>", all->seeds, all->seeds == 1 ? "" : "s");
    for (ff_way way = 0; way < FF_WAYS; way++) {
        const ff_side *side = &scene->sides[way];
        if (!side->takes)
            continue;
        columns++;
        first[way] = &side->from_first;
        still[way] = &side->from_still;
        spread[way] = &side->spread;
        ff_page_add(page, "<th class=\"%s\">%s</th>", colours[way], ff_way_name(way));
    }
    ff_page_add(page, "</tr>\n");
    if (all->seeds > 1)
        add_drifts(page, "How differently the seeds draw it", spread, NULL, columns);
    add_drifts(page, "Drift from the clip&#39;s own first frame", first, NULL, columns);
    add_drifts(page, "Drift from the still", still, &all->floor, columns);
    ff_page_add(page, "<tr class=\"head\"><th colspan=\"%zu\">In time</th></tr>\n<tr><td>Motion, %%/s</td>",
                columns + 1);
    for (ff_way way = 0; way < FF_WAYS; way++)
        if (scene->sides[way].takes)
            ff_page_add(page, "<td>%.2f</td>", scene->sides[way].motion);
    ff_page_add(page, "</tr>\n<tr><td>Flicker, CIELAB</td>");
    for (ff_way way = 0; way < FF_WAYS; way++)
        if (scene->sides[way].takes)
            ff_page_add(page, "<td>%.2f</td>", scene->sides[way].flicker);
    ff_page_add(page, "</tr>\n</table>\n");
}

// ---- plots ----

// The values of one figure for all takes of a side, and after them their means: [(takes + 1), frames].
static void fill_values(const ff_comparison *all, const ff_side *side, figure which, bool still, double *out)
{
    double *means = out + all->seeds * all->frames;
    for (size_t t = 0; t < all->frames; t++) {
        double total = 0;
        for (size_t i = 0; i < all->seeds; i++) {
            const ff_clip_drift *drift = &side->takes[i].drift;
            double value = value_of(still ? &drift->from_still[t] : &drift->from_first[t], which);
            out[i * all->frames + t] = value;
            total += value;
        }
        means[t] = total / (double)all->seeds;
    }
}

static ff_status add_plot(ff_page *page, const ff_comparison *all, const ff_scene *scene, figure which, bool still,
                          ff_error *error)
{
    size_t per_side = (all->seeds + 1) * all->frames;
    double *values = malloc(FF_WAYS * per_side * sizeof *values);
    ff_curve *curves = malloc(FF_WAYS * (all->seeds + 1) * sizeof *curves);
    ff_plot plot = {.title = figures[which].name, .unit = figures[which].unit, .fps = all->fps,
                    .floor = still ? value_of(&all->floor, which) : NAN, .curves = curves};
    if (values && curves) {
        for (ff_way way = 0; way < FF_WAYS; way++) {
            if (!scene->sides[way].takes)
                continue;
            double *own = values + way * per_side;
            fill_values(all, &scene->sides[way], which, still, own);
            for (size_t i = 0; i <= all->seeds; i++)
                curves[plot.count++] = (ff_curve){own + i * all->frames, all->frames, colours[way], i == all->seeds};
        }
        ff_page_add(page, "<div class=\"card\">");
        ff_plot_draw(page, &plot);
        ff_page_add(page, "</div>\n");
    }
    bool had = values && curves;
    free(values);
    free(curves);
    return had ? FF_OK : ff_fail(error, FF_ERROR_MEMORY, "no memory for a plot");
}

static ff_status add_plots(ff_page *page, const ff_comparison *all, const ff_scene *scene, ff_error *error)
{
    ff_status status = FF_OK;
    for (int still = 0; still < 2; still++) {
        ff_page_add(page, "<h3>%s, frame by frame</h3>\n<p class=\"quiet legend\">",
                    still ? "Drift from the still" : "Drift from the clip&#39;s own first frame");
        for (ff_way way = 0; way < FF_WAYS; way++)
            if (scene->sides[way].takes)
                ff_page_add(page, "<span><i class=\"key %s\"></i>%s</span>", colours[way], ff_way_name(way));
        ff_page_add(page, "%s</p>\n<div class=\"plots\">\n",
                    still ? "<span><i class=\"key floor\"></i>floor: the still through the VAE and back</span>"
                          : "<span>thin: each seed, thick: their mean</span>");
        for (figure which = 0; which < FIGURES && status == FF_OK; which++)
            status = add_plot(page, all, scene, which, still, error);
        ff_page_add(page, "</div>\n");
    }
    return status;
}

// ---- the page ----

static ff_status add_scene(ff_page *page, const ff_comparison *all, const ff_scene *scene, ff_error *error)
{
    ff_status status = FF_OK;
    ff_page_add(page, "<h2>");
    ff_page_text(page, scene->motion);
    ff_page_add(page, "</h2>\n<p class=\"verdict\">");
    ff_page_text(page, scene->verdict);
    ff_page_add(page, "</p>\n<p>The clips <span class=\"still\">from the still</span> were given the motion alone; "
                "those <span class=\"text\">from text alone</span>: <span class=\"prompt\">");
    ff_page_text(page, scene->sides[FF_UNANCHORED].prompt);
    ff_page_add(page, "</span></p>\n<div class=\"grid\">\n");
    for (size_t i = 0; i < all->seeds && status == FF_OK; i++)
        status = add_card(page, all, scene, i, error);
    ff_page_add(page, "</div>\n");
    add_table(page, all, scene);
    return status == FF_OK ? add_plots(page, all, scene, error) : status;
}

static void explain_figures(ff_page *page)
{
    static const char *const lines[][3] = {
        {"Identity", "tools/check/figures/identity.h", "how differently the subject, the middle of the picture where it "
         "differs from its surroundings, looks to the model&#39;s own encoder; 0 for a copy, about 1 for something "
         "unrelated. Turning away and new expressions count as well as another face."},
        {"Composition", "tools/check/figures/composition.h", "how differently light and dark are laid out (structural "
         "similarity at three scales); a shift, a zoom and other exposure are taken out first. 0 for a copy, about 1 "
         "for something unrelated. Only what both pictures show is compared."},
        {"Palette", "tools/check/figures/palette.h", "the distance of the two pictures&#39; colours, wherever they stand, in "
         "units of CIELAB: about 1 can just be seen. New things of other colours count as well."},
        {"Style", "tools/check/figures/style.h", "how differently strong edges and texture are; 0 to 1. Softness from "
         "enlarging or compressing counts as well."},
        {"Motion", "tools/check/figures/motion.h", "how fast textured blocks move, in percent of the longer side a second, so "
         "that a frozen clip does not win unnoticed. What moves too far to be followed is missed."},
        {"Flicker", "tools/check/figures/flicker.h", "how much brightness and colour go to and fro from frame to frame."},
    };
    ff_page_add(page, "<h2>What the figures say, and what not</h2>\n<p>All are distances: less is more alike. A clip "
                "from text alone never saw the still, so its distance to the still proves little; what counts is how "
                "far clips drift from their own first frame, and how differently seeds draw the same idea (every pair "
                "of seeds, without the first frame). None of them asks a network but identity, which uses the "
                "model&#39;s own encoder.</p>\n<dl>\n");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ff_page_add(page, "<dt>%s</dt><dd>%s <code>%s</code></dd>\n", lines[i][0], lines[i][2], lines[i][1]);
    ff_page_add(page, "</dl>\n");
}

ff_status ff_compare_page_write(const ff_comparison *all, const char *path, ff_error *error)
{
    ff_page page = {0};
    ff_status status;
    ff_page_begin(&page, "What the first frame decides");
    ff_page_add(&page, "<p>The same idea, with the same seeds, steps and size: animated from a still, and made from "
                "text alone.</p>\n<figure class=\"one\">");
    status = ff_page_picture(&page, &all->still, "the still", error);
    ff_page_add(&page, "<figcaption>the still: <span class=\"prompt\">");
    ff_page_text(&page, all->options->prompt);
    ff_page_add(&page, "</span></figcaption></figure>\n<p class=\"quiet\">%zu&times;%zu pixels, %zu frames at %g fps, "
                "%zu steps, guidance %g, %zu seed%s from %llu on; firstframe " FF_VERSION "</p>\n", all->width,
                all->height, all->frames, all->fps, all->steps, all->guidance, all->seeds, all->seeds == 1 ? "" : "s",
                (unsigned long long)all->options->seed.value);
    for (size_t s = 0; s < all->scenes && status == FF_OK; s++)
        status = add_scene(&page, all, &all->scene[s], error);
    explain_figures(&page);
    if (status != FF_OK) {
        ff_page_free(&page);
        return status;
    }
    return ff_page_write(&page, path, error);
}

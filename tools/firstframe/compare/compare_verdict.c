// The sentence at the top of a comparison.
#include "comparison.h"

#include <math.h>
#include <stdio.h>

// How many times as large the other is, over identity, composition and palette alike: the geometric mean of the three
// ratios. NaN if a figure is missing, infinite if one of the first is 0 and the other is not.
static double ratio_of(const ff_drift *first, const ff_drift *other)
{
    const double product = (other->identity / first->identity) * (other->composition / first->composition) *
                           (other->palette / first->palette);
    return cbrt(product);
}

static void say_ratio(char *out, size_t size, double ratio, const char *less, const char *more)
{
    if (isnan(ratio))
        snprintf(out, size, "cannot be told");
    else if (isinf(ratio))
        snprintf(out, size, "%s without limit", less);
    else if (ratio >= 1)
        snprintf(out, size, "%.1f times %s", ratio, less);
    else
        snprintf(out, size, "%.1f times %s", 1 / ratio, more);
}

void ff_comparison_judge(const ff_comparison *comparison, ff_scene *scene)
{
    const ff_side *still = &scene->sides[FF_ANCHORED], *text = &scene->sides[FF_UNANCHORED];
    char drift[48], spread[320] = "", apart[48];
    const char *moving = "";
    say_ratio(drift, sizeof drift, ratio_of(&still->from_first, &text->from_first), "less", "more");
    if (comparison->seeds > 1) {
        say_ratio(apart, sizeof apart, ratio_of(&still->spread, &text->spread), "more alike", "less alike");
        snprintf(spread, sizeof spread, "%zu seeds draw the same idea %s than without it (identity %.2f against %.2f, "
                 "composition %.2f against %.2f, palette %.1f against %.1f); ", comparison->seeds, apart,
                 still->spread.identity, text->spread.identity, still->spread.composition, text->spread.composition,
                 still->spread.palette, text->spread.palette);
    }
    if (still->motion < text->motion / 2)
        moving = ", but move less than half as much, so that part of this is standing still";
    else if (still->motion > 2 * text->motion)
        moving = ", and move more than twice as much";
    snprintf(scene->verdict, sizeof scene->verdict, "With the still, %sclips drift %s from their own first frame "
             "(identity %.2f against %.2f, composition %.2f against %.2f, palette %.1f against %.1f)%s.", spread, drift,
             still->from_first.identity, text->from_first.identity, still->from_first.composition,
             text->from_first.composition, still->from_first.palette, text->from_first.palette, moving);
}

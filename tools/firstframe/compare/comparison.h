// What `compare` makes and measures: for each motion prompt, clips from the still and clips from text alone.
#ifndef FF_COMPARISON_H
#define FF_COMPARISON_H

#include "check/figures/clip.h"
#include "../line/options.h"
#include "../line/report.h"

// Ways to make a clip. MATCHED are the anchored frames with their colours pulled back to the still (--color-match).
typedef enum ff_way { FF_ANCHORED, FF_MATCHED, FF_UNANCHORED, FF_WAYS } ff_way;

typedef struct ff_take {
    char *path;                  // of the clip
    char *name;                  // the same, seen from the folder
    uint64_t seed;
    char frames_sha256[65];
    ff_clip clip;                // small copies of its frames
    ff_clip_drift drift;
} ff_take;

typedef struct ff_side {
    char *prompt;
    ff_take *takes;              // [seeds]; NULL: this way was not taken
    ff_drift from_first, from_still, spread;   // means over the takes
    double flicker, motion;
} ff_side;

typedef struct ff_scene {
    const char *motion;
    ff_side sides[FF_WAYS];
    char *pairs;                 // name of the animation of all pairs
    char verdict[640];
} ff_scene;

typedef struct ff_comparison {
    const ff_options *options;
    ff_report *report;
    char *still_path, *still_name;   // the name is NULL if the still was given
    ff_image still;              // a small copy, fitted to the clips
    ff_drift floor;              // of what the VAE makes of the still, from the still
    size_t width, height, frames, steps, seeds, scenes;
    double fps, guidance;
    bool words_noted;            // that the model does not know
    ff_scene scene[FF_MOST_TEXTS];
} ff_comparison;

// Makes the still, unless there is one, and all clips.
ff_status ff_comparison_make(ff_comparison *comparison, ff_error *error);
// Reports what that and the figures would take.
ff_status ff_comparison_estimate(ff_comparison *comparison, ff_error *error);

// "from the still" and so on.
const char *ff_way_name(ff_way way);

// One sentence from own-frame drift, spread across seeds and motion.   verdict of scene is filled
void ff_comparison_judge(const ff_comparison *comparison, ff_scene *scene);

// An animated WebP of all clips, those of one seed side by side, with labels.
ff_status ff_pair_sheet_write(const ff_comparison *comparison, const ff_scene *scene, const char *path,
                              ff_error *error);
ff_status ff_compare_page_write(const ff_comparison *comparison, const char *path, ff_error *error);
ff_status ff_compare_record_write(const ff_comparison *comparison, const char *path, ff_error *error);

#endif

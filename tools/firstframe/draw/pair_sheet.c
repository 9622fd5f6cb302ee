#include "../compare/comparison.h"
#include "contact_sheet.h"
#include "../files/host.h"
#include "../pictures/output.h"
#include "../pictures/pictures.h"

#include <stdio.h>
#include <stdlib.h>

#define COLUMNS 4         // at most
#define QUALITY 90

const char *ff_way_name(ff_way way)
{
    static const char *const names[FF_WAYS] = {"from the still", "colours matched", "from text alone"};
    return names[way];
}

typedef struct cells {
    size_t count, columns;
    const ff_take **takes;   // [count]
    char (*labels)[32];
    const char **texts;      // [count], pointing into labels
    ff_image *images;        // [count]
} cells;

static void fill_cells(const ff_comparison *comparison, const ff_scene *scene, cells *all)
{
    static const char *const labels[FF_WAYS] = {"still", "matched", "text"};
    size_t ways = 0;
    for (size_t seed = 0; seed < comparison->seeds; seed++)
        for (ff_way way = 0; way < FF_WAYS; way++) {
            const ff_take *takes = scene->sides[way].takes;
            if (!takes)
                continue;
            ways += seed == 0;
            snprintf(all->labels[all->count], sizeof all->labels[0], "%s, seed %llu", labels[way],
                     (unsigned long long)takes[seed].seed);
            all->texts[all->count] = all->labels[all->count];
            all->takes[all->count++] = &takes[seed];
        }
    all->columns = comparison->seeds > 1 && 2 * ways <= COLUMNS ? 2 * ways : ways;
}

// The sheet of frame t.
static ff_status draw(cells *all, size_t t, ff_image *out, ff_error *error)
{
    for (size_t i = 0; i < all->count; i++)
        all->images[i] = all->takes[i]->clip.frames[t];
    return ff_contact_sheet_draw_columns(all->images, all->texts, all->count, all->columns, out, error);
}

static ff_status write_sheets(cells *all, const ff_comparison *comparison, const char *path, ff_error *error)
{
    ff_output_settings settings = {.frames = comparison->frames, .fps = comparison->fps, .quality = QUALITY};
    ff_output *output = NULL;
    ff_status status = FF_OK;
    for (size_t t = 0; t < comparison->frames && status == FF_OK; t++) {
        ff_image sheet = {0};
        status = ff_host_check_interrupt("drawing the pairs; the clips are there", error);
        if (status == FF_OK)
            status = draw(all, t, &sheet, error);
        settings.width = sheet.width;
        settings.height = sheet.height;
        if (status == FF_OK && !output)
            status = ff_output_open(path, &settings, &output, error);
        if (status == FF_OK)
            status = ff_output_add(output, &sheet, error);
        ff_picture_free(&sheet);
    }
    if (status == FF_OK)
        return ff_output_finish(output, NULL, error);
    ff_output_abandon(output);
    return status;
}

ff_status ff_pair_sheet_write(const ff_comparison *comparison, const ff_scene *scene, const char *path,
                              ff_error *error)
{
    size_t most = FF_WAYS * comparison->seeds;   // clips that are in memory
    cells all = {.takes = calloc(most, sizeof *all.takes), .labels = calloc(most, sizeof *all.labels),
                 .texts = calloc(most, sizeof *all.texts), .images = calloc(most, sizeof *all.images)};
    ff_status status;
    if (all.takes && all.labels && all.texts && all.images) {
        fill_cells(comparison, scene, &all);
        status = write_sheets(&all, comparison, path, error);
    } else {
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory for %s", path);
    }
    free(all.takes);
    free(all.labels);
    free(all.texts);
    free(all.images);
    return status;
}

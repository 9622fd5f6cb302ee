#include "flicker.h"

#include <math.h>
#include <string.h>

enum { CELLS = 8 };

typedef struct grid {
    float mean[3][CELLS * CELLS];
} grid;

static grid average_cells(const ff_view *view)
{
    grid out = {0};
    size_t wide = view->width < CELLS ? view->width : CELLS, high = view->height < CELLS ? view->height : CELLS;
    for (size_t c = 0; c < 3; c++)
        ff_plane_shrink(view->planes + c * view->width * view->height, view->width, view->height, wide, high,
                        out.mean[c]);
    return out;
}

double ff_measure_flicker(const ff_view *frames, size_t count)
{
    double total = 0;
    if (count < 3)
        return 0;
    size_t wide = frames[0].width < CELLS ? frames[0].width : CELLS;
    size_t high = frames[0].height < CELLS ? frames[0].height : CELLS, cells = wide * high;
    grid before = average_cells(&frames[0]), now = average_cells(&frames[1]);
    for (size_t t = 2; t < count; t++) {
        grid after = average_cells(&frames[t]);
        for (size_t i = 0; i < cells; i++) {
            double squares = 0;
            for (int c = 0; c < 3; c++) {
                double bend = (double)before.mean[c][i] - 2 * (double)now.mean[c][i] + (double)after.mean[c][i];
                squares += bend * bend;
            }
            total += sqrt(squares) / 4;
        }
        before = now;
        now = after;
    }
    return total / (double)((count - 2) * cells);
}

// Tables of shares as shaded cells, drawn as SVG into a page.
#ifndef FF_HEAT_H
#define FF_HEAT_H

#include "page.h"

typedef struct ff_heat {
    const char *title, *row_name, *column_name;   // plain ASCII: "Block", "Step"
    size_t first_row, first_column;               // their numbers
    size_t rows, columns;
    const double *values;                         // [rows, columns], 0 and above
    double full;                                  // the value that is fully shaded
} ff_heat;

void ff_heat_draw(ff_page *page, const ff_heat *heat);

#endif

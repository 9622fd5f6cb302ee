#include "heat.h"

#define WIDTH 320.0
#define LEFT 52.0
#define TOP 52.0
#define CELL_HEIGHT 20.0

void ff_heat_draw(ff_page *page, const ff_heat *heat)
{
    double cell = (WIDTH - LEFT - 8) / (double)heat->columns, height = TOP + CELL_HEIGHT * (double)heat->rows + 6;
    size_t every = 1 + (size_t)(20 / cell);   // columns between two numbers, so that they do not touch
    ff_page_add(page, "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s, by %s and %s\"><text class=\"title\" "
                "x=\"4\" y=\"14\">%s</text><text x=\"%g\" y=\"47\" text-anchor=\"end\">%s</text><text x=\"%g\" "
                "y=\"33\">%s</text>", WIDTH, height, heat->title, heat->row_name, heat->column_name, heat->title,
                LEFT - 6, heat->row_name, LEFT, heat->column_name);
    for (size_t c = 0; c < heat->columns; c += every)
        ff_page_add(page, "<text x=\"%.1f\" y=\"47\" text-anchor=\"middle\">%zu</text>",
                    LEFT + cell * ((double)c + 0.5), heat->first_column + c);
    for (size_t r = 0; r < heat->rows; r++) {
        double y = TOP + CELL_HEIGHT * (double)r;
        ff_page_add(page, "<text x=\"%g\" y=\"%g\" text-anchor=\"end\">%zu</text>", LEFT - 6, y + 14,
                    heat->first_row + r);
        for (size_t c = 0; c < heat->columns; c++) {
            double value = heat->values[r * heat->columns + c], shade = heat->full > 0 ? value / heat->full : 0;
            ff_page_add(page, "<rect class=\"cell\" x=\"%.1f\" y=\"%g\" width=\"%.1f\" height=\"%g\" "
                        "fill-opacity=\"%.2f\"><title>%s %zu, %s %zu: %.3g %%</title></rect>", LEFT + cell * (double)c,
                        y, cell - (cell > 4 ? 1 : 0), CELL_HEIGHT - 1, shade > 1 ? 1 : shade, heat->row_name,
                        heat->first_row + r, heat->column_name, heat->first_column + c, 100 * value);
        }
    }
    ff_page_add(page, "</svg>\n");
}

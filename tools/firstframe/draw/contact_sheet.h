// Several stills on one sheet, in rows, with a line of text under each.
#ifndef FF_CONTACT_SHEET_H
#define FF_CONTACT_SHEET_H

#include "firstframe.h"

// stills: [count], 1 or more; a cell is as large as the largest. labels: [count], printable ASCII (anything else is
// drawn as an open box), cut at the cell's width; an entry may be NULL. The grid is nearly square, and a little wider
// if that leaves fewer cells empty. out->rgb is the caller's; ff_picture_free releases it.
ff_status ff_contact_sheet_draw(const ff_image *stills, const char *const *labels, size_t count, ff_image *out,
                                ff_error *error);

// The same with a number of columns, at least 1.
ff_status ff_contact_sheet_draw_columns(const ff_image *stills, const char *const *labels, size_t count,
                                        size_t columns, ff_image *out, ff_error *error);

#endif

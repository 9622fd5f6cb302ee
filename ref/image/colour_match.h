// Pulls a frame's colours back to the still's: the cure for clips that turn slowly redder, darker or more garish.
//
// In CIELAB, per channel:  frame' = gain * frame + offset, fitted to the still by least squares over pixels (the frame
// brought to the still's place, align.h), each weighted by 1 / (1 + |r|^2 / 6^2)^2 with r its CIELAB difference after
// the last fit, ten times over from the median difference; gain within 0.8 to 1.25. So what the frame shows anew, or
// what has moved, differs too much to have a say, as long as it is less than half of the picture.
#ifndef FF_MEASURE_COLOUR_MATCH_H
#define FF_MEASURE_COLOUR_MATCH_H

#include "view.h"

// still, frame: of one size; the frame is changed in place. A frame that is the still stays as it is. Gives the same
// bytes on every machine. FF_ERROR_MEMORY; FF_ERROR_INPUT if the sizes differ.
ff_status ff_colour_match(const ff_image *still, ff_image *frame, ff_error *error);

#endif

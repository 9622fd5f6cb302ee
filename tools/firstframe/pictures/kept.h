// What an input picture has beyond the 8-bit RGB that the model sees, carried into what is made of it, or said to be
// lost.
#ifndef FF_KEPT_H
#define FF_KEPT_H

#include "../run/job.h"
#include "output.h"

// Writes a frame of a run. Of an inpainted picture with alpha or 16 bits, what is outside the mask is its own.
ff_status ff_kept_add(const ff_job *job, ff_output *output, const ff_image *frame, ff_error *error);

// Whether WebP is written lossless: as asked for, and for inpaint unless --quality is given.
bool ff_kept_lossless(const ff_options *options);

// Notes what of the input picture an output of this kind will not have. job: planned
void ff_kept_note(const ff_job *job, ff_output_kind kind, ff_report *report);
// The same for the clips of a page, and that the page itself knows sRGB only.
void ff_kept_note_page(const ff_job *job, ff_report *report);

#endif

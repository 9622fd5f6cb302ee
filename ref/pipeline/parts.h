// The parts of a model, opened from wherever they come: a diffusers folder's own, files that take their place, or files
// alone.
#ifndef FF_PARTS_H
#define FF_PARTS_H

#include "model.h"
#include "recognise.h"

// What model->folder is: sets model->layout. FF_ERROR_INPUT: neither a folder of a model nor a file of weights.
ff_status ff_parts_find_layout(ff_model *model, ff_error *error);

// kind: transformer, VAE or text encoder      given: a file or a folder in place of the model's own, or NULL
// *class_name: of its config.json, or diffusers' for such a part. It lives as long as the component.
// FF_ERROR_INPUT: it is not there, it is something else, or it does not run; in a sentence that says which file is
// needed, and under which name people publish it.
ff_status ff_part_open(ff_model *model, ff_part_kind kind, const char *given, ff_component *out,
                       const char **class_name, ff_error *error);
void ff_part_close(ff_component *component);
// given: tokenizer.json, spiece.model, or a folder with one of them; NULL: the model's own, or the text encoder's, which
// is open.
ff_status ff_part_open_tokenizer(ff_model *model, const char *given, ff_error *error);

#endif

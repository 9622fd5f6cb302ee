// Which model a run uses.
#ifndef FF_MODEL_FOLDER_H
#define FF_MODEL_FOLDER_H

#include "../line/report.h"

#define FF_LONGEST_PATH 4096

// The model's parts with what --model stands for filled in: what is given, else $FIRSTFRAME_MODEL, else, unless there is
// a --transformer, the installed share, golden/model here, or golden/model beside the folder that the program was built
// in.
typedef struct ff_model_choice {
    char path[FF_LONGEST_PATH];     // of --model; or of --transformer, if there is no model
    char vae[FF_LONGEST_PATH], text_encoder[FF_LONGEST_PATH];  // found beside a transformer's file; empty: nothing was
    ff_model_parts parts;           // points at these too
} ff_model_choice;
// given: points into what lives as long as *out, which must stay where it is.
// FF_ERROR_INPUT: none of them is a file or holds a model.
ff_status ff_model_choose(const ff_model_parts *given, ff_model_choice *out, ff_error *error);

// Looks for what is not named beside a transformer's file (ff_find_parts), opens the model, and notes what was found, what
// was read in place of files that are not there, and what files were taken for.
ff_status ff_model_choice_open(ff_model_choice *choice, ff_report *report, ff_model **out, ff_error *error);

// What sizes are multiples of: "16", or "32x16" where width and height differ.
void ff_print_multiples(const ff_model_facts *facts, char out[48]);

#endif

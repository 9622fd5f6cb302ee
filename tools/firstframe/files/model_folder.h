// Which model folder a run uses.
#ifndef FF_MODEL_FOLDER_H
#define FF_MODEL_FOLDER_H

#include "../line/report.h"

#define FF_LONGEST_PATH 4096

// given (--model), else $FIRSTFRAME_MODEL, the installed share, golden/model here, golden/model beside the folder that
// the program was built in.
// FF_ERROR_INPUT: none of them holds a model_index.json.
ff_status ff_model_folder_find(const char *given, char out[FF_LONGEST_PATH], ff_error *error);

// Opens it, and notes what was read in place of files that are not there.
ff_status ff_model_folder_open(const char *folder, ff_report *report, ff_model **out, ff_error *error);

// What sizes are multiples of: "16", or "32x16" where width and height differ.
void ff_print_multiples(const ff_model_facts *facts, char out[48]);

#endif

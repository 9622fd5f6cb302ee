// What a run reads must not be written over, whatever name it goes by: a link, a numbered output, a page's own file.
#ifndef FF_PROTECT_H
#define FF_PROTECT_H

#include "../line/options.h"

// From here on the files that the options name as inputs are protected; but a picture may be mended in its own place,
// and `again` may write where its file is. FF_ERROR_INPUT: an option names one of them as an output.
//   options: live as long as the program writes
ff_status ff_protect_inputs(const ff_options *options, ff_error *error);
// A file that is read beside those that options name; NULL: none.   path: must live as long as the run
void ff_protect_file(const char *path);
// The model's: its JSON files and all that lies in its parts' folders.
void ff_protect_model(const char *folder);

// To be asked before a file is created at `path`. FF_ERROR_INPUT: it is protected.
ff_status ff_protect_check(const char *path, ff_error *error);

#endif

// Where the results of a run with several seeds go: one file, a folder of stills, or numbered files side by side.
//     one result:       X.png
//     a folder:         DIR/seed-0003.png and DIR/contact.png
//     several results:  X-seed-0003.png and X-contact.png
#ifndef FF_DESTINATION_H
#define FF_DESTINATION_H

#include "firstframe.h"

typedef struct ff_destination {
    const char *output;        // what -o said
    bool folder;               // of stills
    bool numbered;             // each seed has a file of its own
    size_t count;
    uint64_t first_seed;
} ff_destination;

// stills: a path without an ending, or an existing folder, is a folder. FF_ERROR_INPUT: an ending that is not known, or
// several results for stdout or for one pattern of numbered frames.
ff_status ff_destination_choose(const char *output, bool stills, uint64_t first_seed, size_t count,
                                ff_destination *out, ff_error *error);

// Path of the i-th result, and of the contact sheet, whose name is one that nobody has yet. The caller frees it; NULL
// without memory.
char *ff_destination_path(const ff_destination *destination, size_t i);
char *ff_destination_sheet(const ff_destination *destination);

// FF_ERROR_INPUT if a numbered result is there already.
ff_status ff_destination_check_free(const ff_destination *destination, ff_error *error);

#endif

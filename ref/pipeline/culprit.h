// What a run says when its values stop being finite: what it was doing, where it was, and which weight is to blame.
#ifndef FF_CULPRIT_H
#define FF_CULPRIT_H

#include "../weights/lora.h"

// Where the values that are not finite may have come from.
typedef struct ff_suspects {
    const ff_weights *weights;       // of the component that computed, to be looked through; NULL: none did
    ff_lora *const *loras;           // [lora_count] that were added to it
    size_t lora_count;
    const char *loaded, *load_path;  // a loaded tensor that holds some, and its file; NULL or "": there is none
} ff_suspects;

// Rewrites the sentence of FF_ERROR_NOT_FINITE, which says where; any other status passes as it is. Returns `status`.
//   doing_format: a printf format, "encoding the prompt"
ff_status ff_blame(ff_status status, ff_suspects suspects, ff_error *error, const char *doing_format, ...)
    __attribute__((format(printf, 4, 5)));

#endif

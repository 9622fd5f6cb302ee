// Where weights come from. A source has tensors under names of its own; weights.h has what is common to all sources.
#ifndef FF_SOURCE_H
#define FF_SOURCE_H

#include "../base/tensor.h"

// Functions are given `user`. Everything pointed at, tensors included, must live until close. Zero what there is not.
typedef struct ff_weight_source {
    void *user;
    const char *origin;         // a folder, a file: how messages begin
    const char *const *files;   // [file_count] paths of what is read
    size_t file_count;
    const char *variant;        // "fp16"; NULL for plain files
    size_t count;               // tensors that `at` lists

    // *found: whether there is a tensor of this name. out->rank and ->shape come with what is asked for, so that a
    // source that computes tensors can make them so, and go with what there is. Rank 0 asks for whatever there is.
    ff_status (*find)(void *user, const char *name, ff_weight *out, bool *found, ff_error *error);
    // The i-th tensor, in the files' order: its name and view.
    const char *(*at)(void *user, size_t i, ff_weight *out);
    // A string that describes the whole; NULL if absent.
    const char *(*metadata)(void *user, const char *key);
    // Lets the operating system take back what can be read again.
    void (*release)(void *user);
    void (*close)(void *user);
} ff_weight_source;

#endif

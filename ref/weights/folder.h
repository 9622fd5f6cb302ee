// Which of a component's files hold its weights, by the names that diffusers and transformers give them.
#ifndef FF_WEIGHTS_FOLDER_H
#define FF_WEIGHTS_FOLDER_H

#include "../base/system.h"

typedef struct ff_weight_files {
    ff_names files;          // paths, in the order of their names
    char variant[64];        // "fp16" of model.fp16.safetensors; empty for the plain files
} ff_weight_files;

// The plain weights of the folder, else its one variant: a file, shards with an index, or shards that are all there.
// Where a file and shards lie side by side, diffusers takes its shards, transformers its file; so it is here.
// FF_ERROR_INPUT: there are none, and what lies there instead; several variants; shards that are missing, by name.
ff_status ff_weight_files_find(const char *folder, ff_weight_files *out, ff_error *error);
void ff_weight_files_free(ff_weight_files *files);

#endif

// Opened weights from inside: safetensors.c reads a file into them, weights.c finds files and tensors.
#ifndef FF_SAFETENSORS_H
#define FF_SAFETENSORS_H

#include "../base/arena.h"
#include "weights.h"

#include "../base/system.h"
#include "folder.h"
#include "json.h"

typedef struct ff_weights_entry {
    char *name;
    ff_weight view;
    size_t file;
} ff_weights_entry;

struct ff_weights {
    char *folder;              // for messages: the folder or the file
    ff_mapping *files;
    char **file_names;
    size_t file_count;
    char variant[sizeof ((ff_weight_files *)0)->variant];
    ff_weights_entry *entries;
    size_t count, capacity;
    size_t *order;             // indices of entries, sorted by name
    cJSON *metadata;           // of the first file, or NULL
    ff_arena *memory;          // vectors handed out as f32, copies of unaligned tensors
    ff_weights_maker make;     // or NULL: where tensors come from if not from files
    void *make_user;
    bool unaligned;            // tensors may be so; none is copied
};

ff_status ff_weights_no_memory(const char *path, ff_error *error);

// Maps the file and appends its tensors. A failure leaves what was read, for ff_weights_close.
// FF_ERROR_INPUT: no safetensors file, or one that contradicts itself.
ff_status ff_safetensors_read(ff_weights *weights, const char *path, ff_error *error);

#endif

// Tensors by name, for sources that have them listed in a file.
#ifndef FF_ENTRIES_H
#define FF_ENTRIES_H

#include "../base/tensor.h"

typedef struct ff_weight_entry {
    char *name;
    ff_weight view;
} ff_weight_entry;

// Begin with zeros.
typedef struct ff_weight_entries {
    ff_weight_entry *at;             // [count], in the order in which they came
    size_t count, capacity;
    const ff_weight_entry **sorted;  // [count], by name; NULL before ff_entries_sort
} ff_weight_entries;

// False without memory.
bool ff_entries_add(ff_weight_entries *entries, const char *name, const ff_weight *view);
// Call once, when all are there.   origin: how messages begin
// FF_ERROR_INPUT: a name appears twice.
ff_status ff_entries_sort(ff_weight_entries *entries, const char *origin, ff_error *error);
// NULL: there is none.
const ff_weight *ff_entries_find(const ff_weight_entries *entries, const char *name);
// The same as ff_weight_source has it.
bool ff_entries_view(const ff_weight_entries *entries, const char *name, ff_weight *out);
const char *ff_entries_at(const ff_weight_entries *entries, size_t i, ff_weight *out);
void ff_entries_free(ff_weight_entries *entries);

#endif

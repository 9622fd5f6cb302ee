#include "entries.h"

#include <stdlib.h>
#include <string.h>

bool ff_entries_add(ff_weight_entries *entries, const char *name, const ff_weight *view)
{
    if (entries->count == entries->capacity) {
        size_t capacity = entries->capacity ? entries->capacity * 2 : 256;
        ff_weight_entry *larger = realloc(entries->at, capacity * sizeof *larger);
        if (!larger)
            return false;
        entries->at = larger;
        entries->capacity = capacity;
    }
    char *copy = strdup(name);
    if (!copy)
        return false;
    entries->at[entries->count++] = (ff_weight_entry){copy, *view};
    return true;
}

static int compare_names(const void *a, const void *b)
{
    const ff_weight_entry *const *p = a, *const *q = b;
    return strcmp((*p)->name, (*q)->name);
}

static int compare_name(const void *name, const void *entry)
{
    const ff_weight_entry *const *candidate = entry;
    return strcmp(name, (*candidate)->name);
}

ff_status ff_entries_sort(ff_weight_entries *entries, const char *origin, ff_error *error)
{
    entries->sorted = malloc((entries->count + 1) * sizeof *entries->sorted);
    if (!entries->sorted)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", origin);
    for (size_t i = 0; i < entries->count; i++)
        entries->sorted[i] = &entries->at[i];
    qsort(entries->sorted, entries->count, sizeof *entries->sorted, compare_names);
    for (size_t i = 1; i < entries->count; i++)
        if (strcmp(entries->sorted[i - 1]->name, entries->sorted[i]->name) == 0)
            return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s appears twice", origin, entries->sorted[i]->name);
    return FF_OK;
}

const ff_weight *ff_entries_find(const ff_weight_entries *entries, const char *name)
{
    const ff_weight_entry **found =
        bsearch(name, entries->sorted, entries->count, sizeof *entries->sorted, compare_name);
    return found ? &(*found)->view : NULL;
}

void ff_entries_free(ff_weight_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        free(entries->at[i].name);
    free(entries->at);
    free((void *)entries->sorted);
    *entries = (ff_weight_entries){0};
}

bool ff_entries_view(const ff_weight_entries *entries, const char *name, ff_weight *out)
{
    const ff_weight *view = ff_entries_find(entries, name);
    if (view)
        *out = *view;
    return view;
}

const char *ff_entries_at(const ff_weight_entries *entries, size_t i, ff_weight *out)
{
    *out = entries->at[i].view;
    return entries->at[i].name;
}

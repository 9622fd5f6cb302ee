// Every call to the operating system that C11 does not have, but those of atomic.c: mapping files, folders, clocks,
// locale-free numbers, threads and memory that can be had, shared libraries and the floating-point environment.
#ifndef FF_SYSTEM_H
#define FF_SYSTEM_H

#include <stdio.h>

#include "tensor.h"

// A whole file, read-only. An empty file maps to data NULL, size 0.
typedef struct ff_mapping {
    const void *data;
    size_t size;
} ff_mapping;
ff_status ff_map_file(const char *path, ff_mapping *out, ff_error *error);
void ff_unmap_file(ff_mapping *mapping);
void ff_release_mapping(const ff_mapping *mapping);  // the pages may go; they are read again when touched

bool ff_file_exists(const char *path);

// What tells a file from any other on this machine, and from itself before it was written to: size, device, number,
// times of its last writing and change. False if there is no such file.
#define FF_STAMP_WORDS 7
#define FF_STAMP_SIZE 0   // the word that is the size in bytes
bool ff_stamp_file(const char *path, uint64_t out[FF_STAMP_WORDS]);

// The names in a folder, but . and .., in the order of their bytes. To be freed with ff_names_free, also on failure.
typedef struct ff_names {
    char **at;
    size_t count;
} ff_names;
ff_status ff_list_folder(const char *path, ff_names *out, ff_error *error);
void ff_names_free(ff_names *names);
int ff_compare_names(const void *a, const void *b);  // for qsort and bsearch

// A file of `size` bytes without a name, read and written, gone when closed: in $TMPDIR, else /var/tmp, else /tmp. Its
// room is reserved, so that a full disk is found here.
ff_status ff_temporary_file(size_t size, FILE **out, ff_error *error);

double ff_seconds(void);  // monotonic clock

// The shortest decimal text that reads back as the same number, written the C way whatever the locale.
#define FF_NUMBER_TEXT 32
void ff_format_number(char text[FF_NUMBER_TEXT], double value);

// How many threads, at most `count`, can be started now: they are, and end.
size_t ff_startable_threads(size_t count);

// Addresses for so many bytes of memory, none of it touched; NULL if they cannot be had.
void *ff_reserve_memory(size_t bytes);
void ff_unreserve_memory(void *reserved, size_t bytes);

// A shared library by its name, loaded while two environment variables have another value than the caller's, which come
// back afterwards: what the library does when it is loaded is told so. NULL, with why not in `reason`, if it cannot be
// loaded. It stays loaded.
#define FF_REASON_TEXT 256
void *ff_load_library(const char *name, const char *const variables[2], const char *value,
                      char reason[FF_REASON_TEXT]);
void *ff_library_symbol(void *library, const char *name);  // NULL if it has none of that name

// Round to nearest, no flush to zero, no denormals-are-zero, on this thread. Returns what was there before.
typedef struct ff_float_mode {
    uint64_t control;
} ff_float_mode;
ff_float_mode ff_float_mode_enter(void);
void ff_float_mode_leave(ff_float_mode before);

#endif

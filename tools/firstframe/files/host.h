// What the command line asks of the operating system beyond C11: terminal, signals, clock, folders, whole files.
#ifndef FF_HOST_H
#define FF_HOST_H

#include <stdio.h>

#include "firstframe.h"

// ---- terminal and signals ----

bool ff_host_is_terminal(FILE *stream);
size_t ff_host_terminal_width(FILE *stream);  // in characters; 80 if it cannot be told

// To be called first. A closed pipe or a file-size limit becomes an error of the write. Standard streams that are
// closed are opened on /dev/null, so that no output file takes their place.
void ff_host_start(void);

// SIGINT, SIGTERM and SIGHUP end the program at once, with this plus the signal's number as its exit status, since what
// is read may block. Once ff_host_catch_signals was called (before a run; again is harmless) the first only raises a
// flag, so that the run can end in order, and the second ends the program.
#define FF_HOST_SIGNALLED 128
void ff_host_catch_signals(void);
int ff_host_interrupted(void);  // the signal's number, or 0
// FF_CANCELLED, "interrupted while DOING", or FF_OK.
ff_status ff_host_check_interrupt(const char *doing, ff_error *error);

// ---- this process ----

double ff_host_seconds(void);        // monotonic clock
uint64_t ff_host_random(void);       // 32 random bits
// The folder in which the program's own file lies. False if it cannot be told or does not fit.
bool ff_host_program_folder(char *out, size_t capacity);

// ---- files ----

bool ff_host_exists(const char *path);
bool ff_host_is_folder(const char *path);
// Whether two paths name one place for a file, which need not be there: the same name in the same folder.
bool ff_host_same_place(const char *a, const char *b);
// What this user may still write on the disk of the folder that a path lies in. False if it cannot be told.
typedef struct ff_free_space {
    uint64_t bytes, disk;        // disk: the same for paths on the same one
} ff_free_space;
bool ff_host_free_space(const char *path, ff_free_space *out);
// The path without links on the way, to be freed; NULL if there is no such file.
char *ff_host_real_path(const char *path);
// Makes the folder and those above it. *made: whether it was not there before.
ff_status ff_host_make_folder(const char *path, bool *made, ff_error *error);
void ff_host_remove_folder(const char *path);  // if it is empty
void ff_host_remove_file(const char *path);

// Puts pieces one after the other into a file that appears under its name at once and whole.
typedef struct ff_file_part {
    const void *bytes;
    size_t size;
} ff_file_part;
ff_status ff_host_write_file(const char *path, const ff_file_part *pieces, size_t count, ff_error *error);
// *bytes is the caller's, to be freed. A file of more than `most` bytes is FF_ERROR_INPUT, and so is, here and below,
// what is no regular file.
ff_status ff_host_read_file(const char *path, size_t most, uint8_t **bytes, size_t *size, ff_error *error);
ff_status ff_host_hash_file(const char *path, uint8_t out[32], ff_error *error);

#endif

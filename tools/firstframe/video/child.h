// A program that reads from us what we write, started without a shell.
#ifndef FF_CHILD_H
#define FF_CHILD_H

#include <stdio.h>

#include "firstframe.h"

typedef struct ff_child {
    int id;             // of the process; 0: none
    FILE *input;        // what it reads; NULL once closed
    FILE *complaints;   // what it says on standard error, a file without a name
} ff_child;

// The program's file by its name, looked for in $PATH's folders. False if none has it, or it does not fit.
bool ff_child_find(const char *name, char *path, size_t capacity);

// arguments: as main gets them, a NULL after the last. Its output goes nowhere. It is a process group of its own, so
// that what a terminal sends to ours does not reach it, and ends when its input does.
ff_status ff_child_start(const char *path, char *const *arguments, ff_child *out, ff_error *error);
// Ends its input and waits for it. FF_CANCELLED: a signal came first, and it was ended. FF_ERROR_IO: it failed, with the
// last line of its complaints.
ff_status ff_child_finish(ff_child *child, const char *name, ff_error *error);
// Ends it at once, if there is one.
void ff_child_abandon(ff_child *child);

#endif

// Work done with a number of OpenMP threads, each in the library's floating-point environment. The caller's settings
// and environment come back afterwards.
#ifndef FF_THREADS_H
#define FF_THREADS_H

#include "../base/tensor.h"

// How many threads are meant by a number of them, 0 being as many as OpenMP would take, and FF_MOST_THREADS at most.
// FF_ERROR_INPUT if the number is larger.
ff_status ff_count_threads(size_t threads, size_t *count, ff_error *error);

// threads: as above. Returns what work(user) returns; or without having called it, and with a sentence, FF_ERROR_INPUT
// for too many threads and FF_ERROR_MEMORY.
ff_status ff_with_threads(size_t threads, ff_status (*work)(void *user), void *user, ff_error *error);

#endif

// Work done with a number of OpenMP threads, each in the library's floating-point environment. The caller's settings
// and environment come back afterwards.
#ifndef FF_THREADS_H
#define FF_THREADS_H

#include "../tensor.h"

// threads: 0 for as many as OpenMP would take. Returns what work(user) returns, or FF_ERROR_MEMORY without having
// called it.
ff_status ff_with_threads(size_t threads, ff_status (*work)(void *user), void *user);

#endif

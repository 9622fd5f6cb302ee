#include "threads.h"

#include <omp.h>
#include <stdlib.h>

#include "../system.h"

// A thread's floating-point environment before the work. OpenMP may give a team fewer threads than asked for.
typedef struct thread_mode {
    ff_float_mode before;
    bool entered;
} thread_mode;

// Sets the floating-point environment on every thread that will compute, and gives it back.
static thread_mode *enter_threads(int threads)
{
    thread_mode *modes = calloc((size_t)threads, sizeof *modes);
    if (modes) {
#pragma omp parallel num_threads(threads)
        modes[omp_get_thread_num()] = (thread_mode){ff_float_mode_enter(), true};
    }
    return modes;
}

static void leave_threads(int threads, thread_mode *modes)
{
#pragma omp parallel num_threads(threads)
    if (modes[omp_get_thread_num()].entered)
        ff_float_mode_leave(modes[omp_get_thread_num()].before);
    free(modes);
}

ff_status ff_with_threads(size_t threads, ff_status (*work)(void *user), void *user)
{
    int callers_threads = omp_get_max_threads(), dynamic = omp_get_dynamic();
    int count = threads ? (int)threads : callers_threads;
    ff_float_mode before = ff_float_mode_enter();
    omp_set_dynamic(0);
    omp_set_num_threads(count);
    thread_mode *modes = enter_threads(count);
    ff_status status = modes ? work(user) : FF_ERROR_MEMORY;
    if (modes)
        leave_threads(count, modes);
    omp_set_num_threads(callers_threads);
    omp_set_dynamic(dynamic);
    ff_float_mode_leave(before);
    return status;
}

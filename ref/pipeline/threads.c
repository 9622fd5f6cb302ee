#include "threads.h"

#include <omp.h>
#include <stdlib.h>

#include "../base/system.h"

ff_status ff_count_threads(size_t threads, size_t *count, ff_error *error)
{
    size_t most = (size_t)omp_get_max_threads();
    *count = 1;
    if (threads > FF_MOST_THREADS)
        return ff_fail(error, FF_ERROR_INPUT, "%zu threads are too many: at most %d", threads, FF_MOST_THREADS);
    *count = threads ? threads : most < FF_MOST_THREADS ? most : FF_MOST_THREADS;
    return FF_OK;
}

ff_status ff_check_threads(size_t threads, ff_error *error)
{
    size_t most = (size_t)omp_get_thread_limit(), count;
    ff_status status = ff_count_threads(threads, &count, error);
    if (status)
        return status;
    count = count < most ? count : most;
    size_t started = ff_startable_threads(count - 1) + 1;  // the caller's is the first
    if (started < count)
        return ff_fail(error, FF_ERROR_MEMORY, "%zu threads cannot be started here, %zu can", count, started);
    started = 0;
#pragma omp parallel num_threads((int)count) reduction(+ : started)
    started++;  // now, while there is room; OpenMP keeps them
    return FF_OK;
}

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

ff_status ff_with_threads(size_t threads, ff_status (*work)(void *user), void *user, ff_error *error)
{
    int callers_threads = omp_get_max_threads(), dynamic = omp_get_dynamic();
    size_t wanted;
    ff_status status = ff_count_threads(threads, &wanted, error);
    if (status)
        return status;
    int count = (int)wanted;
    ff_float_mode before = ff_float_mode_enter();
    omp_set_dynamic(0);
    omp_set_num_threads(count);
    thread_mode *modes = enter_threads(count);
    status = modes ? work(user) : ff_fail(error, FF_ERROR_MEMORY, "no memory for %zu threads", wanted);
    if (modes)
        leave_threads(count, modes);
    omp_set_num_threads(callers_threads);
    omp_set_dynamic(dynamic);
    ff_float_mode_leave(before);
    return status;
}

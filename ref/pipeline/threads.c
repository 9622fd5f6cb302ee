#include "threads.h"

#include <omp.h>
#include <stdlib.h>
#include <threads.h>

#include "../system.h"

static int wait_at(void *gate)
{
    mtx_lock(gate);
    mtx_unlock(gate);
    return 0;
}

// Starts threads until there are `count` or no more can be had, and ends them. Returns how many there were.
static size_t start_and_end(thrd_t *threads, size_t count, mtx_t *gate)
{
    size_t started = 0;
    mtx_lock(gate);
    while (started < count && thrd_create(&threads[started], wait_at, gate) == thrd_success)
        started++;
    mtx_unlock(gate);
    for (size_t i = 0; i < started; i++)
        thrd_join(threads[i], NULL);
    return started;
}

ff_status ff_check_threads(size_t threads, ff_error *error)
{
    size_t most = (size_t)omp_get_thread_limit(), count = threads ? threads : (size_t)omp_get_max_threads();
    size_t others = (count < most ? count : most) - 1, started = 0;  // the caller's is the first
    thrd_t *handles = calloc(others + 1, sizeof *handles);
    mtx_t gate;
    if (handles && mtx_init(&gate, mtx_plain) == thrd_success) {
        started = start_and_end(handles, others, &gate);
        mtx_destroy(&gate);
    }
    free(handles);
    if (started < others)
        return ff_fail(error, FF_ERROR_MEMORY, "%zu threads cannot be started here, %zu can", others + 1, started + 1);
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

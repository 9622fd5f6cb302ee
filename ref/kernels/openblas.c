// The third backend: matrix products through OpenBLAS's sgemm. It keeps to no order of summation, so it agrees with the
// other kernels within rounding: an independent check, and the yardstick for their speed.
//
// OpenBLAS is loaded when it is first asked for. It starts its threads as soon as it is loaded, and each maps a buffer;
// one that gets none tries again for ever, and the program waits for it when it ends. So it is loaded with one thread,
// and is given more only where there is room for their buffers.
#if defined(FF_OPENBLAS)

#include "choose.h"

#include <cblas.h>
#include <limits.h>
#include <omp.h>
#include <stdlib.h>
#include <threads.h>

#include "../base/system.h"

#define MOST_WIDENED ((size_t)8 << 20)     // floats of the weights that are widened at once
#define LIBRARY_BYTES ((size_t)64 << 20)   // of address space for the library itself
#define THREAD_BYTES ((size_t)160 << 20)   // for a thread's buffer: 128 MB in the builds that distributions ship
#define WARM_SIDE ((size_t)64)             // columns of the first product, for each thread
#define WARM_DEPTH ((size_t)256)

// ---- the library and its threads ----

static struct {
    void *library;           // NULL until it is loaded
    __typeof__(&cblas_sgemm) sgemm;
    __typeof__(&openblas_set_num_threads) set_threads;
    __typeof__(&openblas_get_num_threads) get_threads;
    __typeof__(&openblas_get_corename) corename;
    size_t started;          // threads, the caller's among them, whose buffers are there
    size_t refused;          // so many could not be had; 0: none yet
    size_t users;            // products that are being computed
    int before;              // the caller's number of threads, while there are users
} blas;

static mtx_t lock;
static once_flag locked = ONCE_FLAG_INIT;

static void make_lock(void)
{
    mtx_init(&lock, mtx_plain);
}

static ff_status load(ff_error *error)
{
    // the second is for a build of it on OpenMP
    static const char *const variables[2] = {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"};
    char reason[FF_REASON_TEXT];
    void *room, *library;
    if (blas.library)
        return FF_OK;
    if (!(room = ff_reserve_memory(LIBRARY_BYTES + THREAD_BYTES)))
        return ff_fail(error, FF_ERROR_MEMORY, "OpenBLAS cannot be loaded: it needs %zu MB of address space",
                       (LIBRARY_BYTES + THREAD_BYTES) >> 20);
    ff_unreserve_memory(room, LIBRARY_BYTES + THREAD_BYTES);
    if (!(library = ff_load_library(FF_OPENBLAS, variables, "1", reason)))
        return ff_fail(error, FF_ERROR_INPUT, "OpenBLAS cannot be loaded: %s", reason);
    blas.sgemm = (__typeof__(blas.sgemm))ff_library_symbol(library, "cblas_sgemm");
    blas.set_threads = (__typeof__(blas.set_threads))ff_library_symbol(library, "openblas_set_num_threads");
    blas.get_threads = (__typeof__(blas.get_threads))ff_library_symbol(library, "openblas_get_num_threads");
    blas.corename = (__typeof__(blas.corename))ff_library_symbol(library, "openblas_get_corename");
    if (!blas.sgemm || !blas.set_threads || !blas.get_threads || !blas.corename)
        return ff_fail(error, FF_ERROR_INPUT, "OpenBLAS cannot be used: %s lacks functions of it", FF_OPENBLAS);
    blas.library = library;
    return FF_OK;
}

// A product that every thread has a part of, so that all have their buffers when it is done.
static bool warm_up(size_t threads)
{
    size_t columns = threads * WARM_SIDE, depth = WARM_DEPTH;
    float *a = calloc((WARM_SIDE + columns) * depth + WARM_SIDE * columns, sizeof *a);
    if (!a)
        return false;
    float *b = a + WARM_SIDE * depth, *out = b + columns * depth;
    blas.sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)WARM_SIDE, (blasint)columns, (blasint)depth, 1.0f, a,
               (blasint)depth, b, (blasint)depth, 0.0f, out, (blasint)columns);
    free(a);
    return true;
}

// Whether OpenBLAS has so many threads, started now if need be. Under the lock, as are the two above.
static bool start_threads(size_t threads)
{
    if (threads <= blas.started)
        return true;
    if (blas.refused && threads >= blas.refused)
        return false;
    size_t more = threads - blas.started, bytes = more * THREAD_BYTES;
    void *room = ff_reserve_memory(bytes);
    size_t others = threads - (blas.started ? blas.started : 1);  // the caller's is there
    bool startable = room && ff_startable_threads(others) == others;  // beside that room
    ff_unreserve_memory(room, bytes);
    int before = blas.get_threads(), ours = omp_get_max_threads();
    if (startable) {
        blas.set_threads((int)threads);
        startable = warm_up(threads);
        blas.set_threads(before);
        omp_set_num_threads(ours);
    }
    if (startable)
        blas.started = threads;
    else
        blas.refused = threads;
    return startable;
}

ff_status ff_openblas_start(size_t threads, const char **core, ff_error *error)
{
    call_once(&locked, make_lock);
    mtx_lock(&lock);
    ff_status status = load(error);
    if (!status && !start_threads(threads))
        status = ff_fail(error, FF_ERROR_MEMORY,
                         "OpenBLAS cannot have %zu thread%s here, each with up to %zu MB of address space", threads,
                         threads == 1 ? "" : "s", THREAD_BYTES >> 20);
    if (!status)
        *core = blas.corename();
    mtx_unlock(&lock);
    return status;
}

// OpenBLAS's number of threads is the whole process's: the first product to begin takes note of the caller's, and the
// last to end gives it back. A build of OpenBLAS on OpenMP sets OpenMP's number as well, which is the run's.
static void take_threads(int wanted)
{
    mtx_lock(&lock);
    size_t threads = (size_t)wanted;
    while (threads > 1 && !start_threads(threads))
        threads /= 2;
    if (blas.users++ == 0)
        blas.before = blas.get_threads();
    blas.set_threads((int)threads);
    mtx_unlock(&lock);
}

static void give_threads_back(int wanted)
{
    mtx_lock(&lock);
    if (--blas.users == 0)
        blas.set_threads(blas.before);
    omp_set_num_threads(wanted);
    mtx_unlock(&lock);
}

// ---- products ----

// out[:, first...] = a b^T for `columns` rows of b: [columns, depth]
static void multiply(const ff_matmul *p, size_t first, size_t columns, const float *b, float *out, size_t out_stride)
{
    const size_t most = INT_MAX / 2;
    for (size_t row = 0; row < p->rows; row += most) {
        size_t rows = p->rows - row < most ? p->rows - row : most;
        blas.sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)rows, (blasint)columns, (blasint)p->depth, 1.0f,
                   p->a + row * p->a_stride, (blasint)p->a_stride, b, (blasint)p->depth, 0.0f,
                   out + row * out_stride + first, (blasint)out_stride);
    }
}

// Columns of weights that are not F32 which are widened at once.
static size_t widened_columns(const ff_matmul *p)
{
    size_t block = p->depth < MOST_WIDENED ? MOST_WIDENED / p->depth : 1;
    return block < p->columns ? block : p->columns;
}

// The same with weights that are not F32.   widened: [widened_columns, depth]
static void multiply_widened(const ff_matmul *p, float *widened, float *out, size_t out_stride)
{
    size_t block = widened_columns(p);
    for (size_t first = 0; first < p->columns; first += block) {
        size_t columns = p->columns - first < block ? p->columns - first : block;
#pragma omp parallel for
        for (size_t column = 0; column < columns; column++)
            ff_operand_decode(ff_operand_from(p->b, first + column, p->depth), 0, p->depth,
                              widened + column * p->depth);
        multiply(p, first, columns, widened, out, out_stride);
    }
}

// The table's other kernels are our own.   y: [columns], a row's products
static void finish_row(const ff_kernels *kernels, const ff_matmul *p, size_t row, float *y)
{
    float *out = p->out + row * p->out_stride;
    const float *gate = p->gate;
    for (size_t column = 0; p->bias && column < p->columns; column++)
        y[column] += p->bias[column];
    switch (p->finish) {
    case FF_FINISH_STORE:
        break;
    case FF_FINISH_GELU_TANH:
        kernels->gelu_tanh(kernels, p->columns, y, y);
        break;
    case FF_FINISH_ADD:
        kernels->add(kernels, p->columns, out, y, out);
        break;
    case FF_FINISH_ADD_GATED:
        gate += p->groups.group ? p->groups.group[row] * p->groups.stride : 0;
        kernels->add_gated(kernels, 1, p->columns, y, (ff_groups){0}, gate, out);
        break;
    }
}

static ff_status matmul(const ff_kernels *kernels, const ff_matmul *p)
{
    bool adds = p->finish == FF_FINISH_ADD || p->finish == FF_FINISH_ADD_GATED;
    size_t stride = adds ? p->columns : p->out_stride, sum_floats = 0, widened_floats = 0, bytes;
    ff_scratch own = {0}, *scratch = kernels->scratch ? kernels->scratch : &own;
    if (p->rows == 0 || p->columns == 0)
        return FF_OK;
    // OpenBLAS counts in int, and wants strides of at least 1
    if (p->depth == 0 || p->a_stride > INT_MAX || p->out_stride > INT_MAX || p->depth > INT_MAX ||
        p->columns > INT_MAX)
        return ff_kernels_scalar()->matmul(kernels, p);
    if ((adds && !ff_multiply_sizes(p->rows, p->columns, &sum_floats)) ||
        (p->b.dtype != FF_F32 && !ff_multiply_sizes(widened_columns(p), p->depth, &widened_floats)) ||
        !ff_add_sizes(sum_floats, widened_floats, &bytes) ||
        !ff_multiply_sizes(bytes ? bytes : 1, sizeof(float), &bytes))
        return FF_ERROR_MEMORY;
    float *memory = ff_scratch_take(scratch, bytes), *sums = adds ? memory : p->out;
    if (!memory)
        return FF_ERROR_MEMORY;
    int threads = omp_get_max_threads();
    take_threads(threads);
    if (p->b.dtype == FF_F32)
        multiply(p, 0, p->columns, p->b.data, sums, stride);
    else
        multiply_widened(p, memory + sum_floats, sums, stride);
    give_threads_back(threads);
    if (p->bias || p->finish != FF_FINISH_STORE) {
#pragma omp parallel for
        for (size_t row = 0; row < p->rows; row++)
            finish_row(kernels, p, row, sums + row * stride);
    }
    ff_scratch_free(&own);
    return FF_OK;
}

ff_status ff_openblas_products(ff_kernels *table, ff_error *error)
{
    const char *core;
    ff_status status = ff_openblas_start(1, &core, error);
    if (status)
        return status;
    table->name = "openblas";
    table->matmul = matmul;
    return FF_OK;
}

#endif

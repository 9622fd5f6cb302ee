// What choosing a table of kernels (choose.c) chooses from beside the scalar ones.
#ifndef FF_CHOOSE_H
#define FF_CHOOSE_H

#include "kernels.h"

// Faster kernels that compute the scalar ones' bits. A build that has some defines FF_FAST_KERNELS as the name of the
// object that describes them; without, everything runs on the scalar ones.
typedef struct ff_fast_kernels {
    bool (*supported)(ff_isa isa);                     // by this processor
    void (*overwrite)(ff_isa isa, ff_kernels *table);  // the entries there is a faster kernel for; isa is supported
} ff_fast_kernels;

#if defined(FF_FAST_KERNELS)
extern const ff_fast_kernels FF_FAST_KERNELS;
#endif

// Loads OpenBLAS and starts its threads. *core: the processor that it took this one for, by its name for it.
// FF_ERROR_INPUT if it cannot be loaded; FF_ERROR_MEMORY.
ff_status ff_openblas_start(size_t threads, const char **core, ff_error *error);
// Loads OpenBLAS and overwrites the matrix product with its, and the name. A product takes as many threads as OpenMP
// would, or fewer where there is no memory for so many.
ff_status ff_openblas_products(ff_kernels *table, ff_error *error);

#endif

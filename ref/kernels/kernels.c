// Chooses among the builds of the scalar kernels; memory for packing.
#include "kernels.h"

#include "../base/arena.h"

#include <stdlib.h>

const ff_kernels *ff_kernels_scalar_libm(void);
const ff_kernels *ff_kernels_scalar_fma(void);
const ff_kernels *ff_kernels_scalar_f64(void);

static bool processor_has_fma(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2");
#else
    return true;  // part of the base instruction set on AArch64
#endif
}

const ff_kernels *ff_kernels_scalar_build(bool hardware_fma)
{
    if (!hardware_fma)
        return ff_kernels_scalar_libm();
    return processor_has_fma() ? ff_kernels_scalar_fma() : NULL;
}

const ff_kernels *ff_kernels_scalar(void)
{
    const ff_kernels *kernels = ff_kernels_scalar_build(true);
    return kernels ? kernels : ff_kernels_scalar_build(false);
}

void *ff_scratch_take(ff_scratch *scratch, size_t bytes)
{
    if (scratch->counts) {
        scratch->size = bytes > scratch->size ? bytes : scratch->size;
        return NULL;
    }
    if (scratch->size >= bytes)
        return scratch->memory;
    ff_scratch_free(scratch);
    scratch->memory = ff_take_memory(bytes);
    scratch->size = scratch->memory ? bytes : 0;
    return scratch->memory;
}

void ff_scratch_free(ff_scratch *scratch)
{
    free(scratch->memory);
    *scratch = (ff_scratch){0};
}

ff_kernels ff_kernels_counting(const ff_kernels *kernels, ff_scratch *scratch)
{
    ff_kernels table = *kernels;
    *scratch = (ff_scratch){.counts = true};
    table.scratch = scratch;
    return table;
}

const ff_kernels *ff_kernels_f64(void)
{
    return ff_kernels_scalar_f64();
}

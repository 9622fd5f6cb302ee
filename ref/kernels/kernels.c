// Chooses between the two builds of the scalar kernels.
#include "kernels.h"

const ff_kernels *ff_kernels_scalar_libm(void);
const ff_kernels *ff_kernels_scalar_fma(void);

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

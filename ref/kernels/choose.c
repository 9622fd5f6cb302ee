// Chooses the table of kernels: the scalar ones, faster ones where the build and the processor have them, another
// backend's.
#include "choose.h"

#if defined(FF_FAST_KERNELS)
static const ff_fast_kernels *const fast = &FF_FAST_KERNELS;
#else
static const ff_fast_kernels *const fast = NULL;
#endif

static const char *const names[] = {
    [FF_ISA_SCALAR] = "scalar", [FF_ISA_AVX2] = "avx2", [FF_ISA_AVX512] = "avx512", [FF_ISA_NEON] = "neon",
};

static bool supported(ff_isa isa)
{
    return isa == FF_ISA_SCALAR || (fast && fast->supported(isa));
}

static ff_isa best(void)
{
    static const ff_isa order[] = {FF_ISA_AVX512, FF_ISA_AVX2, FF_ISA_NEON};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (supported(order[i]))
            return order[i];
    return FF_ISA_SCALAR;
}

static ff_status choose_isa(ff_isa isa, ff_kernels *out, ff_error *error)
{
    if (isa == FF_ISA_AUTO)
        isa = best();
    *out = *ff_kernels_scalar();
    if (isa == FF_ISA_SCALAR)
        return FF_OK;
    if ((unsigned)isa > FF_ISA_NEON)
        return ff_fail(error, FF_ERROR_INPUT, "%d is no instruction set", (int)isa);
    if (!fast)
        return ff_fail(error, FF_ERROR_INPUT, "this firstframe was built without %s kernels", names[isa]);
    if (!supported(isa))
        return ff_fail(error, FF_ERROR_INPUT, "this processor has no %s; its best kernels are %s", names[isa],
                       names[best()]);
    fast->overwrite(isa, out);
    out->name = names[isa];
    return FF_OK;
}

#if !defined(FF_OPENBLAS)
ff_status ff_openblas_start(size_t threads, const char **core, ff_error *error)
{
    (void)threads, (void)core;
    return ff_fail(error, FF_ERROR_INPUT, "this firstframe was built without OpenBLAS");
}

ff_status ff_openblas_products(ff_kernels *table, ff_error *error)
{
    (void)table;
    return ff_openblas_start(1, NULL, error);
}
#endif

ff_status ff_kernels_openblas_start(size_t threads, const char **core, ff_error *error)
{
    return ff_openblas_start(threads, core, error);
}

ff_status ff_kernels_choose(ff_isa isa, ff_backend backend, ff_kernels *out, ff_error *error)
{
    ff_status status = choose_isa(isa, out, error);
    if (status)
        return status;
    switch (backend) {
    case FF_BACKEND_OWN:
        return FF_OK;
    case FF_BACKEND_OPENBLAS:
        return ff_openblas_products(out, error);
    case FF_BACKEND_F64:
        *out = *ff_kernels_f64();
        return FF_OK;
    }
    return ff_fail(error, FF_ERROR_INPUT, "%d is no backend", (int)backend);
}

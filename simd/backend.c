// What computes: our own kernels, OpenBLAS for matrix products, or double precision.
#include "simd.h"

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
    ff_status status = ff_simd_choose(isa, out, error);
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

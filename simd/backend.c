// What computes: our own kernels, OpenBLAS for matrix products, or double precision.
#include "simd.h"

const char *ff_kernels_openblas_core(void)
{
#if defined(FF_OPENBLAS)
    return ff_openblas_core();
#else
    return NULL;
#endif
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
#if defined(FF_OPENBLAS)
        ff_openblas_products(out);
        return FF_OK;
#else
        return ff_fail(error, FF_ERROR_INPUT, "this firstframe was built without OpenBLAS");
#endif
    case FF_BACKEND_F64:
        *out = *ff_kernels_f64();
        return FF_OK;
    }
    return ff_fail(error, FF_ERROR_INPUT, "%d is no backend", (int)backend);
}

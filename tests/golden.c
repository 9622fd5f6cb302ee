#include "golden.h"

#include <math.h>
#include <stdio.h>

#include "firstframe.h"

ff_weights *golden_open(const char *path)
{
    char full[1024];
    ff_error error = {0};
    ff_weights *golden = NULL;
    snprintf(full, sizeof full, "%s/%s", FF_GOLDEN, path);
    if (ff_weights_open_file(full, &golden, &error))
        fail_msg("%s", error.message);
    return golden;
}

static const void *golden_tensor(const ff_weights *golden, const char *name, ff_dtype dtype, size_t *count)
{
    ff_weight tensor;
    if (!ff_weights_find(golden, name, &tensor))
        fail_msg("the golden has no tensor %s", name);
    if (tensor.dtype != dtype)
        fail_msg("the golden's tensor %s is %s, not %s", name, tensor.dtype->name, dtype->name);
    if (count) {
        *count = 1;
        for (int i = 0; i < tensor.rank; i++)
            *count *= tensor.shape[i];
    }
    return tensor.data;
}

const float *golden_f32(const ff_weights *golden, const char *name, size_t *count)
{
    return golden_tensor(golden, name, FF_F32, count);
}

const int64_t *golden_i64(const ff_weights *golden, const char *name, size_t *count)
{
    return golden_tensor(golden, name, FF_I64, count);
}

double relative_l2(const float *a, const float *b, size_t count)
{
    double difference = 0, reference = 0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)a[i] - (double)b[i];
        if (isfinite(b[i]) && !isfinite(a[i]))
            return INFINITY;
        difference += d * d;
        reference += (double)b[i] * b[i];
    }
    if (difference == 0)
        return 0;
    return sqrt(difference / reference);
}

void assert_close(const char *what, const float *a, const float *b, size_t count, double tolerance)
{
    double error = relative_l2(a, b, count);
    print_message("%s: relative L2 %.3g (at most %.3g)\n", what, error, tolerance);
    if (!(error <= tolerance))
        fail_msg("%s differs from its golden: relative L2 %.3g, tolerance %.3g", what, error, tolerance);
}

void assert_ok(ff_status status, const ff_error *error)
{
    if (status != FF_OK)
        fail_msg("%s", error->message);
}

void print_sha256(const void *bytes, size_t size, char out[65])
{
    uint8_t digest[32];
    ff_sha256 hash;
    ff_sha256_start(&hash);
    ff_sha256_add(&hash, bytes, size);
    ff_sha256_finish(&hash, digest);
    for (int i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

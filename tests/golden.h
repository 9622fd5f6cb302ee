// Goldens: tensors that PyTorch, diffusers, transformers, Pillow or gguf computed, dumped by scripts in tools/golden.
#ifndef FF_TESTS_GOLDEN_H
#define FF_TESTS_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "weights/weights.h"

// Opens golden/<path>, or fails the test with the reason.
ff_weights *golden_open(const char *path);
// The named f32 tensor, or fails the test. *count receives its number of elements if not NULL.
const float *golden_f32(const ff_weights *golden, const char *name, size_t *count);
const int64_t *golden_i64(const ff_weights *golden, const char *name, size_t *count);

// ||a - b|| / ||b||, in double; infinite if any element of a is not finite where b is.
double relative_l2(const float *a, const float *b, size_t count);
// Fails, naming `what` and the figure, if relative_l2 exceeds the tolerance.
void assert_close(const char *what, const float *a, const float *b, size_t count, double tolerance);

// The SHA-256 in hexadecimal digits.
void print_sha256(const void *bytes, size_t size, char out[65]);

// Fails with the error's sentence unless status is FF_OK.
void assert_ok(ff_status status, const ff_error *error);

#endif

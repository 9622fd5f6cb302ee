// Writing GGUF, version 3: values, then what tensors there are, then their bytes, in that order.
#ifndef FF_GGUF_WRITER_H
#define FF_GGUF_WRITER_H

#include "base/tensor.h"

typedef struct ff_gguf_writer ff_gguf_writer;

// The file appears under its name only when ff_gguf_writer_finish succeeds.
ff_status ff_gguf_writer_create(const char *path, ff_gguf_writer **out, ff_error *error);
void ff_gguf_writer_string(ff_gguf_writer *writer, const char *key, const char *value);
void ff_gguf_writer_u32(ff_gguf_writer *writer, const char *key, uint32_t value);
// shape: outermost first, as PyTorch has it; a rank of 0 becomes [1]
void ff_gguf_writer_tensor(ff_gguf_writer *writer, const char *name, ff_dtype dtype, int rank, const size_t *shape);
// The next bytes of the tensors, in the order in which they were told of. A piece is of one tensor.
ff_status ff_gguf_writer_append(ff_gguf_writer *writer, const void *data, size_t bytes, ff_error *error);
ff_status ff_gguf_writer_finish(ff_gguf_writer *writer, ff_error *error);  // frees it also on failure
void ff_gguf_writer_abandon(ff_gguf_writer *writer);                       // removes what was written; NULL allowed

#endif

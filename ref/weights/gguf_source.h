// A GGUF file as a source of weights.
#ifndef FF_GGUF_SOURCE_H
#define FF_GGUF_SOURCE_H

#include "gguf.h"
#include "names.h"
#include "source.h"

// Maps the file. Errors as ff_gguf_open, and FF_ERROR_INPUT for a tensor of a type that is not supported, that ends
// beyond the file, that overlaps another, or whose rows are no whole blocks.
ff_status ff_gguf_source_open(const char *path, ff_weight_source *out, ff_error *error);

// What else such a source's file holds; NULL for a source of another kind. It lives as long as the source.
const ff_gguf *ff_gguf_of_source(const ff_weight_source *source);

// The element type that ggml numbers so (ggml_types.c); NULL: one that is not read.
ff_dtype ff_ggml_type(uint32_t type);
// ggml's name for any of its types; "unknown" for other numbers.
const char *ff_ggml_type_name(uint32_t type);

#endif

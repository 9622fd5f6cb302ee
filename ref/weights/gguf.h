// GGUF files, versions 2 and 3: values under keys, then tensors of any of ggml's types.
// Format: the GGUF page of ggml (github.com/ggml-org/ggml). A file is not trusted: every count, offset and length is
// checked against what is left of it before it is used.
#ifndef FF_GGUF_H
#define FF_GGUF_H

#include "../base/system.h"

typedef enum ff_gguf_type {
    FF_GGUF_U8, FF_GGUF_I8, FF_GGUF_U16, FF_GGUF_I16, FF_GGUF_U32, FF_GGUF_I32, FF_GGUF_F32, FF_GGUF_BOOL,
    FF_GGUF_STRING, FF_GGUF_ARRAY, FF_GGUF_U64, FF_GGUF_I64, FF_GGUF_F64
} ff_gguf_type;

// Bytes of the file, which are not aligned.
typedef struct ff_gguf_text {
    const char *at;               // UTF-8, not NUL-terminated
    size_t size;
} ff_gguf_text;

typedef struct ff_gguf_value {
    char *key;
    ff_gguf_type type, element;   // element: of an array
    size_t count;                 // of an array; else 1
    const uint8_t *at;            // the first value
    size_t size;                  // bytes from there to the end of the last
} ff_gguf_value;

typedef struct ff_gguf_tensor {
    char *name;
    uint32_t type;                // ggml's number for it
    int rank;
    size_t shape[FF_MAX_RANK];    // outermost first, as PyTorch has it; the file has them the other way round
    size_t offset;                // of its first byte in the file
} ff_gguf_tensor;

typedef struct ff_gguf {
    ff_mapping file;
    uint32_t version;
    size_t alignment;             // of tensors
    ff_gguf_value *values;
    size_t value_count;
    ff_gguf_tensor *tensors;
    size_t tensor_count;
} ff_gguf;

// Maps the file and reads all but the tensors' bytes. FF_ERROR_INPUT: no GGUF file, one of another version or byte
// order, or one that contradicts itself; where a tensor ends is for those to check who know its type.
ff_status ff_gguf_open(const char *path, ff_gguf *out, ff_error *error);
void ff_gguf_close(ff_gguf *gguf);  // one of zeros allowed

const ff_gguf_value *ff_gguf_find(const ff_gguf *gguf, const char *key);  // NULL if there is none
// One number or truth value, whatever its type; false for others.
bool ff_gguf_number(const ff_gguf_value *value, double *out);
// One string; false for others.
bool ff_gguf_string(const ff_gguf_value *value, ff_gguf_text *out);

// The values of an array one by one: begin with an array's value, and call until false.
typedef struct ff_gguf_walk {
    const ff_gguf_value *array;
    size_t index;                 // of the next
    const uint8_t *at;
} ff_gguf_walk;
bool ff_gguf_walk_start(const ff_gguf_value *value, ff_gguf_walk *out);  // false: no array
bool ff_gguf_next_number(ff_gguf_walk *walk, double *out);
bool ff_gguf_next_string(ff_gguf_walk *walk, ff_gguf_text *out);

#endif

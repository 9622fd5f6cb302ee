// A SentencePiece model (spiece.model): protobuf's wire format, of which only what the tokenizer needs is read.
// Fields: sentencepiece's sentencepiece_model.proto.
#ifndef FF_TEXT_SPIECE_H
#define FF_TEXT_SPIECE_H

#include "../base/tensor.h"

// Bytes of the file that are not read yet.
typedef struct ff_wire {
    const uint8_t *at, *end;
} ff_wire;

typedef enum ff_spiece_type { FF_SPIECE_NORMAL = 1, FF_SPIECE_CONTROL = 3, FF_SPIECE_USER_DEFINED = 4 } ff_spiece_type;

typedef struct ff_spiece {
    const char *text;      // UTF-8 without a zero byte, not terminated
    size_t size;
    float score;
    uint64_t type;
} ff_spiece;

typedef struct ff_spiece_model {
    ff_wire pieces;        // for ff_spiece_next
    size_t count, bytes;   // of the pieces
    size_t marked;         // of them, control and user-defined ones
    const void *charsmap;  // precompiled_charsmap; NULL if there is none
    size_t charsmap_size;
} ff_spiece_model;

// Checks the whole file, which must outlive *out.
// FF_ERROR_INPUT: no SentencePiece model, or not a unigram one.
ff_status ff_spiece_read(const char *path, const void *bytes, size_t size, ff_spiece_model *out, ff_error *error);

// The next piece of a model that was read, in the order of their ids; false behind the last.
bool ff_spiece_next(ff_wire *pieces, ff_spiece *out);

#endif

// The model's own encoder as identity asks for it, until Ctrl-C.
#ifndef FF_ENCODING_H
#define FF_ENCODING_H

#include "check/figures/drift.h"

typedef struct ff_encoding {
    const ff_model *model;
    size_t threads;
} ff_encoding;

ff_encoder ff_encoding_encoder(ff_encoding *encoding);   // valid as long as the encoding

#endif

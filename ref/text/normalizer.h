// The normalizers of tokenizer.json: steps that rewrite text before it is cut into words.
#ifndef FF_TEXT_NORMALIZER_H
#define FF_TEXT_NORMALIZER_H

#include <cjson/cJSON.h>

#include "../base/tensor.h"
#include "charsmap.h"

typedef enum ff_normalizer_kind {
    FF_NORMALIZE_CHARSMAP,
    FF_NORMALIZE_FORM,     // NFC, NFD, NFKC or NFKD, by utf8proc's version of Unicode
    FF_NORMALIZE_NMT,      // the character classes of sentencepiece's nmt rules
    FF_NORMALIZE_STRIP,    // white space at the ends
    FF_NORMALIZE_REPLACE,  // every occurrence of a string
    FF_NORMALIZE_SPACES,   // every run of two or more spaces
} ff_normalizer_kind;

typedef struct ff_normalizer_step {
    ff_normalizer_kind kind;
    ff_charsmap charsmap;
    ff_normal_form form;
    bool strip_left, strip_right;
    char *pattern, *content;
} ff_normalizer_step;

typedef struct ff_normalizer {
    ff_normalizer_step *steps;
    size_t count;
} ff_normalizer;

// json: the "normalizer" of the file `path`; NULL and null mean none.
ff_status ff_normalizer_read(const cJSON *json, const char *path, ff_normalizer *out, ff_error *error);
void ff_normalizer_free(ff_normalizer *normalizer);

// Appends the normalized text to *out, which must be empty. text must be UTF-8.
void ff_normalizer_apply(const ff_normalizer *normalizer, const char *text, size_t size, ff_bytes *out);

#endif

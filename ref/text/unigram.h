// A unigram language model's vocabulary, and the likeliest way to cut a word into its pieces.
#ifndef FF_TEXT_UNIGRAM_H
#define FF_TEXT_UNIGRAM_H

#include "../base/tensor.h"
#include "pieces.h"

#define FF_NO_PIECE SIZE_MAX

typedef struct ff_unigram {
    ff_pieces pieces;      // numbered by id
    double *scores;        // logarithms of probabilities, by id
    size_t count;
    double lowest_score;
    size_t unknown;        // id of the unknown piece, or FF_NO_PIECE
    size_t bytes[256];     // ids of <0x00> to <0xFF>, or FF_NO_PIECE
    bool byte_fallback;
} ff_unigram;

// Room for `capacity` pieces of `bytes` bytes in all; then one after the other, numbered as they come. False without
// memory.
bool ff_unigram_create(ff_unigram *model, size_t capacity, size_t bytes);
void ff_unigram_add(ff_unigram *model, const char *piece, size_t size, double score);
void ff_unigram_free(ff_unigram *model);

// Ids until they are `most`; further ones are dropped.
typedef struct ff_ids {
    int64_t *at;
    size_t count, most;
} ff_ids;
void ff_ids_append(ff_ids *ids, size_t id);

// Appends the ids of a word (UTF-8) to *ids.
ff_status ff_unigram_encode(const ff_unigram *model, const char *word, size_t size, ff_ids *ids, ff_error *error);

#endif

// What a tokenizer's files come to: tokenizer_open.c and spiece_open.c read them, tokenizer.c uses them.
#ifndef FF_TEXT_TOKENIZER_H
#define FF_TEXT_TOKENIZER_H

#include "normalizer.h"
#include "pieces.h"
#include "text.h"
#include "unigram.h"

// A token found in the text before the model sees it.
typedef struct ff_added_token {
    size_t id;
    bool single_word;   // not inside a word
    bool lstrip, rstrip;  // takes the white space on that side with it
} ff_added_token;

typedef enum ff_prepend { FF_PREPEND_ALWAYS, FF_PREPEND_FIRST, FF_PREPEND_NEVER } ff_prepend;

// Metaspace: spaces become `mark`, one is put before a word that has none, and words end before each.
typedef struct ff_metaspace {
    bool used, split;
    ff_prepend prepend;
    char mark[5];
    size_t mark_size;
} ff_metaspace;

enum { FF_TOKENIZER_FILES = 4 };

struct ff_tokenizer {
    char *files[FF_TOKENIZER_FILES];  // names of those that were read
    size_t file_count;
    ff_normalizer normalizer;
    bool split_spaces;       // WhitespaceSplit, before Metaspace
    ff_metaspace metaspace;
    ff_unigram model;
    size_t vocabulary;
    size_t sentinels;        // of which so many are <extra_id_N>, which T5's tokenizer adds and no prompt has
    ff_added_token *added;
    size_t added_count;
    ff_pieces raw;           // contents of added tokens, numbered by index in `added`: sought in the text as it is
    ff_pieces normalized;    // sought in the normalized text
    size_t *special;         // ids around the text: `before` of them first, the others after
    size_t special_count, before;
};

// A token as a file describes it.
typedef struct ff_new_token {
    const char *text;
    bool single_word, lstrip, rstrip;
    bool normalized;         // sought in the normalized text
} ff_new_token;

// path: the first of its files, which is named in its list
ff_status ff_tokenizer_create(const char *path, ff_tokenizer **out, ff_error *error);
ff_status ff_tokenizer_name_file(ff_tokenizer *tokenizer, const char *path, ff_error *error);
// Room for `count` added tokens of `bytes` bytes in all, once the model and the normalizer are there.
ff_status ff_tokenizer_reserve(ff_tokenizer *tokenizer, size_t count, size_t bytes, const char *path, ff_error *error);
// A token of the model keeps its id, others are numbered on. No text is added twice.
ff_status ff_tokenizer_add(ff_tokenizer *tokenizer, const ff_new_token *token, const char *path, ff_error *error);

#endif

// What a tokenizer.json comes to: tokenizer_open.c reads it, tokenizer.c uses it.
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

struct ff_tokenizer {
    ff_normalizer normalizer;
    bool split_spaces;       // WhitespaceSplit, before Metaspace
    ff_metaspace metaspace;
    ff_unigram model;
    size_t vocabulary;
    ff_added_token *added;
    size_t added_count;
    ff_pieces raw;           // contents of added tokens, numbered by index in `added`: sought in the text as it is
    ff_pieces normalized;    // sought in the normalized text
    size_t *special;         // ids around the text: `before` of them first, the others after
    size_t special_count, before;
};

#endif

// A sentencepiece `precompiled_charsmap`: rules that replace characters, as a double-array trie over their UTF-8 and a
// list of NUL-terminated replacements.
#ifndef FF_TEXT_CHARSMAP_H
#define FF_TEXT_CHARSMAP_H

#include "unicode.h"

typedef struct ff_charsmap {
    uint32_t *trie;
    size_t trie_count;
    char *replacements;
    size_t replacements_size;
} ff_charsmap;

typedef enum ff_charsmap_result { FF_CHARSMAP_OK, FF_CHARSMAP_BROKEN, FF_CHARSMAP_NO_MEMORY } ff_charsmap_result;

// bytes: the map as spiece.model holds it. base64: as tokenizer.json does.
ff_charsmap_result ff_charsmap_read(const void *bytes, size_t size, ff_charsmap *out);
ff_charsmap_result ff_charsmap_decode(const char *base64, ff_charsmap *out);
void ff_charsmap_free(ff_charsmap *map);

// Appends `text`, which must be UTF-8, to *out with its characters replaced.
void ff_charsmap_apply(const ff_charsmap *map, const char *text, size_t size, ff_bytes *out);

#endif

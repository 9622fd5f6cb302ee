// Text as UTF-8 bytes and as code points, in lists that grow. A list that could not grow remembers it (`failed`) and
// ignores what follows, so that a chain of steps is checked once, at its end.
#ifndef FF_TEXT_UNICODE_H
#define FF_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ff_bytes {
    char *at;
    size_t count, capacity;
    bool failed;
} ff_bytes;

void ff_bytes_append(ff_bytes *list, const char *bytes, size_t count);
void ff_bytes_append_codepoint(ff_bytes *list, uint32_t codepoint);
void ff_bytes_free(ff_bytes *list);

typedef struct ff_codepoints {
    uint32_t *at;
    size_t count, capacity;
    bool failed;
} ff_codepoints;

void ff_codepoints_append(ff_codepoints *list, const uint32_t *codepoints, size_t count);
void ff_codepoints_append_one(ff_codepoints *list, uint32_t codepoint);
void ff_codepoints_free(ff_codepoints *list);

// Length in bytes of the code point at the start of `text`, 0 if those bytes are not UTF-8 (overlong forms,
// surrogates and numbers above U+10FFFF are not).
size_t ff_utf8_decode(const char *text, size_t left, uint32_t *codepoint);
size_t ff_utf8_encode(uint32_t codepoint, char out[4]);
// Offset of the first byte that is not UTF-8; `size` if there is none.
size_t ff_utf8_check(const char *text, size_t size);

// Unicode's White_Space property.
bool ff_is_space(uint32_t codepoint);
// \w of Unicode regular expressions: letters, marks, decimal digits, connectors and joiners.
bool ff_is_word(uint32_t codepoint);

typedef enum ff_normal_form { FF_NFC, FF_NFD, FF_NFKC, FF_NFKD } ff_normal_form;

// Appends `text` to *out in a Unicode normal form.
void ff_normalize_unicode(const uint32_t *text, size_t count, ff_normal_form form, ff_codepoints *out);

#endif

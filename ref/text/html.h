// HTML character references, as Python's html module and ftfy decode them.
#ifndef FF_TEXT_HTML_H
#define FF_TEXT_HTML_H

#include "unicode.h"

// A named character of HTML 5. name is without & and ;
typedef struct ff_html_entity {
    const char *name;
    uint32_t first, second;  // second is 0 where one code point is all
    bool bare;               // also valid without its semicolon
} ff_html_entity;

// Sorted by name, in html_entities.c.
extern const ff_html_entity ff_html_entities[];
extern const size_t ff_html_entity_count;

// Appends `text` to *out as html.unescape returns it: with or without semicolon, longest name first.
void ff_html_unescape(const uint32_t *text, size_t count, ff_codepoints *out);

// The same by ftfy's stricter rule: semicolon required, and names known in lower case also decode in capitals.
void ff_html_unescape_strictly(const uint32_t *text, size_t count, ff_codepoints *out);

// What a byte 0x80 to 0x9F means in Windows-1252; the five it leaves undefined stay as they are.
uint32_t ff_windows_1252(uint32_t byte);

#endif

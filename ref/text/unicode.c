#include "unicode.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "../base/sizes.h"
#include "../base/tensor.h"

// Room for `more` elements after the `count` there are. Returns the array, perhaps moved, or NULL without memory.
static void *grow(void *at, size_t count, size_t *capacity, size_t more, size_t element_size)
{
    size_t wanted, bytes;
    if (!ff_add_sizes(count, more, &wanted))
        return NULL;
    if (wanted <= *capacity)
        return at;
    if (wanted < 64)
        wanted = 64;
    if (*capacity <= SIZE_MAX / 2 && wanted < 2 * *capacity)
        wanted = 2 * *capacity;
    if (!ff_multiply_sizes(wanted, element_size, &bytes))
        return NULL;
    void *moved = realloc(at, bytes);
    if (moved)
        *capacity = wanted;
    return moved;
}

void ff_bytes_append(ff_bytes *list, const char *bytes, size_t count)
{
    if (list->failed || count == 0)
        return;
    char *at = grow(list->at, list->count, &list->capacity, count, 1);
    if (!at) {
        list->failed = true;
        return;
    }
    list->at = at;
    memcpy(at + list->count, bytes, count);
    list->count += count;
}

void ff_bytes_append_codepoint(ff_bytes *list, uint32_t codepoint)
{
    char encoded[4];
    ff_bytes_append(list, encoded, ff_utf8_encode(codepoint, encoded));
}

void ff_bytes_free(ff_bytes *list)
{
    free(list->at);
    *list = (ff_bytes){0};
}

void ff_codepoints_append(ff_codepoints *list, const uint32_t *codepoints, size_t count)
{
    if (list->failed || count == 0)
        return;
    uint32_t *at = grow(list->at, list->count, &list->capacity, count, sizeof *at);
    if (!at) {
        list->failed = true;
        return;
    }
    list->at = at;
    memcpy(at + list->count, codepoints, count * sizeof *at);
    list->count += count;
}

void ff_codepoints_append_one(ff_codepoints *list, uint32_t codepoint)
{
    ff_codepoints_append(list, &codepoint, 1);
}

void ff_codepoints_free(ff_codepoints *list)
{
    free(list->at);
    *list = (ff_codepoints){0};
}

size_t ff_utf8_decode(const char *text, size_t left, uint32_t *codepoint)
{
    const unsigned char *byte = (const unsigned char *)text;
    size_t length;
    uint32_t value, least;
    if (left == 0)
        return 0;
    if (byte[0] < 0x80) {
        *codepoint = byte[0];
        return 1;
    }
    if (byte[0] >= 0xC2 && byte[0] <= 0xDF) {
        length = 2, value = byte[0] & 0x1F, least = 0x80;
    } else if (byte[0] >= 0xE0 && byte[0] <= 0xEF) {
        length = 3, value = byte[0] & 0x0F, least = 0x800;
    } else if (byte[0] >= 0xF0 && byte[0] <= 0xF4) {
        length = 4, value = byte[0] & 0x07, least = 0x10000;
    } else {
        return 0;
    }
    if (left < length)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((byte[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (byte[i] & 0x3F);
    }
    if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    *codepoint = value;
    return length;
}

size_t ff_utf8_encode(uint32_t codepoint, char out[4])
{
    if (codepoint < 0x80) {
        out[0] = (char)codepoint;
        return 1;
    }
    if (codepoint < 0x800) {
        out[0] = (char)(0xC0 | codepoint >> 6);
        out[1] = (char)(0x80 | (codepoint & 0x3F));
        return 2;
    }
    if (codepoint < 0x10000) {
        out[0] = (char)(0xE0 | codepoint >> 12);
        out[1] = (char)(0x80 | (codepoint >> 6 & 0x3F));
        out[2] = (char)(0x80 | (codepoint & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | codepoint >> 18);
    out[1] = (char)(0x80 | (codepoint >> 12 & 0x3F));
    out[2] = (char)(0x80 | (codepoint >> 6 & 0x3F));
    out[3] = (char)(0x80 | (codepoint & 0x3F));
    return 4;
}

size_t ff_utf8_check(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        uint32_t codepoint;
        size_t length = ff_utf8_decode(text + at, size - at, &codepoint);
        if (length == 0)
            return at;
        at += length;
    }
    return size;
}

bool ff_is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool ff_is_word(uint32_t c)
{
    if (c == 0x200C || c == 0x200D)  // joiners
        return true;
    // letters in circles and squares are symbols with the Alphabetic property
    if ((c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
        (c >= 0x1F170 && c <= 0x1F189))
        return true;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return false;
    }
}

// Canonical order: marks that follow each other sorted by combining class, equal classes as they come.
//   text: [count]      order: room for as many
static void order_marks(uint32_t *text, size_t count, uint32_t *order)
{
    for (size_t first = 0, end; first < count; first = end + 1) {
        size_t starts[257] = {0};
        for (end = first; end < count; end++) {
            utf8proc_propval_t class = utf8proc_get_property((utf8proc_int32_t)text[end])->combining_class;
            if (class == 0)
                break;
            starts[class + 1]++;
        }
        if (end - first < 2)
            continue;
        for (size_t class = 1; class < 257; class++)
            starts[class] += starts[class - 1];
        for (size_t i = first; i < end; i++)
            order[starts[utf8proc_get_property((utf8proc_int32_t)text[i])->combining_class]++] = text[i];
        memcpy(text + first, order, (end - first) * sizeof *text);
    }
}

// utf8proc takes characters apart and puts them together; its own sorting of marks is quadratic in their number.
void ff_normalize_unicode(const uint32_t *text, size_t count, ff_normal_form form, ff_codepoints *out)
{
    static const utf8proc_option_t options[] = {
        [FF_NFC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE,
        [FF_NFD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE,
        [FF_NFKC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
        [FF_NFKD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT,
    };
    ff_codepoints apart = {0}, order = {0};
    for (size_t i = 0; i < count; i++) {
        utf8proc_int32_t parts[32];
        int boundary = UTF8PROC_BOUNDCLASS_START;
        utf8proc_ssize_t length = utf8proc_decompose_char((utf8proc_int32_t)text[i], parts, 32, options[form],
                                                          &boundary);
        if (length < 0 || length > 32)  // not a code point
            apart.failed = true;
        else
            ff_codepoints_append(&apart, (const uint32_t *)parts, (size_t)length);
    }
    ff_codepoints_append(&order, apart.at, apart.count);
    if (apart.failed || order.failed || apart.count > PTRDIFF_MAX) {
        out->failed = true;
    } else if (apart.count) {
        order_marks(apart.at, apart.count, order.at);
        utf8proc_ssize_t length = utf8proc_normalize_utf32((utf8proc_int32_t *)apart.at,
                                                           (utf8proc_ssize_t)apart.count, options[form]);
        out->failed |= length < 0;
        ff_codepoints_append(out, apart.at, length < 0 ? 0 : (size_t)length);
    }
    ff_codepoints_free(&apart);
    ff_codepoints_free(&order);
}

#include "html.h"

#include <string.h>

#include <utf8proc.h>

#define LONGEST_NAME 32  // of what follows & in html.unescape's expression; no entity's name is longer
#define LONGEST_STRICT 24  // the same in ftfy's

uint32_t ff_windows_1252(uint32_t byte)
{
    static const uint16_t table[32] = {
        0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D,
        0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A,
        0x0153, 0x009D, 0x017E, 0x0178,
    };
    return table[byte - 0x80];
}

static bool is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_capital(uint32_t c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alphanumeric(uint32_t c)
{
    return is_digit(c) || is_capital(c) || (c >= 'a' && c <= 'z');
}

static const ff_html_entity *find_entity(const char *name, size_t length)
{
    size_t low = 0, high = ff_html_entity_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *candidate = ff_html_entities[middle].name;
        int order = strncmp(name, candidate, length);
        if (order == 0 && candidate[length] == '\0')
            return &ff_html_entities[middle];
        if (order <= 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

// The longest name, of at least two letters and at most `length`, that needs no semicolon.
static const ff_html_entity *find_bare_entity(const char *name, size_t length, size_t *matched)
{
    for (size_t x = length; x >= 2; x--) {
        const ff_html_entity *entity = find_entity(name, x);
        if (entity && entity->bare) {
            *matched = x;
            return entity;
        }
    }
    return NULL;
}

// A numeric reference at text[0] == '#': its length, with the semicolon if there is one; 0 if it is none.
static size_t read_number(const uint32_t *text, size_t count, uint32_t *number)
{
    size_t at = 1;
    bool hexadecimal = count > 1 && (text[1] == 'x' || text[1] == 'X');
    if (hexadecimal)
        at++;
    size_t first = at;
    *number = 0;
    for (; at < count; at++) {
        uint32_t c = text[at], digit;
        if (is_digit(c))
            digit = c - '0';
        else if (hexadecimal && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            digit = (c | 0x20) - 'a' + 10;
        else
            break;
        if (*number <= 0x10FFFF)  // anything larger is invalid alike
            *number = *number * (hexadecimal ? 16 : 10) + digit;
    }
    if (at == first)
        return 0;
    return at < count && text[at] == ';' ? at + 1 : at;
}

// HTML 5's reading of a numeric reference; code points it forbids leave nothing.
static void append_number(ff_codepoints *out, uint32_t number)
{
    if (number == 0 || number > 0x10FFFF || (number >= 0xD800 && number <= 0xDFFF))
        ff_codepoints_append_one(out, 0xFFFD);
    else if (number >= 0x80 && number <= 0x9F)
        ff_codepoints_append_one(out, ff_windows_1252(number));
    else if (number < 0x09 || number == 0x0B || (number >= 0x0E && number < 0x20) || number == 0x7F ||
             (number >= 0xFDD0 && number <= 0xFDEF) || (number & 0xFFFE) == 0xFFFE)
        return;
    else
        ff_codepoints_append_one(out, number);
}

static void append_entity(ff_codepoints *out, const ff_html_entity *entity)
{
    ff_codepoints_append_one(out, entity->first);
    if (entity->second)
        ff_codepoints_append_one(out, entity->second);
}

// A reference after an & at text[-1]: appends its meaning and returns its length, or returns 0.
static size_t unescape_one(const uint32_t *text, size_t count, ff_codepoints *out)
{
    char name[LONGEST_NAME] = "";
    size_t length = 0, matched;
    uint32_t number;
    if (count > 0 && text[0] == '#') {
        matched = read_number(text, count, &number);
        if (matched)
            append_number(out, number);
        return matched;
    }
    while (length < LONGEST_NAME && length < count && is_alphanumeric(text[length])) {
        name[length] = (char)text[length];
        length++;
    }
    const ff_html_entity *entity = find_entity(name, length);
    if (entity && length < count && text[length] == ';') {
        append_entity(out, entity);
        return length + 1;
    }
    entity = find_bare_entity(name, length, &matched);
    if (!entity)
        return 0;
    append_entity(out, entity);
    return matched;
}

// Python's str.upper() of the characters that entities stand for.
static void append_capital(ff_codepoints *out, uint32_t c)
{
    static const struct {
        uint32_t small;
        const char *capitals;
    } several[] = {
        {0x00DF, "SS"}, {0x0149, "\u02BCN"}, {0xFB00, "FF"}, {0xFB01, "FI"},
        {0xFB02, "FL"}, {0xFB03, "FFI"},     {0xFB04, "FFL"},
    };
    for (size_t i = 0; i < sizeof several / sizeof *several; i++) {
        const char *capitals = several[i].capitals;
        if (several[i].small != c)
            continue;
        for (size_t left = strlen(capitals), length; left > 0; left -= length, capitals += length) {
            uint32_t capital = 0;
            length = ff_utf8_decode(capitals, left, &capital);
            ff_codepoints_append_one(out, capital);
        }
        return;
    }
    ff_codepoints_append_one(out, (uint32_t)utf8proc_toupper((utf8proc_int32_t)c));
}

// "NTILDE" stands for the capital of ntilde, if that is an entity and no shorter name would match.
static bool append_capitalized_entity(ff_codepoints *out, const char *name, size_t length)
{
    char lower[LONGEST_STRICT];
    size_t matched;
    for (size_t i = 0; i < length; i++) {
        if (name[i] >= 'a' && name[i] <= 'z')
            return false;
        lower[i] = is_capital((uint32_t)name[i]) ? (char)(name[i] | 0x20) : name[i];
    }
    const ff_html_entity *entity = find_entity(lower, length);
    if (!entity || find_bare_entity(name, length, &matched))
        return false;
    append_capital(out, entity->first);
    if (entity->second)
        append_capital(out, entity->second);
    return true;
}

// As unescape_one, by ftfy's rule: &name; or &#number; of at most 24 letters and digits.
static size_t unescape_one_strictly(const uint32_t *text, size_t count, ff_codepoints *out)
{
    char name[LONGEST_STRICT] = "";
    bool numeric = count > 0 && text[0] == '#';
    size_t first = numeric ? 1 : 0, length = 0;
    while (first + length < count && is_alphanumeric(text[first + length])) {
        if (length == LONGEST_STRICT)
            return 0;
        name[length] = (char)text[first + length];
        length++;
    }
    size_t whole = first + length + 1;
    if (length == 0 || whole > count || text[whole - 1] != ';')
        return 0;
    if (numeric) {
        uint32_t number;
        // ftfy takes a semicolon in the result for a sign that not all was decoded
        if (read_number(text, whole, &number) != whole || number == ';')
            return 0;
        append_number(out, number);
        return whole;
    }
    const ff_html_entity *entity = find_entity(name, length);
    if (entity)
        append_entity(out, entity);
    else if (!append_capitalized_entity(out, name, length))
        return 0;
    return whole;
}

typedef size_t (*unescape_step)(const uint32_t *text, size_t count, ff_codepoints *out);

static void unescape(const uint32_t *text, size_t count, unescape_step step, ff_codepoints *out)
{
    size_t done = 0;  // what lies before is in *out
    for (size_t i = 0; i < count; i++) {
        if (text[i] != '&')
            continue;
        ff_codepoints_append(out, text + done, i - done);
        done = i;
        size_t length = step(text + i + 1, count - i - 1, out);
        if (length) {
            i += length;
            done = i + 1;
        }
    }
    if (done < count)
        ff_codepoints_append(out, text + done, count - done);
}

void ff_html_unescape(const uint32_t *text, size_t count, ff_codepoints *out)
{
    unescape(text, count, unescape_one, out);
}

void ff_html_unescape_strictly(const uint32_t *text, size_t count, ff_codepoints *out)
{
    unescape(text, count, unescape_one_strictly, out);
}

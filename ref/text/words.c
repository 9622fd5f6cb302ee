#include "words.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "unicode.h"

#define MOST_LINES ((size_t)1 << 12)     // texts of a list
#define MOST_WORDS ((size_t)1 << 16)     // words of a list
#define MOST_CODEPOINTS ((size_t)64)     // of a listed word

struct ff_word_list {
    ff_bytes bytes;            // the folded words, each with a NUL after it
    const char **words;        // [count] sorted
    size_t count;
};

// ---- a text's words ----

typedef enum kind { PARTS, STAYS, LETTERS, PICTURES } kind;  // PARTS: between words. STAYS: part of what is before it

// A character as people see it (a grapheme cluster), of the kind that its first code point gives it.
typedef struct character {
    kind kind;
    bool digit;                // one to count with, and nothing else
    size_t bytes, codepoints;
} character;

typedef struct word {
    const char *text;
    size_t size, codepoints;
    bool number;
} word;

static kind kind_of(uint32_t codepoint)
{
    const utf8proc_property_t *property = utf8proc_get_property((utf8proc_int32_t)codepoint);
    switch (property->category) {
    case UTF8PROC_CATEGORY_MN:   // with nothing under it
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_PC:
        return PARTS;
    case UTF8PROC_CATEGORY_CF:
        return property->ignorable && codepoint != 0x200B ? STAYS : PARTS;   // a zero-width space parts
    default:
        break;
    }
    if (ff_is_word(codepoint))
        return property->ignorable ? PARTS : LETTERS;   // a filler is no letter to be seen
    bool picture = property->boundclass == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC ||
                   property->boundclass == UTF8PROC_BOUNDCLASS_REGIONAL_INDICATOR;
    return picture ? PICTURES : PARTS;
}

// text: UTF-8, checked, of at least one byte
static character read_character(const char *text, size_t size)
{
    uint32_t first, before, next;
    utf8proc_int32_t state = 0;
    size_t at = ff_utf8_decode(text, size, &first), length;
    character read = {.kind = kind_of(first), .codepoints = 1};
    for (before = first; at < size; before = next, at += length, read.codepoints++) {
        length = ff_utf8_decode(text + at, size - at, &next);
        if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)next, &state))
            break;
    }
    read.digit = read.codepoints == 1 && utf8proc_category((utf8proc_int32_t)first) == UTF8PROC_CATEGORY_ND;
    read.bytes = at;
    return read;
}

// The next word from *at on; false if there is none. *at moves on past it.
static bool next_word(const char *text, size_t size, size_t *at, word *out)
{
    kind of = PARTS;
    *out = (word){.number = true};
    while (*at < size) {
        character read = read_character(text + *at, size - *at);
        bool begins = of == PARTS && read.kind >= LETTERS;
        if (of != PARTS && read.kind != of && read.kind != STAYS)
            break;
        if (begins) {
            of = read.kind;
            out->text = text + *at;
        }
        *at += read.bytes;
        if (of == PARTS)
            continue;
        out->size = (size_t)(text + *at - out->text);
        out->codepoints += read.codepoints;
        out->number = out->number && (read.digit || read.kind == STAYS);
    }
    return of != PARTS;
}

// What a word is compared by, appended with a NUL.
static void fold(const word *w, ff_bytes *out)
{
    ff_codepoints text = {0}, compatible = {0}, folded = {0}, composed = {0};
    uint32_t codepoint;
    for (size_t at = 0; at < w->size;) {
        at += ff_utf8_decode(w->text + at, w->size - at, &codepoint);
        ff_codepoints_append_one(&text, codepoint);
    }
    ff_normalize_unicode(text.at, text.count, FF_NFKC, &compatible);
    for (size_t i = 0; i < compatible.count; i++) {
        utf8proc_int32_t parts[8];
        int boundary = UTF8PROC_BOUNDCLASS_START;
        utf8proc_ssize_t length =
            utf8proc_decompose_char((utf8proc_int32_t)compatible.at[i], parts, 8,
                                    UTF8PROC_STABLE | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE, &boundary);
        folded.failed |= length < 0 || length > 8;
        ff_codepoints_append(&folded, (const uint32_t *)parts, folded.failed ? 0 : (size_t)length);
    }
    ff_normalize_unicode(folded.at, folded.count, FF_NFC, &composed);
    for (size_t i = 0; i < composed.count; i++)
        ff_bytes_append_codepoint(out, composed.at[i]);
    ff_bytes_append(out, "", 1);
    out->failed |= text.failed || compatible.failed || folded.failed || composed.failed;
    ff_codepoints_free(&text);
    ff_codepoints_free(&compatible);
    ff_codepoints_free(&folded);
    ff_codepoints_free(&composed);
}

// ---- the list ----

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static ff_status fail_memory(const ff_config *config, ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", ff_config_path(config));
}

// Words between spaces.
static ff_status add_words(ff_word_list *list, const ff_config *config, const char *key, const char *line,
                           ff_error *error)
{
    size_t size = strlen(line);
    for (size_t at = strspn(line, " "), end; at < size; at = end + strspn(line + end, " ")) {
        size_t used = 0;
        word read;
        end = at + strcspn(line + at, " ");
        if (!next_word(line + at, end - at, &used, &read) || read.size != end - at)
            return ff_fail(error, FF_ERROR_INPUT, "%s: %s holds \"%.*s\", expected words of letters and digits alone",
                           ff_config_path(config), key, (int)(end - at < 40 ? end - at : 40), line + at);
        if (read.codepoints > MOST_CODEPOINTS)
            return ff_fail(error, FF_ERROR_INPUT, "%s: %s holds a word of %zu characters, at most %zu are allowed",
                           ff_config_path(config), key, read.codepoints, MOST_CODEPOINTS);
        if (++list->count > MOST_WORDS)
            return ff_fail(error, FF_ERROR_INPUT, "%s: %s holds more than %zu words", ff_config_path(config), key,
                           MOST_WORDS);
        fold(&read, &list->bytes);
    }
    return list->bytes.failed ? fail_memory(config, error) : FF_OK;
}

static ff_status sort_words(ff_word_list *list, const ff_config *config, const char *key, ff_error *error)
{
    const char *at = list->bytes.at;
    if (list->count == 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: %s holds no word", ff_config_path(config), key);
    if (!(list->words = calloc(list->count, sizeof *list->words)))
        return fail_memory(config, error);
    for (size_t i = 0; i < list->count; i++, at += strlen(at) + 1)
        list->words[i] = at;
    qsort(list->words, list->count, sizeof *list->words, compare_words);
    for (size_t i = 1; i < list->count; i++)
        if (strcmp(list->words[i - 1], list->words[i]) == 0)
            return ff_fail(error, FF_ERROR_INPUT, "%s: %s holds \"%.40s\" twice", ff_config_path(config), key,
                           list->words[i]);
    return FF_OK;
}

ff_status ff_word_list_open(const ff_config *config, const char *key, ff_word_list **out, ff_error *error)
{
    ff_word_list *list = calloc(1, sizeof *list);
    const char **lines = calloc(MOST_LINES, sizeof *lines);
    size_t count = MOST_LINES;
    *out = NULL;
    ff_status status = list && lines ? ff_config_strings(config, key, lines, &count, error)
                                     : fail_memory(config, error);
    for (size_t i = 0; !status && i < count; i++) {
        size_t size = strlen(lines[i]), bad = ff_utf8_check(lines[i], size);
        if (bad < size)
            status = ff_fail(error, FF_ERROR_INPUT, "%s: %s[%zu] is not UTF-8: byte %zu of %zu", ff_config_path(config),
                             key, i, bad, size);
        else
            status = add_words(list, config, key, lines[i], error);
    }
    if (!status)
        status = sort_words(list, config, key, error);
    free(lines);
    if (status) {
        ff_word_list_close(list);
        return status;
    }
    *out = list;
    return FF_OK;
}

void ff_word_list_close(ff_word_list *list)
{
    if (!list)
        return;
    ff_bytes_free(&list->bytes);
    free(list->words);
    free(list);
}

size_t ff_word_list_count(const ff_word_list *list)
{
    return list->count;
}

// ---- a text against the list ----

// As it is written, without what is ignorable, such as marks of direction, that could disturb the line it is shown in;
// cut after the last character that leaves room for an ellipsis.
static void write_word(const word *w, char out[FF_UNKNOWN_BYTES])
{
    static const char ellipsis[] = "…";
    size_t size = 0, most = FF_UNKNOWN_BYTES - sizeof ellipsis;
    bool cut = false;
    for (size_t at = 0; at < w->size && !cut;) {
        character read = read_character(w->text + at, w->size - at);
        cut = read.kind != STAYS && read.bytes > most - size;
        if (read.kind != STAYS && !cut) {
            memcpy(out + size, w->text + at, read.bytes);
            size += read.bytes;
        }
        at += read.bytes;
    }
    memcpy(out + size, cut ? ellipsis : "", cut ? sizeof ellipsis : 1);
}

typedef struct search {
    const ff_word_list *list;
    ff_unknown_words *out;
    ff_bytes folded, kept;     // a word, and those in *out, each with a NUL after it
} search;

static void keep(search *s, const word *found)
{
    const char *at = s->kept.at;
    for (size_t i = 0; i < s->out->count; i++, at += strlen(at) + 1)
        if (strcmp(at, s->folded.at) == 0)
            return;
    if (s->out->count == FF_MOST_UNKNOWN) {
        s->out->more = true;
        return;
    }
    ff_bytes_append(&s->kept, s->folded.at, s->folded.count);
    if (!s->kept.failed)
        write_word(found, s->out->word[s->out->count++]);
}

static bool is_all_numbers(const char *text, size_t size)
{
    word read;
    for (size_t at = 0; next_word(text, size, &at, &read);)
        if (!read.number)
            return false;
    return true;
}

static ff_status find_in(search *s, const char *text, size_t size, ff_error *error)
{
    bool numbers = is_all_numbers(text, size);
    word read;
    for (size_t at = 0; next_word(text, size, &at, &read);) {
        if (read.number && !numbers)
            continue;
        s->folded.count = 0;
        fold(&read, &s->folded);
        if (s->folded.failed || s->kept.failed)
            return ff_fail(error, FF_ERROR_MEMORY, "no memory for the words of a prompt of %zu bytes", size);
        bool known = bsearch(&s->folded.at, s->list->words, s->list->count, sizeof *s->list->words, compare_words);
        s->out->known += known;
        if (!known)
            keep(s, &read);
    }
    return FF_OK;
}

ff_status ff_word_list_find_unknown(const ff_word_list *list, const char *const *texts, size_t count,
                                    ff_unknown_words *out, ff_error *error)
{
    search s = {.list = list, .out = out};
    ff_status status = FF_OK;
    *out = (ff_unknown_words){0};
    for (size_t i = 0; i < count && !status; i++) {
        size_t size = strlen(texts[i]), bad = ff_utf8_check(texts[i], size);
        status = bad < size ? ff_fail(error, FF_ERROR_INPUT, "a prompt is not UTF-8: byte %zu of %zu", bad, size)
                            : find_in(&s, texts[i], size, error);
    }
    ff_bytes_free(&s.folded);
    ff_bytes_free(&s.kept);
    return status;
}

#include "map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"

#define MOST_FILE_BYTES ((size_t)1 << 20)
#define MOST_WORDS 64         // in a line
#define MOST_OPERATIONS 8     // in a rule
#define MOST_WILD 6           // stars and numbers in a pattern
#define MOST_LETTERS 24       // in the name of a number
#define MOST_NUMBER 999999

typedef struct rule {
    size_t line;
    char *ours, *theirs;      // patterns, in the map's text
    ff_arrangement operations[MOST_OPERATIONS];
    int operation_count;
} rule;

struct ff_map {
    char *path, *text;
    rule *rules;
    size_t count;
};

// What stars and numbers of a pattern stand for.
typedef struct wild {
    const char *at;           // a star's text, or a number's name in the pattern
    size_t length;
    bool star;
    long value;
} wild;

typedef struct match {
    wild found[MOST_WILD];
    int count;
} match;

// ---- patterns ----

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static long read_digits(const char **at)
{
    long value = 0;
    for (; is_digit(**at); (*at)++)
        value = value > MOST_NUMBER ? value : value * 10 + (**at - '0');
    return value;
}

// A number in braces: factor * name + offset, in which only the name must be there; *at ends behind it.
typedef struct formula {
    const char *name;
    size_t length;
    long factor, offset;
} formula;

static bool read_formula(const char **at, formula *out)
{
    const char *c = *at + 1;
    *out = (formula){.factor = 1};
    if (is_digit(*c)) {
        out->factor = read_digits(&c);
        if (*c++ != '*')
            return false;
    }
    out->name = c;
    while (is_letter(*c))
        c++;
    out->length = (size_t)(c - out->name);
    if (*c == '*' && is_digit(c[1]) && out->factor == 1) {
        c++;
        out->factor = read_digits(&c);
    }
    if ((*c == '+' || *c == '-') && is_digit(c[1])) {
        long sign = *c++ == '-' ? -1 : 1;
        out->offset = sign * read_digits(&c);
    }
    if (*c != '}' || out->length == 0 || out->length > MOST_LETTERS)
        return false;
    *at = c + 1;
    return true;
}

static const wild *find_number(const match *from, const formula *wanted)
{
    for (int i = 0; i < from->count; i++)
        if (!from->found[i].star && from->found[i].length == wanted->length &&
            memcmp(from->found[i].at, wanted->name, wanted->length) == 0)
            return &from->found[i];
    return NULL;
}

// Matches all of a name, trying every length of what a star stands for.
static bool match_name(const char *pattern, const char *name, match *out)
{
    for (; *pattern && *pattern != '*'; ) {
        if (*pattern != '{') {
            if (*pattern++ != *name++)
                return false;
            continue;
        }
        formula number;
        if (!read_formula(&pattern, &number) || !is_digit(*name))
            return false;
        long value = read_digits(&name);
        const wild *same = find_number(out, &number);
        if (value > MOST_NUMBER || (same && same->value != value))
            return false;
        if (!same)
            out->found[out->count++] = (wild){.at = number.name, .length = number.length, .value = value};
    }
    if (*pattern == 0)
        return *name == 0;
    for (size_t length = 0;; length++) {
        match tried = *out;
        tried.found[tried.count++] = (wild){.at = name, .length = length, .star = true};
        if (match_name(pattern + 1, name + length, &tried)) {
            *out = tried;
            return true;
        }
        if (name[length] == 0)
            return false;
    }
}

// Digits that dumps write a number with, by what stands before it.
static int digits_after(const char *written, size_t length)
{
    static const struct { const char *before; int digits; } known[] = {
        {"call.", 3}, {"step.", 3}, {"vae_encode.", 3}, {"vae_encode_last.", 3}, {"vae_decode.", 3}, {".block.", 2}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t before = strlen(known[i].before);
        if (length >= before && memcmp(written + length - before, known[i].before, before) == 0)
            return known[i].digits;
    }
    return 1;
}

static bool write_name(const char *pattern, const match *from, char out[FF_MAP_NAME])
{
    size_t length = 0;
    int star = 0;
    while (*pattern) {
        int written;
        size_t room = FF_MAP_NAME - length;
        if (*pattern == '*') {
            while (star < from->count && !from->found[star].star)
                star++;
            const wild *found = &from->found[star++];
            written = snprintf(out + length, room, "%.*s", (int)found->length, found->at);
            pattern++;
        } else if (*pattern == '{') {
            formula number;
            const wild *found = read_formula(&pattern, &number) ? find_number(from, &number) : NULL;
            long value = found ? found->value * number.factor + number.offset : -1;
            if (value < 0)
                return false;
            written = snprintf(out + length, room, "%0*ld", digits_after(out, length), value);
        } else {
            written = snprintf(out + length, room, "%c", *pattern++);
        }
        if (written < 0 || (size_t)written >= room)
            return false;
        length += (size_t)written;
    }
    out[length] = 0;
    return true;
}

bool ff_map_match(const ff_map *map, size_t i, const char *theirs, char ours[FF_MAP_NAME])
{
    match found = {.count = 0};
    return strlen(theirs) < FF_MAP_NAME && match_name(map->rules[i].theirs, theirs, &found) &&
           write_name(map->rules[i].ours, &found, ours);
}

// ---- reading ----

// Counts stars and lists the names of numbers.   plain: a number is a name only
static ff_status check_pattern(const char *pattern, bool plain, match *out, int *stars, ff_error *error)
{
    *stars = 0;
    for (const char *at = pattern; *at;) {
        formula number;
        if ((*at == '*' || *at == '{') && out->count == MOST_WILD)
            return ff_fail(error, FF_ERROR_INPUT, "%s has more than %d stars and numbers", pattern, MOST_WILD);
        if (*at == '*') {
            ++*stars;
            out->found[out->count++] = (wild){.star = true};
            at++;
        } else if (*at == '{') {
            if (!read_formula(&at, &number) || (plain && (number.factor != 1 || number.offset != 0)))
                return ff_fail(error, FF_ERROR_INPUT, plain ? "in %s, expected {name} with letters only" :
                               "in %s, expected {name}, {2*name} or {2*name+1}", pattern);
            if (!find_number(out, &number))
                out->found[out->count++] = (wild){.at = number.name, .length = number.length};
        } else {
            at++;
        }
    }
    return FF_OK;
}

static ff_status check_patterns(const rule *r, ff_error *error)
{
    match theirs = {.count = 0}, ours = {.count = 0};
    int stars_theirs, stars_ours;
    ff_status status;
    if ((status = check_pattern(r->theirs, true, &theirs, &stars_theirs, error)) ||
        (status = check_pattern(r->ours, false, &ours, &stars_ours, error)))
        return status;
    if (stars_ours > stars_theirs)
        return ff_fail(error, FF_ERROR_INPUT, "%s has more stars than %s", r->ours, r->theirs);
    for (int i = 0; i < ours.count; i++) {
        formula wanted = {.name = ours.found[i].at, .length = ours.found[i].length};
        if (!ours.found[i].star && !find_number(&theirs, &wanted))
            return ff_fail(error, FF_ERROR_INPUT, "{%.*s} does not occur in %s", (int)wanted.length, wanted.name,
                           r->theirs);
    }
    return FF_OK;
}

// words: OURS <- THEIRS and, each after a colon, operations
static ff_status parse_rule(int count, char **words, rule *out, ff_error *error)
{
    if (count < 3 || strcmp(words[1], "<-") != 0 || (count > 3 && strcmp(words[3], ":") != 0))
        return ff_fail(error, FF_ERROR_INPUT, "expected OURS <- THEIRS, or OURS <- THEIRS : OPERATION");
    out->ours = words[0];
    out->theirs = words[2];
    for (int i = 3; i < count;) {
        int first = ++i;
        while (i < count && strcmp(words[i], ":") != 0)
            i++;
        if (out->operation_count == MOST_OPERATIONS)
            return ff_fail(error, FF_ERROR_INPUT, "more than %d operations", MOST_OPERATIONS);
        ff_status status =
            ff_arrangement_parse(i - first, words + first, &out->operations[out->operation_count++], error);
        if (status)
            return status;
    }
    return check_patterns(out, error);
}

// Cuts a line into words, in place; what follows a # is left out.
static int split_words(char *line, char *words[MOST_WORDS])
{
    int count = 0;
    for (char *at = line; count < MOST_WORDS;) {
        at += strspn(at, " \t\r");
        if (*at == 0 || *at == '#')
            break;
        words[count++] = at;
        at += strcspn(at, " \t\r");
        if (*at)
            *at++ = 0;
    }
    return count;
}

static ff_status parse(ff_map *map, ff_error *error)
{
    size_t line = 0;
    char *words[MOST_WORDS];
    for (char *at = map->text; at && *at;) {
        char *end = strchr(at, '\n');
        if (end)
            *end = 0;
        line++;
        int count = split_words(at, words);
        at = end ? end + 1 : NULL;
        if (count == 0)
            continue;
        ff_error reason = {0};
        rule *next = &map->rules[map->count++];
        next->line = line;
        if (parse_rule(count, words, next, &reason))
            return ff_fail(error, FF_ERROR_INPUT, "%s:%zu: %s", map->path, line, reason.message);
    }
    if (map->count == 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: no line says OURS <- THEIRS", map->path);
    return FF_OK;
}

ff_status ff_map_open(const char *path, ff_map **out, ff_error *error)
{
    ff_mapping file;
    *out = NULL;
    ff_status status = ff_map_file(path, &file, error);
    if (status)
        return status;
    ff_map *map = calloc(1, sizeof *map);
    if (file.size > MOST_FILE_BYTES || (file.size && memchr(file.data, 0, file.size))) {
        status = ff_fail(error, FF_ERROR_INPUT, "%s: no text that maps names: %zu bytes", path, file.size);
    } else if (!map || !(map->path = strdup(path)) || !(map->text = calloc(file.size + 1, 1))) {
        status = ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
    } else {
        size_t lines = 1;
        if (file.size)
            memcpy(map->text, file.data, file.size);
        for (size_t i = 0; i < file.size; i++)
            lines += map->text[i] == '\n';
        map->rules = calloc(lines, sizeof *map->rules);
        status = map->rules ? parse(map, error) : ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
    }
    ff_unmap_file(&file);
    if (status)
        ff_map_close(map);
    else
        *out = map;
    return status;
}

void ff_map_close(ff_map *map)
{
    if (!map)
        return;
    free(map->path);
    free(map->text);
    free(map->rules);
    free(map);
}

size_t ff_map_rules(const ff_map *map)
{
    return map->count;
}

size_t ff_map_line(const ff_map *map, size_t i)
{
    return map->rules[i].line;
}

ff_status ff_map_arrange(const ff_map *map, size_t i, const char *theirs, ff_arranged *tensor, ff_error *error)
{
    const rule *r = &map->rules[i];
    for (int k = 0; k < r->operation_count; k++) {
        ff_error reason = {0};
        char shape[FF_SHAPE_TEXT];
        ff_print_shape(shape, tensor->rank, tensor->shape);
        if (ff_arrange(&r->operations[k], tensor, &reason))
            return ff_fail(error, FF_ERROR_INPUT, "%s:%zu: %s, which is %s: %s", map->path, r->line, theirs, shape,
                           reason.message);
    }
    return FF_OK;
}

#include "names.h"

#include <string.h>

#define MOST_NUMBERS 4

typedef struct piece {
    const char *at;
    size_t length;
} piece;

// What a pattern's marks stand for in a name.
typedef struct marked {
    piece numbers[MOST_NUMBERS];
    size_t count;
    piece rest;      // of *
} marked;

// Whether the name has the pattern's form; *out then has what its marks stand for.
static bool match(const char *pattern, const char *name, marked *out)
{
    *out = (marked){0};
    for (; *pattern; pattern++) {
        if (*pattern == '*' && !pattern[1]) {
            out->rest = (piece){name, strlen(name)};
            return out->rest.length > 0;
        }
        if (*pattern != '#') {
            if (*name++ != *pattern)
                return false;
            continue;
        }
        size_t length = strspn(name, "0123456789");
        if (length == 0 || out->count == MOST_NUMBERS)
            return false;
        out->numbers[out->count++] = (piece){name, length};
        name += length;
    }
    return *name == '\0';
}

// The pattern with what its marks stand for; false if it is too long or has more of them.
static bool fill(const char *pattern, const marked *marks, char out[FF_NAME_TEXT])
{
    size_t used = 0, number = 0;
    for (; *pattern; pattern++) {
        piece part = {pattern, 1};
        if (*pattern == '#') {
            if (number == marks->count)
                return false;
            part = marks->numbers[number++];
        } else if (*pattern == '*' && !pattern[1]) {
            part = marks->rest;
        }
        if (part.length >= FF_NAME_TEXT - used)
            return false;
        memcpy(out + used, part.at, part.length);
        used += part.length;
    }
    out[used] = '\0';
    return true;
}

bool ff_name_next(const ff_name_table *table, const char *diffusers, size_t *next, char out[FF_NAME_TEXT])
{
    marked marks;
    while (*next < table->count) {
        const ff_name_pair *pair = &table->pairs[(*next)++];
        if (match(pair->diffusers, diffusers, &marks) && fill(pair->other, &marks, out))
            return true;
    }
    return false;
}

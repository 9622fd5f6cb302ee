#include "names.h"

#include <string.h>

#define MOST_NUMBERS 4

typedef struct digits {
    const char *at;
    size_t length;
} digits;

// Whether the name has the pattern's form; numbers then has what stands for each #.
static bool match(const char *pattern, const char *name, digits numbers[MOST_NUMBERS], size_t *count)
{
    *count = 0;
    for (; *pattern; pattern++) {
        if (*pattern != '#') {
            if (*name++ != *pattern)
                return false;
            continue;
        }
        size_t length = strspn(name, "0123456789");
        if (length == 0 || *count == MOST_NUMBERS)
            return false;
        numbers[(*count)++] = (digits){name, length};
        name += length;
    }
    return *name == '\0';
}

// The pattern with numbers in the places of #; false if it is too long or has more of them.
static bool fill(const char *pattern, const digits *numbers, size_t count, char out[FF_NAME_TEXT])
{
    size_t used = 0, number = 0;
    for (; *pattern; pattern++) {
        digits part = {pattern, 1};
        if (*pattern == '#') {
            if (number == count)
                return false;
            part = numbers[number++];
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
    digits numbers[MOST_NUMBERS];
    size_t count;
    while (*next < table->count) {
        const ff_name_pair *pair = &table->pairs[(*next)++];
        if (match(pair->diffusers, diffusers, numbers, &count) && fill(pair->other, numbers, count, out))
            return true;
    }
    return false;
}

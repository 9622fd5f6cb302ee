// Tables of tensors' names: what diffusers calls them, and what others do.
#ifndef FF_NAMES_H
#define FF_NAMES_H

#include <stdbool.h>
#include <stddef.h>

// Two patterns for one tensor. Each # stands for a number, the first of one for the first of the other; * at the end
// stands for the rest of the name: {"blocks.#.attn1.to_q.*", "blocks.#.self_attn.q.*"}.
typedef struct ff_name_pair {
    const char *diffusers, *other;
} ff_name_pair;

typedef struct ff_name_table {
    const ff_name_pair *pairs;  // [count]
    size_t count;
} ff_name_table;

#define FF_NAME_TEXT 256

// The other name by the first of pairs[*next], ... that names this tensor; *next is then behind it, so that a tensor
// can have several, to be tried in turn. False: there is none any more.
bool ff_name_next(const ff_name_table *table, const char *diffusers, size_t *next, char out[FF_NAME_TEXT]);

#endif

// A set of byte strings with a number each (a vocabulary, or added tokens) that can be asked which of its members a
// text begins with. Every prefix of the text is looked up in a hash table; its hash grows by one byte at a time.
#ifndef FF_TEXT_PIECES_H
#define FF_TEXT_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ff_piece {
    size_t offset, size;  // of its bytes
    uint64_t hash;
    uint32_t number;
} ff_piece;

typedef struct ff_pieces {
    ff_piece *pieces;
    size_t count, capacity;
    char *bytes;
    size_t used, room;
    uint32_t *slots;      // index of a piece plus 1, or 0; a power of two of them
    size_t slot_mask;
    size_t longest;
} ff_pieces;

// Room for `capacity` pieces of `room` bytes in all. False without memory.
bool ff_pieces_create(ff_pieces *set, size_t capacity, size_t room);
void ff_pieces_free(ff_pieces *set);

// There must be room. A piece that is there already gets the new number. Empty pieces are ignored.
void ff_pieces_add(ff_pieces *set, const char *piece, size_t size, uint32_t number);
bool ff_pieces_find(const ff_pieces *set, const char *piece, size_t size, uint32_t *number);

// The members that `text` begins with, shortest first:
//     ff_prefix prefix = ff_prefix_start(set, text, left);
//     while (ff_prefix_next(&prefix)) ... prefix.size, prefix.number
typedef struct ff_prefix {
    const ff_pieces *set;
    const char *text;
    size_t left, size;
    uint64_t hash;
    uint32_t number;
} ff_prefix;
ff_prefix ff_prefix_start(const ff_pieces *set, const char *text, size_t left);
bool ff_prefix_next(ff_prefix *prefix);

#endif

#include "pieces.h"

#include <stdlib.h>
#include <string.h>

#include "../base/sizes.h"
#include "../base/tensor.h"

// FNV-1a, 64 bits.
static const uint64_t hash_of_nothing = 0xCBF29CE484222325u;

static uint64_t hash_one_more(uint64_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 0x100000001B3u;
}

bool ff_pieces_create(ff_pieces *set, size_t capacity, size_t room)
{
    size_t slots = 16, bytes;
    *set = (ff_pieces){0};
    if (capacity > UINT32_MAX / 4)
        return false;
    while (slots < 2 * capacity)
        slots *= 2;
    if (!ff_multiply_sizes(capacity + 1, sizeof *set->pieces, &bytes) || !ff_add_sizes(room, 1, &room))
        return false;
    set->pieces = malloc(bytes);
    set->bytes = malloc(room);
    set->slots = calloc(slots, sizeof *set->slots);
    set->slot_mask = slots - 1;
    set->capacity = capacity;
    set->room = room;
    if (set->pieces && set->bytes && set->slots)
        return true;
    ff_pieces_free(set);
    return false;
}

void ff_pieces_free(ff_pieces *set)
{
    free(set->pieces);
    free(set->bytes);
    free(set->slots);
    *set = (ff_pieces){0};
}

// The slot that holds the piece, or the free one where it would be.
static size_t find_slot(const ff_pieces *set, const char *piece, size_t size, uint64_t hash)
{
    size_t slot = (size_t)(hash ^ hash >> 32) & set->slot_mask;
    for (; set->slots[slot]; slot = (slot + 1) & set->slot_mask) {
        const ff_piece *there = &set->pieces[set->slots[slot] - 1];
        if (there->hash == hash && there->size == size && memcmp(set->bytes + there->offset, piece, size) == 0)
            break;
    }
    return slot;
}

void ff_pieces_add(ff_pieces *set, const char *piece, size_t size, uint32_t number)
{
    uint64_t hash = hash_of_nothing;
    if (size == 0)
        return;
    for (size_t i = 0; i < size; i++)
        hash = hash_one_more(hash, piece[i]);
    size_t slot = find_slot(set, piece, size, hash);
    if (set->slots[slot]) {
        set->pieces[set->slots[slot] - 1].number = number;
        return;
    }
    if (set->count == set->capacity || size > set->room - set->used)
        return;
    memcpy(set->bytes + set->used, piece, size);
    set->pieces[set->count++] = (ff_piece){set->used, size, hash, number};
    set->slots[slot] = (uint32_t)set->count;
    set->used += size;
    if (size > set->longest)
        set->longest = size;
}

bool ff_pieces_find(const ff_pieces *set, const char *piece, size_t size, uint32_t *number)
{
    ff_prefix prefix = ff_prefix_start(set, piece, size);
    while (ff_prefix_next(&prefix)) {
        if (prefix.size == size) {
            *number = prefix.number;
            return true;
        }
    }
    return false;
}

ff_prefix ff_prefix_start(const ff_pieces *set, const char *text, size_t left)
{
    return (ff_prefix){set, text, left < set->longest ? left : set->longest, 0, hash_of_nothing, 0};
}

bool ff_prefix_next(ff_prefix *prefix)
{
    const ff_pieces *set = prefix->set;
    while (prefix->size < prefix->left) {
        prefix->hash = hash_one_more(prefix->hash, prefix->text[prefix->size++]);
        uint32_t found = set->slots[find_slot(set, prefix->text, prefix->size, prefix->hash)];
        if (found) {
            prefix->number = set->pieces[found - 1].number;
            return true;
        }
    }
    return false;
}

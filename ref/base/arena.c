// A stack of separately allocated blocks.
#define _DEFAULT_SOURCE
#include "arena.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "sizes.h"

#define LARGE_PAGE ((size_t)2 << 20)
#define LARGE (4 * LARGE_PAGE)  // what is smaller would waste too much of its last page

void *ff_take_memory(size_t bytes)
{
    size_t alignment = bytes < LARGE ? 64 : LARGE_PAGE;
    if (bytes > SIZE_MAX - LARGE_PAGE)
        return NULL;
    void *memory = aligned_alloc(alignment, bytes ? (bytes + alignment - 1) / alignment * alignment : alignment);
#ifdef MADV_HUGEPAGE
    if (memory && bytes >= LARGE)
        madvise(memory, bytes / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);  // a wish: refused, all is only slower
#endif
    return memory;
}

typedef struct arena_block {
    void *data;
    size_t bytes;
} arena_block;

// Blocks [0, count) are taken. After them come spare ones: large, returned, and kept for a take of the same size, since
// the system clears what it hands out anew. They go as soon as a large block of another size is wanted.
struct ff_arena {
    arena_block *blocks;
    size_t count, spare, capacity;
    size_t held, peak;
};

#define LEAST_SPARE ((size_t)8 << 20)

static void drop_spare(ff_arena *arena)
{
    while (arena->spare)
        free(arena->blocks[arena->count + --arena->spare].data);
}

// Moves a spare block of this size to where the next taken one belongs.
static bool find_spare(ff_arena *arena, size_t bytes)
{
    arena_block *blocks = arena->blocks;
    size_t first = arena->count;  // of the spare ones
    for (size_t i = first; i < first + arena->spare; i++)
        if (blocks[i].bytes == bytes) {
            arena_block found = blocks[i];
            blocks[i] = blocks[first];
            blocks[first] = found;
            arena->spare--;
            return true;
        }
    return false;
}

static bool add_block(ff_arena *arena, size_t bytes)
{
    if (bytes >= LEAST_SPARE)
        drop_spare(arena);
    if (arena->count + arena->spare == arena->capacity) {
        size_t capacity = arena->capacity ? arena->capacity * 2 : 32;
        arena_block *blocks = realloc(arena->blocks, capacity * sizeof *blocks);
        if (!blocks)
            return false;
        arena->blocks = blocks;
        arena->capacity = capacity;
    }
    void *data = ff_take_memory(bytes);
    if (!data)
        return false;
    arena->blocks[arena->count + arena->spare] = arena->blocks[arena->count];
    arena->blocks[arena->count] = (arena_block){data, bytes};
    return true;
}

ff_arena *ff_arena_create(void)
{
    return calloc(1, sizeof(ff_arena));
}

void ff_arena_destroy(ff_arena *arena)
{
    if (!arena)
        return;
    ff_arena_return(arena, (ff_arena_mark){0});
    drop_spare(arena);
    free(arena->blocks);
    free(arena);
}

void *ff_arena_take(ff_arena *arena, size_t count, size_t element_size)
{
    size_t bytes;
    if (!ff_multiply_sizes(count, element_size, &bytes) || !ff_add_sizes(bytes, 63, &bytes))
        return NULL;
    bytes &= ~(size_t)63;
    if (bytes == 0)
        bytes = 64;
    if (!find_spare(arena, bytes) && !add_block(arena, bytes))
        return NULL;
    arena->held += bytes;
    if (arena->held > arena->peak)
        arena->peak = arena->held;
    return arena->blocks[arena->count++].data;
}

float *ff_arena_floats(ff_arena *arena, size_t count)
{
    return ff_arena_take(arena, count, sizeof(float));
}

ff_arena_mark ff_arena_here(const ff_arena *arena)
{
    return (ff_arena_mark){arena->count};
}

void ff_arena_return(ff_arena *arena, ff_arena_mark mark)
{
    while (arena->count > mark.count) {
        arena_block *block = &arena->blocks[--arena->count];
        arena->held -= block->bytes;
        if (block->bytes >= LEAST_SPARE) {
            arena->spare++;
        } else {
            free(block->data);
            *block = arena->blocks[arena->count + arena->spare];
        }
    }
}

size_t ff_arena_peak(const ff_arena *arena)
{
    return arena->peak;
}

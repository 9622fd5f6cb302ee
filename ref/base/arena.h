// Memory: one large piece, or a stack of them for a run.
#ifndef FF_ARENA_H
#define FF_ARENA_H

#include <stddef.h>
#include <stdint.h>

// Memory aligned to 64 bytes, freed with free(); NULL without it. Where the system has large pages, it comes in those:
// a product walks through many rows at once, and every small page costs a translation.
void *ff_take_memory(size_t bytes);

// Scratch memory for one run: takes are 64-byte aligned and live until the arena goes back to an earlier mark.
// Not safe for several threads at once; a stage takes before its parallel loops.
typedef struct ff_arena ff_arena;
typedef struct ff_arena_mark { size_t count; } ff_arena_mark;

ff_arena *ff_arena_create(void);              // NULL without memory
void ff_arena_destroy(ff_arena *arena);       // NULL allowed
void *ff_arena_take(ff_arena *arena, size_t count, size_t element_size);  // NULL without memory or on overflow
float *ff_arena_floats(ff_arena *arena, size_t count);
ff_arena_mark ff_arena_here(const ff_arena *arena);
void ff_arena_return(ff_arena *arena, ff_arena_mark mark);
size_t ff_arena_peak(const ff_arena *arena);  // most bytes ever held at once

#endif

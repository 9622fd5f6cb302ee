// Large pieces of memory.
#ifndef FF_MEMORY_H
#define FF_MEMORY_H

#include <stddef.h>

// Memory aligned to 64 bytes, freed with free(); NULL without it. Where the system has large pages, it comes in those:
// a product walks through many rows at once, and every small page costs a translation.
void *ff_take_memory(size_t bytes);

#endif

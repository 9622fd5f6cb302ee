#define _DEFAULT_SOURCE
#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

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

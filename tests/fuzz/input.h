// A fuzzer's bytes as a file, for readers that take a path.
#ifndef FF_FUZZ_INPUT_H
#define FF_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

// Writes the bytes over the same file each time, which is in memory and this process's own, and returns its path.
static inline const char *fuzz_file(const uint8_t *bytes, size_t size)
{
    static char path[32];
    static int file = -1;
    if (file < 0 && (file = memfd_create("fuzz", MFD_CLOEXEC)) < 0)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (ftruncate(file, 0) != 0 || pwrite(file, bytes, size, 0) != (ssize_t)size)
        abort();
    return path;
}

#endif

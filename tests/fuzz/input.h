// A fuzzer's bytes as a file, for readers that take a path.
#ifndef FF_FUZZ_INPUT_H
#define FF_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

// Writes the bytes over the same file each time and returns its name.
static inline const char *fuzz_file(const uint8_t *bytes, size_t size)
{
    static const char name[] = "fuzz-input.tmp";
    FILE *file = fopen(name, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        abort();
    return name;
}

#endif

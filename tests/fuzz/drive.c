// Runs a fuzz target without libFuzzer, which only clang has: over every file of the folders, and over copies of them
// with a few changes drawn at random. The same inputs each time, so many or for so long.
//   fuzz_map -runs=N | -max_total_time=SECONDS FOLDER...
#include <dirent.h>
#include <string.h>
#include <time.h>

#include "input.h"

#define MOST_FILES 1024
#define MOST_CHANGES 6

typedef struct seed {
    uint8_t *bytes;
    size_t size;
} seed;

static seed seeds[MOST_FILES];
static size_t count;
static uint64_t state = 1;

static size_t draw(size_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return below ? (size_t)(state >> 33) % below : 0;
}

// An own copy of just this size, so that a sanitizer sees what is read beyond it.
static uint8_t *copy_of(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

static void read_seed(const char *folder, const char *name)
{
    static uint8_t bytes[1 << 20];
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file || count == MOST_FILES)
        abort();
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    seeds[count++] = (seed){copy_of(bytes, size), size};
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_folder(const char *folder)
{
    struct dirent **entries;
    int found = scandir(folder, &entries, NULL, by_name);
    for (int i = 0; i < found; i++) {
        if (entries[i]->d_name[0] != '.')
            read_seed(folder, entries[i]->d_name);
        free(entries[i]);
    }
    if (found >= 0)
        free(entries);
}

static void change(uint8_t *bytes, size_t *size)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff, '"', '{', '9', '-', '\n'};
    size_t at = draw(*size), other = draw(*size), length = draw(*size - (at > other ? at : other));
    switch (draw(5)) {
    case 0: bytes[at] ^= (uint8_t)(1u << draw(8)); break;
    case 1: bytes[at] = edges[draw(sizeof edges)]; break;
    case 2: bytes[at] = (uint8_t)draw(256); break;
    case 3: memmove(bytes + at, bytes + other, length); break;
    case 4: *size = draw(4) ? *size : at; break;
    }
}

static void try(const seed *from, size_t changes)
{
    uint8_t *bytes = copy_of(from->bytes, from->size);
    size_t size = from->size;
    for (size_t i = 0; i < changes && size; i++)
        change(bytes, &size);
    uint8_t *exact = copy_of(bytes, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    free(bytes);
}

int main(int arguments, char **argument)
{
    unsigned long runs = 0, seconds = 0, run = 0;
    time_t begun = time(NULL);
    for (int i = 1; i < arguments; i++)
        if (sscanf(argument[i], "-runs=%lu", &runs) != 1 && sscanf(argument[i], "-max_total_time=%lu", &seconds) != 1)
            read_folder(argument[i]);
    if (!count) {
        fprintf(stderr, "no seeds\n");
        return 1;
    }
    for (; run < count || run < runs || (seconds && time(NULL) - begun < (time_t)seconds); run++)
        try(&seeds[run % count], run < count ? 0 : 1 + draw(MOST_CHANGES));
    printf("%lu inputs, from %zu seeds\n", run, count);
    for (size_t i = 0; i < count; i++)
        free(seeds[i].bytes);
    return 0;
}

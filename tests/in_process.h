// A command as the program runs it, in the test's own process and an own folder.
#ifndef FF_TESTS_IN_PROCESS_H
#define FF_TESTS_IN_PROCESS_H

#include "golden.h"

#define TINY_MODEL FF_GOLDEN "/diffusers/models/tiny-ti2v"

// For cmocka: makes a folder, and removes it with all that is in it.
int make_folder(void **state);
int remove_folder(void **state);
// folder/name, in one of a few buffers in turn.
char *inside(const char *name);
// A picture of golden/diffusers/image by its name, in a buffer of its own.
const char *golden_picture(const char *name);

void save_bytes(const char *path, const void *bytes, size_t size);
uint8_t *load_bytes(const char *path, size_t *size);

// Runs a command, by its bit, with these words up to a NULL, and fails the test if it ends otherwise than expected.
// Returns its notes or else its error, to be freed.
char *run_words(unsigned command, ff_status expected, const char *const *words);

// The same of a quick run with the tiny model that succeeds.
#define RUN(command, image, output, ...)                                                                              \
    run_words(command, FF_OK,                                                                                         \
              (const char *[]){"-i", image, "-o", output, "-p", "x", "-m", TINY_MODEL, "--steps", "1", "--guidance",  \
                               "1", "--size", "32x32", "-t", "1", __VA_ARGS__, NULL})

#endif

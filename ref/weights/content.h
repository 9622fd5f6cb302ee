// What a file is that was taken for another: the ways in which downloads go wrong, and formats that are not read.
#ifndef FF_CONTENT_H
#define FF_CONTENT_H

#include <stdbool.h>
#include <stddef.h>

// A phrase that ends "it is ...", such as "a Git LFS pointer, ..."; NULL if the bytes are none of the things known.
const char *ff_content_name(const void *bytes, size_t size);

// The same for a file that should be binary; a short text is then quoted, as servers send errors in place of files.
// False: nothing to say.
#define FF_CONTENT_TEXT 160
bool ff_content_describe(const void *bytes, size_t size, char out[FF_CONTENT_TEXT]);

#endif

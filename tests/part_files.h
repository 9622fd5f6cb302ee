// Files of one part each, made of a model's own parts: other names, other containers.
#ifndef FF_TESTS_PART_FILES_H
#define FF_TESTS_PART_FILES_H

#include "golden.h"

// folder/name; one of the last eight so made.
const char *part_path(const char *folder, const char *name);

// A file being written: safetensors, or GGUF where the path ends so.
typedef struct part_file part_file;
part_file *part_file_create(const char *path);
// All tensors, with the prefix before their names: those of the table where it is one (the first that it has for each),
// else as they are. What it has no name for stays as it is.
void part_file_add(part_file *file, const ff_weights *weights, const ff_name_table *names, const char *prefix);
void part_file_add_bytes(part_file *file, const char *name, const void *bytes, size_t size);  // U8
void part_file_finish(part_file *file);

#endif

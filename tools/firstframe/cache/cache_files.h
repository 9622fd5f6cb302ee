// A folder of files that are quicker read than computed, each of which may go at any time. Several processes may use it
// at once: a file is there whole or not at all. Trouble is no error, only nothing kept.
#ifndef FF_CACHE_FILES_H
#define FF_CACHE_FILES_H

#include "../files/host.h"

// $XDG_CACHE_HOME/firstframe, else ~/.cache/firstframe. False if the environment has neither as an absolute path.
bool ff_cache_folder(char *out, size_t capacity);

// name: of a file in the folder; it counts as used now. *bytes is the caller's, to be freed. False: nothing was read.
bool ff_cache_read(const char *folder, const char *name, uint8_t **bytes, size_t *size);
void ff_cache_remove(const char *folder, const char *name);
// Puts pieces one after the other into the file, and makes room: all files together take at most `most` bytes, and those
// go first that were not used for longest. The folder, and the one above, are made.
void ff_cache_write(const char *folder, const char *name, const ff_file_part *pieces, size_t count, size_t most);

#endif

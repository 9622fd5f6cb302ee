// The state of a run that has not ended yet, in the file OUT.state: the run's record, so that it is only taken up with
// the same options, and the bytes the library needs.
#ifndef FF_RESUME_RUN_H
#define FF_RESUME_RUN_H

#include <cjson/cJSON.h>

#include "firstframe.h"

// "OUT.state" for an output. The caller frees it; NULL without memory.
char *ff_state_path(const char *output);

// The state of a run that would give the same frames as `record` but was to write them under another ending of the same
// name: what "clip.webp.state" is to clip.mp4. *path, *bytes are the caller's, to be freed. False: there is none.
bool ff_state_find_other(const char *output, const cJSON *record, char **path, uint8_t **bytes, size_t *size);

// record: the run's, as text.
ff_status ff_state_write(const char *path, const char *record, const void *bytes, size_t size, ff_error *error);

// *bytes is the caller's, to be freed. FF_ERROR_INPUT: no such file, a broken one, or one left by a run that would give
// other frames than `record`; the sentence says why.
ff_status ff_state_read(const char *path, const cJSON *record, uint8_t **bytes, size_t *size, ff_error *error);

#endif

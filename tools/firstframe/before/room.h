// Whether the disks have room for what a run writes.
#ifndef FF_ROOM_H
#define FF_ROOM_H

#include "../run/job.h"

// In bytes.
typedef struct ff_room {
    size_t output_bytes;    // where the output goes: it, and the state as it is replaced
    size_t scratch_bytes;   // in $TMPDIR, else /var/tmp, else /tmp
} ff_room;

// job: planned, for `count` runs. What an encoder will make of frames is only guessed, rather too much than too little.
ff_room ff_room_needed(const ff_job *job, size_t count);

// FF_ERROR_IO: there is less; the sentence has needed and free bytes. A disk that does not say what is free passes.
// $FIRSTFRAME_ASSUMED_FREE, for tests, is taken for what is free on each disk.
ff_status ff_room_check(const ff_job *job, size_t count, ff_error *error);

#endif

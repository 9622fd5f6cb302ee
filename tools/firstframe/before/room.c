#include "room.h"
#include "../files/host.h"
#include "../pictures/kept.h"

#include <stdlib.h>
#include <string.h>

// Latents and what the solver keeps beside them, twice: a state is written before it takes the other's place.
#define STATE_TENSORS 10

// Bytes for each pixel, at most as far as pictures of the world go.
static double bytes_a_pixel(const ff_job *job, ff_output_kind kind)
{
    switch (kind) {
    case FF_OUTPUT_Y4M:
        return 3;
    case FF_OUTPUT_PNG:
    case FF_OUTPUT_NUMBERED:
        return 2;
    case FF_OUTPUT_WEBP:
        return ff_kept_lossless(job->options) ? 2 : 0.5;
    case FF_OUTPUT_VIDEO:
        return 0.5;
    }
    return 3;
}

ff_room ff_room_needed(const ff_job *job, size_t count)
{
    const ff_plan *plan = &job->plan;
    const char *output = job->options->output;
    ff_output_kind kind = FF_OUTPUT_PNG;   // of a folder of stills
    ff_room room = {.scratch_bytes = plan->temporary_bytes};
    if (!output || strcmp(output, "-") == 0)
        return room;
    ff_output_recognise(output, &kind, NULL);
    double pixels = (double)plan->width * (double)plan->height * (double)plan->frames * (double)count;
    double latents = (double)plan->latent_channels * (double)plan->latent_frames * (double)plan->latent_height *
                     (double)plan->latent_width;
    room.output_bytes = (size_t)(pixels * bytes_a_pixel(job, kind));
    if (!job->options->dump)
        room.output_bytes += (size_t)(STATE_TENSORS * sizeof(float) * latents);
    return room;
}

// What is free on the disk of a path, and which disk that is. False if it cannot be told.
static bool find_free(const char *path, ff_free_space *out)
{
    const char *assumed = getenv("FIRSTFRAME_ASSUMED_FREE");
    size_t bytes;
    if (!ff_host_free_space(path, out))
        return false;
    if (assumed && ff_read_whole(assumed, &bytes))
        out->bytes = bytes;
    return true;
}

static ff_status fail(const char *what, const char *where, size_t needed, uint64_t free_bytes, ff_error *error)
{
    return ff_fail(error, FF_ERROR_IO, "%s need %zu bytes where %s is, and %llu are free", what, needed, where,
                   (unsigned long long)free_bytes);
}

ff_status ff_room_check(const ff_job *job, size_t count, ff_error *error)
{
    ff_room room = ff_room_needed(job, count);
    const char *output = job->options->output;
    const char *const folders[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
    ff_free_space there = {0}, scratch, most = {0};
    bool told = room.output_bytes > 0 && find_free(output, &there), tried = false;
    if (told && there.bytes < room.output_bytes)
        return fail("output and state", output, room.output_bytes, there.bytes, error);
    for (size_t i = 0; room.scratch_bytes > 0 && i < sizeof folders / sizeof *folders; i++) {
        char place[4096];
        if (!folders[i] || !folders[i][0] || snprintf(place, sizeof place, "%s/x", folders[i]) >= (int)sizeof place ||
            !find_free(place, &scratch))
            continue;
        size_t needed = room.scratch_bytes + (told && scratch.disk == there.disk ? room.output_bytes : 0);
        if (scratch.bytes >= needed)
            return FF_OK;
        if (!tried || scratch.bytes > most.bytes)
            most = scratch;
        tried = true;
    }
    if (tried)
        return fail("temporary files", "$TMPDIR, /var/tmp or /tmp", room.scratch_bytes, most.bytes, error);
    return FF_OK;
}

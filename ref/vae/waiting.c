// Frames in a temporary file. What waits there, for all frames of a clip, would take more memory than a strip does.
#include <limits.h>

#include "../base/system.h"
#include "strips.h"

size_t ff_vae_waiting_bytes(size_t frames, size_t height, size_t row_floats)
{
    size_t bytes = sizeof(float);
    if (!ff_multiply_sizes(bytes, row_floats, &bytes) || !ff_multiply_sizes(bytes, height, &bytes) ||
        !ff_multiply_sizes(bytes, frames, &bytes) || bytes > LONG_MAX)
        return SIZE_MAX;
    return bytes;
}

ff_status ff_vae_waiting_open(ff_vae_waiting *waiting, size_t frames, size_t height, size_t row_floats,
                              ff_error *error)
{
    size_t bytes = ff_vae_waiting_bytes(frames, height, row_floats);
    *waiting = (ff_vae_waiting){.height = height, .row_floats = row_floats};
    if (bytes == SIZE_MAX)
        return ff_fail(error, FF_ERROR_INPUT, "%zu frames of %zu rows are too large for this machine", frames, height);
    return ff_temporary_file(bytes, &waiting->file, error);
}

void ff_vae_waiting_close(ff_vae_waiting *waiting)
{
    if (waiting->file)
        fclose(waiting->file);
    waiting->file = NULL;
}

static ff_status go_to(const ff_vae_waiting *waiting, size_t frame, size_t first, ff_error *error)
{
    size_t offset = (frame * waiting->height + first) * waiting->row_floats * sizeof(float);
    return fseek(waiting->file, (long)offset, SEEK_SET)
               ? ff_fail(error, FF_ERROR_IO, "the VAE's temporary file cannot be read")
               : FF_OK;
}

ff_status ff_vae_waiting_put(ff_vae_waiting *waiting, size_t frame, size_t first, size_t count, const float *rows,
                             ff_error *error)
{
    ff_status status = go_to(waiting, frame, first, error);
    size_t floats = count * waiting->row_floats;
    if (status == FF_OK && (fwrite(rows, sizeof *rows, floats, waiting->file) != floats || fflush(waiting->file)))
        return ff_fail(error, FF_ERROR_IO, "the VAE's temporary file cannot be written");
    return status;
}

ff_status ff_vae_waiting_get(ff_vae_waiting *waiting, size_t frame, size_t first, size_t count, float *rows,
                             ff_error *error)
{
    ff_status status = go_to(waiting, frame, first, error);
    size_t floats = count * waiting->row_floats;
    if (status == FF_OK && fread(rows, sizeof *rows, floats, waiting->file) != floats)
        return ff_fail(error, FF_ERROR_IO, "the VAE's temporary file cannot be read");
    return status;
}

#include "spill.h"

#include <limits.h>

#include "../base/sizes.h"
#include "../base/system.h"

size_t ff_vae_spill_bytes(size_t frames, size_t height, size_t row_floats)
{
    size_t bytes = sizeof(float);
    if (!ff_multiply_sizes(bytes, row_floats, &bytes) || !ff_multiply_sizes(bytes, height, &bytes) ||
        !ff_multiply_sizes(bytes, frames, &bytes) || bytes > LONG_MAX)
        return SIZE_MAX;
    return bytes;
}

ff_status ff_vae_spill_open(ff_vae_spill *spill, size_t frames, size_t height, size_t row_floats, ff_error *error)
{
    size_t bytes = ff_vae_spill_bytes(frames, height, row_floats);
    *spill = (ff_vae_spill){.height = height, .row_floats = row_floats};
    if (bytes == SIZE_MAX)
        return ff_fail(error, FF_ERROR_INPUT, "%zu frames of %zu rows are too large for this machine", frames, height);
    return ff_temporary_file(bytes, &spill->file, error);
}

void ff_vae_spill_close(ff_vae_spill *spill)
{
    if (spill->file)
        fclose(spill->file);
    spill->file = NULL;
}

static ff_status seek_row(const ff_vae_spill *spill, size_t frame, size_t row, ff_error *error)
{
    size_t offset = (frame * spill->height + row) * spill->row_floats * sizeof(float);
    return fseek(spill->file, (long)offset, SEEK_SET)
               ? ff_fail(error, FF_ERROR_IO, "the VAE's temporary file cannot be read")
               : FF_OK;
}

ff_status ff_vae_spill_put(ff_vae_spill *spill, size_t frame, size_t first, size_t count, const float *rows,
                           ff_error *error)
{
    ff_status status = seek_row(spill, frame, first, error);
    size_t floats = count * spill->row_floats;
    if (status == FF_OK && (fwrite(rows, sizeof *rows, floats, spill->file) != floats || fflush(spill->file)))
        return ff_fail(error, FF_ERROR_IO, "the VAE's temporary file cannot be written");
    return status;
}

ff_status ff_vae_spill_get(ff_vae_spill *spill, size_t frame, size_t first, size_t count, float *rows,
                           ff_error *error)
{
    ff_status status = seek_row(spill, frame, first, error);
    size_t floats = count * spill->row_floats;
    if (status == FF_OK && fread(rows, sizeof *rows, floats, spill->file) != floats)
        return ff_fail(error, FF_ERROR_IO, "the VAE's temporary file cannot be read");
    return status;
}

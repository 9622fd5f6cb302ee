#include "colour_space.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_SIZE 132   // ICC.1: a header of 128 bytes and the number of tags

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static ff_status refuse(ff_colour_space *space, const char *trouble)
{
    snprintf(space->trouble, sizeof space->trouble, "%s", trouble);
    return FF_OK;
}

ff_status ff_colour_space_set_profile(ff_colour_space *space, const uint8_t *bytes, size_t size, ff_error *error)
{
    if (size < HEADER_SIZE || memcmp(bytes + 36, "acsp", 4) != 0)
        return refuse(space, "it is damaged: it does not begin as ICC profiles do");
    if (big_endian(bytes) < HEADER_SIZE || big_endian(bytes) > size)
        return refuse(space, "it is damaged: its length is not the one it states");
    size = big_endian(bytes);  // some programs pad it
    if (size > FF_PROFILE_MOST_BYTES)
        return refuse(space, "it is larger than 4 MiB");
    if (memcmp(bytes + 16, "RGB ", 4) != 0) {
        snprintf(space->trouble, sizeof space->trouble, "it is one for %.4s, and what is written is RGB",
                 (const char *)bytes + 16);
        return FF_OK;
    }
    space->profile = malloc(size);
    if (!space->profile)
        return ff_fail(error, FF_ERROR_MEMORY, "out of memory for a colour profile of %zu bytes", size);
    memcpy(space->profile, bytes, size);
    space->profile_size = size;
    return FF_OK;
}

void ff_colour_space_free(ff_colour_space *space)
{
    free(space->profile);
    *space = (ff_colour_space){0};
}

static const ff_colour_chunk *find(const ff_colour_space *space, const char *type)
{
    for (size_t i = 0; i < space->chunk_count; i++)
        if (strcmp(space->chunks[i].type, type) == 0)
            return &space->chunks[i];
    return NULL;
}

static bool is_near(const uint8_t *number, uint32_t value, uint32_t tolerance)
{
    uint32_t found = big_endian(number);
    return found + tolerance >= value && found <= value + tolerance;
}

bool ff_colour_space_is_srgb(const ff_colour_space *space)
{
    // white, red, green and blue of ITU-R BT.709 as PNG writes them, times 100000
    static const uint32_t primaries[8] = {31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000};
    static const uint8_t code_points[4] = {1, 13, 0, 1};  // ITU-T H.273: BT.709, IEC 61966-2-1, RGB, full range
    const ff_colour_chunk *gamma = find(space, "gAMA"), *chromaticities = find(space, "cHRM");
    const ff_colour_chunk *coded = find(space, "cICP");
    if (coded)
        return memcmp(coded->bytes, code_points, 4) == 0;
    if (space->profile)
        return false;
    if (find(space, "sRGB"))
        return true;
    if (gamma && !is_near(gamma->bytes, 45455, 500))
        return false;
    for (size_t i = 0; chromaticities && i < 8; i++)
        if (!is_near(chromaticities->bytes + 4 * i, primaries[i], 100))
            return false;
    return true;
}

bool ff_colour_space_needs_chunks(const ff_colour_space *space)
{
    return !ff_colour_space_is_srgb(space) && (!space->profile || find(space, "cICP"));
}

bool ff_colour_space_equal(const ff_colour_space *a, const ff_colour_space *b)
{
    if (ff_colour_space_is_srgb(a) && ff_colour_space_is_srgb(b))
        return true;
    if (a->profile || b->profile)
        return a->profile_size == b->profile_size && memcmp(a->profile, b->profile, a->profile_size) == 0;
    for (size_t i = 0; i < a->chunk_count; i++) {
        const ff_colour_chunk *other = find(b, a->chunks[i].type);
        if (!other || other->size != a->chunks[i].size || memcmp(other->bytes, a->chunks[i].bytes, other->size) != 0)
            return false;
    }
    return a->chunk_count == b->chunk_count;
}

#include "png_colours.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

// What is looked for, and its size; of another size it is damaged. (PNG Specification, third edition, 11.3.2)
static const struct {
    const char *type;
    size_t size;
} kinds[FF_COLOUR_CHUNKS] = {{"cICP", 4}, {"sRGB", 1}, {"gAMA", 4}, {"cHRM", 32}, {"mDCV", 24}, {"cLLI", 8}};

#define SIGNATURE_SIZE 8
#define AROUND_SIZE 12      // of a chunk: length, type, checksum
#define MOST_NAME 79

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

// ---- reading ----

static void take_chunk(ff_colour_space *space, const char *type, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < space->chunk_count; i++)
        if (strcmp(space->chunks[i].type, type) == 0)
            return;
    for (size_t k = 0; k < FF_COLOUR_CHUNKS; k++)
        if (strcmp(kinds[k].type, type) == 0 && kinds[k].size == size) {
            ff_colour_chunk *chunk = &space->chunks[space->chunk_count++];
            memcpy(chunk->type, type, sizeof chunk->type);
            memcpy(chunk->bytes, bytes, size);
            chunk->size = size;
        }
}

// Unpacks into [capacity]; *size is what was written. False if the stream is damaged or does not end there.
static bool inflate_all(const uint8_t *packed, size_t packed_size, uint8_t *out, size_t capacity, size_t *size)
{
    z_stream stream = {.next_in = (z_const Bytef *)packed, .avail_in = (uInt)packed_size, .next_out = out,
                       .avail_out = (uInt)capacity};
    if (inflateInit(&stream) != Z_OK)
        return false;
    int result = inflate(&stream, Z_FINISH);
    *size = stream.total_out;
    inflateEnd(&stream);
    return result == Z_STREAM_END;
}

// iCCP: a name, NUL, the method 0, and the profile as a zlib stream.
static ff_status take_profile(ff_colour_space *space, const uint8_t *bytes, size_t size, ff_error *error)
{
    const size_t capacity = FF_PROFILE_MOST_BYTES + 1;
    const uint8_t *end = memchr(bytes, 0, size < MOST_NAME + 1 ? size : MOST_NAME + 1);
    size_t name_size = end ? (size_t)(end - bytes) : 0, unpacked = 0;
    if (space->profile || space->trouble[0])
        return FF_OK;
    if (!end || name_size + 2 > size || bytes[name_size + 1] != 0) {
        snprintf(space->trouble, sizeof space->trouble, "it is damaged: its chunk does not begin as iCCP does");
        return FF_OK;
    }
    uint8_t *profile = malloc(capacity);
    if (!profile)
        return ff_fail(error, FF_ERROR_MEMORY, "out of memory for a colour profile");
    ff_status status = FF_OK;
    bool whole = inflate_all(bytes + name_size + 2, size - name_size - 2, profile, capacity, &unpacked);
    if (unpacked == capacity)
        snprintf(space->trouble, sizeof space->trouble, "it is larger than 4 MiB");
    else if (!whole)
        snprintf(space->trouble, sizeof space->trouble, "it is damaged: it cannot be unpacked");
    else
        status = ff_colour_space_set_profile(space, profile, unpacked, error);
    memcpy(space->profile_name, bytes, name_size);
    free(profile);
    return status;
}

ff_status ff_png_read_colours(const uint8_t *bytes, size_t size, ff_colour_space *out, size_t *frames, ff_error *error)
{
    *frames = 1;
    for (size_t at = SIGNATURE_SIZE; at <= size && size - at >= AROUND_SIZE;) {
        size_t length = big_endian(bytes + at);
        const uint8_t *content = bytes + at + 8;
        char type[5] = {0};
        memcpy(type, bytes + at + 4, 4);
        if (length > size - at - AROUND_SIZE || length > INT_MAX || strcmp(type, "IDAT") == 0)
            break;
        bool whole = crc32(crc32(0, NULL, 0), bytes + at + 4, (uInt)length + 4) == big_endian(content + length);
        ff_status status = FF_OK;
        if (strcmp(type, "iCCP") == 0 && !whole && !out->profile)
            snprintf(out->trouble, sizeof out->trouble, "it is damaged: its checksum is wrong");
        else if (strcmp(type, "iCCP") == 0)
            status = take_profile(out, content, length, error);
        else if (strcmp(type, "acTL") == 0 && whole && length == 8)
            *frames = big_endian(content);
        else if (whole)
            take_chunk(out, type, content, length);
        if (status != FF_OK)
            return status;
        at += AROUND_SIZE + length;
    }
    return FF_OK;
}

// ---- writing ----

ff_status ff_png_pack_profile(const ff_colour_space *space, ff_png_chunk *out, ff_error *error)
{
    const char *name = space->profile_name[0] ? space->profile_name : "ICC Profile";
    size_t name_size = strlen(name);
    uLongf packed = compressBound((uLong)space->profile_size);
    *out = (ff_png_chunk){.type = "iCCP"};
    if (!space->profile)
        return FF_OK;
    out->bytes = malloc(name_size + 2 + packed);
    if (!out->bytes ||
        compress(out->bytes + name_size + 2, &packed, space->profile, (uLong)space->profile_size) != Z_OK) {
        free(out->bytes);
        *out = (ff_png_chunk){0};
        return ff_fail(error, FF_ERROR_MEMORY, "out of memory for a colour profile of %zu bytes", space->profile_size);
    }
    memcpy(out->bytes, name, name_size);
    out->bytes[name_size] = out->bytes[name_size + 1] = 0;
    out->size = name_size + 2 + packed;
    return FF_OK;
}

// Writing safetensors as a stream: room for the header is left at the front, tensors follow as they come, and the
// header is written last, padded with spaces as the format allows.
#include "../base/sizes.h"
#include "weights.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/system.h"

#define HEADER_BYTES_PER_TENSOR 192
#define HEADER_BYTES_SPARE (1 << 20)  // for tensors with long names
#define MOST_HEADER_BYTES ((size_t)100 << 20)

struct ff_dump {
    ff_atomic_file out;
    const char *path;          // out's
    cJSON *header, *metadata;
    size_t room;               // bytes left for the header
    bool settled;              // so that tensors can follow
    size_t planned;            // data bytes of all tensors begun
    size_t position;           // in the file, where the last append ended
};

static ff_status failed_write(const ff_dump *dump, ff_error *error)
{
    return ff_fail(error, FF_ERROR_IO, "%s: cannot be written: %s", dump->path, strerror(errno));
}

ff_status ff_dump_create(const char *path, size_t most_tensors, ff_dump **out, ff_error *error)
{
    ff_dump *dump = calloc(1, sizeof *dump);
    *out = NULL;
    if (!dump || !(dump->header = cJSON_CreateObject()) ||
        !(dump->metadata = cJSON_AddObjectToObject(dump->header, "__metadata__"))) {
        ff_dump_abandon(dump);
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
    }
    if (!ff_multiply_sizes(most_tensors, HEADER_BYTES_PER_TENSOR, &dump->room) ||
        !ff_add_sizes(dump->room, HEADER_BYTES_SPARE, &dump->room) || dump->room > MOST_HEADER_BYTES) {
        ff_dump_abandon(dump);
        return ff_fail(error, FF_ERROR_INPUT, "%s: a dump of %zu tensors is more than the format holds", path,
                       most_tensors);
    }
    dump->room &= ~(size_t)63;
    ff_status status = ff_atomic_create(path, &dump->out, error);
    if (status) {
        ff_dump_abandon(dump);
        return status;
    }
    dump->path = dump->out.path;
    dump->room -= 8;  // data begins at a multiple of 64, so that a mapped dump is aligned
    *out = dump;
    return FF_OK;
}

ff_status ff_dump_metadata(ff_dump *dump, const char *key, const char *value, ff_error *error)
{
    if (!cJSON_AddStringToObject(dump->metadata, key, value))
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", dump->path);
    return FF_OK;
}

// Adds to the room what the metadata takes once it is escaped. Called when the first tensor comes.
static ff_status settle_room(ff_dump *dump, ff_error *error)
{
    if (dump->settled)
        return FF_OK;
    dump->settled = true;
    char *text = cJSON_PrintUnformatted(dump->header);
    if (!text)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", dump->path);
    size_t used = strlen(text);
    cJSON_free(text);
    dump->room += (used + 63) & ~(size_t)63;
    if (dump->room > MOST_HEADER_BYTES)
        return ff_fail(error, FF_ERROR_INPUT, "%s: %zu bytes of metadata are more than the format holds", dump->path,
                       used);
    return FF_OK;
}

static bool write_f32(FILE *file, const float *values, size_t count)
{
    uint32_t buffer[1024];
    for (size_t done = 0; done < count;) {
        size_t some = count - done < 1024 ? count - done : 1024;
        memcpy(buffer, values + done, some * sizeof *buffer);
        for (size_t i = 0; i < some; i++)
            if ((buffer[i] & 0x7fffffffu) > 0x7f800000u)
                buffer[i] = 0x7fc00000u;
        if (fwrite(buffer, sizeof *buffer, some, file) != some)
            return false;
        done += some;
    }
    return true;
}

static bool add_number(cJSON *array, size_t number)
{
    return cJSON_AddItemToArray(array, cJSON_CreateNumber((double)number));  // which refuses a NULL
}

ff_status ff_dump_begin(ff_dump *dump, const char *name, ff_dtype dtype, int rank, const size_t *shape, size_t *at,
                        ff_error *error)
{
    size_t bytes = dtype->bytes;
    ff_status status = settle_room(dump, error);
    if (status)
        return status;
    cJSON *item = cJSON_AddObjectToObject(dump->header, name), *dimensions, *offsets;
    if (!item || !cJSON_AddStringToObject(item, "dtype", dtype->name) ||
        !(dimensions = cJSON_AddArrayToObject(item, "shape")) ||
        !(offsets = cJSON_AddArrayToObject(item, "data_offsets")))
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", dump->path);
    for (int i = 0; i < rank; i++) {
        bytes *= shape[i];
        if (!add_number(dimensions, shape[i]))
            return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", dump->path);
    }
    // the format allows no gaps, so that an element may lie unaligned; readers copy such a tensor
    if (!add_number(offsets, dump->planned) || !add_number(offsets, dump->planned + bytes))
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", dump->path);
    *at = 8 + dump->room + dump->planned;
    dump->planned += bytes;
    return FF_OK;
}

ff_status ff_dump_append(ff_dump *dump, size_t *at, ff_dtype dtype, const void *data, size_t count, ff_error *error)
{
    size_t size = dtype->bytes;
    if (*at != dump->position && fseek(dump->out.file, (long)*at, SEEK_SET) != 0)
        return failed_write(dump, error);
    *at = dump->position = *at + count * size;
    bool written = dtype == FF_F32 ? write_f32(dump->out.file, data, count)
                                   : fwrite(data, size, count, dump->out.file) == count;
    return written ? FF_OK : failed_write(dump, error);
}

ff_status ff_dump_tensor(ff_dump *dump, const char *name, ff_dtype dtype, int rank, const size_t *shape,
                         const void *data, ff_error *error)
{
    size_t at;
    ff_status status = ff_dump_begin(dump, name, dtype, rank, shape, &at, error);
    return status ? status : ff_dump_append(dump, &at, dtype, data, ff_shape_elements(rank, shape), error);
}

ff_status ff_dump_finish(ff_dump *dump, ff_error *error)
{
    ff_status status = settle_room(dump, error);
    char *text = cJSON_PrintUnformatted(dump->header);
    uint8_t length[8];
    if (!status && !text)
        status = ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", dump->path);
    size_t used = text ? strlen(text) : 0;
    if (!status && used > dump->room)
        status = ff_fail(error, FF_ERROR_IO, "%s: the header takes %zu bytes, more than the %zu left for it",
                         dump->path, used, dump->room);
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(dump->room >> (8 * i));
    if (!status && (fseek(dump->out.file, 0, SEEK_SET) != 0 || fwrite(length, 1, 8, dump->out.file) != 8 ||
                    fwrite(text, 1, used, dump->out.file) != used))
        status = failed_write(dump, error);
    for (; !status && used < dump->room; used++)
        if (fputc(' ', dump->out.file) == EOF)
            status = failed_write(dump, error);
    cJSON_free(text);
    if (!status)
        status = ff_atomic_finish(&dump->out, 1, error);
    ff_dump_abandon(dump);
    return status;
}

void ff_dump_abandon(ff_dump *dump)
{
    if (!dump)
        return;
    ff_atomic_abandon(&dump->out, 1);
    cJSON_Delete(dump->header);
    free(dump);
}

#include "resume_run.h"
#include "../files/host.h"
#include "../line/text_of.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>

// The file: the magic line, two little-endian lengths, the record's text, the library's bytes, and the SHA-256 of all
// that.
#define MAGIC "firstframe state 1\n"
#define MAGIC_SIZE (sizeof MAGIC - 1)
#define HEAD_SIZE (MAGIC_SIZE + 16)
#define HASH_SIZE 32
#define MOST_BYTES ((size_t)1 << 34)

char *ff_state_path(const char *output)
{
    size_t length = strlen(output);
    char *path = malloc(length + sizeof ".state");
    if (!path)
        return NULL;
    memcpy(path, output, length);
    memcpy(path + length, ".state", sizeof ".state");
    return path;
}

static void put_length(uint8_t *out, uint64_t length)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(length >> (8 * i));
}

static uint64_t get_length(const uint8_t *in)
{
    uint64_t length = 0;
    for (int i = 0; i < 8; i++)
        length |= (uint64_t)in[i] << (8 * i);
    return length;
}

ff_status ff_state_write(const char *path, const char *record, const void *bytes, size_t size, ff_error *error)
{
    uint8_t head[HEAD_SIZE], digest[HASH_SIZE];
    ff_sha256 hash;
    memcpy(head, MAGIC, MAGIC_SIZE);
    put_length(head + MAGIC_SIZE, strlen(record));
    put_length(head + MAGIC_SIZE + 8, size);
    const ff_file_part pieces[] = {{head, HEAD_SIZE}, {record, strlen(record)}, {bytes, size}, {digest, HASH_SIZE}};
    ff_sha256_start(&hash);
    for (int i = 0; i < 3; i++)
        ff_sha256_add(&hash, pieces[i].bytes, pieces[i].size);
    ff_sha256_finish(&hash, digest);
    return ff_host_write_file(path, pieces, 4, error);
}

// Checks a file's frame. *record_length and *state_length then add up to what lies between head and hash.
static bool is_whole(const uint8_t *file, size_t size, size_t *record_length, size_t *state_length)
{
    uint8_t digest[HASH_SIZE];
    ff_sha256 hash;
    if (size < HEAD_SIZE + HASH_SIZE || memcmp(file, MAGIC, MAGIC_SIZE) != 0)
        return false;
    uint64_t between = size - HEAD_SIZE - HASH_SIZE, record = get_length(file + MAGIC_SIZE);
    if (record > between || get_length(file + MAGIC_SIZE + 8) != between - record)
        return false;
    ff_sha256_start(&hash);
    ff_sha256_add(&hash, file, size - HASH_SIZE);
    ff_sha256_finish(&hash, digest);
    *record_length = (size_t)record;
    *state_length = (size_t)(between - record);
    return memcmp(digest, file + size - HASH_SIZE, HASH_SIZE) == 0;
}

ff_status ff_state_read(const char *path, const cJSON *record, uint8_t **bytes, size_t *size, ff_error *error)
{
    uint8_t *file = NULL, *state = NULL;
    size_t file_size, record_length, state_length;
    char difference[320];
    cJSON *then = NULL;
    if (!ff_host_exists(path))
        return ff_fail(error, FF_ERROR_INPUT, "%s: no such file, so there is nothing to resume", path);
    ff_status status = ff_host_read_file(path, MOST_BYTES, &file, &file_size, error);
    if (status != FF_OK)
        return status;
    if (is_whole(file, file_size, &record_length, &state_length))
        then = cJSON_ParseWithLength((const char *)file + HEAD_SIZE, record_length);
    if (!then) {
        status = ff_fail(error, FF_ERROR_INPUT,
                         "%s: not the whole state of an interrupted run; leave --resume out to start over", path);
    } else if (ff_record_differs(then, record, difference, sizeof difference)) {
        status = ff_fail(error, FF_ERROR_INPUT,
                         "%s was left by another run (%s); give the same options, or leave --resume out to start over",
                         path, difference);
    } else if (!(state = malloc(state_length + 1))) {
        status = ff_fail(error, FF_ERROR_MEMORY, "%s: no memory for its %zu bytes", path, state_length);
    } else {
        memcpy(state, file + HEAD_SIZE + record_length, state_length);
        *bytes = state;
        *size = state_length;
    }
    cJSON_Delete(then);
    free(file);
    return status;
}

bool ff_state_find_other(const char *output, const cJSON *record, char **path, uint8_t **bytes, size_t *size)
{
    static const char *const endings[] = {".webp", ".png", ".y4m", ".mp4", ".webm", ".gif"};
    const char *slash = strrchr(output, '/'), *dot = strrchr(slash ? slash : output, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++) {
        char *other = ff_text_of("%.*s%s.state", (int)(dot - output), output, endings[i]);
        if (other && strcmp(dot, endings[i]) != 0 && ff_host_exists(other) &&
            ff_state_read(other, record, bytes, size, NULL) == FF_OK) {
            *path = other;
            return true;
        }
        free(other);
    }
    return false;
}

#include "prompt_cache.h"
#include "../line/report.h"
#include "cache_files.h"

#include <stdlib.h>
#include <string.h>

// The file KEY.embeds, KEY in hexadecimal digits: the magic line, the key, the values as they lie in memory, and the
// SHA-256 of all that.
#define MAGIC "firstframe embeds 1\n"
#define MAGIC_SIZE (sizeof MAGIC - 1)
#define KEY_SIZE 32
#define HASH_SIZE 32
#define NAME_ROOM (2 * KEY_SIZE + sizeof ".embeds")
#define FOLDER_ROOM 4096

static void name_file(const uint8_t key[KEY_SIZE], char name[NAME_ROOM])
{
    ff_print_hash(key, name);
    memcpy(name + 2 * KEY_SIZE, ".embeds", sizeof ".embeds");
}

static void hash_pieces(const ff_file_part *pieces, size_t count, uint8_t out[HASH_SIZE])
{
    ff_sha256 hash;
    ff_sha256_start(&hash);
    for (size_t i = 0; i < count; i++)
        ff_sha256_add(&hash, pieces[i].bytes, pieces[i].size);
    ff_sha256_finish(&hash, out);
}

static bool is_whole(const uint8_t *file, size_t size, const uint8_t key[KEY_SIZE], size_t bytes)
{
    uint8_t digest[HASH_SIZE];
    if (size != MAGIC_SIZE + KEY_SIZE + bytes + HASH_SIZE || memcmp(file, MAGIC, MAGIC_SIZE) != 0 ||
        memcmp(file + MAGIC_SIZE, key, KEY_SIZE) != 0)
        return false;
    hash_pieces(&(ff_file_part){file, size - HASH_SIZE}, 1, digest);
    return memcmp(digest, file + size - HASH_SIZE, HASH_SIZE) == 0;
}

static bool recall(void *user, const uint8_t key[32], size_t count, float *embeds)
{
    char folder[FOLDER_ROOM], name[NAME_ROOM];
    uint8_t *file;
    size_t size, bytes = count * sizeof *embeds;
    name_file(key, name);
    if (!ff_cache_folder(folder, sizeof folder) || !ff_cache_read(folder, name, &file, &size))
        return false;
    bool whole = is_whole(file, size, key, bytes);
    if (whole)
        memcpy(embeds, file + MAGIC_SIZE + KEY_SIZE, bytes);
    else
        ff_cache_remove(folder, name);
    free(file);
    return whole;
}

static void keep(void *user, const uint8_t key[32], size_t count, const float *embeds)
{
    char folder[FOLDER_ROOM], name[NAME_ROOM];
    uint8_t digest[HASH_SIZE];
    const ff_file_part pieces[] = {
        {MAGIC, MAGIC_SIZE}, {key, KEY_SIZE}, {embeds, count * sizeof *embeds}, {digest, HASH_SIZE}};
    name_file(key, name);
    if (!ff_cache_folder(folder, sizeof folder))
        return;
    hash_pieces(pieces, 3, digest);
    ff_cache_write(folder, name, pieces, 4, FF_PROMPT_CACHE_BYTES);
}

const ff_prompt_store *ff_prompt_cache(void)
{
    static const ff_prompt_store store = {NULL, recall, keep};
    char folder[FOLDER_ROOM];
    return ff_cache_folder(folder, sizeof folder) ? &store : NULL;
}

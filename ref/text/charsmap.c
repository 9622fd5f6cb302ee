#include "charsmap.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// Standard base64 with its padding. out: 3 bytes for every 4 characters. False if it is not base64.
static bool decode_base64(const char *text, size_t size, unsigned char *out, size_t *count)
{
    size_t padding = 0;
    *count = 0;
    if (size % 4)
        return false;
    for (size_t i = 0; i < size; i += 4) {
        uint32_t group = 0;
        for (size_t j = 0; j < 4; j++) {
            int digit = base64_digit(text[i + j]);
            if (digit < 0 || padding) {
                if (text[i + j] != '=' || i + 4 != size || j < 2)
                    return false;
                digit = 0;
                padding++;
            }
            group = group << 6 | (uint32_t)digit;
        }
        out[(*count)++] = (unsigned char)(group >> 16);
        out[(*count)++] = (unsigned char)(group >> 8);
        out[(*count)++] = (unsigned char)group;
    }
    *count -= padding;
    return true;
}

static uint32_t read_u32(const unsigned char *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

ff_charsmap_result ff_charsmap_decode(const char *base64, ff_charsmap *out)
{
    size_t length = strlen(base64), size;
    unsigned char *bytes = malloc(length / 4 * 3 + 1);
    *out = (ff_charsmap){0};
    if (!bytes)
        return FF_CHARSMAP_NO_MEMORY;
    ff_charsmap_result result = FF_CHARSMAP_BROKEN;
    if (decode_base64(base64, length, bytes, &size))
        result = ff_charsmap_read(bytes, size, out);
    free(bytes);
    return result;
}

// The map's bytes: u32 size of the trie, the trie's units (u32), the replacements. All little-endian.
ff_charsmap_result ff_charsmap_read(const void *map_bytes, size_t size, ff_charsmap *out)
{
    const unsigned char *bytes = map_bytes;
    ff_charsmap map = {0};
    *out = map;
    if (size < 4)
        return FF_CHARSMAP_BROKEN;
    size_t trie_size = read_u32(bytes);
    if (trie_size < 4 || trie_size % 4 || trie_size > size - 4)
        return FF_CHARSMAP_BROKEN;
    map.trie_count = trie_size / 4;
    map.replacements_size = size - 4 - trie_size;
    if (ff_utf8_check((const char *)bytes + 4 + trie_size, map.replacements_size) != map.replacements_size)
        return FF_CHARSMAP_BROKEN;
    map.trie = malloc(trie_size);
    map.replacements = malloc(map.replacements_size + 1);
    if (!map.trie || !map.replacements) {
        ff_charsmap_free(&map);
        return FF_CHARSMAP_NO_MEMORY;
    }
    for (size_t i = 0; i < map.trie_count; i++)
        map.trie[i] = read_u32(bytes + 4 + 4 * i);
    memcpy(map.replacements, bytes + 4 + trie_size, map.replacements_size);
    map.replacements[map.replacements_size] = '\0';
    *out = map;
    return FF_CHARSMAP_OK;
}

void ff_charsmap_free(ff_charsmap *map)
{
    free(map->trie);
    free(map->replacements);
    *map = (ff_charsmap){0};
}

// Units of the trie (Darts): the offset to a node's children, and in the children the byte they stand for.
static size_t unit_offset(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6);
}

// The replacement of the shortest rule that `text` begins with, or NULL.
static const char *find_rule(const ff_charsmap *map, const char *text, size_t size)
{
    size_t node = unit_offset(map->trie[0]);
    for (size_t i = 0; i < size && text[i]; i++) {
        unsigned char byte = (unsigned char)text[i];
        node ^= byte;
        if (node >= map->trie_count)
            return NULL;
        uint32_t unit = map->trie[node];
        if ((unit & (1u << 31 | 0xFF)) != byte)
            return NULL;
        node ^= unit_offset(unit);
        if (!(unit >> 8 & 1))
            continue;
        if (node >= map->trie_count)
            return NULL;
        size_t at = map->trie[node] & ~(1u << 31);
        if (at > map->replacements_size || (map->replacements[at] & 0xC0) == 0x80)
            return NULL;
        return map->replacements + at;
    }
    return NULL;
}

static bool replace(const ff_charsmap *map, const char *text, size_t size, ff_bytes *out)
{
    const char *rule = find_rule(map, text, size);
    if (rule)
        ff_bytes_append(out, rule, strlen(rule));
    return rule != NULL;
}

// A grapheme cluster shorter than six bytes is replaced as a whole, even where the rule is for its first character
// only; everything else goes character by character. (sentencepiece takes the longest rule instead. Models are used
// through Hugging Face's tokenizers, which does this.)
static void replace_cluster(const ff_charsmap *map, const char *text, size_t size, ff_bytes *out)
{
    uint32_t codepoint;
    if (size < 6 && replace(map, text, size, out))
        return;
    for (size_t at = 0, length; at < size; at += length) {
        length = ff_utf8_decode(text + at, size - at, &codepoint);
        if (!replace(map, text + at, length, out))
            ff_bytes_append(out, text + at, length);
    }
}

void ff_charsmap_apply(const ff_charsmap *map, const char *text, size_t size, ff_bytes *out)
{
    size_t first = 0, at = 0, length;
    uint32_t codepoint, previous = 0;
    utf8proc_int32_t state = 0;
    for (; at < size; at += length, previous = codepoint) {
        length = ff_utf8_decode(text + at, size - at, &codepoint);
        if (at > 0 && utf8proc_grapheme_break_stateful((utf8proc_int32_t)previous, (utf8proc_int32_t)codepoint,
                                                       &state)) {
            replace_cluster(map, text + first, at - first, out);
            first = at;
        }
    }
    replace_cluster(map, text + first, size - first, out);
}

// SHA-256 (FIPS 180-4): bytes of any number, padded into blocks.
#include <string.h>

#include "../firstframe.h"
#include "../kernels/sha256_blocks.h"

void ff_sha256_start(ff_sha256 *hash)
{
    // The first 32 bits of the fractional parts of the square roots of the first 8 primes.
    static const uint32_t initial[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    };
    memcpy(hash->state, initial, sizeof(initial));
    hash->length = 0;
}

void ff_sha256_add(ff_sha256 *hash, const void *bytes, size_t size)
{
    const uint8_t *next = bytes;
    while (size > 0) {
        size_t held = hash->length % 64, room = 64 - held;
        size_t taken = held == 0 && size >= 64 ? size / 64 * 64 : size < room ? size : room;
        if (taken >= 64) {
            ff_sha256_blocks(hash->state, taken / 64, next);
        } else {
            memcpy(hash->block + held, next, taken);
            if (taken == room)
                ff_sha256_blocks(hash->state, 1, hash->block);
        }
        hash->length += taken;
        next += taken;
        size -= taken;
    }
}

// Padding: a 1 bit, zeros up to 56 bytes modulo 64, the length in bits as 8 bytes, most significant first.
void ff_sha256_finish(ff_sha256 *hash, uint8_t out[32])
{
    static const uint8_t padding[64] = {0x80};
    uint64_t bits = hash->length * 8;
    uint8_t length[8];

    ff_sha256_add(hash, padding, 1 + (119 - hash->length % 64) % 64);
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    ff_sha256_add(hash, length, 8);
    for (int i = 0; i < 32; i++)
        out[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

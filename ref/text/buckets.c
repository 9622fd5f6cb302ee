#include "buckets.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// A product of integers, in limbs of 32 bits, least first.
typedef struct product {
    uint32_t *limbs;
    size_t count;
} product;

// limbs: room for `power` + `other_power`. product = base^power * other^other_power
static product multiply_powers(uint32_t *limbs, size_t base, size_t power, size_t other, size_t other_power)
{
    product result = {limbs, 1};
    limbs[0] = 1;
    for (size_t i = 0; i < power + other_power; i++) {
        uint64_t factor = i < power ? base : other, carry = 0;
        for (size_t j = 0; j < result.count; j++) {
            carry += result.limbs[j] * factor;
            result.limbs[j] = (uint32_t)carry;
            carry >>= 32;
        }
        if (carry)
            result.limbs[result.count++] = (uint32_t)carry;
    }
    return result;
}

static bool at_least(product a, product b)
{
    if (a.count != b.count)
        return a.count > b.count;
    for (size_t i = a.count; i-- > 0;) {
        if (a.limbs[i] != b.limbs[i])
            return a.limbs[i] > b.limbs[i];
    }
    return true;
}

// T5 puts distance d >= exact into bucket exact + floor(log(d / exact) / log(max_distance / exact) * wide), where
// wide = half - exact. So bucket exact + j begins at the least d with d^wide >= max_distance^j * exact^(wide - j).
// In integers there is nothing to round. (PyTorch, which takes float32 logarithms, puts every distance into the same
// bucket for any usual pair of num_buckets and max_distance: tests/test_text.c.)
bool ff_buckets_create(size_t num_buckets, size_t max_distance, ff_buckets *out)
{
    size_t half = num_buckets / 2, exact = half / 2, wide = half - exact;
    uint32_t *limbs = malloc(2 * (wide + 1) * sizeof *limbs);
    *out = (ff_buckets){half, exact, malloc(wide * sizeof *out->starts)};
    if (!limbs || !out->starts) {
        free(limbs);
        ff_buckets_free(out);
        return false;
    }
    for (size_t j = 1; j < wide; j++) {
        product target = multiply_powers(limbs, max_distance, j, exact, wide - j);
        size_t low = exact, high = max_distance;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (at_least(multiply_powers(limbs + wide + 1, middle, wide, 0, 0), target))
                high = middle;
            else
                low = middle + 1;
        }
        out->starts[j - 1] = low;
    }
    free(limbs);
    return true;
}

void ff_buckets_free(ff_buckets *buckets)
{
    free(buckets->starts);
    *buckets = (ff_buckets){0};
}

size_t ff_bucket(const ff_buckets *buckets, size_t query, size_t key)
{
    size_t distance = key > query ? key - query : query - key;
    size_t bucket = distance;
    if (distance >= buckets->exact) {
        bucket = buckets->exact;
        while (bucket + 1 < buckets->half && distance >= buckets->starts[bucket - buckets->exact])
            bucket++;
    }
    return key > query ? buckets->half + bucket : bucket;
}

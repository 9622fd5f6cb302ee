// T5's buckets of relative positions: one each for short distances, logarithmically wider ones for long distances.
#ifndef FF_TEXT_BUCKETS_H
#define FF_TEXT_BUCKETS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct ff_buckets {
    size_t half;       // buckets for each direction: keys after the query have the second half
    size_t exact;      // distances below this have a bucket of their own
    size_t *starts;    // [half - exact - 1]: the least distances of the buckets after number `exact`
} ff_buckets;

// num_buckets at least 4, max_distance more than num_buckets / 4. False without memory.
bool ff_buckets_create(size_t num_buckets, size_t max_distance, ff_buckets *out);
void ff_buckets_free(ff_buckets *buckets);

// Bucket of the key at position `key` seen from the query at position `query`.
size_t ff_bucket(const ff_buckets *buckets, size_t query, size_t key);

#endif

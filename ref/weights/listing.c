// The public view of a safetensors file: what is in it, without the numbers.
#include "weights.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof ((ff_listed *)0)->shape / sizeof(size_t) == FF_MAX_RANK, "a listed tensor holds every rank");

struct ff_listing {
    ff_weights *weights;
};

ff_status ff_listing_open(const char *path, ff_listing **out, ff_error *error)
{
    ff_listing *listing = calloc(1, sizeof *listing);
    *out = NULL;
    if (!listing)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: no memory to list it", path);
    ff_status status = ff_weights_open_file(path, &listing->weights, error);
    if (status != FF_OK) {
        free(listing);
        return status;
    }
    *out = listing;
    return FF_OK;
}

void ff_listing_close(ff_listing *listing)
{
    if (!listing)
        return;
    ff_weights_close(listing->weights);
    free(listing);
}

size_t ff_listing_count(const ff_listing *listing)
{
    return ff_weights_count(listing->weights);
}

ff_listed ff_listing_at(const ff_listing *listing, size_t i)
{
    ff_weight tensor;
    ff_listed listed = {.name = ff_weights_at(listing->weights, i, &tensor)};
    listed.dtype = tensor.dtype->name;
    listed.rank = (size_t)tensor.rank;
    memcpy(listed.shape, tensor.shape, sizeof listed.shape);
    listed.bytes = ff_weight_bytes(&tensor);
    return listed;
}

const char *ff_listing_metadata(const ff_listing *listing, const char *key)
{
    return ff_weights_metadata(listing->weights, key);
}

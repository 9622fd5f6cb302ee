#include "encoding.h"

#include "host.h"

static ff_status encode(void *user, const ff_image *image, float *features, ff_error *error)
{
    const ff_encoding *encoding = user;
    ff_status status = ff_host_check_interrupt("measuring; the clips are there", error);
    if (status)
        return status;
    return ff_encode_image(encoding->model, image, 1, encoding->threads, features, error);
}

ff_encoder ff_encoding_encoder(ff_encoding *encoding)
{
    ff_model_facts facts = ff_model_describe(encoding->model);
    return (ff_encoder){facts.latent_channels, facts.spatial_factor, encode, encoding};
}

// One picture to latents, and latents to frames, without a run around them.
#include "culprit.h"
#include "model.h"
#include "pixels.h"
#include "threads.h"

typedef struct passage {
    const ff_model *model;
    ff_kernels kernels;
    ff_arena *arena;
    ff_error error;            // own, so that want of memory without a sentence is told apart

    const ff_image *image;     // encoding
    size_t frames;
    float *pixels, *out;

    const ff_latents *latents; // decoding
    float *values;             // [height * factor, width * factor, 3]
    ff_image rgb;
    void *user;
    ff_status (*frame)(void *user, size_t index, const ff_image *rgb, ff_error *error);
} passage;

static ff_status repeat_picture(void *user, size_t index, const float **pixels, ff_error *error)
{
    *pixels = ((passage *)user)->pixels;
    return FF_OK;
}

static ff_status encode(void *user)
{
    passage *p = user;
    const ff_image *image = p->image;
    size_t values = 3 * image->width * image->height;
    p->pixels = ff_arena_floats(p->arena, values);
    if (!p->pixels)
        return FF_ERROR_MEMORY;
    ff_pixels_normalise(values, image->rgb, p->pixels);
    const ff_vae_encoding encoding = {.extent = {p->frames, image->height, image->width}, .source = repeat_picture,
                                      .user = p, .latents = p->out};
    return ff_vae_encode(p->model->vae, &p->kernels, p->arena, &encoding, &p->error);
}

static ff_status hand_over(void *user, size_t index, const float *pixels, ff_error *error)
{
    passage *p = user;
    size_t values = 3 * p->rgb.width * p->rgb.height;
    ff_pixels_finish(values, pixels, p->values);
    ff_pixels_round(values, p->values, p->rgb.rgb);
    return p->frame(p->user, index, &p->rgb, error);
}

static ff_status decode(void *user)
{
    passage *p = user;
    size_t values = 3 * p->rgb.width * p->rgb.height;
    p->values = ff_arena_floats(p->arena, values);
    p->rgb.rgb = ff_arena_take(p->arena, values, 1);
    if (!p->values || !p->rgb.rgb)
        return FF_ERROR_MEMORY;
    const ff_latents *latents = p->latents;
    const ff_vae_decoding decoding = {.extent = {latents->frames, latents->height, latents->width},
                                      .latents = latents->values, .sink = hand_over, .user = p};
    return ff_vae_decode(p->model->vae, &p->kernels, p->arena, &decoding, &p->error);
}

static ff_status pass(passage *p, size_t threads, ff_status (*work)(void *user), const char *doing, ff_error *error)
{
    ff_status status = ff_kernels_choose(FF_ISA_AUTO, FF_BACKEND_OWN, &p->kernels, error);
    if (status)
        return status;
    p->arena = ff_arena_create();
    status = p->arena ? ff_with_threads(threads, work, p, &p->error) : FF_ERROR_MEMORY;
    ff_arena_destroy(p->arena);
    ff_blame(status, (ff_suspects){.weights = p->model->vae_files.weights}, &p->error, "%s", doing);
    if (status)
        return ff_fail(error, status, "%s", p->error.message[0] ? p->error.message : "no memory for the VAE");
    return FF_OK;
}

ff_status ff_encode_image(const ff_model *model, const ff_image *image, size_t frames, size_t threads, float *latents,
                          ff_error *error)
{
    passage p = {.model = model, .image = image, .frames = frames, .out = latents};
    if (!image || !image->rgb || !latents)
        return ff_fail(error, FF_ERROR_INPUT, "there is no picture to encode, or no room for its latents");
    return pass(&p, threads, encode, "encoding a picture", error);
}

ff_status ff_decode_latents(const ff_model *model, const ff_latents *latents, size_t threads, void *user,
                            ff_status (*frame)(void *user, size_t index, const ff_image *rgb, ff_error *error),
                            ff_error *error)
{
    size_t factor = model->facts.spatial_factor;
    if (!latents || !latents->values || !frame)
        return ff_fail(error, FF_ERROR_INPUT, "there are no latents to decode, or nobody to take their frames");
    passage p = {.model = model, .latents = latents,
                 .rgb = {latents->width * factor, latents->height * factor, NULL}, .user = user, .frame = frame};
    return pass(&p, threads, decode, "decoding latents", error);
}

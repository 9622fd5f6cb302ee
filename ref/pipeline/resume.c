#include "resume.h"

#include <stdlib.h>
#include <string.h>

#include "../base/system.h"

// Layout: magic, fingerprint, SHA-256 of the rest, next step (8 bytes), latents, solver. All little-endian.
static const char magic[8] = "ffstate1";
enum { HEADER_BYTES = 8 + 32 + 32, PAYLOAD_START = HEADER_BYTES + 8 };

static void add_text(ff_sha256 *hash, const char *text)
{
    ff_sha256_add(hash, text, strlen(text) + 1);
}

static void add_image(ff_sha256 *hash, const ff_image *image)
{
    uint64_t sides[2] = {image ? image->width : 0, image ? image->height : 0};
    ff_sha256_add(hash, sides, sizeof sides);
    if (image)
        ff_sha256_add(hash, image->rgb, 3 * image->width * image->height);
}

static ff_status add_file(ff_sha256 *hash, const char *path, ff_error *error)
{
    ff_mapping file;
    ff_status status = ff_map_file(path, &file, error);
    if (status)
        return status;
    ff_sha256_add(hash, file.data, file.size);
    ff_unmap_file(&file);
    return FF_OK;
}

static ff_status add_loras(ff_sha256 *hash, const ff_model *model, uint64_t which, ff_error *error)
{
    const ff_expert *expert = &model->experts[which];
    ff_status status = FF_OK;
    for (size_t i = 0; i < expert->lora_count && !status; i++) {
        double strength = ff_lora_strength(expert->loras[i]);
        ff_sha256_add(hash, &which, sizeof which);
        ff_sha256_add(hash, &strength, sizeof strength);
        status = add_file(hash, ff_weights_file(ff_lora_weights(expert->loras[i]), 0), error);
    }
    return status;
}

ff_status ff_resume_fingerprint(ff_model *model, const ff_request *request, const ff_plan *plan,
                                uint8_t out[32], ff_error *error)
{
    uint8_t model_hash[32];
    bool inpaint = request->task == FF_INPAINT, video = request->task == FF_IMAGE_TO_VIDEO;
    uint64_t numbers[] = {(uint64_t)request->task, request->seed, plan->model_width, plan->model_height, plan->frames,
                          plan->steps, (uint64_t)request->fit, (uint64_t)request->backend};
    double values[] = {plan->guidance_scale, plan->flow_shift, inpaint ? request->context : 0,
                       inpaint ? request->strength : 0};
    ff_sha256 hash;
    ff_status status = ff_model_hash(model, model_hash, error);
    if (status)
        return status;
    ff_sha256_start(&hash);
    ff_sha256_add(&hash, model_hash, sizeof model_hash);
    ff_sha256_add(&hash, numbers, sizeof numbers);
    ff_sha256_add(&hash, values, sizeof values);
    if (request->ablate)
        ff_sha256_add(&hash, &request->ablate, sizeof request->ablate);
    add_text(&hash, plan->scheduler);
    add_text(&hash, request->prompt);
    add_text(&hash, plan->negative_prompt);
    add_image(&hash, video || inpaint ? request->image : NULL);
    add_image(&hash, video ? request->last : NULL);
    if (inpaint)
        ff_sha256_add(&hash, request->mask, request->image->width * request->image->height);
    if (request->load_path)
        status = add_file(&hash, request->load_path, error);
    for (size_t i = 0; i < model->expert_count && !status; i++)
        status = add_loras(&hash, model, i, error);
    ff_sha256_finish(&hash, out);
    return status;
}

static void hash_bytes(const uint8_t *bytes, size_t size, uint8_t out[32])
{
    ff_sha256 hash;
    ff_sha256_start(&hash);
    ff_sha256_add(&hash, bytes, size);
    ff_sha256_finish(&hash, out);
}

ff_status ff_resume_write(const uint8_t fingerprint[32], const ff_schedule_state *solver, size_t n,
                          const float *latents, size_t next,
                          ff_status (*write)(void *user, const void *bytes, size_t size, ff_error *error), void *user,
                          ff_error *error)
{
    size_t size = PAYLOAD_START + n * sizeof *latents + ff_schedule_state_size(solver);
    uint64_t step = next;
    uint8_t *bytes = malloc(size);
    if (!bytes)
        return ff_fail(error, FF_ERROR_MEMORY, "out of memory for the saved state");
    memcpy(bytes, magic, 8);
    memcpy(bytes + 8, fingerprint, 32);
    memcpy(bytes + HEADER_BYTES, &step, 8);
    memcpy(bytes + PAYLOAD_START, latents, n * sizeof *latents);
    ff_schedule_state_save(solver, bytes + PAYLOAD_START + n * sizeof *latents);
    hash_bytes(bytes + HEADER_BYTES, size - HEADER_BYTES, bytes + 40);
    ff_status status = write(user, bytes, size, error);
    free(bytes);
    return status;
}

ff_status ff_resume_read(const void *data, size_t size, const uint8_t fingerprint[32], ff_schedule_state *solver,
                         size_t n, float *latents, size_t *next, ff_error *error)
{
    const uint8_t *bytes = data;
    size_t expected = PAYLOAD_START + n * sizeof *latents + ff_schedule_state_size(solver);
    uint8_t sum[32];
    uint64_t step;
    if (size < PAYLOAD_START || memcmp(bytes, magic, 8) != 0)
        return ff_fail(error, FF_ERROR_INPUT, "the saved state is not one of firstframe's");
    hash_bytes(bytes + HEADER_BYTES, size - HEADER_BYTES, sum);
    if (memcmp(sum, bytes + 40, 32) != 0)
        return ff_fail(error, FF_ERROR_INPUT, "the saved state is damaged");
    if (memcmp(bytes + 8, fingerprint, 32) != 0 || size != expected)
        return ff_fail(error, FF_ERROR_INPUT,
                       "the saved state belongs to another run: model, pictures, prompt, seed or options differ");
    memcpy(&step, bytes + HEADER_BYTES, 8);
    memcpy(latents, bytes + PAYLOAD_START, n * sizeof *latents);
    *next = (size_t)step;
    return ff_schedule_state_load(solver, bytes + PAYLOAD_START + n * sizeof *latents, ff_schedule_state_size(solver),
                                  error);
}

// What a model is called in records: SHA-256 over its configs and the headers of its weights.
#include <stdio.h>
#include <string.h>

#include "../base/system.h"
#include "model.h"

// Files are hashed whole up to this size; of a larger one its size and its first bytes, and all of its header.
#define HASHED_WHOLE ((size_t)64 << 20)
#define HASHED_PART ((size_t)1 << 20)

// How many bytes of a file are hashed. A safetensors file begins with the length of its header; what begins otherwise
// gives a length beyond the file, and is hashed whole, but for a GGUF file, whose header is shorter than HASHED_WHOLE.
static size_t hashed_bytes(const ff_mapping *file)
{
    const uint8_t *bytes = file->data;
    uint64_t header = 0;
    if (file->size <= HASHED_WHOLE)
        return file->size;
    if (memcmp(bytes, "GGUF", 4) == 0)
        return HASHED_WHOLE;
    for (int i = 8; i-- > 0;)
        header = header << 8 | bytes[i];
    if (header > file->size - 8)
        return file->size;
    return header + 8 > HASHED_PART ? (size_t)header + 8 : HASHED_PART;
}

// What the hash calls a file, wherever it lies, is "part/name".
static ff_status hash_file(ff_sha256 *hash, const char *path, const char *part, const char *name, ff_error *error)
{
    ff_mapping file;
    ff_status status = ff_map_file(path, &file, error);
    if (status)
        return status;
    uint64_t size = file.size;
    if (part) {
        ff_sha256_add(hash, part, strlen(part));
        ff_sha256_add(hash, "/", 1);
    }
    ff_sha256_add(hash, name, strlen(name) + 1);
    ff_sha256_add(hash, &size, sizeof size);
    ff_sha256_add(hash, file.data, hashed_bytes(&file));
    ff_unmap_file(&file);
    return FF_OK;
}

static ff_status hash_in(ff_sha256 *hash, const char *folder, const char *part, const char *name, ff_error *error)
{
    char path[FF_MOST_PATH];
    ff_status status = ff_model_path(path, folder, name, error);
    return status ? status : hash_file(hash, path, part, name, error);
}

static ff_status hash_component(ff_sha256 *hash, const char *part, const ff_component *component, ff_error *error)
{
    ff_status status = FF_OK;
    if (component->config_file)
        status = hash_file(hash, component->config_file, part, "config.json", error);
    for (size_t i = 0; i < ff_weights_files(component->weights) && !status; i++) {
        const char *path = ff_weights_file(component->weights, i), *slash = strrchr(path, '/');
        status = hash_file(hash, path, part, slash ? slash + 1 : path, error);
    }
    return status;
}

static ff_status hash_model(const ff_model *model, uint8_t out[32], ff_error *error)
{
    ff_sha256 hash;
    ff_status status = FF_OK;
    ff_sha256_start(&hash);
    if (model->layout == FF_LAYOUT_DIFFUSERS &&
        ((status = hash_in(&hash, model->folder, NULL, "model_index.json", error)) ||
         (status = hash_in(&hash, model->folder, NULL, "scheduler/scheduler_config.json", error))))
        return status;
    for (size_t i = 0; model->tokenizer_folder && i < ff_tokenizer_files(model->tokenizer) && !status; i++)
        status = hash_in(&hash, model->tokenizer_folder, "tokenizer", ff_tokenizer_file(model->tokenizer, i), error);
    if (!status)
        status = hash_component(&hash, "text_encoder", &model->text_files, error);
    for (size_t i = 0; i < model->expert_count && !status; i++)
        status = hash_component(&hash, model->experts[i].name, &model->experts[i].files, error);
    if (!status)
        status = hash_component(&hash, "vae", &model->vae_files, error);
    if (!status)
        ff_sha256_finish(&hash, out);
    return status;
}

static ff_status hash_text_encoder(const ff_model *model, uint8_t out[32], ff_error *error)
{
    const ff_weights *weights = model->text_files.weights;
    uint64_t stamp[FF_STAMP_WORDS];
    ff_sha256 hash;
    ff_sha256_start(&hash);
    ff_status status = hash_component(&hash, "text_encoder", &model->text_files, error);
    for (size_t i = 0; i < ff_weights_files(weights) && !status; i++) {
        if (!ff_stamp_file(ff_weights_file(weights, i), stamp))
            return ff_fail(error, FF_ERROR_IO, "%s: not there any more", ff_weights_file(weights, i));
        if (stamp[FF_STAMP_SIZE] > HASHED_WHOLE)
            ff_sha256_add(&hash, stamp, sizeof stamp);
    }
    ff_sha256_finish(&hash, out);
    return status;
}

static ff_status keep(ff_model *model, ff_status (*compute)(const ff_model *, uint8_t[32], ff_error *),
                      ff_kept_hash *kept, uint8_t out[32], ff_error *error)
{
    ff_status status = kept->known ? FF_OK : compute(model, kept->bytes, error);
    if (status)
        return status;
    kept->known = true;
    memcpy(out, kept->bytes, sizeof kept->bytes);
    return FF_OK;
}

ff_status ff_model_hash(ff_model *model, uint8_t out[32], ff_error *error)
{
    return keep(model, hash_model, &model->hash, out, error);
}

ff_status ff_model_hash_text_encoder(ff_model *model, uint8_t out[32], ff_error *error)
{
    return keep(model, hash_text_encoder, &model->text_hash, out, error);
}

#include "model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../sampler/anchor.h"
#include "../sampler/schedule.h"
#include "../sampler/unconditioned.h"
#include "../base/system.h"
#include "classes.h"

ff_status ff_model_path(char path[FF_MOST_PATH], const char *folder, const char *name, ff_error *error)
{
    if ((size_t)snprintf(path, FF_MOST_PATH, "%s/%s", folder, name) >= FF_MOST_PATH)
        return ff_fail(error, FF_ERROR_INPUT, "%.200s...: the path is too long", folder);
    return FF_OK;
}

static ff_status open_config(const char *folder, const char *name, ff_config **out, ff_error *error)
{
    char path[FF_MOST_PATH];
    ff_status status = ff_model_path(path, folder, name, error);
    return status ? status : ff_config_open(path, out, error);
}

static ff_status open_component(ff_model *model, const char *name, const char *class_name, ff_component *out,
                                const char **found, ff_error *error)
{
    char path[FF_MOST_PATH];
    ff_status status;
    if ((status = ff_classes_part(model->index, name, class_name, error)) ||
        (status = ff_model_path(path, model->folder, name, error)) ||
        (status = open_config(path, "config.json", &out->config, error)))
        return status;
    // transformers writes architectures, diffusers _class_name; the latter is checked where it is there
    if ((status = ff_config_string(out->config, "_class_name", class_name, found, error)))
        return status;
    if (strcmp(*found, class_name) != 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s/config.json: _class_name is %s, expected %s", path, *found,
                       class_name);
    return ff_weights_open(path, &out->weights, error);
}

static ff_status open_tokenizer(ff_model *model, ff_error *error)
{
    char path[FF_MOST_PATH];
    ff_status status = ff_model_path(path, model->folder, "tokenizer/tokenizer.json", error);
    if (status)
        return status;
    if (ff_file_exists(path))
        return ff_tokenizer_open(path, &model->tokenizer, error);
    if ((status = ff_model_path(path, model->folder, "tokenizer/spiece.model", error)))
        return status;
    if (!ff_file_exists(path))
        return ff_fail(error, FF_ERROR_INPUT, "%s/tokenizer: no tokenizer.json or spiece.model here", model->folder);
    status = ff_classes_tokenizer(model->index, error);
    return status ? status : ff_tokenizer_open_spiece(path, &model->tokenizer, error);
}

static void add_text(char *text, size_t capacity, const char *more)
{
    size_t length = strlen(text);
    snprintf(text + length, capacity - length, "%s", more);
}

// What was read in place of the usual files, variant by variant.
static void say_taken(ff_model *model)
{
    struct {
        const char *name, *variant;
    } parts[FF_MOST_EXPERTS + 2];
    size_t count = 0;
    char *taken = model->taken;
    for (; count < model->expert_count; count++) {
        parts[count].name = model->experts[count].name;
        parts[count].variant = ff_weights_variant(model->experts[count].files.weights);
    }
    parts[count].name = "vae";
    parts[count++].variant = ff_weights_variant(model->vae_files.weights);
    parts[count].name = "text_encoder";
    parts[count++].variant = ff_weights_variant(model->text_files.weights);
    for (size_t i = 0; i < count; i++) {
        bool said = !*parts[i].variant;
        for (size_t j = 0; j < i && !said; j++)
            said = strcmp(parts[j].variant, parts[i].variant) == 0;
        for (size_t j = i; j < count && !said; j++) {
            if (strcmp(parts[j].variant, parts[i].variant) != 0)
                continue;
            add_text(taken, sizeof model->taken, j > i ? ", " : *taken ? "; " : "");
            add_text(taken, sizeof model->taken, parts[j].name);
        }
        if (said)
            continue;
        add_text(taken, sizeof model->taken, ": variant ");
        add_text(taken, sizeof model->taken, parts[i].variant);
        add_text(taken, sizeof model->taken, ", as there is no plain file");
    }
    if (strcmp(ff_tokenizer_file(model->tokenizer, 0), "spiece.model") == 0) {
        add_text(taken, sizeof model->taken, *taken ? "; " : "");
        add_text(taken, sizeof model->taken, "tokenizer: spiece.model, as there is no tokenizer.json");
    }
    model->facts.taken = *taken ? taken : NULL;
}

static void close_component(ff_component *component)
{
    ff_weights_close(component->weights);
    ff_config_close(component->config);
}

size_t ff_component_bytes(const ff_component *component)
{
    size_t bytes = 0;
    for (size_t i = 0; i < ff_weights_count(component->weights); i++) {
        ff_weight view;
        size_t elements = 1;
        ff_weights_at(component->weights, i, &view);
        for (int d = 0; d < view.rank; d++)
            elements *= view.shape[d];
        bytes += ff_element_bytes(view.dtype, elements);
    }
    return bytes;
}

static ff_status read_index(ff_model *model, ff_error *error)
{
    ff_status status = open_config(model->folder, "model_index.json", &model->index, error);
    if (!status)
        status = ff_classes_pipeline(model->index, &model->facts.pipeline_class, error);
    if (!status)
        status = ff_config_bool(model->index, "expand_timesteps", false, &model->expand_timesteps, error);
    return status;
}

// What the transformer reads of a still. NULL: other channels than the latents'.
static const ff_conditioning_kind *choose_conditioning(const ff_model *model, const ff_transformer_shape *transformer)
{
    size_t channels = model->facts.latent_channels;
    if (transformer->in_channels != channels || transformer->out_channels != channels)
        return NULL;
    return model->expand_timesteps ? &ff_anchored : &ff_unconditioned;
}

// The facts that need the opened components, and what must agree between them.
static ff_status gather_facts(ff_model *model, ff_error *error)
{
    ff_model_facts *facts = &model->facts;
    ff_transformer_shape transformer = ff_transformer_describe(model->experts[0].transformer);
    ff_vae_shape vae = ff_vae_describe(model->vae);
    ff_schedule *schedule;
    ff_status status = ff_schedule_create(model->scheduler, FF_SCHEDULER_MODEL, NAN, 1, &schedule, error);
    if (status)
        return status;
    facts->default_flow_shift = ff_schedule_flow_shift(schedule);
    ff_schedule_destroy(schedule);
    if (ff_text_encoder_dim(model->text_encoder) != transformer.text_dim)
        return ff_fail(error, FF_ERROR_INPUT, "%s: the text encoder gives %zu dimensions, the transformer expects %zu",
                       model->folder, ff_text_encoder_dim(model->text_encoder), transformer.text_dim);
    // sentinels, which no prompt has, may lie beyond: transformers does not ask either
    size_t tokens = ff_tokenizer_vocabulary(model->tokenizer) - ff_tokenizer_sentinels(model->tokenizer);
    if (tokens > ff_text_encoder_vocabulary(model->text_encoder))
        return ff_fail(error, FF_ERROR_INPUT, "%s: the tokenizer has %zu tokens, the text encoder only %zu",
                       model->folder, tokens, ff_text_encoder_vocabulary(model->text_encoder));
    say_taken(model);
    facts->folder = model->folder;
    facts->vae_parameters = ff_vae_parameters(model->vae);
    facts->text_encoder_parameters = ff_text_encoder_parameters(model->text_encoder);
    facts->vocabulary = ff_tokenizer_vocabulary(model->tokenizer);
    facts->weight_bytes = ff_component_bytes(&model->vae_files) + ff_component_bytes(&model->text_files);
    for (size_t i = 0; i < model->expert_count; i++) {
        facts->transformer_parameters += ff_transformer_parameters(model->experts[i].transformer);
        facts->weight_bytes += ff_component_bytes(&model->experts[i].files);
    }
    facts->layers = transformer.layers;
    facts->dim = transformer.dim;
    facts->heads = transformer.heads;
    facts->head_dim = transformer.head_dim;
    facts->ffn_dim = transformer.ffn_dim;
    facts->text_dim = transformer.text_dim;
    facts->latent_channels = vae.latent_channels;
    facts->spatial_factor = vae.spatial_factor;
    facts->temporal_factor = vae.temporal_factor;
    facts->multiple_width = vae.spatial_factor * transformer.patch[2];
    facts->multiple_height = vae.spatial_factor * transformer.patch[1];
    facts->expand_timesteps = model->expand_timesteps;
    facts->residual_vae = vae.residual;
    model->conditioning = choose_conditioning(model, &transformer);
    facts->conditioning = model->conditioning ? model->conditioning->name : "channels";
    if ((status = ff_defaults_read(model, error)))
        return status;
    for (size_t i = 0; i < model->expert_count; i++)
        model->experts[i].guidance_scale = facts->default_guidance_scale;
    double shift = facts->default_flow_shift;  // a run records it as an option
    if (!(shift >= FF_LEAST_FLOW_SHIFT && shift <= FF_MOST_FLOW_SHIFT))
        return ff_fail(error, FF_ERROR_INPUT, "%s: a flow shift of %g, must be %g to %g", ff_config_path(model->scheduler),
                       shift, FF_LEAST_FLOW_SHIFT, FF_MOST_FLOW_SHIFT);
    return FF_OK;
}

static ff_status open_folder(ff_model *model, ff_error *error)
{
    const char *folder = model->folder;
    ff_model_facts *facts = &model->facts;
    ff_expert *expert = &model->experts[model->expert_count++];
    ff_status status;
    expert->name = "transformer";
    if (!(status = read_index(model, error)) &&
        !(status = open_component(model, expert->name, "WanTransformer3DModel", &expert->files,
                                  &facts->transformer_class, error)) &&
        !(status = open_component(model, "vae", "AutoencoderKLWan", &model->vae_files, &facts->vae_class, error)) &&
        !(status = open_component(model, "text_encoder", "UMT5EncoderModel", &model->text_files,
                                  &facts->text_encoder_class, error)) &&
        !(status = ff_classes_text_encoder(model->text_files.config, error)) &&
        !(status = open_config(folder, "scheduler/scheduler_config.json", &model->scheduler, error)) &&
        !(status = ff_classes_scheduler(model->index, model->scheduler, &facts->scheduler_class, error)) &&
        !(status = open_tokenizer(model, error)) &&
        !(status = ff_transformer_open(expert->files.weights, expert->files.config, &expert->transformer, error)) &&
        !(status = ff_vae_open(model->vae_files.weights, model->vae_files.config, &model->vae, error)) &&
        !(status = ff_text_encoder_open(model->text_files.weights, model->text_files.config, &model->text_encoder,
                                        error)))
        status = gather_facts(model, error);
    return status;
}

ff_status ff_model_open(const char *folder, ff_model **out, ff_error *error)
{
    *out = NULL;
    if (!folder || !folder[0])
        return ff_fail(error, FF_ERROR_INPUT, "there is no model folder");
    ff_model *model = calloc(1, sizeof *model);
    if (!model || !(model->folder = strdup(folder))) {
        free(model);
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", folder);
    }
    ff_float_mode before = ff_float_mode_enter();
    ff_status status = open_folder(model, error);
    ff_float_mode_leave(before);
    if (status) {
        ff_model_close(model);
        return status;
    }
    *out = model;
    return FF_OK;
}

void ff_model_close(ff_model *model)
{
    if (!model)
        return;
    ff_word_list_close(model->words);
    ff_text_encoder_close(model->text_encoder);
    ff_vae_close(model->vae);
    for (size_t i = 0; i < model->expert_count; i++) {
        ff_expert_close(&model->experts[i]);
        close_component(&model->experts[i].files);
    }
    ff_tokenizer_close(model->tokenizer);
    close_component(&model->text_files);
    close_component(&model->vae_files);
    ff_config_close(model->scheduler);
    ff_config_close(model->defaults);
    ff_config_close(model->index);
    free(model->preview);
    free(model->folder);
    free(model);
}

size_t ff_model_expert(const ff_model *model, float timestep)
{
    size_t expert = 0;
    while (expert + 1 < model->expert_count && !(timestep >= model->experts[expert].from))
        expert++;
    return expert;
}

ff_model_facts ff_model_describe(const ff_model *model)
{
    return model->facts;
}

ff_status ff_model_unknown_words(const ff_model *model, const char *const *texts, size_t count, ff_unknown_words *out,
                                 ff_error *error)
{
    *out = (ff_unknown_words){0};
    if (!model->words || count == 0)
        return FF_OK;
    char **cleaned = calloc(count, sizeof *cleaned);
    ff_status status = cleaned ? FF_OK : ff_fail(error, FF_ERROR_MEMORY, "no memory for %zu prompts", count);
    for (size_t i = 0; i < count && !status; i++)
        status = ff_text_clean(texts[i], strlen(texts[i]), &cleaned[i], error);
    if (!status)
        status = ff_word_list_find_unknown(model->words, (const char *const *)cleaned, count, out, error);
    for (size_t i = 0; cleaned && i < count; i++)
        free(cleaned[i]);
    free(cleaned);
    return status;
}

// Files are hashed whole up to this size; of a larger one its size and its first bytes, and all of its header.
#define HASHED_WHOLE ((size_t)64 << 20)
#define HASHED_PART ((size_t)1 << 20)

// How many bytes of a file are hashed. A safetensors file begins with the length of its header; what begins otherwise
// gives a length beyond the file, and is hashed whole.
static size_t hashed_bytes(const ff_mapping *file)
{
    const uint8_t *bytes = file->data;
    uint64_t header = 0;
    if (file->size <= HASHED_WHOLE)
        return file->size;
    for (int i = 8; i-- > 0;)
        header = header << 8 | bytes[i];
    if (header > file->size - 8)
        return file->size;
    return header + 8 > HASHED_PART ? (size_t)header + 8 : HASHED_PART;
}

// name: what the hash calls the file, wherever the model lies.
static ff_status hash_file(ff_sha256 *hash, const char *path, const char *name, ff_error *error)
{
    ff_mapping file;
    ff_status status = ff_map_file(path, &file, error);
    if (status)
        return status;
    uint64_t size = file.size;
    ff_sha256_add(hash, name, strlen(name) + 1);
    ff_sha256_add(hash, &size, sizeof size);
    ff_sha256_add(hash, file.data, hashed_bytes(&file));
    ff_unmap_file(&file);
    return FF_OK;
}

static ff_status hash_config(ff_sha256 *hash, const char *folder, const char *name, ff_error *error)
{
    char path[FF_MOST_PATH];
    ff_status status = ff_model_path(path, folder, name, error);
    return status ? status : hash_file(hash, path, name, error);
}

static ff_status hash_tokenizer(ff_sha256 *hash, const char *folder, const ff_tokenizer *tokenizer, ff_error *error)
{
    char name[FF_MOST_PATH];
    ff_status status = FF_OK;
    for (size_t i = 0; i < ff_tokenizer_files(tokenizer) && !status; i++) {
        snprintf(name, sizeof name, "tokenizer/%s", ff_tokenizer_file(tokenizer, i));
        status = hash_config(hash, folder, name, error);
    }
    return status;
}

static ff_status hash_component(ff_sha256 *hash, const char *folder, const char *name, const ff_component *component,
                                ff_error *error)
{
    char config[FF_MOST_PATH];
    ff_status status = ff_model_path(config, name, "config.json", error);
    if (!status)
        status = hash_config(hash, folder, config, error);
    for (size_t i = 0; i < ff_weights_files(component->weights) && !status; i++) {
        const char *path = ff_weights_file(component->weights, i);
        status = hash_file(hash, path, path + strlen(folder) + 1, error);
    }
    return status;
}

static ff_status hash_model(const ff_model *model, uint8_t out[32], ff_error *error)
{
    ff_sha256 hash;
    ff_status status;
    ff_sha256_start(&hash);
    if ((status = hash_config(&hash, model->folder, "model_index.json", error)) ||
        (status = hash_config(&hash, model->folder, "scheduler/scheduler_config.json", error)) ||
        (status = hash_tokenizer(&hash, model->folder, model->tokenizer, error)) ||
        (status = hash_component(&hash, model->folder, "text_encoder", &model->text_files, error)))
        return status;
    for (size_t i = 0; i < model->expert_count; i++)
        if ((status = hash_component(&hash, model->folder, model->experts[i].name, &model->experts[i].files, error)))
            return status;
    if ((status = hash_component(&hash, model->folder, "vae", &model->vae_files, error)))
        return status;
    ff_sha256_finish(&hash, out);
    return FF_OK;
}

ff_status ff_model_hash(ff_model *model, uint8_t out[32], ff_error *error)
{
    ff_status status = model->hashed ? FF_OK : hash_model(model, model->hash, error);
    if (status)
        return status;
    model->hashed = true;
    memcpy(out, model->hash, sizeof model->hash);
    return FF_OK;
}

static ff_status hash_text_encoder(const ff_model *model, uint8_t out[32], ff_error *error)
{
    const ff_weights *weights = model->text_files.weights;
    uint64_t stamp[FF_STAMP_WORDS];
    ff_sha256 hash;
    ff_sha256_start(&hash);
    ff_status status = hash_component(&hash, model->folder, "text_encoder", &model->text_files, error);
    for (size_t i = 0; i < ff_weights_files(weights) && !status; i++) {
        if (!ff_stamp_file(ff_weights_file(weights, i), stamp))
            return ff_fail(error, FF_ERROR_IO, "%s: not there any more", ff_weights_file(weights, i));
        if (stamp[FF_STAMP_SIZE] > HASHED_WHOLE)
            ff_sha256_add(&hash, stamp, sizeof stamp);
    }
    ff_sha256_finish(&hash, out);
    return status;
}

ff_status ff_model_hash_text_encoder(ff_model *model, uint8_t out[32], ff_error *error)
{
    ff_status status = model->text_hashed ? FF_OK : hash_text_encoder(model, model->text_hash, error);
    if (status)
        return status;
    model->text_hashed = true;
    memcpy(out, model->text_hash, sizeof model->text_hash);
    return FF_OK;
}

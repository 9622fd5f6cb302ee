#include "model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../sampler/anchor.h"
#include "../sampler/schedule.h"
#include "../sampler/unconditioned.h"
#include "../base/system.h"
#include "classes.h"
#include "few_steps.h"
#include "needed.h"
#include "parts.h"
#include "wan_config.h"

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

void ff_model_note(ff_model *model, const char *format, ...)
{
    va_list arguments;
    size_t length = strlen(model->taken);
    length += (size_t)snprintf(model->taken + length, sizeof model->taken - length, "%s", length ? "; " : "");
    va_start(arguments, format);
    if (length < sizeof model->taken)
        vsnprintf(model->taken + length, sizeof model->taken - length, format, arguments);
    va_end(arguments);
    model->facts.taken = model->taken;
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
    model->facts.taken = *taken ? taken : NULL;
    if (model->layout == FF_LAYOUT_DIFFUSERS && strcmp(ff_tokenizer_file(model->tokenizer, 0), "spiece.model") == 0)
        ff_model_note(model, "tokenizer: spiece.model, as there is no tokenizer.json");
}

size_t ff_component_bytes(const ff_component *component)
{
    size_t bytes = 0;
    for (size_t i = 0; i < ff_weights_count(component->weights); i++) {
        ff_weight view;
        ff_weights_at(component->weights, i, &view);
        bytes += ff_weight_bytes(&view);
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

// The scheduler that Wan's pipelines have, for models without a folder that says: the flow shift is that of TI2V, or of
// all others.
static ff_status use_wans_scheduler(ff_model *model, ff_error *error)
{
    char text[256];
    snprintf(text, sizeof text, "{\"_class_name\": \"UniPCMultistepScheduler\", \"prediction_type\": "
             "\"flow_prediction\", \"use_flow_sigmas\": true, \"num_train_timesteps\": 1000, \"solver_order\": 2, "
             "\"flow_shift\": %s}", model->expand_timesteps ? "5.0" : "3.0");
    model->facts.scheduler_class = "UniPCMultistepScheduler";
    model->facts.pipeline_class = "WanPipeline";
    return ff_config_parse(model->folder, text, &model->scheduler, error);
}

// Latents of 48 channels are Wan2.2-TI2V's, which takes a still as known ones; a folder's config may say so too.
static ff_status guess_expansion(ff_model *model, ff_error *error)
{
    const ff_component *files = &model->experts[0].files;
    bool says = false;
    ff_config *config;
    ff_status status = FF_OK;
    if (files->config_file && !(status = ff_config_open(files->config_file, &config, error))) {
        status = ff_wan_config_expands(config, &says, error);
        ff_config_close(config);
    }
    model->expand_timesteps = says || ff_transformer_describe(model->experts[0].transformer).out_channels == 48;
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

// A part that was given must have the same latents as the other. A folder whose own parts have not is a model of another
// conditioning, which is told later.
static ff_status check_channels(const ff_model *model, const ff_transformer_shape *transformer, const ff_vae_shape *vae,
                                ff_error *error)
{
    char published[FF_NEEDED_TEXT];
    const ff_component *files = &model->experts[0].files;
    if (transformer->out_channels == vae->latent_channels || (!files->what && !model->vae_files.what))
        return FF_OK;
    ff_needed_file(FF_PART_VAE, transformer->out_channels, published);
    return ff_fail(error, FF_ERROR_INPUT, "%s has latents of %zu channels and %s of %zu: this VAE does not belong to this "
                   "transformer; give --vae with %s", ff_weights_origin(files->weights), transformer->out_channels,
                   ff_weights_origin(model->vae_files.weights), vae->latent_channels,
                   published);
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
    if ((status = check_channels(model, &transformer, &vae, error)))
        return status;
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
    facts->transformer_files = ff_weights_origin(model->experts[0].files.weights);
    facts->vae_files = ff_weights_origin(model->vae_files.weights);
    facts->text_encoder_files = ff_weights_origin(model->text_files.weights);
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
    if (model->experts[0].files.what)
        ff_guess_steps(model);
    for (size_t i = 0; i < model->expert_count; i++)
        model->experts[i].guidance_scale = facts->default_guidance_scale;
    double shift = facts->default_flow_shift;  // a run records it as an option
    if (!(shift >= FF_LEAST_FLOW_SHIFT && shift <= FF_MOST_FLOW_SHIFT))
        return ff_fail(error, FF_ERROR_INPUT, "%s: a flow shift of %g, must be %g to %g", ff_config_path(model->scheduler),
                       shift, FF_LEAST_FLOW_SHIFT, FF_MOST_FLOW_SHIFT);
    return FF_OK;
}

static ff_status open_transformer(ff_model *model, const char *given, ff_error *error)
{
    ff_expert *expert = &model->experts[model->expert_count++];
    expert->name = "transformer";
    ff_status status = ff_part_open(model, FF_PART_TRANSFORMER, given, &expert->files, &model->facts.transformer_class,
                                    error);
    return status ? status : ff_transformer_open(expert->files.weights, expert->files.config, &expert->transformer,
                                                 error);
}

static ff_status open_scheduler(ff_model *model, ff_error *error)
{
    if (model->layout != FF_LAYOUT_DIFFUSERS) {
        ff_status status = guess_expansion(model, error);
        return status ? status : use_wans_scheduler(model, error);
    }
    ff_status status = open_config(model->folder, "scheduler/scheduler_config.json", &model->scheduler, error);
    return status ? status : ff_classes_scheduler(model->index, model->scheduler, &model->facts.scheduler_class, error);
}

static ff_status open_parts(ff_model *model, const ff_model_parts *parts, ff_error *error)
{
    ff_model_facts *facts = &model->facts;
    ff_status status = FF_OK;
    if (parts->transformer_2)
        return ff_fail(error, FF_ERROR_INPUT, "%s: models with two transformers do not run yet", parts->transformer_2);
    if (parts->image_encoder)
        return ff_fail(error, FF_ERROR_INPUT, "%s: models that see a picture through an image encoder do not run yet",
                       parts->image_encoder);
    if (parts->model)
        status = ff_parts_find_layout(model, error);
    if (!status && model->layout == FF_LAYOUT_DIFFUSERS)
        status = read_index(model, error);
    if (!status && !(status = open_transformer(model, parts->transformer, error)) &&
        !(status = ff_part_open(model, FF_PART_VAE, parts->vae, &model->vae_files, &facts->vae_class, error)) &&
        !(status = ff_part_open(model, FF_PART_TEXT_ENCODER, parts->text_encoder, &model->text_files,
                                &facts->text_encoder_class, error)) &&
        !(status = open_scheduler(model, error)) &&
        !(status = ff_part_open_tokenizer(model, parts->tokenizer, error)) &&
        !(status = ff_vae_open(model->vae_files.weights, model->vae_files.config, &model->vae, error)) &&
        !(status = ff_text_encoder_open(model->text_files.weights, model->text_files.config, &model->text_encoder,
                                        error)))
        status = gather_facts(model, error);
    return status;
}

ff_status ff_model_open_parts(const ff_model_parts *parts, ff_model **out, ff_error *error)
{
    const char *named = parts->model ? parts->model : parts->transformer;
    *out = NULL;
    if (!named || !named[0])
        return ff_fail(error, FF_ERROR_INPUT, "there is no model folder and no transformer");
    ff_model *model = calloc(1, sizeof *model);
    if (!model || !(model->folder = strdup(named))) {
        free(model);
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", named);
    }
    ff_float_mode before = ff_float_mode_enter();
    ff_status status = open_parts(model, parts, error);
    ff_float_mode_leave(before);
    if (status) {
        ff_model_close(model);
        return status;
    }
    *out = model;
    return FF_OK;
}

ff_status ff_model_open(const char *model, ff_model **out, ff_error *error)
{
    return ff_model_open_parts(&(ff_model_parts){.model = model}, out, error);
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
        ff_part_close(&model->experts[i].files);
    }
    ff_tokenizer_close(model->tokenizer);
    ff_part_close(&model->text_files);
    ff_part_close(&model->vae_files);
    ff_config_close(model->scheduler);
    ff_config_close(model->defaults);
    ff_config_close(model->index);
    free(model->tokenizer_folder);
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

#include "../commands/commands.h"
#include "inspect_weights.h"
#include "../files/host.h"
#include "../files/metadata.h"
#include "../files/model_folder.h"
#include "../run/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- a model folder ----

static void report_model(const ff_model_facts *facts, const uint8_t hash[32], ff_report *report)
{
    cJSON *object = report->object;
    const struct {
        const char *key, *value;
    } texts[] = {
        {"folder", facts->folder}, {"transformer_files", facts->transformer_files}, {"vae_files", facts->vae_files},
        {"text_encoder_files", facts->text_encoder_files}, {"pipeline", facts->pipeline_class}, {"transformer", facts->transformer_class},
        {"vae", facts->vae_class}, {"text_encoder", facts->text_encoder_class}, {"scheduler", facts->scheduler_class},
        {"conditioning", facts->conditioning}, {"negative", facts->default_negative_prompt}, {"draws", facts->draws},
    };
    const struct {
        const char *key;
        size_t value;
    } sizes[] = {
        {"transformer_parameters", facts->transformer_parameters}, {"vae_parameters", facts->vae_parameters},
        {"text_encoder_parameters", facts->text_encoder_parameters}, {"vocabulary", facts->vocabulary},
        {"weight_bytes", facts->weight_bytes}, {"layers", facts->layers}, {"dim", facts->dim}, {"heads", facts->heads},
        {"head_dim", facts->head_dim}, {"ffn_dim", facts->ffn_dim}, {"text_dim", facts->text_dim},
        {"latent_channels", facts->latent_channels}, {"spatial_factor", facts->spatial_factor},
        {"temporal_factor", facts->temporal_factor}, {"multiple_width", facts->multiple_width},
        {"multiple_height", facts->multiple_height}, {"width", facts->default_width},
        {"height", facts->default_height}, {"frames", facts->default_frames}, {"steps", facts->default_steps},
    };
    cJSON_AddStringToObject(object, "kind", "model");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].value)
            ff_json_text(object, texts[i].key, texts[i].value);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        ff_json_whole(object, sizes[i].key, sizes[i].value);
    if (facts->known_words)
        ff_json_whole(object, "known_words", facts->known_words);
    if (facts->multiple_width == facts->multiple_height)
        ff_json_whole(object, "multiple", facts->multiple_width);
    cJSON_AddBoolToObject(object, "expand_timesteps", facts->expand_timesteps);
    cJSON_AddBoolToObject(object, "residual_vae", facts->residual_vae);
    ff_json_number(object, "fps", facts->default_fps);
    ff_json_number(object, "guidance", facts->default_guidance_scale);
    ff_json_number(object, "flow_shift", facts->default_flow_shift);
    ff_json_hash(object, "model_sha256", hash);
}

// Where each part lies, if one is not in the model's folder.
static void print_files(const ff_model_facts *facts, ff_report *report)
{
    const char *const files[] = {facts->transformer_files, facts->vae_files, facts->text_encoder_files};
    size_t length = strlen(facts->folder);
    bool elsewhere = false;
    for (size_t i = 0; i < 3; i++)
        elsewhere = elsewhere || strncmp(files[i], facts->folder, length) != 0 || files[i][length] != '/';
    for (size_t i = 0; i < 3 && elsewhere; i++)
        ff_report_line(report, "  %-13s %s", "file", files[i]);
}

// plan: of a clip as by default, or NULL if there can be none.
static void print_model(const ff_model_facts *facts, const ff_plan *plan, const uint8_t hash[32], ff_report *report)
{
    char digits[65], multiples[48];
    double million = 1e6, megabyte = 1024 * 1024;
    ff_print_hash(hash, digits);
    ff_print_multiples(facts, multiples);
    ff_report_line(report, "%s: %s, model %.12s", facts->folder, facts->pipeline_class, digits);
    print_files(facts, report);
    ff_report_line(report, "  transformer   %s, %.3g M parameters: %zu layers of %zu = %zu heads x %zu, ffn %zu%s",
                   facts->transformer_class, (double)facts->transformer_parameters / million, facts->layers, facts->dim,
                   facts->heads, facts->head_dim, facts->ffn_dim,
                   facts->expand_timesteps ? ", a timestep per token" : "");
    ff_report_line(report, "  vae           %s%s, %.3g M parameters: %zu channels, %zux%zux%zu",
                   facts->vae_class, facts->residual_vae ? " (residual)" : "", (double)facts->vae_parameters / million,
                   facts->latent_channels, facts->temporal_factor, facts->spatial_factor, facts->spatial_factor);
    ff_report_line(report, "  text encoder  %s, %.3g M parameters: dim %zu, %zu pieces in the vocabulary",
                   facts->text_encoder_class, (double)facts->text_encoder_parameters / million, facts->text_dim,
                   facts->vocabulary);
    ff_report_line(report, "  scheduler     %s, flow shift %g", facts->scheduler_class, facts->default_flow_shift);
    ff_report_line(report, "  first frame   %s", strcmp(facts->conditioning, "anchor") == 0
                   ? "as an anchor" : "cannot be given: i2v and inpaint do not work with this model");
    ff_report_line(report, "  defaults      %zux%zu, %zu frames at %g fps, %zu steps, guidance %g; sizes are multiples "
                   "of %s", facts->default_width, facts->default_height, facts->default_frames, facts->default_fps,
                   facts->default_steps, facts->default_guidance_scale, multiples);
    if (facts->default_negative_prompt && *facts->default_negative_prompt)
        ff_report_line(report, "  negative      %s", facts->default_negative_prompt);
    if (facts->draws)
        ff_report_line(report, "  draws         %s, whatever is asked", facts->draws);
    if (facts->known_words)
        ff_report_line(report, "  words         %zu that it knows; of others in a prompt a note tells",
                       facts->known_words);
    if (plan)
        ff_report_line(report, "  memory        %.0f MiB of weights, mapped; %.0f MiB for a clip as by default",
                       (double)facts->weight_bytes / megabyte, (double)plan->memory_bytes / megabyte);
}

// A folder of another pipeline: what it holds all the same. The error says what is expected.
static void survey_model(const char *folder, ff_report *report)
{
    ff_survey *survey;
    if (ff_survey_open(folder, &survey, NULL) != FF_OK)
        return;
    const char *pipeline = ff_survey_pipeline(survey);
    if (ff_survey_supported(survey)) {
        ff_survey_close(survey);
        return;
    }
    cJSON_AddStringToObject(report->object, "kind", "model");
    ff_json_text(report->object, "folder", folder);
    ff_json_text(report->object, "pipeline", pipeline);
    ff_report_line(report, "%s: %s, cannot be used", folder, *pipeline ? pipeline : "no pipeline");
    cJSON *list = cJSON_AddArrayToObject(report->object, "parts");
    for (size_t i = 0; i < ff_survey_count(survey); i++) {
        ff_survey_part part = ff_survey_at(survey, i);
        cJSON *entry = cJSON_CreateObject();
        ff_json_text(entry, "name", part.name);
        ff_json_text(entry, "class", part.class_name);
        ff_json_whole(entry, "tensors", part.tensors);
        ff_json_whole(entry, "weight_bytes", part.bytes);
        cJSON_AddItemToArray(list, entry);
        if (part.tensors)
            ff_report_line(report, "  %-13s %s: %zu tensors, %.3g MB", part.name, part.class_name, part.tensors,
                           (double)part.bytes / 1e6);
        else
            ff_report_line(report, "  %-13s %s", part.name, part.class_name);
    }
    ff_survey_close(survey);
}

static ff_status inspect_model(const ff_model_parts *parts, ff_report *report, ff_error *error)
{
    ff_model *model;
    ff_plan plan;
    uint8_t hash[32];
    ff_request request = ff_request_default(FF_TEXT_TO_VIDEO);
    ff_model_choice choice;
    ff_status status = ff_model_choose(parts, &choice, error);
    if (status != FF_OK)
        return status;
    status = ff_model_choice_open(&choice, report, &model, error);
    if (status != FF_OK) {
        survey_model(choice.path, report);
        return status;
    }
    ff_model_facts facts = ff_model_describe(model);
    status = ff_model_hash(model, hash, error);
    if (status != FF_OK) {
        ff_model_close(model);
        return status;
    }
    request.prompt = "";
    bool planned = ff_plan_request(model, &request, &plan, error) == FF_OK;
    report_model(&facts, hash, report);
    print_model(&facts, planned ? &plan : NULL, hash, report);
    if (planned)
        ff_json_whole(report->object, "memory_bytes", plan.memory_bytes);
    else
        ff_report_note(report, "no memory is told, as a clip as by default cannot be made: %s", error->message);
    ff_model_close(model);
    return FF_OK;
}

// ---- a picture ----

static void print_record(const char *path, const cJSON *record, ff_report *report)
{
    const char *command = ff_record_text(record, "command"), *program = ff_record_text(record, "program");
    const char *hash = ff_record_text(record, "frames_sha256"), *model = ff_record_model_hash(record);
    const cJSON *width = cJSON_GetObjectItem(record, "width"), *height = cJSON_GetObjectItem(record, "height");
    const cJSON *frames = cJSON_GetObjectItem(record, "frames");
    ff_report_line(report, "%s: made by %s with %s", path, program ? program : "an unknown program",
                   command ? command : "an unknown command");
    for (int id = 0; id < FF_OPTIONS; id++) {
        const ff_option *option = &ff_option_table[id];
        const char *value = ff_record_option(record, option);
        ff_record_input input;
        for (size_t i = 0; ff_record_input_at(record, option, i, &input); i++)
            ff_report_line(report, "  %-13s %s%s%s (SHA-256 %.12s)", option->name, input.path, input.number ? ":" : "",
                           input.number ? input.number : "", input.sha256 ? input.sha256 : "unknown");
        if (value)
            ff_report_line(report, "  %-13s %s", option->name, option->kind == FF_KIND_FLAG ? "yes" : value);
    }
    if (cJSON_IsNumber(width) && cJSON_IsNumber(height) && cJSON_IsNumber(frames))
        ff_report_line(report, "  %-13s %.0f of %.0fx%.0f", "result", frames->valuedouble, width->valuedouble,
                       height->valuedouble);
    ff_report_line(report, "  %-13s %.12s", "model", model ? model : "unknown");
    const cJSON *place;   // where the model and its parts were
    cJSON_ArrayForEach(place, cJSON_GetObjectItemCaseSensitive(record, "model"))
        if (strcmp(place->string, "sha256") != 0 && cJSON_IsString(place))
            ff_report_line(report, "  %-13s %s", place->string, place->valuestring);
    ff_report_line(report, "  %-13s %s", "frames_sha256", hash ? hash : "unknown");
}

static ff_status inspect_picture(const char *path, ff_report *report, ff_error *error)
{
    char *text;
    ff_status status = ff_metadata_read(path, &text, error);
    if (status != FF_OK)
        return status;
    cJSON *record = cJSON_Parse(text);
    free(text);
    if (!cJSON_IsObject(record)) {
        cJSON_Delete(record);
        return ff_fail(error, FF_ERROR_INPUT, "%s: its metadata is not a JSON object", path);
    }
    cJSON_AddStringToObject(report->object, "kind", "picture");
    ff_json_text(report->object, "file", path);
    print_record(path, record, report);
    cJSON_AddItemToObject(report->object, "record", record);
    return FF_OK;
}

// Whether what begins so is a file of weights: the length of a JSON object that follows, or GGUF.
static bool is_weights(const char *path)
{
    uint8_t bytes[9] = {0};
    uint64_t length = 0;
    FILE *file = fopen(path, "rb");
    bool read = file && fread(bytes, sizeof bytes, 1, file) == 1;
    if (file)
        fclose(file);
    for (int i = 8; i-- > 0;)
        length = length << 8 | bytes[i];
    return read && (memcmp(bytes, "GGUF", 4) == 0 || (bytes[8] == '{' && length < (uint64_t)1 << 32));
}

static bool ends_so(const char *path, const char *ending)
{
    size_t length = strlen(path), size = strlen(ending);
    return length > size && strcmp(path + length - size, ending) == 0;
}

ff_status ff_command_inspect(const ff_options *options, ff_report *report, ff_error *error)
{
    const char *path = options->operand;
    ff_model_parts parts = options->model;
    bool made = false;
    for (size_t i = 1; i < FF_MODEL_OPTIONS; i++)
        made = made || options->given[ff_model_options[i]];
    if (path && options->model.model)
        return ff_fail(error, FF_ERROR_INPUT, "%s and --model %s: one of them is enough", path, options->model.model);
    if (!path)
        return inspect_model(&parts, report, error);
    if (!ff_host_exists(path))
        return ff_fail(error, FF_ERROR_INPUT, "%s: no such file or folder", path);
    parts.model = path;
    if (made || ff_host_is_folder(path))
        return inspect_model(&parts, report, error);
    if (is_weights(path) || ends_so(path, ".safetensors") || ends_so(path, ".gguf"))
        return ff_inspect_weights(path, report, error);
    return inspect_picture(path, report, error);
}

#include "record.h"
#include "../commands/commands.h"
#include "../line/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "firstframe " FF_VERSION

static bool is_recorded(const ff_option *option)
{
    return option->effect != FF_CHANGES_NOTHING;
}

// inputs: receives what the record says of an option's files.   texts: as typed
static bool add_inputs(cJSON *inputs, const ff_option *option, const ff_texts *texts, const uint8_t hashes[][32])
{
    cJSON *list = cJSON_AddArrayToObject(inputs, option->name);
    bool good = list != NULL;
    for (size_t i = 0; i < texts->count && good; i++) {
        double number;
        char text[32];
        char *path = strndup(texts->texts[i], ff_split_number(texts->texts[i], &number));
        cJSON *input = cJSON_CreateObject();
        ff_print_number(number, text);
        good = path && input && ff_json_text(input, "path", path) && ff_json_text(input, "number", text);
        ff_json_hash(input, "sha256", hashes[i]);
        cJSON_AddItemToArray(list, input);
        free(path);
    }
    return good;
}

cJSON *ff_record_create(const ff_options *resolved, const ff_input_hashes *hashes, const uint8_t model_hash[32])
{
    cJSON *record = cJSON_CreateObject(), *options, *inputs, *model;
    char seed[24];
    bool good = true;
    cJSON_AddStringToObject(record, "program", PROGRAM);
    cJSON_AddStringToObject(record, "command", ff_command_name(resolved->command));
    ff_json_text(record, "prompt", resolved->prompt ? resolved->prompt : "");
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)resolved->seed.value);
    cJSON_AddStringToObject(record, "seed", seed);
    options = cJSON_AddObjectToObject(record, "options");
    inputs = cJSON_AddObjectToObject(record, "inputs");
    for (int id = 0; id < FF_OPTIONS; id++) {
        const ff_option *option = &ff_option_table[id];
        if (!is_recorded(option) || !resolved->given[id])
            continue;
        if (option->kind == FF_KIND_INPUTS) {
            good = good && add_inputs(inputs, option, (const ff_texts *)((const char *)resolved + option->offset),
                                      hashes->of[id]);
            continue;
        }
        char *text = ff_option_print(resolved, (ff_option_id)id);
        if (!text) {
            good = false;
        } else if (option->kind == FF_KIND_INPUT) {
            cJSON *input = cJSON_AddObjectToObject(inputs, option->name);
            good = good && ff_json_text(input, "path", text);
            ff_json_hash(input, "sha256", hashes->of[id][0]);
        } else {
            good = good && ff_json_text(options, option->name, text);
        }
        free(text);
    }
    model = cJSON_AddObjectToObject(record, "model");
    ff_json_hash(model, "sha256", model_hash);
    for (size_t i = 0; i < FF_MODEL_OPTIONS; i++) {
        const char *path = ff_options_path(resolved, ff_model_options[i]);
        if (path)
            good = good && ff_json_text(model, ff_record_model_key(i), path);
    }
    if (!good || !ff_record_model_hash(record)) {
        cJSON_Delete(record);
        return NULL;
    }
    return record;
}

void ff_record_complete(cJSON *record, const ff_plan *plan, double fps, const uint8_t frames_sha256[32])
{
    ff_json_whole(record, "width", plan->width);
    ff_json_whole(record, "height", plan->height);
    ff_json_whole(record, "frames", plan->frames);
    if (plan->frames > 1)
        ff_json_number(record, "fps", fps);
    ff_json_hash(record, "frames_sha256", frames_sha256);
}

const char *ff_record_text(const cJSON *record, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(record, key));
}

const char *ff_record_option(const cJSON *record, const ff_option *option)
{
    if (!is_recorded(option))
        return NULL;
    return ff_record_text(cJSON_GetObjectItemCaseSensitive(record, "options"), option->name);
}

bool ff_record_input_at(const cJSON *record, const ff_option *option, size_t i, ff_record_input *out)
{
    const cJSON *inputs = cJSON_GetObjectItemCaseSensitive(record, "inputs");
    const cJSON *input = cJSON_GetObjectItemCaseSensitive(inputs, option->name);
    if (cJSON_IsArray(input))
        input = cJSON_GetArrayItem(input, (int)i);
    else if (i > 0)
        input = NULL;
    *out = (ff_record_input){ff_record_text(input, "path"), ff_record_text(input, "sha256"),
                             ff_record_text(input, "number")};
    return is_recorded(option) && out->path;
}

const char *ff_record_model_hash(const cJSON *record)
{
    return ff_record_text(cJSON_GetObjectItemCaseSensitive(record, "model"), "sha256");
}

const char *ff_record_model_key(size_t i)
{
    return i == 0 ? "folder" : ff_option_table[ff_model_options[i]].name;
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

// "a.safetensors:0.5"
static void print_input(const ff_record_input *input, char out[128])
{
    if (!input->path)
        snprintf(out, 128, "not given");
    else
        snprintf(out, 128, "%.90s%s%.30s", input->path, input->number ? ":" : "", input->number ? input->number : "");
}

// The first of an option's files that is another.
static bool inputs_differ(const cJSON *then, const cJSON *now, const ff_option *option, char *out, size_t capacity)
{
    for (size_t i = 0;; i++) {
        ff_record_input one, other;
        char before[128], after[128];
        bool was = ff_record_input_at(then, option, i, &one), is = ff_record_input_at(now, option, i, &other);
        if (!was && !is)
            return false;
        if (same(one.sha256, other.sha256) && same(one.number, other.number))
            continue;
        print_input(&one, before);
        print_input(&other, after);
        if (same(one.path, other.path) && same(one.number, other.number))
            snprintf(out, capacity, "the content of --%s %.100s is another", option->name, one.path);
        else
            snprintf(out, capacity, "--%s was %s, is %s", option->name, before, after);
        return true;
    }
}

bool ff_record_differs(const cJSON *then, const cJSON *now, char *out, size_t capacity)
{
    static const char *const keys[] = {"program", "command"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *before = ff_record_text(then, keys[i]), *after = ff_record_text(now, keys[i]);
        if (same(before, after))
            continue;
        snprintf(out, capacity, "the %s was %.60s, is %.60s", keys[i], before ? before : "unknown",
                 after ? after : "unknown");
        return true;
    }
    for (int id = 0; id < FF_OPTIONS; id++) {
        const ff_option *option = &ff_option_table[id];
        const char *before = ff_record_option(then, option), *after = ff_record_option(now, option);
        if (option->effect != FF_CHANGES_FRAMES)
            continue;
        if (inputs_differ(then, now, option, out, capacity))
            return true;
        if (same(before, after))
            continue;
        snprintf(out, capacity, "--%s was %.100s, is %.100s", option->name, before ? before : "not given",
                 after ? after : "not given");
        return true;
    }
    if (!same(ff_record_model_hash(then), ff_record_model_hash(now))) {
        snprintf(out, capacity, "the model is another");
        return true;
    }
    return false;
}

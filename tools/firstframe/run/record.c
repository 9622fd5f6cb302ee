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

cJSON *ff_record_create(const ff_options *resolved, const uint8_t input_hashes[][32], const uint8_t model_hash[32])
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
        char *text = ff_option_print(resolved, (ff_option_id)id);
        if (!text) {
            good = false;
        } else if (option->kind == FF_KIND_INPUT) {
            cJSON *input = cJSON_AddObjectToObject(inputs, option->name);
            good = good && ff_json_text(input, "path", text);
            ff_json_hash(input, "sha256", input_hashes[id]);
        } else {
            good = good && ff_json_text(options, option->name, text);
        }
        free(text);
    }
    model = cJSON_AddObjectToObject(record, "model");
    ff_json_hash(model, "sha256", model_hash);
    if (resolved->model)
        ff_json_text(model, "folder", resolved->model);
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
    if (option->kind != FF_KIND_INPUT)
        return ff_record_text(cJSON_GetObjectItemCaseSensitive(record, "options"), option->name);
    const cJSON *inputs = cJSON_GetObjectItemCaseSensitive(record, "inputs");
    return ff_record_text(cJSON_GetObjectItemCaseSensitive(inputs, option->name), "path");
}

const char *ff_record_input_hash(const cJSON *record, const ff_option *option)
{
    const cJSON *inputs = cJSON_GetObjectItemCaseSensitive(record, "inputs");
    return ff_record_text(cJSON_GetObjectItemCaseSensitive(inputs, option->name), "sha256");
}

const char *ff_record_model_hash(const cJSON *record)
{
    return ff_record_text(cJSON_GetObjectItemCaseSensitive(record, "model"), "sha256");
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
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
        bool input = option->kind == FF_KIND_INPUT;
        const char *before = ff_record_option(then, option), *after = ff_record_option(now, option);
        if (option->effect != FF_CHANGES_FRAMES)
            continue;
        if (input ? same(ff_record_input_hash(then, option), ff_record_input_hash(now, option)) : same(before, after))
            continue;
        if (input && same(before, after))
            snprintf(out, capacity, "the content of --%s %.100s is another", option->name, before ? before : "");
        else
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

#include "job_loras.h"
#include "../files/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Prompts of stable-diffusion.cpp and of its like name LoRAs inside: <lora:name:1>. Here that would be read as words.
static ff_status check_prompt(const char *prompt, ff_error *error)
{
    const char *tag = prompt ? strstr(prompt, "<lora:") : NULL;
    if (!tag)
        return FF_OK;
    size_t length = strcspn(tag, ">");
    return ff_fail(error, FF_ERROR_INPUT, "the prompt has %.*s%s, which would be read as words; take it out and give the "
                   "file with --lora FILE:STRENGTH", (int)(length < 60 ? length : 60), tag, tag[length] ? ">" : "");
}

static void describe(cJSON *list, const char *path, double strength, const ff_lora_facts *facts)
{
    cJSON *object = cJSON_CreateObject();
    ff_json_text(object, "path", path);
    ff_json_number(object, "strength", strength);
    ff_json_text(object, "layout", facts->layout);
    ff_json_whole(object, "tensors", facts->tensors);
    ff_json_whole(object, "bytes", facts->bytes);
    ff_json_whole(object, "products", facts->products);
    ff_json_whole(object, "least_rank", facts->least_rank);
    ff_json_whole(object, "most_rank", facts->most_rank);
    ff_json_number(object, "least_scale", facts->least_scale);
    ff_json_number(object, "most_scale", facts->most_scale);
    ff_json_whole(object, "sums", facts->sums);
    ff_json_whole(object, "ignored", facts->ignored);
    ff_json_whole(object, "unmatched", facts->unmatched);
    cJSON_AddItemToArray(list, object);
}

static void note(const ff_job *job, const char *path, const ff_lora_facts *facts)
{
    char text[512];
    if (facts->unmatched) {
        snprintf(text, sizeof text, "%zu of %zu tensors of %.200s match nothing in this transformer, such as %.128s",
                 facts->unmatched, facts->tensors, path, facts->unmatched_name);
        ff_report_note_once(job->report, text);
    }
    if (facts->ignored) {
        snprintf(text, sizeof text, "%zu of %zu tensors of %.200s are for sparse attention (to_gate_compress) and "
                 "ignored: attention here is dense", facts->ignored, facts->tensors, path);
        ff_report_note_once(job->report, text);
    }
}

static ff_status add(ff_job *job, ff_option_id id, size_t i, const char *text, cJSON *list, ff_error *error)
{
    double strength;
    ff_lora_facts facts;
    char *path = strndup(text, ff_split_number(text, &strength));
    if (!path)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for --%s", ff_option_table[id].name);
    ff_status status = ff_host_hash_file(path, job->input_hashes.of[id][i], error);
    if (status == FF_OK)
        status = ff_model_add_lora(job->model, id == FF_OPTION_LORA_2, path, strength, &facts, error);
    if (status == FF_OK) {
        describe(list, path, strength, &facts);
        note(job, path, &facts);
    }
    free(path);
    return status;
}

ff_status ff_job_add_loras(ff_job *job, ff_error *error)
{
    const ff_options *options = job->options;
    const ff_texts *all[] = {&options->loras, &options->loras_2};
    cJSON *list = cJSON_CreateArray();
    ff_status status = FF_OK;
    if (!options->expected && ((status = check_prompt(options->prompt, error)) ||
                               (status = check_prompt(options->negative, error)))) {
        cJSON_Delete(list);
        return status;
    }
    for (size_t which = 0; which < 2; which++)
        for (size_t i = 0; i < all[which]->count && status == FF_OK; i++)
            status = add(job, which ? FF_OPTION_LORA_2 : FF_OPTION_LORA, i, all[which]->texts[i], list, error);
    if (cJSON_GetArraySize(list) > 0 && !cJSON_HasObjectItem(job->report->object, "loras"))
        cJSON_AddItemToObject(job->report->object, "loras", list);
    else
        cJSON_Delete(list);
    return status;
}

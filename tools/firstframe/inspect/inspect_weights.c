#include "inspect_weights.h"

#include <stdio.h>
#include <string.h>

// shown: to people too; the parts of models have more than can be read
static void print_tensor(const ff_listed *tensor, bool shown, ff_report *report, cJSON *list)
{
    char shape[128] = "";
    size_t length = 0;
    cJSON *entry = cJSON_CreateObject(), *sides = cJSON_CreateArray();
    for (size_t i = 0; i < tensor->rank; i++) {
        length += (size_t)snprintf(shape + length, sizeof shape - length, "%s%zu", i ? ", " : "", tensor->shape[i]);
        cJSON_AddItemToArray(sides, cJSON_CreateNumber((double)tensor->shape[i]));
    }
    ff_json_text(entry, "name", tensor->name);
    cJSON_AddStringToObject(entry, "dtype", tensor->dtype);
    cJSON_AddItemToObject(entry, "shape", sides);
    cJSON_AddItemToArray(list, entry);
    if (shown)
        ff_report_line(report, "  %-4s [%s] %s", tensor->dtype, shape, tensor->name);
}

// ---- element types ----

enum { MOST_TYPES = 32 };
typedef struct element_types {
    size_t count;
    struct {
        const char *dtype;
        size_t tensors, bytes;
    } at[MOST_TYPES];
} element_types;

static element_types count_types(const ff_listing *listing)
{
    element_types types = {0};
    for (size_t i = 0; i < ff_listing_count(listing); i++) {
        ff_listed tensor = ff_listing_at(listing, i);
        size_t k = 0;
        while (k < types.count && strcmp(types.at[k].dtype, tensor.dtype) != 0)
            k++;
        if (k == MOST_TYPES)
            continue;
        if (k == types.count)
            types.at[types.count++].dtype = tensor.dtype;
        types.at[k].tensors++;
        types.at[k].bytes += tensor.bytes;
    }
    return types;
}

static void print_types(const ff_listing *listing, ff_report *report)
{
    const element_types types = count_types(listing);
    cJSON *list = cJSON_AddArrayToObject(report->object, "element_types");
    for (size_t i = 0; i < types.count; i++) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddStringToObject(entry, "dtype", types.at[i].dtype);
        ff_json_whole(entry, "tensors", types.at[i].tensors);
        ff_json_whole(entry, "bytes", types.at[i].bytes);
        cJSON_AddItemToArray(list, entry);
        ff_report_line(report, "  %-8s %zu tensors, %zu bytes", types.at[i].dtype, types.at[i].tensors,
                       types.at[i].bytes);
    }
}

// ---- what it is ----

static void print_part(const char *path, const ff_recognised_part *part, ff_report *report, cJSON *list)
{
    cJSON *entry = cJSON_CreateObject(), *needs;
    ff_json_text(entry, "part", part->part ? part->part : "none");
    ff_json_text(entry, "what", part->what);
    ff_json_text(entry, "why", part->why);
    ff_json_text(entry, "prefix", part->prefix);
    cJSON_AddBoolToObject(entry, "runs", part->part && !part->refused);
    if (part->refused)
        ff_json_text(entry, "refused", part->refused);
    if (part->geometry[0])
        ff_json_text(entry, "geometry", part->geometry);
    needs = cJSON_AddArrayToObject(entry, "needs");
    cJSON_AddItemToArray(list, entry);
    ff_report_line(report, "%s: taken for %s, as it has %s", path, part->what, part->why);
    if (part->geometry[0])
        ff_report_line(report, "  sizes    %s", part->geometry);
    if (part->refused)
        ff_report_line(report, "  refused  it is %s", part->refused);
    for (size_t i = 0; i < 2 && part->needs[i][0]; i++) {
        cJSON_AddItemToArray(needs, cJSON_CreateString(part->needs[i]));
        ff_report_line(report, "  needs    %s", part->needs[i]);
    }
}

// What --lora would do with it; nothing is said of a file that is no LoRA.
static void print_lora(const char *path, ff_report *report)
{
    ff_lora_facts facts;
    if (ff_lora_inspect(path, &facts, NULL))
        return;
    cJSON *entry = cJSON_AddObjectToObject(report->object, "lora");
    ff_json_text(entry, "layout", facts.layout);
    ff_json_whole(entry, "products", facts.products);
    ff_json_whole(entry, "least_rank", facts.least_rank);
    ff_json_whole(entry, "most_rank", facts.most_rank);
    cJSON_AddNumberToObject(entry, "least_scale", facts.least_scale);
    cJSON_AddNumberToObject(entry, "most_scale", facts.most_scale);
    ff_json_whole(entry, "sums", facts.sums);
    ff_json_whole(entry, "ignored", facts.ignored);
    ff_report_line(report, "  layout   %s", facts.layout);
    if (facts.products)
        ff_report_line(report, "  products %zu, of rank %zu to %zu, alpha / rank %g to %g", facts.products,
                       facts.least_rank, facts.most_rank, facts.least_scale, facts.most_scale);
    if (facts.sums)
        ff_report_line(report, "  sums     %zu tensors that are added as they are", facts.sums);
    if (facts.ignored)
        ff_report_line(report, "  ignored  %zu tensors of sparse attention, which is not computed", facts.ignored);
    ff_report_line(report, "  used     with --lora %s:STRENGTH, beside the transformer it was made for", path);
}

ff_status ff_inspect_weights(const char *path, ff_report *report, ff_error *error)
{
    static const char *const keys[] = {"prompt", "negative_prompt", "seed", "guidance_scale", "num_inference_steps",
                                       "flow_shift", "scheduler", "dtype", "format"};
    ff_listing *listing;
    ff_recognised_parts parts;
    ff_status status = ff_file_recognise(path, &parts, error);
    if (status == FF_OK)
        status = ff_listing_open(path, &listing, error);
    if (status != FF_OK)
        return status;
    size_t count = ff_listing_count(listing), bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += ff_listing_at(listing, i).bytes;
    cJSON_AddStringToObject(report->object, "kind", parts.count ? "weights" : "safetensors");
    ff_json_text(report->object, "file", path);
    ff_json_whole(report->object, "bytes", bytes);
    ff_report_line(report, "%s: %zu tensors, %zu bytes", path, count, bytes);
    print_types(listing, report);
    cJSON *taken = cJSON_AddArrayToObject(report->object, "parts");
    for (size_t i = 0; i < parts.count; i++)
        print_part(path, &parts.at[i], report, taken);
    if (parts.count)
        print_lora(path, report);
    cJSON *metadata = cJSON_AddObjectToObject(report->object, "metadata");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *value = ff_listing_metadata(listing, keys[i]);
        if (!value)
            continue;
        ff_json_text(metadata, keys[i], value);
        ff_report_line(report, "  %s: %s", keys[i], value);
    }
    cJSON *list = cJSON_AddArrayToObject(report->object, "tensors");
    for (size_t i = 0; i < count; i++) {
        ff_listed tensor = ff_listing_at(listing, i);
        print_tensor(&tensor, !parts.count, report, list);
    }
    ff_listing_close(listing);
    return FF_OK;
}


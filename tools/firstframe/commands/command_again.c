#include "commands.h"
#include "../files/host.h"
#include "../files/metadata.h"
#include "../run/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The arguments of the earlier run, then those of this one, which take their place.
typedef struct arguments {
    char *list[FF_OPTIONS + 2 * FF_MOST_TEXTS];
    int count;
} arguments;

// number: what follows the value after a colon, or NULL
static ff_status add_argument(arguments *all, const ff_option *option, const char *value, const char *number,
                              ff_error *error)
{
    size_t size = strlen(option->name) + strlen(value) + (number ? strlen(number) : 0) + 5;
    char *text = malloc(size);
    if (!text)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for --%s", option->name);
    snprintf(text, size, option->kind == FF_KIND_FLAG ? "--%s" : "--%s=%s%s%s", option->name, value, number ? ":" : "",
             number ? number : "");
    all->list[all->count++] = text;
    return FF_OK;
}

// Where an input lies now: at its recorded path, or beside the file that tells of it. The caller frees the result.
static char *locate(const char *path, const char *source)
{
    const char *slash = strrchr(source, '/'), *name = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - source) + 1 : 0;
    name = name ? name + 1 : path;
    if (ff_host_exists(path))
        return strdup(path);
    char *beside = malloc(folder + strlen(name) + 1);
    if (!beside)
        return NULL;
    memcpy(beside, source, folder);
    strcpy(beside + folder, name);
    return beside;
}

// given: the path that this command's options name, or NULL for the recorded one.
static ff_status add_input(arguments *all, const ff_option *option, const ff_record_input *input, const char *given,
                           const char *source, ff_error *error)
{
    const char *recorded = input->path, *expected = input->sha256;
    uint8_t hash[32];
    char digits[65];
    char *path = given ? strdup(given) : locate(recorded, source);
    ff_status status = FF_OK;
    if (!path)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for --%s", option->name);
    if (!ff_host_exists(path)) {
        status = ff_fail(error, FF_ERROR_INPUT, "%s was made from %.200s, which is not there; say with --%s where it "
                         "is", source, given ? given : recorded, option->name);
    } else {
        status = ff_host_hash_file(path, hash, error);
        ff_print_hash(hash, digits);
    }
    if (status == FF_OK && (!expected || strcmp(digits, expected) != 0))
        status = ff_fail(error, FF_ERROR_INPUT, "%.200s is not the file that %s was made from: its SHA-256 is %.12s, "
                         "not %.12s", path, source, digits, expected ? expected : "known");
    if (status == FF_OK)
        status = add_argument(all, option, path, input->number, error);
    free(path);
    return status;
}

// given: the path that this command's options name in the i-th place, or NULL. The caller frees it.
static ff_status take_given(const ff_options *options, ff_option_id id, size_t i, char **given, ff_error *error)
{
    const ff_option *option = &ff_option_table[id];
    const void *value = (const char *)options + option->offset;
    const ff_texts *texts = value;
    double number;
    *given = NULL;
    if (!options->given[id] || !(option->commands & FF_COMMAND_AGAIN))
        return FF_OK;
    if (option->kind == FF_KIND_INPUT)
        *given = i == 0 ? ff_option_print(options, id) : NULL;
    else if (i < texts->count)
        *given = strndup(texts->texts[i], ff_split_number(texts->texts[i], &number));
    else
        return FF_OK;
    return *given || i > 0 ? FF_OK : ff_fail(error, FF_ERROR_MEMORY, "no memory for --%s", option->name);
}

// Each file that was recorded for an option, where it lies now.
static ff_status collect_inputs(arguments *all, const cJSON *record, const ff_options *options, ff_option_id id,
                                ff_error *error)
{
    const ff_option *option = &ff_option_table[id];
    ff_record_input input;
    ff_status status = FF_OK;
    for (size_t i = 0; status == FF_OK; i++) {
        char *given;
        bool recorded = ff_record_input_at(record, option, i, &input);
        if ((status = take_given(options, id, i, &given, error)) != FF_OK || (!recorded && !given))
            return status;
        if (recorded)
            status = add_input(all, option, &input, given, options->operand, error);
        else
            status = ff_fail(error, FF_ERROR_INPUT, "%s was made without --%s%s%s", options->operand, option->name,
                             i > 0 ? " " : "", i > 0 ? given : "");
        free(given);
    }
    return status;
}

// --quality and --lossless exclude each other: either of them, given now, puts a recorded one aside.
static bool is_overruled(ff_option_id id, const ff_options *options)
{
    return (id == FF_OPTION_QUALITY || id == FF_OPTION_LOSSLESS) &&
           (options->given[FF_OPTION_QUALITY] || options->given[FF_OPTION_LOSSLESS]);
}

// What the record says, and in its place what this command's options say.
static ff_status collect(arguments *all, const cJSON *record, const ff_options *options, ff_error *error)
{
    ff_status status = FF_OK;
    for (int id = 0; id < FF_OPTIONS && status == FF_OK; id++) {
        const ff_option *option = &ff_option_table[id];
        const char *recorded = ff_record_option(record, option);
        bool given = options->given[id] && (option->commands & FF_COMMAND_AGAIN);
        if (option->kind == FF_KIND_INPUT || option->kind == FF_KIND_INPUTS) {
            status = collect_inputs(all, record, options, (ff_option_id)id, error);
            continue;
        }
        char *value = given ? ff_option_print(options, (ff_option_id)id) : NULL;
        if (given && !value)
            status = ff_fail(error, FF_ERROR_MEMORY, "no memory for --%s", option->name);
        else if (given)
            status = add_argument(all, option, value, NULL, error);
        else if (recorded && !is_overruled((ff_option_id)id, options))
            status = add_argument(all, option, recorded, NULL, error);
        free(value);
    }
    return status;
}

// The model and its parts that were named when the file was made, where they are still there and this command names no
// others. With another model nothing of the former is left.
static void recall_model(const cJSON *record, ff_options *options)
{
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(record, "model");
    if (options->model.model)
        return;
    for (size_t i = 0; i < FF_MODEL_OPTIONS; i++) {
        const char *path = ff_record_text(model, ff_record_model_key(i));
        if (path && !ff_options_path(options, ff_model_options[i]) && ff_host_exists(path))
            ff_option_read(options, ff_model_options[i], path, NULL);
    }
}

static ff_status run_again(const cJSON *record, const ff_options *options, ff_report *report, ff_error *error)
{
    const ff_expectation expected = {
        .source = options->operand,
        .frames_sha256 = ff_record_text(record, "frames_sha256"),
        .model_sha256 = ff_record_model_hash(record),
    };
    const char *name = ff_record_text(record, "command");
    const ff_command *command = name ? ff_command_find(name) : NULL;
    arguments all = {0};
    ff_options former;
    if (!command || !(command->bit & FF_COMMANDS_RUN) || !expected.frames_sha256)
        return ff_fail(error, FF_ERROR_INPUT, "%s does not tell how it was made in a way that this version knows",
                       options->operand);
    ff_status status = collect(&all, record, options, error);
    if (status == FF_OK && !options->output)  // a run needs some purpose; this one's is the comparison
        status = add_argument(&all, &ff_option_table[FF_OPTION_OUTPUT], "-", NULL, error);
    if (status == FF_OK)
        status = ff_options_parse(command->bit, all.count, all.list, &former, error);
    if (status == FF_OK) {
        former.expected = &expected;
        former.output = options->output;
        recall_model(record, &former);
        status = command->run(&former, report, error);
    }
    if (status == FF_OK)
        ff_report_line(report, "identical to %s", options->operand);
    for (int i = 0; i < all.count; i++)
        free(all.list[i]);
    return status;
}

ff_status ff_command_again(const ff_options *options, ff_report *report, ff_error *error)
{
    char *text;
    ff_status status = ff_metadata_read(options->operand, &text, error);
    if (status != FF_OK)
        return status;
    cJSON *record = cJSON_Parse(text);
    free(text);
    if (!record)
        return ff_fail(error, FF_ERROR_INPUT, "%s: its metadata is not a JSON object", options->operand);
    status = run_again(record, options, report, error);
    cJSON_Delete(record);
    return status;
}

#include "../commands/commands.h"
#include "check/bench/random_elements.h"
#include "conversion.h"
#include "../files/host.h"
#include "../files/model_folder.h"
#include "../files/protect.h"

#include <stdio.h>

// Where the part lies: what is given for it, the model's folder for it, or the model's one file.
static ff_status open_part(const ff_model_choice *choice, const char *part, bool text_encoder, ff_weights **out,
                           ff_error *error)
{
    char path[FF_LONGEST_PATH + 32];
    const char *given = text_encoder ? choice->parts.text_encoder : choice->parts.transformer;
    if (given)
        snprintf(path, sizeof path, "%s", given);
    else
        snprintf(path, sizeof path, ff_host_is_folder(choice->path) ? "%s/%s" : "%s", choice->path, part);
    return ff_host_is_folder(path) ? ff_weights_open(path, out, error) : ff_weights_open_file(path, out, error);
}

ff_status ff_command_convert(const ff_options *options, ff_report *report, ff_error *error)
{
    const char *part = ff_option_table[FF_OPTION_PART].choices[options->part];
    ff_model_choice choice;
    ff_conversion conversion = {
        .part = options->part == 2 ? FF_CONVERTED_TEXT_ENCODER : FF_CONVERTED_TRANSFORMER, .path = options->output,
        .dtype = ff_weight_type(ff_option_table[FF_OPTION_TYPE].choices[options->type])};
    ff_status status = ff_model_choose(&options->model, &choice, error);
    if (status != FF_OK)
        return status;
    ff_protect_model(choice.path);
    if ((status = ff_protect_check(options->output, error)) != FF_OK ||
        (status = open_part(&choice, part, options->part == 2, &conversion.weights, error)) != FF_OK)
        return status;
    ff_host_catch_signals();
    status = ff_convert(&conversion, error);
    ff_weights_close(conversion.weights);
    if (status != FF_OK)
        return status;
    ff_json_text(report->object, "output", options->output);
    ff_json_text(report->object, "part", part);
    ff_json_whole(report->object, "tensors", conversion.tensors);
    ff_json_whole(report->object, "bytes", conversion.bytes);
    ff_report_line(report, "%s: %s, %zu tensors, %zu bytes", options->output, part, conversion.tensors,
                   conversion.bytes);
    return FF_OK;
}

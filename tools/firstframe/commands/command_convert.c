#include "commands.h"
#include "check/bench/random_elements.h"
#include "../convert/conversion.h"
#include "../files/model_folder.h"
#include "../files/protect.h"

#include <stdio.h>

ff_status ff_command_convert(const ff_options *options, ff_report *report, ff_error *error)
{
    const char *part = ff_option_table[FF_OPTION_PART].choices[options->part];
    char folder[FF_LONGEST_PATH], path[FF_LONGEST_PATH + 32];
    ff_conversion conversion = {
        .part = options->part == 2 ? FF_CONVERTED_TEXT_ENCODER : FF_CONVERTED_TRANSFORMER, .path = options->output,
        .dtype = ff_weight_type(ff_option_table[FF_OPTION_TYPE].choices[options->type])};
    ff_status status = ff_model_folder_find(options->model, folder, error);
    if (status != FF_OK)
        return status;
    ff_protect_model(folder);
    snprintf(path, sizeof path, "%s/%s", folder, part);
    if ((status = ff_protect_check(options->output, error)) != FF_OK ||
        (status = ff_weights_open(path, &conversion.weights, error)) != FF_OK)
        return status;
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

#include "commands.h"
#include "check/verify/verify.h"
#include "../files/model_folder.h"

#include <string.h>

// "0.0123" or "3.1e-05": three digits.
static void print_error(double value, char out[24])
{
    if (value == 0)
        strcpy(out, "0");
    else
        snprintf(out, 24, "%.2g", value);
}

static void report_stage(const ff_stage_finding *stage, ff_report *report, cJSON *list)
{
    cJSON *entry = cJSON_CreateObject();
    bool judged = stage->verdict != FF_NOT_JUDGED;
    char error[24], expected[24];
    print_error(stage->error, error);
    print_error(stage->expected, expected);
    cJSON_AddStringToObject(entry, "name", stage->stage);
    cJSON_AddStringToObject(entry, "verdict", ff_verdict_name(stage->verdict));
    ff_json_text(entry, "tensor", stage->tensor);
    if (judged) {
        ff_json_number(entry, "error", stage->error);
        ff_json_number(entry, "expected", stage->expected);
    }
    if (stage->cause[0])
        ff_json_text(entry, "cause", stage->cause);
    if (stage->where[0])
        ff_json_text(entry, "where", stage->where);
    cJSON_AddItemToArray(list, entry);

    if (!judged)
        ff_report_line(report, "  %-22s not judged  %s", stage->stage, stage->where);
    else if (stage->verdict == FF_EQUAL)
        ff_report_line(report, "  %-22s equal", stage->stage);
    else
        ff_report_line(report, "  %-22s %-11s error %s, rounding up to %s, in %s%s%s", stage->stage,
                       ff_verdict_name(stage->verdict), error, expected, stage->tensor,
                       stage->verdict == FF_ROUNDING && stage->cause[0] ? ": " : "",
                       stage->verdict == FF_ROUNDING ? stage->cause : "");
}

// What all stages together come to, in words.
static void print_verdict(const char *path, const ff_verification *found, ff_report *report)
{
    size_t judged = 0;
    for (size_t i = 0; i < found->count; i++)
        judged += found->stages[i].verdict != FF_NOT_JUDGED;
    ff_report_line(report, "%s", "");
    if (found->first_fault == found->count) {
        ff_report_line(report, "%s: %zu of %zu stages judged, %s.", path, judged, found->count,
                       found->verdict == FF_EQUAL ? "all equal to the bit"
                                                  : "none differs by more than rounding: the program is right in them");
        return;
    }
    const ff_stage_finding *fault = &found->stages[found->first_fault];
    char error[24], expected[24];
    print_error(fault->error, error);
    print_error(fault->expected, expected);
    ff_report_line(report, "%s: the first fault is in %s. Tensor %s, computed from the dump's own inputs, is off by "
                   "%s (relative L2), where rounding explains up to %s.", path, fault->stage, fault->tensor, error,
                   expected);
    if (fault->cause[0])
        ff_report_line(report, "Likely cause: %s.", fault->cause);
    else
        ff_report_line(report, "%s", "None of the mistakes that were tried explains it.");
    if (fault->where[0])
        ff_report_line(report, "Where: %s.", fault->where);
    size_t others = 0;
    for (size_t i = found->first_fault + 1; i < found->count; i++)
        others += found->stages[i].verdict == FF_FAULT;
    if (others)
        ff_report_line(report, "%zu later stage%s at fault too; each was judged from the dump's own inputs, so that "
                       "%s not follow from this one.", others, others == 1 ? " is" : "s are",
                       others == 1 ? "it does" : "they do");
}

static void add_text_or_null(cJSON *object, const char *key, const char *text)
{
    if (text[0])
        ff_json_text(object, key, text);
    else
        cJSON_AddNullToObject(object, key);
}

ff_status ff_command_verify(const ff_options *options, ff_report *report, ff_error *error)
{
    ff_model *model;
    ff_verification *found;
    ff_model_choice choice;
    ff_status status = ff_model_choose(&options->model, &choice, error);
    if (status == FF_OK)
        status = ff_model_choice_open(&choice, report, &model, error);
    if (status != FF_OK)
        return status;
    status = ff_verify(model, options->operand, options->threads, &found, error);
    ff_model_close(model);
    if (status != FF_OK)
        return status;
    const ff_stage_finding *fault = found->first_fault < found->count ? &found->stages[found->first_fault] : NULL;
    cJSON_AddStringToObject(report->object, "verdict", ff_verdict_name(found->verdict));
    add_text_or_null(report->object, "stage", fault ? fault->stage : "");
    add_text_or_null(report->object, "tensor", fault ? fault->tensor : "");
    add_text_or_null(report->object, "cause", fault ? fault->cause : "");
    cJSON *list = cJSON_AddArrayToObject(report->object, "stages");
    for (size_t i = 0; i < found->count; i++)
        report_stage(&found->stages[i], report, list);
    print_verdict(options->operand, found, report);
    add_text_or_null(report->object, "not_finite", found->not_finite);
    if (found->not_finite[0])
        ff_report_line(report, "%s is the run's first tensor that holds NaN or infinity: what is computed from it means "
                       "nothing, even where it is equal.", found->not_finite);
    report->differs = fault != NULL;
    ff_verification_free(found);
    return FF_OK;
}

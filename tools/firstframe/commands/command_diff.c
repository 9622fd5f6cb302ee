#include "commands.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../diff/error_plot.h"
#include "../diff/frames_diff.h"
#include "../files/host.h"
#include "check/diff/diff.h"

#define LONGEST_NAME 44  // column of the figures in the table; longer names push them aside

// ---- tolerances ----

// "X" is for every tensor, but those of whole numbers only if it is 0; "NAME=X" for those called so, the last equals
// sign being the one that counts. names: where the patterns are kept
static ff_status read_tolerances(const ff_options *options, char *names, size_t capacity, ff_tolerance *out,
                                 size_t *count, ff_error *error)
{
    size_t used = 0;
    *count = 0;
    for (size_t i = 0; i < options->tolerances.count; i++) {
        const char *text = options->tolerances.texts[i], *equals = strrchr(text, '=');
        size_t length = equals ? (size_t)(equals - text) : 0;
        double value;
        if (!ff_read_number(equals ? equals + 1 : text, &value) || value < 0 || (equals && length == 0))
            return ff_fail(error, FF_ERROR_INPUT, "--tolerance: expected a number, or NAME=NUMBER, found \"%.80s\"",
                           text);
        size_t written = (size_t)snprintf(names + used, capacity - used, "%.*s", equals ? (int)length : 1,
                                          equals ? text : "*");
        if (written >= capacity - used)
            return ff_fail(error, FF_ERROR_INPUT, "--tolerance: names of more than %zu letters", capacity);
        out[(*count)++] = (ff_tolerance){.pattern = names + used, .value = value, .whole = equals || value == 0};
        used += written + 1;
    }
    return FF_OK;
}

// ---- what is said ----

static void print_row(const ff_diff_row *row, ff_report *report)
{
    const ff_distance *d = &row->distance;
    char shape_a[FF_SHAPE_TEXT], shape_b[FF_SHAPE_TEXT], ulp[80] = "", strange[160] = "";
    char mark = row->beyond ? '!' : ' ';
    if (row->shapes_differ) {
        ff_print_shape(shape_a, row->a->rank, row->a->shape);
        ff_print_shape(shape_b, row->b->rank, row->b->shape);
        ff_report_line(report, "! %-*s shapes differ: %s and %s", LONGEST_NAME, row->name, shape_a, shape_b);
        return;
    }
    if (d->nan_a || d->nan_b || d->inf_a || d->inf_b)
        snprintf(strange, sizeof strange, "  NaN %zu and %zu, infinite %zu and %zu", d->nan_a, d->nan_b, d->inf_a,
                 d->inf_b);
    if (d->different == 0) {
        ff_report_line(report, "%c %-*s equal%s", mark, LONGEST_NAME, row->name, strange);
        return;
    }
    if (!row->whole)
        snprintf(ulp, sizeof ulp, " %9lu %9lu %10lu", (unsigned long)d->ulp50, (unsigned long)d->ulp99,
                 (unsigned long)d->ulp100);
    ff_report_line(report, "%c %-*s %9.2e %9.2e %11.8f%s%s", mark, LONGEST_NAME, row->name, d->max_abs, d->relative_l2,
                   d->cosine, ulp, strange);
}

static cJSON *shape_of(const ff_tensor *tensor)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < tensor->rank; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber((double)tensor->shape[i]));
    return list;
}

static cJSON *row_object(const ff_diff_row *row)
{
    const ff_distance *d = &row->distance;
    cJSON *object = cJSON_CreateObject();
    ff_json_text(object, "name", row->name);
    if (strcmp(row->b->original, row->name) != 0)
        ff_json_text(object, "name_b", row->b->original);
    cJSON_AddStringToObject(object, "dtype_a", row->a->dtype->name);
    cJSON_AddStringToObject(object, "dtype_b", row->b->dtype->name);
    cJSON_AddItemToObject(object, "shape", shape_of(row->a));
    if (row->shapes_differ) {
        cJSON_AddItemToObject(object, "shape_b", shape_of(row->b));
    } else {
        ff_json_whole(object, "elements", d->count);
        ff_json_whole(object, "different", d->different);
        ff_json_number(object, "max_abs", d->max_abs);
        ff_json_number(object, "relative_l2", d->relative_l2);
        ff_json_number(object, "cosine", d->cosine);
        if (!row->whole) {
            cJSON *ulp = cJSON_AddObjectToObject(object, "ulp");
            ff_json_whole(ulp, "50", d->ulp50);
            ff_json_whole(ulp, "99", d->ulp99);
            ff_json_whole(ulp, "100", d->ulp100);
        }
        ff_json_whole(object, "nan_a", d->nan_a);
        ff_json_whole(object, "nan_b", d->nan_b);
        ff_json_whole(object, "inf_a", d->inf_a);
        ff_json_whole(object, "inf_b", d->inf_b);
    }
    ff_json_number(object, "tolerance", row->tolerance);
    cJSON_AddBoolToObject(object, "beyond", row->beyond);
    return object;
}

// Index `at` of a tensor's elements as "[3, 17]".
static void print_place(const ff_tensor *tensor, size_t at, char text[FF_SHAPE_TEXT])
{
    size_t place[FF_STRIDED_MOST_AXES];
    for (int i = tensor->rank; i-- > 0; at /= tensor->shape[i])
        place[i] = at % tensor->shape[i];
    ff_print_shape(text, tensor->rank, place);
}

static void print_first(const ff_diff *diff, ff_report *report)
{
    const ff_diff_row *row = &diff->rows[diff->first];
    const ff_distance *d = &row->distance;
    char place[FF_SHAPE_TEXT], largest[FF_SHAPE_TEXT];
    double before = 0;
    for (size_t i = 0; i < diff->first; i++)
        if (diff->rows[i].a && diff->rows[i].b && diff->rows[i].distance.relative_l2 > before)
            before = diff->rows[i].distance.relative_l2;
    ff_report_line(report, "First beyond its tolerance: %s", row->name);
    if (row->shapes_differ)
        return;
    if (d->unmatched)
        ff_report_line(report, "  %zu values are NaN or infinite in one dump and not in the other", d->unmatched);
    else if (row->whole)
        ff_report_line(report, "  apart by up to %g, tolerance %g", d->max_abs, row->tolerance);
    else
        ff_report_line(report, "  relative L2 %.3g, tolerance %.3g; the largest before it is %.3g", d->relative_l2,
                       row->tolerance, before);
    print_place(row->a, d->first_different, place);
    print_place(row->a, d->max_abs_index, largest);
    ff_report_line(report, "  first different at %s, largest difference %.3g at %s; %zu of %zu values differ", place,
                   d->max_abs, largest, d->different, d->count);
}

// Names in one dump only, some of them.
static void print_alone(const ff_diff *diff, bool in_a, const char *path, ff_report *report)
{
    size_t count = in_a ? diff->only_a : diff->only_b;
    cJSON *list = cJSON_AddArrayToObject(report->object, in_a ? "only_in_a" : "only_in_b");
    if (count)
        ff_report_line(report, "Only in %s: %zu tensors", path, count);
    for (size_t i = 0; i < diff->count; i++) {
        const ff_diff_row *row = &diff->rows[i];
        if (in_a ? row->b != NULL : row->a != NULL)
            continue;
        cJSON_AddItemToArray(list, ff_json_text(NULL, NULL, row->name));
        ff_report_line(report, "  %s", row->name);
    }
}

static void report_rows(const ff_diff *diff, ff_report *report)
{
    cJSON *list = cJSON_AddArrayToObject(report->object, "tensors");
    ff_report_line(report, "  %-*s %9s %9s %11s %9s %9s %10s", LONGEST_NAME, "tensor", "max abs", "rel. L2", "cosine",
                   "ULP 50 %", "99 %", "100 %");
    for (size_t i = 0; i < diff->count; i++) {
        const ff_diff_row *row = &diff->rows[i];
        if (!row->a || !row->b)
            continue;
        print_row(row, report);
        cJSON_AddItemToArray(list, row_object(row));
    }
}

static void report_verdict(const ff_diff *diff, const char *path_a, const char *path_b, ff_report *report)
{
    cJSON *object = report->object;
    ff_json_whole(object, "equal", diff->equal);
    ff_json_whole(object, "within", diff->within);
    ff_json_whole(object, "beyond", diff->beyond);
    print_alone(diff, true, path_a, report);
    print_alone(diff, false, path_b, report);
    report->differs = diff->beyond > 0;
    cJSON_AddBoolToObject(object, "same", !report->differs);
    if (diff->first < diff->count) {
        ff_json_text(object, "first_divergence", diff->rows[diff->first].name);
        print_first(diff, report);
    } else {
        cJSON_AddNullToObject(object, "first_divergence");
    }
    ff_report_line(report, "%zu tensors compared: %zu equal, %zu within their tolerance, %zu beyond it",
                   diff->equal + diff->within + diff->beyond, diff->equal, diff->within, diff->beyond);
}

// ---- frames ----

static void report_frames(const char *name, const ff_frames_diff *frames, ff_report *report)
{
    cJSON *object = cJSON_AddObjectToObject(report->object, "pictures"), *list;
    double worst = ff_picture_psnr(frames->frames[frames->worst].squared_error);
    ff_json_text(object, "tensor", name);
    ff_json_number(object, "psnr", frames->psnr);
    ff_json_number(object, "ssim", frames->ssim);
    ff_json_whole(object, "worst_frame", frames->worst);
    list = cJSON_AddArrayToObject(object, "frames");
    for (size_t i = 0; i < frames->count; i++) {
        cJSON *frame = cJSON_CreateObject();
        ff_json_number(frame, "psnr", ff_picture_psnr(frames->frames[i].squared_error));
        ff_json_number(frame, "ssim", frames->frames[i].ssim);
        ff_json_whole(frame, "max_abs", frames->frames[i].largest);
        cJSON_AddItemToArray(list, frame);
    }
    if (isinf(frames->psnr)) {
        ff_report_line(report, "As pictures, all %zu frames are equal.", frames->count);
        return;
    }
    char ssim[32] = "", worst_ssim[32] = "";
    if (!isnan(frames->ssim)) {  // as it is of pictures smaller than its windows
        snprintf(ssim, sizeof ssim, ", SSIM %.6f", frames->ssim);
        snprintf(worst_ssim, sizeof worst_ssim, ", SSIM %.6f", frames->frames[frames->worst].ssim);
    }
    ff_report_line(report, "As pictures: PSNR %.2f dB%s; worst is frame %zu: PSNR %.2f dB%s, apart by up to %zu of 255",
                   frames->psnr, ssim, frames->worst, worst, worst_ssim, frames->frames[frames->worst].largest);
}

static ff_status compare_frames(const ff_tensors *a, const ff_tensors *b, const ff_options *options, ff_report *report,
                                ff_error *error)
{
    static const char *const names[] = {"frames", "frames_float"};
    const ff_tensor *frames_a = NULL, *frames_b = NULL;
    ff_frames_diff frames;
    for (size_t i = 0; i < 2 && !(frames_a && frames_b); i++) {
        frames_a = ff_tensors_find(a, names[i]);
        frames_b = ff_tensors_find(b, names[i]);
    }
    if (!frames_a || !frames_b || !ff_frames_are_pictures(frames_a, frames_b)) {
        if (options->heat_map)
            return ff_fail(error, FF_ERROR_INPUT,
                           "--heat-map: the dumps have no frames [frames, height, width, 3] of one size");
        return FF_OK;
    }
    ff_status status = ff_frames_diff_run(frames_a, frames_b, &frames, error);
    if (!status) {
        report_frames(frames_a->name, &frames, report);
        if (options->heat_map)
            status = ff_heat_map_write(&frames, options->heat_map, error);
    }
    ff_frames_diff_free(&frames);
    return status;
}

// ---- the command ----

static bool interrupted(void *user)
{
    return ff_host_interrupted();
}

static void note_unused_rules(const ff_options *options, const ff_map *map, const ff_tensors *b, ff_report *report)
{
    for (size_t rule = 0; map && rule < ff_map_rules(map); rule++)
        if (!ff_tensors_mapped(b, rule))
            ff_report_note(report, "%s:%zu: matches no tensor of %s", options->map, ff_map_line(map, rule),
                           ff_tensors_path(b));
}

static ff_status compare(const ff_options *options, const ff_tensors *a, const ff_tensors *b, ff_report *report,
                         ff_error *error)
{
    ff_tolerance tolerances[FF_MOST_TEXTS];
    char names[1024];
    size_t count;
    ff_diff diff;
    ff_status status = read_tolerances(options, names, sizeof names, tolerances, &count, error);
    if (status || (status = ff_diff_run(a, b, tolerances, count, interrupted, NULL, &diff, error)))
        return status;
    report_rows(&diff, report);
    if (!(status = ff_host_check_interrupt("comparing", error)))
        status = compare_frames(a, b, options, report, error);
    if (!status)
        report_verdict(&diff, options->operand, options->second_operand, report);
    if (!status && options->plot)
        status = ff_host_check_interrupt("drawing", error);
    if (!status && options->plot)
        status = ff_error_plot_write(&diff, options->operand, options->second_operand, options->plot, error);
    ff_diff_free(&diff);
    return status;
}

static ff_status check_ending(const char *path, ff_error *error)
{
    size_t length = path ? strlen(path) : 0;
    if (!path || (length > 4 && strcmp(path + length - 4, ".png") == 0))
        return FF_OK;
    return ff_fail(error, FF_ERROR_INPUT, "%s: what is drawn of a comparison must end in .png", path);
}

ff_status ff_command_diff(const ff_options *options, ff_report *report, ff_error *error)
{
    ff_map *map = NULL;
    ff_tensors *a = NULL, *b = NULL;
    ff_status status = check_ending(options->plot, error);
    if (status || (status = check_ending(options->heat_map, error)))
        return status;
    ff_json_text(report->object, "a", options->operand);
    ff_json_text(report->object, "b", options->second_operand);
    if (options->map)
        status = ff_map_open(options->map, &map, error);
    if (!status)
        status = ff_tensors_open(options->operand, NULL, &a, error);
    if (!status)
        status = ff_tensors_open(options->second_operand, map, &b, error);
    ff_host_catch_signals();
    if (!status) {
        note_unused_rules(options, map, b, report);
        status = compare(options, a, b, report, error);
    }
    ff_tensors_close(a);
    ff_tensors_close(b);
    ff_map_close(map);
    return status;
}

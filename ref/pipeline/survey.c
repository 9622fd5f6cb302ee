// What lies in a folder that cannot be opened as a model: the parts that model_index.json names, by class and size.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/system.h"
#include "../weights/weights.h"
#include "classes.h"

#define MOST_PARTS 32

struct ff_survey {
    ff_config *index;
    const char *pipeline_class;
    size_t count;
    ff_survey_part parts[MOST_PARTS];
};

static void count_weights(const char *folder, ff_survey_part *part)
{
    char path[4096];
    ff_weights *weights;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, part->name) >= sizeof path ||
        ff_weights_open(path, &weights, NULL))
        return;
    part->tensors = ff_weights_count(weights);
    for (size_t i = 0; i < part->tensors; i++) {
        ff_weight view;
        ff_weights_at(weights, i, &view);
        part->bytes += ff_weight_bytes(&view);
    }
    ff_weights_close(weights);
}

ff_status ff_survey_open(const char *folder, ff_survey **out, ff_error *error)
{
    char path[4096];
    ff_survey *survey = calloc(1, sizeof *survey);
    *out = NULL;
    if (!survey)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", folder);
    ff_status status = FF_OK;
    if ((size_t)snprintf(path, sizeof path, "%s/model_index.json", folder) >= sizeof path)
        status = ff_fail(error, FF_ERROR_INPUT, "%.200s...: the path is too long", folder);
    if (!status)
        status = ff_config_open(path, &survey->index, error);
    if (!status)
        status = ff_config_string(survey->index, "_class_name", "", &survey->pipeline_class, error);
    if (status) {
        ff_survey_close(survey);
        return status;
    }
    const char *name, *class_name;
    for (int i = 0; survey->count < MOST_PARTS && (name = ff_config_key(survey->index, i)); i++) {
        // other keys hold other things, and parts that a pipeline goes without are null
        if (ff_config_element(survey->index, name, 1, &class_name, NULL) || !class_name || strchr(name, '/') ||
            name[0] == '.')
            continue;
        survey->parts[survey->count] = (ff_survey_part){.name = name, .class_name = class_name};
        count_weights(folder, &survey->parts[survey->count++]);
    }
    *out = survey;
    return FF_OK;
}

void ff_survey_close(ff_survey *survey)
{
    if (!survey)
        return;
    ff_config_close(survey->index);
    free(survey);
}

const char *ff_survey_pipeline(const ff_survey *survey)
{
    return survey->pipeline_class;
}

bool ff_survey_supported(const ff_survey *survey)
{
    const char *name;
    return ff_classes_pipeline(survey->index, &name, NULL) == FF_OK;
}

size_t ff_survey_count(const ff_survey *survey)
{
    return survey->count;
}

ff_survey_part ff_survey_at(const ff_survey *survey, size_t i)
{
    return survey->parts[i];
}

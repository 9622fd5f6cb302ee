#include "classes.h"

#include <string.h>

ff_status ff_classes_pipeline(const ff_config *index, const char **name, ff_error *error)
{
    // the third has the parts of the first and starts from another clip, which is not asked of it here
    static const char *const known[] = {"WanPipeline", "WanImageToVideoPipeline", "WanVideoToVideoPipeline"};
    static const char expected[] = "WanPipeline, WanImageToVideoPipeline or WanVideoToVideoPipeline";
    ff_status status = ff_config_string(index, "_class_name", NULL, name, error);
    if (status)
        return status;
    if (!*name || !**name)
        return ff_fail(error, FF_ERROR_INPUT, "%s: no _class_name, expected %s", ff_config_path(index), expected);
    bool found = false;
    for (size_t i = 0; i < sizeof known / sizeof *known && !found; i++)
        found = strcmp(*name, known[i]) == 0;
    if (!found)
        return ff_fail(error, FF_ERROR_INPUT,
                       "%s: _class_name is %.100s, expected %s; other pipelines sample in other ways",
                       ff_config_path(index), *name, expected);
    if (ff_config_has(index, "boundary_ratio"))
        return ff_fail(error, FF_ERROR_INPUT,
                       "%s: boundary_ratio is set: models with two transformers are not supported",
                       ff_config_path(index));
    return FF_OK;
}

ff_status ff_classes_part(const ff_config *index, const char *part, const char *expected, ff_error *error)
{
    const char *name;
    ff_status status = ff_config_element(index, part, 1, &name, error);
    if (status || !name || strcmp(name, expected) == 0)
        return status;
    return ff_fail(error, FF_ERROR_INPUT, "%s: %s is %.100s, expected %s", ff_config_path(index), part, name, expected);
}

ff_status ff_classes_scheduler(const ff_config *index, const ff_config *scheduler, const char **name, ff_error *error)
{
    const char *indexed;
    ff_status status;
    if ((status = ff_config_string(scheduler, "_class_name", "", name, error)) ||
        (status = ff_config_element(index, "scheduler", 1, &indexed, error)))
        return status;
    if (!indexed || !**name || strcmp(indexed, *name) == 0)
        return FF_OK;
    return ff_fail(error, FF_ERROR_INPUT, "%s: _class_name is %.100s, model_index.json has %.100s",
                   ff_config_path(scheduler), *name, indexed);
}

ff_status ff_classes_tokenizer(const ff_config *index, ff_error *error)
{
    static const char *const known[] = {"T5Tokenizer", "T5TokenizerFast", "AutoTokenizer"};
    const char *name;
    ff_status status = ff_config_element(index, "tokenizer", 1, &name, error);
    if (status || !name)
        return status;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0)
            return FF_OK;
    return ff_fail(error, FF_ERROR_INPUT,
                   "%s: tokenizer is %.100s, and there is no tokenizer.json; spiece.model alone is read as T5Tokenizer "
                   "does", ff_config_path(index), name);
}

ff_status ff_classes_text_encoder(const ff_config *config, ff_error *error)
{
    const char *name, *first = NULL;
    ff_status status;
    for (int i = 0; !(status = ff_config_element(config, "architectures", i, &name, error)) && name; i++) {
        first = first ? first : name;
        if (strncmp(name, "UMT5", 4) == 0)
            return FF_OK;
    }
    if (status || !first)
        return status;
    return ff_fail(error, FF_ERROR_INPUT, "%s: architectures has %.100s, expected UMT5EncoderModel",
                   ff_config_path(config), first);
}

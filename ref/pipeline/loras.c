// LoRAs of a model's transformers.
#include "model.h"

#include <math.h>

#include "../base/system.h"

static ff_status add(ff_model *model, size_t transformer, const char *path, double strength, ff_lora_facts *out,
                     ff_error *error)
{
    if (transformer >= model->expert_count)
        return ff_fail(error, FF_ERROR_INPUT, "%s: it is given for the second transformer, and %s has one", path,
                       model->folder);
    if (!(fabs(strength) <= FF_MOST_LORA_STRENGTH))
        return ff_fail(error, FF_ERROR_INPUT, "%s: a strength of %g, must be -%g to %g", path, strength,
                       FF_MOST_LORA_STRENGTH, FF_MOST_LORA_STRENGTH);
    ff_expert *expert = &model->experts[transformer];
    if (expert->lora_count == FF_MOST_LORAS)
        return ff_fail(error, FF_ERROR_INPUT, "%s: a transformer takes at most %d LoRAs", path, FF_MOST_LORAS);
    ff_lora **lora = &expert->loras[expert->lora_count];
    ff_status status = ff_lora_open(path, strength, lora, error);
    if (status)
        return status;
    expert->lora_count++;
    if ((status = ff_transformer_add_lora(expert->transformer, *lora, error)))
        return status;
    *out = ff_lora_describe(*lora);
    model->facts.weight_bytes += out->bytes;
    return FF_OK;
}

ff_status ff_model_add_lora(ff_model *model, size_t transformer, const char *path, double strength, ff_lora_facts *out,
                            ff_error *error)
{
    ff_float_mode before = ff_float_mode_enter();
    ff_status status = add(model, transformer, path, strength, out, error);
    ff_float_mode_leave(before);
    return status;
}

ff_status ff_lora_inspect(const char *path, ff_lora_facts *out, ff_error *error)
{
    ff_lora *lora;
    ff_status status = ff_lora_open(path, 1, &lora, error);
    if (status)
        return status;
    *out = ff_lora_describe(lora);
    ff_lora_close(lora);
    return FF_OK;
}

void ff_expert_release_pages(const ff_expert *expert)
{
    ff_weights_release_pages(expert->files.weights);
    for (size_t i = 0; i < expert->lora_count; i++)
        ff_weights_release_pages(ff_lora_weights(expert->loras[i]));
}

void ff_expert_close(ff_expert *expert)
{
    ff_transformer_close(expert->transformer);
    for (size_t i = 0; i < expert->lora_count; i++)
        ff_lora_close(expert->loras[i]);
}

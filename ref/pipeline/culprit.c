#include "culprit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/finite.h"

// The first tensor, in the files' order, that holds NaN or infinity; NULL if none does.
static const char *damaged_tensor(const ff_weights *weights)
{
    for (size_t i = 0; i < ff_weights_count(weights); i++) {
        ff_weight view;
        const char *name = ff_weights_at(weights, i, &view);
        if (!ff_weight_is_finite(&view))
            return name;
    }
    return NULL;
}

ff_status ff_blame(ff_status status, ff_suspects suspects, ff_error *error, const char *doing_format, ...)
{
    char doing[96], place[224];
    va_list arguments;
    if (status != FF_ERROR_NOT_FINITE || !error)
        return status;
    va_start(arguments, doing_format);
    vsnprintf(doing, sizeof doing, doing_format, arguments);
    va_end(arguments);
    snprintf(place, sizeof place, "%.200s", error->message);
    if (suspects.loaded && suspects.loaded[0])
        return ff_fail(error, status, "values stopped being finite while %s (%s): tensor %.96s of %.160s, which was "
                       "loaded, holds NaN or infinity", doing, place, suspects.loaded, suspects.load_path);
    const ff_weights *weights = suspects.weights;
    const char *name = weights ? damaged_tensor(weights) : NULL;
    for (size_t i = 0; i < suspects.lora_count && !name; i++) {
        weights = ff_lora_weights(suspects.loras[i]);
        name = damaged_tensor(weights);
    }
    if (name)
        return ff_fail(error, status, "values stopped being finite while %s (%s): tensor %.120s of %.160s holds NaN or "
                       "infinity", doing, place, name, ff_weights_origin(weights));
    return ff_fail(error, status, "values stopped being finite while %s (%s)%s", doing, place,
                   weights ? ", with finite weights: they grew too large for float32" : "");
}

#include "wan_config.h"

#include <stdio.h>
#include <string.h>

#include "../base/system.h"

#define MOST ((size_t)1 << 24)

bool ff_wan_config_is(const ff_config *config)
{
    return ff_config_has(config, "dim") && ff_config_has(config, "num_heads") && ff_config_has(config, "num_layers");
}

ff_status ff_wan_config_translate(const ff_config *config, ff_config **out, ff_error *error)
{
    enum { DIM, HEADS, LAYERS, FFN, IN, OUT, FREQ, TEXT, SETTINGS };
    static const struct {
        const char *key;
        size_t otherwise;
    } keys[SETTINGS] = {[DIM] = {"dim", 0}, [HEADS] = {"num_heads", 0}, [LAYERS] = {"num_layers", 0},
                        [FFN] = {"ffn_dim", 0}, [IN] = {"in_dim", 16}, [OUT] = {"out_dim", 16},
                        [FREQ] = {"freq_dim", 256}, [TEXT] = {"text_dim", 4096}};
    size_t value[SETTINGS];
    double eps;
    char text[1024], number[FF_NUMBER_TEXT];
    *out = NULL;
    for (size_t i = 0; i < SETTINGS; i++) {
        if (!keys[i].otherwise && !ff_config_has(config, keys[i].key))
            return ff_fail(error, FF_ERROR_INPUT, "%s: %s is missing", ff_config_path(config), keys[i].key);
        ff_status status = ff_config_size(config, keys[i].key, keys[i].otherwise, 1, MOST, &value[i], error);
        if (status)
            return status;
    }
    ff_status status = ff_config_number(config, "eps", 1e-6, &eps, error);
    if (status)
        return status;
    if (value[DIM] % value[HEADS])
        return ff_fail(error, FF_ERROR_INPUT, "%s: dim is %zu, no multiple of num_heads, %zu", ff_config_path(config),
                       value[DIM], value[HEADS]);
    ff_format_number(number, eps);
    snprintf(text, sizeof text, "{\"_class_name\": \"WanTransformer3DModel\", \"patch_size\": [1, 2, 2], "
             "\"num_attention_heads\": %zu, \"attention_head_dim\": %zu, \"num_layers\": %zu, \"ffn_dim\": %zu, "
             "\"in_channels\": %zu, \"out_channels\": %zu, \"freq_dim\": %zu, \"text_dim\": %zu, \"eps\": %s}",
             value[HEADS], value[DIM] / value[HEADS], value[LAYERS], value[FFN], value[IN], value[OUT], value[FREQ],
             value[TEXT], number);
    return ff_config_parse(ff_config_path(config), text, out, error);
}

ff_status ff_wan_config_expands(const ff_config *config, bool *out, ff_error *error)
{
    const char *type;
    ff_status status = ff_config_string(config, "model_type", "", &type, error);
    if (!status)
        *out = strcmp(type, "ti2v") == 0;
    return status;
}

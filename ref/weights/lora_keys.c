#include "lora_keys.h"

#include <stdio.h>
#include <string.h>

#include "names_wan.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

// ---- a file's keys ----

static const char *const prefixes[] = {
    "base_model.model.", "model.diffusion_model.", "diffusion_model.", "pipe.dit.", "transformer.", "dit.",
    "lora_unet_", "lora_transformer_", "lycoris_", "unet.", "model.", "net.",
};

static bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

static bool ends(const char *name, const char *with)
{
    size_t length = strlen(name), end = strlen(with);
    return length >= end && strcmp(name + length - end, with) == 0;
}

// Prefixes come one after the other, "base_model.model.transformer.", and a second underscore after one's own.
static size_t prefix_length(const char *name, bool second)
{
    const char *at = name;
    for (bool found = true; found;) {
        found = second && begins(at, "transformer_2.");
        if (found)
            at += strlen("transformer_2.");
        for (size_t i = 0; i < COUNT(prefixes) && !found; i++)
            if ((found = begins(at, prefixes[i])))
                at += strlen(prefixes[i]);
    }
    return (size_t)(at - name) + (at > name && *at == '_');
}

// Where the module's name ends, and what follows: ".lora_A.weight", or with an adapter's name, ".lora_A.default.weight".
static const char *find_end(const char *name, ff_lora_kind *kind)
{
    static const struct {
        const char *text;
        ff_lora_kind kind;
    } factors[] = {
        {".lora_A.", FF_LORA_DOWN}, {".lora_down.", FF_LORA_DOWN}, {".lora.down.", FF_LORA_DOWN},
        {".lora_B.", FF_LORA_UP},   {".lora_up.", FF_LORA_UP},     {".lora.up.", FF_LORA_UP},
    }, suffixes[] = {
        {".alpha", FF_LORA_ALPHA}, {".diff", FF_LORA_DIFF}, {".diff_b", FF_LORA_DIFF_BIAS}, {".diff_m", FF_LORA_DIFF},
    };
    for (size_t i = 0; i < COUNT(factors); i++) {
        const char *at = strstr(name, factors[i].text);
        if (!at)
            continue;
        const char *rest = at + strlen(factors[i].text), *last = strrchr(rest, '.');
        last = last ? last + 1 : rest;
        *kind = factors[i].kind;
        if (strcmp(last, "weight") == 0)
            return at;
        if (strcmp(last, "bias") == 0 && *kind == FF_LORA_UP) {
            *kind = FF_LORA_UP_BIAS;
            return at;
        }
    }
    for (size_t i = 0; i < COUNT(suffixes); i++)
        if (ends(name, suffixes[i].text)) {
            *kind = suffixes[i].kind;
            return name + strlen(name) - strlen(suffixes[i].text);
        }
    return NULL;
}

static void flatten(char *name)
{
    for (; *name; name++)
        if (*name == '.')
            *name = '_';
}

// X.diff_m is the difference of X.modulation.
ff_lora_key ff_lora_key_read(const char *name, bool second)
{
    ff_lora_key key = {.kind = FF_LORA_OTHER, .prefix = prefix_length(name, second)};
    const char *module = name + key.prefix, *end = find_end(module, &key.kind);
    const char *more = end && strcmp(end, ".diff_m") == 0 ? "_modulation" : "";
    if (!end || (size_t)snprintf(key.module, sizeof key.module, "%.*s%s", (int)(end - module), module, more) >=
                    sizeof key.module) {
        key.kind = FF_LORA_OTHER;
        snprintf(key.module, sizeof key.module, "%.*s", (int)sizeof key.module - 1, module);
    } else if (strstr(key.module, "gate_compress")) {
        key.kind = FF_LORA_GATE;
    }
    flatten(key.module);
    return key;
}

const char *ff_lora_key_foreign(const char *name)
{
    static const char *const kinds[][2] = {
        {".hada_", "a LoHa (Hadamard product)"},     {".lokr_", "a LoKr (Kronecker product)"},
        {".dora_scale", "a DoRA (decomposed weights)"}, {".lora_magnitude_vector", "a DoRA (decomposed weights)"},
        {".lora_mid.", "a LoCon with lora_mid (CP decomposition)"}, {".reshape_weight", "a LoRA with reshape_weight"},
        {".oft_", "an OFT (orthogonal finetuning)"},
    };
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (strstr(name, kinds[i][0]))
            return kinds[i][1];
    return NULL;
}

// ---- the transformer's modules ----

bool ff_lora_module(const char *tensor, size_t *next, char out[FF_NAME_TEXT])
{
    size_t pair = *next > 0 ? *next - 1 : 0;
    if (*next == 0)
        snprintf(out, FF_NAME_TEXT, "%s", tensor);
    else if (!ff_name_next(&ff_names_transformer, tensor, &pair, out))
        return false;
    *next = pair + 1;
    if (ends(out, ".weight"))
        out[strlen(out) - strlen(".weight")] = '\0';
    flatten(out);
    return true;
}

const char *ff_lora_module_purpose(const char *module)
{
    static const char *const purposes[][2] = {
        {"lora_te", "a text encoder"},             {"text_encoder", "a text encoder"},
        {"down_blocks", "a UNet (Stable Diffusion)"}, {"input_blocks", "a UNet (Stable Diffusion)"},
        {"double_blocks", "FLUX or HunyuanVideo"}, {"single_blocks", "FLUX or HunyuanVideo"},
        {"single_transformer_blocks", "FLUX"},     {"transformer_blocks", "a transformer of another kind"},
        {"joint_blocks", "Stable Diffusion 3"},    {"vace_blocks", "a VACE model"},
        {"img_emb", "an image-to-video model with an image encoder"},
        {"k_img", "an image-to-video model with an image encoder"},
        {"add_k_proj", "an image-to-video model with an image encoder"},
        {"transformer_2", "the second transformer of a model with two"},
    };
    for (size_t i = 0; i < COUNT(purposes); i++)
        if (strstr(module, purposes[i][0]))
            return purposes[i][1];
    return NULL;
}

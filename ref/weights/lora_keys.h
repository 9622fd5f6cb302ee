// Keys of LoRA files taken apart.
#ifndef FF_LORA_KEYS_H
#define FF_LORA_KEYS_H

#include "names.h"

typedef enum ff_lora_kind {
    FF_LORA_DOWN,       // A: [rank, in]
    FF_LORA_UP,         // B: [out, rank]
    FF_LORA_UP_BIAS,    // of B: [out]
    FF_LORA_ALPHA,
    FF_LORA_DIFF,       // of the weight, or of a vector
    FF_LORA_DIFF_BIAS,
    FF_LORA_GATE,       // of sparse attention's gate, which dense attention has not
    FF_LORA_OTHER,
} ff_lora_kind;

typedef struct ff_lora_key {
    ff_lora_kind kind;
    char module[FF_NAME_TEXT];  // without prefix, with "_" for "."
    size_t prefix;              // characters of the name before the module
} ff_lora_key;

// second: whether keys that begin with transformer_2. are for the transformer too.
// A key too long for a module is FF_LORA_OTHER.
ff_lora_key ff_lora_key_read(const char *name, bool second);

// The kind of LoRA that a key speaks of which is not computed: "LoHa"; NULL if it does not.
const char *ff_lora_key_foreign(const char *name);

// The module of a diffusers tensor (its weight's name, or a table's) as keys have it, by diffusers' name, *next 0, and by
// those of others in turn. False: there is none any more.
bool ff_lora_module(const char *tensor, size_t *next, char out[FF_NAME_TEXT]);

// What a module is of that no transformer here has: "the UNet of Stable Diffusion"; NULL: unknown.
const char *ff_lora_module_purpose(const char *module);

#endif

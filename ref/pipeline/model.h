// A model folder opened: its components, and the defaults a request falls back on.
#ifndef FF_MODEL_H
#define FF_MODEL_H

#include "../text/text.h"
#include "../text/words.h"
#include "../transformer/transformer.h"
#include "../vae/vae.h"
#include "../weights/weights.h"

enum { FF_TEXT_TOKENS = 512 };  // prompts are padded to this many tokens (diffusers' max_sequence_length)

typedef struct ff_component {
    ff_config *config;
    ff_weights *weights;
} ff_component;

struct ff_model {
    char *folder;
    ff_config *index;          // model_index.json
    ff_config *defaults;       // firstframe.json, or NULL
    ff_config *scheduler;
    ff_component transformer_files, vae_files, text_files;
    ff_tokenizer *tokenizer;
    ff_text_encoder *text_encoder;
    ff_transformer *transformer;
    ff_vae *vae;
    bool expand_timesteps;
    char taken[512];           // see ff_model_facts
    double *preview;           // see ff_model_facts; NULL if firstframe.json has none
    ff_word_list *words;       // that it knows; NULL if firstframe.json does not say
    ff_model_facts facts;
    bool hashed;
    uint8_t hash[32];          // of configs and weight headers, once hashed
};

size_t ff_component_bytes(const ff_component *component);  // of its weights, as stored

#endif

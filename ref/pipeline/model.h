// A model opened: its parts, wherever they come from, and the defaults a request falls back on.
#ifndef FF_MODEL_H
#define FF_MODEL_H

#include "../sampler/conditioning.h"
#include "../text/text.h"
#include "../text/words.h"
#include "../transformer/transformer.h"
#include "../vae/vae.h"
#include "../weights/weights.h"

enum { FF_TEXT_TOKENS = 512 };  // prompts are padded to this many tokens (diffusers' max_sequence_length)

typedef struct ff_component {
    ff_config *config;
    ff_weights *weights;
    char *config_file;         // that config was read from; NULL: none, it comes from shapes
    const char *what;          // what a file was taken for; NULL: it is a diffusers folder's own
} ff_component;

// What a model is given as.
typedef enum ff_model_layout {
    FF_LAYOUT_PARTS,           // nothing but parts
    FF_LAYOUT_DIFFUSERS,       // a folder with a model_index.json
    FF_LAYOUT_WAN,             // a folder as Wan publishes it, with the transformer's files and its config.json
    FF_LAYOUT_FILE             // one file of weights
} ff_model_layout;

// A transformer that works at some noise levels. Most models have one; Wan2.2-A14B has one for much noise and one for
// little.
enum { FF_MOST_EXPERTS = 2 };
typedef struct ff_expert {
    const char *name;          // of its folder
    ff_component files;
    ff_transformer *transformer;
    ff_lora *loras[FF_MOST_LORAS];  // in its transformer
    size_t lora_count;
    float from;                // the timestep down to which it works, that one included; the last works below as well
    double guidance_scale;     // by default
} ff_expert;

// Computed when it is first asked for.
typedef struct ff_kept_hash {
    bool known;
    uint8_t bytes[32];
} ff_kept_hash;

struct ff_model {
    ff_model_layout layout;
    char *folder;              // or file; of nothing but parts, the transformer's
    ff_config *index;          // model_index.json; NULL but for diffusers' layout
    ff_config *defaults;       // firstframe.json, or NULL
    ff_config *scheduler;
    ff_component vae_files, text_files;
    ff_tokenizer *tokenizer;
    char *tokenizer_folder;    // where its files lie; NULL: in the text encoder's file
    ff_text_encoder *text_encoder;
    ff_expert experts[FF_MOST_EXPERTS];  // from much noise to little; of one shape
    size_t expert_count;
    ff_vae *vae;
    const ff_conditioning_kind *conditioning;  // NULL: one that is not supported
    bool expand_timesteps;
    char taken[2048];          // see ff_model_facts
    double *preview;           // see ff_model_facts; NULL if firstframe.json has none
    ff_word_list *words;       // that it knows; NULL if firstframe.json does not say
    ff_model_facts facts;
    ff_kept_hash hash, text_hash;  // of ff_model_hash and ff_model_hash_text_encoder
};

// folder/name
enum { FF_MOST_PATH = 4096 };
ff_status ff_model_path(char path[FF_MOST_PATH], const char *folder, const char *name, ff_error *error);

// The facts that begin with default_, the preview and the words, once the others are known.
ff_status ff_defaults_read(ff_model *model, ff_error *error);

// The expert that works at a timestep.
size_t ff_model_expert(const ff_model *model, float timestep);

// SHA-256 of what decides the text encoder's results: its part of ff_model_hash, and the stamps of those files that it
// does not hash whole. Computed once and kept.
ff_status ff_model_hash_text_encoder(ff_model *model, uint8_t out[32], ff_error *error);
// Its weights and its LoRAs'.
void ff_expert_release_pages(const ff_expert *expert);
// The transformer and its LoRAs, not the files.
void ff_expert_close(ff_expert *expert);
// Says what was taken for what: another sentence of facts.taken.
void ff_model_note(ff_model *model, const char *format, ...) __attribute__((format(printf, 2, 3)));

size_t ff_component_bytes(const ff_component *component);  // of its weights, as stored

#endif

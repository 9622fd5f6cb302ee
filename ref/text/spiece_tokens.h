// The tokens that transformers' T5Tokenizer (5.23.0) seeks in a text before its SentencePiece model sees it.
#ifndef FF_TEXT_SPIECE_TOKENS_H
#define FF_TEXT_SPIECE_TOKENS_H

#include <cjson/cJSON.h>

#include "spiece.h"
#include "tokenizer.h"

// The files beside spiece.model; each NULL if it is not there.
typedef struct ff_spiece_configs {
    cJSON *config;           // tokenizer_config.json
    cJSON *map;              // special_tokens_map.json
    cJSON *added;            // added_tokens.json
} ff_spiece_configs;

typedef struct ff_token_list {
    struct ff_listed_token {
        ff_new_token token;  // owns its text
        bool declared;       // in added_tokens_decoder or added_tokens.json, which decide
    } *at;
    size_t count, capacity, bytes;
} ff_token_list;

#define FF_SENTINEL_TEXT 32
void ff_sentinel(size_t number, char out[FF_SENTINEL_TEXT]);  // <extra_id_N>

// extra_ids: of the configuration, 100 if it says none.
// FF_ERROR_INPUT: a key that is not what transformers takes.
ff_status ff_spiece_extra_ids(const char *path, const ff_spiece_configs *configs, size_t *extra_ids, ff_error *error);
// *eos: of the configuration, which it lives as long as, else "</s>". Tokens in the order in which those that the model
// has no piece for are numbered; each text once.
ff_status ff_spiece_tokens(const char *path, const ff_spiece_configs *configs, const ff_spiece_model *model,
                           size_t extra_ids, ff_token_list *out, const char **eos, ff_error *error);
// A spiece.model in memory, of the file `path`, with nothing beside it: no sentinels are added to its pieces.
ff_status ff_tokenizer_read_spiece(const char *path, const void *bytes, size_t size, ff_tokenizer **out,
                                   ff_error *error);
void ff_token_list_free(ff_token_list *list);

#endif

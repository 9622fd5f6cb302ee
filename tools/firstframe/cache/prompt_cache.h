// Embeddings of prompts, kept from one run of the program to the next in the user's cache, at most 200 MB.
#ifndef FF_PROMPT_CACHE_H
#define FF_PROMPT_CACHE_H

#include "firstframe.h"

#define FF_PROMPT_CACHE_BYTES ((size_t)200 * 1000 * 1000)

// The store; NULL where the environment names no place for it.
const ff_prompt_store *ff_prompt_cache(void);

#endif

// How frames were made: the JSON object that goes into the picture as metadata and, before a run has ended, into its
// state file. Its options are those of the option table that change frames or file, written as they would be typed.
//     {"program": "firstframe 0.1.0", "command": "i2v", "prompt": "...", "seed": "0",
//      "options": {"prompt": "...", "steps": "20", ...}, "inputs": {"image": {"path": "a.png", "sha256": "..."},
//      "lora": [{"path": "b.safetensors", "number": "0.5", "sha256": "..."}, ...]},
//      "model": {"sha256": "...", "folder": "what -m said", "vae": "what --vae said"},
//      "width": 128, "height": 128, "frames": 25, "fps": 8, "frames_sha256": "..."}
#ifndef FF_RECORD_H
#define FF_RECORD_H

#include <cjson/cJSON.h>

#include "../line/options.h"

// SHA-256 of the files that given options name, each several times as far as the option may be given so.
typedef struct ff_input_hashes {
    uint8_t of[FF_OPTIONS][FF_MOST_TEXTS][32];
} ff_input_hashes;

// resolved: the options with the model's defaults filled in. The caller deletes the object; NULL without memory.
cJSON *ff_record_create(const ff_options *resolved, const ff_input_hashes *hashes, const uint8_t model_hash[32]);
// What is only known at the end.
void ff_record_complete(cJSON *record, const ff_plan *plan, double fps, const uint8_t frames_sha256[32]);

// The first thing for which the two would give different frames: "--steps was 20, is 30". False if there is none.
bool ff_record_differs(const cJSON *then, const cJSON *now, char *out, size_t capacity);

// Texts in a record; NULL if it has none.
const char *ff_record_text(const cJSON *record, const char *key);
const char *ff_record_option(const cJSON *record, const ff_option *option);   // value; of inputs, NULL

// The i-th file of an option that names some; false if there are not so many.
typedef struct ff_record_input {
    const char *path, *sha256;
    const char *number;    // that comes with it, as --lora's strength; NULL: none does
} ff_record_input;
bool ff_record_input_at(const cJSON *record, const ff_option *option, size_t i, ff_record_input *out);

const char *ff_record_model_hash(const cJSON *record);
// What the model's object calls the path that the i-th of ff_model_options gave.
const char *ff_record_model_key(size_t i);

#endif

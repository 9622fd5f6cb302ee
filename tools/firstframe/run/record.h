// How frames were made: the JSON object that goes into the picture as metadata and, before a run has ended, into its
// state file. Its options are those of the option table that change frames or file, written as they would be typed.
//     {"program": "firstframe 0.1.0", "command": "i2v", "prompt": "...", "seed": "0",
//      "options": {"prompt": "...", "steps": "20", ...}, "inputs": {"image": {"path": "a.png", "sha256": "..."}},
//      "model": {"sha256": "...", "folder": "what -m said"},
//      "width": 128, "height": 128, "frames": 25, "fps": 8, "frames_sha256": "..."}
#ifndef FF_RECORD_H
#define FF_RECORD_H

#include <cjson/cJSON.h>

#include "../line/options.h"

// resolved: the options with the model's defaults filled in. input_hashes: [FF_OPTIONS], used where the option is a
// given FF_KIND_INPUT. The caller deletes the object; NULL without memory.
cJSON *ff_record_create(const ff_options *resolved, const uint8_t input_hashes[][32], const uint8_t model_hash[32]);
// What is only known at the end.
void ff_record_complete(cJSON *record, const ff_plan *plan, double fps, const uint8_t frames_sha256[32]);

// The first thing for which the two would give different frames: "--steps was 20, is 30". False if there is none.
bool ff_record_differs(const cJSON *then, const cJSON *now, char *out, size_t capacity);

// Texts in a record; NULL if it has none.
const char *ff_record_text(const cJSON *record, const char *key);
const char *ff_record_option(const cJSON *record, const ff_option *option);   // value, or path of an input
const char *ff_record_input_hash(const cJSON *record, const ff_option *option);
const char *ff_record_model_hash(const cJSON *record);

#endif

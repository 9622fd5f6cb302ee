// What a file of weights is, told by the names of its tensors.
#ifndef FF_RECOGNISE_H
#define FF_RECOGNISE_H

#include "../weights/weights.h"

typedef enum ff_part_kind {
    FF_PART_TRANSFORMER, FF_PART_VAE, FF_PART_TEXT_ENCODER,   // those that a run is made of
    FF_PART_TINY_VAE, FF_PART_IMAGE_ENCODER, FF_PART_LORA, FF_PART_VACE,
    FF_PART_UNKNOWN
} ff_part_kind;

// What ff_model_parts calls it, "transformer"; NULL for what is none of them.
const char *ff_part_name(ff_part_kind kind);
// The same as words of a sentence: "a transformer".
const char *ff_part_words(ff_part_kind kind);

#define FF_RECOGNISED_TEXT 160
typedef struct ff_recognised {
    ff_part_kind kind;
    const char *what;               // "a transformer with Wan's own names"
    char prefix[64];                // before the names of its tensors
    char why[FF_RECOGNISED_TEXT];   // the name of a tensor, as the file has it, that only such a part has
    const ff_name_table *names;     // NULL: diffusers', or transformers'
    const char *refused;            // why it does not run, to follow "it is"; NULL: it does, or may
} ff_recognised;

enum { FF_MOST_RECOGNISED = 4 };
// The parts that are in it, in the order of ff_part_kind; a full checkpoint has several. None: *count is 0.
void ff_recognise(const ff_weights *weights, ff_recognised out[FF_MOST_RECOGNISED], size_t *count);

#endif

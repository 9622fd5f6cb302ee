// A part of a model as one file, of another element type.
#ifndef FF_CONVERSION_H
#define FF_CONVERSION_H

#include "weights/names.h"
#include "weights/weights.h"

typedef enum ff_converted_part { FF_CONVERTED_TRANSFORMER, FF_CONVERTED_TEXT_ENCODER } ff_converted_part;

typedef struct ff_conversion {
    ff_weights *weights;       // with diffusers' or transformers' names, or those that GGUF files have; of a file that
                               // holds other parts as well, or has a prefix before the names, the part is taken
    ff_converted_part part;
    ff_dtype dtype;            // of the matrices: F16, BF16, and in GGUF Q8_0
    const char *path;          // of what is written: GGUF where it ends so, with the names that GGUF files have; else
                               // safetensors, with the names as they are
    size_t tensors, bytes;     // of what was written
} ff_conversion;

// The type that a tensor gets, by the rules of ComfyUI-GGUF's converter: vectors, tensors of at most 1,024 elements,
// modulations and convolutions stay F32; matrices get the type asked for, but those of the embeddings, of the time
// projection and of the head, and those whose rows are no whole blocks, stay BF16, or become F16.
//   name: as GGUF files of the part have it
ff_dtype ff_conversion_type(ff_converted_part part, ff_dtype dtype, const char *name, const ff_weight *tensor);

// FF_ERROR_INPUT: weights that are no such part, or not finite. The file is written whole or not at all.
ff_status ff_convert(ff_conversion *conversion, ff_error *error);

#endif

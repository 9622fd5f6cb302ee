// Scales of 8-bit weights, and the marks by which ComfyUI's files say how a layer X is quantised: X.comfy_quant, JSON
// in a tensor of bytes, or an entry of the metadata's _quantization_metadata.
#ifndef FF_SCALES_H
#define FF_SCALES_H

#include <cjson/cJSON.h>

#include "../base/arena.h"
#include "source.h"

typedef struct ff_scales {
    const ff_weight_source *source;
    cJSON *metadata;    // what _quantization_metadata holds; NULL: there is none
    ff_arena *memory;   // of scales as f32
} ff_scales;

// source, memory: must outlive *out, which begins with zeros and is to be closed whatever is returned.
// FF_ERROR_INPUT: metadata that are no JSON object.
ff_status ff_scales_open(const ff_weight_source *source, ff_arena *memory, ff_scales *out, ff_error *error);
void ff_scales_close(ff_scales *scales);  // one of zeros allowed

// Whether the tensor of this name, as the source has it, belongs to a layer marked with a format that is not read.
// FF_ERROR_INPUT: it does, and the sentence names the format.
ff_status ff_scales_check(const ff_scales *scales, const char *name, ff_error *error);
// Gives X.weight the scales that lie beside it as X.weight_scale or X.scale_weight: one number, or one for each row,
// [rows] or [rows, 1]. Scales of activations are left alone.   weight: in the shape in which it is used
// FF_ERROR_INPUT: a scale of another type or shape, or I8 without one.
ff_status ff_scales_give(const ff_scales *scales, const char *name, ff_weight *weight, ff_error *error);

#endif

// Frames to bytes: the dump's bytes held against its own frames_float.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "verify_parts.h"

static const struct {
    const char *cause;
    double scale, offset;
    bool whole, reversed;
} byte_rules[] = {
    {"bytes are cut off (floor), not rounded", 255, 0, false, false},
    {"bytes are floor(x * 256), not rounded x * 255", 256, 0, false, false},
    {"bytes are floor(x * 255.999)", 255.999, 0, false, false},
    {"colours in the order blue, green, red", 255, 0, true, true},
    {"bytes are rounded up", 255, 0.999, false, false},
    {"colour range: 0..1 is taken as -1..1 once more", 127.5, 127.5, true, false},
    {"bytes are in the video range 16 to 235", 219, 16, true, false},
};

static uint8_t byte_of(double value, bool whole)
{
    value = whole ? rint(value) : floor(value);
    return value < 0 ? 0 : value > 255 ? 255 : value == value ? (uint8_t)value : 0;
}

static void judge_bytes(ff_verifier *v, size_t n, const float *values, const uint8_t *dumped)
{
    ff_stage_finding *finding = ff_finding_of(&v->findings, "frames");
    size_t differ = 0, far = 0;
    for (size_t i = 0; i < n; i++) {
        int off = abs((int)byte_of((double)(values[i] * 255.0f), true) - dumped[i]);
        differ += off != 0;
        far += off > 1;
    }
    double part = (double)differ / (double)n;
    if (differ == 0)
        ff_finding_add(finding, FF_EQUAL, "frames", 0, 0);
    else if (far == 0 && part <= 0.01)
        ff_finding_add(finding, FF_ROUNDING, "frames", part, 0.01);
    else if (ff_finding_add(finding, FF_FAULT, "frames", part, 0.01)) {
        snprintf(finding->where, sizeof finding->where, "%zu of %zu bytes differ, %zu by more than 1", differ, n, far);
        for (size_t k = 0; k < sizeof byte_rules / sizeof *byte_rules; k++) {
            size_t wrong = 0;
            for (size_t i = 0; i < n; i++) {
                size_t from = byte_rules[k].reversed ? i - i % 3 + 2 - i % 3 : i;
                wrong += byte_of(values[from] * byte_rules[k].scale + byte_rules[k].offset, byte_rules[k].whole) !=
                         dumped[i];
            }
            if ((double)wrong <= 0.002 * (double)n) {
                snprintf(finding->cause, sizeof finding->cause, "%s", byte_rules[k].cause);
                return;
            }
        }
    }
}

ff_status ff_verify_frames(ff_verifier *v, const size_t shape[4], const float *values, const uint8_t **out)
{
    ff_weight found;
    *out = NULL;
    if (!ff_weights_find(v->dump.file, "frames", &found))
        return FF_OK;
    if (found.dtype != FF_U8 || found.rank != 4 || memcmp(found.shape, shape, 4 * sizeof *shape) != 0) {
        char found_text[FF_SHAPE_TEXT], wanted[FF_SHAPE_TEXT];
        ff_print_shape(found_text, found.rank, found.shape);
        ff_print_shape(wanted, 4, shape);
        return ff_fail(v->error, FF_ERROR_INPUT, "%s: tensor frames is %s with shape %s, expected U8 with %s",
                       v->dump.path, found.dtype->name, found_text, wanted);
    }
    *out = found.data;
    if (values)
        judge_bytes(v, shape[0] * shape[1] * shape[2] * shape[3], values, found.data);
    return FF_OK;
}

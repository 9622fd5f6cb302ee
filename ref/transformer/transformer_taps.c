// What an evaluation shows of itself under --dump, and takes back as it was left.
#include "attention_map.h"
#include "evaluation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ff_status ff_transformer_tap_part(const ff_evaluation *e, size_t layer, const char *part, float *x)
{
    return ff_tap(e->trace, FF_DUMP_OP, (ff_tapped){FF_F32, 2, (size_t[]){e->tokens, e->transformer->shape.dim}, x},
                  e->error, "call.%03zu.block.%02zu.%s", e->input->call, layer, part);
}

ff_status ff_transformer_tap_vectors(const ff_evaluation *e, ff_dump_level level, float *vectors, size_t stride,
                                     const char *name)
{
    size_t dim = e->transformer->shape.dim;
    if (!ff_traced(e->trace, level))
        return FF_OK;
    if (!e->groups.group)
        return ff_tap(e->trace, level, (ff_tapped){FF_F32, 2, (size_t[]){1, dim}, vectors}, e->error, "call.%03zu.%s",
                      e->input->call, name);
    float *rows = e->wide;  // not in use when vectors are made
    for (size_t token = 0; token < e->tokens; token++)
        memcpy(rows + token * dim, vectors + e->groups.group[token] * stride, dim * sizeof *rows);
    ff_status status = ff_tap(e->trace, level, (ff_tapped){FF_F32, 2, (size_t[]){e->tokens, dim}, rows}, e->error,
                              "call.%03zu.%s", e->input->call, name);
    for (size_t token = e->tokens; token-- > 0;)
        memcpy(vectors + e->groups.group[token] * stride, rows + token * dim, dim * sizeof *rows);
    return status;
}

ff_status ff_transformer_tap_modulation(const ff_evaluation *e, size_t layer)
{
    static const char *const parts[6] = {"norm1.shift", "norm1.scale", "attn1.gate",
                                         "norm3.shift", "norm3.scale", "ffn.gate"};
    size_t dim = e->transformer->shape.dim;
    ff_status status = FF_OK;
    for (size_t i = 0; i < 6 && !status; i++) {
        char name[64];
        snprintf(name, sizeof name, "block.%02zu.%s", layer, parts[i]);
        status = ff_transformer_tap_vectors(e, FF_DUMP_OP, e->modulation + i * dim, 6 * dim, name);
    }
    return status;
}

ff_status ff_transformer_tap_attention(const ff_evaluation *e, size_t layer, const ff_attention *attention, bool self)
{
    size_t frames = e->grid.frames, heads = attention->heads;
    size_t by_frame[] = {heads, frames, frames}, by_key[] = {attention->queries, attention->keys};
    if (!ff_traced(e->trace, FF_DUMP_ATTENTION))
        return FF_OK;
    float *map = malloc((self ? heads * frames * frames : by_key[0] * by_key[1]) * sizeof *map);
    if (!map || (self ? ff_attention_by_frame(attention, frames, map) : ff_attention_by_key(attention, map))) {
        free(map);
        return FF_ERROR_MEMORY;
    }
    ff_status status = ff_tap(e->trace, FF_DUMP_ATTENTION,
                              (ff_tapped){FF_F32, self ? 3 : 2, self ? by_frame : by_key, map}, e->error,
                              "call.%03zu.block.%02zu.%s", e->input->call, layer,
                              self ? "attn1.frames" : "attn2.words");
    free(map);
    return status;
}

ff_status ff_transformer_tap_text(ff_evaluation *e, ff_arena *arena)
{
    const ff_transformer_context *text = e->input->contexts;
    size_t dim = e->transformer->shape.dim, count = text->tokens * dim;
    if (!text->embedded || !ff_traced(e->trace, FF_DUMP_BLOCK))
        return FF_OK;
    float *copy = ff_arena_take(arena, count, 3 * sizeof *copy);
    if (!copy)
        return ff_fail(e->error, FF_ERROR_MEMORY, "not enough memory to dump the embedded text");
    memcpy(copy, text->embedded, count * sizeof *copy);
    ff_status status = ff_tap(e->trace, FF_DUMP_BLOCK, (ff_tapped){FF_F32, 2, (size_t[]){text->tokens, dim}, copy},
                              e->error, "call.%03zu.text", e->input->call);
    if (memcmp(copy, text->embedded, count * sizeof *copy) != 0)
        e->changed_text = copy;
    return status;
}

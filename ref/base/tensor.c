#include "tensor.h"

#include "memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t ff_dtype_size(ff_dtype dtype)
{
    switch (dtype) {
    case FF_F32: return 4;
    case FF_F16: return 2;
    case FF_BF16: return 2;
    case FF_I64: return 8;
    case FF_U8: return 1;
    case FF_F64: return 8;
    case FF_I32: return 4;
    case FF_BOOL: return 1;
    }
    return 0;
}

const char *ff_dtype_name(ff_dtype dtype)
{
    switch (dtype) {
    case FF_F32: return "F32";
    case FF_F16: return "F16";
    case FF_BF16: return "BF16";
    case FF_I64: return "I64";
    case FF_U8: return "U8";
    case FF_F64: return "F64";
    case FF_I32: return "I32";
    case FF_BOOL: return "BOOL";
    }
    return "?";
}

void ff_print_shape(char text[FF_SHAPE_TEXT], int rank, const size_t *shape)
{
    size_t used = 1;
    text[0] = '[';
    for (int i = 0; i < rank; i++)
        used += (size_t)snprintf(text + used, FF_SHAPE_TEXT - used, i ? ", %zu" : "%zu", shape[i]);
    snprintf(text + used, FF_SHAPE_TEXT - used, "]");
}

static float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float ff_widen_bf16(uint16_t bits)
{
    return float_from_bits((uint32_t)bits << 16);
}

float ff_widen_f16(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
    uint32_t exponent = (bits >> 10) & 31;
    uint32_t fraction = bits & 1023;
    if (exponent == 0) {
        // zero or subnormal: fraction * 2^-24, exact
        float magnitude = (float)fraction * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    if (exponent == 31)
        return float_from_bits(sign | 0x7f800000u | fraction << 13);
    return float_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

void ff_weight_widen(const ff_weight *weight, size_t first, size_t count, float *out)
{
    if (weight->dtype == FF_F32) {
        if (count)
            memcpy(out, (const float *)weight->data + first, count * sizeof *out);
        return;
    }
    const uint16_t *bits = (const uint16_t *)weight->data + first;
    if (weight->dtype == FF_BF16) {
        for (size_t i = 0; i < count; i++)
            out[i] = ff_widen_bf16(bits[i]);
    } else {
        for (size_t i = 0; i < count; i++)
            out[i] = ff_widen_f16(bits[i]);
    }
}

ff_status ff_fail(ff_error *error, ff_status status, const char *format, ...)
{
    if (error) {
        va_list arguments;
        error->status = status;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        for (char *at = error->message; *at; at++)   // names come from files; the sentence has one line
            if ((unsigned char)*at < ' ' || *at == 0x7F)
                *at = '?';
    }
    return status;
}

bool ff_multiply_sizes(size_t a, size_t b, size_t *out)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

bool ff_add_sizes(size_t a, size_t b, size_t *out)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

// ---- arena: a stack of separately allocated blocks ----

typedef struct arena_block {
    void *data;
    size_t bytes;
} arena_block;

// Blocks [0, count) are taken. After them come spare ones: large, returned, and kept for a take of the same size, since
// the system clears what it hands out anew. They go as soon as a large block of another size is wanted.
struct ff_arena {
    arena_block *blocks;
    size_t count, spare, capacity;
    size_t held, peak;
};

#define LEAST_SPARE ((size_t)8 << 20)

static void drop_spare(ff_arena *arena)
{
    while (arena->spare)
        free(arena->blocks[arena->count + --arena->spare].data);
}

// Moves a spare block of this size to where the next taken one belongs.
static bool find_spare(ff_arena *arena, size_t bytes)
{
    arena_block *blocks = arena->blocks;
    size_t first = arena->count;  // of the spare ones
    for (size_t i = first; i < first + arena->spare; i++)
        if (blocks[i].bytes == bytes) {
            arena_block found = blocks[i];
            blocks[i] = blocks[first];
            blocks[first] = found;
            arena->spare--;
            return true;
        }
    return false;
}

static bool add_block(ff_arena *arena, size_t bytes)
{
    if (bytes >= LEAST_SPARE)
        drop_spare(arena);
    if (arena->count + arena->spare == arena->capacity) {
        size_t capacity = arena->capacity ? arena->capacity * 2 : 32;
        arena_block *blocks = realloc(arena->blocks, capacity * sizeof *blocks);
        if (!blocks)
            return false;
        arena->blocks = blocks;
        arena->capacity = capacity;
    }
    void *data = ff_take_memory(bytes);
    if (!data)
        return false;
    arena->blocks[arena->count + arena->spare] = arena->blocks[arena->count];
    arena->blocks[arena->count] = (arena_block){data, bytes};
    return true;
}

ff_arena *ff_arena_create(void)
{
    return calloc(1, sizeof(ff_arena));
}

void ff_arena_destroy(ff_arena *arena)
{
    if (!arena)
        return;
    ff_arena_return(arena, (ff_arena_mark){0});
    drop_spare(arena);
    free(arena->blocks);
    free(arena);
}

void *ff_arena_take(ff_arena *arena, size_t count, size_t element_size)
{
    size_t bytes;
    if (!ff_multiply_sizes(count, element_size, &bytes) || !ff_add_sizes(bytes, 63, &bytes))
        return NULL;
    bytes &= ~(size_t)63;
    if (bytes == 0)
        bytes = 64;
    if (!find_spare(arena, bytes) && !add_block(arena, bytes))
        return NULL;
    arena->held += bytes;
    if (arena->held > arena->peak)
        arena->peak = arena->held;
    return arena->blocks[arena->count++].data;
}

float *ff_arena_floats(ff_arena *arena, size_t count)
{
    return ff_arena_take(arena, count, sizeof(float));
}

ff_arena_mark ff_arena_here(const ff_arena *arena)
{
    return (ff_arena_mark){arena->count};
}

void ff_arena_return(ff_arena *arena, ff_arena_mark mark)
{
    while (arena->count > mark.count) {
        arena_block *block = &arena->blocks[--arena->count];
        arena->held -= block->bytes;
        if (block->bytes >= LEAST_SPARE) {
            arena->spare++;
        } else {
            free(block->data);
            *block = arena->blocks[arena->count + arena->spare];
        }
    }
}

size_t ff_arena_peak(const ff_arena *arena)
{
    return arena->peak;
}

// ---- tap ----

bool ff_traced(const ff_trace *trace, ff_dump_level level)
{
    return trace && trace->tensor && level <= trace->level;
}

ff_status ff_tap(const ff_trace *trace, ff_dump_level level, ff_dtype dtype, int rank, const size_t *shape, void *data,
                 ff_error *error, const char *name_format, ...)
{
    char name[96];
    va_list arguments;
    if (!ff_traced(trace, level))
        return FF_OK;
    va_start(arguments, name_format);
    vsnprintf(name, sizeof name, name_format, arguments);
    va_end(arguments);
    return trace->tensor(trace->user, level, name, dtype, rank, shape, data, error);
}

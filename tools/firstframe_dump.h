// Writes the tensors of a Wan run for `firstframe diff` and `firstframe verify`: one header, C99 or C++, nothing but
// the standard library. Tensors go to the file as they come; memory holds a line of text for each.
//
//     #include "firstframe_dump.h"
//
//     struct firstframe_dump dump;
//     firstframe_dump_open(&dump, "mine.safetensors", 2000);         // at most so many tensors
//     firstframe_dump_metadata(&dump, "seed", "0");
//     firstframe_dump_tensor(&dump, "noise", "F32", 4, (size_t[]){48, 7, 8, 8}, noise);
//     ...
//     if (firstframe_dump_close(&dump) != 0) puts("mine.safetensors could not be written");
//
// What goes wrong on the way is remembered: it is enough to look at what firstframe_dump_close returns. The names of
// tensors and their shapes are in ref/README.md ("Dumps"); other names work with `diff --map`.
// Element types: "F32", "F16", "BF16", "F64", "I64", "I32", "U8", "BOOL". The machine must be little-endian.
#ifndef FIRSTFRAME_DUMP_H
#define FIRSTFRAME_DUMP_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct firstframe_dump {
    FILE *file;
    char *header;            // JSON, without its last brace
    size_t length, capacity; // of the header
    char *metadata;
    size_t metadata_length, metadata_capacity;
    size_t room;             // bytes left for the header at the front of the file
    uint64_t written;        // data bytes of all tensors begun
    uint64_t owed;           // of those, bytes that are still to come
    int failed;
};

// Appends text; escape: as the inside of a JSON string.
static inline void firstframe_dump_add(struct firstframe_dump *dump, char **text, size_t *length, size_t *capacity,
                                       const char *added, int escape)
{
    for (; *added && !dump->failed; added++) {
        unsigned char c = (unsigned char)*added;
        if (*length + 8 > *capacity) {
            char *larger = (char *)realloc(*text, *capacity * 2 + 4096);
            if (!larger) {
                dump->failed = 1;
                return;
            }
            *text = larger;
            *capacity = *capacity * 2 + 4096;
        }
        if (escape && c < 0x20)
            *length += (size_t)sprintf(*text + *length, "\\u%04x", c);
        else if (escape && (c == '"' || c == '\\'))
            *length += (size_t)sprintf(*text + *length, "\\%c", c);
        else
            (*text)[(*length)++] = (char)c;
    }
}

static inline void firstframe_dump_say(struct firstframe_dump *dump, const char *text, int escape)
{
    firstframe_dump_add(dump, &dump->header, &dump->length, &dump->capacity, text, escape);
}

static inline size_t firstframe_dump_element(const char *dtype)
{
    static const struct { const char *name; size_t size; } known[] = {
        {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8}, {"I64", 8}, {"I32", 4}, {"U8", 1}, {"BOOL", 1}};
    size_t i;
    for (i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(dtype, known[i].name) == 0)
            return known[i].size;
    return 0;
}

// most_tensors: no more can be written. Returns 0, or 1 if the file cannot be made.
static inline int firstframe_dump_open(struct firstframe_dump *dump, const char *path, size_t most_tensors)
{
    memset(dump, 0, sizeof *dump);
    dump->room = 65536 - 8 + most_tensors * 256;  // data starts at a multiple of 64
    dump->file = fopen(path, "wb");
    dump->failed = !dump->file || fseek(dump->file, (long)(8 + dump->room), SEEK_SET) != 0;
    return dump->failed;
}

// prompt, negative_prompt, seed, guidance_scale, num_inference_steps, flow_shift, scheduler, dtype: all as text.
static inline void firstframe_dump_metadata(struct firstframe_dump *dump, const char *key, const char *value)
{
    const char *const parts[] = {dump->metadata_length ? ",\"" : "\"", key, "\":\"", value, "\""};
    int i;
    for (i = 0; i < 5; i++)
        firstframe_dump_add(dump, &dump->metadata, &dump->metadata_length, &dump->metadata_capacity, parts[i], i % 2);
}

// Begins a tensor whose elements follow in pieces.   shape: `rank` sizes
static inline void firstframe_dump_begin(struct firstframe_dump *dump, const char *name, const char *dtype, int rank,
                                         const size_t *shape)
{
    char number[64];
    uint64_t bytes = firstframe_dump_element(dtype);
    int i;
    if (bytes == 0 || dump->owed != 0)
        dump->failed = 1;
    firstframe_dump_say(dump, dump->length ? ",\"" : "{\"", 0);
    firstframe_dump_say(dump, name, 1);
    firstframe_dump_say(dump, "\":{\"dtype\":\"", 0);
    firstframe_dump_say(dump, dtype, 1);
    firstframe_dump_say(dump, "\",\"shape\":[", 0);
    for (i = 0; i < rank; i++) {
        sprintf(number, "%s%llu", i ? "," : "", (unsigned long long)shape[i]);
        firstframe_dump_say(dump, number, 0);
        bytes *= shape[i];
    }
    sprintf(number, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)dump->written,
            (unsigned long long)(dump->written + bytes));
    firstframe_dump_say(dump, number, 0);
    dump->written += bytes;
    dump->owed = bytes;
}

static inline void firstframe_dump_piece(struct firstframe_dump *dump, const void *data, size_t bytes)
{
    if (dump->failed || bytes > dump->owed || fwrite(data, 1, bytes, dump->file) != bytes)
        dump->failed = 1;
    else
        dump->owed -= bytes;
}

// A whole tensor.   data: its elements in row-major order
static inline void firstframe_dump_tensor(struct firstframe_dump *dump, const char *name, const char *dtype, int rank,
                                          const size_t *shape, const void *data)
{
    firstframe_dump_begin(dump, name, dtype, rank, shape);
    firstframe_dump_piece(dump, data, (size_t)dump->owed);
}

// Returns 0, or 1 if anything went wrong since firstframe_dump_open: the file is then of no use.
static inline int firstframe_dump_close(struct firstframe_dump *dump)
{
    unsigned char length[8];
    size_t i;
    firstframe_dump_say(dump, dump->length ? ",\"__metadata__\":{" : "{\"__metadata__\":{", 0);
    firstframe_dump_add(dump, &dump->metadata, &dump->metadata_length, &dump->metadata_capacity, "}}", 0);
    for (i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)dump->room >> (8 * i));
    if (!dump->failed && (dump->owed != 0 || dump->length + dump->metadata_length > dump->room ||
                          fseek(dump->file, 0, SEEK_SET) != 0 || fwrite(length, 1, 8, dump->file) != 8 ||
                          fwrite(dump->header, 1, dump->length, dump->file) != dump->length ||
                          fwrite(dump->metadata, 1, dump->metadata_length, dump->file) != dump->metadata_length))
        dump->failed = 1;
    for (i = dump->failed ? dump->room : dump->length + dump->metadata_length; i < dump->room; i++)
        if (fputc(' ', dump->file) == EOF)
            dump->failed = 1;
    if (dump->file && fclose(dump->file) != 0)
        dump->failed = 1;
    free(dump->header);
    free(dump->metadata);
    return dump->failed;
}

#endif

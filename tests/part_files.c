#include "part_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *part_path(const char *folder, const char *name)
{
    static char paths[8][128];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

enum { MOST = 512 };
struct part_file {
    char path[256];
    size_t count;
    struct {
        char name[FF_NAME_TEXT];
        ff_weight view;
    } tensors[MOST];
};

part_file *part_file_create(const char *path)
{
    part_file *file = calloc(1, sizeof *file);
    assert_non_null(file);
    snprintf(file->path, sizeof file->path, "%s", path);
    return file;
}

static void add(part_file *file, const char *prefix, const char *name, const ff_weight *view)
{
    assert_true(file->count < MOST);
    snprintf(file->tensors[file->count].name, FF_NAME_TEXT, "%s%s", prefix, name);
    file->tensors[file->count++].view = *view;
}

void part_file_add(part_file *file, const ff_weights *weights, const ff_name_table *names, const char *prefix)
{
    for (size_t i = 0; i < ff_weights_count(weights); i++) {
        ff_weight view;
        char other[FF_NAME_TEXT];
        size_t next = 0;
        const char *name = ff_weights_at(weights, i, &view);
        if (names && ff_name_next(names, name, &next, other))
            name = other;
        add(file, prefix, name, &view);
    }
}

void part_file_add_bytes(part_file *file, const char *name, const void *bytes, size_t size)
{
    add(file, "", name, &(ff_weight){.dtype = FF_U8, .rank = 1, .shape = {size}, .data = bytes});
}

static void write_safetensors(const part_file *file)
{
    ff_dump *dump;
    ff_error error = {0};
    assert_ok(ff_dump_create(file->path, file->count, &dump, &error), &error);
    for (size_t i = 0; i < file->count; i++) {
        const ff_weight *view = &file->tensors[i].view;
        assert_ok(ff_dump_tensor(dump, file->tensors[i].name, view->dtype, view->rank, view->shape, view->data, &error),
                  &error);
    }
    assert_ok(ff_dump_finish(dump, &error), &error);
}

static void put(FILE *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        fputc((int)(value >> 8 * i & 255), out);
}

// GGUF version 3 without values; all tensors are F32.
static void write_gguf(const part_file *file)
{
    FILE *out = fopen(file->path, "wb");
    uint64_t offset = 0;
    assert_non_null(out);
    fputs("GGUF", out);
    put(out, 3, 4);
    put(out, file->count, 8);
    put(out, 0, 8);
    for (size_t i = 0; i < file->count; i++) {
        const ff_weight *view = &file->tensors[i].view;
        put(out, strlen(file->tensors[i].name), 8);
        fputs(file->tensors[i].name, out);
        put(out, (uint64_t)view->rank, 4);
        for (int axis = view->rank; axis-- > 0;)
            put(out, view->shape[axis], 8);
        put(out, 0, 4);
        put(out, offset, 8);
        offset += (ff_weight_elements(view) * sizeof(float) + 31) / 32 * 32;
    }
    while (ftell(out) % 32)
        fputc(0, out);
    for (size_t i = 0; i < file->count; i++) {
        const ff_weight *view = &file->tensors[i].view;
        assert_ptr_equal(view->dtype, FF_F32);
        fwrite(view->data, sizeof(float), ff_weight_elements(view), out);
        while (ftell(out) % 32)
            fputc(0, out);
    }
    assert_int_equal(fclose(out), 0);
}

void part_file_finish(part_file *file)
{
    size_t length = strlen(file->path);
    if (length > 5 && strcmp(file->path + length - 5, ".gguf") == 0)
        write_gguf(file);
    else
        write_safetensors(file);
    free(file);
}

#define _POSIX_C_SOURCE 200809L  // open_memstream
#include "gguf_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/gguf.h"
#include "weights/gguf_source.h"

#define ALIGNMENT ((size_t)32)

// Text that grows in memory; a failure stays with the stream.
typedef struct growing {
    FILE *stream;
    char *text;
    size_t size;
} growing;

struct ff_gguf_writer {
    ff_atomic_file out;
    growing values, tensors;
    uint64_t value_count, tensor_count;
    size_t planned;     // bytes of all tensors told of, with what fills them up
    size_t *ends;       // [tensor_count] of their bytes
    size_t next, written;  // the tensor being written, and bytes of all so far
    bool failed;        // for want of memory
    bool begun;         // the header is written
};

static ff_status no_memory(const ff_gguf_writer *writer, ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", writer->out.path);
}

static ff_status cannot_write(const ff_gguf_writer *writer, ff_error *error)
{
    return ff_fail(error, FF_ERROR_IO, "%s: cannot be written: %s", writer->out.path, strerror(errno));
}

ff_status ff_gguf_writer_create(const char *path, ff_gguf_writer **out, ff_error *error)
{
    ff_gguf_writer *writer = calloc(1, sizeof *writer);
    *out = NULL;
    if (!writer)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
    ff_status status = ff_atomic_create(path, &writer->out, error);
    if (status) {
        free(writer);
        return status;
    }
    writer->values.stream = open_memstream(&writer->values.text, &writer->values.size);
    writer->tensors.stream = open_memstream(&writer->tensors.text, &writer->tensors.size);
    if (!writer->values.stream || !writer->tensors.stream) {
        status = no_memory(writer, error);
        ff_gguf_writer_abandon(writer);
        return status;
    }
    *out = writer;
    return FF_OK;
}

// Little endian.
static void put(FILE *stream, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        putc((int)(value >> 8 * i & 255), stream);
}

static void put_text(FILE *stream, const char *text)
{
    put(stream, strlen(text), 8);
    fputs(text, stream);
}

static void begin_value(ff_gguf_writer *writer, const char *key, ff_gguf_type type)
{
    put_text(writer->values.stream, key);
    put(writer->values.stream, type, 4);
    writer->value_count++;
}

void ff_gguf_writer_string(ff_gguf_writer *writer, const char *key, const char *value)
{
    begin_value(writer, key, FF_GGUF_STRING);
    put_text(writer->values.stream, value);
}

void ff_gguf_writer_u32(ff_gguf_writer *writer, const char *key, uint32_t value)
{
    begin_value(writer, key, FF_GGUF_U32);
    put(writer->values.stream, value, 4);
}

static uint32_t ggml_number(ff_dtype dtype)
{
    uint32_t type = 0;
    while (ff_ggml_type(type) != dtype)
        type++;
    return type;
}

void ff_gguf_writer_tensor(ff_gguf_writer *writer, const char *name, ff_dtype dtype, int rank, const size_t *shape)
{
    FILE *stream = writer->tensors.stream;
    size_t count = 1, *ends = realloc(writer->ends, (writer->tensor_count + 1) * sizeof *ends);
    if (!ends) {
        writer->failed = true;
        return;
    }
    put_text(stream, name);
    put(stream, rank ? (uint32_t)rank : 1, 4);
    for (int i = rank - 1; i >= 0; i--) {
        put(stream, shape[i], 8);
        count *= shape[i];
    }
    if (!rank)
        put(stream, 1, 8);
    put(stream, ggml_number(dtype), 4);
    put(stream, writer->planned, 8);
    writer->ends = ends;
    ends[writer->tensor_count++] = writer->planned + ff_element_bytes(dtype, count);
    writer->planned = (ends[writer->tensor_count - 1] + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

// Zeros up to a multiple of the alignment.
static void fill(FILE *stream, size_t position)
{
    for (; position % ALIGNMENT; position++)
        putc(0, stream);
}

static ff_status write_header(ff_gguf_writer *writer, ff_error *error)
{
    FILE *out = writer->out.file;
    writer->begun = true;
    if (fflush(writer->values.stream) || fflush(writer->tensors.stream) || writer->failed)
        return no_memory(writer, error);
    fwrite("GGUF", 1, 4, out);
    put(out, 3, 4);
    put(out, writer->tensor_count, 8);
    put(out, writer->value_count, 8);
    fwrite(writer->values.text, 1, writer->values.size, out);
    fwrite(writer->tensors.text, 1, writer->tensors.size, out);
    fill(out, 24 + writer->values.size + writer->tensors.size);
    return ferror(out) ? cannot_write(writer, error) : FF_OK;
}

ff_status ff_gguf_writer_append(ff_gguf_writer *writer, const void *data, size_t bytes, ff_error *error)
{
    ff_status status = writer->begun ? FF_OK : write_header(writer, error);
    if (status)
        return status;
    if (fwrite(data, 1, bytes, writer->out.file) != bytes)
        return cannot_write(writer, error);
    writer->written += bytes;
    for (; writer->next < writer->tensor_count && writer->written == writer->ends[writer->next]; writer->next++) {
        fill(writer->out.file, writer->written);
        writer->written = (writer->written + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    return ferror(writer->out.file) ? cannot_write(writer, error) : FF_OK;
}

ff_status ff_gguf_writer_finish(ff_gguf_writer *writer, ff_error *error)
{
    ff_status status = writer->begun ? FF_OK : write_header(writer, error);
    if (!status)
        status = ff_atomic_finish(&writer->out, 1, error);
    ff_gguf_writer_abandon(writer);
    return status;
}

static void close_growing(growing *text)
{
    if (text->stream)
        fclose(text->stream);
    free(text->text);
}

void ff_gguf_writer_abandon(ff_gguf_writer *writer)
{
    if (!writer)
        return;
    ff_atomic_abandon(&writer->out, 1);
    close_growing(&writer->values);
    close_growing(&writer->tensors);
    free(writer->ends);
    free(writer);
}

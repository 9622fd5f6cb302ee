#include "gguf.h"

#include <stdlib.h>
#include <string.h>

#include "../base/sizes.h"
#include "content.h"

#define LONGEST_NAME 512             // of a key or a tensor; ggml's own have at most 64 bytes
#define LEAST_VALUE_BYTES 13         // a key's length, the type, a byte
#define LEAST_TENSOR_BYTES 24        // a name's length, the rank, the type, the offset
#define MOST_ALIGNMENT ((size_t)1 << 20)
#define DEFAULT_ALIGNMENT 32

// What is still to be read.
typedef struct cursor {
    const char *path;
    const uint8_t *begin, *at, *end;
    ff_error *error;
} cursor;

static size_t left(const cursor *c)
{
    return (size_t)(c->end - c->at);
}

static ff_status fail_cut(const cursor *c, const char *where)
{
    return ff_fail(c->error, FF_ERROR_INPUT, "%s: cut off at byte %zu, in %s", c->path, (size_t)(c->at - c->begin),
                   where);
}

static uint64_t little_endian(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

static ff_status read_number(cursor *c, size_t size, const char *where, uint64_t *out)
{
    *out = 0;
    if (left(c) < size)
        return fail_cut(c, where);
    *out = little_endian(c->at, size);
    c->at += size;
    return FF_OK;
}

// A string's bytes: 8 bytes of length, then as many.
static ff_status read_text(cursor *c, const char *where, ff_gguf_text *out)
{
    uint64_t size;
    ff_status status = read_number(c, 8, where, &size);
    *out = (ff_gguf_text){0};
    if (status)
        return status;
    if (size > left(c))
        return ff_fail(c->error, FF_ERROR_INPUT, "%s: a string of %llu bytes in %s, but the file has %zu more", c->path,
                       (unsigned long long)size, where, left(c));
    *out = (ff_gguf_text){(const char *)c->at, (size_t)size};
    c->at += size;
    return FF_OK;
}

// The same as a name: NUL-terminated, and such that it can be shown.
static ff_status read_name(cursor *c, const char *where, char **out)
{
    ff_gguf_text text;
    ff_status status = read_text(c, where, &text);
    if (status)
        return status;
    bool shows = text.size > 0 && text.size <= LONGEST_NAME;
    for (size_t i = 0; shows && i < text.size; i++)
        shows = (unsigned char)text.at[i] >= ' ' && text.at[i] != 0x7F;
    if (!shows)
        return ff_fail(c->error, FF_ERROR_INPUT, "%s: a name in %s is empty, longer than %d bytes, or has control "
                       "characters in it", c->path, where, LONGEST_NAME);
    if (!(*out = malloc(text.size + 1)))
        return ff_fail(c->error, FF_ERROR_MEMORY, "%s: out of memory", c->path);
    memcpy(*out, text.at, text.size);
    (*out)[text.size] = 0;
    return FF_OK;
}

// ---- values ----

// Bytes of one value; 0 for strings and arrays, whose size differs, and for types that are not known.
static size_t type_size(uint64_t type)
{
    static const uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < sizeof sizes ? sizes[type] : 0;
}

static ff_status read_array(cursor *c, ff_gguf_value *value)
{
    uint64_t element, count;
    ff_status status;
    if ((status = read_number(c, 4, value->key, &element)) || (status = read_number(c, 8, value->key, &count)))
        return status;
    value->element = (ff_gguf_type)element;
    value->at = c->at;
    if (element == FF_GGUF_STRING) {
        if (count > left(c) / 8)
            return fail_cut(c, value->key);
        for (uint64_t i = 0; i < count; i++) {
            ff_gguf_text text;
            if ((status = read_text(c, value->key, &text)))
                return status;
        }
    } else if (type_size(element)) {
        if (count > left(c) / type_size(element))
            return fail_cut(c, value->key);
        c->at += count * type_size(element);
    } else {
        return ff_fail(c->error, FF_ERROR_INPUT, "%s: %s is an array of type %llu, which is not known", c->path,
                       value->key, (unsigned long long)element);
    }
    value->count = (size_t)count;
    return FF_OK;
}

static ff_status read_value(cursor *c, ff_gguf_value *value)
{
    uint64_t type;
    ff_gguf_text text;
    ff_status status;
    if ((status = read_name(c, "the list of keys", &value->key)) || (status = read_number(c, 4, value->key, &type)))
        return status;
    value->type = (ff_gguf_type)type;
    value->count = 1;
    value->at = c->at;
    if (type == FF_GGUF_ARRAY) {
        status = read_array(c, value);
    } else if (type == FF_GGUF_STRING) {
        status = read_text(c, value->key, &text);
    } else if (!type_size(type)) {
        status = ff_fail(c->error, FF_ERROR_INPUT, "%s: %s has type %llu, which is not known", c->path, value->key,
                         (unsigned long long)type);
    } else if (left(c) < type_size(type)) {
        status = fail_cut(c, value->key);
    } else {
        c->at += type_size(type);
    }
    value->size = (size_t)(c->at - value->at);
    return status;
}

// ---- tensors ----

static ff_status read_tensor(cursor *c, ff_gguf_tensor *tensor)
{
    uint64_t rank, size, type, offset;
    size_t elements = 1;
    ff_status status;
    if ((status = read_name(c, "the list of tensors", &tensor->name)) ||
        (status = read_number(c, 4, tensor->name, &rank)))
        return status;
    if (rank > FF_MAX_RANK)
        return ff_fail(c->error, FF_ERROR_INPUT, "%s: tensor %s has %llu dimensions, more than %d", c->path,
                       tensor->name, (unsigned long long)rank, FF_MAX_RANK);
    tensor->rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        if ((status = read_number(c, 8, tensor->name, &size)))
            return status;
        if (size == 0 || size > SIZE_MAX || !ff_multiply_sizes(elements, (size_t)size, &elements))
            return ff_fail(c->error, FF_ERROR_INPUT, "%s: tensor %s has an impossible shape", c->path, tensor->name);
        tensor->shape[rank - 1 - i] = (size_t)size;
    }
    if ((status = read_number(c, 4, tensor->name, &type)) || (status = read_number(c, 8, tensor->name, &offset)))
        return status;
    if (offset > SIZE_MAX)
        return ff_fail(c->error, FF_ERROR_INPUT, "%s: tensor %s begins beyond the file's end", c->path, tensor->name);
    tensor->type = (uint32_t)type;
    tensor->offset = (size_t)offset;
    return FF_OK;
}

// Offsets count from the end of the lists, rounded up.
static ff_status place_tensors(cursor *c, ff_gguf *gguf)
{
    const ff_gguf_value *value = ff_gguf_find(gguf, "general.alignment");
    size_t used = (size_t)(c->at - c->begin), size = (size_t)(c->end - c->begin);
    double alignment = DEFAULT_ALIGNMENT;
    if (value && (!ff_gguf_number(value, &alignment) || !(alignment >= 1) || alignment > (double)MOST_ALIGNMENT ||
                  ((size_t)alignment & ((size_t)alignment - 1)) || (double)(size_t)alignment != alignment))
        return ff_fail(c->error, FF_ERROR_INPUT, "%s: general.alignment is no power of two up to %zu", c->path,
                       MOST_ALIGNMENT);
    gguf->alignment = (size_t)alignment;
    size_t data = (used + gguf->alignment - 1) & ~(gguf->alignment - 1);
    for (size_t i = 0; i < gguf->tensor_count; i++) {
        ff_gguf_tensor *tensor = &gguf->tensors[i];
        if (tensor->offset & (gguf->alignment - 1))
            return ff_fail(c->error, FF_ERROR_INPUT, "%s: tensor %s begins at data byte %zu, which is no multiple of "
                           "%zu", c->path, tensor->name, tensor->offset, gguf->alignment);
        if (!ff_add_sizes(data, tensor->offset, &tensor->offset) || tensor->offset > size)
            return ff_fail(c->error, FF_ERROR_INPUT, "%s: tensor %s begins beyond the file's end: the file is cut off",
                           c->path, tensor->name);
    }
    return FF_OK;
}

// ---- the file ----

static ff_status read_counts(cursor *c, ff_gguf *gguf, uint64_t *tensors, uint64_t *values)
{
    char content[FF_CONTENT_TEXT];
    uint64_t version;
    ff_status status;
    if (left(c) < 4 || memcmp(c->at, "GGUF", 4) != 0)
        return ff_content_describe(c->at, left(c), content)
                   ? ff_fail(c->error, FF_ERROR_INPUT, "%s: not a GGUF file: it is %s", c->path, content)
                   : ff_fail(c->error, FF_ERROR_INPUT, "%s: not a GGUF file", c->path);
    c->at += 4;
    if ((status = read_number(c, 4, "its first bytes", &version)))
        return status;
    if (version && !(version & 0xFFFF))  // its bytes lie the other way round
        return ff_fail(c->error, FF_ERROR_INPUT, "%s: a GGUF file for big-endian machines, which is not read", c->path);
    if (version != 2 && version != 3)
        return ff_fail(c->error, FF_ERROR_INPUT, "%s: GGUF version %llu, expected 2 or 3", c->path,
                       (unsigned long long)version);
    gguf->version = (uint32_t)version;
    if ((status = read_number(c, 8, "the number of tensors", tensors)) ||
        (status = read_number(c, 8, "the number of keys", values)))
        return status;
    if (*values > left(c) / LEAST_VALUE_BYTES || *tensors > left(c) / LEAST_TENSOR_BYTES)
        return ff_fail(c->error, FF_ERROR_INPUT, "%s: %llu keys and %llu tensors do not fit into its %zu bytes: it is "
                       "cut off or damaged", c->path, (unsigned long long)*values, (unsigned long long)*tensors,
                       (size_t)(c->end - c->begin));
    return FF_OK;
}

static int compare_values(const void *a, const void *b)
{
    return strcmp(((const ff_gguf_value *)a)->key, ((const ff_gguf_value *)b)->key);
}

static ff_status read_lists(cursor *c, ff_gguf *gguf)
{
    uint64_t tensors = 0, values = 0;
    ff_status status = read_counts(c, gguf, &tensors, &values);
    if (status)
        return status;
    gguf->values = calloc((size_t)values + 1, sizeof *gguf->values);
    gguf->tensors = calloc((size_t)tensors + 1, sizeof *gguf->tensors);
    if (!gguf->values || !gguf->tensors)
        return ff_fail(c->error, FF_ERROR_MEMORY, "%s: out of memory", c->path);
    while (!status && gguf->value_count < values)
        status = read_value(c, &gguf->values[gguf->value_count++]);
    while (!status && gguf->tensor_count < tensors)
        status = read_tensor(c, &gguf->tensors[gguf->tensor_count++]);
    if (status)
        return status;
    qsort(gguf->values, gguf->value_count, sizeof *gguf->values, compare_values);
    for (size_t i = 1; i < gguf->value_count; i++)
        if (strcmp(gguf->values[i - 1].key, gguf->values[i].key) == 0)
            return ff_fail(c->error, FF_ERROR_INPUT, "%s: key %s appears twice", c->path, gguf->values[i].key);
    return place_tensors(c, gguf);
}

ff_status ff_gguf_open(const char *path, ff_gguf *out, ff_error *error)
{
    *out = (ff_gguf){0};
    ff_status status = ff_map_file(path, &out->file, error);
    if (status)
        return status;
    const uint8_t *bytes = out->file.data;
    cursor c = {path, bytes, bytes, bytes ? bytes + out->file.size : NULL, error};
    if ((status = read_lists(&c, out)))
        ff_gguf_close(out);
    return status;
}

void ff_gguf_close(ff_gguf *gguf)
{
    for (size_t i = 0; i < gguf->value_count; i++)
        free(gguf->values[i].key);
    for (size_t i = 0; i < gguf->tensor_count; i++)
        free(gguf->tensors[i].name);
    free(gguf->values);
    free(gguf->tensors);
    ff_unmap_file(&gguf->file);
    *gguf = (ff_gguf){0};
}

// ---- reading values ----

const ff_gguf_value *ff_gguf_find(const ff_gguf *gguf, const char *key)
{
    const ff_gguf_value sought = {.key = (char *)key};
    return gguf->value_count
               ? bsearch(&sought, gguf->values, gguf->value_count, sizeof *gguf->values, compare_values) : NULL;
}

// Two's complement of so many bytes.
static double signed_number(uint64_t bits, size_t size)
{
    uint64_t sign = (uint64_t)1 << (8 * size - 1);
    return bits & sign ? -(double)((sign << 1) - bits) : (double)bits;
}

static bool number_at(ff_gguf_type type, const uint8_t *at, double *out)
{
    size_t size = type_size(type);
    uint64_t bits = size ? little_endian(at, size) : 0;
    uint32_t half = (uint32_t)bits;
    float single;
    switch (type) {
    case FF_GGUF_U8:
    case FF_GGUF_U16:
    case FF_GGUF_U32:
    case FF_GGUF_U64:
    case FF_GGUF_BOOL: *out = (double)bits; return true;
    case FF_GGUF_I8:
    case FF_GGUF_I16:
    case FF_GGUF_I32:
    case FF_GGUF_I64: *out = signed_number(bits, size); return true;
    case FF_GGUF_F32:
        memcpy(&single, &half, sizeof single);
        *out = (double)single;
        return true;
    case FF_GGUF_F64: memcpy(out, &bits, sizeof *out); return true;
    case FF_GGUF_STRING:
    case FF_GGUF_ARRAY: break;
    }
    return false;
}

// The lengths were checked when the file was opened.
static ff_gguf_text text_at(const uint8_t *at)
{
    return (ff_gguf_text){(const char *)at + 8, (size_t)little_endian(at, 8)};
}

bool ff_gguf_number(const ff_gguf_value *value, double *out)
{
    return value && number_at(value->type, value->at, out);
}

bool ff_gguf_string(const ff_gguf_value *value, ff_gguf_text *out)
{
    if (!value || value->type != FF_GGUF_STRING)
        return false;
    *out = text_at(value->at);
    return true;
}

bool ff_gguf_walk_start(const ff_gguf_value *value, ff_gguf_walk *out)
{
    if (!value || value->type != FF_GGUF_ARRAY)
        return false;
    *out = (ff_gguf_walk){value, 0, value->at};
    return true;
}

bool ff_gguf_next_number(ff_gguf_walk *walk, double *out)
{
    if (walk->index == walk->array->count || !number_at(walk->array->element, walk->at, out))
        return false;
    walk->at += type_size(walk->array->element);
    walk->index++;
    return true;
}

bool ff_gguf_next_string(ff_gguf_walk *walk, ff_gguf_text *out)
{
    if (walk->index == walk->array->count || walk->array->element != FF_GGUF_STRING)
        return false;
    *out = text_at(walk->at);
    walk->at += 8 + out->size;
    walk->index++;
    return true;
}

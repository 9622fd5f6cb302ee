#include "conversion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../files/host.h"
#include "encode.h"
#include "gguf_writer.h"
#include "kernels/blocks.h"
#include "pipeline/recognise.h"
#include "weights/names_wan.h"

#define PIECE ((size_t)1 << 20)  // elements converted at once: whole blocks
#define MOST_SMALL 1024          // elements of tensors that stay F32

// What a tensor becomes.
typedef struct planned {
    char name[FF_NAME_TEXT];
    ff_weight from;
    ff_dtype dtype;
} planned;

typedef struct plan {
    planned *at;  // [count]
    size_t count;
} plan;

// ---- what each tensor becomes ----

static bool begins(const char *name, const char *const *beginnings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

static bool ends(const char *name, const char *ending)
{
    size_t length = strlen(name), rest = strlen(ending);
    return length >= rest && strcmp(name + length - rest, ending) == 0;
}

ff_dtype ff_conversion_type(ff_converted_part part, ff_dtype dtype, const char *name, const ff_weight *tensor)
{
    static const char *const kept[] = {"patch_embedding.", "text_embedding.", "time_projection.", "time_embedding.",
                                       "img_emb.", "head."};
    bool modulation = ends(name, ".modulation") || strncmp(name, "modulation.", 11) == 0;
    size_t row = tensor->rank ? tensor->shape[tensor->rank - 1] : 1;
    if (tensor->rank < 2 || tensor->rank > 3 || modulation || ff_weight_elements(tensor) <= MOST_SMALL)
        return FF_F32;
    bool matrix = tensor->rank == 2 && !ends(name, ".attn_rel_b.weight") && row % dtype->block == 0 &&
                  (part != FF_CONVERTED_TRANSFORMER || !begins(name, kept, sizeof kept / sizeof *kept));
    if (matrix || dtype->block == 1)
        return dtype;
    return tensor->dtype == FF_BF16 ? FF_BF16 : FF_F16;
}

// What belongs to another tensor, or is none of the model's.
static bool left_out(const char *name, const ff_weight *view)
{
    static const char *const endings[] = {".weight_scale", ".scale_weight", ".input_scale", ".scale_input"};
    bool out = !view->dtype->decode || strcmp(name, "scaled_fp8") == 0;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        out = out || ends(name, endings[i]);
    return out;
}

static const ff_name_table *names_of(const ff_conversion *c)
{
    return c->part == FF_CONVERTED_TRANSFORMER ? &ff_names_transformer : &ff_names_umt5_gguf;
}

// Two names for one matrix are one in GGUF.
static bool is_planned(const plan *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->at[i].name, name) == 0)
            return true;
    return false;
}

static ff_status add_tensor(const ff_conversion *c, const char *name, const ff_weight *view, bool gguf, plan *p,
                            ff_error *error)
{
    char other[FF_NAME_TEXT];
    planned *to = &p->at[p->count];
    size_t next = 0;
    if (!ff_name_next(names_of(c), name, &next, other))
        snprintf(other, sizeof other, "%s", name);
    if (left_out(name, view) || (gguf && is_planned(p, other)))
        return FF_OK;
    ff_status status = ff_weights_get(c->weights, &to->from, error, view->rank, view->shape, "%s", name);
    if (status)
        return status;
    to->dtype = ff_conversion_type(c->part, c->dtype, other, &to->from);
    snprintf(to->name, sizeof to->name, "%s", gguf ? other : name);
    p->count++;
    return FF_OK;
}

// The part in the file: its tensors alone, where there are others too. *prefix: before their names, in `found`
static ff_status pick_part(const ff_conversion *c, ff_recognised found[FF_MOST_RECOGNISED], const char **prefix,
                           ff_error *error)
{
    bool text = c->part == FF_CONVERTED_TEXT_ENCODER;
    size_t count;
    ff_recognise(c->weights, found, &count);
    for (size_t i = 0; i < count; i++)
        if (found[i].kind == (text ? FF_PART_TEXT_ENCODER : FF_PART_TRANSFORMER)) {
            *prefix = found[i].prefix;
            return ff_weights_use_prefix(c->weights, *prefix, error);
        }
    return ff_fail(error, FF_ERROR_INPUT, "%s: holds %s, so it is no %s", ff_weights_origin(c->weights),
                   count ? found[0].what : ff_part_words(FF_PART_UNKNOWN),
                   text ? "UMT5 encoder" : "transformer of Wan's");
}

static ff_status make_plan(const ff_conversion *c, bool gguf, plan *p, ff_error *error)
{
    ff_recognised found[FF_MOST_RECOGNISED];
    const char *prefix = "";
    ff_weight view;
    ff_status status = pick_part(c, found, &prefix, error);
    if (status)
        return status;
    size_t count = ff_weights_count(c->weights);
    if (!(p->at = calloc(count, sizeof *p->at)))
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", ff_weights_origin(c->weights));
    for (size_t i = 0; i < count && !status; i++) {
        const char *name = ff_weights_at(c->weights, i, &view) + strlen(prefix);
        status = add_tensor(c, name, &view, gguf, p, error);
    }
    return status;
}

// ---- writing ----

// Where the bytes go: one of the two.
typedef struct destination {
    ff_gguf_writer *gguf;
    ff_dump *dump;
} destination;

static ff_status append(destination *to, const planned *tensor, size_t *at, const void *data, size_t count,
                        ff_error *error)
{
    if (to->gguf)
        return ff_gguf_writer_append(to->gguf, data, ff_element_bytes(tensor->dtype, count), error);
    return ff_dump_append(to->dump, at, tensor->dtype, data, count, error);
}

// values: [PIECE]   encoded: of as many elements
static ff_status write_tensor(ff_conversion *c, destination *to, const planned *tensor, float *values, void *encoded,
                              ff_error *error)
{
    size_t count = ff_weight_elements(&tensor->from), at = 0;
    ff_status status = FF_OK;
    if (to->dump)
        status = ff_dump_begin(to->dump, tensor->name, tensor->dtype, tensor->from.rank, tensor->from.shape, &at,
                               error);
    for (size_t first = 0, part; first < count && !status; first += part) {
        part = count - first < PIECE ? count - first : PIECE;
        ff_weight_widen(&tensor->from, first, part, values);
        if (!ff_encode(tensor->dtype, values, part, encoded))
            return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has values that are NaN, infinite or too large to be "
                           "quantised", ff_weights_origin(c->weights), tensor->name);
        status = append(to, tensor, &at, encoded, part, error);
    }
    c->bytes += ff_element_bytes(tensor->dtype, count);
    return status;
}

static ff_status write_tensors(ff_conversion *c, destination *to, const plan *p, ff_error *error)
{
    float *values = malloc(2 * PIECE * sizeof *values);
    if (!values)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", c->path);
    ff_status status = FF_OK;
    for (size_t i = 0; i < p->count && !status; i++) {
        if ((status = ff_host_check_interrupt("converting", error)))
            break;
        status = write_tensor(c, to, &p->at[i], values, values + PIECE, error);
        ff_weights_release_pages(c->weights);
    }
    free(values);
    return status;
}

// llama.cpp's numbers for what most of a file's matrices are.
static uint32_t file_type(ff_dtype dtype)
{
    return dtype == FF_F16 ? 1 : dtype == FF_BF16 ? 32 : 7;
}

static ff_status write_gguf(ff_conversion *c, const plan *p, ff_error *error)
{
    destination to = {0};
    ff_status status = ff_gguf_writer_create(c->path, &to.gguf, error);
    if (status)
        return status;
    ff_gguf_writer_string(to.gguf, "general.architecture", c->part == FF_CONVERTED_TRANSFORMER ? "wan" : "t5encoder");
    ff_gguf_writer_u32(to.gguf, "general.quantization_version", 2);
    ff_gguf_writer_u32(to.gguf, "general.file_type", file_type(c->dtype));
    for (size_t i = 0; i < p->count; i++)
        ff_gguf_writer_tensor(to.gguf, p->at[i].name, p->at[i].dtype, p->at[i].from.rank, p->at[i].from.shape);
    status = write_tensors(c, &to, p, error);
    if (!status)
        return ff_gguf_writer_finish(to.gguf, error);
    ff_gguf_writer_abandon(to.gguf);
    return status;
}

static ff_status write_safetensors(ff_conversion *c, const plan *p, ff_error *error)
{
    destination to = {0};
    ff_status status = ff_dump_create(c->path, p->count, &to.dump, error);
    if (status)
        return status;
    if (!(status = ff_dump_metadata(to.dump, "format", "pt", error)))
        status = write_tensors(c, &to, p, error);
    if (!status)
        return ff_dump_finish(to.dump, error);
    ff_dump_abandon(to.dump);
    return status;
}

ff_status ff_convert(ff_conversion *c, ff_error *error)
{
    bool gguf = ends(c->path, ".gguf");
    plan p = {0};
    if (!gguf && !ends(c->path, ".safetensors"))
        return ff_fail(error, FF_ERROR_INPUT, "%s: expected a name that ends in .gguf or .safetensors", c->path);
    if (!gguf && c->dtype->block > 1)
        return ff_fail(error, FF_ERROR_INPUT, "%s: %s is a type of GGUF files: give -o a name that ends in .gguf, or "
                       "--type bf16 or f16", c->path, c->dtype->name);
    ff_status status = make_plan(c, gguf, &p, error);
    if (!status)
        status = gguf ? write_gguf(c, &p, error) : write_safetensors(c, &p, error);
    c->tensors = p.count;
    free(p.at);
    return status;
}

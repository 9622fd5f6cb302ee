// The tokenizer that travels in a text encoder's file. A GGUF's vocabulary is written as the SentencePiece model that it
// was made from, so that there is one way to read both.
#include <stdlib.h>
#include <string.h>

#include "../weights/gguf_source.h"
#include "spiece_tokens.h"

enum { VARINT = 0, BYTES = 2, FOUR_BYTES = 5 };   // wire types
enum { UNKNOWN = 2, UNUSED = 5, LAST_TYPE = 6 };  // types of pieces; those of GGUF are SentencePiece's

static void append_varint(ff_bytes *out, uint64_t value)
{
    do {
        char byte = (char)((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
        ff_bytes_append(out, &byte, 1);
        value >>= 7;
    } while (value);
}

static void append_bytes(ff_bytes *out, unsigned field, const void *bytes, size_t size)
{
    append_varint(out, field << 3 | BYTES);
    append_varint(out, size);
    ff_bytes_append(out, bytes, size);
}

// A piece of that type with its score. An unused one matches no text, so it has none.
static void append_piece(ff_bytes *out, ff_gguf_text text, double score, unsigned type)
{
    ff_bytes piece = {0};
    float single = (float)score;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    const char little[] = {(char)bits, (char)(bits >> 8), (char)(bits >> 16), (char)(bits >> 24)};
    append_bytes(&piece, 1, text.at, type == UNUSED ? 0 : text.size);
    append_varint(&piece, 2 << 3 | FOUR_BYTES);
    ff_bytes_append(&piece, little, sizeof little);
    append_varint(&piece, 3 << 3 | VARINT);
    append_varint(&piece, type);
    append_bytes(out, 1, piece.at, piece.count);
    out->failed = out->failed || piece.failed;
    ff_bytes_free(&piece);
}

// The ids that T5Tokenizer takes for granted, where the file names others.
static ff_status check_ids(const char *path, const ff_gguf *gguf, ff_error *error)
{
    static const struct {
        const char *key;
        double expected;
    } ids[] = {{"tokenizer.ggml.eos_token_id", 1}, {"tokenizer.ggml.unknown_token_id", 2}};
    double found;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (ff_gguf_number(ff_gguf_find(gguf, ids[i].key), &found) && found != ids[i].expected)
            return ff_fail(error, FF_ERROR_INPUT, "%s: %s is %g; a UMT5 tokenizer has %g", path, ids[i].key, found,
                           ids[i].expected);
    return FF_OK;
}

static ff_status append_vocabulary(const char *path, const ff_gguf *gguf, ff_bytes *out, ff_error *error)
{
    ff_gguf_walk tokens, scores, types;
    ff_gguf_text text;
    double score, type;
    bool typed = ff_gguf_walk_start(ff_gguf_find(gguf, "tokenizer.ggml.token_type"), &types);
    if (!ff_gguf_walk_start(ff_gguf_find(gguf, "tokenizer.ggml.tokens"), &tokens) ||
        !ff_gguf_walk_start(ff_gguf_find(gguf, "tokenizer.ggml.scores"), &scores))
        return ff_fail(error, FF_ERROR_INPUT, "%s: its vocabulary has no tokenizer.ggml.tokens or .scores", path);
    for (size_t i = 0; i < tokens.array->count; i++) {
        type = 1;
        if (!ff_gguf_next_string(&tokens, &text) || !ff_gguf_next_number(&scores, &score) ||
            (typed && !ff_gguf_next_number(&types, &type)) || !(type >= 1 && type <= LAST_TYPE))
            return ff_fail(error, FF_ERROR_INPUT, "%s: entry %zu of its vocabulary is no token with a score and a type",
                           path, i);
        append_piece(out, text, score, (unsigned)type);
    }
    return FF_OK;
}

static ff_status open_gguf(const char *path, const ff_gguf *gguf, ff_tokenizer **out, ff_error *error)
{
    ff_gguf_text model;
    ff_gguf_walk walk;
    ff_bytes spiece = {0}, normalizer = {0};
    if (!ff_gguf_string(ff_gguf_find(gguf, "tokenizer.ggml.model"), &model))
        return FF_OK;
    if (model.size != 2 || memcmp(model.at, "t5", 2) != 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tokenizer.ggml.model is %.*s, expected t5", path,
                       (int)(model.size < 40 ? model.size : 40), model.at);
    ff_status status = check_ids(path, gguf, error);
    if (!status)
        status = append_vocabulary(path, gguf, &spiece, error);
    const ff_gguf_value *charsmap = ff_gguf_find(gguf, "tokenizer.ggml.precompiled_charsmap");
    if (!status && charsmap && ff_gguf_walk_start(charsmap, &walk) &&
        (charsmap->element == FF_GGUF_U8 || charsmap->element == FF_GGUF_I8)) {
        append_bytes(&normalizer, 2, charsmap->at, charsmap->size);
        append_bytes(&spiece, 3, normalizer.at, normalizer.count);
    }
    if (!status && (spiece.failed || normalizer.failed))
        status = ff_fail(error, FF_ERROR_MEMORY, "%s: no memory for its vocabulary", path);
    if (!status)
        status = ff_tokenizer_read_spiece(path, spiece.at, spiece.count, out, error);
    ff_bytes_free(&normalizer);
    ff_bytes_free(&spiece);
    return status;
}

ff_status ff_tokenizer_open_weights(const ff_weights *weights, ff_tokenizer **out, ff_error *error)
{
    const ff_gguf *gguf = ff_gguf_of_source(ff_weights_source(weights));
    const char *path = ff_weights_origin(weights);
    ff_weight spiece;
    *out = NULL;
    if (gguf)
        return open_gguf(path, gguf, out, error);
    if (!ff_weights_find(weights, "spiece_model", &spiece) || spiece.dtype != FF_U8)
        return FF_OK;
    return ff_tokenizer_read_spiece(path, spiece.data, ff_weight_elements(&spiece), out, error);
}

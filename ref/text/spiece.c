#include "spiece.h"

#include <math.h>
#include <string.h>

#include "../weights/content.h"
#include "unicode.h"

enum { VARINT = 0, EIGHT_BYTES = 1, BYTES = 2, FOUR_BYTES = 5 };  // wire types
enum { MODEL_PIECES = 1, MODEL_TRAINER = 2, MODEL_NORMALIZER = 3 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3, LAST_TYPE = 6 };
enum { TRAINER_MODEL_TYPE = 3, NORMALIZER_CHARSMAP = 2, UNIGRAM = 1 };

typedef struct field {
    uint64_t number, value;   // value: of a varint
    unsigned wire_type;
    ff_wire bytes;            // of the other types
} field;

static bool read_varint(ff_wire *in, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; in->at < in->end && shift < 64; shift += 7) {
        uint8_t byte = *in->at++;
        *out |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

// False if what is left does not begin with a field. There must be something left.
static bool read_field(ff_wire *in, field *out)
{
    uint64_t tag, length = 0;
    if (!read_varint(in, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF)
        return false;
    *out = (field){.number = tag >> 3, .wire_type = tag & 7};
    switch (out->wire_type) {
    case VARINT: return read_varint(in, &out->value);
    case EIGHT_BYTES: length = 8; break;
    case FOUR_BYTES: length = 4; break;
    case BYTES:
        if (!read_varint(in, &length))
            return false;
        break;
    default: return false;
    }
    if (length > (size_t)(in->end - in->at))
        return false;
    out->bytes = (ff_wire){in->at, in->at + length};
    in->at += length;
    return true;
}

static bool is_field(const field *in, uint64_t number, unsigned wire_type)
{
    return in->number == number && in->wire_type == wire_type;
}

static float read_float(const uint8_t *bytes)
{
    uint32_t bits = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static bool read_piece(ff_wire in, ff_spiece *out)
{
    field found;
    *out = (ff_spiece){.text = "", .type = FF_SPIECE_NORMAL};
    while (in.at < in.end) {
        if (!read_field(&in, &found))
            return false;
        if (is_field(&found, PIECE_TEXT, BYTES)) {
            out->text = (const char *)found.bytes.at;
            out->size = (size_t)(found.bytes.end - found.bytes.at);
        } else if (is_field(&found, PIECE_SCORE, FOUR_BYTES)) {
            out->score = read_float(found.bytes.at);
        } else if (is_field(&found, PIECE_TYPE, VARINT) && found.value >= FF_SPIECE_NORMAL &&
                   found.value <= LAST_TYPE) {
            out->type = found.value;
        }
    }
    return true;
}

bool ff_spiece_next(ff_wire *pieces, ff_spiece *out)
{
    field found;
    while (pieces->at < pieces->end && read_field(pieces, &found))
        if (is_field(&found, MODEL_PIECES, BYTES))
            return read_piece(found.bytes, out);
    return false;
}

static ff_status count_piece(const char *path, const ff_spiece *piece, ff_spiece_model *model, ff_error *error)
{
    if (ff_utf8_check(piece->text, piece->size) != piece->size || memchr(piece->text, 0, piece->size))
        return ff_fail(error, FF_ERROR_INPUT, "%s: piece %zu is not UTF-8 text", path, model->count);
    if (!isfinite(piece->score))
        return ff_fail(error, FF_ERROR_INPUT, "%s: the score of piece %zu is not finite", path, model->count);
    model->count++;
    model->bytes += piece->size;
    model->marked += piece->type == FF_SPIECE_CONTROL || piece->type == FF_SPIECE_USER_DEFINED;
    return FF_OK;
}

// What the trainer's or the normalizer's specification adds. Of a field that comes twice, the last counts.
static bool read_specification(const field *in, uint64_t *model_type, ff_spiece_model *out)
{
    ff_wire left = in->bytes;
    field found;
    while (left.at < left.end) {
        if (!read_field(&left, &found))
            return false;
        if (in->number == MODEL_TRAINER && is_field(&found, TRAINER_MODEL_TYPE, VARINT))
            *model_type = found.value;
        if (in->number == MODEL_NORMALIZER && is_field(&found, NORMALIZER_CHARSMAP, BYTES)) {
            out->charsmap_size = (size_t)(found.bytes.end - found.bytes.at);
            out->charsmap = out->charsmap_size ? found.bytes.at : NULL;
        }
    }
    return true;
}

static ff_status refuse(const char *path, const void *bytes, size_t size, ff_error *error)
{
    char content[FF_CONTENT_TEXT];
    if (size && ff_content_describe(bytes, size, content))
        return ff_fail(error, FF_ERROR_INPUT, "%s: not a SentencePiece model: it is %s", path, content);
    return ff_fail(error, FF_ERROR_INPUT, "%s: not a SentencePiece model, or cut off (%zu bytes)", path, size);
}

ff_status ff_spiece_read(const char *path, const void *bytes, size_t size, ff_spiece_model *out, ff_error *error)
{
    static const char *const types[] = {"no model", "unigram", "BPE", "word", "character"};
    ff_wire left = {bytes, size ? (const uint8_t *)bytes + size : bytes};
    uint64_t model_type = UNIGRAM;
    field found;
    *out = (ff_spiece_model){.pieces = left};
    while (left.at < left.end) {
        ff_spiece piece;
        if (!read_field(&left, &found))
            return refuse(path, bytes, size, error);
        if (is_field(&found, MODEL_PIECES, BYTES)) {
            if (!read_piece(found.bytes, &piece))
                return refuse(path, bytes, size, error);
            ff_status status = count_piece(path, &piece, out, error);
            if (status)
                return status;
        } else if ((is_field(&found, MODEL_TRAINER, BYTES) || is_field(&found, MODEL_NORMALIZER, BYTES)) &&
                   !read_specification(&found, &model_type, out)) {
            return refuse(path, bytes, size, error);
        }
    }
    if (!out->count)
        return refuse(path, bytes, size, error);
    if (model_type != UNIGRAM)
        return ff_fail(error, FF_ERROR_INPUT, "%s: a %s model, only unigram is supported", path,
                       model_type < sizeof types / sizeof *types ? types[model_type] : "newer kind of");
    return FF_OK;
}

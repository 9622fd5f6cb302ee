#include "unigram.h"

#include <math.h>
#include <stdlib.h>

#include "unicode.h"

// How much less likely an unknown character is than the least likely piece.
static const double unknown_penalty = 10.0;

// The best way to reach a position of the word. While paths are searched, `link` is where its last piece starts;
// afterwards, where the next piece ends.
typedef struct path {
    double score;
    size_t id, link;
    bool reached;
} path;

void ff_ids_append(ff_ids *ids, size_t id)
{
    if (ids->count < ids->most)
        ids->at[ids->count++] = (int64_t)id;
}

bool ff_unigram_create(ff_unigram *model, size_t capacity, size_t bytes)
{
    if (capacity > INT32_MAX || !ff_pieces_create(&model->pieces, capacity, bytes))
        return false;
    model->scores = calloc(capacity + 1, sizeof *model->scores);
    model->lowest_score = INFINITY;
    return model->scores != NULL;
}

void ff_unigram_add(ff_unigram *model, const char *piece, size_t size, double score)
{
    ff_pieces_add(&model->pieces, piece, size, (uint32_t)model->count);
    model->scores[model->count++] = score;
    if (score < model->lowest_score)
        model->lowest_score = score;
}

void ff_unigram_free(ff_unigram *model)
{
    ff_pieces_free(&model->pieces);
    free(model->scores);
    *model = (ff_unigram){0};
}

// Extends the best path to `start` by a piece, if that is better than what is known to reach its end. Of equals the
// first found stays.
static void extend(path *paths, size_t start, size_t size, size_t id, double score)
{
    path *end = &paths[start + size];
    double candidate = score + paths[start].score;
    if (!end->reached || candidate > end->score)
        *end = (path){candidate, id, start, true};
}

// paths: [size + 1], all zero. Viterbi, left to right over characters; an unknown character is a piece of its own.
static ff_status find_paths(const ff_unigram *model, const char *word, size_t size, path *paths, ff_error *error)
{
    for (size_t start = 0, length; start < size; start += length) {
        uint32_t codepoint;
        bool known = false;
        length = ff_utf8_decode(word + start, size - start, &codepoint);
        ff_prefix piece = ff_prefix_start(&model->pieces, word + start, size - start);
        while (ff_prefix_next(&piece)) {
            extend(paths, start, piece.size, piece.number, model->scores[piece.number]);
            known |= piece.size == length;
        }
        if (known)
            continue;
        if (model->unknown == FF_NO_PIECE)
            return ff_fail(error, FF_ERROR_INPUT, "the tokenizer knows no piece for U+%04X and has no unk_id",
                           (unsigned)codepoint);
        extend(paths, start, length, model->unknown, model->lowest_score - unknown_penalty);
    }
    return FF_OK;
}

// A run of unknown characters: one unknown piece, or its bytes if all of them have pieces.
static void append_unknown(const ff_unigram *model, const char *run, size_t size, ff_ids *ids)
{
    uint32_t id;
    if (ff_pieces_find(&model->pieces, run, size, &id)) {
        ff_ids_append(ids, id);
        return;
    }
    bool bytes = model->byte_fallback;
    for (size_t i = 0; bytes && i < size; i++)
        bytes = model->bytes[(unsigned char)run[i]] != FF_NO_PIECE;
    if (!bytes)
        ff_ids_append(ids, model->unknown);
    for (size_t i = 0; bytes && i < size; i++)
        ff_ids_append(ids, model->bytes[(unsigned char)run[i]]);
}

ff_status ff_unigram_encode(const ff_unigram *model, const char *word, size_t size, ff_ids *ids, ff_error *error)
{
    if (size == 0 || ids->count == ids->most)
        return FF_OK;
    path *paths = size < SIZE_MAX ? calloc(size + 1, sizeof *paths) : NULL;
    if (!paths)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory to tokenize a word of %zu bytes", size);
    ff_status status = find_paths(model, word, size, paths, error);
    if (status != FF_OK)
        goto done;
    // turn the links of the best path round
    for (size_t end = size, next = size; end > 0;) {
        size_t start = paths[end].link;
        paths[end].link = next;
        next = end;
        end = start;
        if (end == 0)
            paths[0].link = next;
    }
    for (size_t start = 0, end; start < size; start = end) {
        end = paths[start].link;
        size_t id = paths[end].id;
        if (id != model->unknown) {
            ff_ids_append(ids, id);
            continue;
        }
        while (end < size && paths[paths[end].link].id == model->unknown)
            end = paths[end].link;
        append_unknown(model, word + start, end - start, ids);
    }
done:
    free(paths);
    return status;
}

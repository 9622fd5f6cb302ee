// From text to ids, as Hugging Face's tokenizers library goes about it: added tokens are cut out, the text between is
// normalized, cut into words, and each word into pieces.
#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

// Where a piece of text that is not an added token goes next. `first`: it starts where the whole text starts.
typedef ff_status (*text_step)(const ff_tokenizer *, const char *text, size_t size, bool first, ff_ids *, ff_error *);

// A word, or where no WhitespaceSplit cuts at spaces, a text: marked by Metaspace, then cut into pieces.
static ff_status encode_word(const ff_tokenizer *tokenizer, const char *word, size_t size, bool first, ff_ids *ids,
                             ff_error *error)
{
    const ff_metaspace *metaspace = &tokenizer->metaspace;
    const char *mark = metaspace->mark;
    size_t length = metaspace->mark_size;
    ff_bytes marked = {0};
    ff_status status = FF_OK;
    if (!metaspace->used)
        return ff_unigram_encode(&tokenizer->model, word, size, ids, error);
    bool has_mark = word[0] == ' ' || (size >= length && memcmp(word, mark, length) == 0);
    bool prepend = metaspace->prepend == FF_PREPEND_ALWAYS || (metaspace->prepend == FF_PREPEND_FIRST && first);
    if (prepend && !has_mark)
        ff_bytes_append(&marked, mark, length);
    for (size_t i = 0; i < size; i++)
        ff_bytes_append(&marked, word[i] == ' ' ? mark : word + i, word[i] == ' ' ? length : 1);
    if (marked.failed)
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory to tokenize a word of %zu bytes", size);
    for (size_t start = 0, end; status == FF_OK && start < marked.count; start = end) {
        for (end = start + 1; end < marked.count; end++) {
            if (metaspace->split && marked.count - end >= length && memcmp(marked.at + end, mark, length) == 0)
                break;
        }
        status = ff_unigram_encode(&tokenizer->model, marked.at + start, end - start, ids, error);
    }
    ff_bytes_free(&marked);
    return status;
}

static ff_status encode_words(const ff_tokenizer *tokenizer, const char *text, size_t size, bool first, ff_ids *ids,
                              ff_error *error)
{
    ff_status status = FF_OK;
    size_t start = 0;
    if (!tokenizer->split_spaces)
        return encode_word(tokenizer, text, size, first, ids, error);
    for (size_t at = 0, length; status == FF_OK && at < size; at += length) {
        uint32_t codepoint;
        length = ff_utf8_decode(text + at, size - at, &codepoint);
        if (!ff_is_space(codepoint))
            continue;
        if (start < at)
            status = encode_word(tokenizer, text + start, at - start, false, ids, error);
        start = at + length;
    }
    if (status == FF_OK && start < size)
        status = encode_word(tokenizer, text + start, size - start, false, ids, error);
    return status;
}

// ---- added tokens ----

// Offset of the last code point before `end`.
static size_t step_back(const char *text, size_t end)
{
    do
        end--;
    while (end > 0 && (text[end] & 0xC0) == 0x80);
    return end;
}

static bool word_ends_at(const char *text, size_t end)
{
    uint32_t codepoint;
    if (end == 0)
        return false;
    size_t start = step_back(text, end);
    return ff_utf8_decode(text + start, end - start, &codepoint) && ff_is_word(codepoint);
}

static bool word_starts_at(const char *text, size_t start, size_t size)
{
    uint32_t codepoint;
    return ff_utf8_decode(text + start, size - start, &codepoint) && ff_is_word(codepoint);
}

static size_t space_before(const char *text, size_t at, size_t least)
{
    while (at > least) {
        uint32_t codepoint;
        size_t start = step_back(text, at);
        if (!ff_utf8_decode(text + start, at - start, &codepoint) || !ff_is_space(codepoint))
            break;
        at = start;
    }
    return at;
}

static size_t space_after(const char *text, size_t at, size_t size)
{
    uint32_t codepoint;
    size_t length;
    while ((length = ff_utf8_decode(text + at, size - at, &codepoint)) && ff_is_space(codepoint))
        at += length;
    return at;
}

// Cuts the tokens of `set` out of the text, leftmost and then longest first, and hands what lies between to `step`.
static ff_status cut_added_tokens(const ff_tokenizer *tokenizer, const ff_pieces *set, text_step step,
                                  const char *text, size_t size, bool first, ff_ids *ids, ff_error *error)
{
    size_t done = 0;
    ff_status status = FF_OK;
    for (size_t at = 0, next; status == FF_OK && at < size; at = next) {
        const ff_added_token *token = NULL;
        ff_prefix found = ff_prefix_start(set, text + at, size - at);
        next = at + 1;
        while (ff_prefix_next(&found)) {
            token = &tokenizer->added[found.number];
            next = at + found.size;
        }
        if (!token || (token->single_word && (word_ends_at(text, at) || word_starts_at(text, next, size))))
            continue;
        size_t start = token->lstrip && at > done ? space_before(text, at, done) : at;
        if (done < start)
            status = step(tokenizer, text + done, start - done, first && done == 0, ids, error);
        ff_ids_append(ids, token->id);
        done = token->rstrip ? space_after(text, next, size) : next;
    }
    if (status == FF_OK && done < size)
        status = step(tokenizer, text + done, size - done, first && done == 0, ids, error);
    return status;
}

static ff_status encode_text(const ff_tokenizer *tokenizer, const char *text, size_t size, bool first, ff_ids *ids,
                             ff_error *error)
{
    ff_bytes normalized = {0};
    ff_status status;
    ff_normalizer_apply(&tokenizer->normalizer, text, size, &normalized);
    if (normalized.failed)
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory to normalize a text of %zu bytes", size);
    else
        status = cut_added_tokens(tokenizer, &tokenizer->normalized, encode_words, normalized.at, normalized.count,
                                  first, ids, error);
    ff_bytes_free(&normalized);
    return status;
}

ff_status ff_tokenizer_encode(const ff_tokenizer *tokenizer, const char *text, size_t size, size_t most_tokens,
                              int64_t *ids, size_t *count, ff_error *error)
{
    size_t specials = tokenizer->special_count, broken = ff_utf8_check(text, size);
    if (broken < size)
        return ff_fail(error, FF_ERROR_INPUT, "the text is not UTF-8: byte %zu of %zu (0x%02X) does not fit", broken,
                       size, (unsigned char)text[broken]);
    if (most_tokens < specials)
        return ff_fail(error, FF_ERROR_INPUT, "%zu tokens are too few: the tokenizer adds %zu of its own", most_tokens,
                       specials);
    ff_ids list = {ids, 0, tokenizer->before};
    for (size_t i = 0; i < tokenizer->before; i++)
        ff_ids_append(&list, tokenizer->special[i]);
    list.most = most_tokens - (specials - tokenizer->before);
    ff_status status = cut_added_tokens(tokenizer, &tokenizer->raw, encode_text, text, size, true, &list, error);
    if (status != FF_OK)
        return status;
    list.most = most_tokens;
    for (size_t i = tokenizer->before; i < specials; i++)
        ff_ids_append(&list, tokenizer->special[i]);
    *count = list.count;
    return FF_OK;
}

// ---- making one ----

ff_status ff_tokenizer_name_file(ff_tokenizer *tokenizer, const char *path, ff_error *error)
{
    const char *slash = strrchr(path, '/');
    char *name = strdup(slash ? slash + 1 : path);
    if (!name)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory to read %s", path);
    tokenizer->files[tokenizer->file_count++] = name;
    return FF_OK;
}

ff_status ff_tokenizer_create(const char *path, ff_tokenizer **out, ff_error *error)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory to read %s", path);
    ff_status status = ff_tokenizer_name_file(*out, path, error);
    if (status != FF_OK) {
        ff_tokenizer_close(*out);
        *out = NULL;
    }
    return status;
}

ff_status ff_tokenizer_reserve(ff_tokenizer *tokenizer, size_t count, size_t bytes, const char *path, ff_error *error)
{
    tokenizer->vocabulary = tokenizer->model.count;
    tokenizer->added = calloc(count + 1, sizeof *tokenizer->added);
    // a normalizer that makes a token more than 16 times as long is none that a model uses
    if (!tokenizer->added || !ff_pieces_create(&tokenizer->raw, count, bytes) ||
        !ff_pieces_create(&tokenizer->normalized, count, 16 * bytes))
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for the %zu added tokens of %s", count, path);
    return FF_OK;
}

ff_status ff_tokenizer_add(ff_tokenizer *tokenizer, const ff_new_token *token, const char *path, ff_error *error)
{
    size_t size = strlen(token->text), id = tokenizer->vocabulary;
    uint32_t number = (uint32_t)tokenizer->added_count, known;
    if (size == 0)
        return FF_OK;
    if (ff_pieces_find(&tokenizer->model.pieces, token->text, size, &known))
        id = known;
    else
        tokenizer->vocabulary++;
    tokenizer->added[tokenizer->added_count++] =
        (ff_added_token){id, token->single_word, token->lstrip, token->rstrip};
    if (!token->normalized) {
        ff_pieces_add(&tokenizer->raw, token->text, size, number);
        return FF_OK;
    }
    ff_bytes normalized = {0};
    ff_status status = FF_OK;
    ff_normalizer_apply(&tokenizer->normalizer, token->text, size, &normalized);
    if (normalized.failed)
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory to read %s", path);
    else if (normalized.count > tokenizer->normalized.room - tokenizer->normalized.used)
        status = ff_fail(error, FF_ERROR_INPUT, "%s: added token %.100s grows too long when normalized", path,
                         token->text);
    else
        ff_pieces_add(&tokenizer->normalized, normalized.at, normalized.count, number);
    ff_bytes_free(&normalized);
    return status;
}

// ---- what it is ----

size_t ff_tokenizer_files(const ff_tokenizer *tokenizer)
{
    return tokenizer->file_count;
}

const char *ff_tokenizer_file(const ff_tokenizer *tokenizer, size_t i)
{
    return tokenizer->files[i];
}

size_t ff_tokenizer_sentinels(const ff_tokenizer *tokenizer)
{
    return tokenizer->sentinels;
}

size_t ff_tokenizer_vocabulary(const ff_tokenizer *tokenizer)
{
    return tokenizer->vocabulary;
}

void ff_tokenizer_close(ff_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    ff_normalizer_free(&tokenizer->normalizer);
    ff_unigram_free(&tokenizer->model);
    ff_pieces_free(&tokenizer->raw);
    ff_pieces_free(&tokenizer->normalized);
    for (size_t i = 0; i < tokenizer->file_count; i++)
        free(tokenizer->files[i]);
    free(tokenizer->added);
    free(tokenizer->special);
    free(tokenizer);
}

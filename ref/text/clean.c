// A prompt as the Wan pipelines of diffusers clean it: basic_clean, then whitespace_clean.
#include "fixes.h"
#include "html.h"
#include "text.h"
#include "unicode.h"

static ff_status read_codepoints(const char *text, size_t size, ff_codepoints *out, ff_error *error)
{
    for (size_t at = 0, length; at < size; at += length) {
        uint32_t codepoint;
        length = ff_utf8_decode(text + at, size - at, &codepoint);
        if (length == 0)
            return ff_fail(error, FF_ERROR_INPUT, "the prompt is not UTF-8: byte %zu of %zu (0x%02X) does not fit",
                           at, size, (unsigned char)text[at]);
        ff_codepoints_append_one(out, codepoint);
    }
    return FF_OK;
}

// Words with one space between them. (Python's strip also takes U+001C to U+001F, which ftfy has removed.)
static void join_words(const ff_codepoints *text, ff_bytes *out)
{
    bool space = false;
    out->failed |= text->failed;
    for (size_t i = 0; i < text->count; i++) {
        if (ff_is_space(text->at[i])) {
            space = out->count > 0;
            continue;
        }
        if (space)
            ff_bytes_append(out, " ", 1);
        ff_bytes_append_codepoint(out, text->at[i]);
        space = false;
    }
    ff_bytes_append(out, "", 1);
}

ff_status ff_text_clean(const char *prompt, size_t size, char **out, ff_error *error)
{
    ff_codepoints text = {0}, fixed = {0}, once = {0}, twice = {0};
    ff_bytes cleaned = {0};
    ff_status status = read_codepoints(prompt, size, &text, error);
    if (status != FF_OK)
        goto done;
    ff_fix_text(&text, &fixed);
    once.failed = fixed.failed;
    ff_html_unescape(fixed.at, fixed.count, &once);
    twice.failed = once.failed;
    ff_html_unescape(once.at, once.count, &twice);
    join_words(&twice, &cleaned);
    if (cleaned.failed) {
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory to clean a prompt of %zu bytes", size);
        goto done;
    }
    *out = cleaned.at;
    cleaned = (ff_bytes){0};
done:
    ff_codepoints_free(&text);
    ff_codepoints_free(&fixed);
    ff_codepoints_free(&once);
    ff_codepoints_free(&twice);
    ff_bytes_free(&cleaned);
    return status;
}

#include "fixes.h"

#include <string.h>

#include <utf8proc.h>

#include "html.h"

#define LONGEST_SEGMENT 1000000  // code points that ftfy looks at together

// Latin ligatures and digraphs, and the letters they are made of.
static const struct {
    uint32_t ligature;
    uint16_t letters[3];
} ligatures[] = {
    {0x0132, {'I', 'J'}},         {0x0133, {'i', 'j'}},         {0x0149, {0x02BC, 'n'}},
    {0x01C4, {'D', 0x017D}},      {0x01C5, {'D', 0x017E}},      {0x01C6, {'d', 0x017E}},
    {0x01C7, {'L', 'J'}},         {0x01C8, {'L', 'j'}},         {0x01C9, {'l', 'j'}},
    {0x01CA, {'N', 'J'}},         {0x01CB, {'N', 'j'}},         {0x01CC, {'n', 'j'}},
    {0x01F1, {'D', 'Z'}},         {0x01F2, {'D', 'z'}},         {0x01F3, {'d', 'z'}},
    {0xFB00, {'f', 'f'}},         {0xFB01, {'f', 'i'}},         {0xFB02, {'f', 'l'}},
    {0xFB03, {'f', 'f', 'i'}},    {0xFB04, {'f', 'f', 'l'}},    {0xFB05, {0x017F, 't'}},
    {0xFB06, {'s', 't'}},
};

static uint32_t straighten_quote(uint32_t c)
{
    if (c == 0x02BC || (c >= 0x2018 && c <= 0x201B))
        return '\'';
    if (c >= 0x201C && c <= 0x201F)
        return '"';
    return c;
}

static bool append_ligature(ff_codepoints *out, uint32_t c)
{
    if (c < 0x0132 || (c > 0x01F3 && c < 0xFB00) || c > 0xFB06)
        return false;
    for (size_t i = 0; i < sizeof ligatures / sizeof *ligatures; i++) {
        if (ligatures[i].ligature != c)
            continue;
        for (size_t j = 0; j < 3 && ligatures[i].letters[j]; j++)
            ff_codepoints_append_one(out, straighten_quote(ligatures[i].letters[j]));
        return true;
    }
    return false;
}

// Characters one by one, in ftfy's order: C1 controls as Windows-1252, ligatures, half and full width, curly quotes,
// line breaks. (U+0085, a line break too, is gone by then: Windows-1252 makes an ellipsis of it.)
static void fix_characters(const uint32_t *text, size_t count, ff_codepoints *out)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t c = text[i];
        if (c >= 0x80 && c <= 0x9F)
            c = ff_windows_1252(c);
        if (append_ligature(out, c))
            continue;
        if (c == 0x3000) {
            c = ' ';
        } else if (c > 0xFF00 && c < 0xFFF0) {
            ff_normalize_unicode(&c, 1, FF_NFKC, out);
            continue;
        }
        if (c == '\r' && i + 1 < count && text[i + 1] == '\n')
            continue;
        if (c == '\r' || c == 0x2028 || c == 0x2029)
            c = '\n';
        ff_codepoints_append_one(out, straighten_quote(c));
    }
}

// Length of a terminal escape sequence (ESC [ digits and semicolons, a letter) at the start of `text`, or 0.
static size_t terminal_escape(const uint32_t *text, size_t count)
{
    size_t at = 2;
    if (count < 3 || text[0] != 0x1B || text[1] != '[')
        return 0;
    while (at < count &&
           (text[at] == ';' || utf8proc_category((utf8proc_int32_t)text[at]) == UTF8PROC_CATEGORY_ND))
        at++;
    if (at < count && ((text[at] >= 'A' && text[at] <= 'Z') || (text[at] >= 'a' && text[at] <= 'z')))
        return at + 1;
    return 0;
}

// Controls that ftfy removes: of ASCII all but tab and line breaks, old Arabic shaping, annotations, byte order marks.
static bool is_unwanted(uint32_t c)
{
    return c < 0x09 || c == 0x0B || (c >= 0x0E && c < 0x20) || c == 0x7F || (c >= 0x206A && c <= 0x206F) ||
           c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFC);
}

static void remove_controls(const uint32_t *text, size_t count, ff_codepoints *out)
{
    for (size_t i = 0; i < count; i++) {
        size_t escape = terminal_escape(text + i, count - i);
        if (escape)
            i += escape - 1;
        else if (!is_unwanted(text[i]))
            ff_codepoints_append_one(out, text[i]);
    }
}

// Printable ASCII and line feeds: nothing but character references can be wrong with them.
static bool is_plain(const uint32_t *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if ((text[i] < 0x20 || text[i] > 0x7E) && text[i] != '\n')
            return false;
    }
    return true;
}

// Appends the segment to *out after repeating all repairs until none changes it.
static void fix_segment(const uint32_t *text, size_t count, bool unescape, ff_codepoints *out)
{
    ff_codepoints segment = {0}, fixed = {0}, work = {0};
    ff_codepoints_append(&segment, text, count);
    for (;;) {
        fixed.count = 0;
        if (unescape)
            ff_html_unescape_strictly(segment.at, segment.count, &fixed);
        else
            ff_codepoints_append(&fixed, segment.at, segment.count);
        if (!is_plain(fixed.at, fixed.count)) {
            work.count = 0;
            fix_characters(fixed.at, fixed.count, &work);
            fixed.count = 0;
            remove_controls(work.at, work.count, &fixed);
            work.count = 0;
            ff_normalize_unicode(fixed.at, fixed.count, FF_NFC, &work);
            fixed.count = 0;
            ff_codepoints_append(&fixed, work.at, work.count);
        }
        if (segment.failed || fixed.failed || work.failed) {
            out->failed = true;
            break;
        }
        bool same = fixed.count == segment.count &&
                    (fixed.count == 0 || memcmp(fixed.at, segment.at, fixed.count * sizeof *fixed.at) == 0);
        ff_codepoints swap = segment;
        segment = fixed;
        fixed = swap;
        if (same)
            break;
    }
    ff_codepoints_append(out, segment.at, segment.count);
    ff_codepoints_free(&segment);
    ff_codepoints_free(&fixed);
    ff_codepoints_free(&work);
}

void ff_fix_text(const ff_codepoints *text, ff_codepoints *out)
{
    // a line with < in it is HTML, in which references are meant; ftfy then leaves them alone in the lines after it too
    bool unescape = true;
    out->failed |= text->failed;
    for (size_t first = 0, end; first < text->count; first = end) {
        for (end = first; end < text->count && end - first < LONGEST_SEGMENT; end++) {
            if (text->at[end] == '<')
                unescape = false;
            if (text->at[end] == '\n') {
                end++;
                break;
            }
        }
        fix_segment(text->at + first, end - first, unescape, out);
    }
}

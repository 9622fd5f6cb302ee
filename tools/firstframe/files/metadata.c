#include "metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "../codecs/codec_png.h"
#include "../codecs/codec_webp.h"
#include "../pictures/pictures.h"
#include "weights/content.h"

// ---- writing ----

static const char xmp_start[] =
    "<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n"
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n"
    "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n"
    "<rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\""
    " xmlns:firstframe=\"" FF_METADATA_NAMESPACE "\">\n";
static const char description_start[] = "<dc:description><rdf:Alt><rdf:li xml:lang=\"x-default\">";
static const char description_end[] = "</rdf:li></rdf:Alt></dc:description>\n";
static const char parameters_start[] = "<firstframe:parameters>";
static const char parameters_end[] = "</firstframe:parameters>\n";
static const char xmp_end[] = "</rdf:Description>\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end=\"w\"?>";

// Where text is being put together: with bytes NULL only its length is counted.
typedef struct ff_text {
    char *bytes;
    size_t length;
} ff_text;

static void append(ff_text *text, const char *bytes, size_t count)
{
    if (text->bytes)
        memcpy(text->bytes + text->length, bytes, count);
    text->length += count;
}

static void append_string(ff_text *text, const char *string)
{
    append(text, string, strlen(string));
}

// Text between XML tags. What XML cannot hold is replaced: control characters by spaces (JSON has none in its strings),
// U+FFFE and U+FFFF by JSON's escapes for them, or by U+FFFD in other text.
static void append_escaped(ff_text *text, const char *string, bool json)
{
    for (const char *c = string; *c; c++) {
        if (*c == '&') {
            append_string(text, "&amp;");
        } else if (*c == '<') {
            append_string(text, "&lt;");
        } else if (*c == '>') {
            append_string(text, "&gt;");
        } else if (strncmp(c, "\xef\xbf\xbe", 3) == 0 || strncmp(c, "\xef\xbf\xbf", 3) == 0) {
            append_string(text, !json ? "\xef\xbf\xbd" : c[2] == '\xbe' ? "\\ufffe" : "\\uffff");
            c += 2;
        } else if ((unsigned char)*c < 0x20 && *c != '\n' && *c != '\t') {
            append(text, " ", 1);
        } else {
            append(text, c, 1);
        }
    }
}

static void append_packet(ff_text *text, const char *json, const char *description)
{
    append_string(text, xmp_start);
    if (description) {
        append_string(text, description_start);
        append_escaped(text, description, false);
        append_string(text, description_end);
    }
    append_string(text, parameters_start);
    append_escaped(text, json, true);
    append_string(text, parameters_end);
    append_string(text, xmp_end);
}

ff_status ff_metadata_write_xmp(const char *json, char **xmp, ff_error *error)
{
    ff_text text = {0};

    *xmp = NULL;
    cJSON *object = cJSON_Parse(json);
    if (!cJSON_IsObject(object)) {
        cJSON_Delete(object);
        return ff_fail(error, FF_ERROR_INPUT, "the metadata is not a JSON object");
    }
    const char *description = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "prompt"));
    append_packet(&text, json, description);
    text.bytes = malloc(text.length + 1);
    if (text.bytes) {
        text.bytes[text.length] = '\0';
        text.length = 0;
        append_packet(&text, json, description);
    }
    cJSON_Delete(object);
    if (!text.bytes)
        return ff_fail(error, FF_ERROR_MEMORY, "out of memory for the metadata");
    *xmp = text.bytes;
    return FF_OK;
}

// ---- reading ----

static bool starts_with(const char *from, const char *end, const char *string)
{
    size_t length = strlen(string);
    return (size_t)(end - from) >= length && memcmp(from, string, length) == 0;
}

// The first place in [from, end) where `string` stands, or NULL.
static const char *find(const char *from, const char *end, const char *string)
{
    for (; from < end; from++)
        if (starts_with(from, end, string))
            return from;
    return NULL;
}

// One character reference, as &lt; or &#x3c;, at *from: its character in UTF-8 at out, which is moved on; *from is
// moved past it. False if it is none that XML knows without a declaration.
static bool read_reference(const char **from, const char *end, char **out)
{
    static const struct {
        const char *name;
        char character;
    } named[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};

    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++)
        if (starts_with(*from, end, named[i].name)) {
            *(*out)++ = named[i].character;
            *from += strlen(named[i].name);
            return true;
        }
    const char *semicolon = memchr(*from, ';', (size_t)(end - *from));
    if (!semicolon || semicolon - *from < 3 || semicolon - *from > 10 || (*from)[1] != '#')
        return false;
    bool hexadecimal = (*from)[2] == 'x';
    char *stop;
    unsigned long code = strtoul(*from + (hexadecimal ? 3 : 2), &stop, hexadecimal ? 16 : 10);
    if (stop != semicolon || code == 0 || code > 0x10ffff)
        return false;
    if (code < 0x80) {
        *(*out)++ = (char)code;
    } else if (code < 0x800) {
        *(*out)++ = (char)(0xc0 | code >> 6);
        *(*out)++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *(*out)++ = (char)(0xe0 | code >> 12);
        *(*out)++ = (char)(0x80 | (code >> 6 & 0x3f));
        *(*out)++ = (char)(0x80 | (code & 0x3f));
    } else {
        *(*out)++ = (char)(0xf0 | code >> 18);
        *(*out)++ = (char)(0x80 | (code >> 12 & 0x3f));
        *(*out)++ = (char)(0x80 | (code >> 6 & 0x3f));
        *(*out)++ = (char)(0x80 | (code & 0x3f));
    }
    *from = semicolon + 1;
    return true;
}

ff_status ff_metadata_read_xmp(const void *xmp, size_t size, char **json, ff_error *error)
{
    const char *from = xmp, *end = from + size, *value = NULL, *value_end = NULL;

    *json = NULL;
    // An element as we write it, or the attribute that other programs may have made of it.
    if ((value = find(from, end, parameters_start)) != NULL) {
        value += strlen(parameters_start);
        value_end = memchr(value, '<', (size_t)(end - value));
    } else if ((value = find(from, end, "firstframe:parameters=")) != NULL) {
        value += strlen("firstframe:parameters=") + 1;
        if (value < end)
            value_end = memchr(value, value[-1], (size_t)(end - value));
    }
    if (!value_end)
        return FF_OK;
    char *text = malloc((size_t)(value_end - value) + 1);  // no character is shorter than a reference to it
    if (!text)
        return ff_fail(error, FF_ERROR_MEMORY, "out of memory for the metadata");
    char *out = text;
    while (value < value_end)
        if (*value != '&' || !read_reference(&value, value_end, &out))
            *out++ = *value++;
    *out = '\0';
    *json = text;
    return FF_OK;
}

ff_status ff_metadata_read(const char *path, char **json, ff_error *error)
{
    uint8_t *bytes;
    const uint8_t *xmp;
    size_t size, xmp_size;

    *json = NULL;
    ff_status status = ff_picture_load(path, &bytes, &size, error);
    if (status != FF_OK)
        return status;
    if (ff_png_recognise(bytes, size)) {
        status = ff_png_read_text(bytes, size, path, FF_METADATA_KEYWORD, json, error);
    } else if (ff_webp_recognise(bytes, size)) {
        status = ff_webp_read_xmp(bytes, size, path, &xmp, &xmp_size, error);
        if (status == FF_OK && xmp)
            status = ff_metadata_read_xmp(xmp, xmp_size, json, error);
    } else {
        const char *content = ff_content_name(bytes, size);
        status = ff_fail(error, FF_ERROR_INPUT, "%s: neither a PNG nor a WebP picture%s%s", path,
                         content ? ": it is " : "", content ? content : "");
    }
    if (status == FF_OK && !*json)
        status = ff_fail(error, FF_ERROR_INPUT, "%s: holds no record of how firstframe made it", path);
    free(bytes);
    return status;
}

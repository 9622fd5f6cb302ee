#include "page.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../files/base64.h"
#include "../codecs/codec_webp.h"
#include "../files/host.h"
#include "../line/report.h"

#define MOST_FILE ((size_t)1 << 30)

extern const char ff_page_style[], ff_page_script[];

// ---- text that grows ----

// Room for `more` bytes and a terminating zero at the end of the text; NULL if there is none.
static char *make_room(ff_page *page, size_t more)
{
    if (page->failed || more > SIZE_MAX / 4 || page->length > SIZE_MAX / 4)
        page->failed = true;
    if (page->failed)
        return NULL;
    if (page->length + more + 1 > page->room) {
        size_t room = 2 * (page->length + more + 1);
        char *text = realloc(page->text, room);
        if (!text) {
            page->failed = true;
            return NULL;
        }
        page->text = text;
        page->room = room;
    }
    return page->text + page->length;
}

static void add_bytes(ff_page *page, const char *bytes, size_t size)
{
    char *at = make_room(page, size);
    if (!at)
        return;
    memcpy(at, bytes, size);
    at[size] = 0;
    page->length += size;
}

void ff_page_add(ff_page *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *at = length < 0 ? NULL : make_room(page, (size_t)length);
    if (!at) {
        page->failed = true;
        return;
    }
    va_start(arguments, format);
    vsnprintf(at, (size_t)length + 1, format, arguments);
    va_end(arguments);
    page->length += (size_t)length;
}

void ff_page_text(ff_page *page, const char *text)
{
    cJSON *clean = ff_json_text(NULL, NULL, text);   // as UTF-8
    if (!clean)
        page->failed = true;
    for (const char *at = clean ? clean->valuestring : ""; *at; at++)
        switch (*at) {
        case '<':
            add_bytes(page, "&lt;", 4);
            break;
        case '>':
            add_bytes(page, "&gt;", 4);
            break;
        case '&':
            add_bytes(page, "&amp;", 5);
            break;
        case '"':
            add_bytes(page, "&quot;", 6);
            break;
        case '\'':
            add_bytes(page, "&#39;", 5);
            break;
        default:
            add_bytes(page, at, 1);
        }
    cJSON_Delete(clean);
}

// ---- pictures ----

void ff_page_data(ff_page *page, const char *type, const void *bytes, size_t size)
{
    ff_page_add(page, "data:%s;base64,", type);
    char *out = make_room(page, ff_base64_length(size));
    if (!out)
        return;
    ff_base64_encode(bytes, size, out);
    page->length += ff_base64_length(size);
}

static void add_picture(ff_page *page, const char *type, const uint8_t *bytes, size_t size, size_t width, size_t height,
                        const char *alt)
{
    ff_page_add(page, "<img width=\"%zu\" height=\"%zu\" alt=\"", width, height);
    ff_page_text(page, alt);
    ff_page_add(page, "\" src=\"");
    ff_page_data(page, type, bytes, size);
    ff_page_add(page, "\">");
}

ff_status ff_page_file(ff_page *page, const char *path, size_t width, size_t height, const char *alt, ff_error *error)
{
    uint8_t *bytes;
    size_t size;
    ff_status status = ff_host_read_file(path, MOST_FILE, &bytes, &size, error);
    if (status != FF_OK)
        return status;
    add_picture(page, ff_webp_recognise(bytes, size) ? "image/webp" : "image/png", bytes, size, width, height, alt);
    free(bytes);
    return FF_OK;
}

ff_status ff_page_picture(ff_page *page, const ff_image *image, const char *alt, ff_error *error)
{
    uint8_t *bytes;
    size_t size;
    ff_status status = ff_webp_encode(image, &bytes, &size, error);
    if (status != FF_OK)
        return status;
    add_picture(page, "image/webp", bytes, size, image->width, image->height, alt);
    free(bytes);
    return FF_OK;
}

// ---- the page ----

void ff_page_begin(ff_page *page, const char *title)
{
    ff_page_add(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>");
    ff_page_text(page, title);
    ff_page_add(page, "</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>%s</style>\n</head>\n<body>\n<main>\n<h1>",
                ff_page_style);
    ff_page_text(page, title);
    ff_page_add(page, "</h1>\n");
}

ff_status ff_page_write(ff_page *page, const char *path, ff_error *error)
{
    ff_status status;
    ff_page_add(page, "</main>\n<script>\n%s</script>\n</body>\n</html>\n", ff_page_script);
    if (page->failed)
        status = ff_fail(error, FF_ERROR_MEMORY, "no memory for the page %s", path);
    else
        status = ff_host_write_file(path, &(ff_file_part){page->text, page->length}, 1, error);
    ff_page_free(page);
    return status;
}

void ff_page_free(ff_page *page)
{
    free(page->text);
    *page = (ff_page){0};
}

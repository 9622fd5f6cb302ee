// A page of HTML that stands alone: style, pictures and plots are inside it, it needs no network. A script inside it
// lets the reader step through clips; without it everything is there all the same.
#ifndef FF_PAGE_H
#define FF_PAGE_H

#include "firstframe.h"

// Text that grows. When memory runs out it stays as it is, `failed`; only ff_page_write says so.
typedef struct ff_page {
    char *text;
    size_t length, room;
    bool failed;
} ff_page;

// Head and style, up to the first heading. title: plain text.
void ff_page_begin(ff_page *page, const char *title);
// Completes the page, writes it so that it appears whole, and frees it in any case.
ff_status ff_page_write(ff_page *page, const char *path, ff_error *error);
void ff_page_free(ff_page *page);

// HTML as it is, as printf prints it.
void ff_page_add(ff_page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Any text, shown as it is: <, >, & and quotes are escaped; what is not UTF-8 becomes a question mark.
void ff_page_text(ff_page *page, const char *text);
// "data:TYPE;base64,..."
void ff_page_data(ff_page *page, const char *type, const void *bytes, size_t size);
// An <img> of a PNG or WebP file, or of a picture, inside the page. alt: plain text.
ff_status ff_page_file(ff_page *page, const char *path, size_t width, size_t height, const char *alt, ff_error *error);
ff_status ff_page_picture(ff_page *page, const ff_image *image, const char *alt, ff_error *error);

#endif

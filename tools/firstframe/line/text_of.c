#define _GNU_SOURCE   // vasprintf
#include "text_of.h"

#include <stdarg.h>
#include <stdio.h>

char *ff_text_of(const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return length < 0 ? NULL : text;
}

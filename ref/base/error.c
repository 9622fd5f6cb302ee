#include "../firstframe.h"

#include <stdarg.h>
#include <stdio.h>

ff_status ff_fail(ff_error *error, ff_status status, const char *format, ...)
{
    if (error) {
        va_list arguments;
        error->status = status;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        for (char *at = error->message; *at; at++)   // names come from files; the sentence has one line
            if ((unsigned char)*at < ' ' || *at == 0x7F)
                *at = '?';
    }
    return status;
}

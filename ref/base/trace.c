#include "trace.h"

#include <stdarg.h>
#include <stdio.h>

bool ff_traced(const ff_trace *trace, ff_dump_level level)
{
    return trace && trace->tensor && level <= trace->level;
}

ff_status ff_tap(const ff_trace *trace, ff_dump_level level, ff_tapped tensor, ff_error *error,
                 const char *name_format, ...)
{
    char name[96];
    va_list arguments;
    if (!ff_traced(trace, level))
        return FF_OK;
    va_start(arguments, name_format);
    vsnprintf(name, sizeof name, name_format, arguments);
    va_end(arguments);
    return trace->tensor(trace->user, level, name, tensor.dtype, tensor.rank, tensor.shape, tensor.data, error);
}

// The help pages, made from the tables of commands and options.
#ifndef FF_HELP_H
#define FF_HELP_H

#include <stdio.h>

#include "../commands/commands.h"

void ff_help_overview(FILE *stream);
void ff_help_command(FILE *stream, const ff_command *command);

#endif

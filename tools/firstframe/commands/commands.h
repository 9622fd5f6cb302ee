// The commands. Each is a short file, command_<name>.c; this table is what main and the help page know of them.
#ifndef FF_COMMANDS_H
#define FF_COMMANDS_H

#include "../line/options.h"
#include "../line/report.h"

typedef struct ff_command {
    unsigned bit;
    const char *name;
    const char *does;         // one line for the list of commands
    const char *usage;        // what follows the name
    const char *about;        // a paragraph
    const char *example;
    ff_status (*run)(const ff_options *options, ff_report *report, ff_error *error);
} ff_command;

extern const ff_command ff_command_table[];
extern const size_t ff_command_count;

const ff_command *ff_command_find(const char *name);  // NULL if there is none
const char *ff_command_name(unsigned bit);
// "i2v and t2v". 80 bytes are enough.
void ff_command_names(unsigned bits, char *out, size_t capacity);
// Fails with a sentence about a name that is no command.
ff_status ff_command_refuse(const char *typed, ff_error *error);

ff_status ff_command_t2i(const ff_options *options, ff_report *report, ff_error *error);
ff_status ff_command_inpaint(const ff_options *options, ff_report *report, ff_error *error);
ff_status ff_command_i2v(const ff_options *options, ff_report *report, ff_error *error);
ff_status ff_command_t2v(const ff_options *options, ff_report *report, ff_error *error);
ff_status ff_command_inspect(const ff_options *options, ff_report *report, ff_error *error);
ff_status ff_command_models(const ff_options *options, ff_report *report, ff_error *error);
ff_status ff_command_again(const ff_options *options, ff_report *report, ff_error *error);
ff_status ff_command_compare(const ff_options *options, ff_report *report, ff_error *error);
ff_status ff_command_explain(const ff_options *options, ff_report *report, ff_error *error);
ff_status ff_command_bench(const ff_options *options, ff_report *report, ff_error *error);
ff_status ff_command_convert(const ff_options *options, ff_report *report, ff_error *error);
ff_status ff_command_diff(const ff_options *options, ff_report *report, ff_error *error);
ff_status ff_command_verify(const ff_options *options, ff_report *report, ff_error *error);

#endif

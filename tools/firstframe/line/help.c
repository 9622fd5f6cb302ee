#include "help.h"

#include <string.h>

#define COLUMN 26   // where the explanations start
#define WIDTH 90

// Writes text from column `at` on, broken at spaces, with following lines indented to `indent`. Returns the column
// reached.
static size_t write_wrapped(FILE *stream, const char *text, size_t at, size_t indent)
{
    while (*text) {
        size_t word = strcspn(text, " ");
        if (at > indent && at + 1 + word > WIDTH) {
            fprintf(stream, "\n%*s", (int)indent, "");
            at = indent;
        } else if (at > indent) {
            fputc(' ', stream);
            at++;
        }
        fprintf(stream, "%.*s", (int)word, text);
        at += word;
        text += word;
        text += strspn(text, " ");
    }
    return at;
}

static void write_option(FILE *stream, const ff_option *option)
{
    char left[64], letter[8] = "    ";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    int length = snprintf(left, sizeof left, "  %s--%s%s%s", letter, option->name, option->argument ? " " : "",
                          option->argument ? option->argument : "");
    fputs(left, stream);
    if (length < COLUMN)
        fprintf(stream, "%*s", COLUMN - length, "");
    else
        fprintf(stream, "\n%*s", COLUMN, "");
    size_t at = write_wrapped(stream, option->help, COLUMN, COLUMN);
    if (option->alias) {
        snprintf(left, sizeof left, "Also --%s.", option->alias);
        write_wrapped(stream, left, at, COLUMN);
    }
    fputc('\n', stream);
}

void ff_help_overview(FILE *stream)
{
    fputs("firstframe " FF_VERSION " turns a still into a short video, on a CPU.\n\n"
          "Usage: firstframe COMMAND [options]\n\n", stream);
    for (size_t i = 0; i < ff_command_count; i++)
        fprintf(stream, "  %-9s %s\n", ff_command_table[i].name, ff_command_table[i].does);
    fputs("\nfirstframe COMMAND --help explains a command and its options; firstframe --version says which this is.\n\n"
          "Examples:\n", stream);
    for (size_t i = 0; i < ff_command_count; i++)
        fprintf(stream, "  %s\n", ff_command_table[i].example);
}

void ff_help_command(FILE *stream, const ff_command *command)
{
    static const char *const headings[FF_GROUPS] = {
        [FF_GROUP_SUBJECT] = "What to make", [FF_GROUP_SHAPE] = "Size and length", [FF_GROUP_SAMPLING] = "Sampling",
        [FF_GROUP_OUTPUT] = "Output", [FF_GROUP_TENSORS] = "Tensors", [FF_GROUP_RUNNING] = "Running",
    };
    fprintf(stream, "Usage: firstframe %s %s\n\n", command->name, command->usage);
    write_wrapped(stream, command->about, 0, 0);
    fputc('\n', stream);
    for (int group = 0; group < FF_GROUPS; group++) {
        bool headed = false;
        for (int id = 0; id < FF_OPTIONS; id++) {
            const ff_option *option = &ff_option_table[id];
            if ((int)option->group != group || !(option->commands & command->bit))
                continue;
            if (!headed)
                fprintf(stream, "\n%s:\n", headings[group]);
            headed = true;
            write_option(stream, option);
        }
    }
    fprintf(stream, "\nExample:\n  %s\n", command->example);
}

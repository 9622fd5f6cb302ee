// firstframe on the command line: finds the command, reads its options, runs it and reports.
#include "commands/commands.h"
#include "line/help.h"
#include "files/host.h"
#include "files/protect.h"

#include <stdio.h>
#include <string.h>

static bool has_argument(int count, char *const *arguments, const char *wanted)
{
    for (int i = 0; i < count && strcmp(arguments[i], "--") != 0; i++)
        if (strcmp(arguments[i], wanted) == 0)
            return true;
    return false;
}

// What stands where a command should: --help, --version, a mistake.
static int without_command(int count, char *const *arguments)
{
    ff_report report = {.json = has_argument(count, arguments, "--json")};
    ff_error error = {0};
    if (count == 0) {
        ff_help_overview(stderr);
        return 2;
    }
    if (strcmp(arguments[0], "--version") == 0) {
        puts("firstframe " FF_VERSION);
        return ff_report_finish(&report, FF_OK, &error);
    }
    if (strcmp(arguments[0], "--help") == 0 || strcmp(arguments[0], "-h") == 0 || strcmp(arguments[0], "help") == 0) {
        const ff_command *command = count > 1 ? ff_command_find(arguments[1]) : NULL;
        if (command)
            ff_help_command(stdout, command);
        else
            ff_help_overview(stdout);
        return ff_report_finish(&report, FF_OK, &error);
    }
    ff_report_start(&report, arguments[0]);
    ff_command_refuse(arguments[0], &error);
    return ff_report_finish(&report, FF_ERROR_INPUT, &error);
}

int main(int count, char **arguments)
{
    const ff_command *command = count > 1 ? ff_command_find(arguments[1]) : NULL;
    ff_options options;
    ff_error error = {0};
    ff_status status;
    ff_host_start();
    if (!command)
        return without_command(count - 1, arguments + 1);
    if (has_argument(count - 2, arguments + 2, "--version"))
        return without_command(1, (char *[]){"--version"});
    ff_report report = {.json = has_argument(count - 2, arguments + 2, "--json"),
                        .compares = command->bit & (FF_COMMAND_DIFF | FF_COMMAND_VERIFY)};
    ff_report_start(&report, command->name);
    status = ff_options_parse(command->bit, count - 2, arguments + 2, &options, &error);
    if (status == FF_OK && options.help) {
        ff_help_command(stdout, command);
        report.json = false;
    } else if (status == FF_OK) {
        report.quiet = options.quiet;
        report.verbose = options.verbose;
        if (!(command->bit & (FF_COMMAND_INSPECT | FF_COMMAND_MODELS)))  // which compute nothing
            status = ff_check_threads(options.threads, &error);
        if (status == FF_OK)
            status = ff_protect_inputs(&options, &error);
        if (status == FF_OK)
            status = command->run(&options, &report, &error);
    }
    return ff_report_finish(&report, status, &error);
}

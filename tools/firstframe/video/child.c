#define _GNU_SOURCE
#include "child.h"
#include "../files/host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAST_LINE 300   // bytes of a complaint that are told

bool ff_child_find(const char *name, char *path, size_t capacity)
{
    const char *folders = getenv("PATH");
    struct stat facts;
    while (folders && *folders) {
        size_t length = strcspn(folders, ":");
        int written = snprintf(path, capacity, "%.*s/%s", (int)length, folders, name);
        if (length > 0 && written > 0 && (size_t)written < capacity && stat(path, &facts) == 0 &&
            S_ISREG(facts.st_mode) && access(path, X_OK) == 0)
            return true;
        folders += length + (folders[length] == ':');
    }
    return false;
}

// What the child finds: a pipe for its input, nothing for its output, signals as at the start of any program.
static int spawn(const char *path, char *const *arguments, int input, int complaints, pid_t *id)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t ours, none;
    sigemptyset(&none);
    sigemptyset(&ours);
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ};
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaddset(&ours, caught[i]);
    int reason = posix_spawn_file_actions_init(&actions);
    if (reason != 0)
        return reason;
    if ((reason = posix_spawnattr_init(&attributes)) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return reason;
    }
    if (!(reason = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)) &&
        !(reason = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)) &&
        !(reason = posix_spawn_file_actions_adddup2(&actions, complaints, STDERR_FILENO)) &&
        !(reason = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                                             POSIX_SPAWN_SETSIGMASK)) &&
        !(reason = posix_spawnattr_setpgroup(&attributes, 0)) &&
        !(reason = posix_spawnattr_setsigdefault(&attributes, &ours)) &&
        !(reason = posix_spawnattr_setsigmask(&attributes, &none)))
        reason = posix_spawn(id, path, &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return reason;
}

ff_status ff_child_start(const char *path, char *const *arguments, ff_child *out, ff_error *error)
{
    int ends[2];
    pid_t id;
    *out = (ff_child){.complaints = tmpfile()};
    if (!out->complaints || pipe2(ends, O_CLOEXEC) != 0) {
        ff_fail(error, FF_ERROR_IO, "%s: cannot be started: %s", path, strerror(errno));
        ff_child_abandon(out);
        return FF_ERROR_IO;
    }
    int reason = spawn(path, arguments, ends[0], fileno(out->complaints), &id);
    close(ends[0]);
    if (reason == 0) {
        out->id = (int)id;
        out->input = fdopen(ends[1], "wb");
        reason = out->input ? 0 : ENOMEM;
    }
    if (reason == 0)
        return FF_OK;
    if (!out->input)
        close(ends[1]);
    ff_child_abandon(out);
    return ff_fail(error, FF_ERROR_IO, "%s: cannot be started: %s", path, strerror(reason));
}

// The last line that is not empty, without what is not printable; "" if there is none.
static void read_last_line(FILE *complaints, char line[LAST_LINE])
{
    char text[LAST_LINE];
    *line = 0;
    rewind(complaints);
    while (fgets(text, sizeof text, complaints)) {
        size_t length = strcspn(text, "\r\n");
        text[length] = 0;
        if (length)
            memcpy(line, text, length + 1);
    }
}

// Its exit status, or -1 where a signal of ours came first.
static int wait_for(const ff_child *child)
{
    int status;
    while (waitpid(child->id, &status, 0) < 0)
        if (errno != EINTR || ff_host_interrupted())
            return -1;
    return status;
}

ff_status ff_child_finish(ff_child *child, const char *name, ff_error *error)
{
    char line[LAST_LINE];
    FILE *input = child->input;
    child->input = NULL;
    if (input)
        fclose(input);   // what it does not read any more, its status tells
    int status = wait_for(child);
    if (status == -1) {
        ff_child_abandon(child);
        return ff_fail(error, FF_CANCELLED, "interrupted while %s was at work", name);
    }
    child->id = 0;
    read_last_line(child->complaints, line);
    ff_child_abandon(child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return FF_OK;
    if (WIFSIGNALED(status))
        return ff_fail(error, FF_ERROR_IO, "%s was ended by signal %d%s%s", name, WTERMSIG(status), *line ? ": " : "",
                       line);
    return ff_fail(error, FF_ERROR_IO, "%s failed: %s", name, *line ? line : "it does not say why");
}

void ff_child_abandon(ff_child *child)
{
    if (child->id > 0) {
        kill(child->id, SIGKILL);
        while (waitpid(child->id, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (child->input)
        fclose(child->input);
    if (child->complaints)
        fclose(child->complaints);
    *child = (ff_child){0};
}

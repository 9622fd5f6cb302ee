// Files that appear under their names whole or not at all (ff_atomic_file of firstframe.h), and what killed runs leave
// of them.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system.h"

#define MOST_ATTEMPTS 1000  // to find a name that nobody uses
#define PART ".firstframe-"  // between a file's name and the process and number of what is written beside it
#define PART_END ".part"
#define PART_ROOM 64

static ff_status cannot_write(const char *path, const char *reason, ff_error *error)
{
    return ff_fail(error, FF_ERROR_IO, "%s: cannot be written: %s", path, reason);
}

// Renaming would put a file in the place of a device or a pipe, and cannot in that of a folder.
static ff_status check_place(const char *path, ff_error *error)
{
    struct stat facts;
    if (!path[0])
        return ff_fail(error, FF_ERROR_INPUT, "a file without a name cannot be written");
    if (stat(path, &facts) != 0 || S_ISREG(facts.st_mode))
        return FF_OK;
    return cannot_write(path, S_ISDIR(facts.st_mode) ? "it is a folder" : "it is not a regular file", error);
}

// The file is to have the permissions of any new file, which mkostemp's have not. -1: errno says why.
static int create_new(const char *path)
{
    return open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

// Locks a new file, so that ff_atomic_sweep takes it for that of a run that lives. False if a sweep came before.
static bool lock_new(int file)
{
    struct stat facts;
    if (flock(file, LOCK_EX | LOCK_NB) != 0)
        return errno != EWOULDBLOCK;   // a file system without locks is never swept
    return fstat(file, &facts) != 0 || facts.st_nlink > 0;
}

// Fills out->path and out->temporary; the latter is to be written.
static ff_status name_file(const char *path, size_t room, ff_atomic_file *out, ff_error *error)
{
    size_t length = strlen(path) + 1;
    *out = (ff_atomic_file){.lock = -1};
    if (!(out->path = malloc(length + room)))
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
    memcpy(out->path, path, length);
    out->temporary = out->path + length;
    return FF_OK;
}

static void free_names(ff_atomic_file *file)
{
    free(file->path);
    *file = (ff_atomic_file){.lock = -1};
}

// descriptor: of the temporary file, which now exists.
static ff_status open_stream(ff_atomic_file *out, int descriptor, ff_error *error)
{
    if ((out->file = fdopen(descriptor, "w+b")))
        return FF_OK;
    close(descriptor);
    ff_status status = ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", out->path);
    ff_atomic_abandon(out, 1);
    return status;
}

// A new file beside out->path, locked; out->temporary receives its name. -1: errno says why.
static int create_locked(ff_atomic_file *out, size_t room)
{
    for (unsigned attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
        snprintf(out->temporary, room, "%s" PART "%ld-%u" PART_END, out->path, (long)getpid(), attempt);
        int file = create_new(out->temporary);
        if (file < 0 && errno != EEXIST)
            return -1;
        if (file >= 0 && lock_new(file))
            return file;
        if (file >= 0)
            close(file);
    }
    errno = EEXIST;
    return -1;
}

ff_status ff_atomic_create(const char *path, ff_atomic_file *out, ff_error *error)
{
    size_t room = strlen(path) + PART_ROOM;
    *out = (ff_atomic_file){.lock = -1};
    ff_status status = check_place(path, error);
    if (status || (status = name_file(path, room, out, error)))
        return status;
    ff_atomic_sweep(path);
    int file = create_locked(out, room);
    if (file >= 0 && (out->lock = fcntl(file, F_DUPFD_CLOEXEC, 0)) >= 0)   // the stream may be closed, the lock stays
        return open_stream(out, file, error);
    status = cannot_write(path, strerror(errno), error);
    if (file >= 0) {
        unlink(out->temporary);
        close(file);
    }
    free_names(out);
    return status;
}

ff_status ff_atomic_create_next(const char *path, const ff_atomic_file *first, size_t i, ff_atomic_file *out,
                                ff_error *error)
{
    size_t room = strlen(first->temporary) + PART_ROOM;
    *out = (ff_atomic_file){.lock = -1};
    ff_status status = check_place(path, error);
    if (status || (status = name_file(path, room, out, error)))
        return status;
    snprintf(out->temporary, room, "%s-%zu", first->temporary, i);
    int file = create_new(out->temporary);
    if (file < 0 && errno == EEXIST && unlink(out->temporary) == 0)  // its first one was ours to create: of a dead run
        file = create_new(out->temporary);
    if (file < 0) {
        status = cannot_write(path, strerror(errno), error);
        free_names(out);
        return status;
    }
    return open_stream(out, file, error);
}

// Brings what was written to the disk, and closes the stream.
static ff_status settle(ff_atomic_file *file, ff_error *error)
{
    FILE *stream = file->file ? file->file : fopen(file->temporary, "r+b");
    if (!stream)
        return cannot_write(file->path, strerror(errno), error);
    bool good = fflush(stream) == 0 && (fsync(fileno(stream)) == 0 || errno == EINVAL);  // EINVAL: it has no fsync
    int reason = errno;
    file->file = NULL;
    if (fclose(stream) != 0 && good) {
        good = false;
        reason = errno;
    }
    return good ? FF_OK : cannot_write(file->path, strerror(reason), error);
}

// The folder that a path lies in, open, or -1. *name: the path's last part.
static int open_folder_of(const char *path, const char **name)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + 1 : 0;
    *name = path + length;
    if (length >= sizeof folder)
        return -1;
    memcpy(folder, path, length);
    folder[length] = 0;
    return open(length ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

// A folder that cannot be read or synchronised is left to the system: the files are in place and whole either way.
static void sync_folder_of(const char *path)
{
    const char *name;
    int folder = open_folder_of(path, &name);
    if (folder < 0)
        return;
    fsync(folder);
    close(folder);
}

ff_status ff_atomic_finish(ff_atomic_file *files, size_t count, ff_error *error)
{
    ff_status status = FF_OK;
    for (size_t i = 0; i < count && !status; i++)
        status = settle(&files[i], error);
    // the first, which has the lock, comes last, so that whatever a killed run leaves can be swept
    for (size_t i = count; i-- > 0 && !status;) {
        if (rename(files[i].temporary, files[i].path) != 0)
            status = cannot_write(files[i].path, strerror(errno), error);
        else
            files[i].temporary = NULL;
    }
    if (!status && count > 0)
        sync_folder_of(files[0].path);
    ff_atomic_abandon(files, count);
    return status;
}

void ff_atomic_abandon(ff_atomic_file *files, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        ff_atomic_file *file = &files[i];
        if (!file->path)
            continue;
        if (file->file)
            fclose(file->file);
        if (file->temporary)
            unlink(file->temporary);
        if (file->lock >= 0)
            close(file->lock);
        free_names(file);
    }
}

// The text after a number, or NULL if there is none.
static const char *skip_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits ? text + digits : NULL;
}

// Whether a name is what ff_atomic_create calls a file beside `whole`.
static bool is_part_of(const char *name, const char *whole)
{
    size_t length = strlen(whole);
    if (strncmp(name, whole, length) != 0 || strncmp(name + length, PART, sizeof PART - 1) != 0)
        return false;
    const char *rest = skip_number(name + length + sizeof PART - 1);
    return rest && *rest == '-' && (rest = skip_number(rest + 1)) && strcmp(rest, PART_END) == 0;
}

// The files of ff_atomic_create_next after `first`, whose run is dead.
static void remove_next(int folder, const char *first)
{
    size_t length = strlen(first);
    const struct dirent *entry;
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = again < 0 ? NULL : fdopendir(again);
    while (list && (entry = readdir(list))) {
        const char *name = entry->d_name, *rest;
        if (strncmp(name, first, length) == 0 && name[length] == '-' && (rest = skip_number(name + length + 1)) &&
            !*rest)
            unlinkat(folder, name, 0);
    }
    if (list)
        closedir(list);
    else if (again >= 0)
        close(again);
}

// Whoever has the lock of a file that still has its name has outlived its run.
static void remove_dead(int folder, const char *name)
{
    struct stat opened, named;
    int file = openat(folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0)
        return;
    if (fstat(file, &opened) == 0 && S_ISREG(opened.st_mode) && opened.st_uid == geteuid() &&
        flock(file, LOCK_EX | LOCK_NB) == 0 && fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        named.st_dev == opened.st_dev && named.st_ino == opened.st_ino) {
        remove_next(folder, name);
        unlinkat(folder, name, 0);
    }
    close(file);
}

void ff_atomic_sweep(const char *path)
{
    const char *whole;
    const struct dirent *entry;
    int folder = open_folder_of(path, &whole);
    DIR *list = folder < 0 ? NULL : fdopendir(folder);
    while (list && (entry = readdir(list)))
        if (is_part_of(entry->d_name, whole))
            remove_dead(folder, entry->d_name);
    if (list)
        closedir(list);
    else if (folder >= 0)
        close(folder);
}

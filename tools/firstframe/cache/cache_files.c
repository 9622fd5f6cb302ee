#define _GNU_SOURCE
#include "cache_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_ROOM 4096
#define LOCK "lock"              // who holds it makes room
#define PART ".part"             // ends what is not whole yet
#define DEAD_SECONDS 3600        // after which such a file is nobody's
#define MOST_FILE ((size_t)1 << 28)
#define LOCK_ATTEMPTS 50
#define LOCK_WAIT_NANOSECONDS 10000000L

bool ff_cache_folder(char *out, size_t capacity)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = -1;
    if (cache && cache[0] == '/')
        length = snprintf(out, capacity, "%s/firstframe", cache);
    else if (home && home[0] == '/')
        length = snprintf(out, capacity, "%s/.cache/firstframe", home);
    return length > 0 && (size_t)length < capacity;
}

static int open_folder(const char *folder)
{
    return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

// The folder, made with the one above it if need be; both are the user's alone then. -1 if it cannot be had.
static int make_folder(const char *folder)
{
    char above[PATH_ROOM];
    const char *slash = strrchr(folder, '/');
    snprintf(above, sizeof above, "%.*s", (int)(slash - folder), folder);
    mkdir(above, 0700);
    mkdir(folder, 0700);
    return open_folder(folder);
}

// ---- reading ----

static bool read_whole(int file, uint8_t **bytes, size_t *size)
{
    struct stat facts;
    uint8_t *read_bytes = NULL;
    size_t got = 0;
    if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode) || (size_t)facts.st_size > MOST_FILE ||
        !(read_bytes = malloc((size_t)facts.st_size + 1)))
        return false;
    while (got < (size_t)facts.st_size) {
        ssize_t part = read(file, read_bytes + got, (size_t)facts.st_size - got);
        if (part <= 0)
            break;
        got += (size_t)part;
    }
    *bytes = read_bytes;
    *size = got;
    return true;
}

bool ff_cache_read(const char *folder, const char *name, uint8_t **bytes, size_t *size)
{
    int place = open_folder(folder);
    int file = place < 0 ? -1 : openat(place, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool good = file >= 0 && read_whole(file, bytes, size);
    if (good)
        utimensat(place, name, NULL, AT_SYMLINK_NOFOLLOW);
    if (file >= 0)
        close(file);
    if (place >= 0)
        close(place);
    return good;
}

void ff_cache_remove(const char *folder, const char *name)
{
    int place = open_folder(folder);
    if (place < 0)
        return;
    unlinkat(place, name, 0);
    close(place);
}

// ---- room ----

typedef struct cache_file {
    char *name;
    size_t size;
    struct timespec used;
} cache_file;

static int compare_use(const void *a, const void *b)
{
    const cache_file *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec)
        return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

static bool ends_in_part(const char *name)
{
    size_t length = strlen(name), ending = sizeof PART - 1;
    return length > ending && strcmp(name + length - ending, PART) == 0;
}

// The whole files of the folder, of which *bytes is the sum; what dead processes left is removed. The caller frees
// names and list.
static size_t list_files(int place, cache_file **out, size_t *bytes)
{
    size_t count = 0, room = 0;
    const struct dirent *entry;
    struct stat facts;
    int again = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = again < 0 ? NULL : fdopendir(again);
    *out = NULL;
    *bytes = 0;
    while (list && (entry = readdir(list))) {
        const char *name = entry->d_name;
        if (strcmp(name, LOCK) == 0 || fstatat(place, name, &facts, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(facts.st_mode))
            continue;
        if (ends_in_part(name)) {
            if (facts.st_mtim.tv_sec + DEAD_SECONDS < time(NULL))
                unlinkat(place, name, 0);
            continue;
        }
        if (count == room) {
            room = room ? 2 * room : 64;
            cache_file *larger = realloc(*out, room * sizeof *larger);
            if (!larger)
                break;
            *out = larger;
        }
        cache_file *file = &(*out)[count];
        *file = (cache_file){strdup(name), (size_t)facts.st_size, facts.st_mtim};
        if (!file->name)
            break;
        *bytes += file->size;
        count++;
    }
    if (list)
        closedir(list);
    else if (again >= 0)
        close(again);
    return count;
}

static void make_room(int place, size_t most)
{
    cache_file *files;
    size_t bytes, count = list_files(place, &files, &bytes);
    if (bytes > most)
        qsort(files, count, sizeof *files, compare_use);
    for (size_t i = 0; i < count && bytes > most; i++) {
        unlinkat(place, files[i].name, 0);
        bytes -= files[i].size;
    }
    for (size_t i = 0; i < count; i++)
        free(files[i].name);
    free(files);
}

// The lock, or -1 if another process keeps it for longer than making room takes.
static int lock_folder(int place)
{
    const struct timespec wait = {0, LOCK_WAIT_NANOSECONDS};
    int lock = openat(place, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    for (int i = 0; lock >= 0 && i < LOCK_ATTEMPTS; i++) {
        if (flock(lock, LOCK_EX | LOCK_NB) == 0)
            return lock;
        nanosleep(&wait, NULL);
    }
    if (lock >= 0)
        close(lock);
    return -1;
}

// ---- writing ----

static bool write_whole(int place, const char *name, const ff_file_part *pieces, size_t count)
{
    int descriptor = openat(place, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "wb");
    bool good = file != NULL;
    if (descriptor >= 0 && !file)
        close(descriptor);
    for (size_t i = 0; i < count && good; i++)
        good = fwrite(pieces[i].bytes, 1, pieces[i].size, file) == pieces[i].size;
    if (file && fclose(file) != 0)
        good = false;
    return good;
}

void ff_cache_write(const char *folder, const char *name, const ff_file_part *pieces, size_t count, size_t most)
{
    char part[PATH_ROOM];
    int place = make_folder(folder);
    if (place < 0)
        return;
    int lock = lock_folder(place);
    snprintf(part, sizeof part, "%s.%ld" PART, name, (long)getpid());
    if (lock >= 0) {
        unlinkat(place, part, 0);   // of a dead process that had our number
        if (!write_whole(place, part, pieces, count) || renameat(place, part, place, name) != 0)
            unlinkat(place, part, 0);
        make_room(place, most);
        close(lock);
    }
    close(place);
}

#define _GNU_SOURCE
#include "host.h"
#include "protect.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

// ---- terminal and signals ----

bool ff_host_is_terminal(FILE *stream)
{
    return isatty(fileno(stream)) == 1;
}

size_t ff_host_terminal_width(FILE *stream)
{
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

static volatile sig_atomic_t orderly, interrupted;
static volatile struct timespec interrupted_at;

#define SAME_SIGNAL_SECONDS 0.1   // `timeout` and terminals send one to the program and again to its group

static double since_interruption(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - interrupted_at.tv_sec) + 1e-9 * (double)(now.tv_nsec - interrupted_at.tv_nsec);
}

static void on_signal(int number)
{
    static const char message[] = "\nstopping after this step; once more stops at once\n";
    struct timespec now;
    if (interrupted && since_interruption() < SAME_SIGNAL_SECONDS)
        return;
    if (!orderly || interrupted)
        _exit(FF_HOST_SIGNALLED + number);
    clock_gettime(CLOCK_MONOTONIC, &now);
    interrupted_at.tv_sec = now.tv_sec;
    interrupted_at.tv_nsec = now.tv_nsec;
    interrupted = number;
    if (isatty(STDERR_FILENO) == 1 && write(STDERR_FILENO, message, sizeof message - 1) < 0)
        return;
}

// always: even a signal that whoever started the program has it ignore
static void catch_signal(int number, bool always)
{
    struct sigaction former, catch = {.sa_handler = on_signal};  // no SA_RESTART: a write to a full pipe ends too
    if (always || (sigaction(number, NULL, &former) == 0 && former.sa_handler != SIG_IGN))
        sigaction(number, &catch, NULL);
}

void ff_host_start(void)
{
    int descriptor;
    do
        descriptor = open("/dev/null", O_RDONLY);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor >= 0)
        close(descriptor);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    catch_signal(SIGINT, false);
    catch_signal(SIGTERM, false);
    catch_signal(SIGHUP, false);
}

void ff_host_catch_signals(void)
{
    orderly = 1;
    catch_signal(SIGINT, true);
    catch_signal(SIGTERM, true);
    catch_signal(SIGHUP, false);  // nohup has it ignored
}

int ff_host_interrupted(void)
{
    return interrupted;
}

ff_status ff_host_check_interrupt(const char *doing, ff_error *error)
{
    return interrupted ? ff_fail(error, FF_CANCELLED, "interrupted while %s", doing) : FF_OK;
}

// ---- this process ----

double ff_host_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

uint64_t ff_host_random(void)
{
    uint32_t value;
    if (getrandom(&value, sizeof value, 0) != sizeof value)
        value = (uint32_t)time(NULL);
    return value;
}

bool ff_host_program_folder(char *out, size_t capacity)
{
    ssize_t length = readlink("/proc/self/exe", out, capacity);
    if (length <= 0 || (size_t)length >= capacity)
        return false;
    out[length] = 0;
    char *slash = strrchr(out, '/');
    if (!slash)
        return false;
    slash[slash == out] = 0;
    return true;
}

// ---- files ----

bool ff_host_exists(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0;
}

bool ff_host_is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

// What the folder is that a path lies in. False if there is none.
static bool find_folder_of(const char *path, struct stat *out)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return stat(".", out) == 0;
    char *folder = strndup(path, (size_t)(slash - path) + 1);
    bool found = folder && stat(folder, out) == 0;
    free(folder);
    return found;
}

bool ff_host_same_place(const char *a, const char *b)
{
    const char *slash_a = strrchr(a, '/'), *slash_b = strrchr(b, '/');
    struct stat folder_a, folder_b;
    if (strcmp(a, b) == 0)
        return true;
    return strcmp(slash_a ? slash_a + 1 : a, slash_b ? slash_b + 1 : b) == 0 && find_folder_of(a, &folder_a) &&
           find_folder_of(b, &folder_b) && folder_a.st_dev == folder_b.st_dev && folder_a.st_ino == folder_b.st_ino;
}

bool ff_host_free_space(const char *path, ff_free_space *out)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    struct statvfs disk;
    struct stat facts;
    bool told = folder && statvfs(folder, &disk) == 0 && stat(folder, &facts) == 0 && disk.f_blocks > 0;
    if (told)
        *out = (ff_free_space){(uint64_t)disk.f_bavail * disk.f_frsize, (uint64_t)facts.st_dev};
    free(folder);
    return told;
}

char *ff_host_real_path(const char *path)
{
    return realpath(path, NULL);
}

ff_status ff_host_make_folder(const char *path, bool *made, ff_error *error)
{
    ff_status status = FF_OK;
    char *partial = strdup(path);
    *made = false;
    ff_host_catch_signals();   // from here on there is something to tidy up
    if (!partial)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for a path");
    for (char *at = partial + 1; status == FF_OK; at++) {
        char here = *at;
        if (here != '/' && here != 0)
            continue;
        *at = 0;
        int reason = mkdir(partial, 0777) == 0 ? 0 : errno;
        if (reason == 0)
            *made = true;
        else if (!ff_host_is_folder(partial))
            status = ff_fail(error, FF_ERROR_IO, "%s: the folder cannot be made: %s", path, strerror(reason));
        *at = here;
        if (here == 0)
            break;
    }
    free(partial);
    return status;
}

void ff_host_remove_folder(const char *path)
{
    rmdir(path);
}

void ff_host_remove_file(const char *path)
{
    unlink(path);
}

ff_status ff_host_write_file(const char *path, const ff_file_part *pieces, size_t count, ff_error *error)
{
    ff_atomic_file out;
    ff_status status = ff_protect_check(path, error);
    if (!status)
        status = ff_atomic_create(path, &out, error);
    if (status)
        return status;
    for (size_t i = 0; i < count && !status; i++)
        if (fwrite(pieces[i].bytes, 1, pieces[i].size, out.file) != pieces[i].size)
            status = ff_fail(error, FF_ERROR_IO, "%s: cannot be written: %s", path, strerror(errno));
    if (!status)
        return ff_atomic_finish(&out, 1, error);
    ff_atomic_abandon(&out, 1);
    return status;
}

static ff_status cannot_read(const char *path, ff_error *error)
{
    return ff_fail(error, errno == ENOENT || errno == ENOTDIR ? FF_ERROR_INPUT : FF_ERROR_IO, "%s: %s", path,
                   strerror(errno));
}

// A pipe without a writer would block the opening, and a device may never end.
static ff_status open_regular(const char *path, FILE **out, size_t *size, ff_error *error)
{
    struct stat facts;
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    ff_status status = FF_OK;
    *out = NULL;
    if (descriptor < 0)
        return cannot_read(path, error);
    if (fstat(descriptor, &facts) != 0)
        status = cannot_read(path, error);
    else if (!S_ISREG(facts.st_mode))
        status = ff_fail(error, FF_ERROR_INPUT, "%s: not a regular file", path);
    else if (!(*out = fdopen(descriptor, "rb")))
        status = cannot_read(path, error);
    if (status != FF_OK) {
        close(descriptor);
        return status;
    }
    *size = (size_t)facts.st_size;
    return FF_OK;
}

ff_status ff_host_read_file(const char *path, size_t most, uint8_t **bytes, size_t *size, ff_error *error)
{
    FILE *file;
    uint8_t *read = NULL;
    ff_status status = open_regular(path, &file, size, error);
    if (status != FF_OK)
        return status;
    if (*size > most)
        status = ff_fail(error, FF_ERROR_INPUT, "%s: larger than the %zu bytes expected", path, most);
    else if (!(read = malloc(*size + 1)))
        status = ff_fail(error, FF_ERROR_MEMORY, "%s: no memory for its %zu bytes", path, *size);
    else if (fread(read, 1, *size, file) != *size)
        status = ff_fail(error, FF_ERROR_IO, "%s: cannot be read to its end", path);
    fclose(file);
    if (status != FF_OK) {
        free(read);
        return status;
    }
    *bytes = read;
    return FF_OK;
}

ff_status ff_host_hash_file(const char *path, uint8_t out[32], ff_error *error)
{
    uint8_t part[16384];
    size_t got, size;
    ff_sha256 hash;
    FILE *file;
    ff_status status = open_regular(path, &file, &size, error);
    if (status != FF_OK)
        return status;
    ff_sha256_start(&hash);
    while ((got = fread(part, 1, sizeof part, file)) > 0)
        ff_sha256_add(&hash, part, got);
    if (ferror(file))
        status = ff_fail(error, FF_ERROR_INPUT, "%s: %s", path, strerror(errno));
    fclose(file);
    ff_sha256_finish(&hash, out);
    return status;
}

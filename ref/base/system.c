#define _GNU_SOURCE
#include "system.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

_Static_assert(FLT_EVAL_METHOD == 0, "the arithmetic contract needs float operations rounded to float");
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "IEEE single and double");

ff_status ff_map_file(const char *path, ff_mapping *out, ff_error *error)
{
    struct stat facts;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not keep us waiting
    *out = (ff_mapping){0};
    if (file < 0) {
        int reason = errno;
        if (reason == ENOENT && lstat(path, &facts) == 0)
            return ff_fail(error, FF_ERROR_INPUT, "%s: a link to a file that is not there", path);
        return ff_fail(error, reason == ENOENT || reason == ENOTDIR || reason == ELOOP ? FF_ERROR_INPUT : FF_ERROR_IO,
                       "%s: %s", path, strerror(reason));
    }
    if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        close(file);
        return ff_fail(error, FF_ERROR_INPUT, "%s: not a regular file", path);
    }
    if (facts.st_size > 0) {
        void *data = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (data == MAP_FAILED) {
            int reason = errno;
            close(file);
            return ff_fail(error, FF_ERROR_IO, "%s: cannot be mapped: %s", path, strerror(reason));
        }
        out->data = data;
        out->size = (size_t)facts.st_size;
    }
    close(file);
    return FF_OK;
}

void ff_unmap_file(ff_mapping *mapping)
{
    if (mapping->data)
        munmap((void *)mapping->data, mapping->size);
    *mapping = (ff_mapping){0};
}

void ff_release_mapping(const ff_mapping *mapping)
{
    if (mapping->data)
        madvise((void *)mapping->data, mapping->size, MADV_DONTNEED);
}

bool ff_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool ff_stamp_file(const char *path, uint64_t out[FF_STAMP_WORDS])
{
    struct stat facts;
    if (stat(path, &facts) != 0)
        return false;
    const uint64_t words[FF_STAMP_WORDS] = {
        (uint64_t)facts.st_size, (uint64_t)facts.st_dev, (uint64_t)facts.st_ino,
        (uint64_t)facts.st_mtim.tv_sec, (uint64_t)facts.st_mtim.tv_nsec,
        (uint64_t)facts.st_ctim.tv_sec, (uint64_t)facts.st_ctim.tv_nsec};
    memcpy(out, words, sizeof words);
    return true;
}

int ff_compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool append_name(ff_names *names, size_t *capacity, const char *name)
{
    if (names->count == *capacity) {
        size_t more = *capacity ? 2 * *capacity : 32;
        char **longer = realloc(names->at, more * sizeof *longer);
        if (!longer)
            return false;
        names->at = longer;
        *capacity = more;
    }
    names->at[names->count] = strdup(name);
    return names->at[names->count] && ++names->count;
}

ff_status ff_list_folder(const char *path, ff_names *out, ff_error *error)
{
    const struct dirent *entry;
    size_t capacity = 0;
    ff_status status = FF_OK;
    DIR *folder = opendir(path);
    *out = (ff_names){0};
    if (!folder)
        return ff_fail(error, errno == ENOENT || errno == ENOTDIR ? FF_ERROR_INPUT : FF_ERROR_IO, "%s: %s", path,
                       strerror(errno));
    while (!status && (entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            !append_name(out, &capacity, entry->d_name))
            status = ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
    closedir(folder);
    if (out->count)
        qsort(out->at, out->count, sizeof *out->at, ff_compare_names);
    return status;
}

void ff_names_free(ff_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->at[i]);
    free(names->at);
    *names = (ff_names){0};
}

// ---- files without a name ----

// 0 or why not, as errno has it.
static int open_temporary(const char *folder, size_t size, FILE **out)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/firstframe-XXXXXX", folder) >= sizeof path)
        return ENAMETOOLONG;
    int file = mkostemp(path, O_CLOEXEC);
    if (file < 0)
        return errno;
    unlink(path);
    int reason = posix_fallocate(file, 0, (off_t)size);
    if (!reason && (*out = fdopen(file, "w+b")))
        return 0;
    if (!reason)
        reason = errno;
    close(file);
    return reason;
}

ff_status ff_temporary_file(size_t size, FILE **out, ff_error *error)
{
    const char *wanted = getenv("TMPDIR"), *folders[] = {wanted, "/var/tmp", "/tmp"};
    int reason = 0;
    *out = NULL;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (folders[i] && folders[i][0] && !(reason = open_temporary(folders[i], size, out)))
            return FF_OK;
    return ff_fail(error, FF_ERROR_IO,
                   "no room for a temporary file of %zu MB in %s%s/var/tmp or /tmp: %s; TMPDIR names another folder",
                   size / 1000000, wanted ? wanted : "", wanted ? ", " : "", strerror(reason));
}

double ff_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

size_t ff_peak_memory(void)
{
    struct rusage usage;
    char line[128];
    unsigned long long kilobytes = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && !kilobytes && fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %llu", &kilobytes) != 1)
            kilobytes = 0;
    if (status)
        fclose(status);
    // elsewhere what getrusage knows, which begins with what the process that started this one had
    if (!kilobytes && getrusage(RUSAGE_SELF, &usage) == 0)
        kilobytes = (unsigned long long)usage.ru_maxrss;
    return (size_t)kilobytes * 1024;
}

void ff_format_number(char text[FF_NUMBER_TEXT], double value)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = (locale_t)0;
    if (plain)
        before = uselocale(plain);
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, FF_NUMBER_TEXT, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    if (plain) {
        uselocale(before);
        freelocale(plain);
    }
}

// ---- threads, memory and libraries that can be had ----

static int wait_at(void *gate)
{
    mtx_lock(gate);
    mtx_unlock(gate);
    return 0;
}

size_t ff_startable_threads(size_t count)
{
    size_t started = 0;
    thrd_t *threads = calloc(count + 1, sizeof *threads);
    mtx_t gate;
    if (threads && mtx_init(&gate, mtx_plain) == thrd_success) {
        mtx_lock(&gate);  // all are there at once
        while (started < count && thrd_create(&threads[started], wait_at, &gate) == thrd_success)
            started++;
        mtx_unlock(&gate);
        for (size_t i = 0; i < started; i++)
            thrd_join(threads[i], NULL);
        mtx_destroy(&gate);
    }
    free(threads);
    return started;
}

// Memory that can be had without pushing anything out, and swap; 0 if the system does not say.
static size_t memory_of_system(void)
{
    char line[128];
    unsigned long long kilobytes;
    size_t memory = 0;
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "MemAvailable: %llu", &kilobytes) == 1 || sscanf(line, "SwapFree: %llu", &kilobytes) == 1)
            memory += (size_t)kilobytes * 1024;
    }
    if (file)
        fclose(file);
    return memory;
}

size_t ff_available_memory(void)
{
    unsigned long long limit;
    size_t memory = memory_of_system();
    FILE *group = fopen("/sys/fs/cgroup/memory.max", "r");  // holds a number or "max"
    if (group) {
        if (fscanf(group, "%llu", &limit) == 1 && (memory == 0 || limit < memory))
            memory = (size_t)limit;
        fclose(group);
    }
    return memory;
}

void *ff_reserve_memory(size_t bytes)
{
    void *reserved = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return reserved == MAP_FAILED ? NULL : reserved;
}

void ff_unreserve_memory(void *reserved, size_t bytes)
{
    if (reserved)
        munmap(reserved, bytes);
}

// Gives an environment variable a value for a while. *before: what it had, or NULL
static bool hold_variable(const char *variable, const char *value, char **before)
{
    const char *now = getenv(variable);
    *before = now ? strdup(now) : NULL;
    if ((now && !*before) || setenv(variable, value, 1) != 0) {
        free(*before);
        return false;
    }
    return true;
}

static void release_variable(const char *variable, char *before)
{
    if (!before || setenv(variable, before, 1) != 0)
        unsetenv(variable);
    free(before);
}

void *ff_load_library(const char *name, const char *const variables[2], const char *value, char reason[FF_REASON_TEXT])
{
    char *before[2];
    void *library = NULL;
    int held = 0;
    while (held < 2 && hold_variable(variables[held], value, &before[held]))
        held++;
    if (held == 2 && !(library = dlopen(name, RTLD_NOW | RTLD_LOCAL)))
        snprintf(reason, FF_REASON_TEXT, "%s", dlerror());
    else if (held < 2)
        snprintf(reason, FF_REASON_TEXT, "%s: out of memory", name);
    while (held-- > 0)
        release_variable(variables[held], before[held]);
    return library;
}

void *ff_library_symbol(void *library, const char *name)
{
    return dlsym(library, name);
}

#if defined(__x86_64__)
#include <xmmintrin.h>

ff_float_mode ff_float_mode_enter(void)
{
    ff_float_mode before = {_mm_getcsr()};
    // bits: 15 flush to zero, 14-13 rounding (00 nearest), 12-7 exceptions masked, 6 denormals are zero
    _mm_setcsr(0x1f80u | ((uint32_t)before.control & 0x3fu));
    return before;
}

void ff_float_mode_leave(ff_float_mode before)
{
    _mm_setcsr((uint32_t)before.control);
}
#elif defined(__aarch64__)
ff_float_mode ff_float_mode_enter(void)
{
    ff_float_mode before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before.control));
    // bits: 24 flush to zero, 23-22 rounding (00 nearest), 25 default NaN
    uint64_t wanted = before.control & ~((uint64_t)0xf << 22);
    __asm__ volatile("msr fpcr, %0" ::"r"(wanted));
    return before;
}

void ff_float_mode_leave(ff_float_mode before)
{
    __asm__ volatile("msr fpcr, %0" ::"r"(before.control));
}
#else
#error "the floating-point environment of this processor is not known"
#endif

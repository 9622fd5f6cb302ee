#include "in_process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/commands.h"
#include "pictures/pictures.h"

static char folder[] = "/tmp/firstframe-test-XXXXXX";

char *inside(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

const char *golden_picture(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/diffusers/image/%s", FF_GOLDEN, name);
    return path;
}

int make_folder(void **state)
{
    return mkdtemp(folder) ? 0 : -1;
}

int remove_folder(void **state)
{
    DIR *listing = opendir(folder);
    for (struct dirent *entry; listing && (entry = readdir(listing));)
        if (entry->d_name[0] != '.')
            remove(inside(entry->d_name));
    closedir(listing);
    return rmdir(folder);
}

void save_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

uint8_t *load_bytes(const char *path, size_t *size)
{
    ff_error error = {0};
    uint8_t *bytes;
    assert_ok(ff_picture_load(path, &bytes, size, &error), &error);
    return bytes;
}

char *run_words(unsigned command, ff_status expected, const char *const *words)
{
    ff_error error = {0};
    ff_options options;
    ff_report report = {.json = true, .quiet = true};
    char *arguments[48];
    int count = 0;
    for (; words[count]; count++)
        assert_non_null(arguments[count] = strdup(words[count]));
    ff_report_start(&report, "test");
    assert_ok(ff_options_parse(command, count, arguments, &options, &error), &error);
    ff_status status = ff_command_find(ff_command_name(command))->run(&options, &report, &error);
    if (status != expected)
        fail_msg("status %d, not %d: %s", (int)status, (int)expected, error.message);
    char *notes = cJSON_Print(cJSON_GetObjectItem(report.object, "notes"));
    cJSON_Delete(report.object);
    for (int i = 0; i < count; i++)
        free(arguments[i]);
    return notes ? notes : strdup(error.message);
}

#include "report.h"
#include "../files/host.h"
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Texts from files must not steer the terminal they are shown on, nor break lines: control characters become '?'. Those beyond ASCII, U+0080 to U+009F, take two bytes.
static void replace_controls(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        bool beyond = at[0] == 0xC2 && at[1] >= 0x80 && at[1] <= 0x9F;
        if (beyond)
            at[1] = '?';
        if (beyond || *at < 0x20 || *at == 0x7F)
            *at = '?';
    }
}

void ff_report_start(ff_report *report, const char *command)
{
    report->object = cJSON_CreateObject();
    cJSON_AddStringToObject(report->object, "command", command);
}

void ff_report_note(ff_report *report, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    replace_controls(text);
    if (!report->quiet)
        fprintf(stderr, "note: %s\n", text);
    cJSON *notes = cJSON_GetObjectItem(report->object, "notes");
    if (!notes)
        notes = cJSON_AddArrayToObject(report->object, "notes");
    cJSON_AddItemToArray(notes, ff_json_text(NULL, NULL, text));
}

void ff_report_note_once(ff_report *report, const char *text)
{
    const cJSON *note;
    cJSON_ArrayForEach(note, cJSON_GetObjectItem(report->object, "notes"))
        if (cJSON_IsString(note) && strcmp(note->valuestring, text) == 0)
            return;
    ff_report_note(report, "%s", text);
}

void ff_report_line(ff_report *report, const char *format, ...)
{
    va_list arguments;
    FILE *stream = report->stdout_taken ? stderr : stdout;
    if (report->json || report->quiet)
        return;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (!text) {
        fputs("(no memory for this line)\n", stream);
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    replace_controls(text);
    fprintf(stream, "%s\n", text);
    free(text);
}

static int exit_status(const ff_report *report, ff_status status)
{
    switch (status) {
    case FF_OK:
        return report->differs;
    case FF_ERROR_INPUT:
        return 2;
    case FF_CANCELLED:
        return FF_HOST_SIGNALLED + ff_host_interrupted();
    case FF_ERROR_IO:
        if (ff_host_interrupted())   // which ends a read or a write
            return FF_HOST_SIGNALLED + ff_host_interrupted();
        return report->compares ? 2 : 1;
    case FF_ERROR_MEMORY:
    case FF_ERROR_NOT_FINITE:
        return report->compares ? 2 : 1;
    }
    return 1;
}

int ff_report_finish(ff_report *report, ff_status status, const ff_error *error)
{
    if (status != FF_OK) {
        char text[sizeof error->message];
        memcpy(text, error->message, sizeof text);
        replace_controls(text);
        fprintf(stderr, "firstframe: %s\n", text);
        ff_json_text(report->object, "error", error->message);
    }
    if (report->json) {
        ff_json_whole(report->object, "exit", (uint64_t)exit_status(report, status));
        char *text = cJSON_Print(report->object);
        if (text)
            puts(text);
        else if (status == FF_OK)
            status = FF_ERROR_MEMORY;
        cJSON_free(text);
    }
    cJSON_Delete(report->object);
    report->object = NULL;
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == FF_OK) {
        fprintf(stderr, "firstframe: standard output: %s\n", strerror(errno));
        status = FF_ERROR_IO;
    }
    return exit_status(report, status);
}

// ---- pieces of the object ----

// Bytes of the UTF-8 character that starts here; 0 if none does.
static size_t character_length(const unsigned char *at)
{
    static const struct { unsigned char mask, lead; size_t length; uint32_t least; } forms[] = {
        {0x80, 0x00, 1, 0}, {0xE0, 0xC0, 2, 0x80}, {0xF0, 0xE0, 3, 0x800}, {0xF8, 0xF0, 4, 0x10000}};
    for (size_t i = 0; i < 4; i++) {
        uint32_t point = at[0] & (unsigned char)~forms[i].mask;
        if ((at[0] & forms[i].mask) != forms[i].lead)
            continue;
        for (size_t j = 1; j < forms[i].length; j++) {
            if ((at[j] & 0xC0) != 0x80)
                return 0;
            point = point << 6 | (at[j] & 0x3F);
        }
        bool surrogate = point >= 0xD800 && point <= 0xDFFF;
        return point < forms[i].least || point > 0x10FFFF || surrogate ? 0 : forms[i].length;
    }
    return 0;
}

cJSON *ff_json_text(cJSON *object, const char *key, const char *text)
{
    char *clean = strdup(text);
    if (!clean)
        return NULL;
    for (size_t i = 0; clean[i];) {
        size_t length = character_length((unsigned char *)clean + i);
        if (length == 0)
            clean[i] = '?';
        i += length ? length : 1;
    }
    cJSON *item = cJSON_CreateString(clean);
    free(clean);
    if (object)
        cJSON_AddItemToObject(object, key, item);
    return item;
}

void ff_json_whole(cJSON *object, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    cJSON_AddRawToObject(object, key, text);
}

void ff_json_number(cJSON *object, const char *key, double value)
{
    char text[32];
    if (!isfinite(value)) {
        cJSON_AddNullToObject(object, key);
        return;
    }
    ff_print_number(value, text);
    cJSON_AddRawToObject(object, key, text);
}

void ff_print_hash(const uint8_t hash[32], char out[65])
{
    for (int i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

void ff_json_hash(cJSON *object, const char *key, const uint8_t hash[32])
{
    char text[65];
    ff_print_hash(hash, text);
    cJSON_AddStringToObject(object, key, text);
}

// What a command has to say: notes and errors on stderr, a summary on stdout, or with --json all of it as one object.
#ifndef FF_REPORT_H
#define FF_REPORT_H

#include <cjson/cJSON.h>

#include "firstframe.h"

typedef struct ff_report {
    bool json, quiet, verbose;
    bool stdout_taken;      // the clip goes there: the summary goes to stderr
    bool compares;          // diff, verify: any trouble gives the exit status 2
    bool differs;           // ... and this 1
    cJSON *object;          // of --json; NULL if memory ran out
} ff_report;

void ff_report_start(ff_report *report, const char *command);

// Something the user should know that is no error: "note: ..." on stderr, and in the object's notes.
void ff_report_note(ff_report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The same, unless it was said already: a command may open its model several times.
void ff_report_note_once(ff_report *report, const char *text);
// A line of the summary for people; nothing with --json or -q.
void ff_report_line(ff_report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Prints the object or the error's sentence, frees what start took and gives the program's exit status:
// 0 done, 1 failed, 2 wrong usage or input; 130 interrupted, 143 terminated, 129 hung up. Where dumps are compared:
// 0 same, 1 differs, 2 trouble, and these three.
int ff_report_finish(ff_report *report, ff_status status, const ff_error *error);

// ---- pieces of the object ----
// A text as JSON can hold it: what is not UTF-8 becomes a question mark.
cJSON *ff_json_text(cJSON *object, const char *key, const char *text);
void ff_json_whole(cJSON *object, const char *key, uint64_t value);  // every digit of it
void ff_json_number(cJSON *object, const char *key, double value);   // null if it is not finite
void ff_json_hash(cJSON *object, const char *key, const uint8_t hash[32]);
void ff_print_hash(const uint8_t hash[32], char out[65]);            // small hexadecimal digits

#endif

#include "options.h"
#include "../files/host.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- numbers ----

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool ff_read_whole(const char *text, size_t *out)
{
    size_t value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (!is_digit(*text))
            return false;
        size_t digit = (size_t)(*text - '0');
        if (value > (SIZE_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

// The program never leaves the "C" locale, so that strtod and printf use a point; what strtod would accept beyond plain
// decimals (spaces, hexadecimal, nan) is turned away here.
bool ff_read_number(const char *text, double *out)
{
    const char *at = text;
    size_t digits = 0;
    if (*at == '-' || *at == '+')
        at++;
    for (; is_digit(*at); at++)
        digits++;
    if (*at == '.')
        for (at++; is_digit(*at); at++)
            digits++;
    if (digits == 0)
        return false;
    if (*at == 'e' || *at == 'E') {
        at++;
        if (*at == '-' || *at == '+')
            at++;
        if (!is_digit(*at))
            return false;
        while (is_digit(*at))
            at++;
    }
    if (*at)
        return false;
    double value = strtod(text, NULL);
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}

size_t ff_split_number(const char *text, double *number)
{
    const char *colon = strrchr(text, ':');
    *number = 1;
    return colon && colon > text && ff_read_number(colon + 1, number) ? (size_t)(colon - text) : strlen(text);
}

void ff_print_number(double value, char *out)
{
    bool plain = value == 0 || (fabs(value) >= 1e-4 && fabs(value) < 1e15);
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, value);
        if (strtod(out, NULL) == value && !(plain && strchr(out, 'e')))
            return;
    }
}

// ---- one value ----

static void *value_of(const ff_options *values, ff_option_id id)
{
    return (char *)values + ff_option_table[id].offset;
}

// Reads `count` sizes, with `separator` between them and nothing else.
static bool parse_sizes(const char *text, char separator, size_t count, size_t *out)
{
    for (size_t i = 0; i < count; i++) {
        char part[24];
        const char *end = i + 1 < count ? strchr(text, separator) : text + strlen(text);
        if (!end || (size_t)(end - text) >= sizeof part)
            return false;
        memcpy(part, text, (size_t)(end - text));
        part[end - text] = 0;
        if (!ff_read_whole(part, &out[i]))
            return false;
        text = end + 1;
    }
    return true;
}

static bool parse_seed(const char *text, ff_seed *out)
{
    size_t value;
    if (strcmp(text, "-1") == 0) {
        *out = (ff_seed){.random = true};
        return true;
    }
    if (!ff_read_whole(text, &value))
        return false;
    *out = (ff_seed){.value = value};
    return true;
}

static bool parse_choice(const ff_option *option, const char *text, int *out)
{
    for (int i = 0; option->choices[i]; i++)
        if (strcmp(option->choices[i], text) == 0) {
            *out = i;
            return true;
        }
    return false;
}

static bool add_text(ff_texts *all, const char *text)
{
    if (!*text || all->count == FF_MOST_TEXTS)
        return false;
    all->texts[all->count++] = text;
    return true;
}

static bool parse_value(const ff_option *option, const char *text, void *value)
{
    size_t sizes[4];
    double number;
    switch (option->kind) {
    case FF_KIND_FLAG:
        *(bool *)value = true;
        return strcmp(text, "") == 0;
    case FF_KIND_TEXT:
        *(const char **)value = text;
        return true;
    case FF_KIND_TEXTS:
    case FF_KIND_INPUTS:
        return add_text(value, text);
    case FF_KIND_INPUT:
    case FF_KIND_PATH:
        *(const char **)value = text;
        return *text != 0;
    case FF_KIND_COUNT:
        if (!ff_read_whole(text, sizes) || (double)sizes[0] < option->minimum || (double)sizes[0] > option->maximum)
            return false;
        *(size_t *)value = sizes[0];
        return true;
    case FF_KIND_NUMBER:
        if (!ff_read_number(text, &number) || number < option->minimum || number > option->maximum)
            return false;
        *(double *)value = number;
        return true;
    case FF_KIND_SEED:
        return parse_seed(text, value);
    case FF_KIND_SIZE:
        if (!parse_sizes(text, 'x', 2, sizes))
            return false;
        for (int i = 0; i < 2; i++)
            if ((double)sizes[i] < option->minimum || (double)sizes[i] > option->maximum)
                return false;
        *(ff_size *)value = (ff_size){sizes[0], sizes[1]};
        return true;
    case FF_KIND_BOX:
        if (!parse_sizes(text, ',', 4, sizes) || sizes[2] == 0 || sizes[3] == 0)
            return false;
        *(ff_box *)value = (ff_box){sizes[0], sizes[1], sizes[2], sizes[3]};
        return true;
    case FF_KIND_CHOICE:
        return parse_choice(option, text, value);
    }
    return false;
}

// What a value should look like, for the sentence that refuses one.
static void describe_value(const ff_option *option, char *out, size_t capacity)
{
    char low[32], high[32];
    ff_print_number(option->minimum, low);
    ff_print_number(option->maximum, high);
    switch (option->kind) {
    case FF_KIND_FLAG:
        snprintf(out, capacity, "no value");
        return;
    case FF_KIND_TEXTS:
        snprintf(out, capacity, "a text, at most %d times", FF_MOST_TEXTS);
        return;
    case FF_KIND_INPUTS:
        snprintf(out, capacity, "FILE or FILE:STRENGTH, at most %d times", FF_MOST_TEXTS);
        return;
    case FF_KIND_TEXT:
    case FF_KIND_INPUT:
    case FF_KIND_PATH:
        snprintf(out, capacity, "a path");
        return;
    case FF_KIND_COUNT:
        snprintf(out, capacity, "a whole number from %s to %s", low, high);
        return;
    case FF_KIND_NUMBER:
        snprintf(out, capacity, "a number from %s to %s", low, high);
        return;
    case FF_KIND_SEED:
        snprintf(out, capacity, "a whole number below 2^64, or -1 for a random one");
        return;
    case FF_KIND_SIZE:
        snprintf(out, capacity, "WIDTHxHEIGHT in pixels, each from %s to %s", low, high);
        return;
    case FF_KIND_BOX:
        snprintf(out, capacity, "X,Y,WIDTH,HEIGHT in pixels");
        return;
    case FF_KIND_CHOICE:
        snprintf(out, capacity, "%s", option->choices[0]);
        for (int i = 1; option->choices[i]; i++) {
            size_t length = strlen(out);
            snprintf(out + length, capacity - length, "%s%s", option->choices[i + 1] ? ", " : " or ",
                     option->choices[i]);
        }
        return;
    }
}

ff_status ff_option_read(ff_options *values, ff_option_id id, const char *text, ff_error *error)
{
    const ff_option *option = &ff_option_table[id];
    char expected[160];
    if (!parse_value(option, text, value_of(values, id))) {
        describe_value(option, expected, sizeof expected);
        return ff_fail(error, FF_ERROR_INPUT, "--%s: expected %s, found \"%.80s\"", option->name, expected, text);
    }
    values->given[id] = true;
    return FF_OK;
}

char *ff_option_print(const ff_options *values, ff_option_id id)
{
    const ff_option *option = &ff_option_table[id];
    const void *value = value_of(values, id);
    const ff_size *size = value;
    const ff_box *box = value;
    char text[96];
    switch (option->kind) {
    case FF_KIND_FLAG:
        return strdup("");
    case FF_KIND_TEXTS:
    case FF_KIND_INPUTS:
        return strdup(((const ff_texts *)value)->texts[0]);
    case FF_KIND_TEXT:
    case FF_KIND_INPUT:
    case FF_KIND_PATH:
        return strdup(*(const char *const *)value);
    case FF_KIND_COUNT:
        snprintf(text, sizeof text, "%zu", *(const size_t *)value);
        break;
    case FF_KIND_NUMBER:
        ff_print_number(*(const double *)value, text);
        break;
    case FF_KIND_SEED:
        snprintf(text, sizeof text, "%llu", (unsigned long long)((const ff_seed *)value)->value);
        break;
    case FF_KIND_SIZE:
        snprintf(text, sizeof text, "%zux%zu", size->width, size->height);
        break;
    case FF_KIND_BOX:
        snprintf(text, sizeof text, "%zu,%zu,%zu,%zu", box->x, box->y, box->width, box->height);
        break;
    case FF_KIND_CHOICE:
        return strdup(option->choices[*(const int *)value]);
    }
    return strdup(text);
}

// ---- the command line ----

enum { BACKEND_AUTO, BACKEND_SCALAR, BACKEND_OPENBLAS, BACKEND_F64 };  // the choices of --backend

void ff_options_kernels(const ff_options *options, ff_isa *isa, ff_backend *backend)
{
    *isa = options->backend == BACKEND_SCALAR ? FF_ISA_SCALAR : (ff_isa)options->isa;  // the choices are in its order
    *backend = options->backend == BACKEND_OPENBLAS ? FF_BACKEND_OPENBLAS
               : options->backend == BACKEND_F64    ? FF_BACKEND_F64
                                                    : FF_BACKEND_OWN;
}

// Options that make no sense together, or without each other.
static ff_status check_together(ff_options *values, ff_error *error)
{
    static const struct {
        ff_option_id a, b;
        bool needs;  // a is nothing without b; else a and b exclude each other
    } rules[] = {
        {FF_OPTION_SIZE, FF_OPTION_WIDTH, false},      {FF_OPTION_SIZE, FF_OPTION_HEIGHT, false},
        {FF_OPTION_SECONDS, FF_OPTION_FRAMES, false},  {FF_OPTION_MASK, FF_OPTION_BOX, false},
        {FF_OPTION_QUALITY, FF_OPTION_LOSSLESS, false}, {FF_OPTION_MASK_FROM, FF_OPTION_MASK, true},
        {FF_OPTION_DUMP_LEVEL, FF_OPTION_DUMP, true},
        {FF_OPTION_QUIET, FF_OPTION_VERBOSE, false},   {FF_OPTION_ESTIMATE, FF_OPTION_RESUME, false},
        {FF_OPTION_RESUME, FF_OPTION_DUMP, false},     {FF_OPTION_MODEL, FF_OPTION_DIMS, false},
        {FF_OPTION_BLOCKS, FF_OPTION_DIMS, true},      {FF_OPTION_DTYPE, FF_OPTION_DIMS, true},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const char *a = ff_option_table[rules[i].a].name, *b = ff_option_table[rules[i].b].name;
        if (!values->given[rules[i].a] || values->given[rules[i].b] == rules[i].needs)
            continue;
        if (rules[i].needs)
            return ff_fail(error, FF_ERROR_INPUT, "--%s also needs --%s", a, b);
        return ff_fail(error, FF_ERROR_INPUT, "--%s and --%s exclude each other", a, b);
    }
    if (values->backend == BACKEND_SCALAR && values->isa > FF_ISA_SCALAR)
        return ff_fail(error, FF_ERROR_INPUT, "--backend scalar and --isa %s exclude each other",
                       ff_option_table[FF_OPTION_ISA].choices[values->isa]);
    if (values->given[FF_OPTION_SIZE])
        values->given[FF_OPTION_WIDTH] = values->given[FF_OPTION_HEIGHT] = true;
    return FF_OK;
}

// No two of a run's files may take each other's place.
static ff_status check_outputs(const ff_options *values, ff_error *error)
{
    static const ff_option_id written[] = {FF_OPTION_OUTPUT, FF_OPTION_DUMP, FF_OPTION_PREVIEW, FF_OPTION_PLOT,
                                           FF_OPTION_HEAT_MAP};
    for (size_t i = 0; i < sizeof written / sizeof *written; i++)
        for (size_t k = 0; k < i; k++) {
            const ff_option *a = &ff_option_table[written[k]], *b = &ff_option_table[written[i]];
            const char *one = *(const char *const *)value_of(values, written[k]);
            const char *other = *(const char *const *)value_of(values, written[i]);
            if (one && other && ff_host_same_place(one, other))
                return ff_fail(error, FF_ERROR_INPUT, "--%s and --%s name the same file", a->name, b->name);
        }
    return FF_OK;
}

static ff_status check_required(const ff_options *values, ff_error *error)
{
    for (int id = 0; id < FF_OPTIONS; id++) {
        const ff_option *option = &ff_option_table[id];
        char letter[8] = "";
        if (!(option->required & values->command) || values->given[id])
            continue;
        if (option->letter)
            snprintf(letter, sizeof letter, "-%c/", option->letter);
        return ff_fail(error, FF_ERROR_INPUT, "%s--%s %s is missing", letter, option->name, option->argument);
    }
    if (values->command == FF_COMMAND_INPAINT && !values->given[FF_OPTION_MASK] && !values->given[FF_OPTION_BOX])
        return ff_fail(error, FF_ERROR_INPUT, "--mask FILE or --box X,Y,W,H is missing: what shall be painted anew?");
    if ((values->command & FF_COMMANDS_MAKE) && !values->output && !values->dump && !values->estimate)
        return ff_fail(error, FF_ERROR_INPUT, "-o/--output PATH is missing");
    return check_outputs(values, error);
}

const char *ff_options_path(const ff_options *options, ff_option_id id)
{
    return *(const char *const *)((const char *)options + ff_option_table[id].offset);
}

// The option an argument names ("--steps", "--steps=20", "-n"); *value is what follows the equals sign, or NULL.
static ff_status recognise(const char *argument, unsigned command, ff_option_id *out, const char **value,
                           ff_error *error)
{
    int id = -1;
    *value = NULL;
    if (argument[1] == '-') {
        const char *name = argument + 2, *equals = strchr(name, '=');
        id = ff_option_find(name, equals ? (size_t)(equals - name) : strlen(name));
        *value = equals ? equals + 1 : NULL;
    } else if (argument[2] == 0) {
        id = ff_option_find_letter(argument[1]);
    }
    if (id < 0 || !(ff_option_table[id].commands & command))
        return ff_option_refuse(argument, command, error);
    *out = (ff_option_id)id;
    return FF_OK;
}

// Does this argument start an option of the command, so that it is unlikely to be the value of the one before it?
static bool looks_like_option(const char *argument, unsigned command)
{
    ff_option_id id;
    const char *value;
    return argument[0] == '-' && argument[1] != 0 && recognise(argument, command, &id, &value, NULL) == FF_OK;
}

static ff_status take_operand(ff_options *values, const char *argument, ff_error *error)
{
    if (!(values->command & FF_COMMANDS_FILE))
        return ff_fail(error, FF_ERROR_INPUT,
                       "\"%.80s\" belongs to no option; a text of several words needs quotes around it", argument);
    if (values->command == FF_COMMAND_DIFF && values->operand) {
        if (values->second_operand)
            return ff_fail(error, FF_ERROR_INPUT, "expected two dumps, found a third: \"%.80s\"", argument);
        values->second_operand = argument;
        return FF_OK;
    }
    if (values->operand)
        return ff_fail(error, FF_ERROR_INPUT, "expected one file, found \"%.80s\" and \"%.80s\"", values->operand,
                       argument);
    values->operand = argument;
    return FF_OK;
}

// Reads the option at arguments[*i], and its value if that is the next argument; *i ends on the last one used.
static ff_status take_option(ff_options *values, int count, char *const *arguments, int *i, ff_error *error)
{
    const char *argument = arguments[*i], *next = *i + 1 < count ? arguments[*i + 1] : NULL, *value;
    ff_option_id id;
    ff_status status = recognise(argument, values->command, &id, &value, error);
    if (status != FF_OK)
        return status;
    const ff_option *option = &ff_option_table[id];
    if (!value && option->kind == FF_KIND_FLAG) {
        value = "";
    } else if (!value) {
        if (!next)
            return ff_fail(error, FF_ERROR_INPUT, "%.40s needs a value: %s", argument, option->argument);
        if (looks_like_option(next, values->command))
            return ff_fail(error, FF_ERROR_INPUT, "%.40s needs a value, found the option %.40s (write --%s=%.40s if it "
                           "is meant)", argument, next, option->name, next);
        value = next;
        (*i)++;
    }
    return ff_option_read(values, id, value, error);
}

ff_status ff_options_parse(unsigned command, int count, char *const *arguments, ff_options *out, ff_error *error)
{
    bool options_end = false;
    ff_status status = FF_OK;
    *out = (ff_options){.command = command, .count = 1, .quality = 90, .context = NAN, .strength = NAN, .seconds = NAN,
                        .fps = NAN, .guidance = NAN, .flow_shift = NAN};
    for (int i = 0; i < count && status == FF_OK; i++) {
        const char *argument = arguments[i];
        if (options_end || argument[0] != '-' || argument[1] == 0)
            status = take_operand(out, argument, error);
        else if (strcmp(argument, "--") == 0)
            options_end = true;
        else
            status = take_option(out, count, arguments, &i, error);
    }
    if (status != FF_OK || out->help)
        return status;
    // inspect: a file, or what a model is made of
    if ((command & FF_COMMANDS_FILE) && !out->operand &&
        !(command == FF_COMMAND_INSPECT && (out->model.model || out->model.transformer)))
        return ff_fail(error, FF_ERROR_INPUT, "a file to look at is missing");
    if (command == FF_COMMAND_DIFF && !out->second_operand)
        return ff_fail(error, FF_ERROR_INPUT, "a second dump, to compare \"%.80s\" with, is missing", out->operand);
    status = check_together(out, error);
    return status == FF_OK ? check_required(out, error) : status;
}

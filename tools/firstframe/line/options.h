// The options of the command line. One table (option_table.c) says everything about each of them; parsing, help,
// suggestions for unknown names, the record in the metadata, `again` and `--resume` are derived from it.
#ifndef FF_OPTIONS_H
#define FF_OPTIONS_H

#include "firstframe.h"

// Commands as bits, for "which commands take this option".
enum {
    FF_COMMAND_T2I = 1,
    FF_COMMAND_INPAINT = 2,
    FF_COMMAND_I2V = 4,
    FF_COMMAND_T2V = 8,
    FF_COMMAND_INSPECT = 16,
    FF_COMMAND_AGAIN = 32,
    FF_COMMAND_DIFF = 64,
    FF_COMMAND_VERIFY = 128,
    FF_COMMAND_COMPARE = 512,
    FF_COMMAND_BENCH = 1024,
    FF_COMMAND_EXPLAIN = 2048,
    FF_COMMAND_MODELS = 4096,
    FF_COMMAND_CONVERT = 8192,
    FF_COMMANDS_STILL = FF_COMMAND_T2I | FF_COMMAND_INPAINT,
    FF_COMMANDS_CLIP = FF_COMMAND_I2V | FF_COMMAND_T2V,
    FF_COMMANDS_RUN = FF_COMMANDS_STILL | FF_COMMANDS_CLIP,
    FF_COMMANDS_PAGE = FF_COMMAND_COMPARE | FF_COMMAND_EXPLAIN,  // several runs and a page about them
    FF_COMMANDS_MAKE = FF_COMMANDS_RUN | FF_COMMANDS_PAGE,
    FF_COMMANDS_COMPUTE = FF_COMMANDS_MAKE | FF_COMMAND_AGAIN | FF_COMMAND_BENCH,
    FF_COMMANDS_MODEL = FF_COMMANDS_COMPUTE | FF_COMMAND_VERIFY | FF_COMMAND_INSPECT | FF_COMMAND_CONVERT,
    // those that take a file without an option's name
    FF_COMMANDS_FILE = FF_COMMAND_INSPECT | FF_COMMAND_AGAIN | FF_COMMAND_DIFF | FF_COMMAND_VERIFY,
    FF_COMMANDS_ALL = FF_COMMANDS_MAKE | FF_COMMANDS_FILE | FF_COMMAND_BENCH | FF_COMMAND_MODELS | FF_COMMAND_CONVERT,
};

typedef enum ff_option_id {
    FF_OPTION_PROMPT, FF_OPTION_MOTION, FF_OPTION_NEGATIVE, FF_OPTION_IMAGE, FF_OPTION_LAST, FF_OPTION_MASK,
    FF_OPTION_MASK_FROM, FF_OPTION_BOX,
    FF_OPTION_CONTEXT, FF_OPTION_STRENGTH, FF_OPTION_KEEP_FIRST, FF_OPTION_COLOR_MATCH, FF_OPTION_ABLATE,
    FF_OPTION_SIZE, FF_OPTION_WIDTH, FF_OPTION_HEIGHT, FF_OPTION_FIT, FF_OPTION_SECONDS, FF_OPTION_FRAMES,
    FF_OPTION_FPS,
    FF_OPTION_SEED, FF_OPTION_COUNT, FF_OPTION_STEPS, FF_OPTION_GUIDANCE, FF_OPTION_FLOW_SHIFT, FF_OPTION_SCHEDULER,
    FF_OPTION_OUTPUT, FF_OPTION_QUALITY, FF_OPTION_LOSSLESS, FF_OPTION_NO_METADATA, FF_OPTION_SHOW, FF_OPTION_PREVIEW,
    FF_OPTION_JSON,
    FF_OPTION_DUMP, FF_OPTION_DUMP_LEVEL, FF_OPTION_LOAD,
    FF_OPTION_TOLERANCE, FF_OPTION_MAP, FF_OPTION_PLOT, FF_OPTION_HEAT_MAP,
    FF_OPTION_MODEL, FF_OPTION_TRANSFORMER, FF_OPTION_TRANSFORMER_2, FF_OPTION_VAE, FF_OPTION_TEXT_ENCODER,
    FF_OPTION_TOKENIZER, FF_OPTION_IMAGE_ENCODER, FF_OPTION_LORA, FF_OPTION_LORA_2, FF_OPTION_DIMS, FF_OPTION_BLOCKS,
    FF_OPTION_DTYPE, FF_OPTION_ONLY, FF_OPTION_TYPE, FF_OPTION_PART,
    FF_OPTION_THREADS, FF_OPTION_ISA, FF_OPTION_BACKEND, FF_OPTION_ESTIMATE, FF_OPTION_YES, FF_OPTION_NO_CACHE,
    FF_OPTION_RESUME, FF_OPTION_QUIET, FF_OPTION_VERBOSE, FF_OPTION_HELP,
    FF_OPTIONS
} ff_option_id;

typedef enum ff_option_kind {
    FF_KIND_FLAG,     // bool
    FF_KIND_TEXT,     // const char *, may be empty
    FF_KIND_TEXTS,    // ff_texts: may be given several times
    FF_KIND_INPUT,    // const char *: path of a file whose content matters; the record holds its SHA-256
    FF_KIND_INPUTS,   // ff_texts: FILE or FILE:NUMBER, several times; of each file the record holds the SHA-256
    FF_KIND_PATH,     // const char *
    FF_KIND_COUNT,    // size_t
    FF_KIND_NUMBER,   // double
    FF_KIND_SEED,     // ff_seed
    FF_KIND_SIZE,     // ff_size
    FF_KIND_BOX,      // ff_box
    FF_KIND_CHOICE,   // int: index into choices
} ff_option_kind;

// The headings of a command's help.
typedef enum ff_option_group {
    FF_GROUP_SUBJECT, FF_GROUP_SHAPE, FF_GROUP_SAMPLING, FF_GROUP_OUTPUT, FF_GROUP_TENSORS, FF_GROUP_RUNNING,
    FF_GROUPS
} ff_option_group;

// What an option changes. Both are recorded in the metadata; FRAMES must also agree before a run is resumed.
typedef enum ff_option_effect { FF_CHANGES_NOTHING, FF_CHANGES_FILE, FF_CHANGES_FRAMES } ff_option_effect;

enum { FF_MOST_TEXTS = 16 };
typedef struct ff_texts {
    size_t count;
    const char *texts[FF_MOST_TEXTS];
} ff_texts;
typedef struct ff_seed {
    uint64_t value;
    bool random;
} ff_seed;
typedef struct ff_size { size_t width, height; } ff_size;
typedef struct ff_box { size_t x, y, width, height; } ff_box;

typedef struct ff_option {
    const char *name, *alias;      // without dashes; alias may be NULL
    char letter;                   // 0: none
    ff_option_kind kind;
    ff_option_group group;
    ff_option_effect effect;
    unsigned commands;             // which take it
    unsigned required;             // which cannot do without it
    double minimum, maximum;       // of a COUNT or NUMBER, and of the sides of a SIZE
    const char *choices[20];       // of a CHOICE; NULL after the last
    size_t offset;                 // of the value in ff_options
    const char *argument;          // what help calls the value; NULL for a flag
    const char *help;
    const char *foreign;           // what other programs call it, separated by spaces; letters with their dash
} ff_option;

// The options that say what the model is made of: --model first, then its parts.
enum { FF_MODEL_OPTIONS = 7 };
extern const ff_option_id ff_model_options[FF_MODEL_OPTIONS];

extern const ff_option ff_option_table[FF_OPTIONS];

// What `again` expects of a run: the result of an earlier one.
typedef struct ff_expectation {
    const char *source;            // the file that tells of it
    const char *frames_sha256;
    const char *model_sha256;
} ff_expectation;

// The values. What is not `given` means the model's or the library's default.
typedef struct ff_options {
    unsigned command;                // a command's bit
    const char *operand;             // the argument that belongs to no option (inspect, again, diff), or NULL
    const char *second_operand;      // diff's other dump
    bool given[FF_OPTIONS];
    const ff_expectation *expected;  // NULL but for `again`

    const char *prompt, *negative, *image, *last, *mask, *output, *preview, *dump, *load;
    ff_model_parts model;            // as they were given
    const char *map, *plot, *heat_map;
    ff_texts motions, tolerances, loras, loras_2;
    ff_box box;
    ff_size size;                    // of --size, or -W and -H; 0: not given
    ff_seed seed;
    double context, strength, seconds, fps, guidance, flow_shift, quality;
    size_t frames, count, steps, threads, blocks;
    int fit, mask_from, scheduler, dump_level, ablate, isa, backend, dims, dtype, only, type, part;
    bool keep_first, color_match, show, lossless, no_metadata, estimate, yes, no_cache, resume, json, quiet, verbose,
        help;
} ff_options;

// Reads the arguments after the command's name; texts in *out point into arguments.
// FF_ERROR_INPUT: an unknown option, a value that is not what was expected, options that exclude each other or, unless
// there is --help, one that is missing.
ff_status ff_options_parse(unsigned command, int count, char *const *arguments, ff_options *out, ff_error *error);

// The value of an option that is a path or an input; NULL if it is not given.
const char *ff_options_path(const ff_options *options, ff_option_id id);

// What --isa and --backend say to the library.
void ff_options_kernels(const ff_options *options, ff_isa *isa, ff_backend *backend);

// Reads one value as if it had been typed.
ff_status ff_option_read(ff_options *values, ff_option_id id, const char *text, ff_error *error);
// The value as it would be typed, so that ff_option_read gives it back. The caller frees it; NULL without memory.
char *ff_option_print(const ff_options *values, ff_option_id id);

// Plain decimal notation, all of the text, the same in every locale. False if it is anything else or does not fit.
bool ff_read_whole(const char *text, size_t *out);
bool ff_read_number(const char *text, double *out);
// Takes FILE:NUMBER apart: how many characters FILE has, and NUMBER, or 1 where no number follows a colon.
size_t ff_split_number(const char *text, double *number);
// The shortest decimal that reads back as value. out: 32 bytes.
void ff_print_number(double value, char *out);

// ---- names ----

// The option with this name or alias (`length` characters, no dashes); -1 if there is none.
int ff_option_find(const char *name, size_t length);
int ff_option_find_letter(char letter);
// Fails with a sentence about an option that is not in the table, or not one of this command's: what other programs
// mean by it, else the nearest name.
ff_status ff_option_refuse(const char *typed, unsigned command, ff_error *error);

#endif

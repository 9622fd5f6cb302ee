// The command line's options: what is read, what is refused and how names are met.
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/commands.h"
#include "line/edit_distance.h"
#include "line/options.h"

#define MOST_ARGUMENTS 16

// Parses arguments given as texts, ended by NULL.
static ff_status parse(unsigned command, ff_options *options, ff_error *error, const char *const *arguments)
{
    char *list[MOST_ARGUMENTS];
    int count = 0;
    for (; arguments[count]; count++) {
        assert_true(count < MOST_ARGUMENTS);
        list[count] = (char *)arguments[count];
    }
    return ff_options_parse(command, count, list, options, error);
}

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_refused(unsigned command, const char *sentence, const char *const *arguments)
{
    ff_options options;
    ff_error error = {0};
    assert_int_equal(parse(command, &options, &error, arguments), FF_ERROR_INPUT);
    if (!strstr(error.message, sentence))
        fail_msg("expected a sentence with \"%s\", found \"%s\"", sentence, error.message);
}

static void every_kind_of_value_is_read(void **state)
{
    ff_options options;
    ff_error error = {0};
    assert_ok(parse(FF_COMMAND_I2V, &options, &error,
                    ARGUMENTS("-i", "a.png", "--prompt=turn = left", "-o", "-", "--size", "640x352", "-s",
                              "18446744073709551615", "--guidance", "4.5", "--steps=7", "--scheduler", "euler",
                              "--keep-first")), &error);
    assert_string_equal(options.image, "a.png");
    assert_string_equal(options.prompt, "turn = left");
    assert_string_equal(options.output, "-");
    assert_int_equal(options.size.width, 640);
    assert_int_equal(options.size.height, 352);
    assert_true(options.seed.value == UINT64_MAX && !options.seed.random);
    assert_true(options.guidance == 4.5);
    assert_int_equal(options.steps, 7);
    assert_string_equal(ff_option_table[FF_OPTION_SCHEDULER].choices[options.scheduler], "euler");
    assert_true(options.keep_first && !options.lossless);
    assert_true(isnan(options.flow_shift) && !options.given[FF_OPTION_FLOW_SHIFT]);

    assert_ok(parse(FF_COMMAND_INPAINT, &options, &error, ARGUMENTS("-i", "a.png", "-p", "", "--box", "1,2,30,40", "-s",
                    "-1", "-o", "b.png")), &error);
    assert_true(options.seed.random);
    assert_string_equal(options.prompt, "");
    assert_int_equal(options.box.x, 1);
    assert_int_equal(options.box.height, 40);
}

static void width_and_height_are_a_size(void **state)
{
    ff_options options;
    ff_error error = {0};
    assert_ok(parse(FF_COMMAND_T2I, &options, &error, ARGUMENTS("-p", "x", "-o", "y", "-W", "64", "-H", "32")), &error);
    assert_int_equal(options.size.width, 64);
    assert_int_equal(options.size.height, 32);
    assert_ok(parse(FF_COMMAND_T2I, &options, &error, ARGUMENTS("-p", "x", "-o", "y", "--size=96x80")), &error);
    assert_true(options.given[FF_OPTION_WIDTH] && options.given[FF_OPTION_HEIGHT]);
    assert_ok(parse(FF_COMMAND_T2I, &options, &error, ARGUMENTS("-p", "x", "-o", "y", "-W", "64")), &error);
    assert_int_equal(options.size.height, 0);
    assert_refused(FF_COMMAND_T2I, "exclude each other",
                   ARGUMENTS("-p", "x", "-o", "y", "-W", "64", "--size", "64x64"));
}

static void the_last_of_a_repeated_option_counts(void **state)
{
    ff_options options;
    ff_error error = {0};
    assert_ok(parse(FF_COMMAND_T2I, &options, &error,
                    ARGUMENTS("-p", "x", "-o", "y", "--steps", "3", "--steps", "5")), &error);
    assert_int_equal(options.steps, 5);
}

static void two_dashes_end_the_options(void **state)
{
    ff_options options;
    ff_error error = {0};
    assert_ok(parse(FF_COMMAND_INSPECT, &options, &error, ARGUMENTS("--json", "--", "--odd-name.png")), &error);
    assert_true(options.json);
    assert_string_equal(options.operand, "--odd-name.png");
}

static void values_that_are_not_what_was_expected_are_refused(void **state)
{
    static const char *const whole[] = {"", "12x", "1e999", "1e2", "-5", "+5", "0", "1.5", " 5", "5 ", "0x10",
                                        "99999999999999999999", "1001", "five"};
    static const char *const number[] = {"", "1e999", "-1", "nan", "inf", "5x", ".", "1e", "1,5", "0x1p3", " 1", "1 ",
                                         "101"};
    static const char *const size[] = {"", "0x0", "0", "128", "x128", "128x", "128x128x", "128X128", "-1x5", "12x12x1",
                                       "1000000000x1000000000", "64x1e3", "64 x 64"};
    static const char *const box[] = {"", "1,2,3", "1,2,3,4,5", "1,2,0,4", "-1,2,3,4", "1, 2,3,4"};
    static const char *const seed[] = {"", "-2", "18446744073709551616", "1.0", "abc", "--1"};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        assert_refused(FF_COMMAND_T2I, "expected a whole number from 1 to 1000, found", ARGUMENTS("--steps", whole[i]));
    for (size_t i = 0; i < sizeof number / sizeof number[0]; i++)
        assert_refused(FF_COMMAND_T2I, "expected a number from 0 to 100, found", ARGUMENTS("--guidance", number[i]));
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++)
        assert_refused(FF_COMMAND_T2I, "expected WIDTHxHEIGHT in pixels", ARGUMENTS("--size", size[i]));
    for (size_t i = 0; i < sizeof box / sizeof box[0]; i++)
        assert_refused(FF_COMMAND_INPAINT, "expected X,Y,WIDTH,HEIGHT in pixels", ARGUMENTS("--box", box[i]));
    for (size_t i = 0; i < sizeof seed / sizeof seed[0]; i++)
        assert_refused(FF_COMMAND_T2I, "or -1 for a random one", ARGUMENTS("--seed", seed[i]));
    assert_refused(FF_COMMAND_T2I, "expected unipc or euler, found \"ddim\"", ARGUMENTS("--scheduler", "ddim"));
    assert_refused(FF_COMMAND_I2V, "expected cover, stretch, crop or pad", ARGUMENTS("--fit", "zoom"));
    assert_refused(FF_COMMAND_T2I, "expected no value, found \"no\"", ARGUMENTS("--lossless=no"));
    assert_refused(FF_COMMAND_T2I, "expected a path", ARGUMENTS("-o", ""));
}

static void what_is_missing_or_does_not_go_together_is_refused(void **state)
{
    assert_refused(FF_COMMAND_T2I, "-p/--prompt TEXT is missing", ARGUMENTS("-o", "x"));
    assert_refused(FF_COMMAND_T2I, "-o/--output PATH is missing", ARGUMENTS("-p", "x"));
    assert_refused(FF_COMMAND_I2V, "-i/--image FILE is missing", ARGUMENTS("-p", "x", "-o", "y.webp"));
    assert_refused(FF_COMMAND_INPAINT, "--mask FILE or --box", ARGUMENTS("-p", "x", "-i", "a.png", "-o", "y.png"));
    assert_refused(FF_COMMAND_T2V, "--seconds and --frames exclude each other",
                   ARGUMENTS("-p", "x", "-o", "y.webp", "--frames", "5", "--seconds", "1"));
    assert_refused(FF_COMMAND_T2I, "\"fox\" belongs to no option", ARGUMENTS("-p", "red", "fox"));
    assert_refused(FF_COMMAND_T2I, "needs a value, found the option --steps", ARGUMENTS("-p", "--steps", "3"));
    assert_refused(FF_COMMAND_T2I, "-p needs a value", ARGUMENTS("-p"));
    assert_refused(FF_COMMAND_INSPECT, "expected one file", ARGUMENTS("a", "b"));
}

// Spellings from stable-diffusion.cpp's sd-cli, diffusers' pipelines and Wan's own generate.py.
static void what_other_programs_call_it_is_known(void **state)
{
    static const struct {
        const char *typed, *here;
    } names[] = {
        {"--cfg-scale", "--guidance"},       {"--guidance_scale", "--guidance"},   {"--num_inference_steps", "--steps"},
        {"--sample_steps", "--steps"},       {"--sampling-method", "--scheduler"}, {"--sample_solver", "--scheduler"},
        {"--unet", "--transformer"},    {"-M", "--model"},                    {"--vae-path", "--vae"},
        {"--umt5", "--text-encoder"},              {"--ckpt_dir", "--model"},            {"--init-img", "--image"},
        {"--video-frames", "--frames"},      {"--num_frames", "--frames"},         {"--frame_num", "--frames"},
        {"--end-img", "--last"},             {"--last_image", "--last"},           {"--sample_shift", "--flow-shift"},
        {"--save_file", "--output"},         {"--base_seed", "--seed"},            {"--n-threads=4", "--threads"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char sentence[64];
        snprintf(sentence, sizeof sentence, "here it is called %s ", names[i].here);
        assert_refused(FF_COMMAND_I2V, sentence, ARGUMENTS(names[i].typed, "1"));
    }
    assert_refused(FF_COMMAND_T2I, "here it is called --count", ARGUMENTS("-b", "2"));
    assert_refused(FF_COMMAND_INPAINT, "here it is called --mask", ARGUMENTS("--mask_image", "m.png"));
    assert_refused(FF_COMMAND_T2I, "ControlNet is not in this version", ARGUMENTS("--control-net", "c"));
}

static void a_misspelt_option_names_the_nearest(void **state)
{
    assert_refused(FF_COMMAND_T2I, "did you mean --steps N?", ARGUMENTS("--stesp", "3"));
    assert_refused(FF_COMMAND_T2I, "did you mean --prompt TEXT?", ARGUMENTS("--promt", "x"));
    assert_refused(FF_COMMAND_T2I, "did you mean --steps N?", ARGUMENTS("-steps", "5"));
    assert_refused(FF_COMMAND_I2V, "did you mean --keep-first?", ARGUMENTS("--keepfirst"));
    assert_refused(FF_COMMAND_T2I, "did you mean -n 10?", ARGUMENTS("-n10"));
    assert_refused(FF_COMMAND_T2I, "did you mean -n 10?", ARGUMENTS("-n=10"));
    assert_refused(FF_COMMAND_T2I, "did you mean -p x?", ARGUMENTS("-px"));
    assert_refused(FF_COMMAND_T2I, "--help lists those there are", ARGUMENTS("-qv"));
    assert_refused(FF_COMMAND_T2I, "name the same file", ARGUMENTS("-p", "x", "-o", "x.png", "--dump", "x.png"));
    assert_refused(FF_COMMAND_T2I, "--help lists those there are", ARGUMENTS("--xyzzyplugh"));
    assert_refused(FF_COMMAND_T2I, "--mask is an option of inpaint and again, not of t2i",
                   ARGUMENTS("--mask", "m.png"));
    assert_refused(FF_COMMAND_T2V, "-i is an option of inpaint, i2v, compare, explain and again, not of t2v",
                   ARGUMENTS("-i", "x.png"));
    assert_refused(FF_COMMAND_T2I, "did you mean --isa NAME?", ARGUMENTS("-isa", "scalar"));
}

// Optimal string alignment distances, by hand.
static void edit_distance_counts_single_letters(void **state)
{
    assert_int_equal(ff_edit_distance("", ""), 0);
    assert_int_equal(ff_edit_distance("steps", "steps"), 0);
    assert_int_equal(ff_edit_distance("", "abc"), 3);
    assert_int_equal(ff_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(ff_edit_distance("stesp", "steps"), 1);
    assert_int_equal(ff_edit_distance("ca", "abc"), 3);
}

static void the_table_is_without_contradictions(void **state)
{
    for (int a = 0; a < FF_OPTIONS; a++) {
        const ff_option *option = &ff_option_table[a];
        assert_non_null(option->name);
        assert_non_null(option->help);
        assert_true(option->commands != 0 && (option->required & ~option->commands) == 0);
        assert_true((option->kind == FF_KIND_FLAG) == (option->argument == NULL));
        assert_int_equal(ff_option_find(option->name, strlen(option->name)), a);
        if (option->letter)
            assert_int_equal(ff_option_find_letter(option->letter), a);
        if (option->kind == FF_KIND_COUNT || option->kind == FF_KIND_NUMBER)
            assert_true(option->minimum < option->maximum);
    }
}

// Every command's help must show a way to call it that is accepted.
static void the_examples_are_accepted(void **state)
{
    for (size_t i = 0; i < ff_command_count; i++) {
        const ff_command *command = &ff_command_table[i];
        char text[512], *list[MOST_ARGUMENTS];
        int count = 0;
        ff_options options;
        ff_error error = {0};
        snprintf(text, sizeof text, "%s", command->example);
        for (char *at = text; *at;) {  // split as a shell does: spaces, and double quotes
            bool quoted = *at == '"';
            char *end = quoted ? strchr(at + 1, '"') : at + strcspn(at, " ");
            assert_true(count < MOST_ARGUMENTS && end);
            list[count++] = at + quoted;
            at = *end ? end + 1 : end;
            *end = 0;
            at += strspn(at, " ");
        }
        assert_string_equal(list[0], "firstframe");
        assert_ptr_equal(ff_command_find(list[1]), command);
        assert_ok(ff_options_parse(command->bit, count - 2, list + 2, &options, &error), &error);
    }
}

static void a_printed_value_reads_back(void **state)
{
    static const struct {
        ff_option_id id;
        const char *text;
    } values[] = {
        {FF_OPTION_PROMPT, "a \"fox\" = \xC3\xA9"}, {FF_OPTION_SEED, "18446744073709551615"},
        {FF_OPTION_SIZE, "640x352"}, {FF_OPTION_BOX, "0,1,2,3"}, {FF_OPTION_SCHEDULER, "euler"},
        {FF_OPTION_FIT, "pad"}, {FF_OPTION_STEPS, "1000"},
        {FF_OPTION_GUIDANCE, "0.1"}, {FF_OPTION_FLOW_SHIFT, "100"}, {FF_OPTION_STRENGTH, "0.30000000000000004"},
        {FF_OPTION_KEEP_FIRST, ""}, {FF_OPTION_IMAGE, "x/y.png"},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        ff_options options = {0};
        ff_error error = {0};
        assert_ok(ff_option_read(&options, values[i].id, values[i].text, &error), &error);
        assert_true(options.given[values[i].id]);
        char *printed = ff_option_print(&options, values[i].id);
        assert_non_null(printed);
        assert_string_equal(printed, values[i].text);
        free(printed);
    }
}

static void numbers_print_as_the_shortest_that_reads_back(void **state)
{
    static const struct {
        double value;
        const char *text;
    } numbers[] = {{0, "0"}, {1, "1"}, {1000, "1000"}, {0.1, "0.1"}, {-2.5, "-2.5"}, {1e300, "1e+300"}, {1.0 / 3, NULL},
                   {5e-324, NULL}, {123456789012345678.0, NULL}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char text[32];
        double back;
        ff_print_number(numbers[i].value, text);
        if (numbers[i].text)
            assert_string_equal(text, numbers[i].text);
        assert_true(ff_read_number(text, &back));
        assert_true(back == numbers[i].value);
    }
}

static void an_unknown_command_names_the_nearest(void **state)
{
    ff_error error = {0};
    assert_int_equal(ff_command_refuse("i2w", &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "did you mean i2v?"));
    assert_int_equal(ff_command_refuse("abc", &error), FF_ERROR_INPUT);
    assert_string_equal(error.message, "unknown command \"abc\"; firstframe --help lists those there are");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_is_read),
        cmocka_unit_test(width_and_height_are_a_size),
        cmocka_unit_test(the_last_of_a_repeated_option_counts),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(values_that_are_not_what_was_expected_are_refused),
        cmocka_unit_test(what_is_missing_or_does_not_go_together_is_refused),
        cmocka_unit_test(what_other_programs_call_it_is_known),
        cmocka_unit_test(a_misspelt_option_names_the_nearest),
        cmocka_unit_test(edit_distance_counts_single_letters),
        cmocka_unit_test(the_table_is_without_contradictions),
        cmocka_unit_test(the_examples_are_accepted),
        cmocka_unit_test(a_printed_value_reads_back),
        cmocka_unit_test(numbers_print_as_the_shortest_that_reads_back),
        cmocka_unit_test(an_unknown_command_names_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Words that a model does not know: how a text falls into words, when two are one word, what a folder's list may hold.
#define _GNU_SOURCE  // mkdtemp
#include "linked_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text/words.h"

static ff_word_list *list_of(const char *words)
{
    char json[1024];
    ff_error error = {0};
    ff_config *config;
    ff_word_list *list;
    snprintf(json, sizeof json, "{\"words\": [\"%s\"]}", words);
    assert_ok(ff_config_parse("words.json", json, &config, &error), &error);
    assert_ok(ff_word_list_open(config, "words", &list, &error), &error);
    ff_config_close(config);   // the list needs it no more
    return list;
}

static ff_unknown_words find(const ff_word_list *list, const char *text)
{
    ff_error error = {0};
    ff_unknown_words out;
    assert_ok(ff_word_list_find_unknown(list, &text, 1, &out, &error), &error);
    return out;
}

// The unknown words with a bar between them.
static void assert_unknown(const ff_word_list *list, const char *text, const char *expected)
{
    char found[FF_MOST_UNKNOWN * FF_UNKNOWN_BYTES + 1] = "";
    ff_unknown_words unknown = find(list, text);
    for (size_t i = 0; i < unknown.count; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", i ? "|" : "", unknown.word[i]);
    if (strcmp(found, expected) != 0)
        fail_msg("\"%s\": unknown are \"%s\", expected \"%s\"", text, found, expected);
}

static void texts_fall_into_words(void **state)
{
    static const char *const texts[][2] = {
        {"", ""},
        {" \t\n", ""},
        {"?!... --- ''\"\" / | _ , ;", ""},
        {"a cat", "cat"},
        {"A cat, a dog; the cat. CAT? (Dog)", "cat|dog"},                    // each once, as first written
        {"push-in off-camera", "in|camera"},
        {"the woman's dog's", "dog"},
        {"don't", "don|t"},
        {"soft_top soft/top soft|hat", "hat"},
        {"3 hats, 12 top, \u0663", "hats"},                                // numbers are no words
        {"4k top", "4k"},
        {"12 345", "12|345"},                                               // unless there is nothing else
        {"\U0001F408 cat\U0001F408top", "\U0001F408|cat"},
        {"\U0001F468\u200D\U0001F469\u200D\U0001F467 \U0001F44D\U0001F3FD \U0001F1F0\U0001F1F7 \u2600\uFE0F",
         "\U0001F468\u200D\U0001F469\u200D\U0001F467|\U0001F44D\U0001F3FD|\U0001F1F0\U0001F1F7|\u2600\uFE0F"},
        {"고양이가 소파에", "고양이가|소파에"},
        {"\u1100\u1161\u11A8 \u1100\u1161", "\u1100\u1161\u11A8|\u1100\u1161"},
        {"一只猫坐在沙发上。阳光", "一只猫坐在沙发上|阳光"},
        {"บนโซฟา", "บนโซฟา"},
        {"बिल्ली सोफे", "बिल्ली|सोफे"},
        {"قطة على", "قطة|على"},
        {"c\u202Ea\u00ADt\u200F", "cat"},                                  // shown without marks of direction
        {"\u0301 \uFE0F \u200D \u200B \u3164", ""},                         // marks, joiners and fillers alone
    };
    ff_word_list *list = list_of("a the off push s woman soft top");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_unknown(list, texts[i][0], texts[i][1]);
    ff_word_list_close(list);
}

static void a_word_is_the_same_in_other_characters(void **state)
{
    static const char *const same[] = {
        "smile", "SMILE", "Smile", "\uFF53\uFF4D\uFF49\uFF4C\uFF45",        // full width
        "\U0001D4FC\U0001D4F6\U0001D4F2\U0001D4F5\U0001D4EE",               // mathematical
        "\u24E2\u24DC\u24D8\u24DB\u24D4",                                   // in circles
        "sm\u00ADile", "smi\u200Dle", "\u017Fmile",                         // soft hyphen, joiner, long s
        "CAF\u00C9", "caf\u00E9", "cafe\u0301", "Stra\u00DFe", "STRASSE", "stra\u1E9Ee",
        "\u03A3\u03AF\u03C3\u03C5\u03C6\u03BF\u03C2",
        "\u1112\u1161\u11AB", "\uD55C",                                     // Hangul taken apart, and not
    };
    ff_word_list *list = list_of("Smile caf\u00E9 stra\u00DFe \u03C3\u03AF\u03C3\u03C5\u03C6\u03BF\u03C3 \uD55C");
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_unknown(list, same[i], "");
        assert_int_equal(find(list, same[i]).known, 1);
    }
    assert_unknown(list, "smil\u00E9 cafe smi\u200Ble", "smil\u00E9|cafe|smi|le");
    ff_word_list_close(list);
}

static void long_words_are_cut_between_characters(void **state)
{
    ff_word_list *list = list_of("a");
    char text[4096] = "";
    ff_unknown_words unknown;
    for (size_t i = 0; i < 100; i++)
        strcat(text, "\uAC00");
    unknown = find(list, text);
    assert_int_equal(unknown.count, 1);
    assert_int_equal(strlen(unknown.word[0]), 60 + 3);                      // 20 syllables of three bytes, and …
    assert_memory_equal(unknown.word[0], text, 60);
    assert_string_equal(unknown.word[0] + 60, "\u2026");
    strcpy(text, "x");
    for (size_t i = 0; i < 60; i++)
        strcat(text, "e\u0301\u0302");                                      // five bytes that belong together
    unknown = find(list, text);
    assert_int_equal(strlen(unknown.word[0]), 1 + 11 * 5 + 3);
    memset(text, 'b', 60);
    text[60] = 0;
    assert_unknown(list, text, text);                                       // just short enough
    ff_word_list_close(list);
}

static void many_words_are_told_by_the_first(void **state)
{
    ff_word_list *list = list_of("a b1");
    char *text = malloc((1 << 20) + 16);
    size_t size = 0;
    assert_non_null(text);
    for (size_t i = 0; size < 1 << 20; i++)
        size += (size_t)sprintf(text + size, "b%zu ", i);
    ff_unknown_words unknown = find(list, text);
    assert_int_equal(unknown.count, FF_MOST_UNKNOWN);
    assert_int_equal(unknown.known, 1);
    assert_true(unknown.more);
    assert_string_equal(unknown.word[0], "b0");
    assert_string_equal(unknown.word[1], "b2");
    memset(text, 'b', 1 << 20);                                             // one word of a megabyte
    assert_int_equal(find(list, text).count, 1);
    for (size_t i = 1; i + 1 < 1 << 20; i += 2)
        memcpy(text + i, "\u0301", 2);                                      // one letter with half a million marks
    unknown = find(list, text);
    assert_int_equal(unknown.count, 1);
    assert_string_equal(unknown.word[0], "\u2026");
    free(text);
    ff_word_list_close(list);
}

static void several_texts_are_taken_together(void **state)
{
    static const char *const texts[] = {"Cat on a lake", "cat, dog", "12"};
    ff_word_list *list = list_of("a on lake");
    ff_unknown_words unknown;
    ff_error error = {0};
    assert_ok(ff_word_list_find_unknown(list, texts, 3, &unknown, &error), &error);
    assert_int_equal(unknown.known, 3);
    assert_int_equal(unknown.count, 3);
    assert_string_equal(unknown.word[0], "Cat");
    assert_string_equal(unknown.word[1], "dog");
    assert_string_equal(unknown.word[2], "12");
    assert_false(unknown.more);
    ff_word_list_close(list);
}

// ---- firstframe.json ----

static void write_defaults(const char *json)
{
    FILE *file = fopen(in_linked_model("firstframe.json"), "w");
    assert_non_null(file);
    assert_true(fputs(json, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void a_folders_list_is_read_as_it_stands(void **state)
{
    static const char *const prompts[] = {"a &lt;Cat&gt; on a \u2018lake\u2019"};   // cleaned as the model reads it
    ff_unknown_words unknown;
    ff_model *model;
    ff_error error = {0};
    write_defaults("{\"draws\": \"lakes\", \"words\": [\"a  on \", \" lake\"]}");
    assert_ok(ff_model_open(linked_model, &model, &error), &error);
    assert_int_equal(ff_model_describe(model).known_words, 3);
    assert_string_equal(ff_model_describe(model).draws, "lakes");
    assert_ok(ff_model_unknown_words(model, prompts, 1, &unknown, &error), &error);
    assert_int_equal(unknown.count, 1);
    assert_string_equal(unknown.word[0], "Cat");
    const char *broken = "\xFF";
    assert_int_equal(ff_model_unknown_words(model, &broken, 1, &unknown, &error), FF_ERROR_INPUT);
    ff_model_close(model);
}

static void without_a_list_nothing_is_unknown(void **state)
{
    static const char *const prompts[] = {"a tabby cat"};
    ff_unknown_words unknown;
    ff_model *model;
    ff_error error = {0};
    write_defaults("{\"steps\": 3, \"words\": null, \"draws\": null}");
    assert_ok(ff_model_open(linked_model, &model, &error), &error);
    assert_int_equal(ff_model_describe(model).known_words, 0);
    assert_null(ff_model_describe(model).draws);
    assert_ok(ff_model_unknown_words(model, prompts, 1, &unknown, &error), &error);
    assert_int_equal(unknown.count, 0);
    ff_model_close(model);
}

static void assert_refused(const char *json, const char *expected)
{
    ff_model *model;
    ff_error error = {0};
    write_defaults(json);
    if (ff_model_open(linked_model, &model, &error) != FF_ERROR_INPUT || !strstr(error.message, "/firstframe.json: ") ||
        !strstr(error.message, expected))
        fail_msg("%s: expected \"%s\", got \"%s\"", json, expected, error.message);
}

static void a_broken_list_is_refused(void **state)
{
    static const char *const broken[][2] = {
        {"{\"words\": \"a cat\"}", "words must be an array"},
        {"{\"words\": {\"a\": 1}}", "words must be an array"},
        {"{\"words\": [\"a\", 3]}", "words must be an array of strings"},
        {"{\"words\": [\"a\", null]}", "words must be an array of strings"},
        {"{\"words\": [\"a\", [\"b\"]]}", "words must be an array of strings"},
        {"{\"words\": []}", "words holds no word"},
        {"{\"words\": [\"\", \"  \"]}", "words holds no word"},
        {"{\"words\": [\"a cat\", \"dog Cat\"]}", "words holds \"cat\" twice"},
        {"{\"words\": [\"a push-in\"]}", "words holds \"push-in\", expected words of letters and digits"},
        {"{\"words\": [\"a, b\"]}", "words holds \"a,\""},
        {"{\"words\": [\"a\", \"b\xFF\"]}", "words[1] is not UTF-8: byte 1 of 2"},
        {"{\"draws\": 3}", "draws must be a string"},
        {"{\"draws\": \"\"}", "draws must be one line of UTF-8"},
        {"{\"draws\": \"a\\nb\"}", "draws must be one line of UTF-8"},
        {"{\"draws\": \"a\xC3\"}", "draws must be one line of UTF-8"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_refused(broken[i][0], broken[i][1]);
}

static void a_list_that_is_too_long_is_refused(void **state)
{
    char *json = malloc(1 << 20), *at = json;
    assert_non_null(json);
    at += sprintf(json, "{\"words\": [\"");
    memset(at, 'a', 65);
    strcpy(at + 65, "\"]}");
    assert_refused(json, "words holds a word of 65 characters, at most 64 are allowed");
    for (size_t i = 0; i <= 1 << 16; i++)
        at += sprintf(at, "w%zu ", i);
    strcpy(at, "\"]}");
    assert_refused(json, "words holds more than 65536 words");
    at = json + sprintf(json, "{\"words\": [\"a\"");
    for (size_t i = 0; i < 1 << 12; i++)
        at += sprintf(at, ",\"w%zu\"", i);
    strcpy(at, "]}");
    assert_refused(json, "words must be an array of at most 4096 elements");
    at = json + sprintf(json, "{\"draws\": \"");
    memset(at, 'a', 201);
    strcpy(at + 201, "\"}");
    assert_refused(json, "draws must be one line of UTF-8, 1 to 200 bytes");
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_fall_into_words),
        cmocka_unit_test(a_word_is_the_same_in_other_characters),
        cmocka_unit_test(long_words_are_cut_between_characters),
        cmocka_unit_test(many_words_are_told_by_the_first),
        cmocka_unit_test(several_texts_are_taken_together),
        cmocka_unit_test(a_folders_list_is_read_as_it_stands),
        cmocka_unit_test(without_a_list_nothing_is_unknown),
        cmocka_unit_test(a_broken_list_is_refused),
        cmocka_unit_test(a_list_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, make_linked_model, remove_linked_model);
}

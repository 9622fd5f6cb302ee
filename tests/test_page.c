// Pages stand alone and show any text as it is; pictures in the terminal keep to the protocols.
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files/base64.h"
#include "draw/heat.h"
#include "draw/page.h"
#include "draw/plot.h"
#include "pictures/show.h"

// RFC 4648, section 10.
static void base64_is_the_standards(void **state)
{
    static const char *const cases[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"}, {"\xff\xef\xbe", "/+++"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[16];
        size_t size = strlen(cases[i][0]);
        ff_base64_encode(cases[i][0], size, text);
        assert_string_equal(text, cases[i][1]);
        assert_int_equal(ff_base64_length(size), strlen(text));
    }
}

static void any_text_is_shown_as_it_is(void **state)
{
    ff_page page = {0};
    ff_page_text(&page, "<b>\"5 > 4\" & 'so'</b> \xc3\xa4 \xff");
    assert_string_equal(page.text, "&lt;b&gt;&quot;5 &gt; 4&quot; &amp; &#39;so&#39;&lt;/b&gt; \xc3\xa4 ?");
    ff_page_free(&page);
}

static void a_page_names_nothing_outside_it(void **state)
{
    uint8_t rgb[12] = {0};
    const ff_image image = {2, 2, rgb};
    ff_page page = {0};
    ff_error error = {0};
    ff_page_begin(&page, "A & B");
    assert_ok(ff_page_picture(&page, &image, "a \"picture\"", &error), &error);
    assert_non_null(strstr(page.text, "<title>A &amp; B</title>"));
    assert_non_null(strstr(page.text, "<img width=\"2\" height=\"2\" alt=\"a &quot;picture&quot;\" "
                                      "src=\"data:image/webp;base64,UklGR"));
    assert_null(strstr(page.text, "http"));
    ff_page_free(&page);
}

static void curves_leave_out_what_is_not_there(void **state)
{
    const double values[] = {0, NAN, 1, 3};
    const ff_curve curve = {values, 4, "still", true};
    ff_page page = {0};
    ff_plot_draw(&page, &(ff_plot){.title = "T", .unit = "", .fps = 1, .floor = NAN, .count = 1, .curves = &curve});
    assert_null(strstr(page.text, "nan"));
    const char *path = strstr(page.text, "class=\"mean still\" d=\"M");
    assert_non_null(path);
    size_t lines = 0;
    for (const char *at = strstr(path, " d="); *at && *at != '/'; at++)
        lines += *at == 'L';
    assert_int_equal(lines, 2);
    ff_page_free(&page);
    ff_plot_draw(&page, &(ff_plot){.title = "T", .unit = "", .fps = 0, .floor = NAN, .count = 0, .curves = NULL});
    assert_null(strstr(page.text, "nan"));
    ff_page_free(&page);
}

static void shares_are_shaded_up_to_the_full(void **state)
{
    const double values[] = {0, 0.5, 1, 2};
    ff_page page = {0};
    ff_heat_draw(&page, &(ff_heat){.title = "T", .row_name = "Block", .column_name = "Step", .rows = 2, .columns = 2,
                                   .values = values, .full = 1});
    assert_non_null(strstr(page.text, "fill-opacity=\"0.50\""));
    assert_null(strstr(page.text, "fill-opacity=\"2"));
    ff_page_free(&page);
}

// What ff_show_picture writes; the caller frees it.
static char *show(ff_terminal terminal, size_t width, const ff_image *image)
{
    FILE *file = tmpfile();
    ff_error error = {0};
    char *text = calloc(1, 1 << 20);
    assert_true(file && text);
    assert_ok(ff_show_picture(file, terminal, width, image, &error), &error);
    rewind(file);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static size_t count(const char *text, const char *what)
{
    size_t found = 0;
    for (; (text = strstr(text, what)); text++)
        found++;
    return found;
}

static void pictures_in_the_terminal_keep_to_the_protocols(void **state)
{
    ff_image image = {40, 61, malloc(3 * 40 * 61)};
    assert_non_null(image.rgb);
    for (size_t i = 0; i < 3 * 40 * 61; i++)
        image.rgb[i] = (uint8_t)i;
    char *kitty = show(FF_TERMINAL_KITTY, 80, &image);       // 9760 characters: three chunks
    assert_int_equal(count(kitty, "\033_G"), 3);
    assert_int_equal(count(kitty, "m=1;"), 2);
    assert_int_equal(count(kitty, "\033_Ga=T,f=24,s=40,v=61,m=1;AAECAwQF"), 1);
    char *iterm = show(FF_TERMINAL_ITERM, 80, &image);
    assert_int_equal(count(iterm, "\033]1337;File=inline=1;size="), 1);
    assert_int_equal(count(iterm, ":iVBORw0KGgo"), 1);       // a PNG
    char *blocks = show(FF_TERMINAL_BLOCKS, 80, &image);
    assert_int_equal(count(blocks, "\n"), 31);
    assert_int_equal(count(blocks, "\xE2\x96\x80"), 31 * 40);
    char *narrow = show(FF_TERMINAL_BLOCKS, 20, &image);
    assert_int_equal(count(narrow, "\xE2\x96\x80"), 16 * 20);
    free(kitty);
    free(iterm);
    free(blocks);
    free(narrow);
    free(image.rgb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_is_the_standards),
        cmocka_unit_test(any_text_is_shown_as_it_is),
        cmocka_unit_test(a_page_names_nothing_outside_it),
        cmocka_unit_test(curves_leave_out_what_is_not_there),
        cmocka_unit_test(shares_are_shaded_up_to_the_full),
        cmocka_unit_test(pictures_in_the_terminal_keep_to_the_protocols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

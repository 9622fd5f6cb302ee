// Comparing dumps: figures against their definitions, any layout and element type, names in the order of a run, maps of
// names. PSNR and SSIM are scikit-image 0.26's of the same pictures.
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "golden.h"
#include "check/diff/diff.h"
#include "check/diff/picture.h"

#define PSNR_ELSEWHERE 23.902812611087
#define SSIM_ELSEWHERE 0.946955126581

static char folder[] = "/tmp/ff-diff-XXXXXX";
static char path_a[64], path_b[64], path_map[64];
static uint32_t random_state = 1;

static uint32_t draw(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

static int make_folder(void **state)
{
    if (!mkdtemp(folder))
        return 1;
    snprintf(path_a, sizeof path_a, "%s/a.safetensors", folder);
    snprintf(path_b, sizeof path_b, "%s/b.safetensors", folder);
    snprintf(path_map, sizeof path_map, "%s/map", folder);
    return 0;
}

static int remove_folder(void **state)
{
    remove(path_a);
    remove(path_b);
    remove(path_map);
    return rmdir(folder);
}

static ff_distance compare_views(const ff_strided *a, const ff_strided *b)
{
    ff_error error = {0};
    ff_tensor_comparison *comparison = ff_tensor_comparison_create();
    assert_non_null(comparison);
    assert_ok(ff_tensor_comparison_add(comparison, a, b, NULL, NULL, &error), &error);
    ff_distance distance = ff_tensor_comparison_result(comparison);
    ff_tensor_comparison_destroy(comparison);
    return distance;
}

// ---- figures ----

static void test_figures_are_as_defined(void **state)
{
    enum { N = 10000 };
    float *a = malloc(N * sizeof *a), *b = malloc(N * sizeof *b);
    double difference2 = 0, a2 = 0, b2 = 0, ab = 0, most = 0;
    size_t count = N, different = 0;
    assert_true(a && b);
    for (size_t i = 0; i < N; i++) {
        a[i] = (float)((int)draw() % 2000 - 1000) / 64;
        b[i] = i < 50 ? a[i] : nextafterf(a[i], 1000);
    }
    b[7000] = a[7000] + 3;
    for (size_t i = 0; i < N; i++) {
        double x = a[i], y = b[i];
        difference2 += (x - y) * (x - y);
        a2 += x * x;
        b2 += y * y;
        ab += x * y;
        most = fabs(x - y) > most ? fabs(x - y) : most;
        different += x != y;
    }
    ff_strided view_a = ff_strided_of_floats(a, 1, &count), view_b = ff_strided_of_floats(b, 1, &count);
    ff_distance d = compare_views(&view_a, &view_b);
    assert_int_equal(d.count, N);
    assert_int_equal(d.different, different);
    assert_int_equal(d.first_different, 50);
    assert_int_equal(d.max_abs_index, 7000);
    assert_true(d.max_abs == most);
    assert_true(fabs(d.relative_l2 - sqrt(difference2 / a2)) < 1e-12);
    assert_true(fabs(d.cosine - ab / sqrt(a2 * b2)) < 1e-12);
    assert_int_equal(d.ulp50, 1);
    assert_int_equal(d.ulp99, 1);
    assert_true(d.ulp100 > 4096);
    ff_distance none = compare_views(&view_a, &view_a);
    assert_true(none.different == 0 && none.relative_l2 == 0 && none.cosine == 1 && none.ulp100 == 0);
    free(a);
    free(b);
}

static void test_what_is_not_finite_is_counted_and_left_out(void **state)
{
    const float a[] = {NAN, NAN, INFINITY, INFINITY, 1, -INFINITY, 0.0f, 2};
    const float b[] = {NAN, 1, INFINITY, -INFINITY, NAN, -INFINITY, -0.0f, 2.5f};
    ff_strided view_a = ff_strided_of_floats(a, 1, (size_t[]){8}), view_b = ff_strided_of_floats(b, 1, (size_t[]){8});
    ff_distance d = compare_views(&view_a, &view_b);
    assert_int_equal(d.nan_a, 2);
    assert_int_equal(d.nan_b, 2);
    assert_int_equal(d.inf_a, 3);
    assert_int_equal(d.inf_b, 3);
    assert_int_equal(d.unmatched, 3);
    assert_int_equal(d.different, 4);
    assert_int_equal(d.first_different, 1);
    assert_true(d.max_abs == 0.5 && d.max_abs_index == 7 && d.relative_l2 == 0.25);
}

static void test_zeros_have_a_distance_too(void **state)
{
    const float zeros[3] = {0}, ones[3] = {1, 1, 1};
    ff_strided a = ff_strided_of_floats(zeros, 1, (size_t[]){3}), b = ff_strided_of_floats(ones, 1, (size_t[]){3});
    assert_true(compare_views(&a, &b).relative_l2 == 1 && compare_views(&a, &b).cosine == 0);
    assert_true(compare_views(&a, &a).relative_l2 == 0 && compare_views(&a, &a).cosine == 1);
    a.shape[0] = b.shape[0] = 0;
    assert_int_equal(compare_views(&a, &b).count, 0);
}

// Tensors of random shapes, one of them laid out by a random permutation: against what a plain loop finds.
static void test_any_layout_gives_the_same(void **state)
{
    for (int round = 0; round < 300; round++) {
        int rank = 1 + (int)(draw() % 4), order[4] = {0, 1, 2, 3};
        size_t shape[4], count = 1, stride = 1, first = SIZE_MAX, at_most = 0;
        double most = 0;
        for (int i = 0; i < rank; i++)
            count *= shape[i] = 1 + draw() % (draw() % 5 == 0 ? 70 : 6);
        for (int i = rank - 1; i > 0; i--) {
            int j = (int)(draw() % (uint32_t)(i + 1)), before = order[i];
            order[i] = order[j];
            order[j] = before;
        }
        float *a = malloc(count * sizeof *a), *b = malloc(count * sizeof *b);
        assert_true(a && b);
        ff_strided view_a = ff_strided_of_floats(a, rank, shape), view_b = view_a;
        view_b.data = b;
        for (int i = rank; i-- > 0; stride *= shape[order[i]])
            view_b.stride[order[i]] = stride;
        size_t changed[2] = {draw() % count, draw() % count};
        for (size_t i = 0; i < count; i++) {
            size_t rest = i, to = 0;
            for (int axis = rank; axis-- > 0; rest /= shape[axis])
                to += rest % shape[axis] * view_b.stride[axis];
            float by = i == changed[0] ? 1 : i == changed[1] ? 2 : 0;
            a[i] = (float)(draw() % 100);
            b[to] = a[i] + by;
            first = by > 0 && first == SIZE_MAX ? i : first;
            at_most = (double)by > most ? i : at_most;
            most = (double)by > most ? (double)by : most;
        }
        ff_distance d = compare_views(&view_a, &view_b), turned = compare_views(&view_b, &view_a);
        assert_int_equal(d.count, count);
        assert_int_equal(d.different, changed[0] == changed[1] ? 1 : 2);
        assert_int_equal(d.first_different, first);
        assert_int_equal(d.max_abs_index, at_most);
        assert_true(d.max_abs == most && turned.max_abs == most);
        assert_int_equal(turned.first_different, first);
        free(a);
        free(b);
    }
}

static void test_threads_do_not_matter(void **state)
{
    size_t count = 300001;
    float *a = malloc(count * sizeof *a), *b = malloc(count * sizeof *b);
    assert_true(a && b);
    for (size_t i = 0; i < count; i++) {
        a[i] = (float)draw() * 0x1p-24f;
        b[i] = a[i] * (1 + (float)(draw() % 5) * 0x1p-22f);
    }
    ff_strided view_a = ff_strided_of_floats(a, 1, &count), view_b = ff_strided_of_floats(b, 1, &count);
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    ff_distance alone = compare_views(&view_a, &view_b);
    omp_set_num_threads(5);
    ff_distance many = compare_views(&view_a, &view_b);
    omp_set_num_threads(threads);
    assert_memory_equal(&alone, &many, sizeof alone);
    free(a);
    free(b);
}

static void test_every_element_type_is_read(void **state)
{
    const float expected[3] = {0, 1, 1};
    char bytes[32];
    static const struct {
        ff_dtype dtype;
        unsigned char values[24];
    } cases[] = {
        {FF_F32, {0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f}}, {FF_F16, {0, 0, 0, 0x3c, 0, 0x3c}},
        {FF_BF16, {0, 0, 0x80, 0x3f, 0x80, 0x3f}},
        {FF_F64, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f}},
        {FF_I64, {[8] = 1, [16] = 1}}, {FF_I32, {[4] = 1, [8] = 1}}, {FF_U8, {0, 1, 1}}, {FF_BOOL, {0, 1, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float read[3];
        ff_strided a = ff_strided_of_floats(expected, 1, (size_t[]){3}), b = a;
        memcpy(bytes + 1, cases[i].values, sizeof cases[i].values);
        b.data = bytes + 1;  // unaligned
        b.dtype = cases[i].dtype;
        assert_int_equal(compare_views(&a, &b).different, 0);
        ff_strided_read(&b, read);
        assert_memory_equal(read, expected, sizeof read);
    }
}

// ---- dumps ----

static void write_dump(const char *path, size_t count, const char *const *names, const float *values)
{
    ff_error error = {0};
    ff_dump *dump;
    assert_ok(ff_dump_create(path, count, &dump, &error), &error);
    for (size_t i = 0; i < count; i++)
        assert_ok(ff_dump_tensor(dump, names[i], FF_F32, 1, (size_t[]){1}, &values[i], &error), &error);
    assert_ok(ff_dump_finish(dump, &error), &error);
}

static void test_rows_come_in_the_order_of_the_run(void **state)
{
    static const char *const ordered[] = {
        "token_ids", "prompt_embeds", "negative_token_ids", "negative_prompt_embeds", "image",
        "vae_encode.000.conv_in", "vae_encode.000.down_blocks.2", "vae_encode.000.down_blocks.10",
        "vae_encode.000.mid_block", "vae_encode.000.quant_conv", "vae_encode_last.004.conv_in", "anchor.known",
        "anchor.mask", "noise", "step.000.timestep", "call.000.input", "call.000.timestep", "call.000.embed",
        "call.000.temb", "call.000.text", "call.000.block.00.norm1.shift", "call.000.block.00.ffn.gate",
        "call.000.block.00.norm1", "call.000.block.00.attn1.q", "call.000.block.00.attn1.heads",
        "call.000.block.00.attn1", "call.000.block.00.norm2", "call.000.block.00.attn2", "call.000.block.00.norm3",
        "call.000.block.00.ffn", "call.000.block.00", "call.000.block.01.norm1", "call.000.block.01",
        "call.000.norm_out", "call.000.output", "call.001.input", "call.001.block.00", "step.000.noise_pred",
        "step.000.latents", "step.001.timestep", "call.002.input", "call.003.output", "step.001.latents", "latents",
        "vae_decode.000.post_quant_conv", "vae_decode.001.conv_in", "vae_decode.000.up_blocks.0",
        "vae_decode.003.up_blocks.0", "vae_decode.000.up_blocks.1", "vae_decode.000.conv_out", "frames_float", "frames",
        "zebra", "apple",
    };
    enum { COUNT = sizeof ordered / sizeof *ordered };
    const char *shuffled[COUNT];
    float values[COUNT] = {0};
    ff_error error = {0};
    ff_tensors *a, *b;
    ff_diff diff;
    for (size_t i = 0; i < COUNT; i++)
        shuffled[i] = ordered[i < COUNT - 2 ? COUNT - 3 - i : i];  // names of no dump stay as they lie
    write_dump(path_a, COUNT, shuffled, values);
    values[COUNT - 3 - 30] = 1;  // a block
    values[COUNT - 3 - 12] = 1e-9f;
    values[3] = 1;               // earlier in the file, later in the run
    write_dump(path_b, COUNT, shuffled, values);
    assert_ok(ff_tensors_open(path_a, NULL, &a, &error), &error);
    assert_ok(ff_tensors_open(path_b, NULL, &b, &error), &error);
    const ff_tolerance loose = {.pattern = "anchor.*", .value = 2};
    assert_ok(ff_diff_run(a, b, &loose, 1, NULL, NULL, &diff, &error), &error);
    assert_int_equal(diff.count, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_string_equal(diff.rows[i].name, ordered[i]);
    assert_string_equal(diff.rows[diff.first].name, "call.000.block.00");
    assert_int_equal(diff.beyond, 2);
    assert_int_equal(diff.within, 1);
    assert_int_equal(diff.equal, COUNT - 3);
    ff_diff_free(&diff);
    ff_tensors_close(a);
    ff_tensors_close(b);
}

static void test_known_cells_of_latents_are_left_out(void **state)
{
    const float mask[2] = {0, 1}, latents[2][4] = {{1, 2, 3, 4}, {9, 2, 9, 4}};
    ff_error error = {0};
    const char *const paths[2] = {path_a, path_b};
    ff_tensors *opened[2];
    ff_diff diff;
    for (int i = 0; i < 2; i++) {
        ff_dump *dump;
        assert_ok(ff_dump_create(paths[i], 3, &dump, &error), &error);
        assert_ok(ff_dump_tensor(dump, "anchor.mask", FF_F32, 4, (size_t[]){1, 2, 1, 1}, mask, &error), &error);
        assert_ok(ff_dump_tensor(dump, "step.000.latents", FF_F32, 4, (size_t[]){2, 2, 1, 1}, latents[i], &error),
                  &error);
        assert_ok(ff_dump_tensor(dump, "step.000.noise_pred", FF_F32, 4, (size_t[]){2, 2, 1, 1}, latents[i], &error),
                  &error);
        assert_ok(ff_dump_finish(dump, &error), &error);
        assert_ok(ff_tensors_open(paths[i], NULL, &opened[i], &error), &error);
    }
    assert_ok(ff_diff_run(opened[0], opened[1], NULL, 0, NULL, NULL, &diff, &error), &error);
    assert_string_equal(diff.rows[diff.first].name, "step.000.noise_pred");
    assert_int_equal(diff.beyond, 1);
    ff_diff_free(&diff);
    ff_tensors_close(opened[0]);
    ff_tensors_close(opened[1]);
}

static void test_patterns_match_names(void **state)
{
    assert_true(ff_name_matches("*", "") && ff_name_matches("call.*.block.*", "call.000.block.01.attn1"));
    assert_true(ff_name_matches("*.ab*b", "x.ab.abb") && ff_name_matches("latents", "latents"));
    assert_false(ff_name_matches("latents", "step.000.latents") || ff_name_matches("a*b", "abc"));
}

// ---- maps ----

static void write_map(const char *text)
{
    FILE *file = fopen(path_map, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void test_maps_rename(void **state)
{
    static const struct {
        const char *rule, *theirs, *ours;  // ours NULL: no match
    } cases[] = {
        {"latents <- final", "final", "latents"},
        {"latents <- final", "final2", NULL},
        {"call.{c}.block.{b} <- c{c}/layer_{b}", "c7/layer_3", "call.007.block.03"},
        {"call.{2*s+1}.output <- uncond{s}", "uncond12", "call.025.output"},
        {"call.{s*2}.output <- cond{s}", "cond012", "call.024.output"},
        {"step.{s-1}.latents <- x{s}  # theirs begin with 1", "x1", "step.000.latents"},
        {"step.{s-1}.latents <- x{s}", "x0", NULL},
        {"vae_decode.{f}.up_blocks.{k} <- up{k}.{f}", "up2.5", "vae_decode.005.up_blocks.2"},
        {"call.000.* <- run/*", "run/block.00.attn1", "call.000.block.00.attn1"},
        {"*.* <- *-*", "a-b-c", "a.b-c"},
        {"x{n} <- {n}-{n}", "3-3", "x3"},
        {"x{n} <- {n}-{n}", "3-4", NULL},
    };
    char ours[FF_MAP_NAME];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ff_error error = {0};
        ff_map *map;
        write_map(cases[i].rule);
        assert_ok(ff_map_open(path_map, &map, &error), &error);
        bool matched = ff_map_match(map, 0, cases[i].theirs, ours);
        assert_int_equal(matched, cases[i].ours != NULL);
        if (matched)
            assert_string_equal(ours, cases[i].ours);
        ff_map_close(map);
    }
}

static void test_maps_arrange(void **state)
{
    float values[24];
    static const struct {
        const char *operations;
        size_t shape[4];
        int rank;
        float first, last, second;
    } cases[] = {  // of 0..23 in [2, 3, 4]
        {"transpose", {2, 4, 3}, 3, 0, 23, 4},
        {"permute 2 0 1", {4, 2, 3}, 3, 0, 23, 4},
        {"reshape 4 -1", {4, 6}, 2, 0, 23, 1},
        {"permute 1 0 2 : reshape 3 8", {3, 8}, 2, 0, 23, 1},
        {"select 0 1", {3, 4}, 2, 12, 23, 13},
        {"select 1 2 : transpose", {4, 2}, 2, 8, 23, 20},
        {"channels-first", {4, 2, 3}, 3, 0, 23, 4},
        {"reshape 1 2 3 4 : channels-last", {1, 3, 4, 2}, 4, 0, 23, 12},
    };
    for (size_t i = 0; i < 24; i++)
        values[i] = (float)i;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char rule[128];
        float read[24];
        ff_error error = {0};
        ff_map *map;
        ff_weight weight = {.data = values, .dtype = FF_F32, .rank = 3, .shape = {2, 3, 4}};
        ff_arranged tensor = ff_arranged_of(&weight);
        snprintf(rule, sizeof rule, "a <- b : %s", cases[i].operations);
        write_map(rule);
        assert_ok(ff_map_open(path_map, &map, &error), &error);
        assert_ok(ff_map_arrange(map, 0, "b", &tensor, &error), &error);
        assert_int_equal(tensor.rank, cases[i].rank);
        assert_memory_equal(tensor.shape, cases[i].shape, (size_t)tensor.rank * sizeof *tensor.shape);
        ff_strided_read(&tensor.view, read);
        size_t count = ff_strided_count(&tensor.view);
        assert_true(read[0] == cases[i].first && read[count - 1] == cases[i].last && read[1] == cases[i].second);
        ff_map_close(map);
    }
}

static void test_broken_maps_are_refused(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "no line says"}, {"# nothing\n", "no line says"}, {"a b\n", "map:1: expected OURS <- THEIRS"},
        {"a <- b\n\nc <- d e\n", "map:3: expected OURS <- THEIRS"}, {"a <- b : turn\n", "found \"turn\""},
        {"a <- b : permute x\n", "expected \"permute AXIS"}, {"a <- b : select 1\n", "expected \"select AXIS INDEX\""},
        {"a <- b :\n", "after the colon"}, {"a{n} <- b\n", "{n} does not occur in b"},
        {"a* <- b\n", "a* has more stars"}, {"a <- {2*n}\n", "letters only"}, {"a <- b{n\n", "expected {name}"},
        {"a <- *{a}*{b}*{c}*\n", "more than 6"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ff_error error = {0};
        ff_map *map;
        write_map(cases[i].text);
        assert_int_equal(ff_map_open(path_map, &map, &error), FF_ERROR_INPUT);
        if (!strstr(error.message, cases[i].expected))
            fail_msg("%s: %s", cases[i].text, error.message);
    }
}

static void test_operations_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        const char *operations, *expected;
    } cases[] = {
        {"permute 0 1", "each axis from 0 to 2 once"}, {"permute 0 1 1", "each axis"}, {"reshape 5", "its 24 elements"},
        {"reshape -1 -1", "one size only"}, {"reshape 0 -1", "its 24 elements"}, {"select 3 0", "no element"},
        {"select 0 2", "no element 2 along axis 0"}, {"transpose : reshape 24 : transpose", "nothing can follow"},
        {"reshape 24 : transpose", "two axes"}, {"reshape 999999999 999999999 999999999", "its 24 elements"},
    };
    const float values[24] = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char rule[128];
        ff_error error = {0};
        ff_map *map;
        ff_weight weight = {.data = values, .dtype = FF_F32, .rank = 3, .shape = {2, 3, 4}};
        ff_arranged tensor = ff_arranged_of(&weight);
        snprintf(rule, sizeof rule, "a <- b : %s", cases[i].operations);
        write_map(rule);
        assert_ok(ff_map_open(path_map, &map, &error), &error);
        assert_int_equal(ff_map_arrange(map, 0, "b", &tensor, &error), FF_ERROR_INPUT);
        if (!strstr(error.message, cases[i].expected) || !strstr(error.message, "map:1: b, which is ["))
            fail_msg("%s: %s", cases[i].operations, error.message);
        ff_map_close(map);
    }
}

// ---- pictures ----

static void test_pictures_are_as_far_apart_as_elsewhere(void **state)
{
    enum { W = 40, H = 33 };
    uint8_t a[3 * W * H], b[3 * W * H];
    ff_picture_distance d;
    ff_error error = {0};
    for (int i = 0; i < 3 * W * H; i++) {
        int x = i / 3 % W, y = i / 3 / W, c = i % 3;
        a[i] = (uint8_t)((x * 5 + y * 3 + c * 40) % 256);
        b[i] = (uint8_t)((x * 5 + y * 3 + c * 40) % 256 * 7 / 8 + (x * y + c) % 11);
    }
    assert_ok(ff_picture_compare(&(ff_image){W, H, a}, &(ff_image){W, H, b}, &d, &error), &error);
    assert_true(fabs(ff_picture_psnr(d.squared_error) - PSNR_ELSEWHERE) < 1e-9);
    assert_true(fabs(d.ssim - SSIM_ELSEWHERE) < 1e-9);
    assert_ok(ff_picture_compare(&(ff_image){W, H, a}, &(ff_image){W, H, a}, &d, &error), &error);
    assert_true(isinf(ff_picture_psnr(d.squared_error)) && d.ssim == 1);
    assert_ok(ff_picture_compare(&(ff_image){10, 10, a}, &(ff_image){10, 10, b}, &d, &error), &error);
    assert_true(isnan(d.ssim));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures_are_as_defined),
        cmocka_unit_test(test_what_is_not_finite_is_counted_and_left_out),
        cmocka_unit_test(test_zeros_have_a_distance_too),
        cmocka_unit_test(test_any_layout_gives_the_same),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_every_element_type_is_read),
        cmocka_unit_test(test_rows_come_in_the_order_of_the_run),
        cmocka_unit_test(test_known_cells_of_latents_are_left_out),
        cmocka_unit_test(test_patterns_match_names),
        cmocka_unit_test(test_maps_rename),
        cmocka_unit_test(test_maps_arrange),
        cmocka_unit_test(test_broken_maps_are_refused),
        cmocka_unit_test(test_operations_that_do_not_fit_are_refused),
        cmocka_unit_test(test_pictures_are_as_far_apart_as_elsewhere),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

// The tables of names against those that diffusers' own conversions give (tools/golden/names.py).
#include <stdio.h>
#include <string.h>

#include "golden.h"
#include "weights/names_wan.h"

// Every line "original diffusers".
static void check_table(const char *golden, const ff_name_table *table, size_t lines)
{
    char path[512], original[FF_NAME_TEXT], diffusers[FF_NAME_TEXT], other[FF_NAME_TEXT];
    size_t count = 0;
    snprintf(path, sizeof path, FF_GOLDEN "/diffusers/names/%s.txt", golden);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (; fscanf(file, "%255s %255s", original, diffusers) == 2; count++) {
        size_t next = 0;
        bool found = false;
        strcpy(other, diffusers);   // what both call the same need not be in the table
        while (!found && ff_name_next(table, diffusers, &next, other))
            found = strcmp(other, original) == 0;
        if (!found && strcmp(original, other) != 0)
            fail_msg("%s: %s has the name %s, not %s", golden, diffusers, other, original);
    }
    fclose(file);
    assert_int_equal(count, lines);
}

static void test_every_tensor_has_its_name(void **state)
{
    check_table("transformer", &ff_names_transformer, 96);
    check_table("vae_21", &ff_names_vae_21, 194);
    check_table("vae_22", &ff_names_vae_22, 196);
    check_table("umt5_original", &ff_names_umt5, 242);
    check_table("umt5_gguf", &ff_names_umt5_gguf, 242);
}

// Of models that the goldens have not: image embedders and VACE.
static void test_what_golden_does_not_have(void **state)
{
    static const char *const cases[][2] = {
        {"blocks.39.attn2.add_k_proj.weight", "blocks.39.cross_attn.k_img.weight"},
        {"blocks.0.attn2.norm_added_k.weight", "blocks.0.cross_attn.norm_k_img.weight"},
        {"condition_embedder.image_embedder.ff.net.0.proj.bias", "img_emb.proj.1.bias"},
        {"condition_embedder.image_embedder.pos_embed", "img_emb.emb_pos"},
        {"vace_blocks.3.proj_out.bias", "vace_blocks.3.after_proj.bias"},
        {"vace_blocks.3.attn1.to_q.weight", "vace_blocks.3.self_attn.q.weight"},
    };
    char other[FF_NAME_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t next = 0;
        assert_true(ff_name_next(&ff_names_transformer, cases[i][0], &next, other));
        assert_string_equal(other, cases[i][1]);
        assert_false(ff_name_next(&ff_names_transformer, cases[i][0], &next, other));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_tensor_has_its_name),
        cmocka_unit_test(test_what_golden_does_not_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

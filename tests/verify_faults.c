// A fault is a changed model folder, which is another network by construction (weights whose rows are exchanged turn
// rotary halves, for instance), or a run whose dump or metadata is changed.
#include "verify_faults.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "model_copy.h"
#include "base/system.h"

// ---- changing files of safetensors ----

static size_t count_of(const ff_weight *view)
{
    size_t count = 1;
    for (int i = 0; i < view->rank; i++)
        count *= view->shape[i];
    return count;
}

static bool is_dropped(const char *name, const char *const *dropped)
{
    for (int i = 0; dropped && i < 4 && dropped[i]; i++)
        if (strstr(name, dropped[i]))
            return true;
    return false;
}

void rewrite_tensors(const char *from, const char *to, const char *const *dropped, change changed, const char *key,
                     const char *value)
{
    static const char *const keys[] = {"prompt", "negative_prompt", "seed", "guidance_scale", "num_inference_steps",
                                       "flow_shift", "scheduler", "dtype"};
    ff_error error = {0};
    ff_weights *in;
    ff_dump *out;
    assert_ok(ff_weights_open_file(from, &in, &error), &error);
    assert_ok(ff_dump_create(to, ff_weights_count(in), &out, &error), &error);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = key && strcmp(key, keys[i]) == 0 ? value : ff_weights_metadata(in, keys[i]);
        if (text)
            assert_ok(ff_dump_metadata(out, keys[i], text, &error), &error);
    }
    for (size_t i = 0; i < ff_weights_count(in); i++) {
        ff_weight view;
        const char *name = ff_weights_at(in, i, &view);
        if (is_dropped(name, dropped))
            continue;
        size_t count = count_of(&view);
        bool floats = view.dtype != FF_I64 && view.dtype != FF_U8;
        void *values = malloc(8 * count + 8);
        assert_non_null(values);
        if (floats)
            ff_weight_widen(&view, 0, count, values);
        else
            memcpy(values, view.data, ff_element_bytes(view.dtype, count));
        if (changed)
            changed(name, view.rank, view.shape, count, values);
        assert_ok(ff_dump_tensor(out, name, floats ? FF_F32 : view.dtype, view.rank, view.shape, values, &error),
                  &error);
        free(values);
    }
    assert_ok(ff_dump_finish(out, &error), &error);
    ff_weights_close(in);
}

static void change_weights(const char *part, change changed)
{
    char name[80];
    snprintf(name, sizeof name, "%s/%smodel.safetensors", part,
             strcmp(part, "text_encoder") == 0 ? "" : "diffusion_pytorch_");
    assert_int_equal(remove(model_copy_path(name)), 0);
    rewrite_tensors(model_copy_original(name), model_copy_path(name), NULL, changed, NULL, NULL);
}

// A setting of a config gets this value, which belongs to the call.
static void change_setting(const char *file, const char *key, cJSON *value)
{
    ff_mapping bytes;
    ff_error error = {0};
    assert_ok(ff_map_file(model_copy_original(file), &bytes, &error), &error);
    cJSON *config = cJSON_ParseWithLength(bytes.data, bytes.size);
    assert_non_null(config);
    ff_unmap_file(&bytes);
    cJSON_DeleteItemFromObject(config, key);
    cJSON_AddItemToObject(config, key, value);
    char *text = cJSON_Print(config);
    assert_int_equal(remove(model_copy_path(file)), 0);
    FILE *out = fopen(model_copy_path(file), "wb");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
    cJSON_free(text);
    cJSON_Delete(config);
}

// ---- changes to weights ----

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

// rows[i] of values, each `floats` long, goes to row i.
static void reorder_rows(size_t rows, size_t floats, const size_t *from, float *values)
{
    float *copy = malloc(rows * floats * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, values, rows * floats * sizeof *copy);
    for (size_t row = 0; row < rows; row++)
        memcpy(values + row * floats, copy + from[row] * floats, floats * sizeof *copy);
    free(copy);
}

static void transpose(size_t n, float *values)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            float before = values[i * n + j];
            values[i * n + j] = values[j * n + i];
            values[j * n + i] = before;
        }
}

static void transpose_keys(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    if (ends_with(name, "attn1.to_k.weight"))
        transpose(shape[0], values);
}

static void transpose_last_out(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    if (strcmp(name, "blocks.1.attn2.to_out.0.weight") == 0)
        transpose(shape[0], values);
}

static void transpose_text(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    if (ends_with(name, "text_embedder.linear_2.weight"))
        transpose(shape[0], values);
}

// Elements j and j + 7 of a head of 14 come to lie where a pair lies.
static void pair_halves(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    size_t from[64], heads = 2, head_dim = 14;
    bool turned = strstr(name, "attn1.to_q.") || strstr(name, "attn1.to_k.") || strstr(name, "attn1.norm_q") ||
                  strstr(name, "attn1.norm_k");
    if (!turned)
        return;
    assert_int_equal(shape[0], heads * head_dim);
    for (size_t i = 0; i < heads * head_dim; i++)
        from[i] = i / head_dim * head_dim + (i % 2) * (head_dim / 2) + i % head_dim / 2;
    reorder_rows(heads * head_dim, count / shape[0], from, values);
}

static void multiply(size_t count, float factor, float *values)
{
    for (size_t i = 0; i < count; i++)
        values[i] *= factor;
}

// A factor on the normalised queries is one on the scores.
static void unscale_scores(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    if (ends_with(name, "norm_q.weight"))
        multiply(count, sqrtf(14), values);
}

static void scale_cross_twice(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    if (ends_with(name, "attn2.norm_q.weight"))
        multiply(count, 1 / sqrtf(14), values);
}

static void forget_norm_weights(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    for (size_t i = 0; (ends_with(name, "norm_q.weight") || ends_with(name, "norm_k.weight")) && i < count; i++)
        ((float *)values)[i] = 1;
}

static void forget_norm2(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    for (size_t i = 0; strstr(name, "norm2.") && i < count; i++)
        ((float *)values)[i] = ends_with(name, "weight");
}

static void exchange_shift_scale(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    static const size_t from[] = {1, 0, 2, 4, 3, 5};
    if (strncmp(name, "blocks.", 7) == 0 && ends_with(name, "scale_shift_table"))
        reorder_rows(6, count / 6, from, values);
    if (strstr(name, "time_proj."))
        reorder_rows(6, count / 6, from, values);
}

static void forget_last_bias(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    if (strcmp(name, "blocks.1.ffn.net.2.bias") == 0)
        multiply(count, 0, values);
}

// The columns that meet cosines and those that meet sines.
static void exchange_sinusoids(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    if (!ends_with(name, "time_embedder.linear_1.weight"))
        return;
    size_t half = shape[1] / 2;
    for (size_t row = 0; row < shape[0]; row++)
        for (size_t i = 0; i < half; i++) {
            float *at = (float *)values + row * shape[1] + i, before = at[0];
            at[0] = at[half];
            at[half] = before;
        }
}

static void exchange_patch_axes(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    for (size_t i = 0; strcmp(name, "patch_embedding.weight") == 0 && i < count; i += 4)
        transpose(2, (float *)values + i);
}

static void exchange_head(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    static const size_t from[] = {1, 0};
    if (strcmp(name, "scale_shift_table") == 0)
        reorder_rows(2, count / 2, from, values);
}

static void unpatch_by_channel(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    size_t from[64], channels = shape[0] / 4;
    if (strncmp(name, "proj_out.", 9) != 0)
        return;
    for (size_t i = 0; i < shape[0]; i++)
        from[i] = i % channels * 4 + i / channels;
    reorder_rows(shape[0], count / shape[0], from, values);
}

static void forget_later_biases(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    if (ends_with(name, "relative_attention_bias.weight") && !strstr(name, "block.0."))
        multiply(count, 0, values);
}

static void scale_text_scores(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    if (ends_with(name, "SelfAttention.q.weight"))
        multiply(count, 1 / sqrtf(6), values);  // d_kv
}

static void forget_attention(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    if (strstr(name, "attentions.") && strstr(name, ".proj."))
        multiply(count, 0, values);
}

static void to_bfloat(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, (float *)values + i, sizeof bits);
        bits = (bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u;
        memcpy((float *)values + i, &bits, sizeof bits);
    }
}

// ---- changes to folders ----

static void halves(void) { change_weights("transformer", pair_halves); }
static void transposed(void) { change_weights("transformer", transpose_keys); }
static void transposed_late(void) { change_weights("transformer", transpose_last_out); }
static void transposed_text(void) { change_weights("transformer", transpose_text); }
static void unscaled(void) { change_weights("transformer", unscale_scores); }
static void cross_scaled(void) { change_weights("transformer", scale_cross_twice); }
static void unweighted(void) { change_weights("transformer", forget_norm_weights); }
static void norm2_plain(void) { change_weights("transformer", forget_norm2); }
static void modulation(void) { change_weights("transformer", exchange_shift_scale); }
static void unbiased_late(void) { change_weights("transformer", forget_last_bias); }
static void sinusoids(void) { change_weights("transformer", exchange_sinusoids); }
void patch_axes(void) { change_weights("transformer", exchange_patch_axes); }
static void head(void) { change_weights("transformer", exchange_head); }
static void unpatched(void) { change_weights("transformer", unpatch_by_channel); }
static void first_bias(void) { change_weights("text_encoder", forget_later_biases); }
static void text_scores(void) { change_weights("text_encoder", scale_text_scores); }
static void vae_attention(void) { change_weights("vae", forget_attention); }

static void epsilon(void) { change_setting("transformer/config.json", "eps", cJSON_CreateNumber(1e-3)); }
static void text_silu(void)
{
    change_setting("text_encoder/config.json", "feed_forward_proj", cJSON_CreateString("gated-silu"));
}

static void shift(void) { change_setting("scheduler/scheduler_config.json", "flow_shift", cJSON_CreateNumber(5)); }
static void order(void) { change_setting("scheduler/scheduler_config.json", "solver_order", cJSON_CreateNumber(1)); }
static void corrector(void)
{
    change_setting("scheduler/scheduler_config.json", "disable_corrector",
                   cJSON_CreateIntArray((int[]){0, 1, 2}, VERIFY_STEPS));
}

// of latents_mean or latents_std: 1 / x, or 0
static void change_statistics(const char *key, bool inverse)
{
    ff_config *config;
    ff_error error = {0};
    double values[64];
    size_t count = 64;
    assert_ok(ff_config_open(model_copy_original("vae/config.json"), &config, &error), &error);
    assert_ok(ff_config_numbers(config, key, values, &count, &error), &error);
    ff_config_close(config);
    for (size_t i = 0; i < count; i++)
        values[i] = inverse ? 1 / values[i] : 0;
    change_setting("vae/config.json", key, cJSON_CreateDoubleArray(values, (int)count));
}

static void inverse_std(void) { change_statistics("latents_std", true); }
static void no_mean(void) { change_statistics("latents_mean", false); }

void bfloat_weights(void)
{
    change_weights("transformer", to_bfloat);
    change_weights("text_encoder", to_bfloat);
}

// ---- changes to dumps ----

static void one_timestep(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    for (size_t i = 0; strncmp(name, "call.", 5) == 0 && ends_with(name, ".timestep") && i < count; i++)
        ((float *)values)[i] = ((float *)values)[count - 1];
}

static void fill_padding(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    for (size_t i = 100 * shape[1]; strcmp(name, "prompt_embeds") == 0 && i < 512 * shape[1]; i++)
        ((float *)values)[i] = 0.25f;
}

static void shift_ids(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    for (size_t i = 0; strcmp(name, "token_ids") == 0 && i < count; i++)
        ((int64_t *)values)[i] += 3;
}

static void halve_range(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    for (size_t i = 0; strcmp(name, "frames_float") == 0 && i < count; i++)
        ((float *)values)[i] = fmaxf(0, 2 * ((float *)values)[i] - 1);
}

static void swap_colours(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    for (size_t i = 0; strcmp(name, "frames_float") == 0 && i < count; i += 3) {
        float *pixel = (float *)values + i, before = pixel[0];
        pixel[0] = pixel[2];
        pixel[2] = before;
    }
}

static void negate_noise(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    if (strcmp(name, "noise") == 0)
        multiply(count, -1, values);
}

static void mix_to_unknown(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    for (size_t i = 0; strcmp(name, "call.000.block.01") == 0 && i < count; i++)
        ((float *)values)[i] += 1e-3f * (float)sin((double)(i * i));
}

// ---- the faults ----

const fault faults[] = {
    {"rotary halves", STILL, .folder = halves, .stage = "transformer.block.00", .cause = "halves of a head"},
    {"transposed key weights", STILL, .folder = transposed, .stage = "transformer.block.00",
     .cause = "attn1.to_k is transposed"},
    {"transposed weight in the last block", TEXT, .folder = transposed_late, .stage = "transformer.block.01",
     .cause = "attn2.to_out is transposed"},
    {"transposed weight in the text embedder", TEXT, .folder = transposed_text, .stage = "transformer.embed",
     .cause = "text_embedder.linear_2 is transposed"},
    {"no attention scale", STILL, .folder = unscaled, .stage = "transformer.block.00",
     .cause = "scores are not divided by sqrt(head_dim)"},
    {"cross-attention scaled twice", STILL, .folder = cross_scaled, .stage = "transformer.block.00",
     .cause = "cross-attention only: attention scale: 1/head_dim"},
    {"query and key norms without weight", TEXT, .folder = unweighted, .stage = "transformer.block.00",
     .cause = "RMS norm of queries and keys without its weight"},
    {"norm2 without weight and bias", STILL, .folder = norm2_plain, .stage = "transformer.block.00",
     .cause = "norm2) without weight and bias"},
    {"wrong epsilon", TEXT, .folder = epsilon, .stage = "transformer.block.00",
     .cause = "epsilon of all norms is 1e-3"},
    {"shift and scale exchanged", STILL, .folder = modulation, .stage = "transformer.block.00",
     .cause = "modulation: shift and scale exchanged"},
    {"no bias in the last block", STILL, .folder = unbiased_late, .stage = "transformer.block.01",
     .cause = "the bias of ffn.net.2 is left out"},
    {"sines first", STILL, .folder = sinusoids, .stage = "transformer.embed", .cause = "sines come before cosines"},
    {"patch axes exchanged", TEXT, .folder = patch_axes, .stage = "transformer.embed",
     .cause = "rows and columns of a patch"},
    {"head exchanged", STILL, .folder = head, .stage = "transformer.head", .cause = "shift and scale exchanged"},
    {"patches by channel", TEXT, .folder = unpatched, .stage = "transformer.head", .cause = "channel by channel"},
    {"T5 bias in the first layer only", STILL, .folder = first_bias, .stage = "text_encoder",
     .cause = "in the first layer only"},
    {"T5 scores scaled", TEXT, .folder = text_scores, .stage = "text_encoder", .cause = "divided by sqrt(d_kv)"},
    {"T5 with SiLU", STILL, .folder = text_silu, .stage = "text_encoder", .cause = "SiLU"},
    {"padding not zeroed", STILL, .dump = fill_padding, .stage = "text_encoder", .cause = "padding is not zeroed"},
    {"another vocabulary", TEXT, .dump = shift_ids, .stage = "tokenizer", .cause = "shifted by the same number"},
    {"negative noise", TEXT, .dump = negate_noise, .stage = "noise", .cause = "multiplied by -1"},
    {"noise of another seed", STILL, .key = "seed", .value = "7", .stage = "noise", .cause = "the noise of seed 6"},
    {"one timestep for all", STILL, .dump = one_timestep, .stage = "anchor",
     .cause = "known tokens have the step's timestep"},
    {"guidance scale", TEXT, .key = "guidance_scale", .value = "6", .stage = "guidance", .cause = "scale is 4"},
    {"schedule's shift", STILL, .folder = shift, .key = "flow_shift", .value = "3", .stage = "scheduler",
     .cause = "shift is 5"},
    {"solver's order", STILL, .folder = order, .stage = "scheduler", .cause = "order is 1"},
    {"no corrector", STILL, .folder = corrector, .stage = "scheduler", .cause = "corrector"},
    {"Euler for UniPC", {"tiny-ti2v", FF_SCHEDULER_EULER, 1}, .key = "scheduler", .value = "unipc",
     .stage = "scheduler", .cause = "those of euler"},
    {"inverted std", STILL, .folder = inverse_std, .stage = "vae_encode", .cause = "latents_std is inverted"},
    {"no mean", TEXT, .folder = no_mean, .stage = "vae_decode", .cause = "latents_mean is left out"},
    {"no attention in the VAE", TEXT, .folder = vae_attention, .stage = "vae_decode",
     .cause = "attention in the middle"},
    {"colour range", TEXT, .dump = halve_range, .stage = "vae_decode", .cause = "colour range"},
    {"blue first", STILL, .dump = swap_colours, .stage = "vae_decode", .cause = "blue, green, red"},
    {"something else", STILL, .dump = mix_to_unknown, .stage = "transformer.block.01", .cause = ""},
};
const size_t fault_count = sizeof faults / sizeof *faults;

// `verify` names the stage and the cause of injected faults. The faulty program is this one with a changed model
// folder, which is another network by construction (weights whose rows are exchanged turn rotary halves, for
// instance), or a run whose dump or metadata is changed. tests/inject_diffusers.py does the same to diffusers itself.
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "golden.h"
#include "measure/verify.h"
#include "system.h"
#include "transformer/transformer.h"

#define MODELS FF_GOLDEN "/diffusers/models/"
#define STEPS 3

static const char *const parts[] = {"", "transformer", "vae", "text_encoder", "tokenizer", "scheduler"};
static const char *const files[] = {
    "model_index.json", "transformer/config.json", "transformer/diffusion_pytorch_model.safetensors",
    "vae/config.json", "vae/diffusion_pytorch_model.safetensors", "text_encoder/config.json",
    "text_encoder/model.safetensors", "tokenizer/tokenizer.json", "scheduler/scheduler_config.json",
};
enum { PARTS = sizeof parts / sizeof *parts, FILES = sizeof files / sizeof *files };

static char folder[] = "/tmp/ff-verify-XXXXXX";
static const char *model_name;   // of the model that the folder is a copy of

static const char *in_folder(const char *name)
{
    static char paths[4][160];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const char *in_model(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s%s/%s", MODELS, model_name, name);
    return path;
}

// ---- changing files of safetensors ----

// Changes a tensor's values in place; floats whatever they were stored as.
typedef void (*change)(const char *name, int rank, const size_t *shape, size_t count, void *values);

static size_t count_of(const ff_weight *view)
{
    size_t count = 1;
    for (int i = 0; i < view->rank; i++)
        count *= view->shape[i];
    return count;
}

// Parts of names of tensors that are left out; those of an ended test are forgotten.
static const char *dropped_names[4];

static bool is_dropped(const char *name)
{
    for (int i = 0; i < 4 && dropped_names[i]; i++)
        if (strstr(name, dropped_names[i]))
            return true;
    return false;
}

// Writes the tensors of one file into another. key, value: metadata that gets another value, or NULLs.
static void rewrite_tensors(const char *from, const char *to, change changed, const char *key, const char *value)
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
        if (is_dropped(name))
            continue;
        size_t count = count_of(&view);
        bool floats = view.dtype != FF_I64 && view.dtype != FF_U8;
        void *values = malloc(8 * count + 8);
        assert_non_null(values);
        if (floats)
            ff_weight_widen(&view, 0, count, values);
        else
            memcpy(values, view.data, count * ff_dtype_size(view.dtype));
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
    assert_int_equal(remove(in_folder(name)), 0);
    rewrite_tensors(in_model(name), in_folder(name), changed, NULL, NULL);
}

// A setting of a config gets this value, which belongs to the call.
static void change_setting(const char *file, const char *key, cJSON *value)
{
    ff_mapping bytes;
    ff_error error = {0};
    assert_ok(ff_map_file(in_model(file), &bytes, &error), &error);
    cJSON *config = cJSON_ParseWithLength(bytes.data, bytes.size);
    assert_non_null(config);
    ff_unmap_file(&bytes);
    cJSON_DeleteItemFromObject(config, key);
    cJSON_AddItemToObject(config, key, value);
    char *text = cJSON_Print(config);
    assert_int_equal(remove(in_folder(file)), 0);
    FILE *out = fopen(in_folder(file), "wb");
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
    (void)rank, (void)count;
    if (ends_with(name, "attn1.to_k.weight"))
        transpose(shape[0], values);
}

static void transpose_last_out(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)count;
    if (strcmp(name, "blocks.1.attn2.to_out.0.weight") == 0)
        transpose(shape[0], values);
}

static void transpose_text(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)count;
    if (ends_with(name, "text_embedder.linear_2.weight"))
        transpose(shape[0], values);
}

// Elements j and j + 7 of a head of 14 come to lie where a pair lies.
static void pair_halves(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    size_t from[64], heads = 2, head_dim = 14;
    (void)rank;
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
    (void)rank, (void)shape;
    if (ends_with(name, "norm_q.weight"))
        multiply(count, sqrtf(14), values);
}

static void scale_cross_twice(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)shape;
    if (ends_with(name, "attn2.norm_q.weight"))
        multiply(count, 1 / sqrtf(14), values);
}

static void forget_norm_weights(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)shape;
    for (size_t i = 0; (ends_with(name, "norm_q.weight") || ends_with(name, "norm_k.weight")) && i < count; i++)
        ((float *)values)[i] = 1;
}

static void forget_norm2(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)shape;
    for (size_t i = 0; strstr(name, "norm2.") && i < count; i++)
        ((float *)values)[i] = ends_with(name, "weight");
}

static void exchange_shift_scale(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    static const size_t from[] = {1, 0, 2, 4, 3, 5};
    (void)rank, (void)shape;
    if (strncmp(name, "blocks.", 7) == 0 && ends_with(name, "scale_shift_table"))
        reorder_rows(6, count / 6, from, values);
    if (strstr(name, "time_proj."))
        reorder_rows(6, count / 6, from, values);
}

static void forget_last_bias(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)shape;
    if (strcmp(name, "blocks.1.ffn.net.2.bias") == 0)
        multiply(count, 0, values);
}

// The columns that meet cosines and those that meet sines.
static void exchange_sinusoids(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)count;
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
    (void)rank, (void)shape;
    for (size_t i = 0; strcmp(name, "patch_embedding.weight") == 0 && i < count; i += 4)
        transpose(2, (float *)values + i);
}

static void exchange_head(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    static const size_t from[] = {1, 0};
    (void)rank, (void)shape;
    if (strcmp(name, "scale_shift_table") == 0)
        reorder_rows(2, count / 2, from, values);
}

static void unpatch_by_channel(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    size_t from[64], channels = shape[0] / 4;
    (void)rank;
    if (strncmp(name, "proj_out.", 9) != 0)
        return;
    for (size_t i = 0; i < shape[0]; i++)
        from[i] = i % channels * 4 + i / channels;
    reorder_rows(shape[0], count / shape[0], from, values);
}

static void forget_later_biases(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)shape;
    if (ends_with(name, "relative_attention_bias.weight") && !strstr(name, "block.0."))
        multiply(count, 0, values);
}

static void scale_text_scores(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)shape;
    if (ends_with(name, "SelfAttention.q.weight"))
        multiply(count, 1 / sqrtf(6), values);  // d_kv
}

static void forget_attention(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)shape;
    if (strstr(name, "attentions.") && strstr(name, ".proj."))
        multiply(count, 0, values);
}

static void to_bfloat(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)name, (void)rank, (void)shape;
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
static void patch_axes(void) { change_weights("transformer", exchange_patch_axes); }
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
                   cJSON_CreateIntArray((int[]){0, 1, 2}, STEPS));
}

// of latents_mean or latents_std: 1 / x, or 0
static void change_statistics(const char *key, bool inverse)
{
    ff_config *config;
    ff_error error = {0};
    double values[64];
    size_t count = 64;
    assert_ok(ff_config_open(in_model("vae/config.json"), &config, &error), &error);
    assert_ok(ff_config_numbers(config, key, values, &count, &error), &error);
    ff_config_close(config);
    for (size_t i = 0; i < count; i++)
        values[i] = inverse ? 1 / values[i] : 0;
    change_setting("vae/config.json", key, cJSON_CreateDoubleArray(values, (int)count));
}

static void inverse_std(void) { change_statistics("latents_std", true); }
static void no_mean(void) { change_statistics("latents_mean", false); }

static void bfloat_weights(void)
{
    change_weights("transformer", to_bfloat);
    change_weights("text_encoder", to_bfloat);
}

// ---- changes to dumps ----

static void one_timestep(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)shape;
    for (size_t i = 0; strncmp(name, "call.", 5) == 0 && ends_with(name, ".timestep") && i < count; i++)
        ((float *)values)[i] = ((float *)values)[count - 1];
}

static void fill_padding(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)count;
    for (size_t i = 100 * shape[1]; strcmp(name, "prompt_embeds") == 0 && i < 512 * shape[1]; i++)
        ((float *)values)[i] = 0.25f;
}

static void shift_ids(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)shape;
    for (size_t i = 0; strcmp(name, "token_ids") == 0 && i < count; i++)
        ((int64_t *)values)[i] += 3;
}

static void halve_range(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)shape;
    for (size_t i = 0; strcmp(name, "frames_float") == 0 && i < count; i++)
        ((float *)values)[i] = fmaxf(0, 2 * ((float *)values)[i] - 1);
}

static void swap_colours(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)shape;
    for (size_t i = 0; strcmp(name, "frames_float") == 0 && i < count; i += 3) {
        float *pixel = (float *)values + i, before = pixel[0];
        pixel[0] = pixel[2];
        pixel[2] = before;
    }
}

static void negate_noise(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)shape;
    if (strcmp(name, "noise") == 0)
        multiply(count, -1, values);
}

static void mix_to_unknown(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)shape;
    for (size_t i = 0; strcmp(name, "call.000.block.01") == 0 && i < count; i++)
        ((float *)values)[i] += 1e-3f * (float)sin((double)(i * i));
}

// ---- runs and verdicts ----

static void link_model(const char *name)
{
    model_name = name;
    for (size_t i = 0; i < FILES; i++) {
        remove(in_folder(files[i]));
        assert_int_equal(symlink(in_model(files[i]), in_folder(files[i])), 0);
    }
}

typedef struct job {
    const char *model;
    ff_scheduler scheduler;
    size_t threads;
} job;

// A run of the folder's model with a dump at block level: a still animated, or text to video.
static void run_folder(job what, const char *dump)
{
    ff_error error = {0};
    ff_model *model;
    uint8_t pixels[3 * 48 * 32];
    ff_image still = {48, 32, pixels};
    bool anchored = strcmp(what.model, "tiny-ti2v") == 0;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * i / 37 + 5 * (i % 3));
    assert_ok(ff_model_open(folder, &model, &error), &error);
    ff_request request = ff_request_default(anchored ? FF_IMAGE_TO_VIDEO : FF_TEXT_TO_VIDEO);
    request.prompt = "Portrait of a young woman, soft light";
    request.negative_prompt = "blurry";
    request.seed = 6;
    request.width = 48;
    request.height = 32;
    request.frames = 5;
    request.steps = STEPS;
    request.guidance_scale = 4;
    request.scheduler = what.scheduler;
    request.image = anchored ? &still : NULL;
    request.fit = FF_FIT_STRETCH;
    request.dump_path = dump;
    request.dump_detail = FF_DETAIL_BLOCK;
    request.threads = what.threads ? what.threads : 1;
    assert_ok(ff_run(model, &request, NULL, &error), &error);
    ff_model_close(model);
}

static ff_status judge(const char *model_folder, const char *dump, ff_verification **out, ff_error *error)
{
    ff_model *model;
    assert_ok(ff_model_open(model_folder, &model, error), error);
    ff_status status = ff_verify(model, dump, 1, out, error);
    ff_model_close(model);
    return status;
}

static ff_verification *verdict_of(const char *dump)
{
    ff_error error = {0};
    ff_verification *found;
    char model_folder[512];
    snprintf(model_folder, sizeof model_folder, "%s%s", MODELS, model_name);
    assert_ok(judge(model_folder, dump, &found, &error), &error);
    return found;
}

static const ff_stage_finding *stage_of(const ff_verification *found, const char *stage)
{
    for (size_t i = 0; i < found->count; i++)
        if (strcmp(found->stages[i].stage, stage) == 0)
            return &found->stages[i];
    fail_msg("no stage %s", stage);
    return NULL;
}

typedef struct fault {
    const char *name;
    job run;
    void (*folder)(void);      // changes the model that runs; NULL: nothing
    change dump;               // changes the dump; NULL: nothing
    const char *key, *value;   // metadata that gets another value
    const char *stage, *cause; // what verify must say
} fault;

#define STILL {"tiny-ti2v", FF_SCHEDULER_MODEL, 1}
#define TEXT {"tiny-t2v", FF_SCHEDULER_MODEL, 1}

static const fault faults[] = {
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

static void inject(const fault *f)
{
    const char *dump = in_folder("dump.safetensors"), *changed = in_folder("changed.safetensors");
    link_model(f->run.model);
    if (f->folder)
        f->folder();
    run_folder(f->run, dump);
    rewrite_tensors(dump, changed, f->dump, f->key, f->value);
    ff_verification *found = verdict_of(changed);
    if (found->first_fault == found->count)
        fail_msg("%s: no fault was found", f->name);
    const ff_stage_finding *first = &found->stages[found->first_fault];
    if (strcmp(first->stage, f->stage) != 0 || !strstr(first->cause, f->cause) || (!*f->cause && first->cause[0]))
        fail_msg("%s: blamed on %s (%s: %.3g, rounding %.3g): %s", f->name, first->stage, first->tensor, first->error,
                 first->expected, first->cause);
    ff_verification_free(found);
    remove(changed);
    remove(dump);
}

static void test_injected_faults_are_blamed_on_the_right_stage_and_cause(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        inject(&faults[i]);
}

// With nothing changed every stage has our bits; so the replays, which have mistakes as switches, are the stages.
static void test_an_own_dump_is_equal_in_every_stage(void **state)
{
    static const job jobs[] = {STILL, TEXT, {"tiny-ti2v", FF_SCHEDULER_EULER, 3}, {"tiny-t2v", FF_SCHEDULER_UNIPC, 2}};
    (void)state;
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        link_model(jobs[i].model);
        run_folder(jobs[i], in_folder("dump.safetensors"));
        ff_verification *found = verdict_of(in_folder("dump.safetensors"));
        for (size_t k = 0; k < found->count; k++) {
            const ff_stage_finding *stage = &found->stages[k];
            bool absent = strcmp(stage->stage, "vae_encode") == 0 && strcmp(jobs[i].model, "tiny-t2v") == 0;
            if (stage->verdict != (absent ? FF_NOT_JUDGED : FF_EQUAL))
                fail_msg("%s: %s is %s (%s: %.3g)", jobs[i].model, stage->stage, ff_verdict_name(stage->verdict),
                         stage->tensor, stage->error);
        }
        ff_verification_free(found);
    }
}

static void test_weights_in_bf16_are_called_rounding(void **state)
{
    (void)state;
    link_model("tiny-ti2v");
    bfloat_weights();
    run_folder((job)STILL, in_folder("dump.safetensors"));
    ff_verification *found = verdict_of(in_folder("dump.safetensors"));
    if (found->verdict != FF_ROUNDING)
        fail_msg("blamed on %s: %s", found->stages[found->first_fault].stage, found->stages[found->first_fault].cause);
    assert_non_null(strstr(stage_of(found, "transformer.block.00")->cause, "weights are rounded to bf16"));
    ff_verification_free(found);
}

// diffusers' own runs, single precision, in the golden set.
static void test_goldens_of_diffusers_are_called_rounding(void **state)
{
    static const char *const runs[] = {"ti2v-i2v", "ti2v-i2v-last", "ti2v-inpaint", "ti2v-inpaint-strength", "ti2v-t2i",
                                       "ti2v-t2i-euler", "t2v-t2v", "t2v-t2i-unipc", "t2v-t2v-unguided"};
    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        char path[512];
        model_name = runs[i][1] == 'i' ? "tiny-ti2v" : "tiny-t2v";
        snprintf(path, sizeof path, "%s/diffusers/runs/%s.safetensors", FF_GOLDEN, runs[i]);
        ff_verification *found = verdict_of(path);
        if (found->verdict != FF_ROUNDING)
            fail_msg("%s: %s at %s (%s: %.3g): %s", runs[i], ff_verdict_name(found->verdict),
                     found->stages[found->first_fault].stage, found->stages[found->first_fault].tensor,
                     found->stages[found->first_fault].error, found->stages[found->first_fault].cause);
        ff_verification_free(found);
    }
}

// The published set: every stage is judged and none at fault, and its files are those of the manifest.
static void test_the_conformance_set_conforms(void **state)
{
    static const struct {
        const char *name, *model;
    } runs[] = {{"i2v", "tiny-ti2v"}, {"t2v", "tiny-t2v"}, {"i2v-bfloat16", "tiny-ti2v"}};
    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        char path[512];
        model_name = runs[i].model;
        snprintf(path, sizeof path, "%s/conformance/%s.safetensors", FF_GOLDEN, runs[i].name);
        ff_verification *found = verdict_of(path);
        for (size_t k = 0; k < found->count; k++) {
            const ff_stage_finding *stage = &found->stages[k];
            bool absent = strcmp(stage->stage, "vae_encode") == 0 && strcmp(runs[i].name, "t2v") == 0;
            if ((stage->verdict == FF_NOT_JUDGED) != absent || stage->verdict == FF_FAULT)
                fail_msg("%s: %s is %s (%s: %.3g): %s", runs[i].name, stage->stage, ff_verdict_name(stage->verdict),
                         stage->tensor, stage->error, stage->cause);
        }
        ff_verification_free(found);
    }
}

static void assert_hash(const char *file, const char *expected)
{
    char path[512], digits[65];
    ff_mapping bytes;
    ff_error error = {0};
    ff_sha256 hash;
    uint8_t digest[32];
    snprintf(path, sizeof path, "%s/%s", FF_GOLDEN, file);
    assert_ok(ff_map_file(path, &bytes, &error), &error);
    ff_sha256_start(&hash);
    ff_sha256_add(&hash, bytes.data, bytes.size);
    ff_sha256_finish(&hash, digest);
    ff_unmap_file(&bytes);
    for (int i = 0; i < 32; i++)
        snprintf(digits + 2 * i, 3, "%02x", digest[i]);
    if (strcmp(digits, expected) != 0)
        fail_msg("%s is not the file of the manifest", file);
}

static void test_the_manifest_names_the_files_that_are_there(void **state)
{
    ff_mapping file;
    ff_error error = {0};
    const cJSON *run, *model, *entry;
    (void)state;
    assert_ok(ff_map_file(FF_GOLDEN "/conformance/manifest.json", &file, &error), &error);
    cJSON *manifest = cJSON_ParseWithLength(file.data, file.size);
    ff_unmap_file(&file);
    assert_non_null(manifest);
    cJSON_ArrayForEach(run, cJSON_GetObjectItem(manifest, "cases"))
    {
        char path[160];
        snprintf(path, sizeof path, "conformance/%s.safetensors", run->string);
        assert_hash(path, cJSON_GetObjectItem(run, "sha256")->valuestring);
    }
    cJSON_ArrayForEach(model, cJSON_GetObjectItem(manifest, "models"))
    {
        cJSON_ArrayForEach(entry, model)
            assert_hash(entry->string, entry->valuestring);
    }
    cJSON_ArrayForEach(entry, cJSON_GetObjectItem(manifest, "inputs"))
        assert_hash(entry->string, entry->valuestring);
    cJSON_Delete(manifest);
}

// ---- what is missing ----

// Makes changed.safetensors of dump.safetensors.
static void drop_names(const char *const names[4])
{
    memcpy(dropped_names, names, sizeof dropped_names);
    rewrite_tensors(in_folder("dump.safetensors"), in_folder("changed.safetensors"), NULL, NULL, NULL);
    memset(dropped_names, 0, sizeof dropped_names);
}

static void assert_judged(const ff_verification *found, const char *stage, bool judged)
{
    const ff_stage_finding *finding = stage_of(found, stage);
    if ((finding->verdict != FF_NOT_JUDGED) != judged)
        fail_msg("%s is %s", stage, ff_verdict_name(finding->verdict));
    if (!judged)
        assert_non_null(strstr(finding->where, "not in the dump"));
}

static void test_a_stage_without_inputs_is_not_judged(void **state)
{
    static const struct {
        const char *dropped[4];
        const char *unjudged[5], *judged[3];
    } cases[] = {
        {{"token_ids"}, {"tokenizer", "text_encoder"}, {"noise", "transformer.block.00"}},
        {{"noise_pred"}, {"guidance", "scheduler"}, {"anchor", "transformer.head"}},
        {{"image"}, {"vae_encode"}, {"anchor"}},
        {{"frames_float"}, {"frames"}, {"vae_decode"}},
        {{".embed", ".temb", ".text"}, {"transformer.embed"}, {"transformer.block.00", "transformer.block.01"}},
        {{"prompt_embeds", ".text"}, {"text_encoder", "transformer.block.00", "transformer.block.01"}, {"guidance"}},
        {{"block.00"}, {"transformer.block.01"}, {"transformer.block.00", "transformer.head"}},
        {{".embed", ".temb", ".text", ".block."}, {"transformer.embed", "transformer.block.01", "transformer.head"},
         {"transformer.block.00"}},
        {{"call.", "step."}, {"anchor", "transformer.embed", "transformer.head", "guidance", "scheduler"},
         {"vae_decode"}},
        {{"latents"}, {"vae_decode"}, {"frames"}},
    };
    (void)state;
    link_model("tiny-ti2v");
    run_folder((job)STILL, in_folder("dump.safetensors"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        drop_names(cases[i].dropped);
        ff_verification *found = verdict_of(in_folder("changed.safetensors"));
        for (int k = 0; k < 5 && cases[i].unjudged[k]; k++)
            assert_judged(found, cases[i].unjudged[k], false);
        for (int k = 0; k < 3 && cases[i].judged[k]; k++)
            assert_judged(found, cases[i].judged[k], true);
        assert_int_equal(found->verdict, FF_EQUAL);
        ff_verification_free(found);
    }
}

// Without `embed` a fault there stands at block 00; a dump of steps alone has the whole transformer judged.
static void test_a_fault_before_the_first_dumped_tensor_stands_at_the_first_block(void **state)
{
    static const char *const dropped[][4] = {{".embed"}, {".embed", ".temb", ".text", ".block."}};
    (void)state;
    link_model("tiny-t2v");
    patch_axes();
    run_folder((job)TEXT, in_folder("dump.safetensors"));
    for (size_t i = 0; i < 2; i++) {
        drop_names(dropped[i]);
        ff_verification *found = verdict_of(in_folder("changed.safetensors"));
        assert_int_not_equal(found->first_fault, found->count);
        assert_string_equal(found->stages[found->first_fault].stage, "transformer.block.00");
        assert_non_null(strstr(found->stages[found->first_fault].cause, "rows and columns of a patch"));
        ff_verification_free(found);
    }
}

// ---- bad dumps ----

static void assert_refused(const char *dump, const char *words)
{
    ff_error error = {0};
    ff_verification *found;
    char model_folder[512];
    snprintf(model_folder, sizeof model_folder, "%s%s", MODELS, model_name);
    assert_int_equal(judge(model_folder, dump, &found, &error), FF_ERROR_INPUT);
    if (!strstr(error.message, words))
        fail_msg("refused with: %s", error.message);
}

static void write_one(const char *name, ff_dtype dtype, int rank, const size_t *shape, const char *key,
                      const char *value)
{
    static const float zeros[4096];
    ff_error error = {0};
    ff_dump *out;
    assert_ok(ff_dump_create(in_folder("bad.safetensors"), 1, &out, &error), &error);
    if (key)
        assert_ok(ff_dump_metadata(out, key, value, &error), &error);
    assert_ok(ff_dump_tensor(out, name, dtype, rank, shape, zeros, &error), &error);
    assert_ok(ff_dump_finish(out, &error), &error);
}

static void test_bad_dumps_are_refused_with_a_sentence(void **state)
{
    static const size_t noise[] = {8, 1, 4, 4}, other[] = {16, 1, 4, 4}, flat[] = {8, 16}, odd[] = {8, 1, 3, 5},
                        one[] = {1};
    const char *bad = in_folder("bad.safetensors");
    (void)state;
    model_name = "tiny-ti2v";
    assert_refused("/nonexistent.safetensors", "/nonexistent.safetensors");
    FILE *file = fopen(in_folder("bad.safetensors"), "wb");
    assert_non_null(file);
    fputs("this is no dump, but long enough to be one", file);
    fclose(file);
    assert_refused(bad, "bad.safetensors");
    write_one("noise", FF_F32, 4, other, "seed", "1");
    assert_refused(bad, "tensor noise has shape [16, 1, 4, 4], with this model it would be [8");
    write_one("noise", FF_F32, 2, flat, "seed", "1");
    assert_refused(bad, "tensor noise has shape [8, 16]");
    write_one("noise", FF_F32, 4, noise, "seed", "many");
    assert_refused(bad, "its metadata has seed \"many\"");
    write_one("noise", FF_F32, 4, noise, "dtype", "int3");
    assert_refused(bad, "its metadata has dtype \"int3\"");
    write_one("noise", FF_I64, 4, (size_t[]){8, 1, 2, 2}, "seed", "1");
    assert_refused(bad, "tensor noise is I64, expected F32");
    write_one("noise", FF_F32, 4, noise, NULL, NULL);
    assert_refused(bad, "none of its tensors can be judged");
    write_one("call.000.input", FF_F32, 4, odd, NULL, NULL);
    assert_refused(bad, "do not divide into the transformer's patches");
    write_one("call.99999999.output", FF_F32, 4, noise, NULL, NULL);
    assert_refused(bad, "a number beyond any run");
    write_one("unrelated", FF_F32, 1, one, NULL, NULL);
    assert_refused(bad, "none of its tensors can be judged");
    write_one("token_ids", FF_F32, 1, one, "prompt", "x");
    assert_refused(bad, "expected a vector of I64");

    // a whole dump against another model
    link_model("tiny-t2v");
    run_folder((job)TEXT, in_folder("dump.safetensors"));
    model_name = "tiny-ti2v";
    assert_refused(in_folder("dump.safetensors"), "with this model it would be");
}

static void spoil_output(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    (void)rank, (void)shape;
    if (strcmp(name, "call.004.output") == 0)
        ((float *)values)[count / 2] = INFINITY;
}

static void test_values_that_are_not_finite_are_a_fault(void **state)
{
    (void)state;
    link_model("tiny-t2v");
    run_folder((job)TEXT, in_folder("dump.safetensors"));
    rewrite_tensors(in_folder("dump.safetensors"), in_folder("changed.safetensors"), spoil_output, NULL, NULL);
    ff_verification *found = verdict_of(in_folder("changed.safetensors"));
    assert_int_not_equal(found->first_fault, found->count);
    assert_string_equal(found->stages[found->first_fault].stage, "transformer.head");
    assert_string_equal(found->stages[found->first_fault].tensor, "call.004.output");
    assert_non_null(strstr(found->stages[found->first_fault].where, "not finite"));
    ff_verification_free(found);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    for (size_t i = 1; i < PARTS; i++)
        if (mkdir(in_folder(parts[i]), 0700) != 0)
            return -1;
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < FILES; i++)
        remove(in_folder(files[i]));
    remove(in_folder("dump.safetensors"));
    remove(in_folder("changed.safetensors"));
    remove(in_folder("bad.safetensors"));
    for (size_t i = PARTS; i-- > 0;)
        rmdir(in_folder(parts[i]));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_own_dump_is_equal_in_every_stage),
        cmocka_unit_test(test_injected_faults_are_blamed_on_the_right_stage_and_cause),
        cmocka_unit_test(test_weights_in_bf16_are_called_rounding),
        cmocka_unit_test(test_goldens_of_diffusers_are_called_rounding),
        cmocka_unit_test(test_the_conformance_set_conforms),
        cmocka_unit_test(test_the_manifest_names_the_files_that_are_there),
        cmocka_unit_test(test_a_stage_without_inputs_is_not_judged),
        cmocka_unit_test(test_a_fault_before_the_first_dumped_tensor_stands_at_the_first_block),
        cmocka_unit_test(test_bad_dumps_are_refused_with_a_sentence),
        cmocka_unit_test(test_values_that_are_not_finite_are_a_fault),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

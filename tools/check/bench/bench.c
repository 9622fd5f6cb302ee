// Times the stages of a run one by one.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/culprit.h"
#include "pipeline/model.h"
#include "pipeline/threads.h"
#include "base/system.h"
#include "bench.h"
#include "dims.h"
#include "random_elements.h"
#include "reference.h"

#define MOST_SIDE ((size_t)1 << 16)
#define MOST_FRAMES ((size_t)1 << 20)
#define PROMPT_TOKENS 64          // of the text that the transformer attends to; the rest is padding
#define TIMESTEP 500.0f
// How often a stage runs: twice, unless the first time took too long; then on for a while.
#define LONG_SECONDS 30.0
#define ENOUGH_SECONDS 3.0
#define MOST_RUNS 10

typedef struct bench {
    const ff_bench_request *request;
    const ff_model *model;        // or NULL:
    const ff_dims *dims;          // what random weights are made after
    ff_kernels kernels;
    ff_scratch scratch;           // for the kernels
    size_t width, height, frames;
    size_t latent_frames, latent_height, latent_width;
    ff_arena *arena;
    ff_recorder recorders[FF_BENCH_STAGES];
    ff_bench_result *out;
    ff_error *error;
} bench;

// What a stage works on; each uses its part of it.
typedef struct work {
    bench *bench;
    const ff_text_encoder *text_encoder;
    const ff_transformer *transformer;
    const ff_vae *vae;
    const ff_transformer_text *text;
    const int64_t *ids;
    const float *in;              // latents or pixels
    const float *timesteps;
    size_t timestep_count;
    float *out;
} work;

static ff_status out_of_memory(const bench *b)
{
    return ff_fail(b->error, FF_ERROR_MEMORY, "no memory to time %zux%zu x %zu", b->width, b->height, b->frames);
}

static bool wants(const bench *b, unsigned stages)
{
    return b->request->stages == 0 || (b->request->stages & stages) != 0;
}

static ff_status announce(const bench *b, const char *doing)
{
    const ff_bench_request *request = b->request;
    if (request->progress && request->progress(request->user, doing))
        return ff_fail(b->error, FF_CANCELLED, "interrupted");
    return FF_OK;
}

static void measure_peak(bench *b)
{
    double peak = ff_measure_peak(&b->kernels);
    b->out->peak_gflops = peak > b->out->peak_gflops ? peak : b->out->peak_gflops;
}

// Runs a stage as often as the rule above says, and records it. The first run also counts its products.
static ff_status time_stage(const char *name, const char *description, size_t weight_bytes,
                            ff_status (*run)(const work *, const ff_kernels *), const work *input)
{
    bench *b = input->bench;
    ff_bench_stage *stage = &b->out->stages[b->out->count];
    ff_recorder *recorder = &b->recorders[b->out->count];
    double spent = 0;
    *stage = (ff_bench_stage){.name = name, .seconds = INFINITY, .openblas_seconds = NAN,
                              .weight_bytes = weight_bytes};
    snprintf(stage->work, sizeof stage->work, "%s", description);
    measure_peak(b);
    while (stage->runs < 2 ? spent < LONG_SECONDS : spent < ENOUGH_SECONDS && stage->runs < MOST_RUNS) {
        ff_status status = announce(b, name);
        if (status)
            return status;
        bool first = stage->runs == 0;
        ff_kernels counting = first ? ff_recorder_kernels(recorder, &b->kernels) : b->kernels;
        double begun = ff_seconds();
        status = run(input, &counting);
        double seconds = ff_seconds() - begun;
        if (status)
            return status;
        stage->runs++;
        stage->seconds = seconds < stage->seconds ? seconds : stage->seconds;
        spent += seconds;
    }
    stage->gflop = recorder->flop / 1e9;
    measure_peak(b);
    b->out->count++;
    return FF_OK;
}

// ---- text encoder ----

static ff_status run_text_encoder(const work *w, const ff_kernels *kernels)
{
    return ff_text_encoder_run(w->text_encoder, kernels, w->bench->arena, w->ids, FF_TEXT_TOKENS, w->out,
                               w->bench->error);
}

static ff_status time_text_encoder(bench *b, const ff_text_encoder *encoder, size_t weight_bytes)
{
    int64_t ids[FF_TEXT_TOKENS];
    char description[80];
    work w = {.bench = b, .text_encoder = encoder, .ids = ids};
    for (size_t i = 0; i < FF_TEXT_TOKENS; i++)
        ids[i] = (int64_t)(i % ff_text_encoder_vocabulary(encoder));
    w.out = ff_arena_floats(b->arena, FF_TEXT_TOKENS * ff_text_encoder_dim(encoder));
    if (!w.out)
        return out_of_memory(b);
    snprintf(description, sizeof description, "%d tokens", FF_TEXT_TOKENS);
    return time_stage("text_encoder", description, weight_bytes, run_text_encoder, &w);
}

// ---- transformer ----

static ff_status run_transformer(const work *w, const ff_kernels *kernels)
{
    const bench *b = w->bench;
    const ff_transformer_context context = ff_transformer_text_context(w->text);
    const ff_transformer_input input = {
        .extent = {b->latent_frames, b->latent_height, b->latent_width}, .latents = w->in, .timesteps = w->timesteps,
        .timestep_count = w->timestep_count, .contexts = &context, .context_count = 1};
    return ff_transformer_run(w->transformer, kernels, b->arena, &input, NULL, w->out, b->error);
}

// A prompt of PROMPT_TOKENS random rows and padding, embedded.
static ff_status embed_text(bench *b, const ff_transformer *transformer, ff_transformer_text **text)
{
    size_t dim = ff_transformer_describe(transformer).text_dim;
    ff_arena_mark mark = ff_arena_here(b->arena);
    float *embeds = ff_arena_floats(b->arena, FF_TEXT_TOKENS * dim);
    if (!embeds)
        return out_of_memory(b);
    memset(embeds, 0, FF_TEXT_TOKENS * dim * sizeof *embeds);
    ff_random_floats(0, PROMPT_TOKENS * dim, 1, embeds);
    ff_status status = ff_transformer_text_create(transformer, &b->kernels, embeds, FF_TEXT_TOKENS, text, b->error);
    ff_arena_return(b->arena, mark);
    return status;
}

static ff_status time_transformer(bench *b, const ff_transformer *transformer, size_t weight_bytes)
{
    ff_transformer_shape shape = ff_transformer_describe(transformer);
    size_t cells = b->latent_frames * b->latent_height * b->latent_width;
    size_t still = (b->latent_height / shape.patch[1]) * (b->latent_width / shape.patch[2]);  // tokens of a frame
    size_t tokens = still * (b->latent_frames / shape.patch[0]);
    bool expand = b->model ? b->model->expand_timesteps : b->dims->expand_timesteps;
    ff_transformer_text *text = NULL;
    char description[80];
    float *latents = ff_arena_take(b->arena, cells, shape.in_channels * sizeof *latents);
    float *out = ff_arena_take(b->arena, cells, shape.out_channels * sizeof *out);
    float *timesteps = ff_arena_floats(b->arena, tokens + 1);
    if (!latents || !out || !timesteps)
        return out_of_memory(b);
    ff_random_floats(0, cells * shape.in_channels, 1, latents);
    timesteps[0] = TIMESTEP;
    for (size_t i = 0; i < tokens && expand; i++)
        timesteps[i] = i < still ? 0 : TIMESTEP;
    ff_status status = embed_text(b, transformer, &text);
    if (status)
        return status;
    work w = {.bench = b, .transformer = transformer, .text = text, .in = latents, .timesteps = timesteps,
              .timestep_count = expand ? tokens : 1, .out = out};
    snprintf(description, sizeof description, "%zu tokens, %zu blocks", tokens, shape.layers);
    status = time_stage("transformer", description, weight_bytes, run_transformer, &w);
    ff_transformer_text_destroy(text);
    return status;
}

// ---- VAE ----

static ff_status run_vae_encode(const work *w, const ff_kernels *kernels)
{
    const bench *b = w->bench;
    const ff_vae_encoding encoding = {.extent = {1, b->height, b->width}, .video = w->in, .latents = w->out};
    return ff_vae_encode(w->vae, kernels, b->arena, &encoding, b->error);
}

static ff_status drop_frame(void *user, size_t index, const float *pixels, ff_error *error)
{
    return announce(user, "vae_decode");
}

static ff_status run_vae_decode(const work *w, const ff_kernels *kernels)
{
    const bench *b = w->bench;
    const ff_vae_decoding decoding = {.extent = {b->latent_frames, b->latent_height, b->latent_width},
                                      .latents = w->in, .sink = drop_frame, .user = (void *)b};
    return ff_vae_decode(w->vae, kernels, b->arena, &decoding, b->error);
}

static ff_status time_vae_encode(bench *b, const ff_vae *vae, size_t weight_bytes)
{
    char description[80];
    size_t cells = b->latent_height * b->latent_width, pixels = 3 * b->width * b->height;
    float *still = ff_arena_floats(b->arena, pixels);
    float *latents = ff_arena_floats(b->arena, cells * ff_vae_describe(vae).latent_channels);
    if (!still || !latents)
        return out_of_memory(b);
    ff_random_floats(0, pixels, 1, still);
    snprintf(description, sizeof description, "1 frame of %zux%zu", b->width, b->height);
    return time_stage("vae_encode", description, weight_bytes, run_vae_encode,
                      &(work){.bench = b, .vae = vae, .in = still, .out = latents});
}

static ff_status time_vae_decode(bench *b, const ff_vae *vae, size_t weight_bytes)
{
    char description[80];
    size_t count = b->latent_frames * b->latent_height * b->latent_width * ff_vae_describe(vae).latent_channels;
    float *latents = ff_arena_floats(b->arena, count);
    if (!latents)
        return out_of_memory(b);
    ff_random_floats(0, count, 1, latents);
    snprintf(description, sizeof description, "%zu frames of %zux%zu", b->frames, b->width, b->height);
    return time_stage("vae_decode", description, weight_bytes, run_vae_decode,
                      &(work){.bench = b, .vae = vae, .in = latents});
}

static ff_status time_vae(bench *b, const ff_vae *vae, size_t weight_bytes)
{
    ff_status status = FF_OK;
    ff_arena_mark mark = ff_arena_here(b->arena);
    if (wants(b, FF_BENCH_VAE_ENCODE))
        status = time_vae_encode(b, vae, weight_bytes);
    ff_arena_return(b->arena, mark);
    if (status == FF_OK && wants(b, FF_BENCH_VAE_DECODE))
        status = time_vae_decode(b, vae, weight_bytes);
    ff_arena_return(b->arena, mark);
    return status;
}

// ---- components ----
// Each is there for its own stage only: its weights are let go before the next.

static ff_status draw_weights(bench *b, const char *config, size_t layers, ff_random_weights *out)
{
    ff_status status = announce(b, "random weights");
    size_t count = b->request->blocks ? b->request->blocks : layers;
    ff_dtype dtype = ff_weight_type(b->request->dtype ? b->request->dtype : "f32");
    size_t most = b->request->most_weight_bytes ? b->request->most_weight_bytes : ff_available_memory();
    return status ? status : ff_random_weights_open(out, config, count, dtype, most, b->error);
}

static ff_status bench_text_encoder(bench *b)
{
    ff_random_weights from = {0};
    ff_text_encoder *encoder = NULL;
    if (b->model) {
        ff_status status = time_text_encoder(b, b->model->text_encoder, ff_component_bytes(&b->model->text_files));
        ff_weights_release_pages(b->model->text_files.weights);
        return ff_blame(status, (ff_suspects){.weights = b->model->text_files.weights}, b->error,
                        "timing the text encoder");
    }
    ff_status status = draw_weights(b, b->dims->text_encoder, b->dims->text_encoder_layers, &from);
    if (status == FF_OK)
        status = ff_text_encoder_open(from.weights, from.config, &encoder, b->error);
    if (status == FF_OK)
        status = time_text_encoder(b, encoder, from.bytes);
    ff_text_encoder_close(encoder);
    ff_random_weights_close(&from);
    return status;
}

static ff_status bench_transformer(bench *b)
{
    ff_random_weights from = {0};
    ff_transformer *transformer = NULL;
    if (b->model) {
        const ff_expert *expert = &b->model->experts[0];
        ff_status status = time_transformer(b, expert->transformer, ff_component_bytes(&expert->files));
        ff_weights_release_pages(expert->files.weights);
        return ff_blame(status, (ff_suspects){.weights = expert->files.weights}, b->error, "timing the transformer");
    }
    ff_status status = draw_weights(b, b->dims->transformer, b->dims->transformer_layers, &from);
    if (status == FF_OK)
        status = ff_transformer_open(from.weights, from.config, &transformer, b->error);
    if (status == FF_OK)
        status = time_transformer(b, transformer, from.bytes);
    ff_transformer_close(transformer);
    ff_random_weights_close(&from);
    return status;
}

static ff_status bench_vae(bench *b)
{
    ff_random_weights from = {0};
    ff_vae *vae = NULL;
    if (b->model) {
        ff_status status = time_vae(b, b->model->vae, ff_component_bytes(&b->model->vae_files));
        ff_weights_release_pages(b->model->vae_files.weights);
        return ff_blame(status, (ff_suspects){.weights = b->model->vae_files.weights}, b->error, "timing the VAE");
    }
    ff_status status = draw_weights(b, b->dims->vae, 1, &from);
    if (status == FF_OK)
        status = ff_vae_open(from.weights, from.config, &vae, b->error);
    if (status == FF_OK)
        status = time_vae(b, vae, from.bytes);
    ff_vae_close(vae);
    ff_random_weights_close(&from);
    return status;
}

// ---- the whole ----

static ff_status resolve_sizes(bench *b)
{
    const ff_bench_request *request = b->request;
    const ff_model_facts *facts = b->model ? &b->model->facts : NULL;
    size_t spatial = facts ? facts->spatial_factor : b->dims->spatial_factor;
    size_t temporal = facts ? facts->temporal_factor : b->dims->temporal_factor;
    size_t multiple_width = facts ? facts->multiple_width : 2 * spatial;  // published patches are 2x2
    size_t multiple_height = facts ? facts->multiple_height : 2 * spatial;
    size_t width = request->width ? request->width : facts ? facts->default_width : b->dims->width;
    size_t height = request->height ? request->height : facts ? facts->default_height : b->dims->height;
    size_t frames = request->frames ? request->frames : facts ? facts->default_frames : b->dims->frames;
    if (width > MOST_SIDE || height > MOST_SIDE || frames > MOST_FRAMES)
        return ff_fail(b->error, FF_ERROR_INPUT, "%zu frames of %zux%zu are too many or too large", frames, width,
                       height);
    b->width = width / multiple_width * multiple_width;
    b->height = height / multiple_height * multiple_height;
    if (!b->width || !b->height)
        return ff_fail(b->error, FF_ERROR_INPUT, "a size of %zux%zu is too small: this model needs at least %zux%zu",
                       width, height, multiple_width, multiple_height);
    b->frames = frames % temporal == 1 % temporal ? frames : frames / temporal * temporal + 1;
    b->latent_frames = (b->frames - 1) / temporal + 1;
    b->latent_height = b->height / spatial;
    b->latent_width = b->width / spatial;
    b->out->width = b->width;
    b->out->height = b->height;
    b->out->frames = b->frames;
    return FF_OK;
}

// What OpenBLAS takes for the same; if it cannot be had, why not.
static ff_status time_openblas(bench *b)
{
    ff_bench_result *out = b->out;
    ff_error missing = {0};
    ff_status status = ff_kernels_openblas_start(out->threads, &out->openblas_core, &missing);
    for (size_t i = 0; i < out->count && !status; i++) {
        if ((status = announce(b, "openblas")))
            return status;
        status = ff_measure_openblas(&b->recorders[i], &out->stages[i].openblas_seconds, &missing);
    }
    if (status)
        snprintf(out->openblas_missing, sizeof out->openblas_missing, "%.250s", missing.message);
    return FF_OK;
}

static ff_status run_stages(void *user)
{
    bench *b = user;
    ff_status (*const stages[])(bench *) = {bench_text_encoder, bench_transformer, bench_vae};
    const unsigned bits[] = {FF_BENCH_TEXT_ENCODER, FF_BENCH_TRANSFORMER, FF_BENCH_VAE_ENCODE | FF_BENCH_VAE_DECODE};
    ff_arena_mark mark = ff_arena_here(b->arena);
    for (int i = 0; i < 3; i++) {
        ff_status status = wants(b, bits[i]) ? stages[i](b) : FF_OK;
        ff_arena_return(b->arena, mark);
        if (status)
            return status;
    }
    b->out->peak_memory_bytes = ff_peak_memory();
    return time_openblas(b);
}

static ff_status prepare(bench *b)
{
    const ff_bench_request *request = b->request;
    ff_status status = ff_count_threads(request->threads, &b->out->threads, b->error);
    if (status)
        return status;
    if (request->stages >> FF_BENCH_STAGES)
        return ff_fail(b->error, FF_ERROR_INPUT, "stages %#x has bits above the %d there are", request->stages,
                       FF_BENCH_STAGES);
    if (!b->model && (!request->dims || !(b->dims = ff_dims_find(request->dims))))
        return ff_fail(b->error, FF_ERROR_INPUT, "there are no dimensions called %.80s",
                       request->dims ? request->dims : "(none)");
    if (request->dtype && !ff_weight_type(request->dtype))
        return ff_fail(b->error, FF_ERROR_INPUT, "there is no element type %.20s", request->dtype);
    status = ff_kernels_choose(request->isa, request->backend, &b->kernels, b->error);
    if (status == FF_OK)
        status = resolve_sizes(b);
    if (status == FF_OK && !(b->arena = ff_arena_create()))
        status = out_of_memory(b);
    return status;
}

ff_status ff_bench(ff_model *model, const ff_bench_request *request, ff_bench_result *out, ff_error *error)
{
    bench b = {.request = request, .model = model, .out = out, .error = error};
    *out = (ff_bench_result){0};
    ff_status status = prepare(&b);
    if (status)
        return status;
    b.kernels.scratch = &b.scratch;
    out->kernels = b.kernels.name;
    status = ff_with_threads(request->threads, run_stages, &b, error);
    ff_arena_destroy(b.arena);
    ff_scratch_free(&b.scratch);
    return status;
}

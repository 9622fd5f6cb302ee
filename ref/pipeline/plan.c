#include "plan.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "../image/fit.h"
#include "../sampler/schedule.h"
#include "../base/system.h"
#include "inpaint.h"
#include "threads.h"

#define MOST_SIDE ((size_t)1 << 15)
#define MOST_CONTEXT 1e6
#define MOST_PICTURE ((size_t)1 << 20)
#define MOST_FRAMES ((size_t)1 << 16)
#define SAMPLER_TENSORS 11  // known, noise, input, both predictions, latents, and what the solver remembers

ff_request ff_request_default(ff_task task)
{
    return (ff_request){
        .task = task,
        .guidance_scale = NAN,
        .flow_shift = NAN,
        .context = 2,
        .strength = 1,
    };
}

ff_lattice ff_plan_lattice(const ff_model *model, const ff_plan *plan)
{
    ff_transformer_shape transformer = ff_transformer_describe(model->experts[0].transformer);
    return (ff_lattice){
        .cells = {plan->latent_frames, plan->latent_height, plan->latent_width},
        .patch = {transformer.patch[0], transformer.patch[1], transformer.patch[2]},
    };
}

double ff_plan_guidance(const ff_model *model, const ff_request *request, size_t expert)
{
    return isnan(request->guidance_scale) ? model->experts[expert].guidance_scale : request->guidance_scale;
}

size_t ff_plan_first_step(const ff_request *request, const ff_plan *plan)
{
    return request->task == FF_INPAINT ? ff_schedule_start(plan->steps, request->strength) : 0;
}

size_t ff_plan_elements(const ff_plan *plan)
{
    return plan->latent_channels * plan->latent_frames * plan->latent_height * plan->latent_width;
}

static ff_status check_conditioning(const ff_model *model, const ff_request *request, ff_error *error)
{
    const ff_model_facts *facts = &model->facts;
    bool pictured = request->task == FF_IMAGE_TO_VIDEO || request->task == FF_INPAINT;
    if (!model->conditioning)
        return ff_fail(error, FF_ERROR_INPUT,
                       "%s: its transformer does not take %zu latent channels and give as many: models conditioned by "
                       "concatenated channels are not supported",
                       facts->folder, facts->latent_channels);
    if (pictured && !model->conditioning->holds_pictures)
        return ff_fail(error, FF_ERROR_INPUT,
                       "%s: this model makes video from text only: expand_timesteps in model_index.json is not true, "
                       "so it cannot hold a picture fixed",
                       facts->folder);
    if (request->ablate && (request->task != FF_IMAGE_TO_VIDEO || request->last))
        return ff_fail(error, FF_ERROR_INPUT,
                       "an ablation needs a clip with a known first frame and no known last one");
    return FF_OK;
}

static ff_status fail_size(size_t width, size_t height, ff_error *error)
{
    return ff_fail(error, FF_ERROR_INPUT, "a size of %zux%zu is too large: at most %zu pixels a side", width, height,
                   MOST_SIDE);
}

static bool is_empty(const ff_image *image)
{
    return !image || !image->rgb || !image->width || !image->height;
}

static ff_status check_picture(const ff_image *image, ff_error *error)
{
    if (image->width <= MOST_PICTURE && image->height <= MOST_PICTURE)
        return FF_OK;
    return ff_fail(error, FF_ERROR_INPUT, "a picture of %zux%zu is too large: at most %zu pixels a side", image->width,
                   image->height, MOST_PICTURE);
}

static ff_status check_values(const ff_request *request, ff_error *error)
{
    bool pictured = request->task == FF_IMAGE_TO_VIDEO || request->task == FF_INPAINT;
    if ((unsigned)request->task > FF_INPAINT)
        return ff_fail(error, FF_ERROR_INPUT, "%d is no task", (int)request->task);
    if ((unsigned)request->scheduler > FF_SCHEDULER_EULER)
        return ff_fail(error, FF_ERROR_INPUT, "%d is no scheduler", (int)request->scheduler);
    if ((unsigned)request->ablate > FF_ABLATE_ATTENTION)
        return ff_fail(error, FF_ERROR_INPUT, "%d is no ablation", (int)request->ablate);
    if (!request->prompt)
        return ff_fail(error, FF_ERROR_INPUT, "there is no prompt");
    if (pictured && is_empty(request->image))
        return ff_fail(error, FF_ERROR_INPUT, "there is no picture to start from");
    if (request->task == FF_IMAGE_TO_VIDEO && request->last && is_empty(request->last))
        return ff_fail(error, FF_ERROR_INPUT, "the last frame's picture is empty");
    ff_status status = pictured ? check_picture(request->image, error) : FF_OK;
    if (!status && request->task == FF_IMAGE_TO_VIDEO && request->last)
        status = check_picture(request->last, error);
    if (status)
        return status;
    if (request->task == FF_INPAINT && !request->mask)
        return ff_fail(error, FF_ERROR_INPUT, "there is no mask to say what to repaint");
    if (request->width > MOST_SIDE || request->height > MOST_SIDE)
        return fail_size(request->width, request->height, error);
    if ((unsigned)request->dump_detail > FF_DETAIL_OP)
        return ff_fail(error, FF_ERROR_INPUT, "%d is no level of detail for a dump", (int)request->dump_detail);
    if (request->frames > MOST_FRAMES)
        return ff_fail(error, FF_ERROR_INPUT, "%zu frames are too many: at most %zu", request->frames, MOST_FRAMES);
    if (request->steps > FF_MOST_STEPS)
        return ff_fail(error, FF_ERROR_INPUT, "%zu steps are too many: at most %d", request->steps, FF_MOST_STEPS);
    if (isinf(request->guidance_scale) || isinf(request->flow_shift))
        return ff_fail(error, FF_ERROR_INPUT, "guidance scale and flow shift must be finite");
    if (request->task == FF_INPAINT && !(request->strength > 0 && request->strength <= 1))
        return ff_fail(error, FF_ERROR_INPUT, "a strength of %g makes no sense: above 0 and at most 1",
                       request->strength);
    if (request->task == FF_INPAINT && !(request->context >= 1 && request->context <= MOST_CONTEXT))
        return ff_fail(error, FF_ERROR_INPUT, "a context of %g makes no sense: from 1, the mask's box alone, to %g",
                       request->context, MOST_CONTEXT);
    return FF_OK;
}

// One side where only the other was asked for, of the shape's aspect ratio.
static size_t other_side(size_t given, size_t shape_given, size_t shape_other)
{
    double side = (double)given * (double)shape_other / (double)shape_given + 0.5;
    return side < 1 ? 1 : side > (double)MOST_SIDE ? MOST_SIDE + 1 : (size_t)side;
}

// The size the model works at, and for inpainting the crop.
static ff_status resolve_size(const ff_model *model, const ff_request *request, ff_plan *plan, ff_error *error)
{
    const ff_model_facts *facts = &model->facts;
    size_t multiple_h = facts->multiple_height, multiple_w = facts->multiple_width;
    size_t area = facts->default_width * facts->default_height;
    size_t picture_w = 0, picture_h = 0, width = request->width, height = request->height;
    ff_status status;
    if (area < multiple_h * multiple_w)
        area = multiple_h * multiple_w;
    if (request->task == FF_IMAGE_TO_VIDEO) {
        picture_w = request->image->width;
        picture_h = request->image->height;
    } else if (request->task == FF_INPAINT) {
        size_t aspect_w = width && height ? width : facts->default_width;
        size_t aspect_h = width && height ? height : facts->default_height;
        if ((status = ff_inpaint_crop(request->image->width, request->image->height, request->mask, request->context,
                                      aspect_w, aspect_h, plan, error)))
            return status;
        picture_w = plan->crop_width;
        picture_h = plan->crop_height;
    }
    size_t shape_w = picture_w ? picture_w : facts->default_width;
    size_t shape_h = picture_w ? picture_h : facts->default_height;
    if (width && !height)
        height = other_side(width, shape_w, shape_h);
    if (height && !width)
        width = other_side(height, shape_h, shape_w);
    if (!width && picture_w) {
        ff_fit_best_size(picture_w, picture_h, area, multiple_w, multiple_h, &width, &height);
    } else if (!width) {
        width = facts->default_width;
        height = facts->default_height;
    }
    if (width > MOST_SIDE || height > MOST_SIDE)
        return fail_size(width, height, error);
    plan->model_width = width / multiple_w * multiple_w;
    plan->model_height = height / multiple_h * multiple_h;
    plan->size_rounded = plan->model_width != width || plan->model_height != height;
    if (!plan->model_width || !plan->model_height)
        return ff_fail(error, FF_ERROR_INPUT, "a size of %zux%zu is too small: this model needs at least %zux%zu",
                       width, height, multiple_w, multiple_h);
    if (request->task == FF_IMAGE_TO_VIDEO) {
        ff_fit_layout layout = {0};
        if ((status = ff_fit_plan(picture_w, picture_h, request->fit, plan->model_width, plan->model_height, &layout,
                                  error)))
            return status;
        plan->cropped = layout.cropped;
    }
    plan->width = request->task == FF_INPAINT ? request->image->width : plan->model_width;
    plan->height = request->task == FF_INPAINT ? request->image->height : plan->model_height;
    plan->latent_width = plan->model_width / facts->spatial_factor;
    plan->latent_height = plan->model_height / facts->spatial_factor;
    plan->latent_channels = facts->latent_channels;
    return FF_OK;
}

static ff_status resolve_frames(const ff_model *model, const ff_request *request, ff_plan *plan, ff_error *error)
{
    const ff_model_facts *facts = &model->facts;
    ff_transformer_shape transformer = ff_transformer_describe(model->experts[0].transformer);
    bool video = request->task == FF_TEXT_TO_VIDEO || request->task == FF_IMAGE_TO_VIDEO;
    size_t factor = facts->temporal_factor, wanted = 1;
    if (video)
        wanted = request->frames ? request->frames : facts->default_frames;
    plan->frames = wanted;
    if (wanted % factor != 1 % factor)
        plan->frames = wanted / factor * factor + 1;
    plan->frames_rounded = plan->frames != wanted;
    plan->latent_frames = (plan->frames - 1) / factor + 1;
    if (plan->latent_frames % transformer.patch[0])
        return ff_fail(error, FF_ERROR_INPUT, "%zu frames are %zu latent frames, which patches of %zu do not divide",
                       plan->frames, plan->latent_frames, transformer.patch[0]);
    if (request->task == FF_IMAGE_TO_VIDEO && request->last && plan->latent_frames < 2)
        return ff_fail(error, FF_ERROR_INPUT, "a last frame needs at least %zu frames, not %zu", factor + 1,
                       plan->frames);
    ff_lattice lattice = ff_plan_lattice(model, plan);
    size_t most = transformer.rope_max_seq_len;
    if (lattice.cells.frames / lattice.patch.frames > most || lattice.cells.height / lattice.patch.height > most ||
        lattice.cells.width / lattice.patch.width > most)
        return ff_fail(error, FF_ERROR_INPUT,
                       "%zu frames of %zux%zu are more than this model's %zu positions along an axis", plan->frames,
                       plan->model_width, plan->model_height, most);
    plan->tokens = ff_lattice_tokens(&lattice);
    size_t bytes = SAMPLER_TENSORS * sizeof(float);
    if (!ff_multiply_sizes(bytes, plan->latent_channels, &bytes) ||
        !ff_multiply_sizes(bytes, plan->latent_frames, &bytes) ||
        !ff_multiply_sizes(bytes, plan->latent_height * plan->latent_width, &bytes))
        return ff_fail(error, FF_ERROR_INPUT, "%zu frames of %zux%zu are too large for this machine", plan->frames,
                       plan->model_width, plan->model_height);
    return FF_OK;
}

// How much of a prompt the model reads.
static ff_status count_tokens(const ff_model *model, const char *prompt, size_t *count, ff_error *error)
{
    char *cleaned;
    int64_t ids[FF_TEXT_TOKENS + 1];
    ff_status status = ff_text_clean(prompt, strlen(prompt), &cleaned, error);
    if (status)
        return status;
    status = ff_tokenizer_encode(model->tokenizer, cleaned, strlen(cleaned), FF_TEXT_TOKENS + 1, ids, count, error);
    free(cleaned);
    return status;
}

// SIZE_MAX where the sum does not fit.
static size_t sum(size_t count, const size_t *parts)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        if (!ff_add_sizes(total, parts[i], &total))
            return SIZE_MAX;
    return total;
}
#define SUM(...) sum(sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t), (size_t[]){__VA_ARGS__})

size_t ff_plan_strips(const ff_request *request)
{
    return request->dump_path && request->dump_detail == FF_DETAIL_OP ? 1 : 0;
}

// Memory at the peak of the stages so far. Each has its own; what the kernels pack into is kept from stage to stage.
typedef struct memory_peak {
    size_t kernels, all;
} memory_peak;

static void add_stage(memory_peak *peak, size_t own, size_t kernels)
{
    peak->kernels = ff_larger(peak->kernels, kernels);
    peak->all = ff_larger(peak->all, SUM(own, peak->kernels));
}

typedef struct estimation {
    const ff_model *model;
    const ff_request *request;
    const ff_kernels *kernels;
    ff_plan *plan;
} estimation;

// As far as estimates read it.
static ff_transformer_input transformer_input(const ff_plan *plan)
{
    static const ff_transformer_context text = {.tokens = FF_TEXT_TOKENS};
    return (ff_transformer_input){.extent = {plan->latent_frames, plan->latent_height, plan->latent_width},
                                  .contexts = &text, .context_count = 1};
}

static void estimate_memory(const estimation *e)
{
    const ff_model *model = e->model;
    const ff_kernels *kernels = e->kernels;
    ff_plan *plan = e->plan;
    size_t h = plan->latent_height, w = plan->latent_width, f = plan->latent_frames;
    size_t height = plan->model_height, width = plan->model_width, strips = ff_plan_strips(e->request);
    bool pictured = e->request->task == FF_INPAINT || e->request->task == FF_IMAGE_TO_VIDEO;
    bool last = e->request->task == FF_IMAGE_TO_VIDEO && e->request->last;
    size_t pixels = width * height * 3 * sizeof(float), pictures = 3 * plan->width * plan->height * (1 + pictured);
    size_t always = SUM(SAMPLER_TENSORS * ff_plan_elements(plan) * sizeof(float), pictures);
    memory_peak peak = {0};

    size_t prompt = ff_larger(plan->prompt_tokens, plan->negative_tokens);
    size_t embedding = FF_TEXT_TOKENS * model->facts.text_dim * sizeof(float);
    const ff_transformer *transformer = model->experts[0].transformer;  // the others are of its shape
    size_t text = 0;           // of a prompt, for each expert
    for (size_t i = 0; i < model->expert_count; i++)
        text = SUM(text, ff_transformer_text_memory(model->experts[i].transformer, FF_TEXT_TOKENS));
    size_t texts = plan->guidance_scale > 1 ? SUM(text, text) : text;
    size_t encoder = ff_text_encoder_memory(model->text_encoder, prompt);
    add_stage(&peak, SUM(always, texts == text ? 0 : text, embedding, encoder),
              ff_text_encoder_scratch(model->text_encoder, kernels, prompt));
    add_stage(&peak, SUM(always, texts, embedding),
              ff_transformer_text_scratch(transformer, kernels, ff_smaller(prompt + 1, FF_TEXT_TOKENS)));

    for (int i = 0; i < pictured + last; i++) {
        size_t frames = i ? FF_TAIL_FRAMES : 1;
        ff_vae_cost cost = ff_vae_encode_cost(model->vae, strips, (ff_extent){frames, height, width});
        add_stage(&peak, SUM(always, texts, pixels, cost.memory),
                  ff_vae_encode_scratch(model->vae, kernels, strips, (ff_extent){frames, height, width}));
        plan->temporary_bytes = ff_larger(plan->temporary_bytes, cost.disk);
    }
    const ff_transformer_input input = transformer_input(plan);
    add_stage(&peak, SUM(always, texts, ff_transformer_memory(transformer, input.extent, 1 + pictured)),
              ff_transformer_scratch(transformer, kernels, &input, 1 + pictured));
    ff_vae_cost cost = ff_vae_decode_cost(model->vae, strips, (ff_extent){f, h, w});
    add_stage(&peak, SUM(always, pixels, pixels / sizeof(float), cost.memory),
              ff_vae_decode_scratch(model->vae, kernels, strips, (ff_extent){f, h, w}));
    plan->temporary_bytes = ff_larger(plan->temporary_bytes, cost.disk);
    plan->decode_strips = cost.strips;
    plan->decode_repeated = cost.flop / cost.flop_whole - 1;
    plan->memory_bytes = peak.all;
    plan->weight_bytes = model->facts.weight_bytes;
}

static void estimate_work(const estimation *e)
{
    const ff_model *model = e->model;
    ff_plan *plan = e->plan;
    size_t h = plan->latent_height, w = plan->latent_width, f = plan->latent_frames;
    size_t height = plan->model_height, width = plan->model_width, strips = ff_plan_strips(e->request);
    bool pictured = e->request->task == FF_INPAINT || e->request->task == FF_IMAGE_TO_VIDEO;
    bool last = e->request->task == FF_IMAGE_TO_VIDEO && e->request->last;
    const size_t prompts[] = {plan->prompt_tokens, plan->negative_tokens};
    const ff_transformer *transformer = model->experts[0].transformer;  // the others are of its shape
    double text = 0, encode = 0;
    for (int i = 0; i < (plan->guidance_scale > 1 ? 2 : 1); i++)
        text += ff_text_encoder_flop(model->text_encoder, prompts[i]) +
                (double)model->expert_count *
                    ff_transformer_text_flop(transformer, ff_smaller(prompts[i] + 1, FF_TEXT_TOKENS));
    for (int i = 0; i < pictured + last; i++)
        encode += ff_vae_encode_cost(model->vae, strips, (ff_extent){i ? FF_TAIL_FRAMES : 1, height, width}).flop;
    plan->gflop_text = text / 1e9;
    plan->gflop_encode = encode / 1e9;
    const ff_transformer_input input = transformer_input(plan);
    plan->gflop_denoise = (double)plan->evaluations * ff_transformer_flop(transformer, &input, 1 + pictured) / 1e9;
    plan->gflop_decode = ff_vae_decode_cost(model->vae, strips, (ff_extent){f, h, w}).flop / 1e9;
}

// What kernels take depends on how many threads there will be.
static ff_status estimate(const estimation *e, ff_error *error)
{
    int callers_threads = omp_get_max_threads();
    size_t count;
    ff_status status = ff_count_threads(e->request->threads, &count, error);
    if (status)
        return status;
    omp_set_num_threads((int)count);
    estimate_work(e);
    estimate_memory(e);
    omp_set_num_threads(callers_threads);
    return FF_OK;
}

static ff_status resolve(const ff_model *model, const ff_request *request, ff_plan *out, ff_error *error)
{
    ff_schedule *schedule;
    ff_kernels kernels;
    ff_plan plan = {0};
    estimation e = {.model = model, .request = request, .kernels = &kernels, .plan = &plan};
    ff_status status;
    if ((status = check_values(request, error)) ||
        (status = ff_kernels_choose(request->isa, request->backend, &kernels, error)) ||
        (status = check_conditioning(model, request, error)) ||
        (status = resolve_size(model, request, &plan, error)) ||
        (status = resolve_frames(model, request, &plan, error)) ||
        (status = count_tokens(model, request->prompt, &plan.prompt_tokens, error)))
        return status;
    plan.prompt_cut = plan.prompt_tokens > FF_TEXT_TOKENS;
    plan.prompt_tokens = ff_smaller(plan.prompt_tokens, FF_TEXT_TOKENS);
    const ff_model_facts *facts = &model->facts;
    plan.steps = request->steps ? request->steps : facts->default_steps;
    plan.guidance_scale = ff_plan_guidance(model, request, 0);
    plan.flow_shift = isnan(request->flow_shift) ? facts->default_flow_shift : request->flow_shift;
    plan.negative_prompt = request->negative_prompt ? request->negative_prompt : facts->default_negative_prompt;
    plan.fps = facts->default_fps;
    if ((status = ff_schedule_create(model->scheduler, request->scheduler, plan.flow_shift, plan.steps, &schedule,
                                     error)))
        return status;
    plan.scheduler = ff_schedule_name(schedule);
    ff_schedule_destroy(schedule);
    plan.evaluations = (plan.steps - ff_plan_first_step(request, &plan)) * (plan.guidance_scale > 1 ? 2 : 1);
    if (plan.guidance_scale > 1 &&
        (status = count_tokens(model, plan.negative_prompt, &plan.negative_tokens, error)))
        return status;
    plan.negative_cut = plan.negative_tokens > FF_TEXT_TOKENS;
    plan.negative_tokens = ff_smaller(plan.negative_tokens, FF_TEXT_TOKENS);
    if ((status = estimate(&e, error)))
        return status;
    *out = plan;
    return FF_OK;
}

ff_status ff_plan_request(const ff_model *model, const ff_request *request, ff_plan *out, ff_error *error)
{
    ff_float_mode before = ff_float_mode_enter();
    ff_status status = resolve(model, request, out, error);
    ff_float_mode_leave(before);
    return status;
}

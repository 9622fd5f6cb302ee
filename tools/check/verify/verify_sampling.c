// What happens between evaluations: the anchor's selection and timesteps, guidance, the scheduler's step.
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "sampler/schedule.h"
#include "verify_parts.h"

// ---- reading ----

static void latent_shape(const ff_verifier *v, size_t shape[4])
{
    const ff_verify_dump *dump = &v->dump;
    memcpy(shape, (size_t[4]){v->model->facts.latent_channels, dump->frames, dump->height, dump->width},
           4 * sizeof *shape);
}

static size_t latent_floats(const ff_verifier *v)
{
    size_t shape[4];
    latent_shape(v, shape);
    return shape[0] * shape[1] * shape[2] * shape[3];
}

// NULL in *out if the dump lacks it.
static ff_status read_latents(const ff_verifier *v, const char *kind, size_t number, const char *part, float **out,
                              ff_precision *precision)
{
    char name[64];
    size_t shape[4];
    latent_shape(v, shape);
    snprintf(name, sizeof name, "%s.%03zu.%s", kind, number, part);
    return ff_verify_dump_floats(&v->dump, name, 4, shape, out, precision, v->error);
}

// The timestep of a step; NAN if the dump does not tell.
static ff_status read_timestep(const ff_verifier *v, size_t step, float *out)
{
    char name[48];
    size_t shape[1] = {1};
    float *value;
    snprintf(name, sizeof name, "step.%03zu.timestep", step);
    ff_status status = ff_verify_dump_floats(&v->dump, name, 1, shape, &value, NULL, v->error);
    *out = value ? value[0] : NAN;
    free(value);
    return status;
}

static ff_status no_memory(const ff_verifier *v)
{
    return ff_fail(v->error, FF_ERROR_MEMORY, "not enough memory for the sampler's tensors");
}

// The mask, [F, h, w], and the known latents as large as the latents; NULL where the dump has none.
static ff_status read_anchor(const ff_verifier *v, float **mask, float **known)
{
    const ff_verify_dump *dump = &v->dump;
    size_t cells = dump->height * dump->width, all = dump->frames * cells;
    size_t channels = v->model->facts.latent_channels;
    size_t mask_shape[4] = {1, dump->frames, dump->height, dump->width};
    size_t known_shape[4] = {channels, 0, dump->height, dump->width};
    float *read;
    *mask = *known = NULL;
    ff_status status = ff_verify_dump_floats(dump, "anchor.mask", 4, mask_shape, mask, NULL, v->error);
    if (!status)
        status = ff_verify_dump_floats(dump, "anchor.known", 4, known_shape, &read, NULL, v->error);
    if (status || !read)
        return status;
    if (known_shape[1] == dump->frames) {
        *known = read;
        return FF_OK;
    }
    *known = calloc(channels * all, sizeof **known);
    for (size_t c = 0; *known && c < channels; c++)
        memcpy(*known + c * all, read + c * cells, cells * sizeof *read);
    free(read);
    return *known ? FF_OK : no_memory(v);
}

// ---- anchor ----

typedef struct anchor_variant {
    int nothing;
    int select;   // 1 known is not put in, 2 mask inverted, 3 known noised to the step's level, 4 one frame late,
                  // 5 the last frame is known too, 6 known in every frame, 7 known blended half and half
    int times;    // 1 the timestep for every token, 2 mask inverted, 3 tokens column by column, 4 a frame late,
                  // 5 timestep / 1000, 6 zero for all
} anchor_variant;

#define SELECT(VALUE, CAUSE) {.cause = CAUSE, .parts = 1, .set = {{offsetof(anchor_variant, select), VALUE}}}
#define TIMES(VALUE, CAUSE) {.cause = CAUSE, .parts = 2, .set = {{offsetof(anchor_variant, times), VALUE}}}

static const ff_mistake anchor_mistakes[] = {
    SELECT(1, "the known latents are not put into the transformer's input"),
    SELECT(2, "the mask is inverted: 0 is known, 1 is to be generated"),
    SELECT(3, "the known latents are noised to the step's level; they go in as they are"),
    SELECT(4, "the mask is off by one latent frame"),
    SELECT(5, "the last latent frame is taken as known too"),
    SELECT(6, "the known first frame is put into every frame"),
    SELECT(7, "known latents and the sample are blended, not selected"),
    TIMES(1, "per-token timesteps: known tokens have the step's timestep, they should have 0"),
    TIMES(2, "per-token timesteps: the mask is inverted, 0 where it should be the step's and the reverse"),
    TIMES(3, "per-token timesteps: tokens run column by column"),
    TIMES(4, "per-token timesteps: the mask is off by one latent frame"),
    TIMES(5, "the timestep is given as 0 to 1, not 0 to 1000"),
    TIMES(6, "the timestep is 0 for all tokens"),
};

typedef struct anchor_replay {
    const ff_verifier *v;
    ff_anchor anchor;          // known may be NULL: then only the mask counts
    const float *sample, *noise;
    float sigma, timestep;
    size_t tokens;
    bool times;                // the timesteps are compared, not the input
} anchor_replay;

static float mask_at(const anchor_replay *r, int variant, size_t cell)
{
    const ff_extent *l = &r->anchor.lattice.cells;
    size_t plane = l->height * l->width, frame = cell / plane;
    float value = r->anchor.mask[cell];
    switch (variant) {
    case 1: return 1;
    case 2: return 1 - value;
    case 4: return frame == 0 ? 1 : r->anchor.mask[cell - plane];
    case 5: return frame + 1 == l->frames ? 0 : value;
    case 6: return 0;
    default: return value;
    }
}

static void replay_input(const anchor_replay *r, int variant, float *out)
{
    const ff_extent *l = &r->anchor.lattice.cells;
    size_t plane = l->height * l->width, cells = l->frames * plane;
    for (size_t c = 0; c < r->anchor.channels; c++)
        for (size_t i = 0; i < cells; i++) {
            size_t at = c * cells + i, from = variant == 6 ? c * cells + i % plane : at;
            float known = r->anchor.known ? r->anchor.known[from] : 0;
            if (variant == 3 && r->noise)
                known = (1 - r->sigma) * known + r->sigma * r->noise[at];
            bool held = mask_at(r, variant, i) == 0;
            out[at] = held ? known : r->sample[at];
            if (held && variant == 7)
                out[at] = 0.5f * (known + r->sample[at]);
        }
}

static ff_status replay_anchor(void *user, const void *chosen, const ff_kernels *kernels, float *out, ff_error *error)
{
    const anchor_replay *r = user;
    const anchor_variant *variant = chosen;
    const ff_extent *l = &r->anchor.lattice.cells, *patch = &r->anchor.lattice.patch;
    if (!r->times) {
        replay_input(r, variant->select, out);
        return FF_OK;
    }
    static const int masks[] = {[1] = 1, [2] = 2, [3] = 0, [4] = 4, [5] = 0, [6] = 6};
    size_t rows = l->height / patch->height, columns = l->width / patch->width;
    for (size_t token = 0; token < r->tokens; token++) {
        size_t frame = token / (rows * columns), rest = token % (rows * columns);
        size_t row = rest / columns, column = rest % columns;
        if (variant->times == 3)
            row = rest % rows, column = rest / rows;
        size_t cell = (frame * patch->frames * l->height + row * patch->height) * l->width + column * patch->width;
        float time = variant->times == 5 ? r->timestep / 1000 : r->timestep;
        out[token] = r->tokens == 1 ? time : mask_at(r, masks[variant->times], cell) * time;
    }
    return FF_OK;
}

static ff_status judge_anchor(ff_verifier *v, anchor_replay *r, const char *tensor, ff_slices slices,
                              ff_precision precision, const float *dumped)
{
    static const anchor_variant right = {0};
    size_t n = ff_slices_elements(slices);
    float *ours = malloc(n * sizeof *ours), *rounded = malloc(n * sizeof *rounded);
    ff_status status = ours && rounded ? replay_anchor(r, &right, NULL, ours, v->error) : no_memory(v);
    if (!status) {
        memcpy(rounded, ours, n * sizeof *ours);
        ff_round_floats(precision, n, rounded);
        ff_case judged = {
            .tensor = tensor, .slices = slices, .precision = precision, .dumped = dumped, .exact = ours,
            .rounded = rounded, .equal = ff_floats_equal(ours, dumped, n) || ff_floats_equal(rounded, dumped, n),
            .search = {.mistakes = anchor_mistakes, .count = sizeof anchor_mistakes / sizeof *anchor_mistakes,
                       .parts = r->times ? 2 : 1, .variant_size = sizeof(anchor_variant), .replay = replay_anchor,
                       .user = r}};
        status = ff_judge(v, ff_finding_of(&v->findings, "anchor"), &judged, NULL);
    }
    free(ours);
    free(rounded);
    return status;
}

// The noise level of a timestep, as the schedule has it.
static float sigma_of(float timestep)
{
    return timestep / 1000;
}

static ff_status judge_call_input(ff_verifier *v, anchor_replay *r, size_t step, size_t call)
{
    const ff_extent *l = &r->anchor.lattice.cells;
    char name[48];
    float *input, *times, *sample = NULL;
    size_t count[1] = {0};
    ff_precision precision;
    snprintf(name, sizeof name, "call.%03zu.timestep", call);
    ff_status status = ff_verify_dump_floats(&v->dump, name, 1, count, &times, &precision, v->error);
    if (!status && times && !isnan(r->timestep)) {
        size_t tokens = ff_lattice_tokens(&r->anchor.lattice);
        if (count[0] != 1 && count[0] != tokens)
            status = ff_fail(v->error, FF_ERROR_INPUT, "%s: tensor %s has %zu values, expected 1 or %zu, the number of "
                             "tokens", v->dump.path, name, count[0], tokens);
        bool anchored = false;
        for (size_t i = 0; i < ff_extent_cells(*l); i++)
            anchored = anchored || r->anchor.mask[i] == 0;
        r->times = true;
        r->tokens = count[0];
        ff_stage_finding *finding = ff_finding_of(&v->findings, "anchor");
        if (!status && count[0] == 1 && anchored && v->model->expand_timesteps && tokens > 1) {
            if (ff_finding_add(finding, FF_FAULT, name, 1, 0))
                snprintf(finding->cause, sizeof finding->cause, "one timestep for all tokens; with this model each "
                         "token has its own, 0 where it is known");
        } else if (!status) {
            status = judge_anchor(v, r, name, (ff_slices){1, count[0], 1, "token"}, precision, times);
        }
    }
    free(times);
    if (status)
        return status;
    snprintf(name, sizeof name, "call.%03zu.input", call);
    status = read_latents(v, "call", call, "input", &input, &precision);
    if (!status && input)
        status = ff_verify_before(v, step, &sample);
    if (!status && input && sample) {
        r->times = false;
        r->sample = sample;
        r->sigma = sigma_of(r->timestep);
        status = judge_anchor(v, r, name, (ff_slices){r->anchor.channels, l->frames, l->height * l->width,
                                                      "latent frame"}, precision, input);
    }
    free(sample);
    free(input);
    return status;
}

// A clip's mask knows the first latent frame, perhaps the last one too; any mask holds 0 and 1 only.
static void judge_mask(ff_verifier *v, const anchor_replay *r)
{
    const ff_extent *l = &r->anchor.lattice.cells;
    size_t plane = l->height * l->width, cells = l->frames * plane, wrong = 0, inverted = 0, first_known = 0;
    for (size_t i = 0; i < cells; i++) {
        float value = r->anchor.mask[i];
        wrong += value != 0 && value != 1;
        first_known += i < plane && value == 0;
        inverted += i >= plane && value == 0;
    }
    ff_stage_finding *finding = ff_finding_of(&v->findings, "anchor");
    if (wrong && ff_finding_add(finding, FF_FAULT, "anchor.mask", (double)wrong / (double)cells, 0))
        snprintf(finding->cause, sizeof finding->cause, "the mask holds values other than 0 and 1");
    else if (!wrong && l->frames > 1 && first_known == 0 && inverted == cells - plane &&
             ff_finding_add(finding, FF_FAULT, "anchor.mask", 1, 0))
        snprintf(finding->cause, sizeof finding->cause, "the mask is inverted: 0 is known, 1 is to be generated");
}

ff_status ff_verify_anchor(ff_verifier *v)
{
    const ff_verify_dump *dump = &v->dump;
    const size_t *patch = ff_transformer_describe(v->model->experts[0].transformer).patch;
    ff_stage_finding *finding = ff_finding_of(&v->findings, "anchor");
    float *mask = NULL, *known = NULL, *noise = NULL;
    size_t shape[4], cells = dump->frames * dump->height * dump->width;
    ff_finding_missing(finding, "call.000.input");
    if (!dump->height)
        return FF_OK;
    latent_shape(v, shape);
    ff_status status = read_anchor(v, &mask, &known);
    if (!status)
        status = ff_verify_dump_floats(dump, "noise", 4, shape, &noise, NULL, v->error);
    // without an anchor everything is generated; a still without a mask leaves open what is known
    bool open = !mask && (known || ff_verify_dump_has(dump, "image"));
    if (!status && !mask && !open) {
        if (!(mask = malloc(cells * sizeof *mask)))
            status = no_memory(v);
        for (size_t i = 0; mask && i < cells; i++)
            mask[i] = 1;
    }
    if (open) {
        snprintf(finding->tensor, sizeof finding->tensor, "anchor.mask");
        snprintf(finding->where, sizeof finding->where, "anchor.mask is not in the dump");
    }
    anchor_replay r = {.v = v, .noise = noise,
                       .anchor = {.lattice = {{dump->frames, dump->height, dump->width},
                                              {patch[0], patch[1], patch[2]}},
                                  .channels = v->model->facts.latent_channels, .known = known, .mask = mask}};
    if (!status && mask && ff_verify_dump_has(dump, "anchor.mask"))
        judge_mask(v, &r);
    size_t steps = (dump->last_call + dump->calls_per_step - 1) / dump->calls_per_step;
    for (size_t step = 0; step < steps && mask && !status; step++) {
        status = read_timestep(v, step, &r.timestep);
        for (size_t pass = 0; pass < dump->calls_per_step && !status; pass++)
            status = judge_call_input(v, &r, step, step * dump->calls_per_step + pass);
    }
    free(mask);
    free(known);
    free(noise);
    return status;
}

// ---- guidance ----

typedef struct guidance_variant {
    int nothing;
    int formula;
} guidance_variant;

#define FORMULA(VALUE, CAUSE) {.cause = CAUSE, .parts = 1, .set = {{offsetof(guidance_variant, formula), VALUE}}}

enum { RIGHT, SWAPPED, FROM_CONDITIONAL, CONDITIONAL, UNCONDITIONAL, ONE_LESS, RESCALED, RESCALED_PART, ZERO_STAR };

static const ff_mistake guidance_mistakes[] = {
    FORMULA(SWAPPED, "guidance: conditional and unconditional prediction exchanged, c + g (u - c)"),
    FORMULA(FROM_CONDITIONAL, "guidance formula: c + g (c - u), it should start from u"),
    FORMULA(CONDITIONAL, "guidance is left out: the conditional prediction is used as it is"),
    FORMULA(UNCONDITIONAL, "guidance: the unconditional prediction is used as it is"),
    FORMULA(ONE_LESS, "guidance formula: u + (g - 1) (c - u)"),
    FORMULA(RESCALED, "guidance is rescaled to the conditional prediction's deviation"),
    FORMULA(RESCALED_PART, "guidance is rescaled (guidance_rescale 0.7)"),
    FORMULA(ZERO_STAR, "guidance with the unconditional prediction projected first (CFG-Zero*)"),
};

typedef struct guidance_replay {
    size_t n;
    float scale;
    const float *conditional, *unconditional;
    ff_precision precision;
} guidance_replay;

static double deviation_of(size_t n, const float *x)
{
    double mean = 0, sum = 0;
    for (size_t i = 0; i < n; i++)
        mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sqrt(sum / (double)n);
}

static ff_status replay_guidance(void *user, const void *chosen, const ff_kernels *kernels, float *out, ff_error *error)
{
    const guidance_replay *r = user;
    const float *c = r->conditional, *u = r->unconditional;
    float g = r->scale;
    int formula = ((const guidance_variant *)chosen)->formula;
    double factor = 1, dot = 0, square = 0;
    for (size_t i = 0; formula == ZERO_STAR && i < r->n; i++) {
        dot += (double)c[i] * u[i];
        square += (double)u[i] * u[i];
    }
    float alpha = square > 0 ? (float)(dot / square) : 1;
    switch (formula) {
    case SWAPPED: kernels->guidance(kernels, r->n, u, c, g, out); break;
    case FROM_CONDITIONAL: kernels->guidance(kernels, r->n, c, u, g + 1, out); break;
    case ONE_LESS: kernels->guidance(kernels, r->n, c, u, g - 1, out); break;
    case CONDITIONAL: memcpy(out, c, r->n * sizeof *out); break;
    case UNCONDITIONAL: memcpy(out, u, r->n * sizeof *out); break;
    case ZERO_STAR:
        for (size_t i = 0; i < r->n; i++)
            out[i] = u[i] * alpha + g * (c[i] - u[i] * alpha);
        break;
    default: kernels->guidance(kernels, r->n, c, u, g, out); break;
    }
    if (formula == RESCALED || formula == RESCALED_PART) {
        factor = deviation_of(r->n, c) / deviation_of(r->n, out);
        if (formula == RESCALED_PART)
            factor = 0.7 * factor + 0.3;
        for (size_t i = 0; i < r->n; i++)
            out[i] = (float)(out[i] * factor);
    }
    return FF_OK;
}

// As a program in that precision would round: after each operation.
static void guide_rounded(const guidance_replay *r, float *out)
{
    for (size_t i = 0; i < r->n; i++) {
        float value = r->conditional[i] - r->unconditional[i];
        ff_round_floats(r->precision, 1, &value);
        value *= r->scale;
        ff_round_floats(r->precision, 1, &value);
        value += r->unconditional[i];
        ff_round_floats(r->precision, 1, &value);
        out[i] = value;
    }
}

// The scale that the dumped prediction comes nearest to; NAN if it is no guidance at all.
static double fitted_scale(const guidance_replay *r, const float *dumped)
{
    double along = 0, size = 0, left = 0, all = 0;
    for (size_t i = 0; i < r->n; i++) {
        double d = (double)r->conditional[i] - r->unconditional[i];
        along += d * ((double)dumped[i] - r->unconditional[i]);
        size += d * d;
    }
    double scale = along / size;
    for (size_t i = 0; i < r->n; i++) {
        double d = (double)r->conditional[i] - r->unconditional[i];
        double expected = r->unconditional[i] + scale * d;
        left += (dumped[i] - expected) * (dumped[i] - expected);
        all += expected * expected;
    }
    return size > 0 && left <= 1e-4 * all ? scale : NAN;
}

static ff_status judge_guidance(ff_verifier *v, const char *name, const size_t shape[4], guidance_replay *r,
                                const float *dumped)
{
    static const guidance_variant right = {0};
    ff_stage_finding *finding = ff_finding_of(&v->findings, "guidance");
    float *ours = malloc(r->n * sizeof *ours), *rounded = malloc(r->n * sizeof *rounded);
    if (!ours || !rounded) {
        free(ours);
        free(rounded);
        return no_memory(v);
    }
    replay_guidance(r, &right, ff_verify_kernels(), ours, v->error);
    ff_case judged = {
        .tensor = name, .slices = {shape[0], shape[1], shape[2] * shape[3], "latent frame"},
        .precision = r->precision, .dumped = dumped, .exact = ours, .rounded = rounded,
        .equal = ff_floats_equal(ours, dumped, r->n),
        .search = {.mistakes = guidance_mistakes, .count = sizeof guidance_mistakes / sizeof *guidance_mistakes,
                   .parts = 1, .variant_size = sizeof(guidance_variant), .replay = replay_guidance, .user = r}};
    if (!judged.equal) {
        replay_guidance(r, &right, ff_verify_exact(), ours, v->error);
        guide_rounded(r, rounded);
        judged.equal = r->precision != FF_SINGLE && ff_floats_equal(rounded, dumped, r->n);
    }
    ff_status status = ff_judge(v, finding, &judged, NULL);
    if (!status && finding->verdict == FF_FAULT && !finding->cause[0]) {
        double scale = fitted_scale(r, dumped);
        if (!isnan(scale))
            snprintf(finding->cause, sizeof finding->cause, "the guidance scale is %.4g; the run's is %.4g", scale,
                     (double)r->scale);
    }
    free(ours);
    free(rounded);
    return status;
}

ff_status ff_verify_guidance(ff_verifier *v)
{
    const ff_verify_dump *dump = &v->dump;
    ff_stage_finding *finding = ff_finding_of(&v->findings, "guidance");
    size_t shape[4], passes = dump->calls_per_step;
    ff_status status = FF_OK;
    latent_shape(v, shape);
    if (!dump->last_step)
        ff_finding_missing(finding, "step.000.noise_pred");
    for (size_t step = 0; step < dump->last_step && !status; step++) {
        guidance_replay r = {.n = latent_floats(v), .scale = (float)dump->guidance};
        float *noise_pred = NULL, *conditional = NULL, *unconditional = NULL;
        char name[48], missing[48];
        snprintf(name, sizeof name, "step.%03zu.noise_pred", step);
        snprintf(missing, sizeof missing, "call.%03zu.output", step * passes);
        if (!(status = read_latents(v, "step", step, "noise_pred", &noise_pred, &r.precision)) &&
            !(status = read_latents(v, "call", step * passes, "output", &conditional, NULL)) && passes == 2)
            status = read_latents(v, "call", step * passes + 1, "output", &unconditional, NULL);
        r.conditional = conditional;
        r.unconditional = unconditional;
        if (!status && noise_pred && conditional && passes == 1) {
            double error = ff_relative_distance(noise_pred, conditional, r.n);
            if (ff_floats_equal(noise_pred, conditional, r.n))
                ff_finding_add(finding, FF_EQUAL, name, 0, 0);
            else
                ff_finding_add(finding, error < 1e-6 ? FF_ROUNDING : FF_FAULT, name, error, 1e-6);
        } else if (!status && noise_pred && conditional && unconditional) {
            status = judge_guidance(v, name, shape, &r, noise_pred);
        } else if (!status && (noise_pred || conditional)) {
            ff_finding_missing(finding, noise_pred ? missing : name);
        }
        free(noise_pred);
        free(conditional);
        free(unconditional);
    }
    return status;
}

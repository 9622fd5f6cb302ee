// The scheduler: each step from the dump's own latents and predictions. What a multistep solver remembers is made anew
// from the dump's earlier steps, so that a step can be judged only if all before it are there.
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../sampler/schedule.h"
#include "../sampler/unipc.h"
#include "verify_parts.h"

// Other programs take the coefficients from logarithms in single precision.
#define COEFFICIENT_ROUNDING 4e-6

typedef struct solver_manner {
    int nothing;
    int kind;          // 1: the other scheduler
    int shift;         // index into shifts, FITTED for the one the timesteps tell
    int order;         // 1 to 3
    int solver;        // 1: bh1 for bh2 and the reverse
    int uncorrected;   // 1: no corrector
    int sign;          // 1: of the prediction
    int final_order;   // 1: lower_order_final the other way
    int sigmas;        // 1: timestep / 1000 as noise level, 2: the levels of the step after
} solver_manner;

static const double shifts[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 2.5, 1.5, 11, 17};
enum { SHIFTS = sizeof shifts / sizeof *shifts, FITTED = 1000 };

#define SET(FIELD, VALUE, CAUSE) {.cause = CAUSE, .parts = 1, .set = {{offsetof(solver_manner, FIELD), VALUE}}}

static const ff_mistake solver_mistakes[] = {
    SET(kind, 1, "the other scheduler: Euler's step where UniPC's is meant, or the reverse"),
    SET(order, 1, "the solver's order is 1"),
    SET(order, 2, "the solver's order is 2"),
    SET(order, 3, "the solver's order is 3"),
    SET(uncorrected, 1, "UniPC's corrector is left out"),
    SET(solver, 1, "solver_type bh1 and bh2 exchanged"),
    SET(final_order, 1, "the last step's order (lower_order_final)"),
    SET(sign, 1, "the sign of the step"),
    SET(shift, FITTED, "the schedule's shift is another"),
    SET(shift, 1, "the schedule is not shifted (shift 1)"),
    SET(shift, 2, "the schedule's shift is 2"), SET(shift, 3, "the schedule's shift is 3"),
    SET(shift, 4, "the schedule's shift is 4"), SET(shift, 5, "the schedule's shift is 5"),
    SET(shift, 6, "the schedule's shift is 6"), SET(shift, 7, "the schedule's shift is 7"),
    SET(shift, 8, "the schedule's shift is 8"), SET(shift, 9, "the schedule's shift is 9"),
    SET(shift, 10, "the schedule's shift is 10"), SET(shift, 11, "the schedule's shift is 12"),
    SET(shift, 12, "the schedule's shift is 2.5"), SET(shift, 13, "the schedule's shift is 1.5"),
    SET(shift, 14, "the schedule's shift is 11"), SET(shift, 15, "the schedule's shift is 17"),
    SET(sigmas, 1, "noise levels are timestep / 1000"),
    SET(sigmas, 2, "noise levels are taken one step late"),
};

typedef struct solver_replay {
    ff_verifier *v;
    size_t steps, first, target;   // of the run; index of the dump's step 0 in it; the dump's step to compute
    size_t n;
    double fitted_shift;
    const float *mask;             // [cells] or NULL
} solver_replay;

static ff_status no_memory(const ff_verifier *v)
{
    return ff_fail(v->error, FF_ERROR_MEMORY, "not enough memory for the scheduler's tensors");
}

static ff_status read_step(const ff_verifier *v, size_t step, const char *part, float **out, ff_precision *precision)
{
    const ff_theirs *theirs = &v->theirs;
    size_t shape[4] = {v->model->facts.latent_channels, theirs->frames, theirs->height, theirs->width};
    char name[48];
    snprintf(name, sizeof name, "step.%03zu.%s", step, part);
    return ff_theirs_floats(theirs, name, 4, shape, out, precision, v->error);
}

static ff_status create_schedule(const solver_replay *r, const solver_manner *manner, ff_schedule **out)
{
    const ff_verifier *v = r->v;
    ff_scheduler kind = v->theirs.scheduler;
    double shift = v->theirs.flow_shift;
    if (manner->kind) {
        const char *own;
        ff_schedule *right;
        ff_status status = ff_schedule_create(v->model->scheduler, kind, shift, r->steps, &right, v->error);
        if (status)
            return status;
        own = ff_schedule_name(right);
        kind = strcmp(own, "unipc") == 0 ? FF_SCHEDULER_EULER : FF_SCHEDULER_UNIPC;
        shift = ff_schedule_flow_shift(right);
        ff_schedule_destroy(right);
    }
    if (manner->shift)
        shift = manner->shift == FITTED ? r->fitted_shift : shifts[manner->shift];
    return ff_schedule_create(v->model->scheduler, kind, shift, r->steps, out, v->error);
}

// ---- where a run starts ----

// A run below full strength starts later: the step whose timestep the dump's first one has.
static size_t find_first(const ff_verifier *v, const ff_schedule *schedule)
{
    size_t shape[1] = {1}, steps = ff_schedule_steps(schedule);
    float *value;
    if (ff_theirs_floats(&v->theirs, "step.000.timestep", 1, shape, &value, NULL, NULL) || !value)
        return 0;
    size_t first = 0;
    while (first < steps && fabsf(value[0] - ff_schedule_timestep(schedule, first)) > 1e-2f)
        first++;
    free(value);
    return first < steps && first + v->theirs.last_step <= steps ? first : 0;
}

// Known latents as large as the latents; NULL in *out if the dump lacks them or has the first frame's only.
static ff_status read_known(const ff_verifier *v, float **out)
{
    const ff_theirs *theirs = &v->theirs;
    size_t shape[4] = {v->model->facts.latent_channels, 0, theirs->height, theirs->width};
    ff_status status = ff_theirs_floats(theirs, "anchor.known", 4, shape, out, NULL, v->error);
    if (!status && *out && shape[1] != theirs->frames) {
        free(*out);
        *out = NULL;
    }
    return status;
}

ff_status ff_verify_before(const ff_verifier *v, size_t step, float **out)
{
    const ff_theirs *theirs = &v->theirs;
    size_t shape[4] = {v->model->facts.latent_channels, theirs->frames, theirs->height, theirs->width};
    if (step > 0)
        return read_step(v, step - 1, "latents", out, NULL);
    ff_status status = ff_theirs_floats(theirs, "noise", 4, shape, out, NULL, v->error);
    if (status || !*out || !theirs->steps)
        return status;
    ff_schedule *schedule;
    float *known = NULL;
    solver_replay r = {.v = (ff_verifier *)v, .steps = theirs->steps};
    if ((status = create_schedule(&r, &(solver_manner){0}, &schedule)))
        goto failed;
    size_t first = find_first(v, schedule), n = shape[0] * shape[1] * shape[2] * shape[3];
    if (first > 0 && !(status = read_known(v, &known)) && known)
        ff_schedule_noise(ff_verify_kernels(), ff_schedule_sigma(schedule, first), n, known, *out, *out);
    ff_schedule_destroy(schedule);
    if (!status && (first == 0 || known)) {
        free(known);
        return FF_OK;
    }
failed:
    free(*out);
    *out = NULL;
    return status;
}

// ---- the solver, with mistakes ----

typedef struct unipc_options {
    size_t order;
    bool bh1, lower_order_final, corrects;
} unipc_options;

// As the model's scheduler_config.json has them, if that is a UniPC; else Wan's.
static unipc_options read_options(const ff_verifier *v)
{
    const ff_config *config = v->model->scheduler;
    unipc_options options = {.order = 2, .lower_order_final = true, .corrects = true};
    const char *name = "", *solver = "bh2";
    if (ff_config_string(config, "_class_name", "", &name, NULL) || strcmp(name, "UniPCMultistepScheduler") != 0 ||
        ff_config_string(config, "solver_type", "bh2", &solver, NULL) ||
        ff_config_size(config, "solver_order", 2, 1, FF_UNIPC_MOST_ORDER, &options.order, NULL) ||
        ff_config_bool(config, "lower_order_final", true, &options.lower_order_final, NULL))
        return options;
    options.bh1 = strcmp(solver, "bh1") == 0;
    return options;
}

typedef struct memory {
    float *outputs[FF_UNIPC_MOST_ORDER + 1];   // predictions of the original, newest first
    float *last_sample;
    size_t done, last_order;
} memory;

static void step_unipc(const unipc_options *o, const ff_kernels *kernels, const float *sigmas, size_t steps, size_t i,
                       size_t n, const float *noise_pred, memory *m, float *latents)
{
    const float *x[FF_UNIPC_MOST_TERMS];
    float k[FF_UNIPC_MOST_TERMS], *original = m->outputs[FF_UNIPC_MOST_ORDER];
    x[0] = latents, x[1] = noise_pred;
    k[0] = 1.0f, k[1] = -sigmas[i];
    kernels->combine(n, 2, x, k, original);
    if (m->done > 0 && o->corrects) {
        ff_unipc_correct(sigmas, i, m->last_order, o->bh1, k);
        x[0] = m->last_sample;
        for (size_t j = 0; j < m->last_order; j++)
            x[j + 1] = m->outputs[j];
        x[m->last_order + 1] = original;
        kernels->combine(n, m->last_order + 2, x, k, latents);
    }
    memmove(m->outputs + 1, m->outputs, FF_UNIPC_MOST_ORDER * sizeof *m->outputs);
    m->outputs[0] = original;
    memcpy(m->last_sample, latents, n * sizeof *latents);
    size_t order = o->order;
    if (o->lower_order_final && order > steps - i)
        order = steps - i;
    if (order > m->done + 1)
        order = m->done + 1;
    ff_unipc_predict(sigmas, i, order, o->bh1, k);
    x[0] = m->last_sample;
    for (size_t j = 0; j < order; j++)
        x[j + 1] = m->outputs[j];
    kernels->combine(n, order + 1, x, k, latents);
    m->last_order = order;
    m->done++;
}

// The noise levels of all steps and the last one.
static void fill_sigmas(const ff_schedule *schedule, int manner, float *sigmas)
{
    size_t steps = ff_schedule_steps(schedule);
    for (size_t i = 0; i <= steps; i++) {
        size_t from = manner == 2 && i + 1 < steps ? i + 1 : i;
        sigmas[i] = manner == 1 && i < steps ? ff_schedule_timestep(schedule, i) / 1000
                                             : ff_schedule_sigma(schedule, from);
    }
}

static ff_status run_steps(const solver_replay *r, const solver_manner *manner, const ff_kernels *kernels,
                           const ff_schedule *schedule, memory *m, float *out)
{
    ff_verifier *v = r->v;
    unipc_options options = read_options(v);
    float sigmas[FF_MOST_STEPS + 1];
    bool unipc = strcmp(ff_schedule_name(schedule), "unipc") == 0;
    ff_status status = FF_OK;
    fill_sigmas(schedule, manner->sigmas, sigmas);
    if (manner->order)
        options.order = (size_t)manner->order;
    options.bh1 = options.bh1 != (manner->solver == 1);
    options.lower_order_final = options.lower_order_final != (manner->final_order == 1);
    options.corrects = !manner->uncorrected;
    for (size_t step = unipc ? 0 : r->target; step <= r->target && !status; step++) {
        float *before, *noise_pred = NULL;
        size_t i = r->first + step;
        if (!(status = ff_verify_before(v, step, &before)) &&
            !(status = read_step(v, step, "noise_pred", &noise_pred, NULL)) && before && noise_pred) {
            memcpy(out, before, r->n * sizeof *out);
            for (size_t j = 0; manner->sign && j < r->n; j++)
                noise_pred[j] = -noise_pred[j];
            const float *x[] = {before, noise_pred}, k[] = {1.0f, sigmas[i + 1] - sigmas[i]};
            if (unipc)
                step_unipc(&options, kernels, sigmas, r->steps, i, r->n, noise_pred, m, out);
            else
                kernels->combine(r->n, 2, x, k, out);
        }
        free(before);
        free(noise_pred);
    }
    return status;
}

// Cells known by the mask are meaningless.
static void forget_known(const solver_replay *r, float *x)
{
    size_t cells = r->n / r->v->model->facts.latent_channels;
    for (size_t i = 0; r->mask && i < r->n; i++)
        if (r->mask[i % cells] == 0)
            x[i] = 0;
}

static ff_status replay_solver(void *user, const void *chosen, const ff_kernels *kernels, float *out, ff_error *error)
{
    const solver_replay *r = user;
    ff_schedule *schedule;
    memory m = {0};
    (void)error;
    ff_status status = create_schedule(r, chosen, &schedule);
    if (status == FF_ERROR_INPUT) {  // a shift that gives no schedule explains nothing
        memset(out, 0, r->n * sizeof *out);
        return FF_OK;
    }
    if (status)
        return status;
    float *floats = malloc(r->n * (FF_UNIPC_MOST_ORDER + 2) * sizeof *floats);
    if (!floats) {
        status = no_memory(r->v);
    } else {
        for (size_t i = 0; i <= FF_UNIPC_MOST_ORDER; i++)
            m.outputs[i] = floats + i * r->n;
        m.last_sample = floats + (FF_UNIPC_MOST_ORDER + 1) * r->n;
        status = run_steps(r, chosen, kernels, schedule, &m, out);
        forget_known(r, out);
    }
    free(floats);
    ff_schedule_destroy(schedule);
    return status;
}

// ---- timesteps ----

// The shift whose schedule has the dump's timesteps; NAN if none has.
static double fit_shift(const solver_replay *r, const ff_schedule *schedule)
{
    ff_verifier *v = r->v;
    size_t dumped = v->theirs.last_step, middle = dumped / 2 ? dumped / 2 : 0, shape[1] = {1};
    char name[48];
    float *value;
    double now = ff_schedule_flow_shift(schedule), sigma = ff_schedule_sigma(schedule, r->first + middle);
    snprintf(name, sizeof name, "step.%03zu.timestep", middle);
    if (middle == 0 || ff_theirs_floats(&v->theirs, name, 1, shape, &value, NULL, NULL) || !value)
        return NAN;
    double theirs = value[0] / 1000;
    free(value);
    bool unipc = strcmp(ff_schedule_name(schedule), "unipc") == 0;
    // from shift s / (1 + (shift - 1) s) back to s, and to the shift that makes theirs of it; UniPC truncates
    double plain = sigma / (now - (now - 1) * sigma);
    if (unipc)
        theirs += 0.0005;
    double shift = theirs * (1 - plain) / (plain * (1 - theirs));
    if (!(shift > 0.01 && shift < 1000))
        return NAN;
    double rounded = round(shift * 10) / 10;
    return fabs(rounded - shift) < 0.05 * shift ? rounded : shift;
}

static bool has_timesteps(const solver_replay *r, const ff_schedule *schedule, size_t *first_wrong, float *found,
                          double *largest)
{
    ff_verifier *v = r->v;
    bool all = true;
    *largest = 0;
    for (size_t step = 0; step < v->theirs.last_step && r->first + step < r->steps; step++) {
        char name[48];
        size_t shape[1] = {1};
        float *value;
        snprintf(name, sizeof name, "step.%03zu.timestep", step);
        if (ff_theirs_floats(&v->theirs, name, 1, shape, &value, NULL, v->error) || !value)
            continue;
        double off = fabs((double)value[0] - ff_schedule_timestep(schedule, r->first + step));
        bool wrong = !(off <= 1e-5 * ff_schedule_timestep(schedule, r->first + step) + 1e-3);
        if (wrong && all) {
            *first_wrong = step;
            *found = value[0];
        }
        all = all && !wrong;
        if (!(off <= *largest))
            *largest = off;
        free(value);
    }
    return all;
}

static void judge_timesteps(ff_verifier *v, solver_replay *r, const ff_schedule *schedule)
{
    ff_stage_finding *finding = ff_finding_of(&v->findings, "scheduler");
    size_t wrong = 0, other_wrong;
    float found = 0, other_found;
    double largest, other_largest;
    char name[48];
    if (!ff_theirs_has(&v->theirs, "step.000.timestep"))
        return;
    if (has_timesteps(r, schedule, &wrong, &found, &largest))
        return;
    snprintf(name, sizeof name, "step.%03zu.timestep", wrong);
    float right = ff_schedule_timestep(schedule, r->first + wrong);
    // a bf16 program may hold its timesteps in bf16
    float rounded = right;
    ff_round_floats(v->theirs.dtype, 1, &rounded);
    if (v->theirs.dtype_given && rounded == found) {
        ff_finding_add(finding, FF_ROUNDING, name, fabs((double)found - right) / right, 0x1p-8);
        return;
    }
    if (!ff_finding_add(finding, FF_FAULT, name, fabs((double)found - right) / right, 1e-5))
        return;
    snprintf(finding->where, sizeof finding->where, "it is %.7g, the schedule has %.7g", (double)found, (double)right);
    r->fitted_shift = fit_shift(r, schedule);
    ff_schedule *other = NULL;
    solver_manner shifted = {.shift = FITTED}, swapped = {.kind = 1};
    if (largest < 1.001) {
        snprintf(finding->cause, sizeof finding->cause, "timesteps are not truncated to whole numbers as this "
                 "scheduler's are");
    } else if (!isnan(r->fitted_shift) && !create_schedule(r, &shifted, &other) &&
               (has_timesteps(r, other, &other_wrong, &other_found, &other_largest) || other_largest < 8)) {
        snprintf(finding->cause, sizeof finding->cause, "the schedule's shift is %.3g; the run's is %.3g",
                 r->fitted_shift, ff_schedule_flow_shift(schedule));
    } else {
        ff_schedule_destroy(other);
        other = NULL;
        if (!create_schedule(r, &swapped, &other) &&
            has_timesteps(r, other, &other_wrong, &other_found, &other_largest))
            snprintf(finding->cause, sizeof finding->cause, "the timesteps are those of %s, not %s",
                     ff_schedule_name(other), ff_schedule_name(schedule));
        else if (found <= 1.0f && right > 1.5f)
            snprintf(finding->cause, sizeof finding->cause, "timesteps run from 1 to 0, not from 1000");
        else
            snprintf(finding->cause, sizeof finding->cause, "the noise levels are spaced in another way, or the number "
                     "of steps is another");
    }
    ff_schedule_destroy(other);
}

// ---- steps ----

static ff_status judge_step(ff_verifier *v, solver_replay *r, const float *theirs, ff_precision precision)
{
    static const solver_manner right = {0};
    const ff_theirs *dump = &v->theirs;
    char name[48];
    float *ours = malloc(3 * r->n * sizeof *ours), *rounded, *masked;
    if (!ours)
        return no_memory(v);
    rounded = ours + r->n;
    masked = rounded + r->n;
    memcpy(masked, theirs, r->n * sizeof *masked);
    forget_known(r, masked);
    snprintf(name, sizeof name, "step.%03zu.latents", r->target);
    ff_status status = replay_solver(r, &right, ff_verify_kernels(), ours, v->error);
    ff_case settled = {
        .tensor = name, .precision = precision, .theirs = masked, .exact = ours, .rounded = rounded,
        .slices = {v->model->facts.latent_channels, dump->frames, dump->height * dump->width, "latent frame"},
        .equal = !status && ff_floats_equal(ours, masked, r->n),
        .search = {.mistakes = solver_mistakes, .count = sizeof solver_mistakes / sizeof *solver_mistakes, .parts = 1,
                   .manner_size = sizeof(solver_manner), .replay = replay_solver, .user = r}};
    if (!status && !settled.equal) {
        memcpy(rounded, ours, r->n * sizeof *ours);
        for (size_t i = 0; i < r->n; i++)  // what the coefficients' rounding may do, in either direction
            rounded[i] *= 1 + (i % 2 ? 1 : -1) * (float)COEFFICIENT_ROUNDING / 8;
        ff_round_floats(precision, r->n, rounded);
        status = replay_solver(r, &right, ff_verify_exact(), ours, v->error);
    }
    if (!status)
        status = ff_settle(v, ff_finding_of(&v->findings, "scheduler"), &settled, NULL);
    free(ours);
    return status;
}

// The latents at the end are those of the last step, known cells as they are known.
static ff_status judge_last_selection(ff_verifier *v, const solver_replay *r)
{
    const ff_theirs *theirs = &v->theirs;
    ff_stage_finding *finding = ff_finding_of(&v->findings, "anchor");
    size_t channels = v->model->facts.latent_channels, cells = r->n / channels;
    size_t shape[4] = {channels, theirs->frames, theirs->height, theirs->width};
    size_t known_shape[4] = {channels, 0, theirs->height, theirs->width};
    float *latents, *last = NULL, *known = NULL;
    ff_status status = ff_theirs_floats(theirs, "latents", 4, shape, &latents, NULL, v->error);
    if (!status && latents && r->first + theirs->last_step == r->steps)
        status = read_step(v, theirs->last_step - 1, "latents", &last, NULL);
    if (!status && last)
        status = ff_theirs_floats(theirs, "anchor.known", 4, known_shape, &known, NULL, v->error);
    bool whole = known && known_shape[1] == theirs->frames;
    if (!status && last && (r->mask || !ff_theirs_has(theirs, "image"))) {
        for (size_t i = 0; i < r->n; i++)
            if (r->mask && r->mask[i % cells] == 0)
                last[i] = whole ? known[i] : latents[i];
        double error = ff_relative_distance(latents, last, r->n);
        if (ff_floats_equal(latents, last, r->n))
            ff_finding_add(finding, FF_EQUAL, "latents", 0, 0);
        else if (error < (theirs->dtype == FF_SINGLE ? 1e-6 : 0x1p-8))
            ff_finding_add(finding, FF_ROUNDING, "latents", error, 1e-6);
        else if (ff_finding_add(finding, FF_FAULT, "latents", error, 1e-6) && r->mask)
            snprintf(finding->cause, sizeof finding->cause, "at the end the known latents are not put back");
    }
    free(latents);
    free(last);
    free(known);
    return status;
}

static ff_status judge_steps(ff_verifier *v, solver_replay *r, bool multistep)
{
    ff_stage_finding *finding = ff_finding_of(&v->findings, "scheduler");
    ff_status status = FF_OK;
    bool gap = false;
    for (size_t step = 0; step < v->theirs.last_step && r->first + step < r->steps && !status; step++) {
        char before[48];
        float *theirs;
        ff_precision precision;
        snprintf(before, sizeof before, "step.%03zu.latents", step ? step - 1 : 0);
        bool has_before = step ? ff_theirs_has(&v->theirs, "%s", before) : ff_theirs_has(&v->theirs, "noise");
        bool has_prediction = ff_theirs_has(&v->theirs, "step.%03zu.noise_pred", step);
        if (!has_before || !has_prediction) {
            gap = gap || multistep;
            ff_finding_missing(finding, has_before ? "step.NNN.noise_pred" : step ? before : "noise");
            continue;
        }
        if (gap)
            continue;
        status = read_step(v, step, "latents", &theirs, &precision);
        r->target = step;
        if (!status && theirs)
            status = judge_step(v, r, theirs, precision);
        else if (!status)
            ff_finding_missing(finding, "step.NNN.latents");
        free(theirs);
    }
    return status;
}

ff_status ff_verify_scheduler(ff_verifier *v)
{
    const ff_theirs *theirs = &v->theirs;
    ff_stage_finding *finding = ff_finding_of(&v->findings, "scheduler");
    size_t mask_shape[4] = {1, theirs->frames, theirs->height, theirs->width};
    solver_replay r = {.v = v, .steps = theirs->steps, .fitted_shift = NAN,
                       .n = v->model->facts.latent_channels * theirs->frames * theirs->height * theirs->width};
    ff_schedule *schedule;
    float *mask = NULL;
    ff_finding_missing(finding, "step.000.latents");
    if (!theirs->last_step || !theirs->height)
        return FF_OK;
    if (r.steps < theirs->last_step)
        return ff_fail(v->error, FF_ERROR_INPUT, "%s: its metadata has %zu steps, but there is a step %zu",
                       theirs->path, r.steps, theirs->last_step - 1);
    ff_status status = create_schedule(&r, &(solver_manner){0}, &schedule);
    if (status)
        return status;
    r.first = find_first(v, schedule);
    judge_timesteps(v, &r, schedule);
    status = ff_theirs_floats(theirs, "anchor.mask", 4, mask_shape, &mask, NULL, v->error);
    r.mask = mask;
    if (!status)
        status = judge_steps(v, &r, strcmp(ff_schedule_name(schedule), "unipc") == 0);
    if (!status)
        status = judge_last_selection(v, &r);
    free(mask);
    ff_schedule_destroy(schedule);
    return status;
}

#include "verify_solver.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "sampler/unipc.h"

static const double shifts[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 2.5, 1.5, 11, 17};

#define SET(FIELD, VALUE, CAUSE) {.cause = CAUSE, .parts = 1, .set = {{offsetof(ff_solver_variant, FIELD), VALUE}}}

const ff_mistake ff_solver_mistakes[] = {
    SET(kind, 1, "the other scheduler: Euler's step where UniPC's is meant, or the reverse"),
    SET(order, 1, "the solver's order is 1"),
    SET(order, 2, "the solver's order is 2"),
    SET(order, 3, "the solver's order is 3"),
    SET(uncorrected, 1, "UniPC's corrector is left out"),
    SET(solver, 1, "solver_type bh1 and bh2 exchanged"),
    SET(final_order, 1, "the last step's order (lower_order_final)"),
    SET(sign, 1, "the sign of the step"),
    SET(shift, FF_SOLVER_FITTED, "the schedule's shift is another"),
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
const size_t ff_solver_mistake_count = sizeof ff_solver_mistakes / sizeof *ff_solver_mistakes;

static ff_status no_memory(const ff_verifier *v)
{
    return ff_fail(v->error, FF_ERROR_MEMORY, "not enough memory for the scheduler's tensors");
}

ff_status ff_solver_read(const ff_verifier *v, size_t step, const char *part, float **out, ff_precision *precision)
{
    const ff_verify_dump *dump = &v->dump;
    size_t shape[4] = {v->model->facts.latent_channels, dump->frames, dump->height, dump->width};
    char name[48];
    snprintf(name, sizeof name, "step.%03zu.%s", step, part);
    return ff_verify_dump_floats(dump, name, 4, shape, out, precision, v->error);
}

ff_status ff_solver_schedule(const ff_solver_replay *r, const ff_solver_variant *variant, ff_schedule **out)
{
    const ff_verifier *v = r->v;
    ff_scheduler kind = v->dump.scheduler;
    double shift = v->dump.flow_shift;
    if (variant->kind) {
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
    if (variant->shift)
        shift = variant->shift == FF_SOLVER_FITTED ? r->fitted_shift : shifts[variant->shift];
    return ff_schedule_create(v->model->scheduler, kind, shift, r->steps, out, v->error);
}

// ---- where a run starts ----

size_t ff_solver_first(const ff_verifier *v, const ff_schedule *schedule)
{
    size_t shape[1] = {1}, steps = ff_schedule_steps(schedule);
    float *value;
    if (ff_verify_dump_floats(&v->dump, "step.000.timestep", 1, shape, &value, NULL, NULL) || !value)
        return 0;
    size_t first = 0;
    while (first < steps && fabsf(value[0] - ff_schedule_timestep(schedule, first)) > 1e-2f)
        first++;
    free(value);
    return first < steps && first + v->dump.last_step <= steps ? first : 0;
}

// Known latents as large as the latents; NULL in *out if the dump lacks them or has the first frame's only.
static ff_status read_known(const ff_verifier *v, float **out)
{
    const ff_verify_dump *dump = &v->dump;
    size_t shape[4] = {v->model->facts.latent_channels, 0, dump->height, dump->width};
    ff_status status = ff_verify_dump_floats(dump, "anchor.known", 4, shape, out, NULL, v->error);
    if (!status && *out && shape[1] != dump->frames) {
        free(*out);
        *out = NULL;
    }
    return status;
}

ff_status ff_verify_before(const ff_verifier *v, size_t step, float **out)
{
    const ff_verify_dump *dump = &v->dump;
    size_t shape[4] = {v->model->facts.latent_channels, dump->frames, dump->height, dump->width};
    if (step > 0)
        return ff_solver_read(v, step - 1, "latents", out, NULL);
    ff_status status = ff_verify_dump_floats(dump, "noise", 4, shape, out, NULL, v->error);
    if (status || !*out || !dump->steps)
        return status;
    ff_schedule *schedule;
    float *known = NULL;
    ff_solver_replay r = {.v = (ff_verifier *)v, .steps = dump->steps};
    if ((status = ff_solver_schedule(&r, &(ff_solver_variant){0}, &schedule)))
        goto failed;
    size_t first = ff_solver_first(v, schedule), n = shape[0] * shape[1] * shape[2] * shape[3];
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

typedef struct unipc_state {
    size_t n, steps;                           // elements of the latents; steps of the run
    float *outputs[FF_UNIPC_MOST_ORDER + 1];   // predictions of the original, newest first
    float *last_sample;
    size_t done, last_order;
} unipc_state;

// Step i of the run.   sigmas: [steps + 1]
static void step_unipc(const ff_kernels *kernels, const unipc_options *o, const float *sigmas, size_t i,
                       const float *noise_pred, unipc_state *m, float *latents)
{
    const float *x[FF_UNIPC_MOST_TERMS];
    size_t n = m->n;
    float k[FF_UNIPC_MOST_TERMS], *original = m->outputs[FF_UNIPC_MOST_ORDER];
    x[0] = latents, x[1] = noise_pred;
    k[0] = 1.0f, k[1] = -sigmas[i];
    kernels->combine(kernels, n, 2, x, k, original);
    if (m->done > 0 && o->corrects) {
        ff_unipc_correct(sigmas, i, m->last_order, o->bh1, k);
        x[0] = m->last_sample;
        for (size_t j = 0; j < m->last_order; j++)
            x[j + 1] = m->outputs[j];
        x[m->last_order + 1] = original;
        kernels->combine(kernels, n, m->last_order + 2, x, k, latents);
    }
    memmove(m->outputs + 1, m->outputs, FF_UNIPC_MOST_ORDER * sizeof *m->outputs);
    m->outputs[0] = original;
    memcpy(m->last_sample, latents, n * sizeof *latents);
    size_t order = o->order;
    if (o->lower_order_final && order > m->steps - i)
        order = m->steps - i;
    if (order > m->done + 1)
        order = m->done + 1;
    ff_unipc_predict(sigmas, i, order, o->bh1, k);
    x[0] = m->last_sample;
    for (size_t j = 0; j < order; j++)
        x[j + 1] = m->outputs[j];
    kernels->combine(kernels, n, order + 1, x, k, latents);
    m->last_order = order;
    m->done++;
}

// The noise levels of all steps and the last one.
static void fill_sigmas(const ff_schedule *schedule, int variant, float *sigmas)
{
    size_t steps = ff_schedule_steps(schedule);
    for (size_t i = 0; i <= steps; i++) {
        size_t from = variant == 2 && i + 1 < steps ? i + 1 : i;
        sigmas[i] = variant == 1 && i < steps ? ff_schedule_timestep(schedule, i) / 1000
                                             : ff_schedule_sigma(schedule, from);
    }
}

static ff_status run_steps(const ff_solver_replay *r, const ff_solver_variant *variant, const ff_kernels *kernels,
                           const ff_schedule *schedule, unipc_state *m, float *out)
{
    ff_verifier *v = r->v;
    unipc_options options = read_options(v);
    float sigmas[FF_MOST_STEPS + 1];
    bool unipc = strcmp(ff_schedule_name(schedule), "unipc") == 0;
    ff_status status = FF_OK;
    fill_sigmas(schedule, variant->sigmas, sigmas);
    if (variant->order)
        options.order = (size_t)variant->order;
    options.bh1 = options.bh1 != (variant->solver == 1);
    options.lower_order_final = options.lower_order_final != (variant->final_order == 1);
    options.corrects = !variant->uncorrected;
    for (size_t step = unipc ? 0 : r->target; step <= r->target && !status; step++) {
        float *before, *noise_pred = NULL;
        size_t i = r->first + step;
        if (!(status = ff_verify_before(v, step, &before)) &&
            !(status = ff_solver_read(v, step, "noise_pred", &noise_pred, NULL)) && before && noise_pred) {
            memcpy(out, before, r->n * sizeof *out);
            for (size_t j = 0; variant->sign && j < r->n; j++)
                noise_pred[j] = -noise_pred[j];
            const float *x[] = {before, noise_pred}, k[] = {1.0f, sigmas[i + 1] - sigmas[i]};
            if (unipc)
                step_unipc(kernels, &options, sigmas, i, noise_pred, m, out);
            else
                kernels->combine(kernels, r->n, 2, x, k, out);
        }
        free(before);
        free(noise_pred);
    }
    return status;
}

void ff_solver_forget_known(const ff_solver_replay *r, float *x)
{
    size_t cells = r->n / r->v->model->facts.latent_channels;
    for (size_t i = 0; r->mask && i < r->n; i++)
        if (r->mask[i % cells] == 0)
            x[i] = 0;
}

ff_status ff_solver_replay_step(void *user, const void *chosen, const ff_kernels *kernels, float *out, ff_error *error)
{
    const ff_solver_replay *r = user;
    ff_schedule *schedule;
    unipc_state m = {.n = r->n, .steps = r->steps};
    ff_status status = ff_solver_schedule(r, chosen, &schedule);
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
        ff_solver_forget_known(r, out);
    }
    free(floats);
    ff_schedule_destroy(schedule);
    return status;
}


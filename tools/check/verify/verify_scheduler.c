// The scheduler: each step from the dump's own latents and predictions. What a multistep solver remembers is made anew
// from the dump's earlier steps, so that a step can be judged only if all before it are there.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "verify_solver.h"

// Other programs take the coefficients from logarithms in single precision.
#define COEFFICIENT_ROUNDING 4e-6

// ---- timesteps ----

// The shift whose schedule has the dump's timesteps; NAN if none has.
static double fit_shift(const ff_solver_replay *r, const ff_schedule *schedule)
{
    ff_verifier *v = r->v;
    size_t middle = v->dump.last_step / 2, shape[1] = {1};
    char name[48];
    float *value;
    double now = ff_schedule_flow_shift(schedule), sigma = ff_schedule_sigma(schedule, r->first + middle);
    snprintf(name, sizeof name, "step.%03zu.timestep", middle);
    if (middle == 0 || ff_verify_dump_floats(&v->dump, name, 1, shape, &value, NULL, NULL) || !value)
        return NAN;
    double dumped = value[0] / 1000;
    free(value);
    bool unipc = strcmp(ff_schedule_name(schedule), "unipc") == 0;
    // from shift s / (1 + (shift - 1) s) back to s, and to the shift that makes the dumped ones of it; UniPC truncates
    double plain = sigma / (now - (now - 1) * sigma);
    if (unipc)
        dumped += 0.0005;
    double shift = dumped * (1 - plain) / (plain * (1 - dumped));
    if (!(shift > 0.01 && shift < 1000))
        return NAN;
    double rounded = round(shift * 10) / 10;
    return fabs(rounded - shift) < 0.05 * shift ? rounded : shift;
}

static bool has_timesteps(const ff_solver_replay *r, const ff_schedule *schedule, size_t *first_wrong, float *found,
                          double *largest)
{
    ff_verifier *v = r->v;
    bool all = true;
    *largest = 0;
    for (size_t step = 0; step < v->dump.last_step && r->first + step < r->steps; step++) {
        char name[48];
        size_t shape[1] = {1};
        float *value;
        snprintf(name, sizeof name, "step.%03zu.timestep", step);
        if (ff_verify_dump_floats(&v->dump, name, 1, shape, &value, NULL, v->error) || !value)
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

static void judge_timesteps(ff_verifier *v, ff_solver_replay *r, const ff_schedule *schedule)
{
    ff_stage_finding *finding = ff_finding_of(&v->findings, "scheduler");
    size_t wrong = 0, other_wrong;
    float found = 0, other_found;
    double largest, other_largest;
    char name[48];
    if (!ff_verify_dump_has(&v->dump, "step.000.timestep"))
        return;
    if (has_timesteps(r, schedule, &wrong, &found, &largest))
        return;
    snprintf(name, sizeof name, "step.%03zu.timestep", wrong);
    float right = ff_schedule_timestep(schedule, r->first + wrong);
    // a bf16 program may hold its timesteps in bf16
    float rounded = right;
    ff_round_floats(v->dump.dtype, 1, &rounded);
    if (v->dump.dtype_given && rounded == found) {
        ff_finding_add(finding, FF_ROUNDING, name, fabs((double)found - right) / right, 0x1p-8);
        return;
    }
    if (!ff_finding_add(finding, FF_FAULT, name, fabs((double)found - right) / right, 1e-5))
        return;
    snprintf(finding->where, sizeof finding->where, "it is %.7g, the schedule has %.7g", (double)found, (double)right);
    r->fitted_shift = fit_shift(r, schedule);
    ff_schedule *other = NULL;
    ff_solver_variant shifted = {.shift = FF_SOLVER_FITTED}, swapped = {.kind = 1};
    if (largest < 1.001) {
        snprintf(finding->cause, sizeof finding->cause, "timesteps are not truncated to whole numbers as this "
                 "scheduler's are");
    } else if (!isnan(r->fitted_shift) && !ff_solver_schedule(r, &shifted, &other) &&
               (has_timesteps(r, other, &other_wrong, &other_found, &other_largest) || other_largest < 8)) {
        snprintf(finding->cause, sizeof finding->cause, "the schedule's shift is %.3g; the run's is %.3g",
                 r->fitted_shift, ff_schedule_flow_shift(schedule));
    } else {
        ff_schedule_destroy(other);
        other = NULL;
        if (!ff_solver_schedule(r, &swapped, &other) &&
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

static ff_status judge_step(ff_verifier *v, ff_solver_replay *r, const float *dumped, ff_precision precision)
{
    static const ff_solver_variant right = {0};
    const ff_verify_dump *dump = &v->dump;
    char name[48];
    float *ours = malloc(3 * r->n * sizeof *ours), *rounded, *masked;
    if (!ours)
        return ff_fail(v->error, FF_ERROR_MEMORY, "not enough memory for the scheduler's tensors");
    rounded = ours + r->n;
    masked = rounded + r->n;
    memcpy(masked, dumped, r->n * sizeof *masked);
    ff_solver_forget_known(r, masked);
    snprintf(name, sizeof name, "step.%03zu.latents", r->target);
    ff_status status = ff_solver_replay_step(r, &right, ff_verify_kernels(), ours, v->error);
    ff_case judged = {
        .tensor = name, .precision = precision, .dumped = masked, .exact = ours, .rounded = rounded,
        .slices = {v->model->facts.latent_channels, dump->frames, dump->height * dump->width, "latent frame"},
        .equal = !status && ff_floats_equal(ours, masked, r->n),
        .search = {.mistakes = ff_solver_mistakes, .count = ff_solver_mistake_count, .parts = 1,
                   .variant_size = sizeof(ff_solver_variant), .replay = ff_solver_replay_step, .user = r}};
    if (!status && !judged.equal) {
        memcpy(rounded, ours, r->n * sizeof *ours);
        for (size_t i = 0; i < r->n; i++)  // what the coefficients' rounding may do, in either direction
            rounded[i] *= 1 + (i % 2 ? 1 : -1) * (float)COEFFICIENT_ROUNDING / 8;
        ff_round_floats(precision, r->n, rounded);
        status = ff_solver_replay_step(r, &right, ff_verify_exact(), ours, v->error);
    }
    if (!status)
        status = ff_judge(v, ff_finding_of(&v->findings, "scheduler"), &judged, NULL);
    free(ours);
    return status;
}

// The latents at the end are those of the last step, known cells as they are known.
static ff_status judge_last_selection(ff_verifier *v, const ff_solver_replay *r)
{
    const ff_verify_dump *dump = &v->dump;
    ff_stage_finding *finding = ff_finding_of(&v->findings, "anchor");
    size_t channels = v->model->facts.latent_channels, cells = r->n / channels;
    size_t shape[4] = {channels, dump->frames, dump->height, dump->width};
    size_t known_shape[4] = {channels, 0, dump->height, dump->width};
    float *latents, *last = NULL, *known = NULL;
    ff_status status = ff_verify_dump_floats(dump, "latents", 4, shape, &latents, NULL, v->error);
    if (!status && latents && r->first + dump->last_step == r->steps)
        status = ff_solver_read(v, dump->last_step - 1, "latents", &last, NULL);
    if (!status && last)
        status = ff_verify_dump_floats(dump, "anchor.known", 4, known_shape, &known, NULL, v->error);
    bool whole = known && known_shape[1] == dump->frames;
    if (!status && last && (r->mask || !ff_verify_dump_has(dump, "image"))) {
        for (size_t i = 0; i < r->n; i++)
            if (r->mask && r->mask[i % cells] == 0)
                last[i] = whole ? known[i] : latents[i];
        double error = ff_relative_distance(latents, last, r->n);
        if (ff_floats_equal(latents, last, r->n))
            ff_finding_add(finding, FF_EQUAL, "latents", 0, 0);
        else if (error < (dump->dtype == FF_SINGLE ? 1e-6 : 0x1p-8))
            ff_finding_add(finding, FF_ROUNDING, "latents", error, 1e-6);
        else if (ff_finding_add(finding, FF_FAULT, "latents", error, 1e-6) && r->mask)
            snprintf(finding->cause, sizeof finding->cause, "at the end the known latents are not put back");
    }
    free(latents);
    free(last);
    free(known);
    return status;
}

static ff_status judge_steps(ff_verifier *v, ff_solver_replay *r, bool multistep)
{
    ff_stage_finding *finding = ff_finding_of(&v->findings, "scheduler");
    ff_status status = FF_OK;
    bool gap = false;
    for (size_t step = 0; step < v->dump.last_step && r->first + step < r->steps && !status; step++) {
        char before[48];
        float *dumped;
        ff_precision precision;
        snprintf(before, sizeof before, "step.%03zu.latents", step ? step - 1 : 0);
        bool has_before = step ? ff_verify_dump_has(&v->dump, "%s", before) : ff_verify_dump_has(&v->dump, "noise");
        bool has_prediction = ff_verify_dump_has(&v->dump, "step.%03zu.noise_pred", step);
        if (!has_before || !has_prediction) {
            gap = gap || multistep;
            ff_finding_missing(finding, has_before ? "step.NNN.noise_pred" : step ? before : "noise");
            continue;
        }
        if (gap)
            continue;
        status = ff_solver_read(v, step, "latents", &dumped, &precision);
        r->target = step;
        if (!status && dumped)
            status = judge_step(v, r, dumped, precision);
        else if (!status)
            ff_finding_missing(finding, "step.NNN.latents");
        free(dumped);
    }
    return status;
}

ff_status ff_verify_scheduler(ff_verifier *v)
{
    const ff_verify_dump *dump = &v->dump;
    ff_stage_finding *finding = ff_finding_of(&v->findings, "scheduler");
    size_t mask_shape[4] = {1, dump->frames, dump->height, dump->width};
    ff_solver_replay r = {.v = v, .steps = dump->steps, .fitted_shift = NAN,
                          .n = v->model->facts.latent_channels * dump->frames * dump->height * dump->width};
    ff_schedule *schedule;
    float *mask = NULL;
    ff_finding_missing(finding, "step.000.latents");
    if (!dump->last_step || !dump->height)
        return FF_OK;
    if (r.steps < dump->last_step)
        return ff_fail(v->error, FF_ERROR_INPUT, "%s: its metadata has %zu steps, but there is a step %zu",
                       dump->path, r.steps, dump->last_step - 1);
    ff_status status = ff_solver_schedule(&r, &(ff_solver_variant){0}, &schedule);
    if (status)
        return status;
    r.first = ff_solver_first(v, schedule);
    judge_timesteps(v, &r, schedule);
    status = ff_verify_dump_floats(dump, "anchor.mask", 4, mask_shape, &mask, NULL, v->error);
    r.mask = mask;
    if (!status)
        status = judge_steps(v, &r, strcmp(ff_schedule_name(schedule), "unipc") == 0);
    if (!status)
        status = judge_last_selection(v, &r);
    free(mask);
    ff_schedule_destroy(schedule);
    return status;
}

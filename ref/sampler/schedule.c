#include "schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "unipc.h"

struct ff_schedule {
    ff_scheduler kind;                 // FF_SCHEDULER_UNIPC or FF_SCHEDULER_EULER
    size_t steps, train_timesteps;
    double flow_shift;
    float sigmas[FF_MOST_STEPS + 1];
    float timesteps[FF_MOST_STEPS];
    // UniPC
    size_t order;
    bool bh1, lower_order_final, final_sigma_min;
    bool uncorrected[FF_MOST_STEPS + 1];  // no correction of what this step arrived at
};

// ---- options ----

// Fails if the option is true: the class has it, this library does not.
static ff_status refuse_flag(const ff_config *config, const char *key, ff_error *error)
{
    bool set;
    ff_status status = ff_config_bool(config, key, false, &set, error);
    if (status)
        return status;
    if (set)
        return ff_fail(error, FF_ERROR_INPUT, "%s: %s true is not supported, it must be false", ff_config_path(config),
                       key);
    return FF_OK;
}

static ff_status refuse_flags(const ff_config *config, size_t count, const char *const *keys, ff_error *error)
{
    for (size_t i = 0; i < count; i++) {
        ff_status status = refuse_flag(config, keys[i], error);
        if (status)
            return status;
    }
    return FF_OK;
}

static ff_status refuse_terminal(const ff_config *config, ff_error *error)
{
    double terminal;
    ff_status status = ff_config_number(config, "shift_terminal", 0, &terminal, error);
    if (status)
        return status;
    if (terminal != 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: shift_terminal %g is not supported, it must be null",
                       ff_config_path(config), terminal);
    return FF_OK;
}

static ff_status read_unipc_names(const ff_config *config, ff_schedule *schedule, ff_error *error)
{
    const char *path = ff_config_path(config);
    const char *prediction, *solver, *final;
    ff_status status;
    if ((status = ff_config_string(config, "prediction_type", "epsilon", &prediction, error)) ||
        (status = ff_config_string(config, "solver_type", "bh2", &solver, error)) ||
        (status = ff_config_string(config, "final_sigmas_type", "zero", &final, error)))
        return status;
    if (strcmp(prediction, "flow_prediction") != 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: prediction_type is \"%s\", expected \"flow_prediction\"", path,
                       prediction);

    schedule->bh1 = strcmp(solver, "bh1") == 0;
    bool bh2 = strcmp(solver, "bh2") == 0 || strcmp(solver, "midpoint") == 0 || strcmp(solver, "heun") == 0 ||
               strcmp(solver, "logrho") == 0;  // diffusers reads the last three as bh2
    if (!schedule->bh1 && !bh2)
        return ff_fail(error, FF_ERROR_INPUT, "%s: solver_type is \"%s\", expected \"bh1\" or \"bh2\"", path, solver);

    schedule->final_sigma_min = strcmp(final, "sigma_min") == 0;
    if (!schedule->final_sigma_min && strcmp(final, "zero") != 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: final_sigmas_type is \"%s\", expected \"zero\" or \"sigma_min\"",
                       path, final);
    return FF_OK;
}

static ff_status read_unipc(const ff_config *config, ff_schedule *schedule, ff_error *error)
{
    static const char *const refused[] = {"thresholding", "use_karras_sigmas", "use_exponential_sigmas",
                                          "use_beta_sigmas", "use_dynamic_shifting"};
    const char *path = ff_config_path(config);
    bool flow_sigmas, predicts_original;
    size_t disabled[FF_MOST_STEPS], count = FF_MOST_STEPS;
    ff_status status;
    if ((status = refuse_flags(config, sizeof refused / sizeof *refused, refused, error)) ||
        (status = refuse_terminal(config, error)) || (status = read_unipc_names(config, schedule, error)) ||
        (status = ff_config_bool(config, "use_flow_sigmas", false, &flow_sigmas, error)) ||
        (status = ff_config_bool(config, "predict_x0", true, &predicts_original, error)) ||
        (status = ff_config_bool(config, "lower_order_final", true, &schedule->lower_order_final, error)) ||
        (status = ff_config_size(config, "solver_order", 2, 1, FF_UNIPC_MOST_ORDER, &schedule->order, error)) ||
        (status = ff_config_sizes(config, "disable_corrector", disabled, &count, error)))
        return status;
    if (!flow_sigmas)
        return ff_fail(error, FF_ERROR_INPUT, "%s: use_flow_sigmas false is not supported, it must be true", path);
    if (!predicts_original)
        return ff_fail(error, FF_ERROR_INPUT, "%s: predict_x0 false is not supported, it must be true", path);
    if (ff_config_has(config, "solver_p"))
        return ff_fail(error, FF_ERROR_INPUT, "%s: a solver_p is not supported, it must be null", path);
    if (!schedule->lower_order_final && !schedule->final_sigma_min && schedule->order > 1)
        return ff_fail(error, FF_ERROR_INPUT, "%s: lower_order_final false needs final_sigmas_type \"sigma_min\": a "
                       "higher order has no limit at noise level zero", path);
    for (size_t i = 0; i < count; i++)
        if (disabled[i] < FF_MOST_STEPS)
            schedule->uncorrected[disabled[i]] = true;
    return FF_OK;
}

static ff_status read_euler(const ff_config *config, ff_error *error)
{
    static const char *const refused[] = {"use_dynamic_shifting", "use_karras_sigmas", "use_exponential_sigmas",
                                          "use_beta_sigmas", "invert_sigmas", "stochastic_sampling"};
    ff_status status = refuse_flags(config, sizeof refused / sizeof *refused, refused, error);
    return status ? status : refuse_terminal(config, error);
}

// UniPC calls it flow_shift, Euler shift.
static ff_status read_shift(const ff_config *config, double *shift, ff_error *error)
{
    const char *key = ff_config_has(config, "flow_shift") ? "flow_shift" : "shift";
    return ff_config_number(config, key, 1, shift, error);
}

static ff_status read_options(const ff_config *config, ff_scheduler kind, ff_schedule *schedule, ff_error *error)
{
    const char *name;
    ff_status status = ff_config_string(config, "_class_name", "", &name, error);
    if (status)
        return status;
    bool unipc = strcmp(name, "UniPCMultistepScheduler") == 0;
    bool euler = strcmp(name, "FlowMatchEulerDiscreteScheduler") == 0;
    if (kind == FF_SCHEDULER_MODEL && !unipc && !euler)
        return ff_fail(error, FF_ERROR_INPUT, "%s: _class_name is %s\"%.100s\", expected \"UniPCMultistepScheduler\" or "
                       "\"FlowMatchEulerDiscreteScheduler\"", ff_config_path(config), *name ? "" : "missing or ", name);
    if ((status = ff_config_size(config, "num_train_timesteps", 1000, 1, 1000000, &schedule->train_timesteps, error)))
        return status;
    if (isnan(schedule->flow_shift) && (status = read_shift(config, &schedule->flow_shift, error)))
        return status;

    if (kind != FF_SCHEDULER_MODEL)
        schedule->kind = kind;
    else
        schedule->kind = unipc ? FF_SCHEDULER_UNIPC : FF_SCHEDULER_EULER;
    schedule->order = 2;  // Wan's published options
    schedule->lower_order_final = true;
    if (schedule->kind == FF_SCHEDULER_UNIPC && unipc)
        return read_unipc(config, schedule, error);
    if (schedule->kind == FF_SCHEDULER_EULER && euler)
        return read_euler(config, error);
    return FF_OK;
}

// ---- noise levels ----

static double shifted(double shift, double sigma)
{
    return shift * sigma / (1 + (shift - 1) * sigma);
}

// diffusers computes these two levels with float32 tensors.
static float shifted_f32(double shift, float sigma)
{
    return (float)shift * sigma / (1 + (float)(shift - 1) * sigma);
}

static void fill_unipc(ff_schedule *schedule)
{
    double train = (double)schedule->train_timesteps;
    double step = (1 / train - 1) / (double)schedule->steps;
    for (size_t i = 0; i < schedule->steps; i++) {
        double sigma = shifted(schedule->flow_shift, 1 + (double)i * step);
        if (i == 0 && fabs(sigma - 1) < 1e-6)
            sigma -= 1e-6;  // keeps the solver's time, log((1 - sigma) / sigma), finite
        schedule->sigmas[i] = (float)sigma;
        schedule->timesteps[i] = (float)floor(sigma * train);
    }
    schedule->sigmas[schedule->steps] = schedule->final_sigma_min ? schedule->sigmas[schedule->steps - 1] : 0;
}

// The levels run between limits that are themselves shifted, and are shifted again.
static void fill_euler(ff_schedule *schedule)
{
    double shift = schedule->flow_shift, train = (double)schedule->train_timesteps;
    double first = shifted_f32(shift, 1) * train;
    double last = shifted_f32(shift, 1 / (float)schedule->train_timesteps) * train;
    size_t intervals = schedule->steps > 1 ? schedule->steps - 1 : 1;
    double step = (last - first) / (double)intervals;
    for (size_t i = 0; i < schedule->steps; i++) {
        double timestep = i > 0 && i == intervals ? last : first + (double)i * step;
        schedule->sigmas[i] = (float)shifted(shift, timestep / train);
        schedule->timesteps[i] = schedule->sigmas[i] * (float)schedule->train_timesteps;
    }
    schedule->sigmas[schedule->steps] = 0;
}

// path: of the config if the shift is from there, to be named in messages; else NULL.
static ff_status check_shift(const ff_schedule *schedule, const char *path, ff_error *error)
{
    if (schedule->flow_shift > 0 && schedule->flow_shift < INFINITY)
        return FF_OK;
    return ff_fail(error, FF_ERROR_INPUT, "%s%sa flow shift of %g: expected a number above 0", path ? path : "",
                   path ? ": " : "", schedule->flow_shift);
}

static ff_status check_sigmas(const ff_schedule *schedule, const char *path, ff_error *error)
{
    const float *sigmas = schedule->sigmas;
    bool falling = sigmas[0] <= 1 && sigmas[schedule->steps - 1] > 0;
    for (size_t i = 1; i < schedule->steps; i++)
        falling = falling && sigmas[i] < sigmas[i - 1];
    if (!falling)
        return ff_fail(error, FF_ERROR_INPUT, "%s%sa flow shift of %g leaves no %zu falling noise levels: try one "
                       "nearer to 1, or fewer steps", path ? path : "", path ? ": " : "", schedule->flow_shift,
                       schedule->steps);
    return FF_OK;
}

ff_status ff_schedule_create(const ff_config *config, ff_scheduler kind, double flow_shift, size_t steps,
                             ff_schedule **out, ff_error *error)
{
    *out = NULL;
    if (steps < 1 || steps > FF_MOST_STEPS)
        return ff_fail(error, FF_ERROR_INPUT, "%zu steps: expected 1 to %d", steps, FF_MOST_STEPS);
    ff_schedule *schedule = calloc(1, sizeof *schedule);
    if (!schedule)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for the schedule");
    schedule->steps = steps;
    schedule->flow_shift = flow_shift;
    const char *path = isnan(flow_shift) ? ff_config_path(config) : NULL;
    ff_status status = read_options(config, kind, schedule, error);
    if (status)
        goto failed;
    status = check_shift(schedule, path, error);
    if (status)
        goto failed;
    if (schedule->kind == FF_SCHEDULER_UNIPC)
        fill_unipc(schedule);
    else
        fill_euler(schedule);
    status = check_sigmas(schedule, path, error);
    if (status)
        goto failed;
    *out = schedule;
    return FF_OK;
failed:
    free(schedule);
    return status;
}

void ff_schedule_destroy(ff_schedule *schedule)
{
    free(schedule);
}

const char *ff_schedule_name(const ff_schedule *schedule)
{
    return schedule->kind == FF_SCHEDULER_UNIPC ? "unipc" : "euler";
}

double ff_schedule_flow_shift(const ff_schedule *schedule)
{
    return schedule->flow_shift;
}

size_t ff_schedule_steps(const ff_schedule *schedule)
{
    return schedule->steps;
}

float ff_schedule_timestep(const ff_schedule *schedule, size_t i)
{
    return schedule->timesteps[i];
}

float ff_schedule_sigma(const ff_schedule *schedule, size_t i)
{
    return schedule->sigmas[i];
}

// ---- a noised original ----

size_t ff_schedule_start(size_t steps, double strength)
{
    double wanted = floor((double)steps * strength);
    if (!(wanted >= 1))
        return steps - 1;
    return wanted < (double)steps ? steps - (size_t)wanted : 0;
}

void ff_schedule_noise(const ff_kernels *kernels, float sigma, size_t n, const float *original, const float *noise,
                       float *out)
{
    const float *x[] = {original, noise};
    const float k[] = {1.0f - sigma, sigma};
    kernels->combine(kernels, n, 2, x, k, out);
}

// ---- stepping ----

struct ff_schedule_state {
    size_t n, steps, order;            // order 0: a solver without memory
    size_t done;                       // steps taken
    size_t next;                       // the step to come, if done > 0
    size_t last_order;                 // of the last prediction
    float *outputs[FF_UNIPC_MOST_ORDER + 1];  // predictions of the original, newest first; the last one is spare
    float *last_sample;                // what the last prediction started from
    float *memory;
};

ff_status ff_schedule_state_create(const ff_schedule *schedule, size_t n, ff_schedule_state **out, ff_error *error)
{
    *out = NULL;
    ff_schedule_state *state = calloc(1, sizeof *state);
    if (!state)
        return ff_fail(error, FF_ERROR_MEMORY, "no memory for the scheduler's state");
    state->n = n;
    state->steps = schedule->steps;
    if (schedule->kind == FF_SCHEDULER_UNIPC) {
        state->order = schedule->order;
        size_t buffers = state->order + 2, floats;
        if (ff_multiply_sizes(n, buffers, &floats))
            state->memory = calloc(floats ? floats : 1, sizeof *state->memory);
        if (!state->memory) {
            free(state);
            return ff_fail(error, FF_ERROR_MEMORY, "no memory for the scheduler's %zu tensors of %zu numbers", buffers,
                           n);
        }
        for (size_t i = 0; i <= state->order; i++)
            state->outputs[i] = state->memory + i * n;
        state->last_sample = state->memory + (state->order + 1) * n;
    }
    *out = state;
    return FF_OK;
}

void ff_schedule_state_destroy(ff_schedule_state *state)
{
    if (state)
        free(state->memory);
    free(state);
}

static void step_euler(const ff_schedule *schedule, const ff_kernels *kernels, size_t i, size_t n,
                       const float *noise_pred, float *latents)
{
    const float *x[] = {latents, noise_pred};
    const float k[] = {1.0f, schedule->sigmas[i + 1] - schedule->sigmas[i]};
    kernels->combine(kernels, n, 2, x, k, latents);
}

// Corrects the sample at sigma i with the output just computed there, then predicts the one at sigma i + 1.
static void step_unipc(const ff_schedule *schedule, ff_schedule_state *state, const ff_kernels *kernels, size_t i,
                       const float *noise_pred, float *latents)
{
    const float *x[FF_UNIPC_MOST_TERMS];
    float k[FF_UNIPC_MOST_TERMS];

    float *original = state->outputs[state->order];  // sample - sigma * noise_pred
    x[0] = latents, x[1] = noise_pred;
    k[0] = 1.0f, k[1] = -schedule->sigmas[i];
    kernels->combine(kernels, state->n, 2, x, k, original);

    if (state->done > 0 && !schedule->uncorrected[i - 1]) {
        size_t order = state->last_order;
        ff_unipc_correct(schedule->sigmas, i, order, schedule->bh1, k);
        x[0] = state->last_sample;
        for (size_t j = 0; j < order; j++)
            x[j + 1] = state->outputs[j];
        x[order + 1] = original;
        kernels->combine(kernels, state->n, order + 2, x, k, latents);
    }

    memmove(state->outputs + 1, state->outputs, state->order * sizeof *state->outputs);
    state->outputs[0] = original;
    if (state->n)
        memcpy(state->last_sample, latents, state->n * sizeof *latents);

    size_t order = schedule->order;
    if (schedule->lower_order_final && order > schedule->steps - i)
        order = schedule->steps - i;
    if (order > state->done + 1)
        order = state->done + 1;
    ff_unipc_predict(schedule->sigmas, i, order, schedule->bh1, k);
    x[0] = state->last_sample;
    for (size_t j = 0; j < order; j++)
        x[j + 1] = state->outputs[j];
    kernels->combine(kernels, state->n, order + 1, x, k, latents);
    state->last_order = order;
}

ff_status ff_schedule_step(const ff_schedule *schedule, ff_schedule_state *state, const ff_kernels *kernels, size_t i,
                           const float *noise_pred, float *latents, ff_error *error)
{
    if (i >= schedule->steps || (state->done > 0 && i != state->next))
        return ff_fail(error, FF_ERROR_INPUT, "step %zu of %zu does not follow the %zu taken", i, schedule->steps,
                       state->done);
    if (schedule->kind == FF_SCHEDULER_UNIPC)
        step_unipc(schedule, state, kernels, i, noise_pred, latents);
    else
        step_euler(schedule, kernels, i, state->n, noise_pred, latents);
    state->done++;
    state->next = i + 1;
    return FF_OK;
}

// ---- saving ----

// As saved: these words, then the outputs, newest first, then the last sample.
enum { WORD_STEPS, WORD_ORDER, WORD_N, WORD_DONE, WORD_NEXT, WORD_LAST_ORDER, WORDS };

size_t ff_schedule_state_size(const ff_schedule_state *state)
{
    size_t tensors = state->order ? state->order + 1 : 0;
    return WORDS * sizeof(uint64_t) + tensors * state->n * sizeof(float);
}

void ff_schedule_state_save(const ff_schedule_state *state, void *bytes)
{
    const uint64_t words[WORDS] = {state->steps, state->order, state->n, state->done, state->next, state->last_order};
    unsigned char *at = bytes;
    memcpy(at, words, sizeof words);
    at += sizeof words;
    if (!state->memory)
        return;
    size_t tensor = state->n * sizeof(float);
    for (size_t j = 0; j < state->order; j++, at += tensor)
        memcpy(at, state->outputs[j], tensor);
    memcpy(at, state->last_sample, tensor);
}

ff_status ff_schedule_state_load(ff_schedule_state *state, const void *bytes, size_t size, ff_error *error)
{
    if (size != ff_schedule_state_size(state))
        return ff_fail(error, FF_ERROR_INPUT, "the scheduler's state has %zu bytes, expected %zu", size,
                       ff_schedule_state_size(state));
    uint64_t words[WORDS];
    const unsigned char *at = bytes;
    memcpy(words, at, sizeof words);
    at += sizeof words;
    bool fits = words[WORD_STEPS] == state->steps && words[WORD_ORDER] == state->order && words[WORD_N] == state->n;
    bool predicted = state->order > 0 && words[WORD_DONE] > 0;
    bool sound = words[WORD_NEXT] <= state->steps && words[WORD_DONE] <= words[WORD_NEXT] &&
                 words[WORD_LAST_ORDER] <= state->order && words[WORD_LAST_ORDER] <= words[WORD_DONE] &&
                 words[WORD_LAST_ORDER] >= predicted;
    if (!fits || !sound)
        return ff_fail(error, FF_ERROR_INPUT, "the scheduler's state is of another run");
    state->done = words[WORD_DONE];
    state->next = words[WORD_NEXT];
    state->last_order = words[WORD_LAST_ORDER];
    if (!state->memory)
        return FF_OK;
    size_t tensor = state->n * sizeof(float);
    for (size_t j = 0; j < state->order; j++, at += tensor)
        memcpy(state->outputs[j], at, tensor);
    memcpy(state->last_sample, at, tensor);
    return FF_OK;
}

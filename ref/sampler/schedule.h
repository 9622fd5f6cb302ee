// Noise levels and the step from one to the next: diffusers' UniPCMultistepScheduler as Wan ships it, and its
// FlowMatchEulerDiscreteScheduler. sample = (1 - sigma) * original + sigma * noise, and the model predicts
// noise - original.
#ifndef FF_SCHEDULE_H
#define FF_SCHEDULE_H

#include "../kernels/kernels.h"
#include "../weights/weights.h"

enum { FF_MOST_STEPS = 1000 };

typedef struct ff_schedule ff_schedule;

// config: scheduler_config.json.   kind: FF_SCHEDULER_MODEL takes the class and options of the config; another one
// takes only num_train_timesteps and the shift from it, and Wan's published options for the rest.
// flow_shift: NaN for the config's.   steps: 1 to FF_MOST_STEPS.
// FF_ERROR_INPUT: another class, an option that is not supported, a shift that gives no falling noise levels.
ff_status ff_schedule_create(const ff_config *config, ff_scheduler kind, double flow_shift, size_t steps,
                             ff_schedule **out, ff_error *error);
void ff_schedule_destroy(ff_schedule *schedule);  // NULL allowed

const char *ff_schedule_name(const ff_schedule *schedule);  // "unipc" or "euler"
double ff_schedule_flow_shift(const ff_schedule *schedule);
size_t ff_schedule_steps(const ff_schedule *schedule);
// What the model is given at step i: whole numbers in UniPC, which truncates them; fractional ones in Euler.
float ff_schedule_timestep(const ff_schedule *schedule, size_t i);
// The noise level before step i; i = steps gives the last one.
float ff_schedule_sigma(const ff_schedule *schedule, size_t i);

// ---- a noised original instead of noise ----

// The step a run of this strength (0 to 1) starts with, as diffusers' WanVideoToVideoPipeline chooses it; at least one
// step is left, where diffusers would fail.
size_t ff_schedule_start(size_t steps, double strength);
// out = (1 - sigma) * original + sigma * noise.   [n] each; out may be either
void ff_schedule_noise(const ff_kernels *kernels, float sigma, size_t n, const float *original, const float *noise,
                       float *out);

// ---- stepping ----

// What a multistep solver remembers of one run. Freed by ff_schedule_state_destroy.
typedef struct ff_schedule_state ff_schedule_state;

// n: elements of the latents.
ff_status ff_schedule_state_create(const ff_schedule *schedule, size_t n, ff_schedule_state **out, ff_error *error);
void ff_schedule_state_destroy(ff_schedule_state *state);  // NULL allowed

// Step i: from sigma i to sigma i + 1.   noise_pred: [n], after guidance   latents: [n] in place
// The first step of a state may be any; the others must follow it one by one (FF_ERROR_INPUT otherwise).
ff_status ff_schedule_step(const ff_schedule *schedule, ff_schedule_state *state, const ff_kernels *kernels, size_t i,
                           const float *noise_pred, float *latents, ff_error *error);

// The state as bytes, to go on later to identical bits. The size is the same after every step.
size_t ff_schedule_state_size(const ff_schedule_state *state);
void ff_schedule_state_save(const ff_schedule_state *state, void *bytes);
// state: freshly created for the same schedule and n, or FF_ERROR_INPUT.
ff_status ff_schedule_state_load(ff_schedule_state *state, const void *bytes, size_t size, ff_error *error);

#endif

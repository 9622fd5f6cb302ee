// A step of the scheduler once more, from the dump's own latents and predictions, with the mistakes that ports make as
// switches. With every switch at 0 it gives the bits of ref/sampler.
#ifndef FF_VERIFY_SOLVER_H
#define FF_VERIFY_SOLVER_H

#include "sampler/schedule.h"
#include "verify_parts.h"

enum { FF_SOLVER_FITTED = 1000 };

typedef struct ff_solver_variant {
    int nothing;
    int kind;          // 1: the other scheduler
    int shift;         // index into a list, FF_SOLVER_FITTED for the one the timesteps tell
    int order;         // 1 to 3
    int solver;        // 1: bh1 for bh2 and the reverse
    int uncorrected;   // 1: no corrector
    int sign;          // 1: of the prediction
    int final_order;   // 1: lower_order_final the other way
    int sigmas;        // 1: timestep / 1000 as noise level, 2: the levels of the step after
} ff_solver_variant;

typedef struct ff_solver_replay {
    ff_verifier *v;
    size_t steps, first, target;   // of the run; index of the dump's step 0 in it; the dump's step to compute
    size_t n;
    double fitted_shift;
    const float *mask;             // [cells] or NULL
} ff_solver_replay;

extern const ff_mistake ff_solver_mistakes[];
extern const size_t ff_solver_mistake_count;

// step.NNN.PART of the dump, as large as the latents; NULL in *out if it is not there.
ff_status ff_solver_read(const ff_verifier *v, size_t step, const char *part, float **out, ff_precision *precision);
ff_status ff_solver_schedule(const ff_solver_replay *r, const ff_solver_variant *variant, ff_schedule **out);
// A run below full strength starts later: the step whose timestep the dump's first one has.
size_t ff_solver_first(const ff_verifier *v, const ff_schedule *schedule);
// Cells known by the mask are meaningless, and become 0.
void ff_solver_forget_known(const ff_solver_replay *r, float *x);
// An ff_replay: the latents after the target step.   user: ff_solver_replay   variant: ff_solver_variant
ff_status ff_solver_replay_step(void *user, const void *variant, const ff_kernels *kernels, float *out,
                                ff_error *error);

#endif

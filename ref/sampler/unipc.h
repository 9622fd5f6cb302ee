// UniPC (Zhao et al., "UniPC: A Unified Predictor-Corrector Framework", 2023) on flow-matching noise levels, data
// prediction: what diffusers' UniPCMultistepScheduler does with use_flow_sigmas and predict_x0. Both updates are
// linear in the samples and model outputs, so each comes down to a few coefficients for kernels->combine.
#ifndef FF_UNIPC_H
#define FF_UNIPC_H

#include <stdbool.h>
#include <stddef.h>

enum { FF_UNIPC_MOST_ORDER = 3, FF_UNIPC_MOST_TERMS = FF_UNIPC_MOST_ORDER + 2 };

// sigmas: noise levels; sample = (1 - sigma) * original + sigma * noise.   order: of this update, 1 to 3.
// With m0 the model output (as a prediction of the original) at the level the update starts from, m1, m2 those at the
// levels before it:

// The sample at sigmas[i + 1] = k[0] * (sample at sigmas[i]) + k[1] * m0 + k[2] * m1 + ...      order + 1 terms
void ff_unipc_predict(const float *sigmas, size_t i, size_t order, bool bh1, float *k);

// The sample at sigmas[i], corrected by its own model output m = k[0] * (sample at sigmas[i - 1]) + k[1] * m0 + ...
// + k[order + 1] * m      order + 2 terms
void ff_unipc_correct(const float *sigmas, size_t i, size_t order, bool bh1, float *k);

#endif

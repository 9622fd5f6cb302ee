// What the parts of verify_wan.h are put together from. Every switch is that of ff_wan_variant.
#ifndef FF_VERIFY_WAN_LAYERS_H
#define FF_VERIFY_WAN_LAYERS_H

#include "verify_wan.h"

// The model's own, or another of the list.
float ff_wan_epsilon(const ff_wan *w, int index);

// out: [rows, columns] = x: [rows, depth] times the weight, for the layer numbered `id`; transposed takes the weight's
// memory as [depth, columns].
ff_status ff_wan_linear(const ff_wan *w, int id, const ff_linear *layer, size_t rows, const float *x, float *out);
void ff_wan_activate(const ff_kernels *kernels, int which, size_t n, float *x);

// The groups of tokens with one timestep, their vectors `stride` apart. Where one token's timestep is taken for all,
// *offset is where its vectors begin, else 0.
ff_groups ff_wan_token_groups(const ff_wan *w, int timesteps, size_t stride, size_t *offset);
// out = modulate(norm(hidden)), [tokens, dim].   how: the variant's norm   plain: scale instead of 1 + scale
void ff_wan_norm_modulate(const ff_wan *w, const float *hidden, ff_modulation modulation, int how, int eps_index,
                          int plain, float *out);

// ---- attention ----

// Rotary embedding of x: [tokens, dim], in place.
void ff_wan_rotate(const ff_wan *w, const float *rotary, float *x);
// q or k in place.   how: the variant's q_norm or k_norm   weight: [dim]
void ff_wan_qk_norm(const ff_wan *w, const ff_wan_attention *variant, int how, size_t rows, const float *weight,
                    float *x);
// out: [tokens, dim]; q, k and v may be regrouped in place.
ff_status ff_wan_attend(const ff_wan *w, const ff_wan_attention *variant, size_t keys, float *q, float *k, float *v,
                        float *out);

#endif

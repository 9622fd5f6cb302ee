// LoRA files (Hu 2021): small changes to a transformer's weights, under the names that trainers and converters give them.
// W' = W + strength * alpha / rank * B A for a low-rank pair, W + strength * D for a difference (.diff).
#ifndef FF_LORA_H
#define FF_LORA_H

#include "linear.h"

// Keys of all layouts come down to a module, A and B (lora_A and lora_B, lora_down and lora_up), alpha, and differences of
// its weight and bias. Module names are compared without prefix, with "_" for "."; diffusers' and the original's are known.
typedef struct ff_lora ff_lora;

// FF_ERROR_INPUT: the file cannot be read or is no LoRA; one of a kind that is not computed (LoHa, LoKr, DoRA ...); A
// without B; shapes that do not fit each other.
ff_status ff_lora_open(const char *path, double strength, ff_lora **out, ff_error *error);
void ff_lora_close(ff_lora *lora);  // NULL allowed

const ff_weights *ff_lora_weights(const ff_lora *lora);
double ff_lora_strength(const ff_lora *lora);
// `unmatched` counts what the two functions below were not asked for.
ff_lora_facts ff_lora_describe(const ff_lora *lora);
// What its unmatched tensors seem to be for: "the UNet of Stable Diffusion".
const char *ff_lora_purpose(const ff_lora *lora);

// What is added to the product of a weight [columns, depth], by diffusers' name of it: B A, then D.
// FF_ERROR_INPUT: they have other shapes.
enum { FF_LORA_MOST = 2 };
ff_status ff_lora_products(ff_lora *lora, const char *name, size_t columns, size_t depth,
                           ff_linear_addition out[FF_LORA_MOST], size_t *count, ff_error *error);

// factor * values is added to a vector or a bias.
typedef struct ff_lora_sum {
    ff_weight values;
    float factor;
} ff_lora_sum;
// By diffusers' name of the tensor, which has `elements`.
ff_status ff_lora_sums(ff_lora *lora, const char *name, size_t elements, ff_lora_sum out[FF_LORA_MOST], size_t *count,
                       ff_error *error);

#endif

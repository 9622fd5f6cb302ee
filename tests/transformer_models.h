// The golden transformers, their inputs, and kernels that count.
#ifndef FF_TEST_TRANSFORMER_MODELS_H
#define FF_TEST_TRANSFORMER_MODELS_H

#include "golden.h"
#include "transformer/transformer.h"

#define CALL 7  // the evaluation's number in the names of dumped tensors

// An opened model of golden/diffusers/transformer, its golden's input and the prompt's part.
typedef struct fixture {
    ff_weights *weights, *golden;
    ff_config *config;
    ff_transformer *transformer;
    ff_transformer_shape shape;
    ff_transformer_text *text;
    size_t text_tokens, timestep_count;
    ff_extent extent;
    const float *latents, *timesteps, *output;
    size_t output_count;
} fixture;

void *allocate(size_t count);  // of floats, zeros

fixture open_fixture(const char *name);
void close_fixture(fixture *f);
// The prompt's part for the golden's embedding plus `shift` in every real row.
ff_transformer_text *make_text(const fixture *f, float shift);
// The golden's input. context: receives the text's
ff_transformer_input golden_input(const fixture *f, ff_transformer_context *context);

// The scalar kernels, counting two operations for each multiply-add in `counted`, which begins anew.
extern double counted;
ff_kernels counting_kernels(void);

#endif

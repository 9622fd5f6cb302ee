#include "explanation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

size_t ff_explanation_elements(const ff_explanation *all)
{
    const ff_plan *plan = &all->plan;
    return plan->latent_channels * plan->latent_frames * plan->latent_height * plan->latent_width;
}

static double length_of_difference(const float *a, const float *b, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        double gap = (double)a[i] - (b ? (double)b[i] : 0);
        squares += gap * gap;
    }
    return sqrt(squares);
}

static void take_timesteps(ff_explanation *all, size_t step, const float *timesteps, size_t count)
{
    float least = timesteps[0], most = timesteps[0];
    for (size_t i = 1; i < count; i++) {
        least = timesteps[i] < least ? timesteps[i] : least;
        most = timesteps[i] > most ? timesteps[i] : most;
    }
    all->timesteps[2 * step] = least;
    all->timesteps[2 * step + 1] = most;
}

// clean = x - sigma * v, where the model predicts v = noise - clean; what is known is what it is.
static void take_prediction(ff_explanation *all, size_t step, const float *prediction)
{
    size_t cells = all->plan.latent_height * all->plan.latent_width, frames = all->plan.latent_frames;
    for (size_t k = 0; k < all->look_count; k++) {
        if (all->looks[k].step != step)
            continue;
        for (size_t i = 0; i < ff_explanation_elements(all); i++) {
            bool known = i / cells % frames == 0;
            all->looks[k].latents[i] = all->input[i] - (known ? 0 : all->sigmas[step] * prediction[i]);
        }
    }
}

// attn1.frames: [heads, frames, frames]
static void take_attention(ff_explanation *all, size_t step, size_t layer, const size_t *shape, const float *map)
{
    size_t heads = shape[0], frames = shape[1];
    float *out = all->to_first + ((step * all->facts.layers + layer) * heads) * frames;
    for (size_t i = 0; i < heads * frames; i++)
        out[i] = map[i * frames];
}

// attn2.words: [tokens, text tokens]
static void take_words(ff_explanation *all, const size_t *shape, const float *map)
{
    for (size_t token = 0; token < shape[0]; token++)
        for (size_t i = 0; i < all->text_tokens && i < shape[1]; i++)
            all->to_text[token * all->text_tokens + i] += map[token * shape[1] + i];
}

static void take_call(ff_explanation *all, size_t call, const char *rest, const size_t *shape, const float *data)
{
    size_t passes = all->plan.evaluations / all->plan.steps, step = call / passes, layer;
    size_t n = ff_explanation_elements(all);
    char part[16];
    if (strcmp(rest, "output") == 0 && call % passes == 1)
        all->guidance[step] = (float)(length_of_difference(all->conditional, data, n) /
                                      length_of_difference(all->conditional, NULL, n));
    if (call % passes != 0)
        return;
    if (strcmp(rest, "timestep") == 0)
        take_timesteps(all, step, data, shape[0]);
    else if (strcmp(rest, "input") == 0)
        memcpy(all->input, data, n * sizeof *data);
    else if (strcmp(rest, "output") == 0)
        memcpy(all->conditional, data, n * sizeof *data);
    else if (sscanf(rest, "block.%zu.attn1.%15s", &layer, part) == 2 && strcmp(part, "frames") == 0)
        take_attention(all, step, layer, shape, data);
    else if (sscanf(rest, "block.%zu.attn2.%15s", &layer, part) == 2 && strcmp(part, "words") == 0)
        take_words(all, shape, data);
}

ff_status ff_explanation_watch(void *user, const char *name, int rank, const size_t *shape, const float *data,
                               ff_error *error)
{
    ff_explanation *all = user;
    size_t number;
    char rest[64];
    if (strcmp(name, "anchor.known") == 0) {
        size_t cells = shape[2] * shape[3];
        for (size_t c = 0; c < shape[0]; c++)
            memcpy(all->known + c * cells, data + c * shape[1] * cells, cells * sizeof *data);
    } else if (sscanf(name, "call.%zu.%63s", &number, rest) == 2) {
        take_call(all, number, rest, shape, data);
    } else if (sscanf(name, "step.%zu.%63s", &number, rest) == 2) {
        if (strcmp(rest, "sigma") == 0)
            all->sigmas[number] = data[0];
        else if (strcmp(rest, "noise_pred") == 0)
            take_prediction(all, number, data);
    }
    return FF_OK;
}

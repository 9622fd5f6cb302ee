// What surrounds the transformer's blocks, with the mistakes that ports make.
#include "verify_wan_layers.h"

#include <math.h>
#include <string.h>

#include "kernels/mathematics.h"

static const double sinusoid_bases[] = {10000, 1000, 100, 100000, 500000};

// Values under a token, by channel, then the patch's cells; the order of the weight in the checkpoint. The products
// run over cells, then channels, so that the sums have the order of the convolution they stand for.
ff_status ff_wan_embed(const ff_wan *w, const float *latents, float *hidden)
{
    const ff_transformer_shape *shape = &w->model->shape;
    const size_t *patch = shape->patch;
    const ff_linear *layer = &w->model->patch_embedding;
    size_t channels = shape->in_channels, cells = patch[0] * patch[1] * patch[2], depth = channels * cells;
    size_t height = w->grid.height * patch[1], width = w->grid.width * patch[2];
    size_t frame_cells = height * width, all_frames = w->grid.frames * patch[0];
    ff_arena_mark mark = ff_arena_here(w->arena);
    float *patches = ff_arena_take(w->arena, w->tokens, depth * sizeof(float));
    float *weight = ff_arena_take(w->arena, shape->dim, depth * sizeof(float));
    if (!patches || !weight)
        return FF_ERROR_MEMORY;
    bool exchange = w->variant->patch_order == 1 && patch[1] == patch[2];
    for (size_t token = 0; token < w->tokens; token++) {
        size_t plane = w->grid.height * w->grid.width, frame = token / plane, rest = token % plane;
        size_t row = rest / w->grid.width, column = rest % w->grid.width;
        if (w->variant->token_order == 1) {
            row = rest % w->grid.height;
            column = rest / w->grid.height;
        }
        float *to = patches + token * depth;
        for (size_t cell = 0; cell < cells; cell++) {
            size_t t = cell / (patch[1] * patch[2]), y = cell / patch[2] % patch[1], x = cell % patch[2];
            if (exchange) {
                size_t before = y;
                y = x;
                x = before;
            }
            size_t at = (frame * patch[0] + t) * frame_cells + (row * patch[1] + y) * width + column * patch[2] + x;
            for (size_t channel = 0; channel < channels; channel++)
                *to++ = latents[channel * all_frames * frame_cells + at];
        }
    }
    bool transposed = w->variant->transposed == FF_WAN_PATCH_EMBEDDING;
    for (size_t c = 0; c < shape->dim; c++)
        for (size_t cell = 0; cell < cells; cell++)
            for (size_t channel = 0; channel < channels; channel++) {
                size_t k = channel * cells + cell;
                ff_weight_widen(&layer->weight, transposed ? k * shape->dim + c : c * depth + k, 1,
                                &weight[c * depth + cell * channels + channel]);
            }
    ff_status status = w->kernels->matmul(w->kernels, &(ff_matmul){
        .rows = w->tokens, .columns = shape->dim, .depth = depth, .a = patches, .a_stride = depth,
        .b = {.data = weight, .dtype = FF_F32},
        .bias = w->variant->unbiased == FF_WAN_PATCH_EMBEDDING ? NULL : layer->bias, .out = hidden,
        .out_stride = shape->dim});
    ff_arena_return(w->arena, mark);
    return status;
}

static void sinusoids(const ff_wan *w, const float *timesteps, float *out)
{
    size_t freq_dim = w->model->shape.freq_dim, half = freq_dim / 2;
    int variant = w->variant->sinusoids;
    double base = sinusoid_bases[w->variant->sinusoid_base];
    if (variant == 0 && !w->variant->sinusoid_base) {
        ff_timestep_embedding(w->groups, timesteps, freq_dim, out);
        return;
    }
    for (size_t row = 0; row < w->groups; row++) {
        float timestep = timesteps[row];
        if (variant == 3)
            timestep /= 1000;
        if (variant == 4 || variant == 7)
            ff_round_floats(FF_BFLOAT, 1, &timestep);
        for (size_t i = 0; i < half; i++) {
            size_t span = variant == 2 && half > 1 ? half - 1 : half;
            double angle = (double)timestep * ff_exp(-ff_log(base) * (double)i / (double)span);
            float cosine = (float)ff_cos(angle), sine = (float)ff_sin(angle);
            out[row * freq_dim + i] = variant == 1 ? sine : cosine;
            out[row * freq_dim + half + i] = variant == 1 ? cosine : sine;
        }
        if (freq_dim % 2 != 0)
            out[row * freq_dim + freq_dim - 1] = 0;
    }
    if (variant == 5)
        ff_round_floats(FF_BFLOAT, w->groups * freq_dim, out);
}

ff_status ff_wan_time(const ff_wan *w, const float *timesteps, float *temb)
{
    const ff_transformer_shape *shape = &w->model->shape;
    ff_wan single = *w;
    ff_reduced_state state;
    const ff_kernels bfloat = ff_verify_rounding(FF_BFLOAT, &state);
    ff_reduced_precision reduced = ff_reduced_precision_of(w->kernels);
    if (w->variant->time_single)
        single.kernels = ff_verify_kernels();
    if (w->variant->sinusoids == 7)
        single.kernels = &bfloat;
    ff_arena_mark mark = ff_arena_here(w->arena);
    float *x = ff_arena_take(w->arena, w->groups, shape->freq_dim * sizeof(float));
    float *hidden = ff_arena_take(w->arena, w->groups, shape->dim * sizeof(float));
    if (!x || !hidden)
        return FF_ERROR_MEMORY;
    sinusoids(w, timesteps, x);
    ff_status status = ff_wan_linear(&single, FF_WAN_TIME_IN, &w->model->time_in, w->groups, x, hidden);
    if (!status && !w->variant->time_activation)
        single.kernels->silu(single.kernels, w->groups * shape->dim, hidden, hidden);
    if (!status)
        status = ff_wan_linear(&single, FF_WAN_TIME_OUT, &w->model->time_out, w->groups, hidden, temb);
    if (w->variant->time_single && reduced != FF_NOT_REDUCED)
        ff_round_floats(reduced == FF_ALL_HALF ? FF_HALF : FF_BFLOAT, w->groups * shape->dim, temb);
    ff_arena_return(w->arena, mark);
    return status;
}

ff_status ff_wan_text(const ff_wan *w, const float *embeds, float *text)
{
    size_t dim = w->model->shape.dim, rows = ff_text_distinct_rows(embeds, w->text_tokens, w->model->shape.text_dim);
    ff_arena_mark mark = ff_arena_here(w->arena);
    float *hidden = ff_arena_take(w->arena, rows, dim * sizeof(float));
    if (!hidden)
        return FF_ERROR_MEMORY;
    ff_status status = ff_wan_linear(w, FF_WAN_TEXT_IN, &w->model->text_in, rows, embeds, hidden);
    ff_wan_activate(w->kernels, w->variant->text_activation, rows * dim, hidden);
    if (!status)
        status = ff_wan_linear(w, FF_WAN_TEXT_OUT, &w->model->text_out, rows, hidden, text);
    ff_text_repeat_row(text, rows, w->text_tokens, dim);
    ff_arena_return(w->arena, mark);
    return status;
}

ff_status ff_wan_project_time(const ff_wan *w, const float *temb, float *projection)
{
    size_t n = w->groups * w->model->shape.dim;
    ff_arena_mark mark = ff_arena_here(w->arena);
    float *activated = ff_arena_floats(w->arena, n);
    if (!activated)
        return FF_ERROR_MEMORY;
    if (w->variant->projection == 1)
        memcpy(activated, temb, n * sizeof *temb);
    else
        w->kernels->silu(w->kernels, n, temb, activated);
    ff_status status = ff_wan_linear(w, FF_WAN_TIME_PROJ, &w->model->time_proj, w->groups, activated, projection);
    ff_arena_return(w->arena, mark);
    return status;
}

// A token's values [patch t, h, w, channels] read in another order, in place.   room: as many floats
static void reorder_patch(const ff_transformer_shape *shape, int how, float *values, float *room)
{
    size_t rows = shape->patch[1], columns = shape->patch[2], cells = shape->patch[0] * rows * columns;
    size_t channels = shape->out_channels;
    for (size_t cell = 0; cell < cells; cell++) {
        size_t t = cell / (rows * columns), y = cell / columns % rows, x = cell % columns;
        size_t exchanged = rows == columns ? (t * rows + x) * columns + y : cell;
        for (size_t c = 0; c < channels; c++)
            room[cell * channels + c] = values[how == 1 ? c * cells + cell : exchanged * channels + c];
    }
    memcpy(values, room, cells * channels * sizeof *values);
}

ff_status ff_wan_head(const ff_wan *w, const float *hidden, const float *temb, float *out)
{
    const ff_transformer *model = w->model;
    const ff_transformer_shape *shape = &model->shape;
    const ff_wan_variant *variant = w->variant;
    size_t dim = shape->dim, offset, cells = shape->patch[0] * shape->patch[1] * shape->patch[2];
    size_t channels = shape->out_channels;
    ff_arena_mark mark = ff_arena_here(w->arena);
    float *vectors = ff_arena_take(w->arena, w->groups, 2 * dim * sizeof(float));
    float *normed = ff_arena_take(w->arena, w->tokens, dim * sizeof(float));
    float *patches = ff_arena_take(w->arena, w->tokens, channels * cells * sizeof(float));
    float *room = ff_arena_floats(w->arena, channels * cells), *table = ff_arena_floats(w->arena, 2 * dim);
    if (!vectors || !normed || !patches || !room || !table)
        return FF_ERROR_MEMORY;
    memcpy(table, model->scale_shift_table, 2 * dim * sizeof *table);
    ff_round_weights(w->kernels, 2 * dim, table);
    for (size_t group = 0; group < w->groups; group++)
        for (size_t j = 0; j < 2 * dim; j++)
            vectors[group * 2 * dim + j] =
                (variant->head_table ? 0 : table[j]) + temb[group * dim + j % dim];
    ff_groups groups = ff_wan_token_groups(w, variant->head_timesteps, 2 * dim, &offset);
    const float *shift = vectors + offset + (variant->head_order == 1 ? dim : 0);
    const float *scale = vectors + offset + (variant->head_order == 1 ? 0 : dim);
    ff_wan_norm_modulate(w, hidden, (ff_modulation){groups, .shift = shift, .scale = scale}, variant->head_norm,
                         variant->head_eps, variant->head_plain_scale, normed);
    ff_status status = ff_wan_linear(w, FF_WAN_PROJ_OUT, &model->proj_out, w->tokens, normed, patches);
    for (size_t token = 0; !status && variant->unpatch && token < w->tokens; token++)
        reorder_patch(shape, variant->unpatch, patches + token * cells * channels, room);
    if (!status)
        ff_tokens_to_latents(w->grid, shape->patch, channels, patches, out);
    for (size_t i = 0; !status && variant->negated && i < w->tokens * cells * channels; i++)
        out[i] = -out[i];
    ff_arena_return(w->arena, mark);
    return status;
}

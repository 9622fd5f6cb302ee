// One evaluation of the transformer, from latents to the predicted flow.
#include "../base/finite.h"
#include "evaluation.h"

// ---- sizes ----

#define LEAST_FEED_ROWS ((size_t)2048)

// The buffers of an evaluation, in the order in which they are taken from the arena.
enum { TIMESTEPS, GROUP, FRAMES, SINUSOIDS, TEMB, PROJECTION, MODULATION, ROTARY, HIDDEN, NORMED, WIDE, BUFFERS };

// Bytes of a * b elements, or SIZE_MAX, which no allocation grants.
static size_t bytes_of(size_t a, size_t b, size_t element_size)
{
    size_t bytes;
    if (!ff_multiply_sizes(a, b, &bytes) || !ff_multiply_sizes(bytes, element_size, &bytes))
        return SIZE_MAX;
    return bytes;
}

// Rows that go through the feed-forward at once: as many as let its inner layer fit where queries, keys and values are,
// but not so few that packing its weights, anew for each pass, would cost much beside their products.
static size_t feed_forward_rows(const ff_transformer_shape *shape, size_t tokens)
{
    size_t passes = (shape->ffn_dim + 3 * shape->dim - 1) / (3 * shape->dim);
    return ff_smaller(tokens, ff_larger(LEAST_FEED_ROWS, (tokens + passes - 1) / passes));
}

static void plan_buffers(const ff_transformer *transformer, size_t latent_frames, size_t tokens, size_t groups,
                         size_t bytes[BUFFERS])
{
    const ff_transformer_shape *shape = &transformer->shape;
    size_t dim = shape->dim;
    bytes[TIMESTEPS] = bytes_of(tokens, 1, sizeof(float));
    bytes[GROUP] = bytes_of(tokens, 1, sizeof(uint32_t));
    bytes[FRAMES] = bytes_of(latent_frames, 1, sizeof(float *));
    bytes[SINUSOIDS] = bytes_of(groups, shape->freq_dim, sizeof(float));
    bytes[TEMB] = bytes_of(groups, dim, sizeof(float));
    bytes[PROJECTION] = bytes[MODULATION] = bytes_of(groups, 6 * dim, sizeof(float));
    bytes[ROTARY] = bytes_of(tokens, shape->head_dim, sizeof(float));
    bytes[HIDDEN] = bytes[NORMED] = bytes_of(tokens, dim, sizeof(float));
    size_t attention = bytes_of(tokens, 3 * dim, sizeof(float));
    size_t feed_forward = bytes_of(feed_forward_rows(shape, tokens), shape->ffn_dim, sizeof(float));
    size_t patches = bytes_of(tokens, ff_larger(transformer->patch_in, transformer->patch_out), sizeof(float));
    bytes[WIDE] = ff_larger(ff_larger(attention, feed_forward), patches);
}

static bool count_tokens(const ff_transformer *transformer, ff_extent extent, ff_extent *grid, size_t *tokens)
{
    const size_t *patch = transformer->shape.patch;
    *grid = (ff_extent){extent.frames / patch[0], extent.height / patch[1], extent.width / patch[2]};
    return ff_multiply_sizes(grid->frames, grid->height, tokens) && ff_multiply_sizes(*tokens, grid->width, tokens);
}

size_t ff_transformer_memory(const ff_transformer *transformer, ff_extent extent, size_t unique_timesteps)
{
    ff_extent grid;
    size_t tokens, bytes[BUFFERS], sum = 0;
    if (!count_tokens(transformer, extent, &grid, &tokens))
        return SIZE_MAX;
    plan_buffers(transformer, extent.frames, tokens, unique_timesteps, bytes);
    for (int i = 0; i < BUFFERS; i++)
        if (!ff_add_sizes(sum, bytes[i], &sum))
            return SIZE_MAX;
    return sum;
}

// Multiply-adds that LoRAs add, for each token; keys and values of the text are made elsewhere.
static double added_to_tokens(const ff_transformer *transformer)
{
    double sum = ff_linear_added(&transformer->proj_out);
    for (size_t layer = 0; layer < transformer->shape.layers; layer++) {
        const ff_transformer_block *block = &transformer->blocks[layer];
        const ff_linear *linears[] = {&block->attn1.to_q, &block->attn1.to_k, &block->attn1.to_v, &block->attn1.to_out,
                                      &block->attn2.to_q, &block->attn2.to_out, &block->ffn_in, &block->ffn_out};
        for (size_t i = 0; i < sizeof linears / sizeof *linears; i++)
            sum += ff_linear_added(linears[i]);
    }
    return sum;
}

double ff_transformer_flop(const ff_transformer *transformer, const ff_transformer_input *input,
                           size_t unique_timesteps)
{
    const ff_transformer_shape *shape = &transformer->shape;
    ff_extent extent = input->extent;
    double dim = (double)shape->dim, ffn_dim = (double)shape->ffn_dim, context_tokens = 0;
    double tokens = (double)(extent.frames / shape->patch[0]) * (double)(extent.height / shape->patch[1]) *
                    (double)(extent.width / shape->patch[2]);
    for (size_t i = 0; i < input->context_count; i++)
        context_tokens += (double)input->contexts[i].tokens;
    double time = (double)unique_timesteps * dim * ((double)shape->freq_dim + 7 * dim);
    double added = (double)unique_timesteps * (ff_linear_added(&transformer->time_in) +
                                               ff_linear_added(&transformer->time_out) +
                                               ff_linear_added(&transformer->time_proj)) +
                   tokens * added_to_tokens(transformer);
    double ends = tokens * dim * (double)(transformer->patch_in + transformer->patch_out);
    double self_attention = tokens * dim * (4 * dim + 2 * tokens);
    double cross_attention = tokens * dim * (2 * dim + 2 * context_tokens);
    double feed_forward = tokens * dim * 2 * ffn_dim;
    return 2 * (time + ends + added + (double)shape->layers * (self_attention + cross_attention + feed_forward));
}

// ---- before and after the blocks ----
// These fail for want of memory, without a sentence, or because the tap does.

// The convolution that makes a token of each patch of e->frames.
static ff_convolution patch_convolution(const ff_evaluation *e)
{
    const ff_transformer_shape *shape = &e->transformer->shape;
    const ff_linear *embedding = &e->transformer->patch_embedding;
    const size_t *patch = shape->patch;
    return (ff_convolution){
        .in_channels = shape->in_channels,
        .in_height = e->grid.height * patch[1], .in_width = e->grid.width * patch[2],
        .out_channels = shape->dim,
        .out_frames = e->grid.frames, .out_height = e->grid.height, .out_width = e->grid.width,
        .kernel_t = patch[0], .kernel_h = patch[1], .kernel_w = patch[2],
        .stride_t = patch[0], .stride_h = patch[1], .stride_w = patch[2],
        .frames = e->frames, .weight = ff_weight_operand(&embedding->weight),
        .bias = embedding->bias, .out = e->hidden};
}

// latents: [in_channels, latent frames, height, width] to hidden: [tokens, dim], one patch a token.
static ff_status embed_patches(const ff_evaluation *e)
{
    const ff_transformer_shape *shape = &e->transformer->shape;
    const ff_convolution p = patch_convolution(e);
    size_t frames = e->grid.frames * shape->patch[0], pixels = p.in_height * p.in_width;
    ff_latents_to_channels_last(shape->in_channels, frames * pixels, e->input->latents, e->wide);
    for (size_t frame = 0; frame < frames; frame++)
        e->frames[frame] = e->wide + frame * pixels * shape->in_channels;
    return e->kernels->convolution(e->kernels, &p);
}

// temb: [groups, dim] = linear(silu(linear(sinusoids)))
static ff_status embed_timesteps(const ff_evaluation *e)
{
    const ff_transformer *transformer = e->transformer;
    size_t count = e->groups.count;
    float *hidden = e->modulation;  // [groups, dim], not needed yet
    ff_timestep_embedding(count, e->groups.timesteps, transformer->shape.freq_dim, e->sinusoids);
    if (ff_linear_apply(&transformer->time_in, e->kernels, count, e->sinusoids, NULL, hidden))
        return FF_ERROR_MEMORY;
    e->kernels->silu(e->kernels, count * transformer->shape.dim, hidden, hidden);
    return ff_linear_apply(&transformer->time_out, e->kernels, count, hidden, NULL, e->temb);
}

// projection: [groups, 6, dim] = linear(silu(temb))
static ff_status project_timesteps(const ff_evaluation *e)
{
    const ff_transformer *transformer = e->transformer;
    float *activated = e->modulation;
    e->kernels->silu(e->kernels, e->groups.count * transformer->shape.dim, e->temb, activated);
    return ff_linear_apply(&transformer->time_proj, e->kernels, e->groups.count, activated, NULL, e->projection);
}

// The output norm, modulated by temb itself, and the projection back to patches.
static ff_status project_out(const ff_evaluation *e, float *out)
{
    const ff_transformer *transformer = e->transformer;
    const ff_transformer_shape *shape = &transformer->shape;
    size_t dim = shape->dim;
    float *shift = e->modulation, *scale = shift + dim;
    for (size_t group = 0; group < e->groups.count; group++) {
        const float *temb = e->temb + group * dim;
        e->kernels->add(e->kernels, dim, transformer->scale_shift_table, temb, shift + group * 6 * dim);
        e->kernels->add(e->kernels, dim, transformer->scale_shift_table + dim, temb, scale + group * 6 * dim);
    }
    e->kernels->layer_norm_modulate(e->kernels, e->tokens, dim, e->hidden, shape->eps,
                                    (ff_modulation){ff_modulation_groups(e), shift, scale}, e->normed);
    ff_status status = ff_tap(e->trace, FF_DUMP_OP, (ff_tapped){FF_F32, 2, (size_t[]){e->tokens, dim}, e->normed},
                              e->error, "call.%03zu.norm_out", e->input->call);
    if (status)
        return status;
    if (ff_linear_apply(&transformer->proj_out, e->kernels, e->tokens, e->normed, NULL, e->wide))
        return FF_ERROR_MEMORY;
    ff_tokens_to_latents(e->grid, shape->patch, shape->out_channels, e->wide, out);
    return FF_OK;
}

// ---- what the kernels pack ----

size_t ff_transformer_scratch(const ff_transformer *transformer, const ff_kernels *kernels,
                              const ff_transformer_input *input, size_t unique_timesteps)
{
    float none;
    ff_scratch scratch;
    ff_kernels counting = ff_kernels_counting(kernels, &scratch);
    ff_evaluation e = {.transformer = transformer, .kernels = &counting, .input = input, .hidden = &none,
                       .groups = {.count = unique_timesteps}};
    if (!count_tokens(transformer, input->extent, &e.grid, &e.tokens))
        return SIZE_MAX;
    e.feed_rows = feed_forward_rows(&transformer->shape, e.tokens);
    const ff_convolution patches = patch_convolution(&e);
    counting.convolution(&counting, &patches);
    ff_linear_apply(&transformer->time_in, &counting, e.groups.count, &none, NULL, NULL);
    ff_linear_apply(&transformer->time_out, &counting, e.groups.count, &none, NULL, NULL);
    ff_linear_apply(&transformer->time_proj, &counting, e.groups.count, &none, NULL, NULL);
    for (size_t layer = 0; layer < transformer->shape.layers; layer++)
        ff_transformer_count_block(&e, layer);
    ff_linear_apply(&transformer->proj_out, &counting, e.tokens, &none, NULL, NULL);
    return scratch.size;
}

// ---- the evaluation ----

static ff_status check_embeddings(const ff_evaluation *e)
{
    size_t dim = e->transformer->shape.dim, groups = e->groups.count;
    ff_status status;
    if ((status = ff_check_finite(e->tokens * dim, e->hidden, e->error, "call.%03zu.embed", e->input->call)) ||
        (status = ff_check_finite(groups * dim, e->temb, e->error, "call.%03zu.temb", e->input->call)))
        return status;
    return ff_check_finite(groups * 6 * dim, e->projection, e->error, "call.%03zu, time projection", e->input->call);
}

static ff_status check_sizes(const ff_transformer *transformer, const ff_transformer_input *input, ff_extent *grid,
                             size_t *tokens, ff_error *error)
{
    const ff_transformer_shape *shape = &transformer->shape;
    const size_t *patch = shape->patch;
    size_t frames = input->extent.frames, height = input->extent.height, width = input->extent.width;
    if (!count_tokens(transformer, input->extent, grid, tokens) || *tokens > UINT32_MAX)
        return ff_fail(error, FF_ERROR_INPUT, "latents of %zu x %zu x %zu cells are too large for the transformer",
                       frames, height, width);
    if (frames % patch[0] != 0 || height % patch[1] != 0 || width % patch[2] != 0 || *tokens == 0)
        return ff_fail(error, FF_ERROR_INPUT,
                       "latents of %zu x %zu x %zu cells do not divide into the transformer's patches of "
                       "%zu x %zu x %zu",
                       frames, height, width, patch[0], patch[1], patch[2]);
    size_t longest = ff_larger(grid->frames, ff_larger(grid->height, grid->width));
    if (longest > shape->rope_max_seq_len)
        return ff_fail(error, FF_ERROR_INPUT,
                       "latents of %zu x %zu x %zu cells make %zu patches along an axis; the transformer's "
                       "rope_max_seq_len allows %zu",
                       frames, height, width, longest, shape->rope_max_seq_len);
    if (input->timestep_count != 1 && input->timestep_count != *tokens)
        return ff_fail(error, FF_ERROR_INPUT, "%zu timesteps for %zu tokens; expected one for each, or one for all",
                       input->timestep_count, *tokens);
    return FF_OK;
}

// Takes all buffers and groups the timesteps. False without memory.
static bool take_buffers(ff_evaluation *e, ff_arena *arena)
{
    const ff_transformer_input *input = e->input;
    size_t bytes[BUFFERS];
    void *data[BUFFERS];
    plan_buffers(e->transformer, input->extent.frames, e->tokens, 1, bytes);
    for (int i = 0; i < BUFFERS; i++) {
        data[i] = ff_arena_take(arena, bytes[i], 1);
        if (!data[i])
            return false;
        if (i == GROUP) {
            e->groups.timesteps = data[TIMESTEPS];
            e->groups.group = data[GROUP];
            ff_timesteps_group(input->timestep_count, input->timesteps, &e->groups);
            plan_buffers(e->transformer, input->extent.frames, e->tokens, e->groups.count, bytes);
        }
    }
    if (input->timestep_count == 1)
        e->groups.group = NULL;
    e->frames = data[FRAMES];
    e->sinusoids = data[SINUSOIDS];
    e->temb = data[TEMB];
    e->projection = data[PROJECTION];
    e->modulation = data[MODULATION];
    e->rotary = data[ROTARY];
    e->hidden = data[HIDDEN];
    e->normed = data[NORMED];
    e->wide = data[WIDE];
    return true;
}

// The keys and values of a text that the tap changed, where blocks look for them.
static ff_status remake_text(const ff_evaluation *e, size_t layer)
{
    size_t tokens = e->input->contexts[0].tokens, plane = tokens * e->transformer->shape.dim;
    float *keys = e->changed_text + plane, *values = keys + plane;
    return ff_text_keys_values(e->transformer, e->kernels, layer, e->changed_text, tokens, tokens, keys, values);
}

static ff_status run_blocks(const ff_evaluation *e)
{
    const ff_transformer_shape *shape = &e->transformer->shape;
    for (size_t layer = 0; layer < shape->layers; layer++) {
        ff_status status;
        if ((e->changed_text && (status = remake_text(e, layer))) || (status = ff_transformer_run_block(e, layer)) ||
            (status = ff_check_finite(e->tokens * shape->dim, e->hidden, e->error, "call.%03zu.block.%02zu",
                                      e->input->call, layer)))
            return status;
    }
    return FF_OK;
}

ff_status ff_transformer_run(const ff_transformer *transformer, const ff_kernels *kernels, ff_arena *arena,
                             const ff_transformer_input *input, const ff_trace *trace, float *out, ff_error *error)
{
    const ff_transformer_shape *shape = &transformer->shape;
    ff_evaluation e = {.transformer = transformer, .kernels = kernels, .input = input, .trace = trace, .error = error};
    ff_arena_mark mark = ff_arena_here(arena);
    ff_status status = check_sizes(transformer, input, &e.grid, &e.tokens, error);
    if (status)
        return status;
    e.feed_rows = feed_forward_rows(shape, e.tokens);
    if (!take_buffers(&e, arena))
        goto no_memory;
    ff_rotary_table(e.grid, shape->head_dim, e.rotary);

    size_t hidden_shape[] = {e.tokens, shape->dim};
    if (embed_patches(&e) || embed_timesteps(&e))
        goto no_memory;
    if ((status = ff_tap(trace, FF_DUMP_BLOCK, (ff_tapped){FF_F32, 2, hidden_shape, e.hidden}, error,
                         "call.%03zu.embed", input->call)) ||
        (status = ff_transformer_tap_vectors(&e, FF_DUMP_BLOCK, e.temb, shape->dim, "temb")) ||
        (status = ff_transformer_tap_text(&e, arena)))
        goto done;
    if (project_timesteps(&e))
        goto no_memory;
    if ((status = check_embeddings(&e)))
        goto done;
    if ((status = run_blocks(&e)) == FF_ERROR_MEMORY)
        goto no_memory;
    if (!status && (status = project_out(&e, out)) == FF_ERROR_MEMORY)
        goto no_memory;
    if (!status)
        status = ff_check_finite(e.tokens * transformer->patch_out, out, error, "call.%03zu.output", input->call);
done:
    ff_arena_return(arena, mark);
    return status;
no_memory:
    ff_arena_return(arena, mark);
    return ff_fail(error, FF_ERROR_MEMORY, "not enough memory to run the transformer over %zu tokens", e.tokens);
}

// The transformer, evaluation by evaluation: embeddings, then each block from the dumped block before it, then the
// head. Where a tensor is missing, what follows is judged together with what led to it, and the verdict stands at the
// first block of those.
#include <stdlib.h>
#include <string.h>

#include "verify_wan.h"

// One evaluation of the dump. Pointers are NULL where the dump has nothing.
typedef struct evaluation {
    ff_verifier *v;
    ff_wan wan;                    // sizes and grouping; variant and kernels are set for each replay
    size_t call;
    float *latents, *timesteps, *temb, *text, *embeds, *other_embeds, *embed, *output;
    float *group_times, *group_temb;   // a row for each group
    uint32_t *group;
    size_t temb_rows, timestep_count;
    ff_precision temb_precision, text_precision, embed_precision, output_precision;
    ff_stage_finding *embed_finding, *head_finding;
} evaluation;

// A stretch of the transformer between two dumped tensors.
typedef enum target { TO_HIDDEN, TO_OUTPUT, TO_TEMB, TO_TEXT } target;
typedef struct stretch {
    const evaluation *e;
    const float *hidden;           // after block first - 1; NULL: from the latents
    size_t first, end;             // blocks [first, end)
    target target;
} stretch;

static const ff_wan_variant rounding_variant = {.rotary_single = 1, .sinusoids = 6, .time_single = 1};
static const ff_wan_variant right_variant = {0};

// ---- replaying a stretch ----

static ff_status text_of(const evaluation *e, const ff_wan *w, float *text)
{
    const float *embeds = w->variant->text_from && e->other_embeds ? e->other_embeds : e->embeds;
    return ff_wan_text(w, embeds, text);
}

static ff_status run_blocks(const stretch *s, const ff_wan *w, float *out)
{
    const evaluation *e = s->e;
    size_t dim = w->model->shape.dim, n = w->tokens * dim;
    float *hidden = ff_arena_floats(w->arena, n);
    float *temb = ff_arena_take(w->arena, w->groups, dim * sizeof(float));
    float *projection = ff_arena_take(w->arena, w->groups, 6 * dim * sizeof(float));
    float *rotary = ff_arena_take(w->arena, w->tokens, w->model->shape.head_dim * sizeof(float));
    float *text = ff_arena_take(w->arena, w->text_tokens, dim * sizeof(float));
    ff_status status = FF_OK;
    if (!hidden || !temb || !projection || !rotary || !text)
        return FF_ERROR_MEMORY;
    if (s->hidden)
        memcpy(hidden, s->hidden, n * sizeof *hidden);
    else
        status = ff_wan_embed(w, e->latents, hidden);
    if (!status && e->group_temb)
        memcpy(temb, e->group_temb, w->groups * dim * sizeof *temb);
    else if (!status)
        status = ff_wan_time(w, e->group_times, temb);
    if (!status && s->end > s->first) {
        if (e->text)
            memcpy(text, e->text, w->text_tokens * dim * sizeof *text);
        else
            status = text_of(e, w, text);
        if (!status)
            status = ff_wan_project_time(w, temb, projection);
        ff_wan_rotary(w, rotary);
    }
    for (size_t layer = s->first; !status && layer < s->end; layer++)
        status = ff_wan_block(w, layer, projection, rotary, text, hidden);
    if (!status && s->target == TO_OUTPUT)
        status = ff_wan_head(w, hidden, temb, out);
    else if (!status)
        memcpy(out, hidden, n * sizeof *out);
    return status;
}

static ff_status replay(void *user, const void *variant, const ff_kernels *kernels, float *out, ff_error *error)
{
    const stretch *s = user;
    const evaluation *e = s->e;
    ff_wan w = e->wan;
    w.variant = variant;
    w.kernels = kernels;
    ff_arena_mark mark = ff_arena_here(w.arena);
    ff_status status;
    if (s->target == TO_TEXT) {
        status = text_of(e, &w, out);
    } else if (s->target == TO_TEMB) {
        size_t dim = w.model->shape.dim;
        float *rows = ff_arena_take(w.arena, w.groups, dim * sizeof(float));
        status = rows ? ff_wan_time(&w, e->group_times, rows) : FF_ERROR_MEMORY;
        for (size_t row = 0; !status && row < e->temb_rows; row++)
            memcpy(out + row * dim, rows + (w.group ? w.group[row] : 0) * dim, dim * sizeof *out);
    } else {
        status = run_blocks(s, &w, out);
    }
    ff_arena_return(w.arena, mark);
    if (status)
        return ff_fail(error, status, "not enough memory to replay the transformer over %zu tokens", w.tokens);
    return FF_OK;
}

// ---- judging a stretch ----

static unsigned parts_of(const stretch *s)
{
    const evaluation *e = s->e;
    if (s->target == TO_TEXT)
        return FF_WAN_TEXT;
    if (s->target == TO_TEMB)
        return FF_WAN_TIME;
    bool blocks = s->end > s->first;
    return (s->hidden ? 0 : FF_WAN_PATCH) | (blocks ? FF_WAN_BLOCK : 0) | (s->target == TO_OUTPUT ? FF_WAN_HEAD : 0) |
           (!e->group_temb && (blocks || s->target == TO_OUTPUT) ? FF_WAN_TIME : 0) |
           (blocks && !e->text ? FF_WAN_TEXT : 0);
}

static ff_status judge(const stretch *s, const char *tensor, ff_slices slices, ff_precision precision,
                       const float *dumped, ff_stage_finding *finding)
{
    ff_verifier *v = s->e->v;
    size_t n = ff_slices_elements(slices);
    ff_arena_mark mark = ff_arena_here(v->arena);
    float *ours = ff_arena_floats(v->arena, n), *rounded = ff_arena_floats(v->arena, n);
    ff_status status;
    if (!ours || !rounded)
        return ff_fail(v->error, FF_ERROR_MEMORY, "not enough memory to judge %s", tensor);
    ff_reduced_state state;
    const ff_kernels rounding = ff_verify_rounding(precision, &state);
    if ((status = replay((void *)s, &right_variant, ff_verify_kernels(), ours, v->error)))
        return status;
    ff_case judged = {
        .tensor = tensor, .slices = slices, .precision = precision, .dumped = dumped, .exact = ours,
        .rounded = rounded, .equal = ff_floats_equal(ours, dumped, n),
        .search = {.mistakes = ff_wan_mistakes, .count = ff_wan_mistake_count, .parts = parts_of(s),
                   .variant_size = sizeof(ff_wan_variant), .replay = replay, .user = (void *)s}};
    if (!judged.equal && ((status = replay((void *)s, &right_variant, ff_verify_exact(), ours, v->error)) ||
                          (status = replay((void *)s, &rounding_variant, &rounding, rounded,
                                           v->error))))
        return status;
    if (!judged.equal)
        ff_round_floats(precision, n, rounded);
    ff_stage_finding *others[32] = {[4] = s->target == TO_OUTPUT ? s->e->head_finding : NULL};
    status = ff_judge(v, finding, &judged, others);
    ff_arena_return(v->arena, mark);
    return status;
}

static ff_status judge_embeddings(const evaluation *e)
{
    const ff_wan *w = &e->wan;
    size_t dim = w->model->shape.dim;
    char name[48];
    ff_status status = FF_OK;
    stretch s = {.e = e};
    snprintf(name, sizeof name, "call.%03zu.embed", e->call);
    if (!e->embed)
        ff_finding_missing(e->embed_finding, name);
    else if (e->latents)
        status = judge(&s, name, (ff_slices){1, w->tokens, dim, "token"}, e->embed_precision, e->embed,
                       e->embed_finding);
    s.target = TO_TEMB;
    snprintf(name, sizeof name, "call.%03zu.temb", e->call);
    if (!status && e->temb && e->group_times)
        status = judge(&s, name, (ff_slices){1, e->temb_rows, dim, "token"}, e->temb_precision, e->temb,
                       e->embed_finding);
    s.target = TO_TEXT;
    snprintf(name, sizeof name, "call.%03zu.text", e->call);
    if (!status && e->text && e->embeds)
        status = judge(&s, name, (ff_slices){1, w->text_tokens, dim, "text token"}, e->text_precision, e->text,
                       e->embed_finding);
    return status;
}

// Why a block cannot be replayed: the first input that is missing.
static const char *missing_input(const evaluation *e, const stretch *s)
{
    if (!s->hidden && !e->latents)
        return s->first ? "block.00" : "input";
    if (!e->group_temb && !e->group_times)
        return "timestep";
    if (!e->text && !e->embeds && s->end > s->first)
        return "text";
    return NULL;
}

// Judges the dumped tensor that the stretch ends in, and names `finding`, or says there what is missing.
static ff_status judge_stretch(const stretch *s, const char *tensor, ff_slices slices, ff_precision precision,
                               const float *dumped, ff_stage_finding *finding)
{
    const evaluation *e = s->e;
    const char *missing = missing_input(e, s);
    char name[64];
    if (!missing)
        return judge(s, tensor, slices, precision, dumped, finding);
    snprintf(name, sizeof name, "call.%03zu.%s", e->call, missing);
    if (strcmp(missing, "text") == 0)
        snprintf(name, sizeof name, "%s", e->call % e->v->dump.calls_per_step ? "negative_prompt_embeds"
                                                                              : "prompt_embeds");
    ff_finding_missing(finding, name);
    return FF_OK;
}

// Stages that have no input of their own say with which block they are judged.   missing: the tensor between them
static void judged_together(ff_stage_finding *finding, const char *missing, const ff_stage_finding *with)
{
    if (finding == with || finding->verdict != FF_NOT_JUDGED)
        return;
    snprintf(finding->tensor, sizeof finding->tensor, "%s", missing);
    snprintf(finding->where, sizeof finding->where, "judged together with %s, as %s is not in the dump", with->stage,
             missing);
}

static ff_status judge_blocks(evaluation *e)
{
    ff_verifier *v = e->v;
    const ff_wan *w = &e->wan;
    size_t layers = w->model->shape.layers, shape[2] = {w->tokens, w->model->shape.dim};
    float *before = NULL;          // the dumped block that the stretch starts from
    stretch s = {.e = e, .hidden = e->embed};
    ff_status status = FF_OK;
    char name[48], missing[48];
    for (size_t layer = 0; layer < layers && !status; layer++) {
        ff_stage_finding *finding = ff_finding_of(&v->findings, "transformer.block.%02zu", s.first);
        float *dump;
        ff_precision precision;
        snprintf(name, sizeof name, "call.%03zu.block.%02zu", e->call, layer);
        if ((status = ff_verify_dump_floats(&v->dump, name, 2, shape, &dump, &precision, v->error)))
            break;
        if (!dump) {
            ff_finding_missing(ff_finding_of(&v->findings, "transformer.block.%02zu", layer), name);
            continue;
        }
        for (size_t later = s.first + 1; later <= layer; later++) {
            snprintf(missing, sizeof missing, "call.%03zu.block.%02zu", e->call, later - 1);
            judged_together(ff_finding_of(&v->findings, "transformer.block.%02zu", later), missing, finding);
        }
        s.end = layer + 1;
        status = judge_stretch(&s, name, (ff_slices){1, shape[0], shape[1], "token"}, precision, dump, finding);
        free(before);
        before = dump;
        s.hidden = before;
        s.first = layer + 1;
    }
    snprintf(name, sizeof name, "call.%03zu.output", e->call);
    if (!status && e->output) {
        ff_stage_finding *finding = s.first == layers
                                        ? e->head_finding
                                        : ff_finding_of(&v->findings, "transformer.block.%02zu", s.first);
        const ff_verify_dump *dump = &v->dump;
        s.end = layers;
        s.target = TO_OUTPUT;
        for (size_t later = s.first + 1; later <= layers && s.first < layers; later++) {
            snprintf(missing, sizeof missing, "call.%03zu.block.%02zu", e->call, later - 1);
            judged_together(later < layers ? ff_finding_of(&v->findings, "transformer.block.%02zu", later)
                                           : e->head_finding, missing, finding);
        }
        status = judge_stretch(&s, name,
                               (ff_slices){w->model->shape.out_channels, dump->frames,
                                           dump->height * dump->width, "latent frame"},
                               e->output_precision, e->output, finding);
    } else if (!status) {
        ff_finding_missing(e->head_finding, name);
    }
    free(before);
    return status;
}

// ---- reading an evaluation ----

// Finds tokens with the same timestep; of temb, and of the timesteps, one row for each such group is kept.
static ff_status group_tokens(evaluation *e)
{
    ff_wan *w = &e->wan;
    size_t dim = w->model->shape.dim, tokens = w->tokens;
    size_t most = e->timestep_count > e->temb_rows ? e->timestep_count : e->temb_rows;
    w->groups = 1;
    w->group = NULL;
    if (!e->timesteps && !e->temb)
        return FF_OK;
    e->group = calloc(tokens, sizeof *e->group);
    e->group_times = e->timesteps ? malloc(most * sizeof *e->group_times) : NULL;
    e->group_temb = e->temb ? malloc(most * dim * sizeof *e->group_temb) : NULL;
    if (!e->group || (e->timesteps && !e->group_times) || (e->temb && !e->group_temb))
        return ff_fail(e->v->error, FF_ERROR_MEMORY, "not enough memory for %zu timesteps", most);
    if (most == 1) {
        if (e->timesteps)
            e->group_times[0] = e->timesteps[0];
        if (e->temb)
            memcpy(e->group_temb, e->temb, dim * sizeof *e->temb);
        return FF_OK;
    }
    w->groups = 0;
    for (size_t token = 0; token < tokens; token++) {
        const float *row = e->temb && e->temb_rows > 1 ? e->temb + token * dim : e->temb;
        float time = e->timesteps ? e->timesteps[e->timestep_count > 1 ? token : 0] : 0;
        size_t found = 0;
        // with timesteps, they tell the groups; else the rows of temb do
        for (; found < w->groups; found++)
            if (e->timesteps ? memcmp(&e->group_times[found], &time, sizeof time) == 0
                             : memcmp(e->group_temb + found * dim, row, dim * sizeof *row) == 0)
                break;
        if (found == w->groups) {
            w->groups++;
            if (e->timesteps)
                e->group_times[found] = time;
            if (e->temb)
                memcpy(e->group_temb + found * dim, row, dim * sizeof *row);
        }
        e->group[token] = (uint32_t)found;
    }
    w->group = e->group;
    return FF_OK;
}

static ff_status read_floats(evaluation *e, const char *part, int rank, size_t *shape, float **out,
                             ff_precision *precision)
{
    char name[48];
    snprintf(name, sizeof name, "call.%03zu.%s", e->call, part);
    return ff_verify_dump_floats(&e->v->dump, name, rank, shape, out, precision, e->v->error);
}

// timestep and temb have one row, or one for each token.
static ff_status check_rows(const evaluation *e, const char *part, size_t rows)
{
    if (rows == 1 || rows == e->wan.tokens)
        return FF_OK;
    return ff_fail(e->v->error, FF_ERROR_INPUT, "%s: tensor call.%03zu.%s has %zu rows, expected 1 or %zu, the number "
                   "of tokens", e->v->dump.path, e->call, part, rows, e->wan.tokens);
}

static ff_status read_evaluation(evaluation *e)
{
    ff_verifier *v = e->v;
    const ff_verify_dump *dump = &v->dump;
    const ff_transformer_shape *shape = &e->wan.model->shape;
    bool negative = e->call % dump->calls_per_step != 0;
    const char *names[2] = {"prompt_embeds", "negative_prompt_embeds"};
    size_t latents[4] = {shape->in_channels, dump->frames, dump->height, dump->width};
    size_t output[4] = {shape->out_channels, dump->frames, dump->height, dump->width};
    size_t hidden[2] = {e->wan.tokens, shape->dim}, temb[2] = {0, shape->dim}, text[2] = {0, shape->dim};
    size_t embeds[2] = {0, shape->text_dim}, others[2] = {0, shape->text_dim}, times[1] = {0};
    ff_status status;
    if ((status = read_floats(e, "input", 4, latents, &e->latents, NULL)) ||
        (status = read_floats(e, "timestep", 1, times, &e->timesteps, NULL)) ||
        (status = read_floats(e, "temb", 2, temb, &e->temb, &e->temb_precision)) ||
        (status = read_floats(e, "text", 2, text, &e->text, &e->text_precision)) ||
        (status = read_floats(e, "embed", 2, hidden, &e->embed, &e->embed_precision)) ||
        (status = read_floats(e, "output", 4, output, &e->output, &e->output_precision)) ||
        (status = ff_verify_dump_floats(dump, names[negative], 2, embeds, &e->embeds, NULL, v->error)) ||
        (status = ff_verify_dump_floats(dump, names[!negative], 2, others, &e->other_embeds, NULL, v->error)))
        return status;
    e->timestep_count = e->timesteps ? times[0] : 0;
    e->temb_rows = e->temb ? temb[0] : 0;
    e->wan.text_tokens = e->text ? text[0] : embeds[0];
    if (e->text && e->embeds && text[0] != embeds[0])
        return ff_fail(v->error, FF_ERROR_INPUT, "%s: tensor call.%03zu.text has %zu rows, %s has %zu", dump->path,
                       e->call, text[0], names[negative], embeds[0]);
    if (e->other_embeds && others[0] != e->wan.text_tokens) {
        free(e->other_embeds);
        e->other_embeds = NULL;
    }
    if ((e->timesteps && (status = check_rows(e, "timestep", e->timestep_count))) ||
        (e->temb && (status = check_rows(e, "temb", e->temb_rows))))
        return status;
    return group_tokens(e);
}

static void free_evaluation(evaluation *e)
{
    float *all[] = {e->latents, e->timesteps, e->temb, e->text, e->embeds, e->other_embeds, e->embed, e->output,
                    e->group_times, e->group_temb};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(e->group);
}

// Does the dump hold anything of this evaluation that can be judged?
static bool any_result(const ff_verify_dump *dump, size_t call, size_t layers)
{
    static const char *const parts[] = {"embed", "temb", "text", "output"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (ff_verify_dump_has(dump, "call.%03zu.%s", call, parts[i]))
            return true;
    for (size_t layer = 0; layer < layers; layer++)
        if (ff_verify_dump_has(dump, "call.%03zu.block.%02zu", call, layer))
            return true;
    return false;
}

// The stages exist in the report whether or not the dump tells of them.
static void list_stages(ff_verifier *v, size_t layers)
{
    ff_finding_missing(ff_finding_of(&v->findings, "transformer.embed"), "call.000.embed");
    for (size_t layer = 0; layer < layers; layer++) {
        char name[48];
        snprintf(name, sizeof name, "call.000.block.%02zu", layer);
        ff_stage_finding *finding = ff_finding_of(&v->findings, "transformer.block.%02zu", layer);
        if (!v->dump.last_call)
            ff_finding_missing(finding, name);
    }
    ff_stage_finding *head = ff_finding_of(&v->findings, "transformer.head");
    if (!v->dump.last_call)
        ff_finding_missing(head, "call.000.output");
}

ff_status ff_verify_transformer(ff_verifier *v)
{
    const ff_transformer *model = v->model->experts[0].transformer;
    const ff_verify_dump *dump = &v->dump;
    const size_t *patch = model->shape.patch;
    size_t layers = model->shape.layers;
    ff_status status = FF_OK;
    list_stages(v, layers);
    if (!dump->height)
        return FF_OK;
    if (dump->frames % patch[0] || dump->height % patch[1] || dump->width % patch[2])
        return ff_fail(v->error, FF_ERROR_INPUT, "%s: latents of %zu x %zu x %zu cells do not divide into the "
                       "transformer's patches of %zu x %zu x %zu", dump->path, dump->frames, dump->height,
                       dump->width, patch[0], patch[1], patch[2]);
    for (size_t call = 0; call < dump->last_call && !status; call++) {
        if (!any_result(dump, call, layers))
            continue;
        evaluation e = {.v = v, .call = call, .wan = {.model = model, .arena = v->arena}};
        e.wan.grid = (ff_extent){dump->frames / patch[0], dump->height / patch[1], dump->width / patch[2]};
        e.wan.tokens = e.wan.grid.frames * e.wan.grid.height * e.wan.grid.width;
        e.embed_finding = ff_finding_of(&v->findings, "transformer.embed");
        e.head_finding = ff_finding_of(&v->findings, "transformer.head");
        status = read_evaluation(&e);
        if (!status)
            status = judge_embeddings(&e);
        if (!status)
            status = judge_blocks(&e);
        free_evaluation(&e);
    }
    return status;
}

#include "lora.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lora_keys.h"

typedef struct tensor {
    const char *name;     // the file's
    ff_lora_key key;
    ff_weight view;
    bool asked;           // a transformer had a use for it
} tensor;

struct ff_lora {
    ff_weights *weights;
    double strength;
    tensor *tensors;      // [count], by module and kind
    size_t count;
    ff_config *adapter;   // PEFT's settings, as diffusers keeps them in the metadata; NULL: none
    char layout[64];
};

static const char *origin(const ff_lora *lora)
{
    return ff_weights_origin(lora->weights);
}

// ---- tensors by module ----

static int compare(const void *a, const void *b)
{
    const tensor *p = a, *q = b;
    int order = strcmp(p->key.module, q->key.module);
    return order ? order : (int)p->key.kind - (int)q->key.kind;
}

static tensor *find(const ff_lora *lora, const char *module, ff_lora_kind kind)
{
    size_t low = 0, high = lora->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(lora->tensors[middle].key.module, module);
        order = order ? order : (int)lora->tensors[middle].key.kind - (int)kind;
        if (order == 0)
            return &lora->tensors[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

// What is asked for by diffusers' name is found under any of the names that it has.
static tensor *ask(const ff_lora *lora, const char *name, ff_lora_kind kind)
{
    char module[FF_NAME_TEXT];
    size_t next = 0;
    tensor *found = NULL;
    while (!found && ff_lora_module(name, &next, module))
        found = find(lora, module, kind);
    return found;
}

// ---- shapes ----

static size_t rows_of(const ff_weight *view)
{
    return view->rank > 0 ? view->shape[0] : 1;
}

// Elements of a row, with all axes behind the first in one, as a convolution's.
static size_t depth_of(const ff_weight *view)
{
    return ff_weight_elements(view) / rows_of(view);
}

static ff_status fail_shape(const ff_lora *lora, const tensor *one, const char *wanted, ff_error *error)
{
    char found[FF_SHAPE_TEXT];
    ff_print_shape(found, one->view.rank, one->view.shape);
    return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has shape %s, and what it is for asks for %s", origin(lora),
                   one->name, found, wanted);
}

// ---- opening ----

// Reads what a scalar of any type holds. False: it is no number.
static bool read_number(const ff_weight *view, double *out)
{
    float narrow;
    int64_t wide;
    int32_t whole;
    if (view->dtype->decode) {
        ff_weight_widen(view, 0, 1, &narrow);
        *out = (double)narrow;
    } else if (view->dtype == FF_F64) {
        memcpy(out, view->data, sizeof *out);
    } else if (view->dtype == FF_I64) {
        memcpy(&wide, view->data, sizeof wide);
        *out = (double)wide;
    } else if (view->dtype == FF_I32) {
        memcpy(&whole, view->data, sizeof whole);
        *out = (double)whole;
    } else if (view->dtype == FF_U8) {
        *out = (double)*(const uint8_t *)view->data;
    } else {
        return false;
    }
    return isfinite(*out);
}

static ff_status check_tensor(const ff_lora *lora, const tensor *one, ff_error *error)
{
    const ff_weight *view = &one->view;
    size_t elements = ff_weight_elements(view);
    double alpha;
    if (one->key.kind >= FF_LORA_GATE)
        return FF_OK;
    if (one->key.kind == FF_LORA_ALPHA) {
        if (elements != 1)
            return fail_shape(lora, one, "one number", error);
        if (!read_number(view, &alpha))
            return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s, of %s, is no finite number", origin(lora), one->name,
                           view->dtype->name);
        return FF_OK;
    }
    if (!view->dtype->decode)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s is %s, expected a floating-point or quantised type",
                       origin(lora), one->name, view->dtype->name);
    bool matrix = one->key.kind == FF_LORA_DOWN || one->key.kind == FF_LORA_UP;
    if (elements == 0 || (matrix && view->rank < 2))
        return fail_shape(lora, one, matrix ? "[rows, columns]" : "one with elements", error);
    size_t row = view->rank > 1 ? depth_of(view) : elements;
    if (row % view->dtype->block != 0)
        return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has rows of %zu elements, which are no whole %s blocks of "
                       "%zu", origin(lora), one->name, row, view->dtype->name, view->dtype->block);
    return FF_OK;
}

static ff_status check_pair(const ff_lora *lora, const tensor *down, const tensor *up, ff_error *error)
{
    char shape[FF_SHAPE_TEXT];
    if (depth_of(&up->view) == rows_of(&down->view))
        return FF_OK;
    ff_print_shape(shape, down->view.rank, down->view.shape);
    char other[FF_SHAPE_TEXT];
    ff_print_shape(other, up->view.rank, up->view.shape);
    return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s has shape %s and %s has %s; the rank must be the first of one "
                   "and the last of the other", origin(lora), down->name, shape, up->name, other);
}

// Each tensor on its own, then what belongs to a module together.
static ff_status check(const ff_lora *lora, ff_error *error)
{
    ff_status status;
    for (size_t i = 0; i < lora->count; i++) {
        const tensor *one = &lora->tensors[i];
        if ((status = check_tensor(lora, one, error)))
            return status;
        if (i > 0 && one->key.kind < FF_LORA_GATE && compare(one, one - 1) == 0)
            return ff_fail(error, FF_ERROR_INPUT, "%s: tensors %s and %s say the same of one module", origin(lora),
                           one[-1].name, one->name);
        bool down = one->key.kind == FF_LORA_DOWN;
        if (!down && one->key.kind != FF_LORA_UP)
            continue;
        const tensor *other = find(lora, one->key.module, down ? FF_LORA_UP : FF_LORA_DOWN);
        if (!other)
            return ff_fail(error, FF_ERROR_INPUT, "%s: tensor %s stands alone; the other of the pair (lora_%s) is "
                           "missing", origin(lora), one->name, down ? "B, lora_up" : "A, lora_down");
        if (down && (status = check_pair(lora, one, other, error)))
            return status;
    }
    return FF_OK;
}

// What the file's names are like, by its first tensor that says so.
static void name_layout(ff_lora *lora, const tensor *one)
{
    size_t length = strlen(one->name), tail = length;
    const char *dot = strstr(one->name + one->key.prefix, ".lora");
    if (!dot)
        dot = strrchr(one->name, '.');
    tail = dot ? (size_t)(dot - one->name) : length;
    snprintf(lora->layout, sizeof lora->layout, "%.*s*%.24s", (int)ff_smaller(one->key.prefix, 32), one->name,
             one->name + tail);
}

static ff_status read_keys(ff_lora *lora, ff_error *error)
{
    size_t first = lora->count;
    bool plain = false;   // there are keys of the first transformer besides those of a second
    for (size_t i = 0; i < lora->count; i++) {
        ff_weight view;
        const char *name = ff_weights_at(lora->weights, i, &view), *foreign = ff_lora_key_foreign(name);
        if (foreign)
            return ff_fail(error, FF_ERROR_INPUT, "%s is %s, which is not computed here: it has %s; convert it to a "
                           "plain LoRA", origin(lora), foreign, name);
        plain = plain || strncmp(name, "transformer.", 12) == 0;
    }
    for (size_t i = 0; i < lora->count; i++) {
        tensor *one = &lora->tensors[i];
        one->name = ff_weights_at(lora->weights, i, &one->view);
        one->key = ff_lora_key_read(one->name, !plain);
        if (one->key.kind < FF_LORA_GATE && first == lora->count && one->key.kind != FF_LORA_ALPHA)
            first = i;
    }
    if (first == lora->count)
        return ff_fail(error, FF_ERROR_INPUT, "%s is no LoRA: of its %zu tensors none is called like X.lora_A.weight, "
                       "X.lora_down.weight or X.diff", origin(lora), lora->count);
    name_layout(lora, &lora->tensors[first]);
    qsort(lora->tensors, lora->count, sizeof *lora->tensors, compare);
    return FF_OK;
}

static ff_status open(ff_lora *lora, const char *path, ff_error *error)
{
    ff_status status = ff_weights_open_file(path, &lora->weights, error);
    if (status)
        return status;
    lora->count = ff_weights_count(lora->weights);
    lora->tensors = calloc(lora->count + 1, sizeof *lora->tensors);
    if (!lora->tensors)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
    const char *adapter = ff_weights_metadata(lora->weights, "lora_adapter_metadata");
    if (adapter && (status = ff_config_parse(path, adapter, &lora->adapter, error)))
        return status;
    status = read_keys(lora, error);
    return status ? status : check(lora, error);
}

ff_status ff_lora_open(const char *path, double strength, ff_lora **out, ff_error *error)
{
    ff_lora *lora = calloc(1, sizeof *lora);
    *out = NULL;
    if (!lora)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
    lora->strength = strength;
    ff_status status = open(lora, path, error);
    if (status)
        ff_lora_close(lora);
    else
        *out = lora;
    return status;
}

void ff_lora_close(ff_lora *lora)
{
    if (!lora)
        return;
    ff_config_close(lora->adapter);
    ff_weights_close(lora->weights);
    free(lora->tensors);
    free(lora);
}

// ---- what it is ----

const ff_weights *ff_lora_weights(const ff_lora *lora)
{
    return lora->weights;
}

double ff_lora_strength(const ff_lora *lora)
{
    return lora->strength;
}

// PEFT's alpha of a module, alpha_pattern's before that of all; NAN: it says nothing.
static double adapter_alpha(const ff_lora *lora, const tensor *down)
{
    double alpha = NAN;
    char module[FF_NAME_TEXT];
    const char *from = down->name + down->key.prefix, *end = strstr(from, ".lora");
    if (!lora->adapter)
        return NAN;
    snprintf(module, sizeof module, "%.*s", end ? (int)(end - from) : 0, from);
    if (ff_config_table(lora->adapter, "transformer.alpha_pattern", module, 0, NULL, &alpha, NULL) == FF_OK)
        return alpha;
    return ff_config_number(lora->adapter, "transformer.lora_alpha", NAN, &alpha, NULL) == FF_OK ? alpha : NAN;
}

// alpha / rank, or alpha / sqrt(rank) where PEFT's settings say so (rsLoRA); 1 without alpha.
static double scale_of(const ff_lora *lora, const tensor *down)
{
    const tensor *stored = find(lora, down->key.module, FF_LORA_ALPHA);
    double alpha, rank = (double)rows_of(&down->view);
    bool root = false;
    if (stored && read_number(&stored->view, &alpha))
        return alpha / rank;
    alpha = adapter_alpha(lora, down);
    if (isnan(alpha))
        return 1;
    ff_config_bool(lora->adapter, "transformer.use_rslora", false, &root, NULL);
    return alpha / (root ? sqrt(rank) : rank);
}

ff_lora_facts ff_lora_describe(const ff_lora *lora)
{
    ff_lora_facts facts = {.tensors = lora->count};
    memcpy(facts.layout, lora->layout, sizeof facts.layout);
    for (size_t i = 0; i < lora->count; i++) {
        const tensor *one = &lora->tensors[i];
        facts.bytes += ff_element_bytes(one->view.dtype, ff_weight_elements(&one->view));
        facts.sums += one->key.kind == FF_LORA_DIFF || one->key.kind == FF_LORA_DIFF_BIAS ||
                      one->key.kind == FF_LORA_UP_BIAS;
        facts.ignored += one->key.kind == FF_LORA_GATE;
        if (one->key.kind == FF_LORA_DOWN) {
            size_t rank = rows_of(&one->view);
            double scale = scale_of(lora, one);
            facts.least_rank = facts.products ? ff_smaller(facts.least_rank, rank) : rank;
            facts.most_rank = ff_larger(facts.most_rank, rank);
            facts.least_scale = facts.products ? fmin(facts.least_scale, scale) : scale;
            facts.most_scale = facts.products ? fmax(facts.most_scale, scale) : scale;
            facts.products++;
        }
        if (one->asked || one->key.kind == FF_LORA_GATE)
            continue;
        if (facts.unmatched++ == 0)
            snprintf(facts.unmatched_name, sizeof facts.unmatched_name, "%.*s", (int)sizeof facts.unmatched_name - 1,
                     one->name);
    }
    return facts;
}

const char *ff_lora_purpose(const ff_lora *lora)
{
    for (size_t i = 0; i < lora->count; i++) {
        const char *purpose = ff_lora_module_purpose(lora->tensors[i].key.module);
        if (purpose && !lora->tensors[i].asked)
            return purpose;
    }
    return "another model";
}

// ---- what it adds ----

static void mark(const ff_lora *lora, const char *module, ff_lora_kind kind)
{
    tensor *one = find(lora, module, kind);
    if (one)
        one->asked = true;
}

// A product's weight as one matrix.
static ff_weight as_matrix(const ff_weight *view)
{
    ff_weight matrix = *view;
    matrix.rank = 2;
    matrix.shape[1] = depth_of(view);
    return matrix;
}

// Rows and depth of a tensor that lies between `rows` and `depth`; 0: any.
static ff_status require(const ff_lora *lora, tensor *one, size_t rows, size_t depth, ff_error *error)
{
    char wanted[FF_SHAPE_TEXT];
    one->asked = true;
    if ((rows == 0 || rows_of(&one->view) == rows) && (depth == 0 || depth_of(&one->view) == depth))
        return FF_OK;
    if (rows && depth)
        snprintf(wanted, sizeof wanted, "[%zu, %zu]", rows, depth);
    else if (rows)
        snprintf(wanted, sizeof wanted, "[%zu, rank]", rows);
    else
        snprintf(wanted, sizeof wanted, "[rank, %zu]", depth);
    return fail_shape(lora, one, wanted, error);
}

ff_status ff_lora_products(ff_lora *lora, const char *name, size_t columns, size_t depth,
                           ff_linear_addition out[FF_LORA_MOST], size_t *count, ff_error *error)
{
    ff_status status;
    tensor *down = ask(lora, name, FF_LORA_DOWN), *diff = ask(lora, name, FF_LORA_DIFF);
    *count = 0;
    if (down) {
        tensor *up = find(lora, down->key.module, FF_LORA_UP);  // check has seen to it that there is one
        if ((status = require(lora, down, 0, depth, error)) || (status = require(lora, up, columns, 0, error)))
            return status;
        mark(lora, down->key.module, FF_LORA_ALPHA);
        out[(*count)++] = (ff_linear_addition){.down = as_matrix(&down->view), .up = as_matrix(&up->view),
                                               .factor = (float)(lora->strength * scale_of(lora, down))};
    }
    if (diff) {
        if ((status = require(lora, diff, columns, depth, error)))
            return status;
        out[(*count)++] = (ff_linear_addition){.up = as_matrix(&diff->view), .factor = (float)lora->strength};
    }
    return FF_OK;
}

static ff_status add_sum(const ff_lora *lora, tensor *one, size_t elements, double factor,
                         ff_lora_sum out[FF_LORA_MOST], size_t *count, ff_error *error)
{
    char wanted[32];
    one->asked = true;
    if (ff_weight_elements(&one->view) != elements) {
        snprintf(wanted, sizeof wanted, "%zu elements", elements);
        return fail_shape(lora, one, wanted, error);
    }
    out[(*count)++] = (ff_lora_sum){one->view, (float)factor};
    return FF_OK;
}

// B's own bias is scaled as B is.
ff_status ff_lora_sums(ff_lora *lora, const char *name, size_t elements, ff_lora_sum out[FF_LORA_MOST], size_t *count,
                       ff_error *error)
{
    char weight[FF_NAME_TEXT];
    const char *bias = strstr(name, ".bias");
    *count = 0;
    snprintf(weight, sizeof weight, "%.*s%s", (int)(bias ? bias - name : (ptrdiff_t)strlen(name)), name,
             bias ? ".weight" : "");
    tensor *diff = ask(lora, weight, bias ? FF_LORA_DIFF_BIAS : FF_LORA_DIFF);
    tensor *up = bias ? ask(lora, weight, FF_LORA_UP_BIAS) : NULL;
    tensor *down = up ? find(lora, up->key.module, FF_LORA_DOWN) : NULL;
    ff_status status = FF_OK;
    if (up)
        status = add_sum(lora, up, elements, lora->strength * (down ? scale_of(lora, down) : 1), out, count, error);
    if (!status && diff)
        status = add_sum(lora, diff, elements, lora->strength, out, count, error);
    return status;
}

#include "diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/threads.h"

bool ff_name_matches(const char *pattern, const char *name)
{
    const char *star = NULL, *resumed = NULL;  // the last star, and where in the name what it stands for ends
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            resumed = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++resumed;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == 0;
}

typedef struct files {
    const ff_tensors *a, *b;
} files;

// ---- rows ----

static int compare_rows(const void *a, const void *b)
{
    const ff_diff_row *p = a, *q = b;
    size_t index_p = p->a ? p->a->index : p->b->index, index_q = q->a ? q->a->index : q->b->index;
    int sign = ff_place_compare(&p->place, &q->place);
    return sign ? sign : (index_p > index_q) - (index_p < index_q);
}

static ff_diff_row make_row(const ff_tensor *a, const ff_tensor *b, size_t calls_per_step)
{
    const char *name = a ? a->name : b->name;
    return (ff_diff_row){.name = name, .place = ff_place_of(name, calls_per_step), .a = a, .b = b};
}

// Every name in either dump, once, in execution order.
static ff_status list_rows(const ff_tensors *a, const ff_tensors *b, ff_diff *out, ff_error *error)
{
    size_t count_a = ff_tensors_count(a), count_b = ff_tensors_count(b), count = 0;
    ff_counts counts = {0};
    out->rows = malloc((count_a + count_b) * sizeof *out->rows);
    if (!out->rows)
        return ff_fail(error, FF_ERROR_MEMORY, "not enough memory to list %zu tensors", count_a + count_b);
    for (size_t i = 0; i < count_a; i++)
        ff_counts_add(&counts, ff_tensors_at(a, i)->name);
    for (size_t i = 0; i < count_b; i++)
        ff_counts_add(&counts, ff_tensors_at(b, i)->name);
    size_t calls = ff_calls_per_step(&counts);
    for (size_t i = 0; i < count_a; i++) {
        const ff_tensor *tensor = ff_tensors_at(a, i), *other = ff_tensors_find(b, tensor->name);
        out->only_a += !other;
        out->rows[count++] = make_row(tensor, other, calls);
    }
    for (size_t i = 0; i < count_b; i++) {
        const ff_tensor *tensor = ff_tensors_at(b, i);
        if (ff_tensors_find(a, tensor->name))
            continue;
        out->only_b++;
        out->rows[count++] = make_row(NULL, tensor, calls);
    }
    qsort(out->rows, count, sizeof *out->rows, compare_rows);
    out->count = out->first = count;
    return FF_OK;
}

// ---- one row ----


static bool same_shapes(const ff_tensor *a, const ff_tensor *b)
{
    int i = 0, j = 0;
    for (;; i++, j++) {
        while (i < a->rank && a->shape[i] == 1)
            i++;
        while (j < b->rank && b->shape[j] == 1)
            j++;
        if (i == a->rank || j == b->rank)
            return i == a->rank && j == b->rank;
        if (a->shape[i] != b->shape[j])
            return false;
    }
}

// A dump of another program may hold of anchor.known, [C, F, h, w], the first latent frame only: leaves only that one
// in view, if the other is so.
static void look_at_first_frame(ff_tensor *tensor, const ff_tensor *other)
{
    int axis = tensor->rank - 3;
    if (strcmp(tensor->name, "anchor.known") != 0 || tensor->rank != tensor->view.rank || axis < 1 || other->rank < 4 ||
        tensor->shape[axis] == 1 || other->shape[other->rank - 3] != 1)
        return;
    tensor->shape[axis] = tensor->view.shape[axis] = 1;
}

// ---- latents after a step, which mean nothing where a mask says known ----

static bool is_masked(const char *name)
{
    size_t length = strlen(name);
    return strncmp(name, "step.", 5) == 0 && length > 8 && strcmp(name + length - 8, ".latents") == 0;
}

// One channel of latents [channels, ...], each of `cells` values. False if the view is not divided so.
static bool view_channel(const ff_strided *latents, size_t channel, size_t cells, ff_strided *out)
{
    int first = 0;
    while (first < latents->rank && latents->shape[first] == 1)
        first++;
    if (first == latents->rank || channel >= latents->shape[first])
        return false;
    *out = (ff_strided){.dtype = latents->dtype, .rank = latents->rank - first - 1};
    out->data = (const char *)latents->data + channel * latents->stride[first] * latents->dtype->bytes;
    memcpy(out->shape, latents->shape + first + 1, (size_t)out->rank * sizeof *out->shape);
    memcpy(out->stride, latents->stride + first + 1, (size_t)out->rank * sizeof *out->stride);
    return ff_strided_count(out) == cells;
}

// Compares channel by channel, with zeros for what is known. *done is false if there is no mask that fits.
static ff_status compare_unknown(const files *both, const ff_strided *a, const ff_strided *b,
                                 ff_tensor_comparison *comparison, bool *done, ff_error *error)
{
    const ff_tensor *mask = ff_tensors_find(both->a, "anchor.mask");
    mask = mask ? mask : ff_tensors_find(both->b, "anchor.mask");
    size_t cells = mask ? ff_strided_count(&mask->view) : 0, count = ff_strided_count(a);
    ff_strided channel_a, channel_b;
    ff_status status = FF_OK;
    *done = cells > 0 && count % cells == 0 && view_channel(a, 0, cells, &channel_a) &&
            view_channel(b, 0, cells, &channel_b);
    if (!*done)
        return FF_OK;
    float *values = calloc(cells, 3 * sizeof *values);  // the mask, a channel of a, one of b
    if (!values)
        return ff_fail(error, FF_ERROR_MEMORY, "not enough memory for %zu cells of latents", cells);
    ff_strided_read(&mask->view, values);
    for (size_t channel = 0; channel < count / cells && !status; channel++) {
        view_channel(a, channel, cells, &channel_a);
        view_channel(b, channel, cells, &channel_b);
        ff_strided_read(&channel_a, values + cells);
        ff_strided_read(&channel_b, values + 2 * cells);
        for (size_t i = 0; i < cells; i++)
            if (values[i] == 0)
                values[cells + i] = values[2 * cells + i] = 0;
        ff_strided unknown_a = ff_strided_of_floats(values + cells, 1, &cells);
        ff_strided unknown_b = ff_strided_of_floats(values + 2 * cells, 1, &cells);
        status = ff_tensor_comparison_add(comparison, &unknown_a, &unknown_b, NULL, NULL, error);
    }
    free(values);
    return status;
}

static bool is_whole(ff_dtype dtype)
{
    return dtype == FF_I64 || dtype == FF_I32 || dtype == FF_U8 || dtype == FF_BOOL;
}

static double tolerance_of(const ff_diff_row *row, const ff_tolerance *tolerances, size_t count)
{
    for (size_t i = count; i-- > 0;)
        if ((tolerances[i].whole || !row->whole) && ff_name_matches(tolerances[i].pattern, row->name))
            return tolerances[i].value;
    if (!row->whole)
        return FF_TOLERANCE_RUN;
    return row->a->dtype == FF_U8 && row->b->dtype == FF_U8 ? FF_TOLERANCE_PIXEL : 0;
}

static void release(void *user)
{
    const files *both = user;
    ff_tensors_release(both->a);
    ff_tensors_release(both->b);
}

static ff_status compare_row(ff_diff_row *row, ff_tensor_comparison *comparison, files *both, ff_error *error)
{
    ff_tensor a = *row->a, b = *row->b;
    look_at_first_frame(&a, row->b);
    look_at_first_frame(&b, row->a);
    row->shapes_differ = !same_shapes(&a, &b);
    row->beyond = true;
    if (row->shapes_differ)
        return FF_OK;
    ff_tensor_comparison_clear(comparison);
    ff_error reason = {0};
    ff_status status = FF_OK;
    bool done = false;
    if (is_masked(row->name))
        status = compare_unknown(both, &a.view, &b.view, comparison, &done, &reason);
    if (!status && !done)
        status = ff_tensor_comparison_add(comparison, &a.view, &b.view, release, both, &reason);
    if (status)
        return ff_fail(error, status, "%s: %s", row->name, reason.message);
    row->distance = ff_tensor_comparison_result(comparison);
    row->error = row->distance.unmatched ? INFINITY :
                 row->whole ? row->distance.max_abs : row->distance.relative_l2;
    row->beyond = !(row->error <= row->tolerance);
    return FF_OK;
}

// ---- all rows ----

typedef struct diffing {
    files both;
    const ff_tolerance *tolerances;
    size_t tolerance_count;
    bool (*between)(void *user);
    void *user;
    ff_diff *out;
    ff_error *error;
} diffing;

static ff_status compare_row_and_count(const diffing *d, size_t i, ff_tensor_comparison *comparison)
{
    ff_diff *out = d->out;
    ff_diff_row *row = &out->rows[i];
    row->whole = is_whole(row->a->dtype) && is_whole(row->b->dtype);
    row->tolerance = tolerance_of(row, d->tolerances, d->tolerance_count);
    ff_status status = compare_row(row, comparison, (void *)&d->both, d->error);
    if (status)
        return status;
    if (row->beyond)
        out->beyond++;
    else if (row->distance.different)
        out->within++;
    else
        out->equal++;
    out->first = row->beyond && out->first == out->count ? i : out->first;
    return d->between && d->between(d->user) ? ff_fail(d->error, FF_CANCELLED, "interrupted") : FF_OK;
}

static ff_status compare_all(void *user)
{
    const diffing *d = user;
    const ff_tensors *a = d->both.a, *b = d->both.b;
    ff_tensor_comparison *comparison = ff_tensor_comparison_create();
    ff_status status = list_rows(a, b, d->out, d->error);
    if (!comparison)
        status = ff_fail(d->error, FF_ERROR_MEMORY, "not enough memory to compare tensors");
    else if (!status && d->out->only_a == ff_tensors_count(a))
        status = ff_fail(d->error, FF_ERROR_INPUT, "no tensor of %s has the name of one of %s, such as %s",
                         ff_tensors_path(a), ff_tensors_path(b), ff_tensors_at(b, 0)->name);
    for (size_t i = 0; i < d->out->count && !status; i++)
        if (d->out->rows[i].a && d->out->rows[i].b)
            status = compare_row_and_count(d, i, comparison);
    ff_tensor_comparison_destroy(comparison);
    return status;
}

ff_status ff_diff_run(const ff_tensors *a, const ff_tensors *b, const ff_tolerance *tolerances, size_t tolerance_count,
                      bool (*between)(void *user), void *user, ff_diff *out, ff_error *error)
{
    diffing d = {{a, b}, tolerances, tolerance_count, between, user, out, error};
    *out = (ff_diff){0};
    ff_status status = ff_with_threads(0, compare_all, &d, error);
    if (status)
        ff_diff_free(out);
    return status;
}

void ff_diff_free(ff_diff *diff)
{
    free(diff->rows);
    *diff = (ff_diff){0};
}

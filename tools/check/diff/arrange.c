#include "arrange.h"

#include "base/sizes.h"

#include <string.h>

ff_arranged ff_arranged_of(const ff_weight *weight)
{
    ff_arranged tensor = {.view = ff_strided_of(weight), .rank = weight->rank};
    memcpy(tensor.shape, weight->shape, (size_t)weight->rank * sizeof *tensor.shape);
    return tensor;
}

// ---- reading ----

// Digits, at most nine, with a minus before them.
static bool parse_number(const char *word, long long *out)
{
    bool negative = *word == '-';
    long long value = 0;
    word += negative;
    if (!*word || strlen(word) > 9)
        return false;
    for (; *word; word++) {
        if (*word < '0' || *word > '9')
            return false;
        value = value * 10 + (*word - '0');
    }
    *out = negative ? -value : value;
    return true;
}

ff_status ff_arrangement_parse(int count, char *const *words, ff_arrangement *out, ff_error *error)
{
    static const struct {
        const char *name;
        int least, most;  // numbers that follow
        long long lowest;
        const char *usage;
    } known[] = {
        [FF_ARRANGE_TRANSPOSE] = {"transpose", 0, 0, 0, "transpose"},
        [FF_ARRANGE_PERMUTE] = {"permute", 1, FF_STRIDED_MOST_AXES, 0, "permute AXIS AXIS ..."},
        [FF_ARRANGE_RESHAPE] = {"reshape", 1, FF_STRIDED_MOST_AXES, -1, "reshape SIZE SIZE ..."},
        [FF_ARRANGE_SELECT] = {"select", 2, 2, 0, "select AXIS INDEX"},
        [FF_ARRANGE_CHANNELS_FIRST] = {"channels-first", 0, 0, 0, "channels-first"},
        [FF_ARRANGE_CHANNELS_LAST] = {"channels-last", 0, 0, 0, "channels-last"},
    };
    for (size_t kind = 0; kind < sizeof known / sizeof *known; kind++) {
        if (count == 0 || strcmp(words[0], known[kind].name) != 0)
            continue;
        *out = (ff_arrangement){.kind = (ff_arrangement_kind)kind, .count = count - 1};
        bool good = out->count >= known[kind].least && out->count <= known[kind].most;
        for (int i = 0; i < out->count && good; i++)
            good = parse_number(words[1 + i], &out->number[i]) && out->number[i] >= known[kind].lowest;
        if (!good)
            return ff_fail(error, FF_ERROR_INPUT, "expected \"%s\"", known[kind].usage);
        return FF_OK;
    }
    return ff_fail(error, FF_ERROR_INPUT, "expected transpose, permute, reshape, select, channels-first or "
                   "channels-last after the colon, found \"%.40s\"", count ? words[0] : "");
}

// ---- doing ----

static void move_axis(ff_arranged *tensor, int from, int to)
{
    size_t extent = tensor->shape[from], stride = tensor->view.stride[from];
    int step = from < to ? 1 : -1;
    for (int i = from; i != to; i += step) {
        tensor->shape[i] = tensor->shape[i + step];
        tensor->view.stride[i] = tensor->view.stride[i + step];
    }
    tensor->shape[to] = extent;
    tensor->view.stride[to] = stride;
}

static ff_status permute(const ff_arrangement *by, ff_arranged *tensor, ff_error *error)
{
    ff_arranged before = *tensor;
    unsigned seen = 0;
    for (int i = 0; i < by->count && by->number[i] < tensor->rank; i++)
        seen |= 1u << by->number[i];
    if (by->count != tensor->rank || seen != (1u << tensor->rank) - 1)
        return ff_fail(error, FF_ERROR_INPUT, "permute needs each axis from 0 to %d once", tensor->rank - 1);
    for (int i = 0; i < tensor->rank; i++) {
        tensor->shape[i] = before.shape[by->number[i]];
        tensor->view.stride[i] = before.view.stride[by->number[i]];
    }
    return FF_OK;
}

static ff_status select_element(const ff_arrangement *by, ff_arranged *tensor, ff_error *error)
{
    int axis = (int)by->number[0];
    if (axis >= tensor->rank || (size_t)by->number[1] >= tensor->shape[axis])
        return ff_fail(error, FF_ERROR_INPUT, "there is no element %lld along axis %d", by->number[1], axis);
    tensor->view.data = (const char *)tensor->view.data +
                        (size_t)by->number[1] * tensor->view.stride[axis] * tensor->view.dtype->bytes;
    move_axis(tensor, axis, tensor->rank - 1);
    tensor->rank--;
    return FF_OK;
}

// Whether the elements lie one after the other.
static bool lies_in_order(const ff_strided *view)
{
    size_t stride = 1;
    for (int i = view->rank; i-- > 0; stride *= view->shape[i])
        if (view->shape[i] != 1 && view->stride[i] != stride)
            return false;
    return true;
}

static ff_status reshape(const ff_arrangement *by, ff_arranged *tensor, ff_error *error)
{
    size_t count = ff_strided_count(&tensor->view), rest = 1, *open = NULL;
    bool fits = true;
    for (int i = 0; i < by->count; i++) {
        tensor->shape[i] = (size_t)by->number[i];
        if (by->number[i] >= 0)
            fits = fits && ff_multiply_sizes(rest, tensor->shape[i], &rest);
        else if (open)
            return ff_fail(error, FF_ERROR_INPUT, "reshape can leave open one size only");
        else
            open = &tensor->shape[i];
    }
    if (open)
        *open = rest ? count / rest : 0;
    if (!fits || (open ? rest == 0 || count % rest != 0 : rest != count))
        return ff_fail(error, FF_ERROR_INPUT, "reshape to other than its %zu elements", count);
    tensor->rank = by->count;
    if (lies_in_order(&tensor->view)) {
        ff_weight flat = {.data = tensor->view.data, .dtype = tensor->view.dtype};
        tensor->view = ff_strided_of(&flat);
        tensor->view.rank = tensor->rank;
        size_t stride = 1;
        for (int i = tensor->rank; i-- > 0; stride *= tensor->shape[i]) {
            tensor->view.shape[i] = tensor->shape[i];
            tensor->view.stride[i] = stride;
        }
    }
    return FF_OK;
}

ff_status ff_arrange(const ff_arrangement *by, ff_arranged *tensor, ff_error *error)
{
    int last = tensor->rank - 1, first = 0;
    ff_status status = FF_OK;
    if (tensor->view.rank != tensor->rank || memcmp(tensor->view.shape, tensor->shape,
                                                    (size_t)tensor->rank * sizeof *tensor->shape) != 0)
        return ff_fail(error, FF_ERROR_INPUT,
                       "nothing can follow the reshape of a tensor that was permuted or selected from");
    if (by->kind == FF_ARRANGE_RESHAPE)
        return reshape(by, tensor, error);
    switch (by->kind) {
    case FF_ARRANGE_TRANSPOSE:
        if (last < 1)
            return ff_fail(error, FF_ERROR_INPUT, "transpose needs two axes");
        move_axis(tensor, last, last - 1);
        break;
    case FF_ARRANGE_PERMUTE: status = permute(by, tensor, error); break;
    case FF_ARRANGE_SELECT: status = select_element(by, tensor, error); break;
    case FF_ARRANGE_CHANNELS_FIRST:
        if (last > 0)
            move_axis(tensor, last, 0);
        break;
    case FF_ARRANGE_CHANNELS_LAST:
        while (first < last && tensor->shape[first] == 1)
            first++;
        if (last > 0)
            move_axis(tensor, first, last);
        break;
    case FF_ARRANGE_RESHAPE: break;
    }
    if (!status) {
        tensor->view.rank = tensor->rank;
        memcpy(tensor->view.shape, tensor->shape, sizeof tensor->shape);
    }
    return status;
}

#include "pairing.h"

#include <string.h>

#define TILE 64  // of pieces whose rows lie along different axes in a and b

ff_strided ff_strided_of(const ff_weight *weight)
{
    ff_strided view = {.data = weight->data, .dtype = weight->dtype, .rank = weight->rank};
    size_t stride = 1;
    for (int i = view.rank; i-- > 0; stride *= view.shape[i]) {
        view.shape[i] = weight->shape[i];
        view.stride[i] = stride;
    }
    return view;
}

static ff_strided strided_of_numbers(const void *data, ff_dtype dtype, int rank, const size_t *shape)
{
    ff_weight weight = {.data = data, .dtype = dtype, .rank = rank};
    memcpy(weight.shape, shape, (size_t)rank * sizeof *shape);
    return ff_strided_of(&weight);
}

ff_strided ff_strided_of_floats(const float *data, int rank, const size_t *shape)
{
    return strided_of_numbers(data, FF_F32, rank, shape);
}

ff_strided ff_strided_of_doubles(const double *data, int rank, const size_t *shape)
{
    return strided_of_numbers(data, FF_F64, rank, shape);
}

size_t ff_strided_count(const ff_strided *view)
{
    return ff_shape_elements(view->rank, view->shape);
}

// ---- reading ----

// Loads of a possibly unaligned element, as the compiler knows to vectorise them.
#define READ_RUN(type, expression)                                             \
    for (size_t i = 0; i < count; i++) {                                       \
        type bits;                                                             \
        memcpy(&bits, bytes + (first + i * stride) * sizeof bits, sizeof bits); \
        out[i] = (double)(expression);                                         \
    }

static void read_run(const ff_strided *view, size_t first, size_t stride, size_t count, double *out)
{
    const char *bytes = view->data;
    if (view->dtype == FF_F32 && stride == 1) {
        for (size_t i = 0; i < count; i++) {
            float value;
            memcpy(&value, bytes + (first + i) * sizeof value, sizeof value);
            out[i] = (double)value;
        }
        return;
    }
    if (view->dtype == FF_F32) {
        READ_RUN(float, bits);
    } else if (view->dtype == FF_F16) {
        READ_RUN(uint16_t, ff_widen_f16(bits));
    } else if (view->dtype == FF_BF16) {
        READ_RUN(uint16_t, ff_widen_bf16(bits));
    } else if (view->dtype == FF_F64) {
        READ_RUN(double, bits);
    } else if (view->dtype == FF_I64) {
        READ_RUN(int64_t, bits);
    } else if (view->dtype == FF_I32) {
        READ_RUN(int32_t, bits);
    } else {  // U8, BOOL
        READ_RUN(uint8_t, bits);
    }
}

void ff_strided_read(const ff_strided *view, float *out)
{
    size_t at[FF_STRIDED_MOST_AXES] = {0}, count = ff_strided_count(view);
    int last = view->rank - 1;
    size_t length = last < 0 ? 1 : view->shape[last], stride = last < 0 ? 1 : view->stride[last];
    double run[FF_PIECE_ELEMENTS];
    for (size_t done = 0; done < count; done += length) {
        size_t first = 0;
        for (int i = 0; i < last; i++)
            first += at[i] * view->stride[i];
        for (size_t begin = 0; begin < length; begin += FF_PIECE_ELEMENTS) {
            size_t some = length - begin < FF_PIECE_ELEMENTS ? length - begin : FF_PIECE_ELEMENTS;
            read_run(view, first + begin * stride, stride, some, run);
            for (size_t i = 0; i < some; i++)
                out[done + begin + i] = (float)run[i];
        }
        for (int i = last; i-- > 0 && ++at[i] == view->shape[i];)
            at[i] = 0;
    }
}

// ---- pieces ----

// Axes of both views, innermost first, none of length 1; an axis of one that is a row of axes of the other is divided.
// False if the axes do not divide into each other.
static bool divide_axes(const ff_strided *a, const ff_strided *b, ff_pairing *out)
{
    int i = a->rank, j = b->rank;
    size_t left_a = 1, left_b = 1, stride_a = 0, stride_b = 0;  // of the axes being divided
    for (;;) {
        while (left_a == 1 && i > 0) {
            left_a = a->shape[--i];
            stride_a = a->stride[i];
        }
        while (left_b == 1 && j > 0) {
            left_b = b->shape[--j];
            stride_b = b->stride[j];
        }
        size_t extent = left_a < left_b ? left_a : left_b;
        if (extent <= 1)
            return left_a == left_b;
        if (left_a % extent != 0 || left_b % extent != 0 || out->rank == FF_PAIRING_MOST_AXES)
            return false;
        int last = out->rank - 1;
        if (last >= 0 && stride_a == out->extent[last] * out->stride_a[last] &&
            stride_b == out->extent[last] * out->stride_b[last]) {
            out->extent[last] *= extent;  // goes on where the last one ended, in both
        } else {
            out->extent[out->rank] = extent;
            out->stride_a[out->rank] = stride_a;
            out->stride_b[out->rank++] = stride_b;
        }
        left_a /= extent;
        left_b /= extent;
        stride_a *= extent;
        stride_b *= extent;
    }
}

static void exchange(size_t *a, size_t *b)
{
    size_t before = *a;
    *a = *b;
    *b = before;
}

static void outermost_first(ff_pairing *out)
{
    for (int i = 0, j = out->rank - 1; i < j; i++, j--) {
        exchange(&out->extent[i], &out->extent[j]);
        exchange(&out->stride_a[i], &out->stride_a[j]);
        exchange(&out->stride_b[i], &out->stride_b[j]);
    }
}

// Lets a piece grow along an axis as far as there is room.
static void grow(ff_pairing *out, int axis, size_t most, size_t *room)
{
    size_t wanted = most < out->extent[axis] ? most : out->extent[axis];
    size_t grown = wanted < *room * out->block[axis] ? wanted : *room * out->block[axis];
    *room = *room * out->block[axis] / grown;
    out->block[axis] = grown;
}

// A run along the last axis if it is one in both; else a square over the last axis and the one along which the other
// tensor lies.
static void shape_pieces(ff_pairing *out)
{
    int last = out->rank - 1, along_a = last, along_b = last;
    size_t room = FF_PIECE_ELEMENTS;
    for (int i = 0; i < out->rank; i++) {
        out->block[i] = 1;
        along_a = out->stride_a[i] < out->stride_a[along_a] ? i : along_a;
        along_b = out->stride_b[i] < out->stride_b[along_b] ? i : along_b;
    }
    if (along_a != last || along_b != last) {
        grow(out, last, TILE, &room);
        grow(out, along_b != last ? along_b : along_a, FF_PIECE_ELEMENTS, &room);
    }
    for (int i = last; i >= 0; i--)
        grow(out, i, FF_PIECE_ELEMENTS, &room);
}

ff_status ff_pairing_make(const ff_strided *a, const ff_strided *b, ff_pairing *out, ff_error *error)
{
    *out = (ff_pairing){.a = a, .b = b};
    size_t count_a = ff_strided_count(a), count_b = ff_strided_count(b);
    if (count_a != count_b)
        return ff_fail(error, FF_ERROR_INPUT, "%zu elements cannot be compared with %zu", count_a, count_b);
    if (count_a == 0)      // no pieces
        return FF_OK;
    if (!divide_axes(a, b, out)) {
        char shape_a[FF_SHAPE_TEXT], shape_b[FF_SHAPE_TEXT];
        ff_print_shape(shape_a, a->rank, a->shape);
        ff_print_shape(shape_b, b->rank, b->shape);
        return ff_fail(error, FF_ERROR_INPUT, "axes %s and %s do not divide into each other", shape_a, shape_b);
    }
    outermost_first(out);
    if (out->rank == 0) {  // a single number
        out->extent[0] = 1;
        out->rank = 1;
    }
    out->in_order = out->rank == 1 && out->stride_a[0] <= 1 && out->stride_b[0] <= 1;
    size_t step = 1;
    for (int i = out->rank; i-- > 0; step *= out->extent[i])
        out->step[i] = step;
    shape_pieces(out);
    out->pieces = 1;
    for (int i = 0; i < out->rank; i++)
        out->pieces *= (out->extent[i] + out->block[i] - 1) / out->block[i];
    return FF_OK;
}

// Where a piece starts along each axis, and how long it is there: less than a block at the end of an axis.
static void locate(const ff_pairing *pairing, size_t piece, size_t start[FF_PAIRING_MOST_AXES],
                   size_t length[FF_PAIRING_MOST_AXES])
{
    for (int i = pairing->rank; i-- > 0;) {
        size_t block = pairing->block[i], blocks = (pairing->extent[i] + block - 1) / block;
        start[i] = piece % blocks * block;
        length[i] = pairing->extent[i] - start[i] < block ? pairing->extent[i] - start[i] : block;
        piece /= blocks;
    }
}

size_t ff_pairing_read(const ff_pairing *pairing, size_t piece, double *a, double *b)
{
    size_t start[FF_PAIRING_MOST_AXES], length[FF_PAIRING_MOST_AXES], at[FF_PAIRING_MOST_AXES] = {0};
    int last = pairing->rank - 1;
    size_t count = 0, run;
    locate(pairing, piece, start, length);
    run = length[last];
    for (bool more = true; more;) {
        size_t first_a = 0, first_b = 0;
        for (int i = 0; i <= last; i++) {
            first_a += (start[i] + at[i]) * pairing->stride_a[i];
            first_b += (start[i] + at[i]) * pairing->stride_b[i];
        }
        read_run(pairing->a, first_a, pairing->stride_a[last], run, a + count);
        read_run(pairing->b, first_b, pairing->stride_b[last], run, b + count);
        count += run;
        more = false;
        for (int i = last; i-- > 0 && !more;) {
            more = ++at[i] < length[i];
            if (!more)
                at[i] = 0;
        }
    }
    return count;
}

size_t ff_pairing_index(const ff_pairing *pairing, size_t piece, size_t at)
{
    size_t start[FF_PAIRING_MOST_AXES], length[FF_PAIRING_MOST_AXES], index = 0;
    locate(pairing, piece, start, length);
    for (int i = pairing->rank; i-- > 0; at /= length[i])
        index += (start[i] + at % length[i]) * pairing->step[i];
    return index;
}

#include "linear.h"

#define ALIGNMENT ((size_t)64)

// x: [rows, depth]   weight: [columns, ...]   out: [rows, columns]
static ff_matmul product_of(const ff_weight *weight, size_t rows, const float *x, float *out)
{
    size_t columns = weight->shape[0], depth = ff_shape_elements(weight->rank - 1, weight->shape + 1);
    return (ff_matmul){.rows = rows, .columns = columns, .depth = depth, .a = x, .a_stride = depth,
                       .b = ff_weight_operand(weight), .out = out, .out_stride = columns};
}

// ---- additions ----

// What additions need beside what the kernels pack, in this order. y is apart where the finish adds to out.
typedef struct workspace {
    float *factors;  // [columns], all the same: the gate with which the kernels add u
    float *down;     // [rows, the largest rank]
    float *y;        // [rows, columns], or out
} workspace;

// Bytes of a * b floats, rounded up; SIZE_MAX if they do not fit.
static size_t bytes_of(size_t a, size_t b)
{
    size_t bytes;
    if (!ff_multiply_sizes(a, b, &bytes) || !ff_multiply_sizes(bytes, sizeof(float), &bytes) ||
        !ff_add_sizes(bytes, ALIGNMENT - 1, &bytes))
        return SIZE_MAX;
    return bytes & ~(ALIGNMENT - 1);
}

// y = y + factor * chain(up, chain(down, x))
static ff_status add(const ff_linear_addition *addition, const ff_kernels *kernels, size_t rows, const float *x,
                     const workspace *room)
{
    if (addition->down.data) {
        const ff_matmul down = product_of(&addition->down, rows, x, room->down);
        if (kernels->matmul(kernels, &down))
            return FF_ERROR_MEMORY;
        x = room->down;
    }
    ff_matmul up = product_of(&addition->up, rows, x, room->y);
    for (size_t column = 0; column < up.columns && !kernels->scratch->counts; column++)
        room->factors[column] = addition->factor;
    up.finish = FF_FINISH_ADD_GATED;
    up.gate = room->factors;
    return kernels->matmul(kernels, &up);
}

// The products, each on its own. Under a scratch that counts all are called, and their failures mean nothing.
static ff_status multiply(const ff_linear *linear, const ff_kernels *kernels, size_t rows, const float *x,
                          const workspace *room)
{
    ff_matmul own = product_of(&linear->weight, rows, x, room->y);
    own.bias = linear->bias;
    ff_status status = kernels->matmul(kernels, &own);
    for (size_t i = 0; i < linear->addition_count && (!status || kernels->scratch->counts); i++)
        status = add(&linear->additions[i], kernels, rows, x, room);
    return status;
}

// Bytes that the kernels pack the operands of these products into: the innermost table's, since others only pass on.
static size_t packed_bytes(const ff_linear *linear, const ff_kernels *kernels, size_t rows)
{
    ff_scratch scratch;
    while (kernels->inner)
        kernels = kernels->inner;
    const ff_kernels counting = ff_kernels_counting(kernels, &scratch);
    multiply(linear, &counting, rows, NULL, &(workspace){0});
    return scratch.size;
}

// y, which lies apart from out only where it is added to it.
static void finish_apart(const ff_kernels *kernels, const ff_linear_finish *finish, size_t rows, size_t columns,
                         const float *y, float *out)
{
    switch (finish->kind) {
    case FF_FINISH_STORE: break;
    case FF_FINISH_GELU_TANH: kernels->gelu_tanh(kernels, rows * columns, y, out); break;
    case FF_FINISH_ADD: kernels->add(kernels, rows * columns, out, y, out); break;
    case FF_FINISH_ADD_GATED:
        kernels->add_gated(kernels, rows, columns, y, finish->groups, finish->gate, out);
        break;
    }
}

// The kernels' scratch is taken once, and what they pack gets the end of it.
static ff_status apply_with_additions(const ff_linear *linear, const ff_kernels *kernels, size_t rows, const float *x,
                                      const ff_linear_finish *finish, float *out)
{
    bool adds = finish->kind == FF_FINISH_ADD || finish->kind == FF_FINISH_ADD_GATED;
    size_t columns = linear->weight.shape[0], rank = 0, factors = bytes_of(1, columns), total;
    for (size_t i = 0; i < linear->addition_count; i++)
        if (linear->additions[i].down.data)
            rank = ff_larger(rank, linear->additions[i].down.shape[0]);
    size_t down = bytes_of(rows, rank), y = adds ? bytes_of(rows, columns) : 0;
    ff_scratch own = {0}, packing = {.size = packed_bytes(linear, kernels, rows)};
    if (!ff_add_sizes(factors, down, &total) || !ff_add_sizes(total, y, &total) ||
        !ff_add_sizes(total, packing.size, &total))
        return FF_ERROR_MEMORY;
    char *memory = ff_scratch_take(kernels->scratch ? kernels->scratch : &own, total);
    if (!memory)
        return FF_ERROR_MEMORY;
    const workspace room = {.factors = (float *)memory, .down = (float *)(memory + factors),
                            .y = adds ? (float *)(memory + factors + down) : out};
    ff_kernels inner = *kernels;
    packing.memory = memory + factors + down + y;
    inner.scratch = &packing;
    ff_status status = multiply(linear, &inner, rows, x, &room);
    if (!status)
        finish_apart(kernels, finish, rows, columns, room.y, out);
    ff_scratch_free(&own);
    return status;
}

ff_status ff_linear_apply(const ff_linear *linear, const ff_kernels *kernels, size_t rows, const float *x,
                          const ff_linear_finish *finish, float *out)
{
    static const ff_linear_finish store = {.kind = FF_FINISH_STORE};
    finish = finish ? finish : &store;
    if (linear->addition_count)
        return apply_with_additions(linear, kernels, rows, x, finish, out);
    ff_matmul product = product_of(&linear->weight, rows, x, out);
    product.bias = linear->bias;
    product.finish = finish->kind;
    product.groups = finish->groups;
    product.gate = finish->gate;
    return kernels->matmul(kernels, &product);
}

double ff_linear_added(const ff_linear *linear)
{
    double sum = 0;
    for (size_t i = 0; i < linear->addition_count; i++) {
        const ff_linear_addition *addition = &linear->additions[i];
        sum += (double)ff_weight_elements(&addition->up);
        if (addition->down.data)
            sum += (double)ff_weight_elements(&addition->down);
    }
    return sum;
}

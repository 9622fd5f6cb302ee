#include "recorder.h"

double ff_recorded_flop(const ff_recorded *product)
{
    return 2 * (double)product->rows * (double)product->columns * (double)product->depth * (double)product->count;
}

static void record(ff_recorder *recorder, size_t rows, size_t columns, size_t depth, size_t count)
{
    const ff_recorded product = {rows, columns, depth, count};
    recorder->flop += ff_recorded_flop(&product);
    for (size_t i = 0; i < recorder->count; i++) {
        ff_recorded *known = &recorder->products[i];
        if (known->rows == rows && known->columns == columns && known->depth == depth) {
            known->count += count;
            return;
        }
    }
    if (recorder->count < FF_MOST_PRODUCTS && rows && columns && depth)
        recorder->products[recorder->count++] = product;
}

static ff_status matmul(const ff_kernels *kernels, const ff_matmul *p)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    record(kernels->user, p->rows, p->columns, p->depth, 1);
    return inner.matmul(&inner, p);
}

static ff_status convolution(const ff_kernels *kernels, const ff_convolution *p)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    record(kernels->user, p->out_frames * p->out_height * p->out_width, p->out_channels,
           p->kernel_t * p->kernel_h * p->kernel_w * p->in_channels, 1);
    return inner.convolution(&inner, p);
}

static ff_status attention(const ff_kernels *kernels, const ff_attention *p)
{
    ff_kernels inner = ff_kernels_inner(kernels);
    record(kernels->user, p->queries, p->keys, p->head_dim, p->heads);
    record(kernels->user, p->queries, p->head_dim, p->keys, p->heads);
    return inner.attention(&inner, p);
}

ff_kernels ff_recorder_kernels(ff_recorder *recorder, const ff_kernels *inner)
{
    ff_kernels table = ff_kernels_wrap(inner, recorder);
    *recorder = (ff_recorder){0};
    table.matmul = matmul;
    table.convolution = convolution;
    table.attention = attention;
    return table;
}

#include "recorder.h"

// Kernels are given their operands and nothing else; so whom they report to is kept here, for each thread its own.
static _Thread_local ff_recorder *current;

double ff_product_flop(const ff_product *product)
{
    return 2 * (double)product->rows * (double)product->columns * (double)product->depth * (double)product->count;
}

static void record(size_t rows, size_t columns, size_t depth, size_t count)
{
    const ff_product product = {rows, columns, depth, count};
    current->flop += ff_product_flop(&product);
    for (size_t i = 0; i < current->count; i++) {
        ff_product *known = &current->products[i];
        if (known->rows == rows && known->columns == columns && known->depth == depth) {
            known->count += count;
            return;
        }
    }
    if (current->count < FF_MOST_PRODUCTS && rows && columns && depth)
        current->products[current->count++] = product;
}

static ff_status matmul(const ff_matmul *p)
{
    record(p->rows, p->columns, p->depth, 1);
    return current->inner->matmul(p);
}

static ff_status convolution(const ff_convolution *p)
{
    record(p->out_frames * p->out_height * p->out_width, p->out_channels,
           p->kernel_t * p->kernel_h * p->kernel_w * p->in_channels, 1);
    return current->inner->convolution(p);
}

static ff_status attention(const ff_attention *p)
{
    record(p->queries, p->keys, p->head_dim, p->heads);
    record(p->queries, p->head_dim, p->keys, p->heads);
    return current->inner->attention(p);
}

ff_kernels ff_recorder_start(ff_recorder *recorder, const ff_kernels *inner)
{
    ff_kernels table = *inner;
    *recorder = (ff_recorder){.inner = inner};
    table.matmul = matmul;
    table.convolution = convolution;
    table.attention = attention;
    current = recorder;
    return table;
}

void ff_recorder_stop(void)
{
    current = NULL;
}

// Convolution as a product: a row is an output pixel, its elements are gathered from the frames when they are needed;
// a column is an output channel.
#include "pack.h"
#include "product.h"

// ---- rows ----

static void clear(size_t n, float *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = 0.0f;
}

// Elements [from, from + n) of an image row of `length` floats; zeros where it has none. from may be negative.
static void copy_within(const float *image_row, ptrdiff_t length, ptrdiff_t from, size_t n, float *to)
{
    size_t before = from < 0 ? ff_smaller((size_t)-from, n) : 0;
    clear(before, to);
    from += (ptrdiff_t)before;
    size_t inside = from < length ? ff_smaller((size_t)(length - from), n - before) : 0;
    pack_run_as(LANES_F32, image_row + (inside ? from : 0), 0, inside, to + before);
    clear(n - before - inside, to + before + inside);
}

// The taps of a kernel row lie together in the frame, as they do in the chain: [kernel_w, in_channels].
static void gather_pixel(const ff_convolution *p, size_t pixel, size_t k, size_t n, float *to)
{
    if (n == 0)
        return;
    size_t run = p->kernel_w * p->in_channels, length = p->in_width * p->in_channels;
    size_t x = pixel % p->out_width, y = pixel / p->out_width % p->out_height, t = pixel / p->out_width / p->out_height;
    ptrdiff_t left = ((ptrdiff_t)(x * p->stride_w) - (ptrdiff_t)p->pad_left) * (ptrdiff_t)p->in_channels;
    size_t kernel_row = k / run, offset = k % run;
    while (n > 0) {
        size_t count = ff_smaller(run - offset, n);
        const float *frame = p->frames[t * p->stride_t + kernel_row / p->kernel_h];
        // wraps to a huge value above the picture
        size_t row = y * p->stride_h + kernel_row % p->kernel_h - p->pad_top;
        if (frame && row < p->in_height)
            copy_within(frame + row * length, (ptrdiff_t)length, left + (ptrdiff_t)offset, count, to);
        else
            clear(count, to);
        to += count;
        n -= count;
        kernel_row++;
        offset = 0;
    }
}

static const float *fetch_pixels(const void *source, size_t row, size_t count, size_t k, size_t n, float *room)
{
    for (size_t r = 0; r < count; r++)
        gather_pixel(source, row + r, k, n, room + r * KC_STRIDE);
    return room;
}

// ---- columns ----

static void pack_channels(const void *source, size_t column, size_t count, size_t pitch, float *to)
{
    const ff_convolution *p = source;
    size_t taps = p->kernel_t * p->kernel_h * p->kernel_w, depth = taps * p->in_channels;
    pack_transposed(&(packing){.rows = ff_operand_from(p->weight, column, depth), .stride = depth,
                               .count = count, .channels = p->in_channels, .taps = taps, .pitch = pitch}, to);
}

static void finish_tile(const void *source, size_t row, size_t count, size_t column, size_t width, float *tile)
{
    const ff_convolution *p = source;
    for (size_t r = 0; r < count; r++)
        for (size_t c = 0; c < width; c += VEC) {
            size_t some = ff_smaller(VEC, width - c);
            vec sum = vec_load(tile + r * NR + c);
            if (p->bias)
                sum = vec_add(sum, vec_load_some(p->bias + column + c, some));
            vec_store_some(p->out + (row + r) * p->out_channels + column + c, some, sum);
        }
}

static ff_status convolution(const ff_kernels *kernels, const ff_convolution *p)
{
    return ff_product_run(&(ff_product){.rows = p->out_frames * p->out_height * p->out_width,
                                        .columns = p->out_channels,
                                        .depth = p->kernel_t * p->kernel_h * p->kernel_w * p->in_channels,
                                        .source = p, .scratch = kernels->scratch,
                                        .fetch = fetch_pixels, .pack = pack_channels, .finish = finish_tile});
}

void FF_SIMD_NAME(ff_simd_convolution_)(ff_kernels *table)
{
    table->convolution = convolution;
}

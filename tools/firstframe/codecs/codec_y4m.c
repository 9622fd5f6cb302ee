#include "codec_y4m.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>


#define MOST_DENOMINATOR 1001  // 30000/1001 and its like

static ff_status fail_writing(const char *name, ff_error *error)
{
    return ff_fail(error, FF_ERROR_IO, "%s: cannot be written: %s", name, strerror(errno));
}

ff_status ff_y4m_start(FILE *file, const char *name, size_t width, size_t height, double fps, ff_error *error)
{
    if (!(fps > 0.0 && fps <= 1e6))
        return ff_fail(error, FF_ERROR_INPUT, "%s: %g frames a second cannot be written", name, fps);

    // The fraction nearest to fps, the smallest denominator first.
    double numerator = 0.0, denominator = 1.0, nearest = INFINITY;
    for (double d = 1.0; d <= MOST_DENOMINATOR; d += 1.0) {
        double n = floor(fps * d + 0.5), distance = fabs(n / d - fps);
        if (distance < nearest * (1.0 - 1e-9) && n > 0.0) {
            numerator = n;
            denominator = d;
            nearest = distance;
        }
    }
    if (!(numerator > 0.0))
        return ff_fail(error, FF_ERROR_INPUT, "%s: %g frames a second cannot be written", name, fps);
    if (fprintf(file, "YUV4MPEG2 W%zu H%zu F%ld:%ld Ip A1:1 C444 XCOLORRANGE=LIMITED\n", width, height,
                (long)numerator, (long)denominator) < 0)
        return fail_writing(name, error);
    return FF_OK;
}

ff_status ff_y4m_add(FILE *file, const char *name, const ff_image *frame, ff_error *error)
{
    // ITU-R BT.601, 8 bits, times 2^16 / 255; each row of chroma sums to 0, so that grey has none.
    static const int32_t luma[3] = {16829, 33039, 6416};
    static const int32_t blue[3] = {-9714, -19070, 28784};
    static const int32_t red[3] = {28784, -24103, -4681};
    static const int32_t *const plane[3] = {luma, blue, red};
    static const int32_t offset[3] = {16, 128, 128};

    uint8_t *row = malloc(frame->width);
    if (!row)
        return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", name);
    bool written = fputs("FRAME\n", file) >= 0;
    for (int p = 0; p < 3; p++) {
        const int32_t *weight = plane[p];
        const uint8_t *pixel = frame->rgb;
        for (size_t y = 0; y < frame->height && written; y++) {
            for (size_t x = 0; x < frame->width; x++, pixel += 3) {
                int32_t sum = weight[0] * pixel[0] + weight[1] * pixel[1] + weight[2] * pixel[2];
                row[x] = (uint8_t)((sum + offset[p] * 65536 + 32768) / 65536);
            }
            written = fwrite(row, 1, frame->width, file) == frame->width;
        }
    }
    ff_status status = written ? FF_OK : fail_writing(name, error);
    free(row);
    return status;
}

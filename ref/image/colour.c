#include "colour.h"

#include "../kernels/mathematics.h"

static const double white[3] = {0.95047, 1.0, 1.08883};
static const double rgb_to_xyz[3][3] = {
    {0.4124564, 0.3575761, 0.1804375}, {0.2126729, 0.7151522, 0.0721750}, {0.0193339, 0.1191920, 0.9503041}};
static const double xyz_to_rgb[3][3] = {
    {3.2404542, -1.5371385, -0.4985314}, {-0.9692660, 1.8760108, 0.0415560}, {0.0556434, -0.2040259, 1.0572252}};

#define EDGE (6.0 / 29.0)   // below it, L* and its kin are straight lines

void ff_colour_table_fill(ff_colour_table *table)
{
    for (int code = 0; code < 256; code++) {
        double c = code / 255.0;
        table->linear[code] = c <= 0.04045 ? c / 12.92 : ff_pow((c + 0.055) / 1.055, 2.4);
    }
}

// x from 0.008 to 1.1: Newton's steps from a line close to the root.
static double cube_root(double x)
{
    double root = 0.3 + 0.75 * x;
    for (int i = 0; i < 7; i++)
        root = (2 * root + x / (root * root)) / 3;
    return root;
}

static double compress(double t)
{
    return t > EDGE * EDGE * EDGE ? cube_root(t) : t / (3 * EDGE * EDGE) + 4.0 / 29.0;
}

static double expand(double f)
{
    return f > EDGE ? f * f * f : 3 * EDGE * EDGE * (f - 4.0 / 29.0);
}

void ff_colour_to_lab(const ff_colour_table *table, const uint8_t rgb[3], double lab[3])
{
    double f[3];
    for (int i = 0; i < 3; i++) {
        double sum = 0;
        for (int k = 0; k < 3; k++)
            sum += rgb_to_xyz[i][k] * table->linear[rgb[k]];
        f[i] = compress(sum / white[i]);
    }
    lab[0] = 116 * f[1] - 16;
    lab[1] = 500 * (f[0] - f[1]);
    lab[2] = 200 * (f[1] - f[2]);
}

// The code whose linear light is nearest.
static uint8_t nearest_code(const ff_colour_table *table, double linear)
{
    int low = 0, high = 255;
    if (!(linear > 0))
        return 0;
    if (linear >= 1)
        return 255;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (table->linear[middle] <= linear)
            low = middle;
        else
            high = middle;
    }
    return (uint8_t)(linear - table->linear[low] <= table->linear[high] - linear ? low : high);
}

void ff_colour_from_lab(const ff_colour_table *table, const double lab[3], uint8_t rgb[3])
{
    double y = (lab[0] + 16) / 116, f[3] = {y + lab[1] / 500, y, y - lab[2] / 200};
    for (int i = 0; i < 3; i++) {
        double sum = 0;
        for (int k = 0; k < 3; k++)
            sum += xyz_to_rgb[i][k] * (white[k] * expand(f[k]));
        rgb[i] = nearest_code(table, sum);
    }
}

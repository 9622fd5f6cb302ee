#include "drawn_face.h"

#include <math.h>
#include <stdlib.h>

#include "golden.h"

const face anna = {
    {0.55, 0.62, 0.66}, {0.45, 0.22, 0.12}, {0.90, 0.74, 0.64}, {0.25, 0.35, 0.25}, {0.30, 0.36, 0.50},
    0.17, 0.23, 0.075, -0.02, 0.020, -0.07, 0.12, 0.060, 0.25, 0.40,
};
const face berta = {
    {0.55, 0.62, 0.66}, {0.45, 0.22, 0.12}, {0.90, 0.74, 0.64}, {0.25, 0.35, 0.25}, {0.30, 0.36, 0.50},
    0.21, 0.19, 0.105, 0.01, 0.034, -0.055, 0.09, 0.095, 0.25, 0.36,
};

static double soft(double inside)   // 1 well inside, 0 well outside, over about a pixel
{
    double t = inside * SIDE + 0.5;
    return t < 0 ? 0 : t > 1 ? 1 : t;
}

// How far (x, y) is inside an ellipse, about in sides.
static double ellipse(double x, double y, double cx, double cy, double rx, double ry)
{
    double u = (x - cx) / rx, v = (y - cy) / ry;
    return (1 - sqrt(u * u + v * v)) * (rx < ry ? rx : ry);
}

static void mix(rgb *under, rgb over, double part)
{
    under->r += part * (over.r - under->r);
    under->g += part * (over.g - under->g);
    under->b += part * (over.b - under->b);
}

// The colour at (x, y), both from -0.5 to 0.5 in the picture and going on beyond.
static rgb colour_at(const face *f, double x, double y)
{
    const rgb red = {0.70, 0.30, 0.30}, white = {0.95, 0.95, 0.93};
    rgb out = f->ground;
    double light = 1 - 0.25 * y + 0.15 * x;
    out.r *= light, out.g *= light, out.b *= light;
    mix(&out, f->hair, soft(ellipse(x, y, 0, -0.02, f->hair_width, f->hair_length)));
    mix(&out, f->top, soft(ellipse(x, y, 0, 0.52, 0.36, 0.26)));
    mix(&out, f->skin, soft(ellipse(x, y, 0, 0.22, 0.07, 0.14)));
    mix(&out, f->skin, soft(ellipse(x, y, 0, 0, f->width, f->height)));
    mix(&out, f->hair, soft(ellipse(x, y, 0, -0.26, f->hair_width, 0.12)));
    for (int side = -1; side <= 1; side += 2) {
        double at = side * f->eye_gap;
        mix(&out, white, soft(ellipse(x, y, at, f->eye_y, f->eye_size * 1.6, f->eye_size)));
        mix(&out, f->eyes, soft(ellipse(x, y, at, f->eye_y, f->eye_size * 0.8, f->eye_size * 0.8)));
        mix(&out, f->hair, soft(ellipse(x, y, at, f->brow_y, f->eye_size * 1.8, 0.010)));
    }
    mix(&out, red, soft(ellipse(x, y, 0, f->mouth_y, f->mouth_width, 0.018)));
    return out;
}

static uint8_t code(double value)
{
    return (uint8_t)(255 * (value < 0 ? 0 : value > 1 ? 1 : value) + 0.5);
}

ff_image draw_face(const face *f, double dx, double dy, double zoom)
{
    ff_image image = {SIDE, SIDE, malloc(3 * SIDE * SIDE)};
    assert_non_null(image.rgb);
    for (size_t y = 0; y < SIDE; y++)
        for (size_t x = 0; x < SIDE; x++) {
            double u = ((double)x + 0.5) / SIDE - 0.5, v = ((double)y + 0.5) / SIDE - 0.5;
            rgb c = colour_at(f, (u - dx) / zoom, (v - dy) / zoom);
            uint8_t *at = image.rgb + 3 * (y * SIDE + x);
            at[0] = code(c.r), at[1] = code(c.g), at[2] = code(c.b);
        }
    return image;
}

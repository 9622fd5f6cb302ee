// Drawn portraits, to measure drift between.
#ifndef FF_TEST_DRAWN_FACE_H
#define FF_TEST_DRAWN_FACE_H

#include "firstframe.h"

enum { SIDE = 128 };

typedef struct rgb { double r, g, b; } rgb;

// A drawn portrait: ground, hair, face, eyes, brows, mouth, top.
typedef struct face {
    rgb ground, hair, skin, eyes, top;
    double width, height;         // of the face, over the picture's side
    double eye_gap, eye_y, eye_size, brow_y, mouth_y, mouth_width, hair_width, hair_length;
} face;

extern const face anna;
// The same colours, another face.
extern const face berta;

// The face seen by a camera that was moved by (dx, dy) and zoomed: SIDE x SIDE pixels, to be freed.
ff_image draw_face(const face *f, double dx, double dy, double zoom);

#endif

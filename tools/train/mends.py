"""Inpainting's examples: a picture, a box in it, and what the program shows the model of the two.

Much as ref/pipeline/inpaint.c does it: the crop is the box times its context, enlarged to the model's size; what is
known comes from a picture in which the box was filled in from its border, so that nothing of the answer leaks through
the encoder. Half of the boxes lie where portraits are mended: on an ear with or without its earring, and on the face.
"""

import copy
import math

import numpy as np
from PIL import Image

from scenes import render
from train_vae import FRAMES, SIZE

TOKEN = 16  # pixels on a side
SMOOTHINGS = 48


def draw(scene, size):
    return render(scene, FRAMES, size, 0, 1)[0]


def earring_box(rng, scene, size):
    """Around one earring, None where both are hidden. Three scenes in four wear them, in words too."""
    look = scene["appearance"]
    with_them, without = copy.deepcopy(scene), copy.deepcopy(scene)
    with_them["appearance"]["earrings"], without["appearance"]["earrings"] = True, False
    rows, columns = np.nonzero(np.abs(draw(with_them, size).astype(int) - draw(without, size)).sum(-1) > 30)
    if len(rows) < 4:
        return None
    here = (columns > size // 2) == (columns[rng.randrange(len(columns))] > size // 2)
    look["earrings"] = rng.random() < 0.75
    words = [part for part in scene["still"].split(", ") if part != "earrings"]
    scene["still"] = ", ".join([*words[:-1], *["earrings"] * look["earrings"], words[-1]])
    x, y = columns[here], rows[here]
    grow = rng.uniform(0.01, 0.04) * size
    return x.min() - grow, y.min() - grow, x.max() + 1 + grow, y.max() + 1 + grow


def box_around(x, y, width, height, size):
    return (x - width / 2) * size, (y - height / 2) * size, (x + width / 2) * size, (y + height / 2) * size


def sample_box(rng, scene, size):
    """left, top, right, bottom in pixels."""
    box, kind = None, rng.random()
    portrait = scene["appearance"]["kind"] == "portrait"
    if portrait and kind < 0.3 and scene["appearance"]["who"].endswith("woman"):
        box = earring_box(rng, scene, size)
    elif portrait and kind < 0.65:
        sides = (math.exp(rng.uniform(math.log(0.05), math.log(0.3))) for _ in "wh")
        box = box_around(rng.uniform(0.32, 0.68), rng.uniform(0.28, 0.62), *sides, size)
    elif portrait and kind < 0.75:  # all that is worn
        box = (0, rng.uniform(0.68, 0.78) * size, size, size)
    if box is None:
        sides = (math.exp(rng.uniform(math.log(0.05), math.log(0.6))) for _ in "wh")
        box = box_around(rng.random(), rng.random(), *sides, size)
    left, top = (min(max(int(v), 0), size - 4) for v in box[:2])
    right, bottom = (min(max(math.ceil(v), start + 4), size) for v, start in zip(box[2:], (left, top)))
    return left, top, right, bottom


def span_inside(start, end, wanted, limit):
    length = min(wanted, limit)
    first = max(start + end - length, 0) // 2
    return min(first, limit - length), length


def fill_box(picture, left, top, right, bottom):
    """The box interpolated from its four sides, then smoothed; grey where there is nothing around it."""
    height, width = picture.shape[:2]
    if right - left == width and bottom - top == height:
        return np.full_like(picture, 128)
    box = np.s_[top:bottom, left:right]
    columns, rows = np.meshgrid(np.arange(left, right), np.arange(top, bottom))
    values = picture.astype(float)
    sides = []  # how far a pixel is from the side, and what lies beyond it
    if left > 0:
        sides.append((columns - left + 1, values[top:bottom, left - 1][:, None]))
    if right < width:
        sides.append((right - columns, values[top:bottom, right][:, None]))
    if top > 0:
        sides.append((rows - top + 1, values[top - 1, left:right]))
    if bottom < height:
        sides.append((bottom - rows, values[bottom, left:right]))
    values[box] = sum(value / far[..., None] for far, value in sides) / sum(1 / far for far, _ in sides)[..., None]
    for _ in range(SMOOTHINGS):
        near = np.pad(values, ((1, 1), (1, 1), (0, 0)), mode="edge")
        values[box] = ((near[:-2, 1:-1] + near[2:, 1:-1] + near[1:-1, :-2] + near[1:-1, 2:]) / 4)[box]
    return (values + 0.5).astype(np.uint8)


def draw_mend(rng, scene):
    """The true crop and the filled one, uint8 [SIZE, SIZE, 3], and which tokens are to be made, bool. May change the
    scene's earrings, and its words with them."""
    size = rng.choice((SIZE, SIZE, 256, 384, 384, 512))
    left, top, right, bottom = sample_box(rng, scene, size)
    context = 2 if rng.random() < 0.7 else rng.uniform(1.5, 4)
    side = math.ceil(max(right - left, bottom - top) * context)
    x, width = span_inside(left, right, side, size)
    y, height = span_inside(top, bottom, side, size)
    true = draw(scene, size)[y : y + height, x : x + width]
    left, top, right, bottom = left - x, top - y, right - x, bottom - y
    pictures = (true, fill_box(true, left, top, right, bottom))
    enlarged = [np.asarray(Image.fromarray(picture).resize((SIZE, SIZE), Image.LANCZOS)) for picture in pictures]
    tokens = np.zeros((SIZE // TOKEN, SIZE // TOKEN), bool)
    rows = slice(top * SIZE // height // TOKEN, math.ceil(bottom * SIZE / height / TOKEN))
    columns = slice(left * SIZE // width // TOKEN, math.ceil(right * SIZE / width / TOKEN))
    tokens[rows, columns] = True
    return *enlarged, tokens

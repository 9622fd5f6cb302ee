"""Procedural captioned clips: illustrated portraits and lakes.

    python3 scenes.py      draws sheet.png, ten scenes at five moments each, and prints their captions

render(scene, frames, size) -> uint8 [frames, size, size, 3]; scene = sample_scene(rng). A scene holds an appearance
(what the still shows), a motion (how it changes) and the two sentences that say so, `still` and `move`.
"""

import random

import numpy as np
import skia

from lake import draw_lake, sample_lake
from portrait import draw_portrait, sample_portrait


def sample_scene(r):
    return sample_portrait(r) if r.random() < 0.75 else sample_lake(r)


def changes(scene, key):
    start, end = scene["motion"].get(key, (0, 0))
    return start != end


def sample_clip(r):
    """A scene that is worth a clip: those in which a head turns or the camera moves in or out always, those with a smile
    or a pan seven times in ten, others a third of the time, because these are the hardest motions."""
    while True:
        scene = sample_scene(r)
        hard = changes(scene, "yaw") or changes(scene, "zoom")
        keep = 1.0 if hard else 0.7 if changes(scene, "smile") or scene["motion"]["pan"] else 0.35
        if r.random() < keep:
            return scene


def render(S, frames, size, start=0, stop=None):
    arr = np.zeros((size, size, 4), np.uint8)
    out = []
    surf = skia.Surface(arr)
    for t in range(start, stop if stop is not None else frames):
        c = surf.getCanvas()
        c.clear(skia.ColorWHITE)
        c.save()
        c.scale(size, size)
        (draw_portrait if S["appearance"]["kind"] == "portrait" else draw_lake)(c, S, t, frames)
        c.restore()
        surf.flushAndSubmit() if hasattr(surf, "flushAndSubmit") else None
        out.append(
            arr[..., [2, 1, 0]].copy() if skia.kN32_ColorType == skia.kBGRA_8888_ColorType else arr[..., :3].copy()
        )
    return np.stack(out)


if __name__ == "__main__":
    import time
    from PIL import Image

    r = random.Random(1)
    t0 = time.time()
    rows = []
    for i in range(10):
        S = sample_scene(r)
        v = render(S, 25, 128)
        rows.append(np.concatenate(list(v[[0, 6, 12, 18, 24]]), 1))
        print(S["still"], "|", S["move"])
    print("ms/frame", (time.time() - t0) / 250 * 1000)
    Image.fromarray(np.concatenate([np.concatenate(rows[:5]), np.concatenate(rows[5:])], 1)).save("sheet.png")

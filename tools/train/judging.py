"""What the evaluations share: the program as a function, and reading attributes back from its pictures."""

import subprocess

import numpy as np
from PIL import Image

from scenes import render

SIZE, FRAMES = 128, 25
UNSEEN = 777000  # seeds from here on are kept apart from training


class Program:
    def __init__(self, options, more):
        self.program, self.model, self.more = options.program, options.model, more

    def run(self, command, out, *words):
        line = [self.program, command, "-m", self.model, "-q", "-o", str(out), *map(str, words), *self.more]
        subprocess.run(line, check=True)
        picture = Image.open(out)
        frames = []
        for at in range(getattr(picture, "n_frames", 1)):
            picture.seek(at)
            frames.append(np.asarray(picture.convert("RGB")))
        return np.stack(frames)


def psnr(a, b):
    return 10 * np.log10(255**2 / max(np.square(a.astype(float) - b).mean(), 1e-9))


def nearest_value(key, values, variants, frame):
    """The value of an attribute with which one of the variants of the scene comes nearest to the frame."""

    def distance(value):
        found = []
        for variant in variants:
            variant["appearance"][key] = value
            found.append(np.square(render(variant, FRAMES, SIZE, FRAMES - 1)[0].astype(float) - frame).mean())
        return min(found)

    return min(values, key=distance)

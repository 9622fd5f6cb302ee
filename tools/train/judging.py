"""What the evaluations share: the program as a function, scenes that stand still, reading attributes from pictures."""

import argparse
import pathlib
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


def open_program(purpose, count, count_help=None, out="out/evaluation"):
    """What the command line names: the program, the folder for its pictures, made if need be, and how many scenes."""
    parser = argparse.ArgumentParser(description=purpose, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/firstframe")
    parser.add_argument("--model", default="golden/model")
    parser.add_argument("--count", type=int, default=count, help=count_help)
    parser.add_argument("--out", default=out)
    options, more = parser.parse_known_args()
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    return Program(options, more), out, options.count


def hold_still(scene, yaw):
    """The portrait without motion, the head turned by yaw."""
    smile = scene["appearance"]["smile0"]
    scene["motion"].update(yaw=(yaw, yaw), zoom=(1.0, 1.0), pan=0.0, wind=0.0, light=0.0, blink=None)
    scene["motion"]["smile"] = (smile, smile)
    return scene


def psnr(a, b):
    return 10 * np.log10(255**2 / max(np.square(a.astype(float) - b).mean(), 1e-9))


def distance(scene, frame, where=...):
    """Mean square between the last frame of the scene's clip and a picture, or a part of them."""
    return np.square(render(scene, FRAMES, SIZE, FRAMES - 1)[0].astype(float) - frame)[where].mean()


def nearest_value(key, values, variants, frame, where=...):
    """The value of an attribute with which one of the variants of the scene comes nearest to the frame."""

    def with_value(value):
        for variant in variants:
            variant["appearance"][key] = value
        return min(distance(variant, frame, where) for variant in variants)

    return min(values, key=with_value)

"""Does the head turn the way the prompt says? On stills never trained on, through the C program.

    python3 evaluate_turn.py --program build/firstframe --model golden/model --count 20 --out out/turns

The renderer draws a portrait, the program animates it, and the head's direction in the first and the last frame is
that of the renderer's own picture of the same person that comes nearest. A turn counts if it goes the right way by more
than 0.2, the whole way from side to camera being 0.5 to 0.95. Writes sheet.png: frames 0, 6, 12, 18 and 24 of each.
"""

import random

import numpy as np
from PIL import Image

from judging import FRAMES, SIZE, UNSEEN, hold_still, open_program
from portrait import sample_portrait
from scenes import render


def ask(rng, scene, start):
    """A prompt, and the direction in which the head should turn: -1 left, 1 right."""
    looks = scene["appearance"]["gaze"]
    subject, whose = ("She", "her") if scene["appearance"]["who"] == "young woman" else ("He", "his")
    if looks != "camera" and rng.random() < 0.6:
        return f"{subject} slowly turns {whose} head toward the camera", -np.sign(start)
    side = rng.choice(["left", "right"]) if looks == "camera" else {"left": "right", "right": "left"}[looks]
    return f"{subject} slowly turns {whose} head to the {side}", {"left": -1, "right": 1}[side]


def direction(scene, frame):
    face = (slice(30, 100), slice(30, 98))
    best = (np.inf, 0.0)
    for yaw in np.linspace(-1, 1, 41):
        for smile in (0, 1):
            scene["motion"].update(yaw=(yaw, yaw), smile=(smile, smile))
            drawn = render(scene, FRAMES, SIZE, 0, 1)[0]
            best = min(best, (np.square(drawn[face].astype(float) - frame[face]).mean(), yaw))
    return best[1]


def main():
    program, out, count = open_program(__doc__, 20, out="out/turns")
    rng = random.Random(UNSEEN + 1)
    turned, rows = 0, []
    for i in range(count):
        scene = sample_portrait(rng)
        start = scene["motion"]["yaw"][0]
        hold_still(scene, start)
        prompt, wanted = ask(rng, scene, start)
        still, clip = out / f"still-{i:02}.png", out / f"clip-{i:02}.webp"
        Image.fromarray(render(scene, FRAMES, SIZE, 0, 1)[0]).save(still)
        frames = program.run("i2v", clip, "-i", still, "-p", prompt, "-s", i, "--lossless")
        first, last = direction(scene, frames[0]), direction(scene, frames[-1])
        good = (last - first) * wanted > 0.2
        turned += good
        print(f"{i} {prompt}: {first:.2f} to {last:.2f}, {'as asked' if good else 'NOT as asked'}", flush=True)
        rows.append(np.concatenate([frames[at] for at in (0, 6, 12, 18, 24)], 1))
    print(f"the head turned as asked in {turned} of {count}")
    half = (len(rows) + 1) // 2
    columns = [np.concatenate(rows[:half]), np.concatenate((rows[half:] + rows[:half])[:half])]
    Image.fromarray(np.concatenate(columns, 1)).save(out / "sheet.png")


main()

"""Do stills show what was asked, do they vary in what was left open, and does inpainting fill in what was asked?

    python3 evaluate_stills.py --program build/firstframe --model golden/model --count 20 --out out/evaluation

An attribute is read back from a picture as the value with which the renderer comes nearest to it, once the face it
draws has been given the picture's colours and fitted to its shape; style, which shades the face as well, from the
background alone, where no fit is needed. The renderer's own pictures pass the same reading, so that its mistakes are
known. Pencil sketches have no colours and are left out. Inpainting: an earring is taken from a portrait, or a stray
strand of hair drawn on it, the portrait enlarged, and the box around it painted anew; the error inside the box is taken
against the true picture. The seam is the step across the box's border over the same step in the true picture.
"""

import copy
import random

import numpy as np
from PIL import Image, ImageDraw

from judging import FRAMES, SIZE, UNSEEN, distance, hold_still, nearest_value, open_program, psnr
from portrait import GEOMETRY, HAIR, HAIRSTYLES, LIGHT, SKIN, TOP, sample_portrait
from scenes import render

YAW = {"left": (-0.95, -0.45), "camera": (-0.1, 0.1), "right": (0.45, 0.95)}
GUESSES, REFINEMENTS = 80, 160
STYLES = ["soft illustration", "flat illustration"]
BESIDE = np.s_[:88, [*range(10), *range(SIZE - 10, SIZE)]]  # the background left and right of the head
OPEN = {"skin": SKIN, "top": TOP}  # may be left unsaid
LARGE = 384  # side of an enlarged portrait


def sample_coloured(rng):
    while True:
        scene = sample_portrait(rng)
        if scene["appearance"]["style"] != "pencil sketch":
            return hold_still(scene, sum(YAW[scene["appearance"]["gaze"]]) / 2)


def guess(scene, gaze, rng):
    """The scene with another face, hair in another place, and another angle of that gaze."""
    face = copy.deepcopy(scene)
    face["appearance"].update({key: rng.uniform(*ends) for key, ends in GEOMETRY.items()})
    face["appearance"]["hairstyle"] = rng.choice(HAIRSTYLES[scene["appearance"]["who"]])
    return hold_still(face, rng.uniform(*YAW[gaze]))


def change_a_little(scene, gaze, width, rng):
    face = copy.deepcopy(scene)

    def near(value, ends):
        return min(max(rng.gauss(value, width * (ends[1] - ends[0])), ends[0]), ends[1])

    for key in rng.sample(sorted(GEOMETRY), 2):
        face["appearance"][key] = near(face["appearance"][key], GEOMETRY[key])
    return hold_still(face, near(face["motion"]["yaw"][0], YAW[gaze]))


def fit(scene, gaze, frame, rng):
    """The nearest face with that gaze: some guessed, the best of them changed a little again and again."""
    best = min((guess(scene, gaze, rng) for _ in range(GUESSES)), key=lambda face: distance(face, frame))
    for i in range(REFINEMENTS):
        face = change_a_little(best, gaze, 0.25 * (1 - i / REFINEMENTS) + 0.02, rng)
        best = min(best, face, key=lambda face: distance(face, frame))
    return best


def colour(scene, frame):
    """The scene in the picture's own colours: those that the sentence left open may be any, so that only the shape is
    left to fit."""
    coloured = copy.deepcopy(scene)
    for key, values in (("light", LIGHT), ("top", TOP), ("skin", SKIN), ("hair", HAIR)):
        coloured["appearance"][key] = nearest_value(key, values, [coloured], frame)
    return coloured


def read(scene, frame, asked, rng):
    """{attribute: value} of a picture that was to show the scene."""
    coloured = colour(scene, frame)
    faces = {gaze: fit(coloured, gaze, frame, rng) for gaze in YAW}
    found = {}
    for key, values in asked.items():
        where = BESIDE if key == "style" else ...
        found[key] = nearest_value(key, values, copy.deepcopy([*faces.values()]), frame, where)
    return found | {"gaze": min(faces, key=lambda gaze: distance(faces[gaze], frame))}


def named(scene):
    """The attributes that the still's sentence names, each with the values it is read back from."""
    look, words = scene["appearance"], scene["still"]
    asked = {"hair": HAIR, "light": LIGHT, "style": STYLES}
    for key, values in OPEN.items():
        if f"{look[key]} {key}" in words:
            asked[key] = values
    return asked, "off-camera" not in words


def judge_attributes(program, out, count):
    """{attribute: [as asked in the program's stills, in the renderer's own, asked]}"""
    rng, found, pictures = random.Random(UNSEEN + 5), {}, []
    for i in range(count):
        scene = sample_coloured(rng)
        made = program.run("t2i", out / f"still-{i:02}.png", "-p", scene["still"], "-s", i)[0]
        pictures.append(made)
        asked, gaze = named(scene)
        for column, picture in enumerate((made, render(scene, FRAMES, SIZE, FRAMES - 1)[0])):
            values = read(scene, picture, asked, random.Random(i))
            if not gaze:
                del values["gaze"]
            for key, value in values.items():
                row = found.setdefault(key, [0, 0, 0])
                row[column] += value == scene["appearance"][key]
                row[2] += column == 0
    columns = min(5, count)
    rows = [np.concatenate(pictures[i : i + columns], 1) for i in range(0, count // columns * columns, columns)]
    Image.fromarray(np.concatenate(rows)).save(out / "stills.png")
    return found


def judge_variety(program, out):
    """Ten stills of each of four prompts: how many different skins and tops, which they leave open, are read back, and
    how many an even draw gives. Means over the prompts."""
    rng = random.Random(UNSEEN + 6)
    scene, counts, hairs = sample_coloured(rng), {key: [] for key in OPEN}, ("auburn", "black", "blonde", "red")
    scene["appearance"].update(light="soft studio lighting", gaze="camera", style="soft illustration")
    for first, hair in zip(range(0, 40, 10), hairs):
        words = f"Portrait of a {scene['appearance']['who']} with {hair} hair, soft studio lighting"
        scene["appearance"]["hair"], seen = hair, []
        for seed in range(first, first + 10):
            picture = out / f"variety-{hair}-{seed}.png"
            words_and_seed = ("-p", f"{words}, looking at the camera, soft illustration", "-s", seed)
            made = program.run("t2i", picture, *words_and_seed)[0]
            face = fit(colour(scene, made), "camera", made, random.Random(seed))
            seen.append({key: nearest_value(key, values, [copy.deepcopy(face)], made) for key, values in OPEN.items()})
        for key in OPEN:
            counts[key].append(len({values[key] for values in seen}))
    even = {key: len(OPEN[key]) * (1 - (1 - 1 / len(OPEN[key])) ** 10) for key in OPEN}
    return {key: (np.mean(counts[key]), even[key]) for key in OPEN}


def draw_large(scene):
    return render(scene, FRAMES, LARGE, FRAMES - 1)[0]


def earring_case(rng):
    """The true picture, the one without the earring, and the box around it."""
    while True:
        scene = sample_coloured(rng)
        scene["appearance"]["earrings"] = True
        true = draw_large(scene)
        scene["appearance"]["earrings"] = False
        broken = draw_large(scene)
        rows, columns = np.nonzero(np.abs(true.astype(int) - broken).sum(-1) > 30)
        right = columns > LARGE // 2
        if right.sum() > 40:
            if "earrings" not in scene["still"]:
                scene["still"] = scene["still"].replace(", soft ill", ", earrings, soft ill").replace(
                    ", flat ill", ", earrings, flat ill")
            x, y = columns[right], rows[right]
            return scene, true, broken, (x.min(), y.min(), x.max(), y.max())


def strand_case(rng):
    scene = sample_coloured(rng)
    true = draw_large(scene)
    picture = Image.fromarray(true)
    x, y = rng.randint(150, 200), rng.randint(150, 180)
    colour = tuple(HAIR[scene["appearance"]["hair"]])
    ImageDraw.Draw(picture).line([(x, y), (x + 12, y + 25), (x + 6, y + 55)], colour, 5)
    return scene, true, np.asarray(picture), (x - 4, y - 2, x + 16, y + 58)


def seam(picture, box):
    """Mean step across the border of the box."""
    x0, y0, x1, y1 = box
    p = picture.astype(float)
    steps = [p[y0, x0:x1] - p[y0 - 1, x0:x1], p[y1, x0:x1] - p[y1 - 1, x0:x1],
             p[y0:y1, x0] - p[y0:y1, x0 - 1], p[y0:y1, x1] - p[y0:y1, x1 - 1]]
    return np.mean([np.abs(step).mean() for step in steps])


def judge_inpainting(program, out, name, case, count):
    """PSNR inside the box before and after, and how visible the seam is."""
    rng, before, after, seams, rows = random.Random(f"{UNSEEN} {name}"), [], [], [], []
    for i in range(count):
        scene, true, broken, box = case(rng)
        x0, y0 = (max(int(v) - 6, 1) for v in box[:2])
        x1, y1 = (min(int(v) + 7, LARGE - 2) for v in box[2:])
        still = out / f"{name}-{i:02}.png"
        Image.fromarray(broken).save(still)
        words = ["-i", still, "--box", f"{x0},{y0},{x1 - x0},{y1 - y0}", "-p", scene["still"], "-s", i]
        made = program.run("inpaint", out / f"{name}-{i:02}-mended.png", *words)[0]
        inside = (slice(y0, y1), slice(x0, x1))
        before.append(psnr(broken[inside], true[inside]))
        after.append(psnr(made[inside], true[inside]))
        seams.append(seam(made, (x0, y0, x1, y1)) / max(seam(true, (x0, y0, x1, y1)), 0.5))
        rows.append(np.concatenate([broken, made, true], 1))
    Image.fromarray(np.concatenate(rows[:5])).save(out / f"{name}.png")
    return np.mean(before), np.mean(after), np.median(seams)


def main():
    program, out, count = open_program(__doc__, 20)
    print("| named in the prompt | as asked | the renderer's own |\n|---|---|---|")
    for key, (made, own, asked) in judge_attributes(program, out, count).items():
        print(f"| {key} | {made} of {asked} | {own} of {asked} |", flush=True)
    print("\n| open in the prompt | different in ten stills | in an even draw |\n|---|---|---|")
    for key, (made, even) in judge_variety(program, out).items():
        print(f"| {key} | {made:.1f} of {len(OPEN[key])} | {even:.1f} |", flush=True)
    print("| inpainting | PSNR inside before | after | seam, times the true picture's |\n|---|---|---|---|")
    for name, case in (("earring", earring_case), ("strand", strand_case)):
        before, after, step = judge_inpainting(program, out, name, case, max(1, count // 4))
        print(f"| {name} | {before:.1f} dB | {after:.1f} dB | {step:.2f} |", flush=True)


main()

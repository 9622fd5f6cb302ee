"""What the exported model does, on scenes never trained on, through the C program. Prints a table for README.md.

    python3 evaluate.py --program build/firstframe --model golden/model --count 10 --out out/evaluation

Everything is judged against the renderer. Image-to-video: the renderer draws the still and knows the true clip; how far
the asked motion went is the progress, from 0 (not at all) to 1 (as far as the true clip), at which the renderer's own
picture comes nearest to the last frame. Text-to-image: an attribute is read back as the value with which the renderer,
trying several faces, comes nearest to the picture. Clips pass through the VAE by diffusers' encoder, which the C
encoder is held against elsewhere, and the program's decoder.
"""

import argparse
import copy
import pathlib
import random
import subprocess

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from PIL import Image
from safetensors.torch import save_file

from lake import sample_lake
from portrait import HAIR, SKIN, TOP, sample_portrait
from scenes import render, sample_scene

SIZE, FRAMES = 128, 25
UNSEEN = 777000  # seeds from here on are kept apart from training
HAPPENED = 0.35  # part of the true motion
PROGRESS = np.linspace(-0.5, 1.5, 21)

# a motion alone: the parameters that change with it, and the words that ask for it
MOTIONS = {
    "turn": (sample_portrait, ["yaw"], "head"),
    "smile": (sample_portrait, ["smile"], "smile"),
    "push-in": (sample_portrait, ["zoom"], "push-in"),
    "pull-out": (sample_portrait, ["zoom"], "pull-out"),
    "light": (sample_portrait, ["light"], "light"),
    "breeze": (sample_portrait, ["wind"], "breeze"),
    "sun rises": (sample_lake, ["rise"], "rises"),
    "pan": (sample_lake, ["pan"], "pan"),
}


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


def changes(motion):
    """The parameters that make something move."""
    return [key for key, value in motion.items() if value and (not isinstance(value, tuple) or value[0] != value[1])]


def sample_motion(rng, sample, keys, word):
    while True:
        scene = sample(rng)
        if word in scene["move"] and set(changes(scene["motion"])) - {"ripple"} == set(keys):
            scene["move"] = ", ".join(part for part in scene["move"].split(", ") if word in part)
            return scene


def at_progress(scene, keys, progress):
    """The scene standing still where its motion has got so far, as a picture."""
    still = copy.deepcopy(scene)
    for key in keys:
        value = scene["motion"][key]
        start, end = value if isinstance(value, tuple) else (0.0, value)
        now = start + (end - start) * progress
        still["motion"][key] = (now, now) if isinstance(value, tuple) else now
    return render(still, FRAMES, SIZE, FRAMES - 1)[0]


def progress_of(scene, keys, frame):
    errors = [np.square(at_progress(scene, keys, p).astype(float) - frame).mean() for p in PROGRESS]
    return PROGRESS[int(np.argmin(errors))]


def breeze_of(truth, clip):
    """How much the clip moves where the true one does, as part of that."""
    moving = truth.astype(float).std(0).mean(-1)
    where = moving > np.quantile(moving, 0.95)
    return clip.astype(float).std(0).mean(-1)[where].mean() / moving[where].mean()


def nearest_value(scene, key, values, variants, frame):
    """The value of an attribute with which one of the variants of the scene comes nearest to the frame."""

    def distance(value):
        found = []
        for variant in variants:
            variant["appearance"][key] = value
            found.append(np.square(render(variant, FRAMES, SIZE, FRAMES - 1)[0].astype(float) - frame).mean())
        return min(found)

    return min(values, key=distance)


def judge_vae(program, out, count):
    vae = AutoencoderKLWan.from_pretrained(program.model, subfolder="vae", torch_dtype=torch.float32)
    mean, std = (torch.tensor(x).view(-1, 1, 1, 1) for x in (vae.config.latents_mean, vae.config.latents_std))
    figures = []
    for frames in (1, FRAMES):
        rng, found = random.Random(UNSEEN + frames), []
        for i in range(count):
            video = render(sample_scene(rng), FRAMES, SIZE, 0, frames)
            pixels = torch.from_numpy(video).permute(3, 0, 1, 2).float()[None] / 127.5 - 1
            with torch.no_grad():
                latents = (vae.encode(pixels).latent_dist.mode()[0] - mean) / std
            save_file({"latents": latents.contiguous()}, out / "latents.safetensors")
            words = ["-p", "x", "--steps", 1, "--guidance", 1, "--size", f"{SIZE}x{SIZE}"]
            words += ["--load", out / "latents.safetensors", "--lossless", "--frames", frames]
            found.append(psnr(program.run("t2v", out / "vae.webp", *words), video))
        figures.append(np.mean(found))
    return figures


def judge_motion(program, out, kind, count):
    sample, keys, word = MOTIONS[kind]
    rng = random.Random(f"{UNSEEN} {kind}")
    gains, reached, kept, tried, rows = [], [], 0, 0, []
    for i in range(count):
        scene = sample_motion(rng, sample, keys, word)
        truth = render(scene, FRAMES, SIZE)
        still = out / f"{kind}-{i:02}.png"
        Image.fromarray(truth[0]).save(still)
        words = ["-i", still, "-p", scene["move"], "-s", i, "--lossless", "--frames", FRAMES]
        clip = program.run("i2v", out / f"{kind}-{i:02}.webp", *words)
        gains.append(psnr(clip[1:], truth[1:]) - psnr(np.broadcast_to(truth[:1], truth[1:].shape), truth[1:]))
        reached.append(breeze_of(truth, clip) if kind == "breeze" else progress_of(scene, keys, clip[-1]))
        if sample is sample_portrait and scene["appearance"]["style"] != "pencil sketch":
            last = copy.deepcopy(scene)
            for key, values in (("hair", HAIR), ("skin", SKIN), ("top", TOP)):
                tried += 1
                kept += nearest_value(scene, key, values, [copy.deepcopy(last)], clip[-1]) == scene["appearance"][key]
        rows.append(np.concatenate([*clip[::6], truth[-1]], 1))
    Image.fromarray(np.concatenate(rows)).save(out / f"{kind}.png")
    return np.mean(gains), np.mean(np.array(reached) >= HAPPENED), np.mean(reached), kept, tried


def judge_stills(program, out, count):
    """t2i: the part of the named attributes that the picture shows."""
    rng, right, tried, pictures = random.Random(UNSEEN + 5), {}, {}, []
    for i in range(count):
        scene = sample_portrait(rng)
        while scene["appearance"]["style"] == "pencil sketch":
            scene = sample_portrait(rng)
        picture = program.run("t2i", out / f"still-{i:02}.png", "-p", scene["still"], "-s", i)[0]
        pictures.append(picture)
        variants = []
        for _ in range(8):
            other = sample_portrait(rng)
            variant = copy.deepcopy(scene)
            for key in ("face_w", "face_h", "cx", "cy", "scale", "hairstyle"):
                variant["appearance"][key] = other["appearance"][key]
            yaw = {"left": -0.7, "right": 0.7, "camera": 0.0}[scene["appearance"]["gaze"]]
            variant["motion"].update(yaw=(yaw, yaw), zoom=(1.0, 1.0), wind=0.0, light=0.0, smile=(0, 0), blink=None)
            variants.append(variant)
        for key, values in (("hair", HAIR), ("skin", SKIN), ("top", TOP)):
            value = scene["appearance"][key]
            if f"{value} {key}" not in scene["still"] and key != "hair":
                continue
            tried[key] = tried.get(key, 0) + 1
            found = nearest_value(scene, key, values, copy.deepcopy(variants), picture)
            right[key] = right.get(key, 0) + (found == value)
    Image.fromarray(np.concatenate([np.concatenate(pictures[i : i + 5], 1) for i in range(0, count // 5 * 5, 5)])).save(
        out / "stills.png"
    )
    return {key: (right.get(key, 0), tried[key]) for key in tried}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/firstframe")
    parser.add_argument("--model", default="golden/model")
    parser.add_argument("--count", type=int, default=10, help="scenes of each kind, a multiple of 5")
    parser.add_argument("--out", default="out/evaluation")
    options, more = parser.parse_known_args()
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    program = Program(options, more)
    still, clip = judge_vae(program, out, options.count)
    print(f"VAE: stills {still:.1f} dB, clips {clip:.1f} dB\n", flush=True)
    print("| motion asked | happened | how far, of the true motion | PSNR over a frozen still |\n|---|---|---|---|")
    all_kept = all_tried = 0
    for kind in MOTIONS:
        gain, happened, reached, kept, tried = judge_motion(program, out, kind, options.count)
        all_kept, all_tried = all_kept + kept, all_tried + tried
        print(f"| {kind} | {100 * happened:.0f} % | {reached:.2f} | {gain:+.1f} dB |", flush=True)
    print(f"\nhair, skin and top unchanged in the last frame: {all_kept} of {all_tried}")
    for key, (right, tried) in judge_stills(program, out, options.count).items():
        print(f"t2i, {key} as asked: {right} of {tried}")


main()

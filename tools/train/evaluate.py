"""What the exported model does, on scenes never trained on, through the C program. Prints a table for README.md.

    python3 evaluate.py --program build/firstframe --model golden/model --count 10 --out out/evaluation

Everything is judged against the renderer. Image-to-video: the renderer draws the still and knows the true clip; how far
the asked motion went is the progress, from 0 (not at all) to 1 (as far as the true clip), at which the renderer's own
picture comes nearest to the last frame. Then the same motions asked in words of which no caption is made, and the same
still with a weak and with a strong word for the same motion.
Clips pass through the VAE by diffusers' encoder, which the C encoder is held against elsewhere, and the program's
decoder. Stills are judged by evaluate_stills.py.
"""

import copy
import random
import re

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from PIL import Image
from safetensors.torch import save_file

from judging import FRAMES, SIZE, UNSEEN, nearest_value, open_program, psnr
from lake import sample_lake
from portrait import HAIR, SKIN, TOP, sample_portrait
from scenes import render, sample_scene
from wordings import people_of

VAE_SCENES = 4  # times as many as of each kind of motion: they are quick, and differ widely
HAPPENED = 0.35  # part of the true motion
PROGRESS = np.linspace(-0.5, 1.5, 21)

# a motion alone: the parameters that change with it, and the words that ask for it
MOTIONS = {
    "turn": (sample_portrait, ["yaw"], "head"),
    "smile": (sample_portrait, ["smile"], "smile"),
    "push-in": (sample_portrait, ["zoom"], "push-in"),
    "pull-out": (sample_portrait, ["zoom"], "pull-out"),
    "light": (sample_portrait, ["light"], "light"),
    "breeze": (sample_portrait, ["wind"], "moves hair"),
    "sun rises": (sample_lake, ["rise"], "rises"),
    "pan": (sample_lake, ["pan"], "pan"),
}

# the same motion, by words of its caption, asked in sentences that wordings.py has none of, and for {how} the weak and
# the strong word
OTHER_WORDS = {
    "head": ("{Her} face {how} turns {where}", "slightly", "slowly"),
    "smile fades": ("The smile on {her} face disappears", "", ""),
    "smile": ("There is {how} on {her} face", "a subtle smile", "a smile"),
    "push-in": ("Camera moving in on {her} face {how}", "slowly", "quickly"),
    "pull-out": ("The camera is slowly moving away from {her} face", "", ""),
    "light": ("The lighting around {her} head shifts {how}", "gently", "strongly"),
    "moves hair": ("{how} is moving through {her} hair", "A gentle breeze", "A strong wind"),
    "rises": ("The {body} comes up over the water", "", ""),
    "pan": ("Camera panning slowly {where}", "", ""),
}
WEAK = ("slightly", "subtle", "slow push-in", "gentle")

# the same motion asked with a weak and with a strong word
AMPLITUDES = [
    ("turn", "slightly turns", "slowly turns"),
    ("smile", "gives a subtle smile", "smiles"),
    ("push-in", "slow push-in", "fast push-in"),
    ("breeze", "gentle breeze", "strong wind"),
]


def changes(motion):
    """The parameters that make something move."""
    return [key for key, value in motion.items() if value and (not isinstance(value, tuple) or value[0] != value[1])]


def sample_motion(rng, sample, keys, word):
    while True:
        scene = sample(rng)
        if word in scene["move"] and set(changes(scene["motion"])) - {"ripple", "pace"} == set(keys):
            scene["move"] = ", ".join(part for part in scene["move"].split(", ") if word in part)
            return scene


def in_other_words(scene):
    sentence, weak, strong = next(OTHER_WORDS[words] for words in OTHER_WORDS if words in scene["move"])
    her = people_of(random, scene["still"])["po"]
    where = re.search("toward the camera|to the left|to the right", scene["move"])
    how = weak if any(word in scene["move"] for word in WEAK) else strong
    body = "moon" if "moon" in scene["move"] else "sun"
    return sentence.format(her=her, Her=her.title(), where=where and where[0], how=how, body=body)


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


def judge_motion(program, out, kind, count, other_words=False):
    """Asked as the caption says it, or in other words: PSNR over a frozen still, how often it happened, how far it
    went, and of how many attributes of portraits how many were kept."""
    sample, keys, word = MOTIONS[kind]
    rng, name = random.Random(f"{UNSEEN} {kind}"), f"{kind}-otherwise" if other_words else kind
    gains, reached, kept, tried, rows = [], [], 0, 0, []
    for i in range(count):
        scene = sample_motion(rng, sample, keys, word)
        truth = render(scene, FRAMES, SIZE)
        while (truth == truth[0]).all():  # light on a pencil sketch
            scene = sample_motion(rng, sample, keys, word)
            truth = render(scene, FRAMES, SIZE)
        still, asked = out / f"{name}-{i:02}.png", in_other_words(scene) if other_words else scene["move"]
        Image.fromarray(truth[0]).save(still)
        words = ["-i", still, "-p", asked, "-s", i, "--lossless", "--frames", FRAMES]
        clip = program.run("i2v", out / f"{name}-{i:02}.webp", *words)
        gains.append(psnr(clip[1:], truth[1:]) - psnr(np.broadcast_to(truth[:1], truth[1:].shape), truth[1:]))
        reached.append(breeze_of(truth, clip) if kind == "breeze" else progress_of(scene, keys, clip[-1]))
        if sample is sample_portrait and scene["appearance"]["style"] != "pencil sketch":
            last = copy.deepcopy(scene)
            for key, values in (("hair", HAIR), ("skin", SKIN), ("top", TOP)):
                tried += 1
                kept += nearest_value(key, values, [copy.deepcopy(last)], clip[-1]) == scene["appearance"][key]
        rows.append(np.concatenate([*clip[::6], truth[-1]], 1))
    Image.fromarray(np.concatenate(rows)).save(out / f"{name}.png")
    return np.mean(gains), np.mean(np.array(reached) >= HAPPENED), np.mean(reached), kept, tried


def judge_amplitude(program, out, kind, weak, strong, count):
    """How far the motion goes, as part of the strong one's true way, when asked with either word."""
    sample, keys, word = MOTIONS[kind]
    rng, reached = random.Random(f"{UNSEEN} {weak}"), ([], [])
    for i in range(count):
        scene = sample_motion(rng, sample, keys, word)
        while strong not in scene["move"]:
            scene = sample_motion(rng, sample, keys, word)
        truth = render(scene, FRAMES, SIZE)
        still = out / f"amplitude-{kind}-{i:02}.png"
        Image.fromarray(truth[0]).save(still)
        for asked, found in zip((weak, strong), reached):
            words = ["-i", still, "-p", scene["move"].replace(strong, asked), "-s", i, "--lossless", "--frames", FRAMES]
            clip = program.run("i2v", out / f"amplitude-{kind}-{i:02}-{asked.split()[0]}.webp", *words)
            found.append(breeze_of(truth, clip) if kind == "breeze" else progress_of(scene, keys, clip[-1]))
    return [float(np.mean(found)) for found in reached]


def main():
    program, out, count = open_program(__doc__, 10, "scenes of each kind, a multiple of 5")
    still, clip = judge_vae(program, out, VAE_SCENES * count)
    print(f"VAE, {VAE_SCENES * count} scenes: stills {still:.1f} dB, clips {clip:.1f} dB\n", flush=True)
    for title, other_words in (("as captions do", False), ("in other words", True)):
        print(f"| motion asked {title} | happened | how far, of the true motion | PSNR over a frozen still |")
        print("|---|---|---|---|")
        all_kept = all_tried = 0
        for kind in MOTIONS:
            gain, happened, reached, kept, tried = judge_motion(program, out, kind, count, other_words)
            all_kept, all_tried = all_kept + kept, all_tried + tried
            print(f"| {kind} | {100 * happened:.0f} % | {reached:.2f} | {gain:+.1f} dB |", flush=True)
        print(f"\nhair, skin and top unchanged in the last frame: {all_kept} of {all_tried}\n", flush=True)
    print("| weak and strong | how far | of the strong one's way |\n|---|---|---|")
    for kind, weak, strong in AMPLITUDES:
        far = judge_amplitude(program, out, kind, weak, strong, count)
        print(f"| {weak}, {strong} | {far[0]:.2f}, {far[1]:.2f} | {far[0] / max(far[1], 1e-9):.2f} |", flush=True)


main()

"""Renders clips and stills, encodes them with the trained VAE, and saves latents and captions.

    python3 encode_latents.py --vae vae.safetensors --seconds 900 --seed 1      -> latents-1.pt

Scenes are decided by the seed; their number by the time. Clips in which a head turns are kept always, those with a
smile or a pan seven times in ten, others a third of the time, because these are the hardest motions. Crops are parts
of stills, enlarged, as the program's inpainting shows them to the model; half of them come from pictures as small as
the model's own.
"""

import argparse
import random
import time

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from networks import fast_single_frames, make_vae
from ranks import choose_device
from scenes import render, sample_scene
from train_vae import FRAMES, SIZE, pixels


def changes(scene, key):
    start, end = scene["motion"].get(key, (0, 0))
    return start != end


def sample_clip(rng):
    while True:
        scene = sample_scene(rng)
        keep = 1.0 if changes(scene, "yaw") else 0.7 if changes(scene, "smile") or scene["motion"]["pan"] else 0.35
        if rng.random() < keep:
            return scene


def draw_crop(rng, scene):
    part = rng.uniform(0.3, 0.85)
    large = SIZE if rng.random() < 0.5 else round(SIZE / part)
    side = round(large * part)
    x, y = rng.randint(0, large - side), rng.randint(0, large - side)
    picture = Image.fromarray(render(scene, FRAMES, large, 0, 1)[0]).crop((x, y, x + side, y + side))
    return np.asarray(picture.resize((SIZE, SIZE), Image.LANCZOS))[None]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vae", default="vae.safetensors")
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    fast_single_frames()
    vae = make_vae().eval()
    vae.load_state_dict({name: value.float() for name, value in load_file(options.vae).items()})
    device = choose_device(options.device)
    vae.to(device)
    rng = random.Random(options.seed)
    data = {name: [] for kind in ("clip", "still", "crop") for name in (f"{kind}s", f"{kind}_captions")}

    def add(kind, scenes, draw):
        video = pixels([draw(scene) for scene in scenes]).to(device)
        data[f"{kind}s"] += list(vae.encode(video).latent_dist.mode().bfloat16().cpu())
        data[f"{kind}_captions"] += [(scene["still"], scene["move"]) for scene in scenes]

    begun = time.time()
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
        while time.time() - begun < options.seconds:
            add("clip", [sample_clip(rng) for _ in range(6)], lambda scene: render(scene, FRAMES, SIZE))
            add("still", [sample_scene(rng) for _ in range(22)], lambda scene: render(scene, FRAMES, SIZE, 0, 1))
            add("crop", [sample_scene(rng) for _ in range(8)], lambda scene: draw_crop(rng, scene))
    for kind in ("clips", "stills", "crops"):
        data[kind] = torch.stack(data[kind])
        print(len(data[kind]), kind)
    torch.save(data, f"latents-{options.seed}.pt")


if __name__ == "__main__":
    main()

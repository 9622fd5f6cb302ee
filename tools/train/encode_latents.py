"""Renders clips and stills, encodes them with the trained VAE, and saves latents and captions.

    python3 encode_latents.py --vae vae.safetensors --seconds 900 --seed 1      -> latents-1.pt

Scenes are decided by the seed; their number by the time. Clips favour the hardest motions (sample_clip). Mends are what
inpainting has to make, with what is known of it (mends.py).
"""

import argparse
import random
import time

import torch

from mends import draw_mend
from networks import load_vae
from ranks import choose_device
from scenes import render, sample_clip, sample_scene
from train_vae import FRAMES, SIZE, pixels
from whole_clips import encode as encode_whole


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vae", default="vae.safetensors")
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = choose_device(options.device)
    vae = load_vae(options.vae).to(device)
    rng = random.Random(options.seed)
    data = {name: [] for kind in ("clip", "still", "mend") for name in (f"{kind}s", f"{kind}_captions")}
    data |= {"knowns": [], "made": []}

    def encode(videos):
        return list(encode_whole(vae, pixels(videos).to(device)).bfloat16().cpu())

    def add(kind, scenes, videos):
        data[f"{kind}s"] += encode(videos)
        data[f"{kind}_captions"] += [(scene["still"], scene["move"]) for scene in scenes]

    begun = time.time()
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
        while time.time() - begun < options.seconds:
            scenes = [sample_clip(rng) for _ in range(6)]
            add("clip", scenes, [render(scene, FRAMES, SIZE) for scene in scenes])
            scenes = [sample_scene(rng) for _ in range(14)]
            add("still", scenes, [render(scene, FRAMES, SIZE, 0, 1) for scene in scenes])
            scenes = [sample_scene(rng) for _ in range(7)]
            true, filled, made = zip(*(draw_mend(rng, scene) for scene in scenes))
            add("mend", scenes, [picture[None] for picture in true])  # after draw_mend, which may change the words
            data["knowns"] += encode([picture[None] for picture in filled])
            data["made"] += [torch.from_numpy(tokens) for tokens in made]
    for name in ("clips", "stills", "mends", "knowns", "made"):
        data[name] = torch.stack(data[name])
        print(len(data[name]), name)
    torch.save(data, f"latents-{options.seed}.pt")


if __name__ == "__main__":
    main()

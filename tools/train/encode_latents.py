"""Renders clips and stills, encodes them with the trained VAE, and saves latents and captions.

    python3 encode_latents.py --vae vae.safetensors --seconds 900 --seed 1      -> latents-1.pt

Scenes are decided by the seed; their number by the time. Clips in which a head turns or a smile comes or goes are kept
always, others six times in ten, because these are the hardest motions.
"""

import argparse
import random
import time

import torch
from safetensors.torch import load_file

from networks import fast_single_frames, make_vae
from scenes import render, sample_scene
from train_vae import FRAMES, SIZE, pixels


def face_moves(scene):
    return any(scene["motion"].get(key, (0, 0))[0] != scene["motion"].get(key, (0, 0))[1] for key in ("yaw", "smile"))


def sample_clip(rng):
    while True:
        scene = sample_scene(rng)
        if face_moves(scene) or rng.random() < 0.6:
            return scene


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vae", default="vae.safetensors")
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    fast_single_frames()
    vae = make_vae().eval()
    vae.load_state_dict({name: value.float() for name, value in load_file(options.vae).items()})
    rng = random.Random(options.seed)
    data = {"clips": [], "clip_captions": [], "stills": [], "still_captions": []}

    def add(kind, scenes, stop, captions):
        video = pixels([render(scene, FRAMES, SIZE, 0, stop) for scene in scenes])
        data[kind] += list(vae.encode(video).latent_dist.mode().bfloat16())
        data[captions] += [(scene["still"], scene["move"]) for scene in scenes]

    begun = time.time()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        while time.time() - begun < options.seconds:
            add("clips", [sample_clip(rng) for _ in range(4)], FRAMES, "clip_captions")
            add("stills", [sample_scene(rng) for _ in range(16)], 1, "still_captions")
    data["clips"], data["stills"] = torch.stack(data["clips"]), torch.stack(data["stills"])
    torch.save(data, f"latents-{options.seed}.pt")
    print(len(data["clips"]), "clips,", len(data["stills"]), "stills")


if __name__ == "__main__":
    main()

"""Fits the map that --preview looks at latents with, and writes it into a model's firstframe.json.

    python3 preview_map.py ../../golden/model

A cell's normalised latents go linearly to the mean colour, 0 to 255, of the pixels and frames that it stands for, by
least squares over rendered clips. The first two latent frames have maps of their own: before them the causal encoder
has seen little.
"""

import argparse
import json
import pathlib
import random

import numpy as np
import torch
from diffusers import AutoencoderKLWan

from defaults import write_defaults
from scenes import render, sample_scene

CLIPS, FRAMES, SIZE, MAPS = 16, 25, 128, 3
STIFF = 1e-3  # keeps the map small where the clips leave it open


def normalised_latents(vae, video):
    """[channels, frames, height, width] of uint8 [T, H, W, 3]"""
    pixels = torch.from_numpy(video).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
    with torch.no_grad():
        latents = vae.encode(pixels).latent_dist.mode()[0]
    mean, std = (torch.tensor(v).view(-1, 1, 1, 1) for v in (vae.config.latents_mean, vae.config.latents_std))
    return ((latents - mean) / std).numpy().astype(np.float64)


def mean_colours(video, frames, height, width):
    """[frames, height, width, 3]: the first latent frame is the first frame, each other one a group of equal length."""
    factor = video.shape[1] // height
    small = video.reshape(len(video), height, factor, width, factor, 3).mean((2, 4))
    return np.concatenate([small[:1], small[1:].reshape(frames - 1, -1, height, width, 3).mean(1)])


def fit_preview(vae, seed=1):
    """{"weights": [maps][colours][channels], "bias": [maps][colours]}"""
    rng = random.Random(seed)
    vae = vae.float().eval()
    features, colours = ([[] for _ in range(MAPS)] for _ in range(2))
    for _ in range(CLIPS):
        video = render(sample_scene(rng), FRAMES, SIZE)
        latents = normalised_latents(vae, video)
        means = mean_colours(video, *latents.shape[1:])
        for frame in range(latents.shape[1]):
            which = min(frame, MAPS - 1)
            cells = latents[:, frame].reshape(len(latents), -1).T
            features[which].append(np.concatenate([cells, np.ones((len(cells), 1))], 1))
            colours[which].append(means[frame].reshape(-1, 3))
    weights, bias = [], []
    for which in range(MAPS):
        a, b = np.concatenate(features[which]), np.concatenate(colours[which])
        x = np.linalg.solve(a.T @ a + STIFF * len(a) * np.eye(a.shape[1]), a.T @ b)
        print(f"map {which}: off by {np.sqrt(np.square(a @ x - b).mean()):.1f} of 255 (root mean square)")
        weights.append(np.round(x[:-1].T, 3).tolist())
        bias.append(np.round(x[-1], 3).tolist())
    return {"weights": weights, "bias": bias}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, help="a folder with vae/; its firstframe.json is written anew")
    options = parser.parse_args()
    path = options.model / "firstframe.json"
    defaults = json.loads(path.read_text()) if path.exists() else {}
    vae = AutoencoderKLWan.from_pretrained(options.model / "vae", torch_dtype=torch.float32)
    defaults["preview"] = fit_preview(vae)
    write_defaults(path, defaults)


if __name__ == "__main__":
    main()

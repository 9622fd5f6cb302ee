"""Trains the VAE on rendered clips.

    torchrun --nproc-per-node 2 train_vae.py --threads 1 --seconds 3600 --out vae.safetensors \
        [--resume vae.safetensors] [--decoder-only | --tether 0.2]

Noise of a random strength is added to the latents, up to --noise times each channel's own spread: what the transformer
gets slightly wrong then still decodes to a clean picture. With --decoder-only the encoder stays as it is, so that
latents already encoded, and a transformer trained on them, stay valid. With --tether the encoder learns too, but is
held near what it was by that weight on how far its latents move: latents must be encoded again, and the transformer
then has little to learn anew.

Clips as long as those that will be decoded (25 frames) are a must: from the third latent frame on the decoder's caches
take another path, and errors run on from there. On trained weights a lower --rate loses less of what they can do before
it gains. Saves the average of the weights every three minutes.
"""

import argparse
import copy
import math
import random
import time

import numpy as np
import torch
from safetensors.torch import save_file

from muon import Muon
from networks import load_vae, make_vae
from ranks import choose_device, leave_together, part_of_time, set_up_ranks
from scenes import render, sample_clip, sample_scene
from whole_clips import decode, encode

FRAMES, SIZE = 25, 128
FACES = 0.6  # part of the crops of portraits that show the face
TETHERED = 0.3  # part of the steps that look at the old encoder: it costs as much as the new one
# frames, clips in a batch, side of the crop, how often
SHAPES = [(25, 1, 64, 5), (25, 1, 80, 2), (9, 2, 80, 2), (1, 6, 112, 2)]


def pixels(clips):
    return torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


def random_crop(rng, frames, side):
    """Of portraits more often than not the face, which is what one looks at."""
    first = rng.randrange(FRAMES - frames + 1)
    scene = sample_clip(rng) if frames > 1 else sample_scene(rng)
    clip = render(scene, FRAMES, SIZE, first, first + frames)
    if scene["appearance"]["kind"] == "portrait" and rng.random() < FACES:
        centre = rng.uniform(0.4, 0.6), rng.uniform(0.3, 0.5)
        x, y = (min(max(round(c * SIZE - side / 2), 0), SIZE - side) for c in centre)
    else:
        y, x = rng.randrange(SIZE - side + 1), rng.randrange(SIZE - side + 1)
    return clip[:, y : y + side, x : x + side]


def loss_of(output, target, latents):
    error = output.float() - target
    edges = (error[..., 1:] - error[..., :-1]).abs().mean() + (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    return error.abs().mean() + 0.5 * edges + 6 * error.square().mean() + 3e-4 * latents.float().square().mean()


class Noise:
    """Half of the time of any strength up to the most, else a little; in units of each channel's own spread."""

    def __init__(self, most):
        self.most, self.spread = most, None

    def add(self, rng, latents):
        with torch.no_grad():
            spread = latents.float().std((0, 2, 3, 4), keepdim=True).clamp(0.3, 3)
            self.spread = spread if self.spread is None else self.spread.lerp(spread, 0.02)
        strength = rng.random() * self.most if rng.random() < 0.5 else 0.02
        return latents + strength * self.spread * torch.randn_like(latents)


def judge(vae, clips):
    """PSNR over all frames, and of frames 0, 8, 16 and 24."""
    with torch.no_grad():
        outputs = [decode(vae, encode(vae, clip[None]))[0].clamp(-1, 1) for clip in clips]
    errors = (torch.stack(outputs) - clips).square().mean((0, 1, 3, 4))
    figures = [errors.mean(), *errors[[0, 8, 16, 24]]]
    return " ".join(f"{10 * math.log10(4 / e.item()):.2f}" for e in figures)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--out", default="vae.safetensors")
    parser.add_argument("--resume")
    parser.add_argument("--decoder-only", action="store_true")
    parser.add_argument("--tether", type=float, default=0.0)
    parser.add_argument("--noise", type=float, default=0.3)
    parser.add_argument("--rate", type=float, default=1.0, help="of the optimiser, over its usual one")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    rank, _ = set_up_ranks()
    device = choose_device(options.device)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    rng, shapes, unseen = random.Random(options.seed + rank), random.Random(options.seed), random.Random(999)
    vae = (load_vae(options.resume) if options.resume else make_vae()).train().to(device)
    before = copy.deepcopy(vae).requires_grad_(False) if options.tether else None
    learnt = {
        n: p for n, p in vae.named_parameters() if not options.decoder_only or n.startswith(("decoder", "post_quant"))
    }
    vae.requires_grad_(False)
    for parameter in learnt.values():
        parameter.requires_grad_(True)
    optimiser = Muon(learnt.values(), 0.01 * options.rate, 1e-3 * options.rate)
    average = {name: parameter.detach().clone() for name, parameter in learnt.items()}
    clips = pixels([render(sample_scene(unseen), FRAMES, SIZE) for _ in range(6)]).to(device)
    noise = Noise(options.noise)
    torch.manual_seed(options.seed * 1000 + rank)

    def save():
        current = {name: parameter.detach().clone() for name, parameter in learnt.items()}
        with torch.no_grad():
            for name, parameter in learnt.items():
                parameter.copy_(average[name])
            print("PSNR all, 0, 8, 16, 24:", judge(vae, clips), flush=True)
            save_file({n: v.bfloat16().cpu().contiguous() for n, v in vae.state_dict().items()}, options.out)
            for name, parameter in learnt.items():
                parameter.copy_(current[name])

    begun = saved = time.time()
    step = 0
    while True:
        part = part_of_time(begun, options.seconds)
        if part >= 1:
            break
        frames, count, side, _ = shapes.choices(SHAPES, [shape[3] for shape in SHAPES])[0]
        tethered = before is not None and shapes.random() < TETHERED
        video = pixels([random_crop(rng, frames, side) for _ in range(count)]).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            latents = encode(vae, video)
            output = decode(vae, noise.add(rng, latents)).clamp(-1, 1)
            if tethered:
                with torch.no_grad():
                    old = encode(before, video)
        loss = loss_of(output, video, latents)
        if tethered:
            loss = loss + options.tether * ((latents - old).float() / noise.spread).square().mean()
        loss.backward()
        step += 1
        optimiser.step(min(1, step / 30) * min(1, (1 - part) / 0.6 + 0.01))
        with torch.no_grad():
            keep = min(0.995, step / (step + 20))
            for name, parameter in learnt.items():
                average[name].mul_(keep).add_(parameter, alpha=1 - keep)
        if rank == 0 and time.time() - saved > 180:
            saved = time.time()
            print(step, end=" ")
            save()
    if rank == 0:
        save()
    leave_together()


if __name__ == "__main__":
    main()

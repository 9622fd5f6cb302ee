"""Trains the transformer and the text encoder on encoded latents by flow matching.

    python3 train_transformer.py --latents 'latents-*.pt' --seconds 7200 --out transformer.pt [--resume transformer.pt]
    torchrun --nproc-per-node 2 train_transformer.py --threads 1 ...      one rank a core: faster than two threads

A batch is stills (text-to-image, and boxes to inpaint) and clips (image-to-video, first-and-last-frame,
text-to-video), told apart only by the mask, as when sampling. In clips what moves weighs up to ten times what stays, by
how much it moves against the clip's mean, so that a smile, a few cells of a clip, is not lost in it. The middle of a
portrait, where the face is, weighs more than the rest: four times in stills, twice in clips; a box to inpaint weighs
five times as much, being small. Wide latent channels weigh more: once normalised, an error in the widest (standard
deviation 7.2) is felt by the pixels over fifty times as much as in the narrowest (0.96).

The transformer is asked in other words as well (wordings.py), so that it need not be spoken to as the captions do.
Beside the flow, the text encoder learns to say which attributes a caption names (attributes.py); with --text-first it
learns that alone for some seconds, from captions without pictures. Until --whole-from a clip is its first latent frame
and three of the others, each at its own place in time, which costs half; then it is whole. The rate falls from the
third part of the time given on: a short run on trained weights wants a lower one (--rate). Saves the average of the
weights every 200 steps; --resume goes on from such a file, or from an exported model folder.
"""

import argparse
import glob
import itertools
import json
import os
import random
import time

import torch
from safetensors.torch import load_file

from attributes import AttributeReader
from muon import Muon
from networks import (
    PaddedText,
    embed,
    evaluate,
    make_text_encoder,
    make_tokenizer,
    make_transformer,
    rotary_of_frames,
)
from ranks import choose_device, leave_together, part_of_time, set_up_ranks
from scenes import sample_scene
from wordings import reword_move, reword_still

STILL_SHIFT, SHIFT = 2.0, 5.0  # of noise levels: what makes clips and mends fit what is known is decided early
MOTION, STILL = 9.0, 0.05  # the most that motion adds to a cell's weight; the mean square below which a clip stands
CHANNELS = 0.7  # power of a channel's spread that becomes its weight; 2 is what pixels feel, 0 forgets it
ATTRIBUTES = 0.5  # weight of the attributes' loss beside the flow's
MENDS, MEND = 0.45, 5.0  # part of the stills that are to be inpainted, and the weight of what is made in them
UNIFORM = 0.15  # part of the noise levels that are drawn evenly: the fewest of the others are low


def draw_sigmas(kinds):
    u = torch.sigmoid(torch.randn(len(kinds)) * 1.1)
    shift = torch.tensor([STILL_SHIFT if kind == "still" else SHIFT for kind in kinds])
    shifted = shift * u / (1 + (shift - 1) * u)
    return torch.where(torch.rand(len(kinds)) < UNIFORM, 0.02 + 0.98 * torch.rand(len(kinds)), shifted)


def weigh_face(caption, rows, columns):
    """[h, w]: in portraits 4 where eyes, nose and mouth are, 2 where the rest of the head is, elsewhere 1."""
    weights = torch.ones(rows, columns)
    if caption.startswith("Portrait"):
        down, right = rows / 16, columns / 16
        weights[round(3 * down) : round(12 * down), round(4 * right) : round(12 * right)] = 2
        weights[round(5 * down) : round(10 * down), round(5 * right) : round(11 * right)] = 4
    return weights


def put_in_words(rng, what, still, motion):
    """The caption of the still, the motion or both of them, and another wording of it."""
    stills, motions = (still, reword_still(rng, still)), (motion, reword_move(rng, still, motion))
    both = tuple(f"{still.removesuffix('.')}. {motion}" for still, motion in zip(stills, motions))
    return {"still": stills, "motion": motions, "both": both}[what]


def draw_stills(rng, data, count):
    """Latents, the same as far as they are known, masks, weights [B, 1, 1, h, w], texts (put_in_words), kinds, and the
    places in time of the latent frames."""
    masks, latents, knowns, texts, kinds = torch.ones(count, 1, *data["stills"].shape[2:]), [], [], [], []
    weights = torch.ones(count, 1, 1, *masks.shape[3:])
    for mask, weight in zip(masks, weights):
        kind = "mend" if rng.random() < MENDS else "still"
        pick = rng.choices(range(len(data[f"{kind}s"])), cum_weights=data[f"{kind}_weights"])[0]
        latents.append(data[f"{kind}s"][pick])
        knowns.append(data["knowns" if kind == "mend" else "stills"][pick])
        still, motion = data[f"{kind}_captions"][pick]
        texts.append(put_in_words(rng, "still", still, motion))
        kinds.append(kind)
        if kind == "mend":
            mask[:] = data["made"][pick].repeat_interleave(2, 0).repeat_interleave(2, 1)
            weight[:] = MEND
        else:
            weight[:] = weigh_face(still, *weight.shape[2:])
    return torch.stack(latents), torch.stack(knowns), masks, weights, texts, kinds, [0]


def how_often_still(still, _):
    """Heads that look at the camera are drawn more often: those made are often turned a little aside."""
    return 3.5 if "looking at the camera" in still else 1.0


def how_often_clip(still, motion):
    """Turns, the wider the more, push-ins, what is rare, and sketches and glasses that move, whose lines are hard, are
    drawn more often."""
    often = {" head ": 2.6, "pull-out": 2.0, "rises": 1.6, "push-in": 2.2, "smile": 2.0, "pan": 1.2, "still": 3.0}
    if " head " in motion and ("slightly" in motion or "subtle" in motion):
        often[" head "] = 1.6
    sketch = still.startswith("Portrait") and "sketch" in still
    glasses = "glasses" in still and any(word in motion for word in (" head ", "push-in"))
    hard = 2.4 if glasses else 1.6 if sketch else 1
    return hard * max((often[word] for word in often if word in motion), default=1.0)


def draw_clips(rng, data, count, part_frames=None):
    """The same of clips; part_frames: only so many of their latent frames, the first among them."""
    picks = rng.choices(range(len(data["clips"])), cum_weights=data["clip_weights"], k=count)
    frames = list(range(data["clips"].shape[2]))
    if part_frames:
        frames = [0] + sorted(rng.sample(frames[1:], part_frames - 1))
    latents = data["clips"][picks][:, :, frames]
    masks, texts, kinds = torch.ones(count, 1, *latents.shape[2:]), [], []
    weights = torch.ones(count, 1, 1, *masks.shape[3:])
    for mask, weight, pick in zip(masks, weights, picks):
        still, motion = data["clip_captions"][pick]
        kind = rng.choices(["i2v", "flf", "t2v"], [82, 6, 12])[0]
        if kind != "t2v":
            mask[:, 0] = 0
        if kind == "flf":
            mask[:, -1] = 0
        weight[:] = weigh_face(still, *weight.shape[2:]).sqrt()
        whole = kind == "t2v" or (kind == "i2v" and rng.random() < 0.25)
        texts.append(put_in_words(rng, "both" if whole else "motion", still, motion))
        kinds.append(kind)
    return latents, latents, masks, weights, texts, kinds, frames


def weigh_motion(latents):
    """[B, 1, F, h, w]: 1 and how far a cell is from the first group of frames, in units of the clip's mean. The first
    frame, alone in its latent frame, is encoded in another way and left out."""
    moved = (latents - latents[:, :, 1:2]).square().mean(1, keepdim=True)
    moved[:, :, 0] = 0
    mean = moved[:, :, 2:].mean((2, 3, 4), keepdim=True)
    return 1 + (moved / mean.clamp(min=STILL)).clamp(max=MOTION)


def load_saved(path):
    """What Trainer.save wrote, or the same from a diffusers folder."""
    if not os.path.isdir(path):
        return torch.load(path, map_location="cpu")
    files = {"m": "transformer/diffusion_pytorch_model.safetensors", "te": "text_encoder/model.safetensors"}
    saved = {key: {n: v.float() for n, v in load_file(f"{path}/{name}").items()} for key, name in files.items()}
    saved["te"]["encoder.embed_tokens.weight"] = saved["te"]["shared.weight"]  # stored once
    with open(f"{path}/vae/config.json") as file:
        config = json.load(file)
    return {**saved, "mean": torch.tensor(config["latents_mean"]), "std": torch.tensor(config["latents_std"])}


class Trainer:
    def __init__(self, options, device):
        self.device = device
        self.tokenizer, self.text_encoder, self.transformer = make_tokenizer(), make_text_encoder(), make_transformer()
        self.transformer.set_attn_processor(PaddedText())
        self.data = [torch.load(path) for path in sorted(glob.glob(options.latents))]
        self.data = {key: self.join([part[key] for part in self.data]) for key in self.data[0]}
        for kind, how_often in (("clip", how_often_clip), ("still", how_often_still), ("mend", how_often_still)):
            often = [how_often(*words) for words in self.data[f"{kind}_captions"]]
            self.data[f"{kind}_weights"] = list(itertools.accumulate(often))
        if options.resume:
            saved = load_saved(options.resume)
            self.text_encoder.load_state_dict(saved["te"])
            self.transformer.load_state_dict(saved["m"])
            self.mean, self.std = saved["mean"], saved["std"]
        else:
            self.mean, self.std = self.measure()
        wide = self.std**CHANNELS
        self.channels = self.spread(wide / wide.mean()).to(device)
        for key in ("stills", "clips", "mends", "knowns"):
            self.data[key] = (self.data[key].float() - self.spread(self.mean)) / self.spread(self.std)
        self.reader = AttributeReader(self.text_encoder.config.d_model)
        if options.resume and "reader" in saved:
            self.reader.load_state_dict(saved["reader"])
        for network in (self.transformer, self.text_encoder, self.reader):
            network.to(device)
        networks = (self.transformer, self.text_encoder, self.reader)
        self.parameters = [parameter for network in networks for parameter in network.parameters()]
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.running = {}

    @staticmethod
    def join(parts):
        return torch.cat(parts) if isinstance(parts[0], torch.Tensor) else sum(parts, [])

    @staticmethod
    def spread(vector):
        return vector.view(1, -1, 1, 1, 1)

    def measure(self):
        """Mean and standard deviation of each latent channel, stills and clips weighing the same."""
        sets = [self.data["stills"].float(), self.data["clips"].float()]
        mean = sum(x.mean((0, 2, 3, 4)) for x in sets) / 2
        variance = sum((x - self.spread(mean)).square().mean((0, 2, 3, 4)) for x in sets) / 2
        return mean, variance.sqrt()

    def learn(self, rng, latents, knowns, masks, weights, texts, kinds, frames):
        texts = [("", "") if rng.random() < 0.1 else text for text in texts]
        captions, wordings = zip(*texts)
        latents, knowns, masks, weights = (x.to(self.device) for x in (latents, knowns, masks, weights))
        with torch.autocast(self.device.type, torch.bfloat16):
            text, PaddedText.bias = embed(self.tokenizer, self.text_encoder, list(wordings))
            read = self.reader(text, PaddedText.bias[:, 0, 0] == 0, captions)
            sigma = draw_sigmas(kinds).to(self.device)
            noise = torch.randn_like(latents)
            noised = (1 - self.spread(sigma).transpose(0, 1)) * latents + self.spread(sigma).transpose(0, 1) * noise
            anchored = (1 - masks) * knowns + masks * noised
            generated = masks[:, 0, :, ::2, ::2].flatten(1)
            rotary = rotary_of_frames(self.transformer, frames, *latents.shape[3:])
            flow = evaluate(self.transformer, anchored, sigma * 1000, generated, text, *rotary).float()
        weights = weights * masks * (weigh_motion(latents) if latents.shape[2] > 1 else 1)
        errors = (flow - (noise - latents)).square() * weights * self.channels
        (errors.sum() / (weights.sum() * latents.shape[1]) + ATTRIBUTES * read).backward()
        each = errors.sum((1, 2, 3, 4)) / (weights.sum((1, 2, 3, 4)) * latents.shape[1]).clamp(min=1)
        for kind, loss in zip([*kinds, "attributes"], [*each.tolist(), read.item()]):
            self.running[kind] = 0.98 * self.running.get(kind, loss) + 0.02 * loss

    def learn_text(self, rng, seconds):
        """The text encoder and the reader alone, on fresh captions."""
        parameters = [*self.text_encoder.parameters(), *self.reader.parameters()]
        optimiser, begun = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=0), time.time()
        while (part := (time.time() - begun) / seconds) < 1:
            scenes = [sample_scene(rng) for _ in range(48)]
            whats = rng.choices(["still", "motion", "both"], k=len(scenes))
            texts = [put_in_words(rng, what, s["still"], s["move"]) for what, s in zip(whats, scenes)]
            captions, wordings = zip(*texts)
            optimiser.param_groups[0]["lr"] = 1e-3 * min(1, 2 * (1 - part) + 0.05)
            with torch.autocast(self.device.type, torch.bfloat16):
                text, bias = embed(self.tokenizer, self.text_encoder, list(wordings))
            loss = self.reader(text, bias[:, 0, 0] == 0, captions)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            optimiser.zero_grad()
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        return loss.item()

    @torch.no_grad()
    def follow(self, step):
        keep = min(0.998, step / (step + 30))
        for mean, parameter in zip(self.average, self.parameters):
            mean.mul_(keep).add_(parameter, alpha=1 - keep)

    @torch.no_grad()
    def save(self, path):
        current = [parameter.detach().clone() for parameter in self.parameters]
        for parameter, mean in zip(self.parameters, self.average):
            parameter.copy_(mean)
        state = {"m": self.transformer.state_dict(), "te": self.text_encoder.state_dict()}
        state["reader"] = self.reader.state_dict()
        torch.save({**state, "mean": self.mean, "std": self.std}, path + ".new")
        os.replace(path + ".new", path)
        for parameter, value in zip(self.parameters, current):
            parameter.copy_(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latents", required=True, help="files of encode_latents.py, as a pattern")
    parser.add_argument("--seconds", type=float, default=7200)
    parser.add_argument("--out", default="transformer.pt")
    parser.add_argument("--resume")
    parser.add_argument("--text-first", type=float, default=0.0, help="seconds for the text encoder alone, one rank")
    parser.add_argument("--stills-first", type=float, default=0.0, help="part of the time spent on stills alone")
    parser.add_argument("--batch", default="44,16,8", help="stills, parts of clips, whole clips; over all ranks")
    parser.add_argument("--clips-every", type=int, default=1, help="steps from one batch of clips to the next")
    parser.add_argument("--whole-from", type=float, default=0.0, help="part of the time after which clips are whole")
    parser.add_argument("--rate", type=float, default=1.0, help="of the optimiser, over its usual one")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    options = parser.parse_args()
    rank, ranks = set_up_ranks()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    trainer = Trainer(options, choose_device(options.device))
    torch.manual_seed(options.seed * 1000 + rank)
    rng = random.Random(options.seed * 1000 + rank)
    if options.text_first and ranks == 1:
        print(f"attributes {trainer.learn_text(rng, options.text_first):.3f}", flush=True)
        trainer.save(options.out)
    optimiser = Muon(trainer.parameters, 0.01 * options.rate, 1e-3 * options.rate, decay=0.02)
    stills, parts, clips = (int(count) // ranks for count in options.batch.split(","))
    begun, step = time.time(), 0
    while True:
        part = part_of_time(begun, options.seconds)
        if part >= 1:
            break
        trainer.learn(rng, *draw_stills(rng, trainer.data, stills))
        if step % options.clips_every == 0 and part >= options.stills_first:
            count_and_frames = (clips, None) if part >= options.whole_from else (parts, 4)
            trainer.learn(rng, *draw_clips(rng, trainer.data, *count_and_frames))
        step += 1
        optimiser.step(min(1, step / 50) * min(1, (1 - part) / 0.7 + 0.02))
        trainer.follow(step)
        if rank == 0 and step % 25 == 0:
            losses = " ".join(f"{kind} {loss:.3f}" for kind, loss in trainer.running.items())
            print(f"{step} {time.time() - begun:.0f}s {losses}", flush=True)
        if rank == 0 and step % 200 == 0:
            trainer.save(options.out)
    if rank == 0:
        trainer.save(options.out)
    leave_together()


if __name__ == "__main__":
    main()

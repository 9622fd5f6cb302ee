#!/usr/bin/env python3
"""Runs a Wan model folder through diffusers and writes every named tensor of the run, as `firstframe --dump` does.

    python3 tools/dump_diffusers.py i2v -m golden/model -i still.png -p "She turns her head." \\
        --size 128x128 --frames 25 --steps 16 --dump truth.safetensors

Needs what tools/requirements.txt lists first: torch 2.13.0, diffusers 0.42.1 and what these load with.

Commands and options are firstframe's; a line for one works for the other (give firstframe `--fit stretch`: diffusers
stretches stills to the size). The loop is diffusers' own: t2i and t2v run WanPipeline, i2v WanImageToVideoPipeline.
`--last` and inpainting have no pipeline; they run the loop of WanImageToVideoPipeline on another condition and mask.
Tensors are taken from hooks, have no batch axis and are stored as F32, ids as I64, frames as U8:

    run      image, token_ids, negative_token_ids, prompt_embeds, negative_prompt_embeds, anchor.known, anchor.mask,
             noise, latents, frames_float, frames
    step     and call.NNN.input, .timestep, .output, step.NNN.timestep, .noise_pred, .latents
    block    and call.NNN.embed, .temb, .text, .block.BB
    op       and the parts of a block, call.NNN.norm_out and the stages of the VAE, which ref/README.md lists

--dtype float64 runs everything in double precision, diffusers' own casts to float32 included: its distance to a
float32 run says how much of a difference is rounding.
"""
import argparse
import contextlib
import inspect
import json
import sys

import numpy as np
import torch
from diffusers import (DiffusionPipeline, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler,
                       WanImageToVideoPipeline, WanPipeline)
from diffusers.pipelines.wan.pipeline_wan_i2v import retrieve_latents
from diffusers.utils import logging
from PIL import Image
from safetensors.torch import save

from diffusers_hooks import (LEVELS, Recorder, record_calls, record_start, record_steps, record_text, record_vae,
                             watched_attention)

class AnchoredPipeline(WanImageToVideoPipeline):
    """diffusers' image-to-video loop under any anchor: what prepare_latents returns is what the loop holds on to.

    mask: [h, w] of latent cells, 1 where an image is painted anew, or None for the first frame (and last_image's).
    strength: below 1 the run starts from the noised original, as WanVideoToVideoPipeline starts it.
    """

    def anchor(self, mask=None, strength=1.0):
        self.painted, self.strength = mask, strength

    def normalised_latents(self, video):
        mean = torch.tensor(self.vae.config.latents_mean).view(1, -1, 1, 1, 1).to(video.dtype)
        std = 1.0 / torch.tensor(self.vae.config.latents_std).view(1, -1, 1, 1, 1).to(video.dtype)
        return (retrieve_latents(self.vae.encode(video), sample_mode="argmax") - mean) * std

    def prepare_latents(self, image, *arguments):
        last_image = arguments[-1]
        latents, condition, mask = super().prepare_latents(image, *arguments)
        known = torch.zeros(latents.shape, dtype=condition.dtype, device=condition.device)
        known[:, :, :1] = condition
        if last_image is not None:
            # a group of four frames at a clip's end, not a first frame: the second latent frame of five copies
            still = last_image.unsqueeze(2).expand(-1, -1, 5, -1, -1).to(self.vae.dtype)
            known[:, :, -1:] = self.normalised_latents(still)[:, :, 1:]
            mask[:, :, -1] = 0
        if self.painted is not None:
            mask[:] = self.painted.to(mask)
        if self.strength < 1:
            start = self.first_step(len(self.scheduler.timesteps))
            self.scheduler.set_begin_index(start)
            self.noise, timestep = latents, self.scheduler.timesteps[start:start + 1]
            if hasattr(self.scheduler, "add_noise"):
                latents = self.scheduler.add_noise(known, latents, timestep)
            else:
                latents = self.scheduler.scale_noise(known, timestep, latents)
        return latents, known, mask

    def first_step(self, steps):
        return steps - min(max(int(steps * self.strength), 1), steps)


# ---- what is run ----

def shifted_scheduler(scheduler, kind, shift):
    """The folder's scheduler with another shift; or the other kind, as Wan ships it, with the folder's shift."""
    own = "unipc" if isinstance(scheduler, UniPCMultistepScheduler) else "euler"
    kind = kind or own
    if shift is None:
        shift = scheduler.config.flow_shift if own == "unipc" else scheduler.config.shift
    config = dict(scheduler.config) if kind == own else {"num_train_timesteps": scheduler.config.num_train_timesteps}
    if kind == "euler":
        return FlowMatchEulerDiscreteScheduler.from_config({**config, "shift": shift}), kind, shift
    if kind != own:
        config.update(prediction_type="flow_prediction", use_flow_sigmas=True)
    return UniPCMultistepScheduler.from_config({**config, "flow_shift": shift}), kind, shift


def load_pipeline(options):
    """The folder's components in the pipeline that the command needs."""
    dtype = getattr(torch, options.dtype)
    types = {"default": dtype, "vae": torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype}
    folder = DiffusionPipeline.from_pretrained(options.model, dtype=types, local_files_only=True)
    own = not options.last and options.command != "inpaint"
    expand = bool(folder.config.get("expand_timesteps"))
    if options.command in ("t2i", "t2v"):
        kind = WanPipeline
    else:
        kind = WanImageToVideoPipeline if own else AnchoredPipeline
        if not (expand or own):
            sys.exit(f"{options.model}: the model has no timestep per token, so that no still can anchor it")
        if expand and tuple(folder.transformer.config.patch_size) != (1, 2, 2):
            sys.exit(f"{options.model}: diffusers' image-to-video loop knows patches of 1 x 2 x 2 only")
    names = inspect.signature(kind.__init__).parameters
    pipe = kind(**{name: part for name, part in folder.components.items() if name in names},
                boundary_ratio=folder.config.get("boundary_ratio"), expand_timesteps=expand)
    pipe.scheduler, options.scheduler, options.flow_shift = shifted_scheduler(
        folder.scheduler, options.scheduler, options.flow_shift)
    pipe.set_progress_bar_config(disable=not options.progress)
    return pipe.to(options.device)


def painted_cells(pipe, options, size, width, height):
    """[h, w] of latent cells: 1 over each patch that has a pixel to paint, one whose mask is 128 or more."""
    if options.box:
        x, y, w, h = options.box
        pixels = np.zeros((size[1], size[0]), np.uint8)
        pixels[y:y + h, x:x + w] = 255
    else:
        pixels = np.asarray(Image.open(options.mask).convert("L"))
    if size != (width, height) or pixels.shape != (height, width):
        sys.exit(f"inpaint takes no crop here: image and mask must have the size {width}x{height} of --size")
    patch = pipe.transformer.config.patch_size
    factor = pipe.vae_scale_factor_spatial
    rows, columns = factor * patch[1], factor * patch[2]
    cells = (pixels >= 128).reshape(height // rows, rows, width // columns, columns).any(axis=(1, 3))
    return torch.from_numpy(cells.repeat(patch[1], 0).repeat(patch[2], 1).astype(np.float32))


@contextlib.contextmanager
def double_precision(wanted):
    """Makes every cast to float32 one to float64: diffusers and transformers ask for single precision in places."""
    to, as_float = torch.Tensor.to, torch.Tensor.float
    double = {torch.float32: torch.float64}

    def to_double(self, *arguments, **keywords):
        arguments = [double.get(a, a) if isinstance(a, torch.dtype) else a for a in arguments]
        if "dtype" in keywords:
            keywords["dtype"] = double.get(keywords["dtype"], keywords["dtype"])
        return to(self, *arguments, **keywords)

    if wanted:
        torch.Tensor.to, torch.Tensor.float = to_double, torch.Tensor.double
    try:
        yield
    finally:
        torch.Tensor.to, torch.Tensor.float = to, as_float


# ---- the run ----

def decode(pipe, latents):
    """Frames [T, H, W, 3] in 0..1, as the end of both pipelines makes them of normalised latents."""
    config = pipe.vae.config
    latents = latents.to(pipe.vae.dtype)
    mean = torch.tensor(config.latents_mean).view(1, config.z_dim, 1, 1, 1).to(latents.device, latents.dtype)
    std = 1.0 / torch.tensor(config.latents_std).view(1, config.z_dim, 1, 1, 1).to(latents.device, latents.dtype)
    video = pipe.vae.decode(latents / std + mean, return_dict=False)[0]
    return pipe.video_processor.postprocess_video(video, output_type="np")[0]


@torch.no_grad()
def run(options):
    """Tensors and metadata of the run that the parsed options ask for."""
    double = options.dtype == "float64"
    recorder = Recorder(options.dump_level)
    width, height = options.size
    arguments = {"prompt": options.prompt, "negative_prompt": options.negative, "height": height, "width": width,
                 "num_frames": options.frames, "num_inference_steps": options.steps,
                 "guidance_scale": options.guidance, "output_type": "latent",
                 "generator": torch.Generator("cpu").manual_seed(options.seed)}
    with double_precision(double), watched_attention(recorder):
        pipe = load_pipeline(options)
        if options.image:
            still = Image.open(options.image).convert("RGB")
            arguments["image"] = still
            if options.last:
                arguments["last_image"] = Image.open(options.last).convert("RGB")
        if isinstance(pipe, AnchoredPipeline):
            painted = options.command == "inpaint"
            pipe.anchor(painted_cells(pipe, options, still.size, width, height) if painted else None, options.strength)
            if options.strength < 1:
                start_later(pipe)
        record_text(pipe, recorder)
        record_start(pipe, recorder, double)
        for transformer in (pipe.transformer, getattr(pipe, "transformer_2", None)):
            if transformer is not None:
                record_calls(transformer, recorder)
        record_vae(pipe.vae, recorder)
        record_steps(pipe.scheduler, recorder)
        latents = pipe(**arguments).frames
        recorder.keep("run", "latents", latents[0])
        frames = decode(pipe, latents)
    recorder.tensors["frames_float"] = torch.from_numpy(frames.astype(np.float32))
    recorder.tensors["frames"] = torch.from_numpy(np.rint(frames * 255).astype(np.uint8))
    metadata = {"prompt": options.prompt, "negative_prompt": options.negative, "seed": options.seed,
                "guidance_scale": options.guidance, "num_inference_steps": options.steps,
                "flow_shift": options.flow_shift, "scheduler": options.scheduler, "dtype": options.dtype}
    return recorder.tensors, {name: str(value) for name, value in metadata.items()}


def start_later(pipe):
    """The loop reads the timesteps before prepare_latents is called: it sees those of strength, the scheduler all."""
    scheduler, set_timesteps, prepare_latents = pipe.scheduler, pipe.scheduler.set_timesteps, pipe.prepare_latents

    def shortened(*arguments, **keywords):
        set_timesteps(*arguments, **keywords)
        pipe.all_timesteps = scheduler.timesteps
        scheduler.timesteps = scheduler.timesteps[pipe.first_step(len(scheduler.timesteps)):]

    def restored(*arguments, **keywords):
        scheduler.timesteps = pipe.all_timesteps
        return prepare_latents(*arguments, **keywords)

    scheduler.set_timesteps, pipe.prepare_latents = shortened, restored


def parse(line=None):
    def numbers(form, separator):
        def read(text):
            values = tuple(int(part) for part in text.split(separator))
            if len(values) != len(form.split(separator)):
                raise ValueError
            return values
        read.__name__ = form  # argparse names it in its complaint
        return read

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    option("command", choices=("t2i", "t2v", "i2v", "inpaint"))
    option("-m", "--model", required=True, help="a diffusers model folder")
    option("-p", "--prompt", required=True)
    option("--negative", "--negative-prompt", default="")
    option("-i", "--image", help="i2v: the first frame; inpaint: the picture to mend")
    option("--last", help="i2v: the final frame")
    option("--mask", help="inpaint: a picture, white where it is painted anew")
    option("--box", type=numbers("X,Y,W,H", ","), metavar="X,Y,W,H", help="inpaint: instead of a mask")
    option("--strength", type=float, default=1.0, help="inpaint: below 1 starts from the noised original")
    option("--size", type=numbers("WxH", "x"), metavar="WxH", required=True)
    option("--frames", type=int, help="default: 1 for t2i and inpaint, else 121")
    option("--steps", type=int, default=50)
    option("--guidance", type=float, default=5.0)
    option("-s", "--seed", type=int, default=0)
    option("--scheduler", choices=("unipc", "euler"), help="default: the folder's")
    option("--flow-shift", type=float, help="default: the folder's")
    option("--fit", choices=("stretch",), help="the one way diffusers knows")
    option("--context", type=float, help="accepted, so that firstframe can be told to take the whole picture")
    option("--dump", required=True, help="the safetensors file to write")
    option("--dump-level", choices=LEVELS, default="step")
    option("--dtype", choices=("float32", "bfloat16", "float16", "float64"), default="float32")
    option("--device", default="cpu", help="cpu, cuda, mps, ...; the noise is the CPU generator's on all of them")
    option("--progress", action="store_true")
    options = parser.parse_args(line)
    single = options.command in ("t2i", "inpaint")
    if options.frames is None:
        options.frames = 1 if single else 121
    if single and options.frames != 1:
        parser.error(f"{options.command} makes one frame")
    if (options.command in ("i2v", "inpaint")) != bool(options.image):
        parser.error("i2v and inpaint take an --image, the others none")
    if options.last and (options.command != "i2v" or options.frames < 5):
        parser.error("--last is for i2v with 5 frames and more")
    if (options.command == "inpaint") != bool(options.mask or options.box):
        parser.error("inpaint takes a --mask or a --box, the others none")
    if not 0 < options.strength <= 1 or (options.strength < 1 and options.command != "inpaint"):
        parser.error("--strength is for inpaint, above 0 and at most 1")
    return options


def write(options, tensors, metadata):
    """The file, with its metadata in order: the library's order differs from run to run."""
    stored = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    data = save({name: tensor.contiguous() for name, tensor in stored.items()}, metadata)
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with open(options.dump, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data[start:])


if __name__ == "__main__":
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    parsed = parse()
    write(parsed, *run(parsed))

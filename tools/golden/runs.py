"""Goldens of whole runs: diffusers on the small models of models.py, through tools/dump_diffusers.py.

    python3 tools/golden/runs.py [CASE...]      writes golden/diffusers/runs: stills, cases.json, <case>.safetensors

cases.json maps each case to the command line that makes it, firstframe's and tools/dump_diffusers.py's alike but for
the output; paths are relative to golden/diffusers. Versions: tools/requirements.txt. Each case runs once more in
float64: rounding_latents and rounding_frames in the metadata are float32's distance from that, diffusers' own rounding.

To stay small a golden holds the run-level tensors, with the padded embeddings and the fitted still only where EMBEDS
and IMAGE say so and frames_float of single frames; and the calls and results of the first and the last step, with the
first call's inside at block level where BLOCKS says so. Where OPS says so, it holds the first call's inside and two
frames of each stage of the VAE at op level, and the metadata list names and shapes of all tensors under `tensors`.
"""
import json
import pathlib
import sys

import numpy as np
import torch
from diffusers.utils import logging
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import dump_diffusers  # noqa: E402
from models import smooth_clip  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2] / "golden/diffusers"
OUT = ROOT / "runs"

PORTRAIT = "Portrait of a young woman with auburn hair, soft studio lighting"
TURN = "She slowly turns her head toward the camera and gives a subtle smile."
ODD = "  A café\u2019s “soft”  light &amp;amp; ﬁne ｆｕｌｌ width — 50% \N{GRINNING FACE}\r\n"
TI2V, T2V = "-m models/tiny-ti2v".split(), "-m models/tiny-t2v".split()
GUIDED = ["--negative", "blurry, dark"]

CASES = {
    "ti2v-t2i": ["t2i", *TI2V, "-p", PORTRAIT, *GUIDED, *"--size 48x32 --steps 5 --guidance 4 -s 1".split()],
    "ti2v-t2i-one-step": ["t2i", *TI2V, "-p", TURN, *"--size 16x64 --steps 1 --guidance 1 -s 2".split()],
    "ti2v-t2i-euler": ["t2i", *TI2V, "-p", ODD, "--negative", "",
                       *"--size 32x48 --steps 2 --guidance 7.5 -s 3 --scheduler euler".split()],
    "ti2v-t2i-long-prompt": ["t2i", *TI2V, "-p", "red hair, " * 200, *GUIDED,
                             *"--size 32x32 --steps 2 --guidance 3 -s 4".split()],
    "ti2v-t2v": ["t2v", *TI2V, "-p", TURN, *GUIDED, *"--size 16x48 --frames 9 --steps 3 --guidance 5 -s 5".split()],
    "ti2v-i2v": ["i2v", *TI2V, "-p", TURN, *GUIDED, *"-i runs/still.png --fit stretch".split(),
                 *"--size 48x32 --frames 9 --steps 5 --guidance 4 -s 6".split()],
    "ti2v-i2v-20-steps": ["i2v", *TI2V, "-p", TURN, *GUIDED, *"-i runs/still.png --fit stretch".split(),
                          *"--size 32x32 --frames 6 --steps 20 --guidance 3.5 -s 7".split()],
    "ti2v-i2v-euler": ["i2v", *TI2V, "-p", TURN, *"-i runs/still.png --fit stretch --size 16x32 --frames 17".split(),
                       *"--steps 3 --guidance 1 -s 8 --scheduler euler --flow-shift 5".split()],
    "ti2v-i2v-last": ["i2v", *TI2V, "-p", TURN, *GUIDED, *"-i runs/still.png --last runs/last.png".split(),
                      *"--fit stretch --size 32x32 --frames 13 --steps 3 --guidance 3 -s 9".split()],
    "ti2v-inpaint": ["inpaint", *TI2V, "-p", "a silver earring", *GUIDED, *"-i runs/picture.png".split(),
                     *"--mask runs/mask.png --context 100 --size 64x32 --steps 5 --guidance 4 -s 10".split()],
    "ti2v-inpaint-strength": ["inpaint", *TI2V, "-p", "a silver earring", *GUIDED, *"-i runs/picture.png".split(),
                              *"--mask runs/mask.png --context 100 --size 64x32 --strength 0.6 --steps 5".split(),
                              *"--guidance 4 -s 11".split()],
    "t2v-t2v": ["t2v", *T2V, "-p", TURN, *GUIDED, *"--size 32x48 --frames 5 --steps 5 --guidance 4 -s 12".split()],
    "t2v-t2i-unipc": ["t2i", *T2V, "-p", PORTRAIT, *GUIDED, *"--size 64x32 --steps 20 --guidance 5 -s 13".split(),
                      *"--scheduler unipc".split()],
    "t2v-t2v-unguided": ["t2v", *T2V, "-p", PORTRAIT, *"--size 32x32 --frames 5 --steps 2 --guidance 1 -s 14".split(),
                         *"--scheduler unipc --flow-shift 8".split()],
}
EMBEDS = {"prompt_embeds": ("ti2v-t2i-euler", "t2v-t2v-unguided"), "negative_prompt_embeds": ("ti2v-t2i",)}
IMAGE = ("ti2v-i2v", "ti2v-inpaint")  # hold the still as the encoder gets it
BLOCKS = ("ti2v-i2v", "t2v-t2v")      # hold the inside of the first call
OPS = ("ti2v-i2v-last", "t2v-t2v-unguided")  # hold what is inside the blocks, and inside the VAE


def make_pictures():
    """Two stills, one of another shape than the clips; and a picture to mend. Its mask lies, out of step with the
    patches, in an area of one colour, so that filling the mask in from its border leaves the picture as it was."""
    generator = torch.Generator().manual_seed(5)

    def save(name, clip, frame, width, height):
        pixels = ((clip[0, :, frame].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()[:height, :width].copy()
        if name == "picture":
            pixels[3:26, 16:46] = (176, 120, 88)
        Image.fromarray(pixels).save(OUT / f"{name}.png")

    clip = smooth_clip(9, 96, generator)
    save("still", clip, 0, 72, 50)
    save("last", clip, 8, 48, 32)
    save("picture", smooth_clip(1, 64, generator), 0, 64, 32)
    mask = np.zeros((32, 64), np.uint8)
    mask[6:14, 21:31] = 255
    mask[17:20, 34:40] = 128  # the least that is painted
    mask[5:9, 50:56] = 127
    Image.fromarray(mask).save(OUT / "mask.png")


def wanted(case, name, tensor, steps, calls_per_step):
    kind, _, rest = name.partition(".")
    if kind in ("call", "step"):
        index = int(rest[:3])
        step = index // calls_per_step if kind == "call" else index
        part, _, op = rest[4:].partition(".")
        if part == "norm_out" or op.count(".") > 0:
            return case in OPS and index == 0
        if part in ("embed", "temb", "text", "block"):
            return case in BLOCKS and index == 0 and part != "text"
        return step in (0, steps - 1)
    if kind.startswith("vae_"):
        return case in OPS and int(rest[:3]) < 2
    if name in EMBEDS:
        return case in EMBEDS[name]
    if name == "image":
        return case in IMAGE
    return name != "frames_float" or tensor.shape[0] == 1


def distance(name, tensors, exact):
    return ((tensors[name] - exact[name]).norm() / exact[name].norm()).item()


def make(case, line):
    paths = ("-m", "-i", "--last", "--mask")
    line = [str(ROOT / word) if before in paths else word for before, word in zip([""] + line, line)]
    line += ["--dump", str(OUT / f"{case}.safetensors")]
    options = dump_diffusers.parse(line + ["--dump-level", "op"])
    tensors, metadata = dump_diffusers.run(options)
    exact, _ = dump_diffusers.run(dump_diffusers.parse(line + ["--dump-level", "run", "--dtype", "float64"]))
    metadata["rounding_latents"] = f"{distance('latents', tensors, exact):.2g}"
    metadata["rounding_frames"] = f"{distance('frames_float', tensors, exact):.2g}"
    steps = sum(name.endswith(".noise_pred") for name in tensors)
    calls = sum(name.startswith("call.") and name.endswith(".output") for name in tensors)
    kept = {name: tensor for name, tensor in tensors.items() if wanted(case, name, tensor, steps, calls // steps)}
    if case in OPS:
        metadata["tensors"] = "\n".join(f"{name} {list(tensors[name].shape)}" for name in sorted(tensors))
    dump_diffusers.write(options, kept, metadata)
    frames = tensors["frames_float"]
    clamped = ((frames == 0) | (frames == 1)).float().mean()
    print(f"{case}: {pathlib.Path(options.dump).stat().st_size / 1024:.0f} KiB, latents rms "
          f"{tensors['latents'].square().mean().sqrt():.2f}, clamped {clamped:.3f}, rounding of latents "
          f"{metadata['rounding_latents']}, of frames {metadata['rounding_frames']}")


if __name__ == "__main__":
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    OUT.mkdir(parents=True, exist_ok=True)
    make_pictures()
    (OUT / "cases.json").write_text(json.dumps(CASES, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for each in sys.argv[1:] or CASES:
        make(each, CASES[each])

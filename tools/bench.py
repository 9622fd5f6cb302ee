#!/usr/bin/env python3
"""Times PyTorch on what `firstframe bench` times, in the same run, and prints both as a Markdown table.

    python3 tools/bench.py build/firstframe --dims ti2v-5b --blocks 2 --size 640x352 --frames 25 --threads 2

Needs torch and diffusers (tools/requirements.txt). Both sides: float32, random weights of the same dimensions, the same
number of threads, a stage at a time, at least twice (unless the first time took more than half a minute) and up to ten
times within three seconds; the fastest counts. firstframe runs before and after PyTorch, and its faster run counts, so
that neither side gains from a machine that warms up. PyTorch is spared what firstframe does not do in an evaluation:
the text is embedded and its keys and values are computed beforehand, and one timestep is given for all tokens, because
diffusers would embed it anew for each.
"""
import argparse
import json
import subprocess
import time

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel

DIMS = {
    "ti2v-5b": {
        "transformer": {"num_attention_heads": 24, "ffn_dim": 14336, "in_channels": 48, "out_channels": 48},
        "vae": {"base_dim": 160, "decoder_base_dim": 256, "z_dim": 48, "is_residual": True, "patch_size": 2,
                "in_channels": 12, "out_channels": 12, "scale_factor_spatial": 16, "temperal_downsample":
                [False, True, True], "latents_mean": [0.0] * 48, "latents_std": [1.0] * 48},
        "spatial": 16,
    },
    "t2v-1.3b": {
        "transformer": {"num_attention_heads": 12, "ffn_dim": 8960, "in_channels": 16, "out_channels": 16},
        "vae": {},
        "spatial": 8,
    },
}
STAGES = ("transformer", "vae_encode", "vae_decode")


class Known(torch.nn.Module):
    """A layer whose result is known."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, _):
        return self.value


def spare_text(model, embeds):
    """Replaces what depends on the text alone by its results."""
    text = model.condition_embedder.text_embedder(embeds)
    model.condition_embedder.text_embedder = Known(text)
    for block in model.blocks:
        attention = block.attn2
        attention.to_k, attention.to_v = Known(attention.norm_k(attention.to_k(text))), Known(attention.to_v(text))
        attention.norm_k = torch.nn.Identity()


def make_transformer(dims, blocks, frames, height, width):
    model = WanTransformer3DModel(num_layers=blocks, attention_head_dim=128, text_dim=4096, freq_dim=256,
                                  **dims["transformer"]).eval()
    spare_text(model, torch.randn(1, 512, 4096))
    latents = torch.randn(1, dims["transformer"]["in_channels"], frames, height, width)
    return lambda: model(hidden_states=latents, timestep=torch.tensor([500.0]),
                         encoder_hidden_states=torch.zeros(1, 512, 4096))


def fastest(run):
    best, spent, runs = float("inf"), 0.0, 0
    while spent < 30 if runs < 2 else spent < 3 and runs < 10:
        begun = time.perf_counter()
        run()
        seconds = time.perf_counter() - begun
        best, spent, runs = min(best, seconds), spent + seconds, runs + 1
    return best


def time_pytorch(arguments, stages):
    width, height = (int(side) for side in arguments.size.split("x"))
    dims, frames = DIMS[arguments.dims], (arguments.frames - 1) // 4 + 1
    spatial = dims["spatial"]
    seconds = {}
    if "transformer" in stages:
        seconds["transformer"] = fastest(make_transformer(dims, arguments.blocks, frames, height // spatial,
                                                          width // spatial))
    if "vae_encode" in stages or "vae_decode" in stages:
        vae = AutoencoderKLWan(**dims["vae"]).eval()
        still = torch.rand(1, 3, 1, height, width) * 2 - 1
        latents = torch.randn(1, vae.config.z_dim, frames, height // spatial, width // spatial)
        if "vae_encode" in stages:
            seconds["vae_encode"] = fastest(lambda: vae.encode(still))
        if "vae_decode" in stages:
            seconds["vae_decode"] = fastest(lambda: vae.decode(latents))
    return seconds


def time_firstframe(arguments, stages):
    """The JSON object of one run for each stage, by name."""
    objects = {}
    for stage in stages:
        command = [arguments.program, "bench", "--json", "--dims", arguments.dims, "--blocks", str(arguments.blocks),
                   "--size", arguments.size, "--frames", str(arguments.frames), "--threads", str(arguments.threads),
                   "--only", stage]
        run = subprocess.run(command, check=True, capture_output=True, text=True)
        objects[stage] = json.loads(run.stdout)
    return objects


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--dims", choices=sorted(DIMS), default="ti2v-5b")
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--size", default="640x352", help="multiples of 32 (ti2v-5b) or 16 (t2v-1.3b)")
    parser.add_argument("--frames", type=int, default=25, help="4k + 1")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=STAGES)
    arguments = parser.parse_args()
    stages = [arguments.only] if arguments.only else STAGES
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)

    before = time_firstframe(arguments, stages)
    with torch.inference_mode():
        pytorch = time_pytorch(arguments, stages)
    after = time_firstframe(arguments, stages)
    print(f"OpenBLAS: its kernels for {next(iter(after.values())).get('openblas_core')}\n")
    print("| stage | work | firstframe | PyTorch | times as fast | GFLOP/s | of FMA peak | OpenBLAS sgemm alone |")
    print("|---|---|---|---|---|---|---|---|")
    for name in stages:
        runs = [(run["stages"][0], run) for run in (before[name], after[name])]
        stage, _ = min(runs, key=lambda pair: pair[0]["seconds"])
        blas = stage["openblas_gflops"]
        peak = max(run["peak_gflops"] for _, run in runs)
        print(f"| {name} | {stage['work']} | {stage['seconds']:.2f} s | {pytorch[name]:.2f} s "
              f"| {pytorch[name] / stage['seconds']:.2f} | {stage['gflops']:.0f} | {stage['gflops'] / peak:.2f} "
              f"| {f'{blas:.0f}' if blas else 'not built in'} |")


if __name__ == "__main__":
    main()

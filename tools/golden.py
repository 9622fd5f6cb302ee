"""Writes golden/diffusers again: every golden, from PyTorch, diffusers, transformers, ftfy, Pillow, gguf and peft.

    python3 -m pip install -r tools/requirements.txt
    python3 tools/golden.py [STAGE...]

STAGE: image text vae transformer sampler blocks gguf_files gguf_model models lora runs conformance; without, all of them.

Each stage is one script in tools/golden and can be run alone. A machine with AVX2 is needed: torch draws other noise
without it (beyond 1e-6). Rounding: tools/golden/runs.py runs each whole-run case in float64 too, with diffusers' own
float32 casts patched out, and states in the golden's metadata how far float32 is from that.
"""
import importlib.metadata
import pathlib
import subprocess
import sys

REQUIREMENTS = pathlib.Path(__file__).with_name("requirements.txt")
PINNED = ["torch", "diffusers", "transformers", "gguf", "peft"]  # what decides the tensors
STAGES = ["image", "text", "vae", "transformer", "sampler", "blocks", "gguf_files", "gguf_model", "models", "lora", "runs", "conformance"]


def main():
    pins = dict(line.split("==") for line in REQUIREMENTS.read_text().split() if "==" in line)
    for package in PINNED:
        found = importlib.metadata.version(package).split("+")[0]
        if found != pins[package]:
            sys.exit(f"golden: {package} is {found}; the goldens are pinned to {pins[package]}")
    stages = sys.argv[1:] or STAGES
    unknown = [stage for stage in stages if stage not in STAGES]
    if unknown:
        sys.exit(f"golden: no stage {unknown[0]}; there are {' '.join(STAGES)}")
    for stage in stages:
        print(stage, flush=True)
        subprocess.run([sys.executable, pathlib.Path(__file__).parent / "golden" / f"{stage}.py"], check=True)


main()

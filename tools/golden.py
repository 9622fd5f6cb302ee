"""Writes golden/diffusers again: every golden, from PyTorch, diffusers, transformers, ftfy and Pillow.

    pip install torch==2.13.0 diffusers==0.42.1 transformers==5.23.0 safetensors sentencepiece ftfy pillow
    python3 tools/golden.py [STAGE...]      image text vae transformer sampler models runs conformance; without, all

Each stage is one script in tools/golden and can be run alone. A machine with AVX2 is needed: torch draws other noise
without it (beyond 1e-6). Rounding: tools/golden/runs.py runs each whole-run case in float64 too, with diffusers' own
float32 casts patched out, and states in the golden's metadata how far float32 is from that.
"""
import importlib.metadata
import pathlib
import subprocess
import sys

STAGES = ["image", "text", "vae", "transformer", "sampler", "models", "runs", "conformance"]
VERSIONS = {"torch": "2.13.0", "diffusers": "0.42.1", "transformers": "5.23.0"}


def main():
    for package, wanted in VERSIONS.items():
        found = importlib.metadata.version(package).split("+")[0]
        if found != wanted:
            sys.exit(f"golden: {package} is {found}; the goldens are pinned to {wanted}")
    stages = sys.argv[1:] or STAGES
    unknown = [stage for stage in stages if stage not in STAGES]
    if unknown:
        sys.exit(f"golden: no stage {unknown[0]}; there are {' '.join(STAGES)}")
    for stage in stages:
        print(stage, flush=True)
        subprocess.run([sys.executable, pathlib.Path(__file__).parent / "golden" / f"{stage}.py"], check=True)


main()

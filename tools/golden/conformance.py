"""The conformance set: whole runs of diffusers on the small models of models.py, with every tensor, and a manifest.

    python3 tools/golden/conformance.py      writes golden/conformance

Versions: tools/requirements.txt. manifest.json holds, for each case, the command line that makes its dump (paths are
relative to golden), the hash of the dump, and for each tensor its shape, hash and tolerance: relative L2 of a run of
its own, or for ids, timesteps and masks `equal`, for bytes the largest difference. models holds the hash of every file
of the model folders, inputs those of the pictures. golden/README.md says how to claim conformance.
"""
import hashlib
import json
import pathlib
import sys

import torch
from diffusers.utils import logging

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import dump_diffusers  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2] / "golden"
OUT = ROOT / "conformance"

PROMPT = "Portrait of a young woman with \u201cauburn\u201d hair,  soft studio lighting"
GUIDED = ["-p", PROMPT, "--negative", "blurry, dark"]
STILL = ["i2v", "-m", "diffusers/models/tiny-ti2v", "-i", "diffusers/runs/still.png", "--fit", "stretch", *GUIDED]
CASES = {
    "i2v": [*STILL, *"--size 48x32 --frames 9 --steps 3 --guidance 4 -s 3".split()],
    "t2v": ["t2v", "-m", "diffusers/models/tiny-t2v", *GUIDED,
            *"--size 32x48 --frames 9 --steps 2 --guidance 5 -s 4".split()],
    "i2v-bfloat16": [*STILL, *"--size 32x48 --frames 5 --steps 2 --guidance 4 -s 5 --dtype bfloat16".split()],
}
# Over a whole run, from the prompt; twenty times what diffusers' own rounding comes to. A bf16 run is judged stage by
# stage alone: its roundings take it elsewhere.
TOLERANCE = 5e-5


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def tolerance(name, tensor, options):
    if tensor.dtype == torch.int64 or name.endswith("timestep") or name == "anchor.mask":
        return "equal"
    if options.dtype == "bfloat16":
        return "verify"
    return 1 if tensor.dtype == torch.uint8 else TOLERANCE


def make(case, line):
    paths = ("-m", "-i")
    full = [str(ROOT / word) if before in paths else word for before, word in zip([""] + line, line)]
    options = dump_diffusers.parse([*full, "--dump-level", "block", "--dump", str(OUT / f"{case}.safetensors")])
    tensors, metadata = dump_diffusers.run(options)
    dump_diffusers.write(options, tensors, metadata)
    return {"command": line, "sha256": sha256(pathlib.Path(options.dump).read_bytes()),
            "tensors": {name: {"shape": list(tensor.shape), "tolerance": tolerance(name, tensor, options),
                               "sha256": sha256(tensor.contiguous().numpy().tobytes())}
                        for name, tensor in sorted(tensors.items())}}


def hashes(folder):
    return {str(file.relative_to(ROOT)): sha256(file.read_bytes())
            for file in sorted(folder.rglob("*")) + sorted(folder.glob("tokenizer/*")) if file.is_file()}


if __name__ == "__main__":
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    OUT.mkdir(parents=True, exist_ok=True)
    manifest = {
        "cases": {case: make(case, line) for case, line in CASES.items()},
        "models": {name: hashes(ROOT / "diffusers/models" / name) for name in ("tiny-ti2v", "tiny-t2v")},
        "inputs": {"diffusers/runs/still.png": sha256((ROOT / "diffusers/runs/still.png").read_bytes())},
    }
    (OUT / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")

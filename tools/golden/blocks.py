"""Goldens of quantised elements: what gguf-py makes of blocks, and torch of codes of 8 bits.

Versions: tools/requirements.txt.
usage: python tools/golden/blocks.py          writes golden/diffusers/blocks/blocks.safetensors

    <TYPE>.blocks U8 [blocks, bytes]   <TYPE>.values F32 [blocks, elements]   for each type of GGUF
    F8_E4M3, F8_E5M2, I8: F32 [256]    the value of each code, 0 to 255

Blocks are random bytes. The scales are those of real weights in the first ones, then all kinds of f16, then random
bytes too. gguf-py's numpy rounds each operation to float32, in the order of ggml's formulas.
"""
import os

import numpy as np
import torch
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from safetensors.numpy import save_file

FOLDER = os.path.join(os.path.dirname(__file__), "..", "..", "golden", "diffusers", "blocks")

# type: where its f16 scales lie
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
    "IQ4_NL": [0], "IQ4_XS": [0],
}
# subnormal, the largest, minus zero, infinite, NaN
SPECIAL = np.array([0x0001, 0x83FF, 0x7BFF, 0x8000, 0xFC00, 0x7E01], dtype="<u2")
SANE, RANDOM = 3, 2


def random_blocks(generator, size, places):
    count = SANE + len(SPECIAL) + RANDOM
    blocks = generator.integers(0, 256, (count, size), dtype=np.uint8)
    for i, place in enumerate(places):
        sane = generator.normal(0, 0.05, SANE).astype("<f2").view("<u2")
        special = np.roll(SPECIAL, i)  # so that two scales are special in different ways
        scales = np.concatenate([sane, special])
        blocks[: len(scales), place : place + 2] = scales.view(np.uint8).reshape(-1, 2)
    return blocks


def main():
    generator = np.random.default_rng(1)
    tensors = {}
    for name, places in SCALES.items():
        kind = GGMLQuantizationType[name]
        elements, size = GGML_QUANT_SIZES[kind]
        blocks = random_blocks(generator, size, places)
        with np.errstate(invalid="ignore"):  # infinity times 0
            values = quants.dequantize(blocks, kind)
        assert values.dtype == np.float32 and values.shape == (len(blocks), elements)
        tensors[f"{name}.blocks"], tensors[f"{name}.values"] = blocks, values
    codes = torch.arange(256, dtype=torch.uint8)
    for name, dtype in [("F8_E4M3", torch.float8_e4m3fn), ("F8_E5M2", torch.float8_e5m2), ("I8", torch.int8)]:
        tensors[name] = codes.view(dtype).float().numpy()
    os.makedirs(FOLDER, exist_ok=True)
    save_file(tensors, f"{FOLDER}/blocks.safetensors")


main()

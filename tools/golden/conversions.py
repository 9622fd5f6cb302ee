"""Goldens for `firstframe convert`: golden/diffusers/gguf/conversions.txt, SHA-256 of files that gguf-py writes.

Each is golden/model's transformer with the original's names, its matrices as q8_0, bf16 or f16, and what ComfyUI-GGUF's
converter leaves F32 or F16.

    python3 tools/golden/conversions.py
"""
import hashlib
import json
import pathlib
import re
import struct
import tempfile

import gguf
import numpy as np

ROOT = pathlib.Path(__file__).parents[2]
OUT = ROOT / "golden/diffusers/gguf"
KEPT = ("patch_embedding.", "text_embedding.", "time_projection.", "time_embedding.", "img_emb.", "head.")
TYPES = {"F32": gguf.GGMLQuantizationType.F32, "F16": gguf.GGMLQuantizationType.F16,
         "BF16": gguf.GGMLQuantizationType.BF16, "q8_0": gguf.GGMLQuantizationType.Q8_0,
         "bf16": gguf.GGMLQuantizationType.BF16, "f16": gguf.GGMLQuantizationType.F16}
FILE_TYPES = {"q8_0": 7, "bf16": 32, "f16": 1}


def originals():
    """Patterns of diffusers' names, with the originals'."""
    names = {}
    for line in (ROOT / "golden/diffusers/names/transformer.txt").read_text().splitlines():
        original, diffusers = line.split()
        names[re.sub(r"blocks\.\d+", "blocks.#", diffusers)] = re.sub(r"blocks\.\d+", "blocks.#", original)
    return names


def read(path):
    """(name, type, f32 array) of each tensor, in the header's order."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        piece = data[8 + size + begin:8 + size + end]
        if entry["dtype"] == "BF16":
            values = (np.frombuffer(piece, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(piece, {"F32": np.float32, "F16": np.float16}[entry["dtype"]]).astype(np.float32)
        yield name, entry["dtype"], values.reshape(entry["shape"])


def type_of(name, stored, values, wanted):
    if values.ndim < 2 or values.ndim > 3 or values.size <= 1024 or name.endswith(".modulation"):
        return "F32"
    if values.ndim == 2 and not name.startswith(KEPT) and (wanted != "q8_0" or values.shape[-1] % 32 == 0):
        return wanted
    return wanted if wanted != "q8_0" else "BF16" if stored == "BF16" else "F16"


def convert(path, wanted):
    names = originals()
    writer = gguf.GGUFWriter(path, "wan")
    writer.add_quantization_version(2)
    writer.add_file_type(FILE_TYPES[wanted])
    for diffusers, stored, values in read(ROOT / "golden/model/transformer/diffusion_pytorch_model.safetensors"):
        number = re.search(r"blocks\.(\d+)", diffusers)
        name = names[re.sub(r"blocks\.\d+", "blocks.#", diffusers)]
        name = name.replace("#", number[1]) if number else name
        dtype = TYPES[type_of(name, stored, values, wanted)]
        writer.add_tensor(name, gguf.quantize(values, dtype), raw_dtype=dtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for wanted in FILE_TYPES:
            path = pathlib.Path(folder) / f"{wanted}.gguf"
            convert(path, wanted)
            lines.append(f"{wanted} {hashlib.sha256(path.read_bytes()).hexdigest()}\n")
    (OUT / "conversions.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()

"""Goldens for `firstframe convert`: golden/diffusers/gguf/conversions.txt, SHA-256 of files that gguf-py writes.

Each is golden/model's transformer with the original's names, its matrices as q8_0, bf16 or f16, and what ComfyUI-GGUF's
converter leaves F32 or F16.

    python3 tools/golden/conversions.py
"""
import hashlib
import json
import pathlib
import struct
import sys
import tempfile

import gguf
import numpy as np

sys.path.append(str(pathlib.Path(__file__).parents[1]))
from single_files import is_quantised, is_vector, rename

ROOT = pathlib.Path(__file__).parents[2]
OUT = ROOT / "golden/diffusers/gguf"
TYPES = {"F32": gguf.GGMLQuantizationType.F32, "F16": gguf.GGMLQuantizationType.F16,
         "BF16": gguf.GGMLQuantizationType.BF16, "q8_0": gguf.GGMLQuantizationType.Q8_0,
         "bf16": gguf.GGMLQuantizationType.BF16, "f16": gguf.GGMLQuantizationType.F16}
FILE_TYPES = {"q8_0": 7, "bf16": 32, "f16": 1}


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
    if is_vector(name, values.shape):
        return "F32"
    if wanted != "q8_0" or is_quantised(name, values.shape, 32):
        return wanted
    return "BF16" if stored == "BF16" else "F16"


def convert(path, wanted):
    writer = gguf.GGUFWriter(path, "wan")
    writer.add_quantization_version(2)
    writer.add_file_type(FILE_TYPES[wanted])
    tensors = list(read(ROOT / "golden/model/transformer/diffusion_pytorch_model.safetensors"))
    names = rename([name for name, _, _ in tensors], "transformer")
    for diffusers, stored, values in tensors:
        name = names[diffusers]
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

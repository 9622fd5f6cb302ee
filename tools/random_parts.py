"""Single files of random weights: a part in GGUF, or in safetensors with codes of a byte and their scales.

Names, and which tensors are quantised, are those of the files that people publish: the patch embedding of a GGUF has
five axes and is F32. Codes are random, scales such that activations keep their size.
"""
import json
import math
import pathlib
import shutil
import struct
import sys

import numpy as np

from single_files import is_quantised, is_vector, rename

PIECE = 1 << 24            # elements drawn at once: whole blocks
ALIGNMENT = 32
# ggml's number, elements and bytes of a block, where its f16 numbers are, and what they are for elements up to 1 in size
BLOCKS = {
    "q4_0": (2, 32, 18, {0: 1 / 8}), "q4_1": (3, 32, 20, {0: 2 / 15, 2: -1}),
    "q5_0": (6, 32, 22, {0: 1 / 16}), "q5_1": (7, 32, 24, {0: 2 / 31, 2: -1}),
    "q8_0": (8, 32, 34, {0: 1 / 127}), "q2_k": (10, 256, 84, {80: 1 / 45, 82: 1 / 30}),
    "q3_k": (11, 256, 110, {108: 1 / 128}), "q4_k": (12, 256, 144, {0: 1 / 945, 2: 1 / 126}),
    "q5_k": (13, 256, 176, {0: 1 / 1953, 2: 1 / 126}), "q6_k": (14, 256, 210, {208: 1 / 4064}),
    "iq4_nl": (20, 32, 18, {0: 1 / 127}), "iq4_xs": (23, 256, 136, {0: 1 / 4064}),
    "f16": (1, 1, 2, {}), "f32": (0, 1, 4, {}), "f8_e4m3": (None, 1, 1, {}), "i8": (None, 1, 1, {}),
}
GGUF_TYPES = [kind for kind, (number, *_) in BLOCKS.items() if number is not None]


def size_of(shape, kind):
    return math.prod(shape) // BLOCKS[kind][1] * BLOCKS[kind][2]


def draw(shape, kind, moments, rng):
    """The bytes of a tensor, in pieces.   moments: mean and deviation of its elements"""
    _, elements, size, scales = BLOCKS[kind]
    mean, deviation = moments
    left = math.prod(shape)
    while left:
        count = min(left, PIECE)
        left -= count
        if kind in ("f16", "f32"):
            values = rng.standard_normal(count, np.float32) * np.float32(deviation) + np.float32(mean)
            yield values.astype(np.float16 if kind == "f16" else np.float32).tobytes()
        elif kind == "f8_e4m3":   # codes up to 1 in size
            codes = rng.integers(0, 0x39, count, np.uint8)
            yield (codes | (codes & 1) << 7).tobytes()
        elif kind == "i8":
            yield rng.integers(-127, 128, count, np.int8).tobytes()
        else:
            blocks = np.frombuffer(bytearray(rng.bytes(count // elements * size)), np.uint8).reshape(-1, size)
            for at, factor in scales.items():
                blocks[:, at:at + 2] = np.frombuffer(np.float16(factor * deviation * 3 ** 0.5).tobytes(), np.uint8)
            yield blocks.tobytes()


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def write_gguf(path, architecture, tensors, rng):
    """tensors: [(name, shape, kind, moments)]"""
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 2)
    header += text("general.architecture") + struct.pack("<I", 8) + text(architecture)
    header += text("general.quantization_version") + struct.pack("<II", 4, 2)
    offset = 0
    for name, shape, kind, _ in tensors:
        header += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), BLOCKS[kind][0], offset)
        offset += -(-size_of(shape, kind) // ALIGNMENT) * ALIGNMENT
    with open(path, "wb") as file:
        file.write(header)
        for _, shape, kind, moments in tensors:
            file.write(bytes(-file.tell() % ALIGNMENT))
            for piece in draw(shape, kind, moments, rng):
                file.write(piece)
        file.write(bytes(-file.tell() % ALIGNMENT))


def scales_beside(name, shape, kind, deviation):
    """What lies beside a weight of codes: [(name, dtype, shape, bytes)]"""
    layer, largest = name.removesuffix(".weight"), deviation * 3 ** 0.5
    if kind == "f8_e4m3":
        return [(f"{layer}.scale_weight", "F32", [], np.float32(largest).tobytes())]
    mark = json.dumps({"format": "int8_tensorwise"}).encode()
    return [(f"{layer}.weight_scale", "F32", [shape[0], 1], np.full(shape[0], largest / 127, np.float32).tobytes()),
            (f"{layer}.comfy_quant", "U8", [len(mark)], mark)]


def write_safetensors(path, tensors, rng):
    """The same; weights of codes get their scales, and a file of fp8 the older mark."""
    entries = []           # name, dtype, shape, bytes, and what gives them
    for name, shape, kind, moments in tensors:
        size = size_of(shape, kind)
        entries.append((name, kind.upper(), list(shape), size, draw(shape, kind, moments, rng)))
        if BLOCKS[kind][0] is None:
            entries += [(*beside[:3], len(beside[3]), [beside[3]])
                        for beside in scales_beside(name, shape, kind, moments[1])]
    if any(kind == "f8_e4m3" for _, _, kind, _ in tensors):
        entries.append(("scaled_fp8", "F8_E4M3", [0], 0, []))
    header, offset = {}, 0
    for name, dtype, shape, size, _ in entries:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        for *_, pieces in entries:
            for piece in pieces:
                file.write(piece)


def plan(shapes, golden, kind, spread):
    """[(name in the file, shape, kind, moments)]   golden: of the names that the file has, or None"""
    names = rename(shapes, golden) if golden else {name: name for name in shapes}
    block = BLOCKS[kind][1]
    return [(names[name], tuple(shape), "f32" if is_vector(names[name], shape) else
             kind if is_quantised(names[name], shape, block) else "f16", spread(name, shape))
            for name, shape in shapes.items()]


def write(out, parts, kind, spread, seed):
    """Files out/PART_KIND.gguf, or .safetensors for codes of a byte.

    parts: {"transformer": {name: shape}, "text_encoder": ...}   spread: mean and deviation by a tensor's name and shape
    """
    is_gguf = BLOCKS[kind][0] is not None
    names = {"transformer": "transformer", "text_encoder": "umt5_gguf" if is_gguf else None}
    plans = {part: plan(shapes, names[part], kind, spread) for part, shapes in parts.items()}
    total = sum(size_of(shape, each) for tensors in plans.values() for _, shape, each, _ in tensors)
    out.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out).free
    print(f"{out}: takes {total / 1e9:.2f} GB of disk, of which {free / 1e9:.2f} GB are free", flush=True)
    if total > free:
        sys.exit("too little disk: --blocks makes fewer")
    for part, tensors in plans.items():
        rng = np.random.Generator(np.random.SFC64(seed))
        path = out / f"{part}_{kind}.{'gguf' if is_gguf else 'safetensors'}"
        if is_gguf:
            write_gguf(path, "wan" if part == "transformer" else "t5encoder", tensors, rng)
        else:
            write_safetensors(path, tensors, rng)
        print(f"{path}: {len(tensors)} tensors, {path.stat().st_size / 1e9:.2f} GB", flush=True)

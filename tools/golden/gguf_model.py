"""A transformer in a GGUF file and what it computes: golden/diffusers/gguf/transformer.gguf and .safetensors.

The file is laid out as ComfyUI-GGUF's converter does it: original names, 5-D patch embedding in F32, vectors in F32,
matrices quantised; here all of them, to keep the file small, and each type that is read in turn. K and IQ types are
random blocks, the others are quantised from random numbers. The output is diffusers' WanTransformer3DModel in float32 with the weights that gguf-py decodes.

    python3 tools/golden/gguf_model.py
"""
import pathlib

import gguf
import numpy as np
import torch
from diffusers import WanTransformer3DModel
from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).parents[2] / "golden/diffusers/gguf"
NAMES = pathlib.Path(__file__).parents[2] / "golden/diffusers/names/transformer.txt"
T = gguf.GGMLQuantizationType
CONFIG = dict(patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=128, in_channels=16, out_channels=16,
              text_dim=256, freq_dim=256, ffn_dim=256, num_layers=1, cross_attn_norm=True)
TYPES = [T.Q4_K, T.Q6_K, T.Q2_K, T.Q5_K, T.Q3_K, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.IQ4_NL, T.IQ4_XS, T.BF16,
         T.F16]
SCALES = {T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0]}
SPREAD = {T.Q2_K: 0.002, T.Q3_K: 0.0008, T.Q4_K: 0.0002, T.Q5_K: 0.0001, T.Q6_K: 0.00004, T.IQ4_NL: 0.0008,
          T.IQ4_XS: 0.00003}


def quantise(values, kind, random):
    """[rows, columns] of a kind, as bytes."""
    if kind not in SCALES:
        return gguf.quantize(values, kind)
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (values.size // elements, size), dtype=np.uint8)
    for at in SCALES[kind]:
        scale = random.normal(0, SPREAD[kind], (len(blocks), 1)).astype("<f2")
        blocks[:, at:at + 2] = scale.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(values.shape[0], -1)


def main():
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    model = WanTransformer3DModel(**CONFIG).float().eval()
    ours = model.state_dict()
    original = {b: a for a, b in (line.split() for line in NAMES.read_text().splitlines())}
    writer = gguf.GGUFWriter(OUT / "transformer.gguf", "wan")
    writer.add_quantization_version(2)
    decoded, turn = {}, 0
    for name, tensor in ours.items():
        values = tensor.numpy()
        if "norm" in name and name.endswith("weight"):
            values = values + 0.1 * random.normal(size=values.shape).astype(np.float32)
        values = np.ascontiguousarray(values.astype(np.float32))
        other = original[name]
        if values.ndim == 2:
            kind = TYPES[turn % len(TYPES)]
            turn += 1
            data = quantise(values, kind, random)
            writer.add_tensor(other, data, raw_dtype=kind)
            decoded[other] = gguf.dequantize(data, kind).reshape(values.shape).astype(np.float32)
        else:
            writer.add_tensor(other, values)
            decoded[other] = values
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    state = convert_wan_transformer_to_diffusers({name: torch.from_numpy(np.array(v)) for name, v in decoded.items()})
    model.load_state_dict(state)
    latents = torch.randn(1, 16, 2, 8, 6)
    text = torch.randn(1, 12, CONFIG["text_dim"])
    timestep = torch.tensor([417.0])
    with torch.no_grad():
        out = model(latents, timestep, text, return_dict=False)[0]
    save_file({"latents": latents[0], "timestep": timestep, "embeds": text[0], "output": out[0].contiguous()},
              OUT / "transformer.safetensors")
    print(f"{turn} quantised matrices, output of deviation {out.std():.3f}")


main()

#!/usr/bin/env python3
"""Writes a model folder of Wan2.2-TI2V-5B's dimensions with random BF16 weights: 14 GB to measure real sizes with.

    python3 tools/random_model.py /tmp/real                 # 30 blocks, as published
    python3 tools/random_model.py /tmp/real --blocks 2      # fewer
    python3 tools/random_model.py /tmp/real --gguf q4_k     # transformer and text encoder alone, as one file each, of any
                                                            # type that GGUF files have
    python3 tools/random_model.py /tmp/real --fp8           # the same in safetensors, F8_E4M3 with a scale each
    python3 tools/random_model.py /tmp/real --int8          # I8, with a scale for each row

Configs are Wan-AI/Wan2.2-TI2V-5B-Diffusers' but for the text encoder, which has 2 of 24 layers, latents_mean and
latents_std, which are 0 and 1, and the tokenizer, which is golden/model's. Names and shapes are those that diffusers
and transformers give the classes. Weights are written in pieces: it never holds more than a few of them.

It says first how much disk it takes. Single files have all 24 layers of the text encoder, or as many as blocks.

Needs torch, diffusers and transformers (tools/requirements.txt).
"""
import argparse
import json
import pathlib
import shutil
import struct

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel
from transformers import UMT5Config, UMT5EncoderModel

import random_parts

SHARD_BYTES = 5 << 30      # as published: a transformer of this size comes in pieces
PIECE = 1 << 24            # values drawn at once

TRANSFORMER = dict(
    patch_size=[1, 2, 2], num_attention_heads=24, attention_head_dim=128, in_channels=48, out_channels=48,
    text_dim=4096, freq_dim=256, ffn_dim=14336, cross_attn_norm=True, qk_norm="rms_norm_across_heads", eps=1e-6,
    rope_max_seq_len=1024)
VAE = dict(
    base_dim=160, decoder_base_dim=256, z_dim=48, dim_mult=[1, 2, 4, 4], num_res_blocks=2, attn_scales=[],
    temperal_downsample=[False, True, True], is_residual=True, patch_size=2, in_channels=12, out_channels=12,
    scale_factor_temporal=4, scale_factor_spatial=16, latents_mean=[0.0] * 48, latents_std=[1.0] * 48)
TEXT = dict(
    d_model=4096, d_kv=64, d_ff=10240, num_heads=64, num_layers=2, vocab_size=256384,
    feed_forward_proj="gated-gelu", tie_word_embeddings=True)
SCHEDULER = dict(prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000, flow_shift=5.0)
COMPONENTS = {
    "scheduler": ["diffusers", "UniPCMultistepScheduler"], "text_encoder": ["transformers", "UMT5EncoderModel"],
    "tokenizer": ["transformers", "T5TokenizerFast"], "transformer": ["diffusers", "WanTransformer3DModel"],
    "transformer_2": [None, None], "vae": ["diffusers", "AutoencoderKLWan"]}


def spread(name, shape):
    """What is added to a tensor's random part, and that part's deviation; activations keep their size."""
    if name.endswith(("gamma", "norm.weight", "norm2.weight", "norm_q.weight", "norm_k.weight")):
        return 1, 0.1
    if "scale_shift_table" in name or name.endswith("bias"):
        return 0, 0.02
    if name.startswith("shared"):
        return 0, 1
    return 0, torch.Size(shape[1:]).numel() ** -0.5


def write_file(path, tensors, generator):
    """One safetensors file.   tensors: {name: shape}"""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors.items():
        end = offset + 2 * torch.Size(shape).numel()
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors.items():
            left, (mean, deviation) = torch.Size(shape).numel(), spread(name, shape)
            while left:
                piece = torch.randn(min(left, PIECE), generator=generator) * deviation + mean
                file.write(piece.bfloat16().view(torch.int16).numpy())
                left -= len(piece)


def write_weights(folder, stem, tensors, generator):
    shards, size = [{}], 0
    for name, shape in tensors.items():
        size += 2 * shape.numel()
        if size > SHARD_BYTES and shards[-1]:
            shards.append({})
            size = 2 * shape.numel()
        shards[-1][name] = shape
    if len(shards) == 1:
        return write_file(folder / f"{stem}.safetensors", shards[0], generator)
    names = [f"{stem}-{i + 1:05}-of-{len(shards):05}.safetensors" for i in range(len(shards))]
    for name, shard in zip(names, shards):
        write_file(folder / name, shard, generator)
    index = {"metadata": {"total_size": sum(2 * shape.numel() for shape in tensors.values())},
             "weight_map": {tensor: name for name, shard in zip(names, shards) for tensor in shard}}
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--blocks", type=int, default=30, help="transformer blocks (30)")
    parser.add_argument("--seed", type=int, default=0)
    single = parser.add_mutually_exclusive_group()
    single.add_argument("--gguf", choices=random_parts.GGUF_TYPES, metavar="TYPE", help="single files of this type")
    single.add_argument("--fp8", action="store_const", const="f8_e4m3", help="single files of F8_E4M3")
    single.add_argument("--int8", action="store_const", const="i8", help="single files of I8")
    options = parser.parse_args()
    kind = options.gguf or options.fp8 or options.int8
    if kind:
        TEXT["num_layers"] = min(24, options.blocks)
    generator = torch.Generator().manual_seed(options.seed)
    with torch.device("meta"):
        models = {
            "transformer": WanTransformer3DModel(num_layers=options.blocks, **TRANSFORMER),
            "vae": AutoencoderKLWan(**VAE),
            "text_encoder": UMT5EncoderModel(UMT5Config(architectures=["UMT5EncoderModel"], **TEXT)),
        }
    parts = {name: {key: value.shape for key, value in model.state_dict().items()} for name, model in models.items()}
    parts["text_encoder"].pop("encoder.embed_tokens.weight", None)  # it is in it under two names
    if kind:
        parts.pop("vae")
        return random_parts.write(options.out, parts, kind, spread, options.seed)
    total = sum(2 * shape.numel() for tensors in parts.values() for shape in tensors.values())
    print(f"{options.out}: takes {total / 1e9:.2f} GB of disk", flush=True)
    for name, model in models.items():
        folder = options.out / name
        folder.mkdir(parents=True, exist_ok=True)
        tensors = parts[name]
        if name == "text_encoder":
            model.config.save_pretrained(folder)
            write_weights(folder, "model", tensors, generator)
        else:
            model.save_config(folder)
            write_weights(folder, "diffusion_pytorch_model", tensors, generator)
        print(f"{name}: {sum(shape.numel() for shape in tensors.values()) / 1e6:.0f} million weights")
    UniPCMultistepScheduler(**SCHEDULER).save_pretrained(options.out / "scheduler")
    tokenizer = pathlib.Path(__file__).parent.parent / "golden/model/tokenizer"
    shutil.copytree(tokenizer, options.out / "tokenizer", dirs_exist_ok=True)
    index = {"_class_name": "WanImageToVideoPipeline", "expand_timesteps": True, "boundary_ratio": None, **COMPONENTS}
    (options.out / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


main()

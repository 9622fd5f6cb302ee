"""Goldens of LoRAs: small files in each layout, for the transformer of golden/diffusers/models/tiny-ti2v.

    python3 tools/golden/lora.py        writes golden/diffusers/lora/*.safetensors

Versions: tools/requirements.txt, and peft 0.21.2. `golden.safetensors` has an input and, for each case, the output: for
layouts that diffusers reads, of its own load_lora_weights; of the others, of W' = W + strength * alpha / rank * B A in
float64, rounded to float32. All in float32 otherwise.
"""
import copy
import json
import pathlib
import types

import torch
from diffusers import WanTransformer3DModel
from diffusers.loaders.lora_pipeline import WanLoraLoaderMixin
from diffusers.utils import logging
from safetensors.torch import load_file, save_file

logging.set_verbosity_error()

GOLDEN = pathlib.Path(__file__).parents[2] / "golden/diffusers"
OUT = GOLDEN / "lora"
MODEL = WanTransformer3DModel.from_pretrained(GOLDEN / "models/tiny-ti2v/transformer").eval()
SHAPES = {name: tuple(parameter.shape) for name, parameter in MODEL.named_parameters()}
generator = torch.Generator().manual_seed(26)

NAMES = {}  # diffusers' tensors by the original's names
for line in (GOLDEN / "names/transformer.txt").read_text().splitlines():
    original, ours = line.split()
    NAMES[ours.removesuffix(".weight")] = original.removesuffix(".weight")

ATTENTION = [f"attn{n}.{name}" for n in (1, 2) for name in ("to_q", "to_k", "to_v", "to_out.0")]
FFN = ["ffn.net.0.proj", "ffn.net.2"]
EMBEDDERS = ["condition_embedder.time_proj", "condition_embedder.time_embedder.linear_1",
             "condition_embedder.time_embedder.linear_2", "condition_embedder.text_embedder.linear_1",
             "condition_embedder.text_embedder.linear_2", "proj_out"]


def blocks(names, count=2):
    return [f"blocks.{i}.{name}" for i in range(count) for name in names]


def randn(*shape):
    return 0.3 * torch.randn(*shape, generator=generator)


def pair(module, rank, dtype=torch.float32):
    out, *rest = SHAPES[module + ".weight"]
    into = torch.tensor(rest).prod().item()
    return randn(rank, into).to(dtype), (2 * randn(out, rank) / rank**0.5).to(dtype)


def low_rank(modules, rank, name, factors, alpha=None, dtype=torch.float32):
    """A file's tensors, and how W changes: {tensor: (delta in float64)} at strength 1."""
    tensors, deltas = {}, {}
    for module in modules:
        down, up = pair(module, rank, dtype)
        tensors[f"{name(module)}.{factors[0]}.weight"], tensors[f"{name(module)}.{factors[1]}.weight"] = down, up
        if alpha is not None:
            tensors[f"{name(module)}.alpha"] = alpha.clone()
        scale = 1 if alpha is None else alpha.item() / rank
        deltas[module + ".weight"] = scale * (up.double() @ down.double()).reshape(SHAPES[module + ".weight"])
    return tensors, deltas


def add_sums(tensors, deltas, name, sums):
    """sums: {our tensor: key}"""
    for ours, key in sums.items():
        shape = SHAPES[ours]
        value = randn(*shape) * 0.3
        tensors[key] = value
        deltas[ours] = deltas.get(ours, 0) + value.double().reshape(SHAPES[ours])


def original(prefix=""):
    return lambda module: prefix + NAMES[module]


def flat(prefix, names=None):
    return lambda module: prefix + (NAMES[module] if names is None else module).replace(".", "_")


AB, DU = ("lora_A", "lora_B"), ("lora_down", "lora_up")
FILES = {}  # name: (tensors, deltas, metadata, whether diffusers reads it)


def file(name, tensors, deltas, diffusers, metadata=None):
    FILES[name] = (tensors, deltas, metadata, diffusers)
    save_file(tensors, OUT / f"{name}.safetensors", metadata=metadata or {"format": "pt"})


def make_files():
    file("a", *low_rank(blocks(ATTENTION + FFN), 3, original("diffusion_model."), AB), True)
    # alpha is an integer; the embedders and the head; biases, as diffusers takes them, strength by strength
    tensors, deltas = low_rank(blocks(["attn1.to_q", "attn2.to_v", "ffn.net.2"]), 4, original("diffusion_model."), DU,
                               torch.tensor(2))
    file("a_alpha", tensors, deltas, True)
    tensors, deltas = low_rank(EMBEDDERS, 2, original("diffusion_model."), DU)
    more, changed = low_rank(blocks(["attn1.to_k"]), 2, original("diffusion_model."), DU)
    add_sums(tensors, deltas, None, {"proj_out.bias": "diffusion_model.head.head.diff_b",
                                     "condition_embedder.time_proj.bias": "diffusion_model.time_projection.1.diff_b"})
    add_sums(more, changed, None, {f"blocks.{i}.attn1.to_k.bias": f"diffusion_model.blocks.{i}.self_attn.k.diff_b"
                                   for i in range(2)})
    file("a_embedders", {**tensors, **more}, {**deltas, **changed}, True)
    # alpha of the whole in the metadata, as save_lora_weights leaves it
    tensors, deltas = low_rank(blocks(ATTENTION), 4, lambda module: "transformer." + module, AB, dtype=torch.bfloat16)
    settings = {"transformer.r": 4, "transformer.lora_alpha": 6, "transformer.target_modules": ["to_q", "to_k", "to_v", "to_out.0"],
                "transformer.use_rslora": False, "transformer.alpha_pattern": {}, "transformer.rank_pattern": {}}
    file("b_metadata", tensors, {key: value * 1.5 for key, value in deltas.items()}, True,
         {"format": "pt", "lora_adapter_metadata": json.dumps(settings)})
    file("b", *low_rank(blocks(FFN + ["attn1.to_out.0"]), 5, lambda module: "transformer." + module, AB), True)
    file("c", *low_rank(blocks(ATTENTION + FFN), 2, flat("lora_unet_"), DU, torch.tensor(1.0)), True)
    file("d", *low_rank(blocks(ATTENTION), 3, flat("lora_unet__"), DU, torch.tensor(3.0).to(torch.float16)), False)
    file("e", *low_rank(blocks(FFN + ["attn2.to_out.0"]), 2, flat("lycoris_", "ours"), DU, torch.tensor(4.0)), False)
    file("f", *low_rank(blocks(["attn1.to_q", "ffn.net.0.proj"]), 3, original("pipe.dit."), 
                        ("lora_A.default", "lora_B.default")), False)
    # everything that is added as it is, with a pair for the patches
    tensors, deltas = low_rank(["patch_embedding", "blocks.1.attn2.to_q"], 2, original("diffusion_model."), DU)
    name = original("diffusion_model.")
    sums = {"proj_out.weight": "head.head.diff", "proj_out.bias": "head.head.diff_b",
            "patch_embedding.weight": "patch_embedding.diff", "patch_embedding.bias": "patch_embedding.diff_b",
            "scale_shift_table": "head.diff_m"}
    for i in range(2):
        sums |= {f"blocks.{i}.scale_shift_table": f"blocks.{i}.diff_m",
                 f"blocks.{i}.norm2.weight": f"blocks.{i}.norm3.diff",
                 f"blocks.{i}.norm2.bias": f"blocks.{i}.norm3.diff_b",
                 f"blocks.{i}.attn1.norm_q.weight": f"blocks.{i}.self_attn.norm_q.diff",
                 f"blocks.{i}.ffn.net.0.proj.bias": f"blocks.{i}.ffn.0.diff_b"}
    sums["blocks.0.attn1.to_v.weight"] = "blocks.0.self_attn.v.diff"
    add_sums(tensors, deltas, name, {ours: "diffusion_model." + key for ours, key in sums.items()})
    for key in ("k_img", "v_img"):  # of an image encoder, which this transformer has not
        tensors[f"diffusion_model.blocks.0.cross_attn.{key}.lora_down.weight"] = randn(2, 28)
        tensors[f"diffusion_model.blocks.0.cross_attn.{key}.lora_up.weight"] = randn(28, 2)
    tensors["diffusion_model.blocks.0.self_attn.to_gate_compress.lora_down.weight"] = randn(2, 28)
    tensors["diffusion_model.blocks.0.self_attn.to_gate_compress.lora_up.weight"] = randn(28, 2)
    file("g", tensors, deltas, False)


# what is loaded, with its strength, in this order
CASES = {
    "a": [("a", 0.7)], "a_alpha": [("a_alpha", 1.3)], "a_embedders": [("a_embedders", 0.6)], "b": [("b", -0.5)],
    "b_metadata": [("b_metadata", 0.8)], "c": [("c", 1.2)], "d": [("d", 0.9)], "e": [("e", 0.4)], "f": [("f", 1)],
    "g": [("g", 0.75)], "two": [("a", 0.7), ("c", -0.4)], "three": [("g", 0.5), ("b", 0.3), ("a_alpha", 1)],
}


def by_diffusers(files):
    model = copy.deepcopy(MODEL)
    pipeline = types.SimpleNamespace(transformer=model, transformer_name="transformer", components={})
    for name, _ in files:
        tensors, metadata = WanLoraLoaderMixin.lora_state_dict(str(OUT / f"{name}.safetensors"),
                                                               return_lora_metadata=True)
        WanLoraLoaderMixin.load_lora_into_transformer(tensors, model, adapter_name=name, metadata=metadata)
    model.set_adapters([name for name, _ in files], [strength for _, strength in files])
    return model


def by_merging(files):
    model = copy.deepcopy(MODEL)
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for key in SHAPES:
            value = parameters[key].double()
            for name, strength in files:
                value = value + strength * FILES[name][1].get(key, 0)
            parameters[key].copy_(value)
    return model


def main():
    OUT.mkdir(exist_ok=True)
    make_files()
    latents = torch.randn(8, 2, 4, 6, generator=generator)
    embeds = torch.zeros(512, 14)
    embeds[:5] = torch.randn(5, 14, generator=generator)
    timesteps = torch.full((12,), 637.5)
    timesteps[:6] = 0
    out = {"latents": latents, "embeds": embeds[:5], "timesteps": timesteps, "text_tokens": torch.tensor([512])}

    def run(model):
        with torch.no_grad():
            return model(latents[None], timesteps[None], embeds[None], return_dict=False)[0][0]

    plain = out["output"] = run(MODEL)
    for case, files in CASES.items():
        merged = run(by_merging(files))
        out[case] = merged
        said = ""
        if all(FILES[name][3] for name, _ in files):
            out[case] = run(by_diffusers(files))
            said = f", merged {((merged - out[case]).norm() / merged.norm()).item():.2g} from diffusers'"
        print(f"{case}: {((merged - plain).norm() / plain.norm()).item():.2g} from the plain output{said}")
    save_file(out, OUT / "golden.safetensors")
    print(sum(f.stat().st_size for f in OUT.iterdir()) // 1024, "KiB")


main()

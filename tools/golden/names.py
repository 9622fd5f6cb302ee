"""Goldens for names: golden/diffusers/names, lines of "original diffusers" for every tensor of a part.

The original names are those of Wan's own modules, made without weights; what they become is up to diffusers' converters
and, for the text encoder's GGUF, to gguf-py. Beside the packages of tools/requirements.txt it reads two checkouts:

    python3 tools/golden/names.py WAN DIFFUSERS      Wan-Video/Wan2.2 at 42bf4cf, huggingface/diffusers at 58eb52c
"""
import argparse
import pathlib
import sys
import types

import gguf
import torch
from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers, convert_wan_vae_to_diffusers
from transformers import UMT5Config, UMT5EncoderModel

OUT = pathlib.Path(__file__).parents[2] / "golden/diffusers/names"
VAE = dict(dim_mult=[1, 2, 4, 4], num_res_blocks=2, attn_scales=[], temperal_downsample=[False, True, True])


def module(path, **given):
    """A Python file run as a module; what it imports from its neighbours or does not need here is `given`."""
    lines = [line for line in path.read_text().splitlines()
             if not line.startswith(("from .", "from einops", "import torch.cuda.amp"))]
    found = types.ModuleType(path.stem)
    sys.modules[path.stem] = found
    found.__dict__.update(given)
    exec(compile("\n".join(lines).replace("torch.cuda.current_device()", "'meta'"), str(path), "exec"), found.__dict__)
    return found


def write(name, pairs):
    text = "".join(f"{original} {ours}\n" for original, ours in sorted(pairs))
    (OUT / f"{name}.txt").write_text(text)
    print(f"{name}: {len(pairs)} names")


def by_value(convert, names):
    """What a converter makes of each name, found again by the tensor that it carries along."""
    tensors = {name: torch.full((1,), i) for i, name in enumerate(names)}
    return [(names[int(value)], key) for key, value in convert(dict(tensors)).items()]


class Recorder:
    """Takes the place of the class that a script's converter fills at its end."""
    def __init__(self, **config):
        pass

    @classmethod
    def from_config(cls, *config, **more):
        return cls()

    def load_state_dict(self, state, **how):
        self.state = state
        return self


def script_vae(script, originals):
    """diffusers' script convert_wan_to_diffusers reads its VAE from a hub; here from what it is handed."""
    tensors = {name: torch.full((1,), i) for i, name in enumerate(originals)}
    found = module(script, __name__="converter")
    found.hf_hub_download = lambda *where, **how: None
    found.AutoencoderKLWan = Recorder
    found.torch = types.SimpleNamespace(load=lambda *where, **how: tensors)
    found.init_empty_weights = lambda: torch.device("meta")
    state = found.convert_vae_22().state
    return [(originals[int(value)], key) for key, value in state.items()]


def text_encoder(module_names):
    """T5's original names beside those of transformers: in the same order of layers, matched by meaning."""
    model = UMT5EncoderModel(UMT5Config(num_layers=24, feed_forward_proj="gated-gelu"))
    ours = [name for name in model.state_dict() if name != "encoder.embed_tokens.weight"]
    parts = {
        "attn.q": "layer.0.SelfAttention.q", "attn.k": "layer.0.SelfAttention.k", "attn.v": "layer.0.SelfAttention.v",
        "attn.o": "layer.0.SelfAttention.o", "pos_embedding.embedding": "layer.0.SelfAttention.relative_attention_bias",
        "norm1": "layer.0.layer_norm", "norm2": "layer.1.layer_norm", "ffn.gate.0": "layer.1.DenseReluDense.wi_0",
        "ffn.fc1": "layer.1.DenseReluDense.wi_1", "ffn.fc2": "layer.1.DenseReluDense.wo"}
    pairs = [("token_embedding.weight", "shared.weight"), ("norm.weight", "encoder.final_layer_norm.weight")]
    for name in module_names:
        if name.startswith("blocks."):
            _, layer, part = name.removesuffix(".weight").split(".", 2)
            pairs.append((name, f"encoder.block.{layer}.{parts[part]}.weight"))
    assert sorted(ours) == sorted(name for _, name in pairs)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.T5ENCODER, 24)
    return pairs, [(names.get_name(name.removesuffix(".weight")) + ".weight", name) for name in ours]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wan", type=pathlib.Path)
    parser.add_argument("diffusers", type=pathlib.Path)
    options = parser.parse_args()
    modules = options.wan / "wan/modules"
    OUT.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        vae21 = module(modules / "vae2_1.py", rearrange=None, amp=None).WanVAE_(dim=96, z_dim=16, **VAE)
        vae22 = module(modules / "vae2_2.py", rearrange=None, amp=None).WanVAE_(dim=160, dec_dim=256, z_dim=48, **VAE)
        t5 = module(modules / "t5.py", HuggingfaceTokenizer=None).umt5_xxl(
            encoder_only=True, return_tokenizer=False, dtype=torch.float32, device="meta")
        transformer = module(modules / "model.py", flash_attention=None).WanModel(
            model_type="ti2v", dim=256, ffn_dim=64, num_heads=2, num_layers=3, in_dim=48, out_dim=48)
    names = {name: list(model.state_dict()) for name, model in
             dict(transformer=transformer, vae21=vae21, vae22=vae22, t5=t5).items()}
    write("transformer", by_value(convert_wan_transformer_to_diffusers, names["transformer"]))
    write("vae_21", by_value(convert_wan_vae_to_diffusers, names["vae21"]))
    write("vae_22", script_vae(options.diffusers / "scripts/convert_wan_to_diffusers.py", names["vae22"]))
    original, in_gguf = text_encoder(names["t5"])
    write("umt5_original", original)
    write("umt5_gguf", in_gguf)


main()

"""Small random model folders with every component, as diffusers saves them, for goldens of whole runs.

    python3 tools/golden/models.py [TOKENIZER]      writes golden/diffusers/models/tiny-ti2v and tiny-t2v

TOKENIZER: a folder with tokenizer.json and tokenizer_config.json (default golden/model/tokenizer). tiny-t2v links to
tiny-ti2v's copy. Versions: tools/requirements.txt.

tiny-ti2v is made as Wan2.2-TI2V-5B (a timestep per token, residual VAE with patches, UniPC), tiny-t2v as Wan2.1-T2V
(one timestep, plain VAE, weights in BF16) but with Euler steps. Weights are scaled, and latents_mean, latents_std and
the decoder's last layer set, so that normalised latents are near 1 and pixels mostly inside -1..1.
"""
import pathlib
import shutil
import sys

import torch
from diffusers import (AutoencoderKLWan, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler,
                       WanPipeline, WanTransformer3DModel)
from diffusers.utils import logging
from transformers import AutoTokenizer, UMT5Config, UMT5EncoderModel

ROOT = pathlib.Path(__file__).parents[2] / "golden"
OUT = ROOT / "diffusers/models"

TEXT = dict(vocab_size=384, d_model=14, d_kv=6, d_ff=33, num_layers=2, num_heads=3, relative_attention_num_buckets=32,
            relative_attention_max_distance=128, feed_forward_proj="gated-gelu", is_encoder_decoder=False,
            dropout_rate=0.0, tie_word_embeddings=False)

MODELS = {
    "tiny-ti2v": dict(
        seed=22, dtype=torch.float32, vae_dtype=torch.bfloat16, expand_timesteps=True,
        transformer=dict(patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=14, in_channels=8,
                         out_channels=8, text_dim=14, freq_dim=24, ffn_dim=58, num_layers=2, cross_attn_norm=True),
        vae=dict(base_dim=4, decoder_base_dim=4, z_dim=8, dim_mult=[1, 2, 2], num_res_blocks=1,
                 temperal_downsample=[True, True], is_residual=True, in_channels=12, out_channels=12, patch_size=2,
                 scale_factor_spatial=8, scale_factor_temporal=4),
        scheduler=UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True,
                                          num_train_timesteps=1000, flow_shift=3.0)),
    "tiny-t2v": dict(
        seed=21, dtype=torch.bfloat16, vae_dtype=torch.bfloat16, expand_timesteps=False,
        transformer=dict(patch_size=(1, 2, 2), num_attention_heads=3, attention_head_dim=10, in_channels=12,
                         out_channels=12, text_dim=14, freq_dim=18, ffn_dim=47, num_layers=2, cross_attn_norm=True),
        vae=dict(base_dim=4, z_dim=12, dim_mult=[1, 2, 2, 2], num_res_blocks=1,
                 temperal_downsample=[False, True, True], is_residual=False),
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=4.0)),
}


def randomise(model, generator):
    """Every parameter random, none left at zero or one, at scales that keep activations near 1."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name and not name.endswith("bias"):
            value = 1 + 0.2 * noise
            if "attn2" in name:
                value *= 1.5  # attend sharply, or 500 padded rows of text drown the prompt
        elif "scale_shift_table" in name or "relative_attention_bias" in name:
            value = 0.4 * noise
        elif name.endswith("bias"):
            value = 0.1 * noise
        elif name.endswith("shared.weight") or name.endswith("embed_tokens.weight"):
            value = noise
        else:
            value = noise / parameter[0].numel() ** 0.5
        parameter.data.copy_(value)


def smooth_clip(frames, size, generator):
    """[1, 3, frames, size, size] in -1..1, coarse noise enlarged: something with large and small features."""
    coarse = torch.randn(1, 3, 3, 6, 6, generator=generator)
    fine = 0.2 * torch.randn(1, 3, frames, size, size, generator=generator)
    large = torch.nn.functional.interpolate(coarse, (frames, size, size), mode="trilinear", align_corners=True)
    return (0.7 * large + fine).clamp(-1, 1)


def make_vae(settings, dtype, generator):
    z = settings["z_dim"]
    vae = AutoencoderKLWan(**settings, latents_mean=[0.0] * z, latents_std=[1.0] * z).eval()
    randomise(vae, generator)
    latents = vae.encode(smooth_clip(9, 64, generator)).latent_dist.mode()
    mean, std = (round_list(latents.transpose(0, 1).flatten(1), f) for f in (torch.mean, torch.std))
    vae.register_to_config(latents_mean=mean, latents_std=std)
    normal = torch.randn(1, z, 3, 4, 4, generator=generator)
    latents = normal * torch.tensor(std).view(1, z, 1, 1, 1) + torch.tensor(mean).view(1, z, 1, 1, 1)
    last = vae.decoder.conv_out
    last.weight.data *= 1e-3  # far from the clamp at the decoder's end
    last.bias.data *= 1e-3
    scale = 0.4 / vae.decode(latents).sample.std()
    last.weight.data *= scale
    last.bias.data *= scale
    return vae.to(dtype)


def round_list(rows, statistic):
    return [round(float(statistic(row)), 4) for row in rows]


def make(name, settings, tokenizer):
    generator = torch.Generator().manual_seed(settings["seed"])
    transformer = WanTransformer3DModel(**settings["transformer"]).eval()
    text_encoder = UMT5EncoderModel(UMT5Config(**TEXT)).eval()
    randomise(transformer, generator)
    randomise(text_encoder, generator)
    vae = make_vae(settings["vae"], settings["vae_dtype"], generator)
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    WanPipeline(tokenizer=AutoTokenizer.from_pretrained(tokenizer), vae=vae, scheduler=settings["scheduler"],
                transformer=transformer.to(settings["dtype"]), text_encoder=text_encoder.to(settings["dtype"]),
                expand_timesteps=settings["expand_timesteps"]).save_pretrained(folder)
    shutil.rmtree(folder / "tokenizer")
    first = OUT / next(iter(MODELS)) / "tokenizer"
    if folder == first.parent:
        first.mkdir()
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(tokenizer / file, first / file)
    else:
        (folder / "tokenizer").symlink_to(pathlib.Path("..", first.parent.name, "tokenizer"))
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.parent.is_symlink():
            print(f"{file.relative_to(OUT)}: {file.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    logging.set_verbosity_error()
    torch.set_grad_enabled(False)
    for each in MODELS:
        make(each, MODELS[each], pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "model/tokenizer")

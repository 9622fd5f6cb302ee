"""Goldens of the VAE: small random AutoencoderKLWan models of both kinds, and what diffusers makes of them.

Versions: tools/requirements.txt. In float32 on one thread.
usage: python tools/golden/vae.py          writes golden/diffusers/vae/<model>/

Each folder holds config.json and diffusion_pytorch_model.safetensors as diffusers saves them, and golden.safetensors:
    encode [z, F, h, w]   normalised latents of video(frames)          input: pattern(1), [frames, H, W, 3]
    decode [T, H, W, 3]   frames made of normalised latents            input: 2 * pattern(2), [F, z, h, w], transposed
The inputs are not stored: pattern is integer arithmetic that the test repeats. Only the longest clip is stored; a
shorter one is its beginning, which is asserted here for every length.
"""
import os
import shutil

import diffusers
import numpy as np
import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import WanAttentionBlock
from safetensors.torch import save_file

FOLDER = os.path.join(os.path.dirname(__file__), "..", "..", "golden", "diffusers", "vae")

# name: (stored type, latent size (h, w), frames, config)
MODELS = {
    # as Wan2.2's, with patches and shortcuts; the second has its number of levels
    "residual": (torch.bfloat16, (2, 3), 25, dict(
        base_dim=6, decoder_base_dim=4, z_dim=6, dim_mult=[1, 2, 2], num_res_blocks=1,
        temperal_downsample=[True, True], is_residual=True, patch_size=2)),
    "residual_deep": (torch.bfloat16, (1, 2), 9, dict(
        base_dim=2, z_dim=4, dim_mult=[1, 2, 4, 4], num_res_blocks=2,
        temperal_downsample=[False, True, True], is_residual=True, patch_size=2)),
    # no patches; channels fall towards the latents, so that AvgDown3D has groups of 4 and 8; one temporal level
    "residual_flat": (torch.bfloat16, (3, 2), 9, dict(
        base_dim=3, z_dim=5, dim_mult=[2, 1, 1], num_res_blocks=1,
        temperal_downsample=[True, False], is_residual=True, patch_size=None)),
    # as Wan2.1's
    "plain": (torch.bfloat16, (2, 1), 13, dict(
        base_dim=2, decoder_base_dim=3, z_dim=4, dim_mult=[1, 2, 4, 4], num_res_blocks=2,
        temperal_downsample=[False, True, True])),
    # an odd number of channels, halved with a remainder; attention in the encoder at two scales
    "plain_odd": (torch.float16, (2, 5), 9, dict(
        base_dim=5, decoder_base_dim=7, z_dim=3, dim_mult=[1, 2, 1], num_res_blocks=1,
        temperal_downsample=[True, True], attn_scales=[1.0, 0.25])),
    "plain_shallow": (torch.bfloat16, (3, 4), 9, dict(
        base_dim=6, z_dim=4, dim_mult=[1, 1], num_res_blocks=1, temperal_downsample=[False])),
    "plain_single": (torch.float32, (4, 5), 5, dict(
        base_dim=4, z_dim=2, dim_mult=[1], num_res_blocks=1, temperal_downsample=[])),
}


def pattern(seed, *shape):
    """A hash of each element's index: float32 in -1..1, exact."""
    i = np.arange(np.prod(shape), dtype=np.uint32) * np.uint32(2654435761) + np.uint32(seed * 40503)
    i = (i ^ (i >> np.uint32(15))) * np.uint32(2246822519)
    i ^= i >> np.uint32(13)
    return torch.from_numpy(((i >> np.uint32(8)).astype(np.float32) / np.float32(1 << 23) - 1).reshape(shape))


def build(seed, stored, config):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator)
    patch, levels = config.get("patch_size") or 1, len(config["dim_mult"])
    config = dict(config, in_channels=3 * patch**2, out_channels=3 * patch**2,
                  scale_factor_spatial=patch * 2 ** (levels - 1),
                  scale_factor_temporal=2 ** sum(config["temperal_downsample"]),
                  latents_mean=[round(x, 4) for x in draw(config["z_dim"]).tolist()],
                  latents_std=[round(x, 4) for x in (0.5 + draw(config["z_dim"]).abs()).tolist()])
    vae = AutoencoderKLWan(**config).eval()
    for name, parameter in vae.named_parameters():
        fan_in = parameter[0].numel()
        if name.endswith("gamma"):
            value = 1 + 0.2 * draw(*parameter.shape)
        elif name.endswith("bias"):
            value = 0.1 * draw(*parameter.shape)
        else:  # about as large out as in, over the half of the taps that SiLU leaves
            value = draw(*parameter.shape) * (1.4 / fan_in) ** 0.5
        parameter.data = value.to(stored).float()
    vae.decoder.conv_out.weight.data *= 0.5  # most pixels within -1..1, some clamped
    return vae


def encode(vae, video):
    """As the Wan image-to-video pipelines normalise latents."""
    mean = torch.tensor(vae.config.latents_mean).view(1, -1, 1, 1, 1)
    std = 1.0 / torch.tensor(vae.config.latents_std).view(1, -1, 1, 1, 1)
    return ((vae.encode(video.permute(3, 0, 1, 2)[None]).latent_dist.mode() - mean) * std)[0]


def decode(vae, latents):
    mean = torch.tensor(vae.config.latents_mean).view(1, -1, 1, 1, 1)
    std = 1.0 / torch.tensor(vae.config.latents_std).view(1, -1, 1, 1, 1)
    return vae.decode(latents[None] / std + mean).sample[0].permute(1, 2, 3, 0)


def beginning(whole, part):
    assert (whole[:part.shape[0]] - part).norm() <= 1e-6 * part.norm()


def accept_caches():
    """The class builds attention blocks for attn_scales, then calls them with caches that they do not take."""
    forward = WanAttentionBlock.forward
    WanAttentionBlock.forward = lambda self, x, feat_cache=None, feat_idx=None: forward(self, x)


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    diffusers.utils.logging.set_verbosity_error()
    accept_caches()
    for seed, (name, (stored, (h, w), frames, config)) in enumerate(MODELS.items()):
        vae = build(seed, stored, config)
        spatial, temporal = vae.config.scale_factor_spatial, vae.config.scale_factor_temporal
        count = 1 + (frames - 1) // temporal
        video, latents = pattern(1, frames, h * spatial, w * spatial, 3), 2 * pattern(2, count, vae.config.z_dim, h, w)
        encoded = encode(vae, video)
        decoded = decode(vae, latents.transpose(0, 1))
        assert encoded.shape[1] == count and decoded.shape[0] == frames
        for n in range(1, frames, 4):
            beginning(encoded.transpose(0, 1), encode(vae, video[:n]).transpose(0, 1))
        for n in range(1, count):
            beginning(decoded, decode(vae, latents[:n].transpose(0, 1)))
        folder = os.path.join(FOLDER, name)
        shutil.rmtree(folder, ignore_errors=True)
        vae.to(stored).save_pretrained(folder)
        save_file(dict(encode=encoded.contiguous(), decode=decoded.contiguous()),
                  os.path.join(folder, "golden.safetensors"))
        for file in os.listdir(folder):
            os.chmod(os.path.join(folder, file), 0o644)
        print(f"{name}: latents {encoded.std():.2f}, frames {decoded.std():.2f}, "
              f"clamped {(decoded.abs() == 1).float().mean():.3f}, "
              f"{sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder))} bytes")


main()

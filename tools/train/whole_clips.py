"""AutoencoderKLWan with is_residual over a whole clip at once, for training: diffusers goes through a clip in chunks of
four frames, which costs three times as much and gives the same. Channels last, as processors like convolutions.

    latents = encode(vae, video)          [B, z, 1 + F / 4, h, w] of [B, 3, 1 + F, H, W]
    video = decode(vae, latents)          not clamped

    python3 whole_clips.py --vae vae.safetensors      how far this is from diffusers' way, on noise
"""

import argparse

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_kl_wan import patchify, unpatchify

from networks import load_vae

CHANNELS_LAST = torch.channels_last_3d


def activate(norm, x):
    """WanRMS_norm and SiLU."""
    wide = x.float()
    scale = wide.square().sum(1, keepdim=True).clamp(min=1e-24).rsqrt() * wide.shape[1] ** 0.5
    return F.silu(wide * scale * norm.gamma).type_as(x)


def convolve(convolution, x):
    """A causal convolution of 3x3x3. A picture alone meets only its last third."""
    if x.shape[2] == 1:
        picture = x[:, :, 0].contiguous(memory_format=torch.channels_last)
        return F.conv2d(picture, convolution.weight[:, :, -1], convolution.bias, padding=1).unsqueeze(2)
    x = F.pad(x, (0, 0, 0, 0, 2, 0)).contiguous(memory_format=CHANNELS_LAST)
    return F.conv3d(x, convolution.weight, convolution.bias, padding=(0, 1, 1))


def mix_channels(convolution, x):
    """A convolution of 1x1x1."""
    return F.linear(x.movedim(1, -1), convolution.weight.flatten(1), convolution.bias).movedim(-1, 1)


def residual(block, x):
    h = convolve(block.conv1, activate(block.norm1, x))
    h = convolve(block.conv2, activate(block.norm2, h))
    if not isinstance(block.conv_shortcut, torch.nn.Identity):
        x = mix_channels(block.conv_shortcut, x)
    return x + h


def middle(block, x):
    x = residual(block.resnets[0], x)
    for attention, resnet in zip(block.attentions, block.resnets[1:]):
        x = residual(resnet, attention(x).contiguous(memory_format=CHANNELS_LAST))
    return x


def frame_by_frame(convolution, x, stride=1, padding=1):
    """A 3x3 convolution of every frame, each a picture of its own."""
    batch, channels, frames, height, width = x.shape
    pictures = x.transpose(1, 2).reshape(batch * frames, channels, height, width)
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    pictures = F.conv2d(pictures, convolution.weight, convolution.bias, stride, padding)
    return pictures.unflatten(0, (batch, frames)).transpose(1, 2)


def down(block, x):
    shortcut = block.avg_shortcut(x)
    for resnet in block.resnets:
        x = residual(resnet, x)
    if block.downsampler is not None:
        x = frame_by_frame(block.downsampler.resample[1], F.pad(x, (0, 1, 0, 1)), 2, 0)
        if block.downsampler.mode == "downsample3d" and x.shape[2] > 1:
            time = block.downsampler.time_conv
            x = torch.cat([x[:, :, :1], F.conv3d(x, time.weight, time.bias, stride=(2, 1, 1))], 2)
    return (x + shortcut).contiguous(memory_format=CHANNELS_LAST)


def up(block, x):
    shortcut = None if block.avg_shortcut is None else block.avg_shortcut(x, first_chunk=True)
    for resnet in block.resnets:
        x = residual(resnet, x)
    if block.upsampler is not None:
        if block.upsampler.mode == "upsample3d" and x.shape[2] > 1:
            time, later = block.upsampler.time_conv, x[:, :, 1:]
            later = F.conv3d(F.pad(later, (0, 0, 0, 0, 2, 0)), time.weight, time.bias)
            later = torch.stack(later.chunk(2, 1), 3).flatten(2, 3)
            x = torch.cat([x[:, :, :1], later], 2)
        x = x.repeat_interleave(2, 3).repeat_interleave(2, 4).contiguous(memory_format=CHANNELS_LAST)
        x = frame_by_frame(block.upsampler.resample[1], x)
    return x if shortcut is None else (x + shortcut).contiguous(memory_format=CHANNELS_LAST)


def encode(vae, video):
    """The mode of the latents' distribution."""
    x = convolve(vae.encoder.conv_in, patchify(video, vae.config.patch_size))
    for block in vae.encoder.down_blocks:
        x = down(block, x)
    x = activate(vae.encoder.norm_out, middle(vae.encoder.mid_block, x))
    x = convolve(vae.encoder.conv_out, x)
    return mix_channels(vae.quant_conv, x).chunk(2, 1)[0]


def decode(vae, latents):
    x = convolve(vae.decoder.conv_in, mix_channels(vae.post_quant_conv, latents))
    x = middle(vae.decoder.mid_block, x)
    for block in vae.decoder.up_blocks:
        x = up(block, x)
    x = convolve(vae.decoder.conv_out, activate(vae.decoder.norm_out, x))
    return unpatchify(x, vae.config.patch_size)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vae", default="vae.safetensors")
    vae = load_vae(parser.parse_args().vae)
    for shape in ((2, 3, 1, 64, 48), (1, 3, 5, 64, 64), (1, 3, 17, 48, 64)):
        video = torch.rand(shape) * 2 - 1
        with torch.no_grad():
            latents, ours = vae.encode(video).latent_dist.mode(), encode(vae, video)
            decoded, ours_decoded = vae.decode(latents).sample, decode(vae, latents).clamp(-1, 1)
        print(shape, *(f"{(a - b).norm() / a.norm():.1e}" for a, b in ((latents, ours), (decoded, ours_decoded))))


if __name__ == "__main__":
    main()

"""The shipped model's networks, in diffusers' and transformers' classes with small dimensions."""

import pathlib

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from diffusers.models.autoencoders import autoencoder_kl_wan
from transformers import AutoTokenizer, UMT5Config, UMT5EncoderModel

TOKENIZER = pathlib.Path(__file__).parents[2] / "golden/model/tokenizer"
TEXT_TOKENS = 512  # the pipelines pad prompts to this
CHANNELS = 48


def make_vae(latents_mean=None, latents_std=None):
    """4x8x8: a latent cell covers 8x8 pixels, a latent frame four frames."""
    return AutoencoderKLWan(
        base_dim=32,
        decoder_base_dim=32,
        z_dim=CHANNELS,
        dim_mult=[1, 2, 2],
        num_res_blocks=1,
        attn_scales=[],
        temperal_downsample=[True, True],
        is_residual=True,
        patch_size=2,
        in_channels=12,
        out_channels=12,
        scale_factor_spatial=8,
        scale_factor_temporal=4,
        latents_mean=latents_mean or [0.0] * CHANNELS,
        latents_std=latents_std or [1.0] * CHANNELS,
    )


def make_transformer():
    transformer = WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=4,
        attention_head_dim=64,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        text_dim=192,
        freq_dim=128,
        ffn_dim=1024,
        num_layers=8,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        eps=1e-6,
    )
    with torch.no_grad():
        transformer.proj_out.weight.zero_()
        transformer.proj_out.bias.zero_()
    return transformer


def make_text_encoder():
    return UMT5EncoderModel(
        UMT5Config(
            vocab_size=512,
            d_model=192,
            d_kv=32,
            d_ff=384,
            num_layers=4,
            num_heads=6,
            relative_attention_num_buckets=32,
            relative_attention_max_distance=128,
            feed_forward_proj="gated-gelu",
            is_encoder_decoder=False,
            dropout_rate=0.0,
            tie_word_embeddings=False,
        )
    )


def make_tokenizer():
    return AutoTokenizer.from_pretrained(TOKENIZER)


def fast_single_frames():
    """A single frame through a causal convolution is a 2-D convolution with the last temporal tap: 1.6 times faster."""
    slow = autoencoder_kl_wan.WanCausalConv3d.forward

    def forward(self, x, cache_x=None):
        width, _, height, _, time, _ = self._padding
        alone = x.shape[2] == 1 and (cache_x is None or time == 0)
        if not alone or self.stride[0] != 1 or time != self.kernel_size[0] - 1:
            return slow(self, x, cache_x)
        frame = x[:, :, 0].contiguous(memory_format=torch.channels_last)
        weight = self.weight[:, :, -1]
        return F.conv2d(frame, weight, self.bias, self.stride[1:], (height, width)).unsqueeze(2)

    autoencoder_kl_wan.WanCausalConv3d.forward = forward


class PaddedText:
    """Attention processor that folds the run of equal padded text keys into one key of weight log(count).

    Equal to attending over all 512 within 4e-7, and much cheaper. `bias` belongs to the texts of the current batch.
    """

    bias = None

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, rotary_emb=None):
        text = encoder_hidden_states
        source = hidden_states if text is None else text
        q, k, v = attn.norm_q(attn.to_q(hidden_states)), attn.norm_k(attn.to_k(source)), attn.to_v(source)
        q, k, v = (x.unflatten(2, (attn.heads, -1)) for x in (q, k, v))
        if rotary_emb is not None:
            q, k = rotate(q, *rotary_emb), rotate(k, *rotary_emb)
        bias = None if text is None else PaddedText.bias.to(q.dtype)
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2).flatten(2)
        return attn.to_out[0](out)


def rotate(x, cos, sin):
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = cos[..., 0::2], sin[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2).type_as(x)


def embed(tokenizer, text_encoder, texts):
    """Embeddings [B, L + 1, dim], the last row standing for all padding, and the bias that weighs it."""
    batch = tokenizer(texts, padding=True, truncation=True, max_length=96, return_tensors="pt")
    ids, real = batch.input_ids, batch.attention_mask
    hidden = text_encoder(ids, attention_mask=real).last_hidden_state * real[..., None]
    hidden = torch.cat([hidden, hidden.new_zeros(len(texts), 1, hidden.shape[2])], 1)
    bias = torch.zeros(len(texts), 1, 1, ids.shape[1] + 1)
    bias[:, 0, 0, :-1].masked_fill_(real == 0, -1e9)
    bias[:, 0, 0, -1] = torch.log((TEXT_TOKENS - real.sum(1)).float())
    return hidden, bias


def evaluate(transformer, latents, timestep, generated, text):
    """WanTransformer3DModel.forward for training, with at most two timesteps a sample.

    latents [B, C, F, h, w]; timestep [B]; generated [B, tokens] says which tokens have it, the others have 0 (None: all
    have it). Modulation is kept per timestep instead of per token, which saves most of the memory traffic.
    """
    batch, _, frames, height, width = latents.shape
    rotary = transformer.rope(latents)
    x = transformer.patch_embedding(latents).flatten(2).transpose(1, 2).contiguous()
    times = timestep[:, None] if generated is None else torch.stack([timestep, torch.zeros_like(timestep)], 1)
    temb, projection, text, _ = transformer.condition_embedder(
        times.flatten(), text, None, timestep_seq_len=times.shape[1]
    )
    projection = projection.unflatten(2, (6, -1))

    def per_token(vectors):
        if generated is None:
            return vectors[:, 0:1]
        return torch.where(generated[..., None], vectors[:, 0:1], vectors[:, 1:2])

    def norm(x, *affine):
        return F.layer_norm(x, x.shape[-1:], *affine, eps=1e-6).to(x.dtype)

    for block in transformer.blocks:
        modulation = (block.scale_shift_table.unsqueeze(0) + projection.float()).to(x.dtype)
        shift, scale, gate, ff_shift, ff_scale, ff_gate = (per_token(modulation[:, :, i]) for i in range(6))
        x = x + block.attn1(norm(x) * (1 + scale) + shift, None, None, rotary) * gate
        x = x + block.attn2(norm(x, block.norm2.weight, block.norm2.bias), text, None, None)
        x = x + block.ffn(norm(x) * (1 + ff_scale) + ff_shift) * ff_gate
    shift, scale = (
        per_token((transformer.scale_shift_table.unsqueeze(0) + temb.unsqueeze(2).float())[:, :, i]) for i in (0, 1)
    )
    x = transformer.proj_out(norm(x.float()) * (1 + scale) + shift)
    x = x.reshape(batch, frames, height // 2, width // 2, 1, 2, 2, -1).permute(0, 7, 1, 4, 2, 5, 3, 6)
    return x.flatten(6, 7).flatten(4, 5).flatten(2, 3)

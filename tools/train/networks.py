"""The shipped model's networks, in diffusers' and transformers' classes with small dimensions."""

import math
import pathlib

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from safetensors.torch import load_file
from transformers import AutoTokenizer, UMT5Config, UMT5EncoderModel

TOKENIZER = pathlib.Path(__file__).parents[2] / "golden/model/tokenizer"
TEXT_TOKENS = 512  # the pipelines pad prompts to this
CHANNELS = 16
PROMPT_TOKENS = 72  # one caption in a hundred, worded otherwise, is longer and cut off in training


def make_vae(latents_mean=None, latents_std=None):
    """4x8x8: a latent cell covers 8x8 pixels, a latent frame four frames."""
    return AutoencoderKLWan(
        base_dim=32,
        decoder_base_dim=32,
        z_dim=CHANNELS,
        dim_mult=[1, 2, 2],
        num_res_blocks=2,
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


def load_vae(path, latents_mean=None, latents_std=None):
    """A VAE as train_vae.py saved it."""
    vae = make_vae(latents_mean, latents_std)
    vae.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return vae


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


class PaddedText:
    """Attention processor that folds the run of equal padded text keys into one key of weight log(count).

    Equal to attending over all 512 within 4e-7, and much cheaper. `bias` belongs to the texts of the current batch.
    Written out, because torch's fused attention for CPUs is slower at these sizes.
    """

    bias = None

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, rotary_emb=None):
        text = encoder_hidden_states
        source = hidden_states if text is None else text
        q = rms_norm(attn.norm_q, attn.to_q(hidden_states))
        k = rms_norm(attn.norm_k, attn.to_k(source))
        q, k, v = (x.unflatten(2, (attn.heads, -1)) for x in (q, k, attn.to_v(source)))
        if rotary_emb is not None:
            q, k = rotate(q, *rotary_emb), rotate(k, *rotary_emb)
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        scores = torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(2, 3)).float()
        if text is not None:
            scores = scores + PaddedText.bias
        out = torch.matmul(torch.softmax(scores, -1).bfloat16(), v).transpose(1, 2).flatten(2)
        return attn.to_out[0](out)


def gelu(x):
    """GELU's form by tanh, written with the logistic function, which compiles to less than half the work."""
    x = x.float()
    return (x * torch.sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))).bfloat16()


def rms_norm(norm, x):
    x = x.float()
    return (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + norm.eps) * norm.weight).bfloat16()


def rotate(x, cos, sin):
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = cos[..., 0::2], sin[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2).type_as(x)


def rotary_of_frames(transformer, frames, height, width):
    """cos and sin for the tokens of the latent frames in the list `frames`, each at its own place in time."""
    cos, sin = transformer.rope(torch.empty(1, 1, max(frames) + 1, height, width, device=transformer.device))
    size = (height // 2) * (width // 2)
    tokens = torch.cat([torch.arange(frame * size, (frame + 1) * size) for frame in frames]).to(cos.device)
    return cos[:, tokens], sin[:, tokens]


def embed(tokenizer, text_encoder, texts):
    """Embeddings [B, PROMPT_TOKENS + 1, dim], the last row standing for all padding, and the bias that weighs it."""
    batch = tokenizer(texts, padding=True, truncation=True, max_length=PROMPT_TOKENS, return_tensors="pt")
    batch = batch.to(text_encoder.device)
    ids, real = batch.input_ids, batch.attention_mask
    hidden = text_encoder(ids, attention_mask=real).last_hidden_state * real[..., None]
    hidden = F.pad(hidden, (0, 0, 0, PROMPT_TOKENS + 1 - ids.shape[1]))
    bias = torch.full((len(texts), 1, 1, PROMPT_TOKENS + 1), -1e9, device=ids.device)
    bias[:, 0, 0, : ids.shape[1]].masked_fill_(real > 0, 0.0)
    bias[:, 0, 0, -1] = torch.log((TEXT_TOKENS - real.sum(1)).float())
    return hidden, bias


def norm(x):
    centred = x - x.mean(-1, keepdim=True)
    return centred * torch.rsqrt(centred.square().mean(-1, keepdim=True) + 1e-6)


def per_token(vectors, generated):
    """[B, tokens, dim] of vectors [B, 2, dim]: the first for generated tokens, the second for the others."""
    return vectors[:, 1:2] + generated * (vectors[:, 0:1] - vectors[:, 1:2])


def through_block(block, x, projection, generated, text, cos, sin):
    modulation = block.scale_shift_table.unsqueeze(0) + projection
    shift, scale, gate, ff_shift, ff_scale, ff_gate = (per_token(modulation[:, :, i], generated) for i in range(6))
    x = x + block.attn1((norm(x) * (1 + scale) + shift).bfloat16(), None, None, (cos, sin)) * gate
    x = x + block.attn2((norm(x) * block.norm2.weight + block.norm2.bias).bfloat16(), text, None, None)
    widened = gelu(block.ffn.net[0].proj((norm(x) * (1 + ff_scale) + ff_shift).bfloat16()))
    return x + block.ffn.net[2](widened) * ff_gate


compiled_block = torch.compile(through_block, dynamic=False)


def evaluate(transformer, latents, timestep, generated, text, cos, sin):
    """WanTransformer3DModel.forward for training, with the given timestep for generated tokens and 0 for the others.

    latents [B, C, F, h, w]; timestep [B]; generated [B, tokens], 0 or 1; cos, sin of the tokens' rotary angles. Blocks
    are compiled, one for all of them, which joins what lies between their products. What goes into them is contiguous:
    compiled for other strides, their gradients are wrong.
    """
    batch, _, frames, height, width = latents.shape
    x = transformer.patch_embedding(latents).flatten(2).transpose(1, 2).float().contiguous()
    times = torch.stack([timestep, torch.zeros_like(timestep)], 1)
    temb, projection, text, _ = transformer.condition_embedder(times.flatten(), text, None, timestep_seq_len=2)
    projection, generated = projection.unflatten(2, (6, -1)).float(), generated[..., None]
    for block in transformer.blocks:
        x = compiled_block(block, x, projection, generated, text, cos, sin)
    modulation = transformer.scale_shift_table.unsqueeze(0) + temb.unsqueeze(2).float()
    shift, scale = (per_token(modulation[:, :, i], generated) for i in (0, 1))
    x = transformer.proj_out((norm(x) * (1 + scale) + shift).bfloat16()).float()
    x = x.reshape(batch, frames, height // 2, width // 2, 1, 2, 2, -1).permute(0, 7, 1, 4, 2, 5, 3, 6)
    return x.flatten(6, 7).flatten(4, 5).flatten(2, 3)

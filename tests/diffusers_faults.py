"""The mistakes that ports make, as changes to diffusers, and harmless variations: the cases of inject_diffusers.py.

Each is given the pipeline and a stack that undoes what it changes.
"""
import inspect
import pathlib
import sys
import textwrap
from unittest import mock

import numpy
import torch
import diffusers.models.autoencoders.autoencoder_kl_wan as vae_module
import diffusers.models.transformers.transformer_wan as wan
import diffusers.pipelines.wan.pipeline_wan as t2v_module
import diffusers.pipelines.wan.pipeline_wan_i2v as i2v_module

GOLDEN = pathlib.Path(__file__).parents[1] / "golden/diffusers"
PROMPT = "Portrait of a young woman with \u201cauburn\u201d hair,  soft studio lighting"
COMMON = ["-p", PROMPT, "--negative", "blurry, dark", "--dump-level", "block", "-s", "3"]
I2V = ["i2v", "-m", str(GOLDEN / "models/tiny-ti2v"), "-i", str(GOLDEN / "runs/still.png"), "--fit", "stretch",
       *"--size 48x32 --frames 9 --steps 4 --guidance 4".split(), *COMMON]
T2V = ["t2v", "-m", str(GOLDEN / "models/tiny-t2v"), *"--size 32x48 --frames 9 --steps 3 --guidance 5".split(), *COMMON]
UNIPC = [*T2V, "--scheduler", "unipc"]

CASES = {}


def case(line, stage, cause, name=None):
    """stage None: harmless."""
    def keep(change):
        CASES[name or change.__name__] = (line, stage, cause, change)
        return change
    return keep


# ---- ways to change diffusers ----

def rewrite(undo, owner, method, *changes):
    """The method with lines of its source replaced."""
    function = getattr(owner, method)
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    for old, new in changes:
        assert old in source, (owner, method, old)
        source = source.replace(old, new)
    module = sys.modules[owner.__module__]
    scope = {}
    exec(compile(source, inspect.getsourcefile(owner), "exec"), module.__dict__, scope)
    undo.enter_context(mock.patch.object(owner, method, scope[method]))


def attention(undo, *changes, which=None):
    """The attention processor, rewritten; in attn1 or attn2 only if `which` says so."""
    original = wan.WanAttnProcessor.__call__
    rewrite(undo, wan.WanAttnProcessor, "__call__", *changes)
    changed = wan.WanAttnProcessor.__call__
    if which is not None:
        def chosen(self, attn, *arguments, **keywords):
            return (changed if attn.is_cross_attention == which else original)(self, attn, *arguments, **keywords)
        undo.enter_context(mock.patch.object(wan.WanAttnProcessor, "__call__", chosen))


def blocks(pipe):
    return pipe.transformer.blocks


def round_output(module, dtype=torch.bfloat16):
    module.register_forward_hook(lambda module, arguments, output: output.to(dtype).to(output.dtype))


def rope_tables(pipe, change):
    rope = pipe.transformer.rope
    rope.freqs_cos, rope.freqs_sin = change(rope)


# ---- faults of the transformer ----

HALVES = [("x1, x2 = hidden_states.unflatten(-1, (-1, 2)).unbind(-1)", "x1, x2 = hidden_states.chunk(2, dim=-1)"),
          ("out[..., 0::2] = x1", "half = out.shape[-1] // 2; out[..., :half] = x1"),
          ("out[..., 1::2] = x1", "out[..., half:] = x1")]


@case(I2V, "transformer.block.00", "halves")
def rope_halves(pipe, undo):
    attention(undo, *HALVES)


@case(I2V, "transformer.block.00", "columns before rows")
def rope_axes(pipe, undo):
    rewrite(undo, wan.WanRotaryPosEmbed, "forward",
            ("freqs_cos[1][:pph].view(1, pph, 1, -1)", "freqs_cos[1][:ppw].view(1, 1, ppw, -1)"),
            ("freqs_cos[2][:ppw].view(1, 1, ppw, -1)", "freqs_cos[2][:pph].view(1, pph, 1, -1)"),
            ("freqs_sin[1][:pph].view(1, pph, 1, -1)", "freqs_sin[1][:ppw].view(1, 1, ppw, -1)"),
            ("freqs_sin[2][:ppw].view(1, 1, ppw, -1)", "freqs_sin[2][:pph].view(1, pph, 1, -1)"))


@case(I2V, "transformer.block.00", "theta")
def rope_base(pipe, undo):
    def change(rope):
        pairs = [wan.get_1d_rotary_pos_embed(dim, rope.max_seq_len, 256.0, use_real=True, repeat_interleave_real=True,
                                             freqs_dtype=torch.float64) for dim in (rope.t_dim, rope.h_dim, rope.w_dim)]
        return torch.cat([p[0] for p in pairs], 1), torch.cat([p[1] for p in pairs], 1)
    rope_tables(pipe, change)


@case(T2V, "transformer.block.00", "the other way round")
def rope_sign(pipe, undo):
    rope_tables(pipe, lambda rope: (rope.freqs_cos, -rope.freqs_sin))


@case(T2V, "transformer.block.00", "left out")
def rope_missing(pipe, undo):
    rope_tables(pipe, lambda rope: (torch.ones_like(rope.freqs_cos), torch.zeros_like(rope.freqs_sin)))


@case(I2V, "transformer.block.00", "remainder")
def rope_split(pipe, undo):
    def change(rope):
        rope.t_dim, rope.w_dim = rope.w_dim, rope.t_dim
        pairs = [wan.get_1d_rotary_pos_embed(dim, rope.max_seq_len, 10000.0, use_real=True,
                                             repeat_interleave_real=True, freqs_dtype=torch.float64)
                 for dim in (rope.t_dim, rope.h_dim, rope.w_dim)]
        return torch.cat([p[0] for p in pairs], 1), torch.cat([p[1] for p in pairs], 1)
    rope_tables(pipe, change)


@case(I2V, "transformer.block.00", "exact GELU")
def gelu_exact(pipe, undo):
    for block in blocks(pipe):
        block.ffn.net[0].approximate = "none"


@case(I2V, "transformer.block.01", "exact GELU")
def gelu_last_block(pipe, undo):
    blocks(pipe)[-1].ffn.net[0].approximate = "none"


@case(I2V, "transformer.block.00", "1e-5")
def epsilon_all(pipe, undo):
    for block in blocks(pipe):
        for norm in (block.norm1, block.norm2, block.norm3, block.attn1.norm_q, block.attn1.norm_k, block.attn2.norm_q,
                     block.attn2.norm_k):
            norm.eps = 1e-5


@case(T2V, "transformer.block.00", "query and key norms is 1e-3")
def epsilon_qk(pipe, undo):
    for block in blocks(pipe):
        for norm in (block.attn1.norm_q, block.attn1.norm_k, block.attn2.norm_q, block.attn2.norm_k):
            norm.eps = 1e-3


PER_HEAD = [("query = attn.norm_q(query)", "query = per_head(query, attn, attn.norm_q)"),
            ("key = attn.norm_k(key)", "key = per_head(key, attn, attn.norm_k)")]


def per_head(x, attn, norm):
    split = x.unflatten(-1, (attn.heads, -1)).float()
    scaled = split * torch.rsqrt(split.square().mean(-1, keepdim=True) + norm.eps)
    return (scaled * norm.weight.unflatten(0, (attn.heads, -1))).flatten(-2).to(x.dtype)


wan.per_head = per_head


@case(I2V, "transformer.block.00", "per head")
def norm_per_head(pipe, undo):
    attention(undo, *PER_HEAD)


@case(T2V, "transformer.block.00", "cross-attention only: RMS norm of queries and keys per head")
def norm_per_head_cross(pipe, undo):
    attention(undo, *PER_HEAD, which=True)


@case(T2V, "transformer.block.00", "RMS norm of queries and keys is left out")
def norm_left_out(pipe, undo):
    attention(undo, ("query = attn.norm_q(query)", ""), ("key = attn.norm_k(key)", ""))


@case(I2V, "transformer.block.00", "attention scale")
def attention_scale(pipe, undo):
    attention(undo, ("is_causal=False,", "is_causal=False, scale=1.0,"))


@case(T2V, "transformer.block.00", "cross-attention only: attention scale")
def attention_scale_cross(pipe, undo):
    attention(undo, ("is_causal=False,", "is_causal=False, scale=1.0 / query.shape[-1],"), which=True)


@case(T2V, "transformer.block.00", "masks the padding")
def padding_masked(pipe, undo):
    attention(undo, ("query = attn.norm_q(query)", "encoder_hidden_states; query = attn.norm_q(query)\n"
                     "    real = key.shape[1] if not attn.is_cross_attention else int((key - key[:, -1:]).abs()"
                     ".sum((0, 2)).nonzero().max()) + 1\n    key, value = key[:, :real], value[:, :real]"))


@case(I2V, "transformer.block.00", "shift and scale exchanged")
def modulation_swapped(pipe, undo):
    rewrite(undo, wan.WanTransformerBlock, "forward",
            ("shift_msa, scale_msa, gate_msa, c_shift_msa, c_scale_msa, c_gate_msa",
             "scale_msa, shift_msa, gate_msa, c_scale_msa, c_shift_msa, c_gate_msa"))


@case(T2V, "transformer.block.00", "gate of the feed-forward is left out")
def gate_missing(pipe, undo):
    rewrite(undo, wan.WanTransformerBlock, "forward", ("ff_output.float() * c_gate_msa", "ff_output.float()"))


@case(I2V, "transformer.block.00", "norm2")
def norm2_missing(pipe, undo):
    for block in blocks(pipe):
        block.norm2 = torch.nn.Identity()


@case(I2V, "transformer.block.00", "attn1.to_k is transposed")
def weight_transposed(pipe, undo):
    for block in blocks(pipe):
        block.attn1.to_k.weight.data = block.attn1.to_k.weight.data.T.contiguous()


@case(T2V, "transformer.block.01", "attn2.to_out is transposed")
def weight_transposed_late(pipe, undo):
    blocks(pipe)[-1].attn2.to_out[0].weight.data = blocks(pipe)[-1].attn2.to_out[0].weight.data.T.contiguous()


@case(I2V, "transformer.block.00", "bf16")
def norms_bfloat(pipe, undo):
    for block in blocks(pipe):
        for norm in (block.norm1, block.norm2, block.norm3):
            round_output(norm)


@case(I2V, "transformer.embed", "bf16")
def time_bfloat(pipe, undo):
    embedder = pipe.transformer.condition_embedder.time_embedder
    embedder.to(torch.bfloat16)
    embedder.register_forward_hook(lambda module, arguments, output: output.float())


@case(T2V, "transformer.embed", "sines come before cosines")
def time_order(pipe, undo):
    pipe.transformer.condition_embedder.timesteps_proj.flip_sin_to_cos = False


@case(I2V, "transformer.embed", "text embedder: exact GELU")
def text_gelu(pipe, undo):
    pipe.transformer.condition_embedder.text_embedder.act_1 = torch.nn.GELU()


@case(T2V, "transformer.embed", "patch embedding: rows and columns")
def patch_order(pipe, undo):
    weight = pipe.transformer.patch_embedding.weight
    weight.data = weight.data.transpose(3, 4).contiguous()


@case(I2V, "transformer.head", "the head: shift and scale exchanged")
def head_swapped(pipe, undo):
    table = pipe.transformer.scale_shift_table
    rewrite(undo, wan.WanTransformer3DModel, "forward", (".chunk(2, dim=2)", ".flip(2).chunk(2, dim=2)"))
    assert table is not None


@case(T2V, "transformer.head", "the head: epsilon")
def head_epsilon(pipe, undo):
    pipe.transformer.norm_out.eps = 1e-3


@case(T2V, "transformer.head", "channel by channel")
def head_order(pipe, undo):
    out, patch = pipe.transformer.proj_out, 4

    def channels_first(module, arguments, output):
        return output.unflatten(-1, (-1, patch)).transpose(-1, -2).flatten(-2)
    out.register_forward_hook(channels_first)


# ---- faults of text, noise, sampling ----

@case(I2V, "tokenizer", "not cleaned")
def prompt_not_cleaned(pipe, undo):
    undo.enter_context(mock.patch.object(i2v_module, "prompt_clean", lambda text: text))


@case(T2V, "tokenizer", "</s>")
def end_missing(pipe, undo):
    def without_end(module, arguments):
        tokens, mask = arguments
        last = int(mask[0].sum()) - 1
        tokens, mask = tokens.clone(), mask.clone()
        tokens[0, last] = mask[0, last] = 0
        return tokens, mask
    pipe.text_encoder.register_forward_pre_hook(without_end)


@case(I2V, "text_encoder", "first layer")
def bias_first_layer(pipe, undo):
    for block in pipe.text_encoder.encoder.block[1:]:
        block.layer[0].SelfAttention.relative_attention_bias.weight.data.zero_()


@case(T2V, "text_encoder", "divided by sqrt(d_kv)")
def text_scaled(pipe, undo):
    for block in pipe.text_encoder.encoder.block:
        attn = block.layer[0].SelfAttention
        attn.q.weight.data /= attn.key_value_proj_dim ** 0.5


@case(I2V, "text_encoder", "padding is not zeroed")
def padding_not_zeroed(pipe, undo):
    rewrite(undo, i2v_module.WanImageToVideoPipeline, "_get_t5_prompt_embeds",
            ("[u[:v] for u, v in zip(prompt_embeds, seq_lens)]", "[u for u, v in zip(prompt_embeds, seq_lens)]"))


@case(T2V, "text_encoder", "attended")
def padding_attended(pipe, undo):
    rewrite(undo, t2v_module.WanPipeline, "_get_t5_prompt_embeds",
            ("self.text_encoder(text_input_ids.to(model_device), mask.to(model_device))",
             "self.text_encoder(text_input_ids.to(model_device), torch.ones_like(mask))"))


@case(I2V, "noise", "layout")
def noise_layout(pipe, undo):
    original = i2v_module.randn_tensor

    def transposed(shape, **keywords):
        b, c, f, h, w = shape
        return original((b, f, c, h, w), **keywords).transpose(1, 2).contiguous()
    undo.enter_context(mock.patch.object(i2v_module, "randn_tensor", transposed))


@case(T2V, "noise", "another program's noise")
def noise_other(pipe, undo):
    undo.enter_context(mock.patch.object(t2v_module, "randn_tensor", lambda shape, **keywords: torch.from_numpy(
        numpy.random.default_rng(3).standard_normal(shape).astype("float32"))))


@case(I2V, "anchor", "known tokens have the step's timestep")
def timesteps_flat(pipe, undo):
    rewrite(undo, i2v_module.WanImageToVideoPipeline, "__call__",
            ("first_frame_mask[0][0][:, ::2, ::2] * t", "torch.ones_like(first_frame_mask)[0][0][:, ::2, ::2] * t"))


@case(I2V, "anchor", "not put into")
def anchor_missing(pipe, undo):
    rewrite(undo, i2v_module.WanImageToVideoPipeline, "__call__",
            ("(1 - first_frame_mask) * condition + first_frame_mask * latents", "latents"))


@case(I2V, "guidance", "it should start from u")
def guidance_formula(pipe, undo):
    rewrite(undo, i2v_module.WanImageToVideoPipeline, "__call__",
            ("noise_uncond + current_guidance_scale *", "noise_pred + current_guidance_scale *"))


@case(T2V, "guidance", "exchanged")
def guidance_swapped(pipe, undo):
    rewrite(undo, t2v_module.WanPipeline, "__call__",
            ("noise_pred = noise_uncond + current_guidance_scale * (noise_pred - noise_uncond)",
             "noise_pred = noise_pred + current_guidance_scale * (noise_uncond - noise_pred)"))


@case(I2V, "scheduler", "shift is 5")
def schedule_shift(pipe, undo):
    pipe.scheduler = type(pipe.scheduler).from_config({**pipe.scheduler.config, "flow_shift": 5.0})


@case(T2V, "scheduler", "shift is 7")
def schedule_shift_euler(pipe, undo):
    pipe.scheduler = type(pipe.scheduler).from_config({**pipe.scheduler.config, "shift": 7.0})


@case(I2V, "scheduler", "order is 1")
def solver_order(pipe, undo):
    pipe.scheduler = type(pipe.scheduler).from_config({**pipe.scheduler.config, "solver_order": 1})


@case(UNIPC, "scheduler", "corrector")
def corrector_missing(pipe, undo):
    pipe.scheduler.disable_corrector = list(range(9))


@case(T2V, "scheduler", "sign")
def step_sign(pipe, undo):
    rewrite(undo, type(pipe.scheduler), "step", ("dt = sigma_next - sigma", "dt = sigma - sigma_next"))


# ---- faults of the VAE ----

@case(T2V, "vae_decode", "dropped at chunk borders", name="vae_cache_dropped")
def vae_cache_dropped(pipe, undo):
    forward = vae_module.WanCausalConv3d.forward
    undo.enter_context(mock.patch.object(vae_module.WanCausalConv3d, "forward",
                                         lambda self, x, cache_x=None: forward(self, x)))


@case(I2V, "vae_decode", "VAE cache: at chunk borders")
def vae_cache_short(pipe, undo):
    undo.enter_context(mock.patch.object(vae_module, "CACHE_T", 1))


@case(T2V, "vae_decode", "VAE cache: of a chunk of one frame")
def vae_cache_single(pipe, undo):
    for owner in (vae_module.WanResidualBlock, vae_module.WanDecoder3d):
        rewrite(undo, owner, "forward", ("if cache_x.shape[2] < 2 and feat_cache[idx] is not None:", "if False:"))


@case(I2V, "vae_encode", "latents_std is inverted")
def std_inverted(pipe, undo):
    pipe.vae.register_to_config(latents_std=[1 / s for s in pipe.vae.config.latents_std])


@case(T2V, "vae_decode", "latents_mean is left out")
def mean_missing(pipe, undo):
    pipe.vae.register_to_config(latents_mean=[0.0] * pipe.vae.config.z_dim)


@case(I2V, "vae_encode", "colour range")
def image_range(pipe, undo):
    pipe.video_processor.register_to_config(do_normalize=False)


@case(T2V, "vae_decode", "colour range")
def frames_range(pipe, undo):
    pipe.video_processor.register_to_config(do_normalize=False)


@case(T2V, "frames", "cut off")
def frames_cut(pipe, undo):
    undo.enter_context(mock.patch.object(numpy, "rint", numpy.floor))


# ---- harmless variations ----

@case(I2V, None, "")
def nothing_changed(pipe, undo):
    pass


@case(T2V, None, "")
def one_thread(pipe, undo):
    torch.set_num_threads(1)


@case(I2V, None, "")
def eight_threads(pipe, undo):
    torch.set_num_threads(8)


@case(I2V, None, "")
def fused_projections(pipe, undo):
    for block in blocks(pipe):
        block.attn1.fuse_projections()
        block.attn2.fuse_projections()


@case(T2V, None, "")
def attention_by_hand(pipe, undo):
    def plain(query, key, value, *arguments, **keywords):
        query, key, value = (x.transpose(1, 2) for x in (query, key, value))
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        return (scores.softmax(-1) @ value).transpose(1, 2)
    undo.enter_context(mock.patch.object(wan, "dispatch_attention_fn", plain))


@case([*I2V, "--dtype", "bfloat16"], None, "")
def bfloat_run(pipe, undo):
    pass


@case([*T2V, "--dtype", "bfloat16"], None, "")
def bfloat_run_t2v(pipe, undo):
    pass


@case(I2V, None, "")
def bfloat_weights(pipe, undo):
    for part in (pipe.transformer, pipe.text_encoder, pipe.vae):
        for parameter in part.parameters():
            parameter.data = parameter.data.to(torch.bfloat16).to(parameter.dtype)


@case([*I2V, "--dtype", "float64"], None, "")
def double_run(pipe, undo):
    pass

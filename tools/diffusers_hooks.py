"""Hooks that keep the named tensors of a diffusers run: text, noise and anchor, evaluations and their inside, steps, VAE.

dump_diffusers.py sets them; what each tensor is stands there and in ref/README.md.
"""
import contextlib
import functools

import torch
from diffusers.models.transformers import transformer_wan

LEVELS = ("run", "step", "block", "op")


class Recorder:
    """The named tensors of a run; `wants` says whether a level is deep enough to be kept."""

    def __init__(self, level):
        self.level, self.tensors, self.calls, self.steps = LEVELS.index(level), {}, 0, 0
        self.attended = lambda query, key, value, output: None  # told of each attention

    def wants(self, level):
        return LEVELS.index(level) <= self.level

    def keep(self, level, name, tensor):
        if self.wants(level):
            kept = tensor.detach().to("cpu", copy=True)
            self.tensors[name] = kept.float() if kept.is_floating_point() else kept


def record_text(pipe, recorder):
    """Token ids of each prompt as the text encoder gets them, and the padded embeddings."""
    prefixes = iter(("", "negative_"))

    def ids(module, arguments):
        tokens, mask = arguments
        recorder.keep("run", next(prefixes) + "token_ids", tokens[0, :int(mask[0].sum())])

    encode_prompt = pipe.encode_prompt

    def embeds(*arguments, **keywords):
        result = encode_prompt(*arguments, **keywords)
        for name, tensor in zip(("prompt_embeds", "negative_prompt_embeds"), result):
            if tensor is not None:
                recorder.keep("run", name, tensor[0])
        return result

    pipe.text_encoder.register_forward_pre_hook(ids)
    pipe.encode_prompt = embeds


def record_start(pipe, recorder, double):
    """The still, the anchor and the noise."""
    prepare_latents = pipe.prepare_latents

    def prepared(*arguments, **keywords):
        result = prepare_latents(*arguments, **keywords)
        if not isinstance(result, tuple):  # text to video
            recorder.keep("run", "noise", result[0])
            return result.double() if double else result
        latents, known, mask = (*result, None)[:3]
        recorder.keep("run", "image", arguments[0][0])
        recorder.keep("run", "noise", getattr(pipe, "noise", latents)[0])
        if mask is None:  # a model that is given its still as channels: they stand in call.NNN.input
            return tuple(tensor.double() for tensor in result) if double else result
        whole = torch.zeros(latents.shape, dtype=known.dtype)
        whole[:, :, :known.shape[2]] = known
        recorder.keep("run", "anchor.known", whole[0])
        recorder.keep("run", "anchor.mask", mask[0])
        return (latents.double(), known.double(), mask.double()) if double else result

    pipe.prepare_latents = prepared


def record_calls(transformer, recorder):
    """Input, timesteps and output of each evaluation; and its inside at block level."""
    if not recorder.wants("step"):
        return

    def call(module, arguments, keywords, output):
        name = f"call.{recorder.calls:03}"
        timestep = keywords["timestep"]
        recorder.keep("step", f"{name}.input", keywords["hidden_states"][0])
        recorder.keep("step", f"{name}.timestep", (timestep[0] if timestep.ndim == 2 else timestep).float())
        recorder.keep("step", f"{name}.output", output[0][0])
        recorder.calls += 1

    transformer.register_forward_hook(call, with_kwargs=True)
    if not recorder.wants("block"):
        return

    def inside(module, name, select):
        module.register_forward_hook(lambda module, arguments, output: recorder.keep(
            "block", f"call.{recorder.calls:03}.{name}", select(arguments, output)))

    embedder = transformer.condition_embedder
    inside(transformer.blocks[0], "embed", lambda arguments, output: arguments[0][0])
    inside(embedder, "temb", lambda arguments, output: output[0].reshape(-1, output[0].shape[-1]))
    inside(embedder.text_embedder, "text", lambda arguments, output: output[0])
    for i, block in enumerate(transformer.blocks):
        inside(block, f"block.{i:02}", lambda arguments, output: output[0])
    if recorder.wants("op"):
        record_parts(transformer, recorder)


def record_parts(transformer, recorder):
    """What goes on inside the blocks: modulation vectors, normed inputs, attention before and after its projection."""
    part = ""  # the attention that is computing

    def keep(name, tensor):
        recorder.keep("op", f"call.{recorder.calls:03}.{name}", tensor)

    def before(module, name):
        module.register_forward_pre_hook(lambda module, arguments: keep(name, arguments[0][0]))

    def after(module, name):
        module.register_forward_hook(lambda module, arguments, output: keep(name, output[0]))

    def modulation(module, arguments, name):
        temb = arguments[2].float()  # [1, 6, dim], or [1, tokens, 6, dim] with a timestep per token
        vectors = (module.scale_shift_table + temb)[0].reshape(-1, 6, temb.shape[-1]).unbind(1)
        for of, vector in zip(("norm1.shift", "norm1.scale", "attn1.gate", "norm3.shift", "norm3.scale", "ffn.gate"),
                              vectors):
            keep(f"{name}.{of}", vector)

    def enter(name):
        def hook(module, arguments):
            nonlocal part
            part = name
        return hook

    def attended(query, key, value, output):
        keep(f"{part}.q", query[0].flatten(1))
        if part.endswith("attn1"):  # the other's are the text's, the same for every call
            keep(f"{part}.k", key[0].flatten(1))
            keep(f"{part}.v", value[0].flatten(1))
        keep(f"{part}.heads", output[0].flatten(1))

    recorder.attended = attended
    for i, block in enumerate(transformer.blocks):
        name = f"block.{i:02}"
        block.register_forward_pre_hook(functools.partial(modulation, name=name))
        before(block.attn1, f"{name}.norm1")
        before(block.ffn, f"{name}.norm3")
        if transformer.config.cross_attn_norm:
            before(block.attn2, f"{name}.norm2")
        for of in ("attn1", "attn2", "ffn"):
            getattr(block, of).register_forward_pre_hook(enter(f"{name}.{of}"))
            after(getattr(block, of), f"{name}.{of}")
    before(transformer.proj_out, "norm_out")


def record_vae(vae, recorder):
    """Every frame that leaves a stage, [h, w, channels]; a last image is encoded in a run of its own."""
    if not recorder.wants("op"):
        return
    runs, shown = {"encode": iter(("vae_encode", "vae_encode_last")), "decode": iter(("vae_decode",))}, {}
    prefix = ""

    def show(module, arguments, output, name):
        for frame in output[0].permute(1, 2, 3, 0):
            if name == "quant_conv":
                frame = frame[..., :vae.config.z_dim]
            index = shown[name] = shown.get(name, -1) + 1
            recorder.keep("op", f"{prefix}.{index:03}.{name}", frame)

    def start(method):
        def started(*arguments, **keywords):
            nonlocal prefix
            prefix = next(runs[method])
            shown.clear()
            return run(*arguments, **keywords)
        run = getattr(vae, method)
        return started

    def watch(module, name):
        module.register_forward_hook(functools.partial(show, name=name))

    vae.encode, vae.decode = start("encode"), start("decode")
    for half, blocks in ((vae.encoder, "down_blocks"), (vae.decoder, "up_blocks")):
        watch(half.conv_in, "conv_in")
        for i, block in enumerate(getattr(half, blocks)):
            watch(block, f"{blocks}.{i}")
        watch(half.mid_block, "mid_block")
        watch(half.conv_out, "conv_out")
    watch(vae.quant_conv, "quant_conv")
    watch(vae.post_quant_conv, "post_quant_conv")


def record_steps(scheduler, recorder):
    step = scheduler.step

    def stepped(noise_pred, timestep, latents, **keywords):
        result = step(noise_pred, timestep, latents, **keywords)
        name = f"step.{recorder.steps:03}"
        recorder.keep("step", f"{name}.timestep", timestep.reshape(1).float())
        recorder.keep("step", f"{name}.noise_pred", noise_pred[0])
        recorder.keep("step", f"{name}.latents", result[0][0])
        recorder.steps += 1
        return result

    scheduler.step = stepped


@contextlib.contextmanager
def watched_attention(recorder):
    """Lets the recorder see queries and keys normalised and rotated, which no hook shows."""
    attend = transformer_wan.dispatch_attention_fn

    def attended(query, key, value, **keywords):
        output = attend(query, key, value, **keywords)
        recorder.attended(query, key, value, output)
        return output

    transformer_wan.dispatch_attention_fn = attended
    try:
        yield
    finally:
        transformer_wan.dispatch_attention_fn = attend

"""Goldens of the transformer: small random WanTransformer3DModel folders, inputs, and what diffusers computes.

    python3 tools/golden/transformer.py        writes golden/diffusers/transformer/<case>/

Versions: tools/requirements.txt, on a CPU. float32 throughout; a second run in float64 prints how much of the result is
diffusers' own rounding.
"""
import copy
import pathlib

import torch
from diffusers import WanTransformer3DModel
from diffusers.utils import logging
from safetensors.torch import load_file, save_file

logging.set_verbosity_error()

OUT = pathlib.Path(__file__).parents[2] / "golden/diffusers/transformer"

# latents: frames, height, width; text: rows in all and rows that are not padding; timesteps: one, or (first frame,
# others) with the last token's one more. Head sizes are no multiple of 16, channels and inner sizes are odd.
CASES = {
    "tokens": dict(
        config=dict(patch_size=(1, 2, 2), num_attention_heads=3, attention_head_dim=12, in_channels=7, out_channels=5,
                    text_dim=19, freq_dim=33, ffn_dim=71, num_layers=2, cross_attn_norm=True),
        latents=(3, 6, 10), text=(40, 7), timesteps=(0.0, 731.25, 12.5)),
    "single": dict(
        config=dict(patch_size=(1, 1, 1), num_attention_heads=2, attention_head_dim=16, in_channels=5,
                    out_channels=None, text_dim=21, freq_dim=32, ffn_dim=61, num_layers=2, cross_attn_norm=False,
                    eps=1e-5),
        latents=(2, 5, 3), text=(512, 9), timesteps=(999.0,)),
    "volume": dict(
        config=dict(patch_size=(2, 2, 2), num_attention_heads=1, attention_head_dim=26, in_channels=3, out_channels=4,
                    text_dim=17, freq_dim=40, ffn_dim=70, num_layers=3, cross_attn_norm=True, rope_max_seq_len=7),
        latents=(4, 6, 14), text=(24, 24), timesteps=(0.0, 417.0, 999.0)),
    "bf16": dict(
        config=dict(patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=20, in_channels=4, out_channels=4,
                    text_dim=16, freq_dim=24, ffn_dim=50, num_layers=2, cross_attn_norm=True),
        latents=(2, 4, 6), text=(512, 1), timesteps=(0.0, 563.0, 563.0), dtype=torch.bfloat16),
}


def randomise(model, generator):
    """Every parameter random, none left at zero or one, at scales that keep activations near 1."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name and name.endswith("weight"):
            value = 1 + 0.3 * noise
        elif "scale_shift_table" in name:
            value = 0.4 * noise
        elif name.endswith("bias"):
            value = 0.2 * noise
        else:
            value = noise / parameter[0].numel() ** 0.5
        parameter.data.copy_(value)


def token_timesteps(timesteps, tokens, first_frame):
    if len(timesteps) == 1:
        return torch.tensor(timesteps)
    out = torch.full((tokens,), timesteps[1])
    out[:first_frame] = timesteps[0]
    out[-1] = timesteps[2]
    return out


def evaluate(model, latents, timesteps, embeds, dtype):
    """The output and the tensors a dump at block level names, without the batch axis."""
    model, taps, hooks = copy.deepcopy(model).to(dtype), {}, []

    def keep(name, select):
        return lambda module, args, kwargs, output: taps.__setitem__(name, select(args, output)[0])

    def hook(module, name, select):
        hooks.append(module.register_forward_hook(keep(name, select), with_kwargs=True))

    hook(model.blocks[0], "embed", lambda args, output: args[0])
    hook(model.condition_embedder, "temb", lambda args, output: output[0])
    hook(model.condition_embedder.text_embedder, "text", lambda args, output: output)
    for i, block in enumerate(model.blocks):
        hook(block, f"block.{i:02}", lambda args, output: output)
    if dtype == torch.float64:  # FP32LayerNorm and the explicit .float() casts would round
        for module in model.modules():
            if type(module).__name__ == "FP32LayerNorm":
                module.forward = lambda x, m=module: torch.nn.LayerNorm.forward(m, x)
        cast, torch.Tensor.float = torch.Tensor.float, lambda self: self
    try:
        t = timesteps.to(dtype)
        with torch.no_grad():
            output = model(latents[None].to(dtype), t if t.numel() == 1 else t[None], embeds[None].to(dtype),
                           return_dict=False)[0][0]
    finally:
        if dtype == torch.float64:
            torch.Tensor.float = cast
    if t.numel() == 1:
        taps["temb"] = taps["temb"][None]  # the batch axis taken off above was the row
    return {"output": output, **taps}


def make(name, case):
    generator = torch.Generator().manual_seed(2026 + len(name))
    config, (frames, height, width), (tokens, real) = case["config"], case["latents"], case["text"]
    model = WanTransformer3DModel(**config).eval()
    randomise(model, generator)
    folder = OUT / name
    model.save_pretrained(folder)
    if "dtype" in case:  # tables stay F32, as diffusers keeps them
        path = folder / "diffusion_pytorch_model.safetensors"
        weights = {k: v if "scale_shift_table" in k else v.to(case["dtype"]) for k, v in load_file(path).items()}
        save_file(weights, path, metadata={"format": "pt"})
        model.load_state_dict(weights)

    patch = config["patch_size"]
    first_frame = (height // patch[1]) * (width // patch[2])
    latents = torch.randn(config["in_channels"], frames, height, width, generator=generator)
    embeds = torch.zeros(tokens, config["text_dim"])
    embeds[:real] = torch.randn(real, config["text_dim"], generator=generator)
    timesteps = token_timesteps(case["timesteps"], frames // patch[0] * first_frame, first_frame)

    result = evaluate(model, latents, timesteps, embeds, torch.float32)
    exact = evaluate(model, latents, timesteps, embeds, torch.float64)
    own = ((result["output"] - exact["output"]).norm() / exact["output"].norm()).item()
    if tokens > 64:
        del result["text"]  # 512 rows of almost nothing
    result.update(latents=latents, timesteps=timesteps, embeds=embeds[:real], text_tokens=torch.tensor([tokens]))
    save_file({k: v.contiguous() for k, v in result.items()}, folder / "golden.safetensors")
    print(f"{name}: output rms {result['output'].square().mean().sqrt():.3f}, float32 against float64 {own:.2g}, "
          f"{sum(f.stat().st_size for f in folder.iterdir()) / 1024:.0f} KiB")


for name, case in CASES.items():
    make(name, case)

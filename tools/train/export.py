"""Writes the trained parts as one diffusers folder in bf16, with firstframe.json for the defaults and
the map of --preview.

python3 export.py --vae vae.safetensors --transformer transformer.pt --out golden/model
"""

import argparse
import pathlib

import torch
from diffusers import UniPCMultistepScheduler, WanImageToVideoPipeline

from networks import load_vae, make_text_encoder, make_tokenizer, make_transformer
from preview_map import fit_preview, write_defaults

DEFAULTS = {
    "width": 128,
    "height": 128,
    "frames": 25,
    "fps": 8,
    "steps": 10,
    "guidance_scale": 1.5,
    "negative_prompt": "",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vae", default="vae.safetensors")
    parser.add_argument("--transformer", default="transformer.pt")
    parser.add_argument("--out", default="golden/model")
    options = parser.parse_args()
    saved = torch.load(options.transformer)
    vae = load_vae(options.vae, *([float(x) for x in saved[key]] for key in ("mean", "std")))
    transformer, text_encoder = make_transformer(), make_text_encoder()
    transformer.load_state_dict(saved["m"])
    text_encoder.load_state_dict(saved["te"])
    WanImageToVideoPipeline(
        tokenizer=make_tokenizer(),
        text_encoder=text_encoder.eval().bfloat16(),
        vae=vae.eval().bfloat16(),
        transformer=transformer.eval().bfloat16(),
        expand_timesteps=True,
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000, flow_shift=3.0
        ),
    ).save_pretrained(options.out)
    defaults = {**DEFAULTS, "preview": fit_preview(vae)}
    write_defaults(pathlib.Path(options.out) / "firstframe.json", defaults)


main()

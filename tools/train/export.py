"""Writes the trained parts as one diffusers folder in bf16, with firstframe.json for the defaults, the
known words and the map of --preview. Of several checkpoints of the transformer, the mean of their weights.

python3 export.py --vae vae.safetensors --transformer transformer.pt --out golden/model
"""

import argparse
import pathlib

import torch
from diffusers import UniPCMultistepScheduler, WanImageToVideoPipeline

from defaults import DEFAULTS, write_defaults
from known_words import list_words
from networks import load_vae, make_text_encoder, make_tokenizer, make_transformer
from preview_map import fit_preview


def mean_of(states):
    return {name: sum(state[name] for state in states) / len(states) for name in states[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vae", default="vae.safetensors")
    parser.add_argument("--transformer", nargs="+", default=["transformer.pt"])
    parser.add_argument("--out", default="golden/model")
    options = parser.parse_args()
    saved = [torch.load(path) for path in options.transformer]
    vae = load_vae(options.vae, *([float(x) for x in saved[0][key]] for key in ("mean", "std")))
    transformer, text_encoder = make_transformer(), make_text_encoder()
    transformer.load_state_dict(mean_of([each["m"] for each in saved]))
    text_encoder.load_state_dict(mean_of([each["te"] for each in saved]))
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
    defaults = {**DEFAULTS, "words": list_words(), "preview": fit_preview(vae)}
    write_defaults(pathlib.Path(options.out) / "firstframe.json", defaults)


main()

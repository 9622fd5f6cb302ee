"""What single files of Wan's transformer and text encoder are like: names, and what of them is quantised."""
import pathlib
import re

NAMES = pathlib.Path(__file__).parents[1] / "golden/diffusers/names"
KEPT = ("patch_embedding.", "text_embedding.", "time_projection.", "time_embedding.", "img_emb.", "head.")
NUMBERED = re.compile(r"\b(blocks?|blk)\.(\d+)")


def rename(names, golden):
    """{name: other name}, as golden/diffusers/names/GOLDEN.txt has them for the first blocks."""
    patterns = {}
    for line in (NAMES / f"{golden}.txt").read_text().splitlines():
        other, ours = (NUMBERED.sub(r"\1.#", name) for name in line.split())
        patterns[ours] = other
    renamed = {}
    for name in names:
        number = NUMBERED.search(name)
        other = patterns[NUMBERED.sub(r"\1.#", name)]
        renamed[name] = other.replace("#", number[2]) if number else other
    return renamed


def is_vector(name, shape):
    """What stays F32: vectors, small tensors, modulations, convolutions."""
    count = 1
    for size in shape:
        count *= size
    return not 2 <= len(shape) <= 3 or count <= 1024 or name.endswith(".modulation")


def is_quantised(name, shape, block):
    """Whether a tensor's elements may be blocks of so many; else it has 16 bits, if it is no vector.

    As ComfyUI-GGUF's converter and llama.cpp's have it. name: the original's, or that of the encoder's GGUF.
    """
    return (not is_vector(name, shape) and len(shape) == 2 and shape[-1] % block == 0 and not name.startswith(KEPT)
            and ".attn_rel_b." not in name and "relative_attention_bias" not in name)

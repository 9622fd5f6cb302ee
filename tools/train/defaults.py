"""firstframe.json: what a model's folder says beside diffusers' files (golden/README.md lists its keys)."""

import json

DEFAULTS = {
    "width": 128,
    "height": 128,
    "frames": 25,
    "fps": 8,
    "steps": 10,
    "guidance_scale": 1.5,
    "negative_prompt": "",
    "draws": "small portraits of a young woman or man, and lakes",
}


def write_defaults(path, defaults):
    """A line for each value, for each text of the words and for each row of the preview's maps."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in defaults.items() if key not in LONG]
    lines += [long(defaults[key]) for key, long in LONG.items() if key in defaults]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def write_words(words):
    return '  "words": [\n    ' + ",\n    ".join(map(json.dumps, words)) + "\n  ]"


def write_preview(preview):
    maps = ["      [" + ",\n       ".join(map(json.dumps, rows)) + "]" for rows in preview["weights"]]
    bias = json.dumps(preview["bias"])
    return '  "preview": {\n    "weights": [\n' + ",\n".join(maps) + f'\n    ],\n    "bias": {bias}\n  }}'


LONG = {"words": write_words, "preview": write_preview}

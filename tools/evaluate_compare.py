"""What the first frame is worth, over many scenes: runs `firstframe compare` and prints one table.

    python3 tools/evaluate_compare.py --program build/firstframe --model golden/model --out out/compared

Scenes are the renderer's, never trained on (seeds from 777500 on): head turns, breezes, push-ins and sunrises over a
lake, in equal parts; the still is the renderer's own picture. Needs skia-python, Pillow and numpy
(tools/requirements.txt). Further options go to `firstframe compare`. The table is also written to OUT/table.md.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys

from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent / "train"))
from lake import sample_lake  # noqa: E402
from portrait import sample_portrait  # noqa: E402
from scenes import render  # noqa: E402

FIRST_SEED = 777500
SIZE, FRAMES = 128, 25
FIGURES = ("identity", "composition", "palette")
# a kind of scene: who draws it, what its caption must hold, and what its motion, which is a single one, must hold
KINDS = {
    "head turn": (sample_portrait, "Portrait", "head"),
    "breeze": (sample_portrait, "Portrait", "breeze"),
    "push-in": (sample_portrait, "Portrait", "push-in"),
    "sunrise": (sample_lake, "sunrise", "sun rises"),
}


def sample(number, kind):
    draw, shown, asked = KINDS[kind]
    rng = random.Random(FIRST_SEED + number)
    while True:
        scene = draw(rng)
        if shown in scene["still"] and asked in scene["move"] and "," not in scene["move"]:
            return scene


def compare(options, more, number, kind):
    """The report's only motion."""
    scene = sample(number, kind)
    folder = pathlib.Path(options.out) / f"{number:02}-{kind.replace(' ', '-')}"
    folder.mkdir(parents=True, exist_ok=True)
    still = folder / "still.png"
    Image.fromarray(render(scene, FRAMES, SIZE, 0, 1)[0]).save(still)
    command = [options.program, "compare", "-m", options.model, "-i", still, "-p", scene["still"]]
    command += ["--motion", scene["move"], "-n", str(options.seeds), "-q", "-o", folder, *more]
    subprocess.run([str(word) for word in command], check=True)
    motion = json.loads((folder / "report.json").read_text())["motions"][0]
    print(f"{number + 1}. {scene['still']}: {motion['verdict'] or motion['motion']}", file=sys.stderr, flush=True)
    return motion


def mean(motions, way, *keys):
    values = []
    for motion in motions:
        value = motion[way]
        for key in keys:
            value = value[key]
        if value is not None:
            values.append(value)
    return sum(values) / len(values) if values else float("nan")


def ratio(motions, *keys):
    """The mean from the still over the mean from text alone."""
    below = mean(motions, "unanchored", *keys)
    return mean(motions, "anchored", *keys) / below if below else float("nan")


def row(name, motions):
    cells = [name, str(len(motions))]
    cells += [f"{ratio(motions, 'spread_across_seeds', figure):.2f}" for figure in FIGURES]
    cells.append(f"{ratio(motions, 'motion'):.2f}")
    for figure in FIGURES:
        own = [mean(motions, way, "from_own_first_frame", figure) for way in ("anchored", "unanchored")]
        cells.append(" / ".join(f"{value:.{2 if figure == 'palette' else 3}f}" for value in own))
    return "| " + " | ".join(cells) + " |"


def judge(motions):
    spread = [ratio(motions, "spread_across_seeds", figure) for figure in FIGURES]
    moved = ratio(motions, "motion")
    drift = [ratio(motions, "from_own_first_frame", figure) for figure in FIGURES]

    def say(what, holds):
        return f"- {what}: {'yes' if holds else 'no'}"

    return [
        say("spread across seeds at most a third of text-to-video's, in each figure", all(v <= 1 / 3 for v in spread)),
        say("amount of motion within a factor of two", 0.5 <= moved <= 2),
        say("own-frame drift no worse, in each figure", all(v <= 1 for v in drift)),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/firstframe")
    parser.add_argument("--model", default="golden/model")
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=4, help="of each scene, at least 2")
    parser.add_argument("--out", default="out/compared")
    options, more = parser.parse_known_args()
    if options.scenes < 1 or options.seeds < 2:
        parser.error("it takes at least one scene and two seeds")
    kinds = list(KINDS)
    done = {kind: [] for kind in kinds}
    for number in range(options.scenes):
        kind = kinds[number % len(kinds)]
        done[kind].append(compare(options, more, number, kind))
    motions = [motion for kind in kinds for motion in done[kind]]
    heads = ["kind", "scenes"] + [f"spread, {figure}" for figure in FIGURES] + ["motion"]
    heads += [f"own-frame drift, {figure}" for figure in FIGURES]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    lines += [row(kind, done[kind]) for kind in kinds if done[kind]] + [row("all", motions), ""]
    lines.append(f"Spread over {options.seeds} seeds, and motion: from the still over from text alone.")
    lines += ["Drift: from the still / from text alone.", ""] + judge(motions)
    text = "\n".join(lines) + "\n"
    print(text, end="")
    (pathlib.Path(options.out) / "table.md").write_text(text)


if __name__ == "__main__":
    main()

"""Makes the pictures of the README's section "See why it works" from what compare and explain write.

    python3 tools/lesson.py        (after tools/build.sh; --help tells the rest)

Runs `firstframe compare` and `firstframe explain` into --work, takes clips out of their folders, and writes small
animated WebPs and the figures behind them (golden/frozen/demo/lesson/figures.md) into --out. Needs Pillow
(tools/requirements.txt).
"""

import argparse
import json
import pathlib
import subprocess

from PIL import Image, ImageSequence

PORTRAIT = "Portrait of a young woman with auburn hair, soft studio lighting, looking left, soft illustration"
LAKE = "A sunrise over a lake, mountains in the distance, soft illustration"
SIMPLE = "She slowly turns her head toward the camera"
ELABORATE = (
    "She slowly turns her head toward the camera and gives a subtle smile, she blinks, gentle breeze moves her hair, "
    "warm light slowly brightens, slow push-in camera"
)
# the picture's name, the prompt of the still, the motion; the last two are shown beside each other
SHOWN = [
    ("turn", PORTRAIT, "subtle head turn toward the camera"),
    ("breeze", PORTRAIT, "gentle breeze moves her hair"),
    ("push-in", PORTRAIT, "slow push-in camera"),
    ("sunrise", LAKE, "the sun rises slowly"),
    ("simple", PORTRAIT, SIMPLE),
    ("elaborate", PORTRAIT, ELABORATE),
]
GAP, EVERY, MOST_BYTES = 4, 2, 150_000


def frames_of(path):
    with Image.open(path) as clip:
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(clip)]
        return frames, clip.info.get("duration", 125)


def side_by_side(pictures):
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    out = Image.new("RGB", (width, max(picture.height for picture in pictures)), "white")
    at = 0
    for picture in pictures:
        out.paste(picture, (at, 0))
        at += picture.width + GAP
    return out


def write(path, clips):
    """Clips beside each other, every second frame, as large a quality as fits."""
    read = [frames_of(clip) for clip in clips]
    length = min(len(frames) for frames, _ in read)
    rows = [side_by_side([frames[at] for frames, _ in read]) for at in range(0, length, EVERY)]
    for quality in (85, 70, 55, 40):
        rows[0].save(path, save_all=True, append_images=rows[1:], duration=EVERY * read[0][1], loop=0,
                     quality=quality, method=6)
        if path.stat().st_size <= MOST_BYTES:
            break
    print(path, path.stat().st_size, "bytes")


def run(options, command, *words):
    line = [options.program, command, "-m", options.model, "-q", *words]
    for name in ("steps",) if command == "t2i" else ("steps", "frames"):
        if getattr(options, name):
            line += [f"--{name}", getattr(options, name)]
    subprocess.run([str(word) for word in line], check=True)


def make_still(options, name, prompt, seed):
    path = options.work / f"{name}.png"
    run(options, "t2i", "-p", prompt, "-s", seed, "-o", path)
    return path


def compare(options, name, prompt, still):
    motions = [motion for _, of, motion in SHOWN if of == prompt]
    folder = options.work / name
    words = [word for motion in motions for word in ("--motion", motion)]
    run(options, "compare", "-i", still, "-p", prompt, *words, "-n", options.seeds, "-o", folder)
    report = json.loads((folder / "report.json").read_text())
    return {motion["motion"]: (folder, motion) for motion in report["motions"]}


def figures(done):
    """A table of what compare measured."""
    lines = [
        "# The figures behind the README's pictures", "",
        "As `firstframe compare` measured them: from the still / from text alone. What they are stands in the README. "
        "`tools/lesson.py` writes this file.", "",
        "| motion asked | spread: identity | composition | palette | own drift: identity | palette | motion, %/s |",
        "|---|---|---|---|---|---|---|",
    ]
    for _, _, asked in SHOWN:
        motion = done[asked][1]
        cells = [asked]
        for key, figure in (
            ("spread_across_seeds", "identity"), ("spread_across_seeds", "composition"),
            ("spread_across_seeds", "palette"), ("from_own_first_frame", "identity"),
            ("from_own_first_frame", "palette"),
        ):
            cells.append(" / ".join(f"{motion[way][key][figure]:.2f}" for way in ("anchored", "unanchored")))
        cells.append(" / ".join(f"{motion[way]['motion']:.1f}" for way in ("anchored", "unanchored")))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/firstframe")
    parser.add_argument("--model", default="golden/model")
    parser.add_argument("--still", help="the portrait; without it, one is made")
    parser.add_argument("--portrait-seed", type=int, default=4)
    parser.add_argument("--lake-seed", type=int, default=7)
    parser.add_argument("--seeds", type=int, default=4, help="of each motion, at least 2")
    parser.add_argument("--work", type=pathlib.Path, default="out/lesson")
    parser.add_argument("--out", type=pathlib.Path, default="golden/frozen/demo/lesson")
    parser.add_argument("--steps", type=int, help="default: the model's")
    parser.add_argument("--frames", type=int, help="default: the model's")
    options = parser.parse_args()
    for folder in (options.work, options.out):
        folder.mkdir(parents=True, exist_ok=True)
    portrait = options.still or make_still(options, "portrait", PORTRAIT, options.portrait_seed)
    done = compare(options, "portrait", PORTRAIT, portrait)
    done |= compare(options, "lake", LAKE, make_still(options, "lake", LAKE, options.lake_seed))

    def clip(asked, way):
        folder, motion = done[asked]
        return folder / motion[way]["clips"][0]["clip"]

    for name, _, asked in SHOWN[:4]:
        write(options.out / f"{name}.webp", [clip(asked, "anchored"), clip(asked, "unanchored")])
    write(options.out / "simple-elaborate.webp", [clip(SIMPLE, "anchored"), clip(ELABORATE, "anchored")])
    explained = options.work / "explained"
    run(options, "explain", "-i", portrait, "-p", SIMPLE, "--ablate", "all", "-o", explained)
    names = ("clip", "without-timestep", "without-known", "without-attention")
    write(options.out / "taken-away.webp", [explained / f"{name}.webp" for name in names])
    steps = sorted(explained.glob("step-*.webp"))
    write(options.out / "steps.webp", [steps[k * (len(steps) - 1) // 3] for k in range(4)])
    (options.out / "figures.md").write_text(figures(done))


if __name__ == "__main__":
    main()

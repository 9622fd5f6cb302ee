#!/usr/bin/env python3
"""Injects the mistakes that ports make into diffusers itself and checks what `firstframe verify` says of the dumps.

    python3 tests/inject_diffusers.py [--firstframe PROGRAM] [--keep FOLDER] [NAME...]

Each case of tests/diffusers_faults.py runs one of the small models of golden/diffusers/models through
tools/dump_diffusers.py with something replaced: a weight, a setting, or a line of diffusers' source. It must be blamed
on the right stage, and the cause must contain the words given there; harmless variations must be called rounding. Needs
what tools/requirements.txt lists first, so that this is run by hand; tests/test_verify.c injects at small size without
them.
"""
import argparse
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
from unittest import mock

import torch
import transformers
from diffusers.utils import logging

from diffusers_faults import CASES

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import dump_diffusers  # noqa: E402


def make_dump(options, change):
    threads = torch.get_num_threads()
    load = dump_diffusers.load_pipeline
    with contextlib.ExitStack() as undo:
        def changed(options):
            pipe = load(options)
            change(pipe, undo)
            return pipe
        undo.enter_context(mock.patch.object(dump_diffusers, "load_pipeline", changed))
        tensors, metadata = dump_diffusers.run(options)
        dump_diffusers.write(options, tensors, metadata)
    torch.set_num_threads(threads)


def run_case(name, folder, program):
    line, stage, cause, change = CASES[name]
    path = folder / f"{name}.safetensors"
    options = dump_diffusers.parse([*line, "--dump", str(path)])
    if not path.exists():
        make_dump(options, change)
    done = subprocess.run([program, "verify", str(path), "-m", options.model, "--json"], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        return False, False, f"WRONG {name}: exit status {done.returncode}: {done.stderr.strip()}"
    report = json.loads(done.stdout)
    found, why = report["stage"], report["cause"] or ""
    right_stage = found == stage and done.returncode == (1 if stage else 0)
    right_cause = cause in why
    worst = [s for s in report["stages"] if s["name"] == found] or [
        max((s for s in report["stages"] if "error" in s and s["expected"]), key=lambda s: s["error"] / s["expected"])]
    figures = f"{worst[0]['tensor']} error {worst[0]['error']:.2g}, rounding up to {worst[0]['expected']:.2g}"
    mark = "ok  " if right_stage and right_cause else "WRONG"
    return right_stage, right_cause, f"{mark} {name}: {report['verdict']} {found or ''} ({figures}) {why}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--firstframe", default=str(ROOT / "build/firstframe"))
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the dumps; those it has are used again")
    options = parser.parse_args()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    totals = {True: [0, 0, 0], False: [0, 0, 0]}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in options.names or CASES:
            stage, cause, text = run_case(name, folder, options.firstframe)
            print(text, flush=True)
            total = totals[CASES[name][1] is not None]
            total[0] += 1
            total[1] += stage
            total[2] += stage and cause
    faults, harmless = totals[True], totals[False]
    print(f"{faults[0]} faults: stage right in {faults[1]}, cause in {faults[2]}; "
          f"{harmless[0]} harmless variations: {harmless[1]} called rounding")
    return 0 if faults[0] == faults[2] and harmless[0] == harmless[1] else 1


if __name__ == "__main__":
    sys.exit(main())

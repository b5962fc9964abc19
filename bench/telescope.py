"""How many events a second are cleaned and described (DL1b), beside ctapipe's loop over the same images.

    python -m bench.telescope [--events 20000] [--rounds 5] [--ctapipe .venv-ctapipe/bin/python]

Events are made-up showers that trigger, as many gammas as protons; of some no pixel is kept, and nobody describes them.
ctapipe takes one after the other in its own environment (`make field`), with the functions that the recorded values of the
tests come from, without muon rings. Each figure is the median of all rounds, of CPU time; one thread, imports not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.table import render

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "tests/workflows/telescope/toy/record_ctapipe.py"
LOOP = """
import importlib.util, json, sys, time
import numpy as np
spec = importlib.util.spec_from_file_location("record", sys.argv[1])
record = importlib.util.module_from_spec(spec)
spec.loader.exec_module(record)
given, (camera, _) = np.load(sys.argv[2]), record.geometry()
images, times = given["image"][: int(sys.argv[3])].astype(float), given["time"][: int(sys.argv[3])].astype(float)

def loop(number):
    for image, at in zip(images[:number], times[:number]):
        mask = record.tailcuts_clean(camera, image, 8, 4, min_number_picture_neighbors=2)
        if mask.any():
            record.parameters(camera, image, at, mask)

loop(5)
begun = time.process_time()
loop(len(images))
print(json.dumps([record.__version__, len(images) / (time.process_time() - begun)]))
"""
LOOPED = 600  # images


def make_images(number: int, path: Path) -> None:
    """Write the images of so many events."""
    import numpy as np

    from penstock.workflows.telescope.toy.training import simulate_images

    images, times, rng = [], [], np.random.default_rng(7)
    while sum(map(len, images)) < number:
        for particle in ("gamma", "proton"):
            made = simulate_images(particle, 500, rng)
            images.append(made.image)
            times.append(made.peak_time)
    order = rng.permutation(sum(map(len, images)))[:number]
    np.savez(path, image=np.concatenate(images)[order], time=np.concatenate(times)[order])


def describe(path: Path, rounds: int) -> tuple[float, float]:
    """Give events a second, and kept pixels of an image that has some."""
    import numpy as np

    from penstock.workflows.telescope.toy.camera import camera
    from penstock.workflows.telescope.toy.parameters import parametrise

    given = np.load(path)
    image, at = given["image"], given["time"]
    rows, rates = parametrise(camera(), image[:200], at[:200]), []
    for _ in range(rounds):
        begun = time.process_time()
        rows = parametrise(camera(), image, at)
        rates.append(len(image) / (time.process_time() - begun))
    return median(rates), float(rows["morphology_n_pixels"][rows["morphology_n_pixels"] > 0].mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ctapipe", type=Path, default=ROOT / ".venv-ctapipe/bin/python")
    chosen = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="bench-telescope-") as folder:
        path = Path(folder, "images.npz")
        make_images(chosen.events, path)
        rate, pixels = describe(path, chosen.rounds)
        rows = [("", "events/s", "× ctapipe")]
        if chosen.ctapipe.exists():
            command = [chosen.ctapipe, "-c", LOOP, RECORD, path, str(LOOPED)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            version, theirs = json.loads(done.stdout)
            rows += [("toy chain", f"{rate:,.0f}", f"{rate / theirs:.0f}")]
            rows += [(f"ctapipe {version}, a loop", f"{theirs:,.0f}", "1")]
        else:
            print("ctapipe is not there: `make field` installs it", file=sys.stderr)
            rows += [("toy chain", f"{rate:,.0f}", "")]
    print(f"{chosen.events:,} events, {pixels:.0f} pixels an image that has some; {chosen.rounds} rounds:\n")
    print(*render(rows), sep="\n")


if __name__ == "__main__":
    main()

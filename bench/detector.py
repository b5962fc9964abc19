"""The rate and the memory of the pixel status, beside the plainest numpy pass over the same file.

    python bench/detector.py [--frames 1000] [--shape 512x1024] [--chunk 32] [--rounds 3] [--dtype uint16]

The plain pass reads the same chunks and adds up sum and sum of squares, nothing else: no range, no extremes, no limits.
Each contestant is a process of its own; they take turns, and of each figure the least of all rounds counts. Imports and
the making of the file are not timed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PEAK = """
def peak_mb():
    # not ru_maxrss: Linux keeps that of the parent across fork and exec
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
"""

PLAIN = """
import json, os, sys, time
import h5py, numpy as np
before = sum(os.times()[:4])
path, chunk = sys.argv[1], int(sys.argv[2])
begun = time.perf_counter()
with h5py.File(path) as file:
    data = file["entry/data/data"]
    total, squares = np.zeros(data.shape[1:]), np.zeros(data.shape[1:])
    for first in range(0, len(data), chunk):
        frames = data[first:first + chunk].astype(np.float64)
        total += frames.sum(axis=0)
        squares += (frames * frames).sum(axis=0)
    mean = total / len(data)
    rms = np.sqrt(squares / len(data) - mean * mean)
print(json.dumps({"s": time.perf_counter() - begun, "cpu": sum(os.times()[:4]) - before, "mb": peak_mb()}))
"""

OURS = """
import json, os, sys, time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from penstock.workflows.detector.frames import open_run
from penstock.workflows.detector.passes import measure, sum_part
from penstock.workflows.detector.settings import Settings
from penstock.workflows.detector.status import judge
path, chunk, mode, workers = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
chosen = Settings(mode=mode)
start, before = peak_mb(), sum(os.times()[:4])
def part(ends):
    return sum_part(open_run([path]), chosen, first=ends[0], last=ends[1], size=chunk)
begun = time.perf_counter()
if workers == 1:
    measure(open_run([path]), chosen, size=chunk)
else:
    n = len(open_run([path]))
    with ProcessPoolExecutor(workers) as pool:
        first, *others = pool.map(part, [(n * i // workers, n * (i + 1) // workers) for i in range(workers)])
    for each in others:
        first.merge(each)
    judge(first, chosen)
print(json.dumps({"s": time.perf_counter() - begun, "cpu": sum(os.times()[:4]) - before, "mb": peak_mb(), "start": start}))
"""


def make_run(path: Path, frames: int, shape: tuple[int, ...], dtype: str) -> int:
    """Write frames of noise, 1500 ± 3, with a few dead and a few flashing pixels; give their bytes."""
    import h5py
    import numpy as np

    rng = np.random.default_rng(1)
    block = rng.normal(1500, 3, (16, *shape))
    block[:, ..., ::97] *= rng.random((16, *block[0, ..., ::97].shape)) < 0.999
    block[:, 3, 5] = 0
    with h5py.File(path, "w") as file:
        made = file.create_dataset("entry/data/data", (frames, *shape), dtype, chunks=(1, *shape))
        for first in range(0, frames, len(block)):
            made[first : first + len(block)] = np.roll(block, first, axis=2)[: frames - first].round()
    return path.stat().st_size


def run(code: str, *words: object) -> dict[str, Any]:
    """Run code in a fresh process; give the figures that it prints."""
    command = [sys.executable, "-c", PEAK + code, *map(str, words)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def compete(path: Path, chunk: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Run all contestants in turn."""
    contests = {
        "plain numpy": (PLAIN,),
        "classic": (OURS, "classic", 1),
        "robust": (OURS, "robust", 1),
        "classic, 2 workers": (OURS, "classic", 2),
        "robust, 2 workers": (OURS, "robust", 2),
    }
    taken: dict[str, list[dict[str, Any]]] = {name: [] for name in contests}
    for _ in range(rounds):
        for name, (code, *words) in contests.items():
            taken[name].append(run(code, path, chunk, *words))
    return {name: {key: min(one[key] for one in each) for key in each[0]} for name, each in taken.items()}


def table(found: dict[str, dict[str, Any]], size: int) -> Iterator[str]:
    """Write a line a contestant: seconds, bytes a second, beside the plain pass, peak memory."""
    plain = found["plain numpy"]["s"]
    for name, figures in found.items():
        rate = f"{size / 1e9 / figures['s']:6.2f} GB/s{plain / figures['s']:7.2f} × plain"
        yield f"{name:20}{figures['s']:8.2f} s{rate}{figures['cpu']:8.2f} CPU-s{figures['mb']:8.0f} MB peak"
    for mode in ("classic", "robust"):
        two = found[f"{mode}, 2 workers"]
        wall, work = (found[mode][each] / two[each] for each in ("s", "cpu"))
        yield f"{mode}: 2 workers are {wall:.2f} times as fast as one; on cores of their own {2 * work:.2f} at most"
        yield f"{mode}: {found[mode]['mb'] - found[mode]['start']:.0f} MB more than with the imports alone"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--shape", default="512x1024", help="of a frame")
    parser.add_argument("--chunk", type=int, default=32, help="frames that are read at once")
    parser.add_argument("--rounds", type=int, default=3, help="of which the least counts")
    parser.add_argument("--dtype", default="uint16")
    chosen = parser.parse_args()
    shape = tuple(map(int, chosen.shape.split("x")))
    with tempfile.TemporaryDirectory(prefix="bench-detector-") as folder:
        path = Path(folder, "run.h5")
        size = make_run(path, chosen.frames, shape, chosen.dtype)
        print(
            f"{chosen.frames} frames of {chosen.shape} {chosen.dtype}, {size / 1e6:.0f} MB, {chosen.chunk} at once"
        )
        print(*table(compete(path, chosen.chunk, chosen.rounds), size), sep="\n")


if __name__ == "__main__":
    main()

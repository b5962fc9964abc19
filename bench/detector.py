"""The rate and the memory of the pixel status, beside the plainest numpy pass over the same files.

    python -m bench.detector [--frames 1000] [--streams 4] [--shape 512x1024] [--chunk 32] [--rounds 5] [--dtype uint16]

The plain pass reads the same chunks and adds up sum and sum of squares, nothing else: no range, no extremes, no limits.
Two workers share one run, by frames, and what they have is merged and judged. The two of the plain pass take half of the
frames each and give nothing back: what this machine can give two processes at most.

Each contestant is a process of its own; they take turns, so that each ratio is of neighbours in time, and each figure
is the median of all rounds. Imports and the making of the file are not timed. Others who use the cores meanwhile take
from two workers what they do not take from one; so there is also the longest path: the CPU of what cannot be side by side
and of the slower worker, which is the wall time on cores of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from bench.table import Row, render

PLAINEST, TWO = "plain numpy", "{}, 2 workers"
CONTESTANTS = {PLAINEST: "plain", "classic": "classic", "robust": "robust"}
HEADINGS = (
    *("", "wall s", "CPU s", "longest path, s", "GB/s", "× plain numpy, by path"),
    *("× one worker, by wall", "… by path", "peak MB beside imports"),
)

Round = dict[str, dict[str, float]]


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


def run(mode: str, chunk: int, workers: int, paths: Sequence[Path]) -> dict[str, float]:
    """Run a contestant in a fresh process; give the figures that it prints."""
    command = [sys.executable, "-m", "bench.detector_passes", mode, str(chunk), str(workers)]
    done = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def compete(paths: Sequence[Path], chunk: int, rounds: int) -> list[Round]:
    """Run all contestants in turn, one worker and two right after each other."""
    found: list[Round] = []
    for _ in range(rounds):
        each: Round = {}
        for name, mode in CONTESTANTS.items():
            each[name] = run(mode, chunk, 1, paths)
            each[TWO.format(name)] = run(mode, chunk, 2, paths)
        found.append(each)
    return found


def tell(found: list[Round], size: int) -> Iterator[str]:
    """Write a line a contestant; ratios are medians of those of each round."""

    def figure(name: str, key: str) -> float:
        return median(each[name][key] for each in found)

    def ratio(slow: str, fast: str, key: str) -> str:
        return f"{median(each[slow][key] / each[fast][key] for each in found):.2f}"

    rows: list[Row] = [HEADINGS]
    for one in CONTESTANTS:
        for name in (one, two := TWO.format(one)):
            wall, cpu, path = (f"{figure(name, key):.2f}" for key in ("s", "cpu", "path"))
            faster = [ratio(one, two, key) if name == two else "" for key in ("s", "path")]
            memory = "" if name == two else f"{figure(name, 'mb'):.0f}"
            rate = f"{size / 1e9 / figure(name, 's'):.2f}"
            rows.append((name, wall, cpu, path, rate, ratio(PLAINEST, name, "path"), *faster, memory))
    yield from render(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=1000, help="of a stream")
    parser.add_argument("--streams", type=int, default=4, help="of the run; all are links to one file")
    parser.add_argument("--shape", default="512x1024", help="of a frame")
    parser.add_argument("--chunk", type=int, default=32, help="frames that are read at once")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts")
    parser.add_argument("--dtype", default="uint16")
    chosen = parser.parse_args()
    shape = tuple(map(int, chosen.shape.split("x")))
    with tempfile.TemporaryDirectory(prefix="bench-detector-") as folder:
        paths = [Path(folder, f"run-s{stream:02d}.h5") for stream in range(chosen.streams)]
        size = make_run(paths[0], chosen.frames, shape, chosen.dtype)
        for path in paths[1:]:
            path.hardlink_to(paths[0])
        print(
            f"{chosen.frames * chosen.streams:,} frames of {chosen.shape} {chosen.dtype} in {chosen.streams} streams,"
            f" {size * chosen.streams / 1e9:.1f} GB, read in chunks of {chosen.chunk} frames,"
            f" {size * chosen.chunk / chosen.frames / 1e6:.0f} MB; {chosen.rounds} rounds, medians:\n"
        )
        found = compete(paths, chosen.chunk, chosen.rounds)
        print(*tell(found, size * chosen.streams), sep="\n")


if __name__ == "__main__":
    main()

"""One contestant of `bench.detector`, in a process of its own: `python -m bench.detector_passes MODE CHUNK WORKERS FILE…`.

MODE is `plain`, the plainest numpy pass, or a mode of the pixel status. It prints what it took, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from penstock.workflows.detector.frames import DATASET, open_run
from penstock.workflows.detector.passes import measure, sum_part
from penstock.workflows.detector.settings import Settings
from penstock.workflows.detector.status import judge

Ends = tuple[int, int]  # the first frame, and that after the last


def plain(paths: Sequence[Path], chunk: int, ends: Ends) -> None:
    """Add up sum and sum of squares of some frames."""
    total, squares, begin = 0.0, 0.0, 0
    for path in paths:
        with h5py.File(path) as file:
            data = file[DATASET]
            end = min(len(data), ends[1] - begin)
            for first in range(max(0, ends[0] - begin), end, chunk):
                frames = data[first : min(first + chunk, end)].astype(np.float64)
                total += frames.sum(axis=0)
                squares += (frames * frames).sum(axis=0)
            begin += len(data)
    count = ends[1] - ends[0]
    np.sqrt(squares / count - (total / count) ** 2)


def plain_pass(paths: Sequence[Path], chunk: int, workers: int) -> float:
    """Let workers do it; give the CPU of the slowest, if there are several."""
    count = sum(len(piece.places) for piece in open_run(paths).pieces)
    if workers == 1:
        plain(paths, chunk, (0, count))
        return 0.0
    return shared(partial(plain, paths, chunk), count, workers)[1]


def ours(paths: Sequence[Path], chunk: int, chosen: Settings, ends: Ends) -> Any:
    """Sum some frames."""
    return sum_part(open_run(paths), chosen, first=ends[0], last=ends[1], size=chunk)


def our_pass(paths: Sequence[Path], chunk: int, workers: int, mode: str) -> float:
    """Judge a run; give the CPU of the slowest worker, if there are several."""
    run, chosen = open_run(paths), Settings(mode=mode)
    if workers == 1:
        measure(run, chosen, size=chunk)
        return 0.0
    (first, *others), cpu = shared(partial(ours, paths, chunk, chosen), len(run), workers)
    for each in others:
        first.merge(each)
    judge(first, chosen)
    return cpu


def shared(part: Callable[[Ends], Any], count: int, workers: int) -> tuple[list[Any], float]:
    """Let workers share the frames; give what they made, and the CPU of the slowest."""
    ends = [(count * i // workers, count * (i + 1) // workers) for i in range(workers)]
    with ProcessPoolExecutor(workers) as pool:
        done = list(pool.map(partial(clocked, part), ends))
    return [made for made, _ in done], max(cpu for _, cpu in done)


def clocked(part: Callable[[Ends], Any], ends: Ends) -> tuple[Any, float]:
    """Do a part; give the CPU of this process since its start, too."""
    made = part(ends)
    return made, time.process_time()


def peak_mb() -> float:
    """Give the peak of this process; ru_maxrss keeps that of the parent across fork and exec."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    mode, chunk, workers, *names = sys.argv[1:]
    paths = [*map(Path, names)]
    contestant = plain_pass if mode == "plain" else partial(our_pass, mode=mode)
    start, before, own, begun = peak_mb(), sum(os.times()[:4]), time.process_time(), time.perf_counter()
    slowest = contestant(paths, int(chunk), int(workers))
    took = {"s": time.perf_counter() - begun, "cpu": sum(os.times()[:4]) - before}
    print(json.dumps(took | {"path": time.process_time() - own + slowest, "mb": peak_mb() - start}))


if __name__ == "__main__":
    main()

"""Processor time, memory, space and scaling of the acoustics workflow, beside OSEkit on the same files.

    python bench/acoustics.py [--minutes 60] [--seconds 60] [--rounds 3] [--osekit PYTHON | --alone]

Each contestant is a process of its own; they take turns, and of each figure the least of all rounds
counts, since a machine that is shared only ever adds. Start-up (the interpreter and its imports, paid
once a worker) stands apart from what an hour of sound costs. OSEkit needs a Python of at least 3.12: where
one is found, it gets a venv of its own in `.venv-osekit`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

if __package__ is None:
    sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import osekit

RATE, NFFT, FILE_SECONDS = 48_000, 1024, 60
Figures = dict[str, Any]

OURS = """
import json, os, resource, sys, time
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, UTC
from pathlib import Path
from penstock.workflows.acoustics import setup
from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.settings import Settings
setup()
start, begun = sum(os.times()[:4]), time.perf_counter()
folder, out, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
def one(path):
    name = out / path.stem
    measure(str(path), datetime(2026, 1, 1, tzinfo=UTC), Settings(),
            product=name.with_suffix(".nc"), picture=name.with_suffix(".png"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
with ProcessPoolExecutor(workers) as pool:
    peak = max(pool.map(one, sorted(folder.glob("*.wav"))))
print(json.dumps({"wall": time.perf_counter() - begun, "start": start, "cpu": sum(os.times()[:4]) - start, "mb": peak}))
"""

NUMPY = """
import json, os, resource, sys, time
from pathlib import Path
import numpy as np, soundfile
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image
start, begun = sum(os.times()[:4]), time.perf_counter()
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
window = np.hanning(1025)[:-1].astype(np.float32)
for path in sorted(folder.glob("*.wav")):
    samples, rate = soundfile.read(path, dtype="float32")
    frames = sliding_window_view(samples, 1024)[::512] * window
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 * (2 / (rate * np.sum(window**2)))
    np.save(out / f"{path.stem}.npy", power.mean(axis=0))
    level = 10 * np.log10(power.T[::-1] + 1e-20)
    low, high = np.percentile(level, (5, 99.5))
    grey = np.clip((level - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    Image.fromarray(grey).save(out / f"{path.stem}.png")
mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"wall": time.perf_counter() - begun, "start": start, "cpu": sum(os.times()[:4]) - start, "mb": mb}))
"""

CAMPAIGN = """
import json, os, resource, subprocess, sys, time
folder, out = sys.argv[1:]
penstock = [sys.executable, "-m", "penstock"]
subprocess.run([*penstock, "init", "acoustics", out + "/sea", "--audio", folder], check=True, capture_output=True)
before, begun = sum(os.times()[:4]), time.perf_counter()
subprocess.run([*penstock, "run"], cwd=out + "/sea", check=True, capture_output=True)
mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps({"wall": time.perf_counter() - begun, "start": 0.0, "cpu": sum(os.times()[:4]) - before, "mb": mb}))
"""


def make_sound(folder: Path, minutes: int, seconds: int = FILE_SECONDS) -> int:
    """Write files of so many seconds; give their bytes."""
    import numpy as np
    import soundfile

    folder.mkdir()
    for i in range(minutes * 60 // seconds):
        samples = 0.1 * np.random.default_rng(i).standard_normal(seconds * RATE)
        begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=i * seconds)
        soundfile.write(folder / f"{begin:%Y%m%d_%H%M%S}.wav", samples, RATE, subtype="PCM_16")
    return size_of(folder)


def size_of(folder: Path, *suffixes: str) -> int:
    files = (each for each in folder.rglob("*") if each.is_file())
    return sum(each.stat().st_size for each in files if not suffixes or each.suffix in suffixes)


def run(python: str, code: str, *words: object) -> Figures:
    """Run code in a fresh process; give the figures that it prints last, or why there are none."""
    command = [python, "-c", code, *map(str, words)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        return {"failed": (ran.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(ran.stdout.strip().splitlines()[-1])


def least(rounds: list[Figures]) -> Figures:
    """Take the least of each figure; a failure counts if all failed."""
    good = [each for each in rounds if "failed" not in each]
    return {name: min(each[name] for each in good) for name in good[0]} if good else rounds[0]


def compete(folder: Path, rounds: int, theirs: str | None) -> dict[str, Figures]:
    """Run all contestants in turn, `rounds` times."""
    taken: dict[str, list[Figures]] = {}
    for _ in range(rounds):
        for workers in (1, 2):
            out = fresh(folder / f"ours{workers}")
            made = run(sys.executable, OURS, folder / "audio", out, workers)
            taken.setdefault(f"penstock, {workers} worker{'s' * (workers > 1)}", []).append(made)
        for name, code in ((NUMPY_PASS, NUMPY), (WHOLE, CAMPAIGN)):
            taken.setdefault(name, []).append(
                run(sys.executable, code, folder / "audio", fresh(folder / "other"))
            )
        if theirs:
            made = run(theirs, osekit.WORK, folder / "audio", fresh(folder / "osekit"))
            taken.setdefault("OSEkit, 1 process", []).append(made)
    return {name: least(each) for name, each in taken.items()}


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def table(found: dict[str, Figures], hours: float) -> Iterator[str]:
    yield f"{'':24}{'start-up':>12}{'an hour of sound':>20}{'wall':>12}{'peak':>10}"
    for name, figures in found.items():
        if "failed" in figures:
            yield f"{name:24}could not be run: {figures['failed']}"
            continue
        start, cpu, wall = figures["start"], figures["cpu"] / hours, figures["wall"] / hours
        yield f"{name:24}{start:8.2f} CPU-s{cpu:14.1f} CPU-s{wall:8.1f} s/h{figures['mb']:7.0f} MB"


def ratios(found: dict[str, Figures], folder: Path, size: int) -> Iterator[str]:
    one, two, theirs = (found.get(name, {}) for name in NAMES)
    whole, least = (found.get(name, {}) for name in (WHOLE, NUMPY_PASS))
    if "cpu" in whole and "cpu" in least:
        share = whole["cpu"] / (least["cpu"] + least["start"])
        yield f"a campaign with all products takes {share:.2f} times the processor time of the numpy pass"
    if "wall" in one and "wall" in two:
        yield f"from 1 to 2 workers {one['wall'] / two['wall']:.2f} times as fast"
    yield f"matrices {size_of(folder / 'ours1', '.nc') / size:.3f} of the recordings' bytes"
    if "cpu" in theirs:
        yield (
            f"OSEkit takes {theirs['cpu'] / one['cpu']:.1f} times the processor time, "
            f"{theirs['mb'] / one['mb']:.1f} times the memory; "
            f"its matrices {size_of(folder / 'osekit', '.npz') / size:.2f} of the recordings' bytes"
        )


NUMPY_PASS, WHOLE = "numpy, PSD and grey PNG", "penstock run, all"
NAMES = ("penstock, 1 worker", "penstock, 2 workers", "OSEkit, 1 process")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=int, default=60, help="of sound [60]")
    parser.add_argument("--seconds", type=int, default=FILE_SECONDS, help="of a file [60]")
    parser.add_argument("--rounds", type=int, default=3, help="of which the least counts [3]")
    parser.add_argument("--osekit", metavar="PYTHON", help="a Python that has osekit [found or made]")
    parser.add_argument("--alone", action="store_true", help="leave OSEkit out")
    chosen = parser.parse_args()
    theirs, why = (chosen.osekit, "") if chosen.osekit or chosen.alone else osekit.find_python()
    with tempfile.TemporaryDirectory(prefix="bench-acoustics-") as name:
        folder, hours = Path(name), chosen.minutes / 60
        size = make_sound(folder / "audio", chosen.minutes, chosen.seconds)
        print(f"{chosen.minutes} min of 48 kHz, 16 bits, {size / 1e6:.0f} MB; nfft {NFFT}, 50 % overlap")
        found = compete(folder, chosen.rounds, theirs)
        print(*table(found, hours), *ratios(found, folder, size), sep="\n")
    if not theirs:
        print(f"OSEkit was not run: {why or 'left out'}")


if __name__ == "__main__":
    main()

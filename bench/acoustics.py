"""Processor time and memory of the acoustics workflow for an hour of sound, beside OSEkit's.

    python bench/acoustics.py [--minutes 10] [--osekit PYTHON]

Ours is measured in a process of its own for each number of workers. OSEkit needs a Python of at least 3.12
with `osekit` installed (`python3.12 -m venv v && v/bin/pip install osekit`); without `--osekit` it is not run,
and the page says so.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

RATE, NFFT, FILE_SECONDS = 48_000, 1024, 60

OURS = """
import json, os, resource, sys, time
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, UTC
from pathlib import Path
from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.settings import Settings
folder, out, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
def one(path):
    name = out / path.stem
    measure(str(path), datetime(2026, 1, 1, tzinfo=UTC), Settings(),
            product=name.with_suffix(".nc"), picture=name.with_suffix(".png"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
start = time.perf_counter()
with ProcessPoolExecutor(workers) as pool:
    peak = max(pool.map(one, sorted(folder.glob("*.wav"))))
wall = time.perf_counter() - start
used = os.times()
print(json.dumps({"wall": wall, "mb": peak,
    "cpu": used.user + used.system + used.children_user + used.children_system}))
"""

OSEKIT = """
import json, os, resource, sys, time
from pathlib import Path
start = time.perf_counter()
from osekit.core.audio_dataset import AudioDataset
from osekit.core.spectro_dataset import SpectroDataset
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
audio = AudioDataset.from_folder(folder, strptime_format="%Y%m%d_%H%M%S", mode="files")
fft = ShortTimeFFT(win=hann(1024), hop=512, fs=48000, mfft=1024, scale_to="psd")
spectra = SpectroDataset.from_audio_dataset(audio, fft=fft)
spectra.save_all(spectrum_folder=out / "matrix", spectrogram_folder=out / "picture")
used = os.times()
print(json.dumps({"wall": time.perf_counter() - start,
    "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "cpu": used.user + used.system + used.children_user + used.children_system}))
"""


def make_sound(folder: Path, minutes: int) -> int:
    """Write files of a minute; give their bytes."""
    import numpy as np
    import soundfile

    folder.mkdir()
    for i in range(minutes):
        samples = 0.1 * np.random.default_rng(i).standard_normal(FILE_SECONDS * RATE)
        soundfile.write(folder / f"20260101_{i // 60:02d}{i % 60:02d}00.wav", samples, RATE, subtype="PCM_16")
    return sum(path.stat().st_size for path in folder.iterdir())


def run(python: str, code: str, *words: object) -> dict[str, Any]:
    """Run code in a fresh process; give the figures that it prints last, or why there are none."""
    command = [python, "-c", code, *map(str, words)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        return {"failed": (ran.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(ran.stdout.strip().splitlines()[-1])


def show(name: str, figures: dict[str, Any], hours: float) -> None:
    if "failed" in figures:
        print(f"{name:24} could not be run: {figures['failed']}")
        return
    per_hour = figures["cpu"] / hours
    print(f"{name:24} {per_hour:7.1f} CPU-s/h  {figures['wall'] / hours:7.1f} s/h  {figures['mb']:6.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=10, help="of sound")
    parser.add_argument("--osekit", metavar="PYTHON", help="a Python >= 3.12 that has osekit")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-acoustics-"))
    try:
        measure(folder, chosen.minutes, chosen.osekit)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, minutes: int, osekit: str | None) -> None:
    size, hours = make_sound(folder / "audio", minutes), minutes / 60
    print(f"{minutes} min of 48 kHz, 16 bits, {size / 1e6:.0f} MB; nfft {NFFT}, 50 % overlap")
    found = {}
    for workers in (1, 2):
        out = folder / f"ours{workers}"
        out.mkdir()
        found[workers] = run(sys.executable, OURS, folder / "audio", out, workers)
        show(f"penstock, {workers} worker(s)", found[workers], hours)
    made = sum(path.stat().st_size for path in (folder / "ours1").glob("*.nc"))
    print(f"{'1 to 2 workers':24} {found[1]['wall'] / found[2]['wall']:7.2f} times as fast")
    print(f"{'size of the matrices':24} {made / size:7.3f} of the recordings'")
    if osekit is None:
        print(f"{'OSEkit':24} not run: name a Python that has it with --osekit")
        return
    theirs = run(osekit, OSEKIT, folder / "audio", folder / "osekit")
    show("OSEkit", theirs, hours)
    if "failed" not in theirs:
        print(f"{'OSEkit / penstock':24} {theirs['cpu'] / found[1]['cpu']:7.1f} times the processor time")


if __name__ == "__main__":
    main()

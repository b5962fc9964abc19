"""OSEkit as a peer of the acoustics workflow: a venv of its own, and the same work on the same files."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

VENV = Path(__file__).parent.parent / ".venv-osekit"
LEAST = (3, 12)
PLACES = (
    "~/.pyenv/versions/3.1[2-9]*/bin/python",
    "/opt/python*/bin/python3",
    "/usr/local/bin/python3.1[2-9]",
)

WORK = """
import json, os, resource, sys, time
from pathlib import Path
from osekit.core.audio_dataset import AudioDataset
from osekit.core.spectro_dataset import SpectroDataset
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann
start, begun = sum(os.times()[:4]), time.perf_counter()
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
audio = AudioDataset.from_folder(folder, strptime_format="%Y%m%d_%H%M%S", mode="files")
fft = ShortTimeFFT(win=hann(1024), hop=512, fs=48000, mfft=1024, scale_to="psd")
spectra = SpectroDataset.from_audio_dataset(audio, fft=fft)
spectra.save_all(spectrum_folder=out / "matrix", spectrogram_folder=out / "picture")
print(json.dumps({"wall": time.perf_counter() - begun, "start": start, "cpu": sum(os.times()[:4]) - start,
    "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def find_python() -> tuple[str | None, str]:
    """Give a Python that has OSEkit, made here if one is new enough; else None and why not."""
    made = VENV / "bin" / "python"
    if made.exists() and _says(os.fspath(made), "import osekit"):
        return os.fspath(made), ""
    new = next(
        (each for each in _pythons() if _says(each, f"import sys; assert sys.version_info >= {LEAST}")), None
    )
    if new is None:
        return None, "no Python of at least 3.12 is on this machine"
    for command in (
        [new, "-m", "venv", "--clear", os.fspath(VENV)],
        [os.fspath(made), "-m", "pip", "install", "-q", "--disable-pip-version-check", "osekit"],
    ):
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            return None, (ran.stderr.strip().splitlines() or ["no message"])[-1]
    return os.fspath(made), ""


def _pythons() -> Iterator[str]:
    for minor in range(20, LEAST[1] - 1, -1):
        if found := shutil.which(f"python3.{minor}"):
            yield found
    for place in PLACES:
        yield from sorted(glob.glob(os.path.expanduser(place)), reverse=True)


def _says(python: str, code: str) -> bool:
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0

"""Lines of 1 Hz at 256 kHz: the largest spectra that people make, in less than 200 MB at every stage."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile

RATE, SECONDS, MOST_MB = 256_000, 12, 200

HEAD = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from penstock.workflows.acoustics.settings import Settings
folder = Path(sys.argv[1])
paths = sorted(folder.glob("*.nc"))
chosen = Settings(nfft=256_000, bin=1.0, frequency_scale="log", bands=("decidecade", "millidecade"), db_range=(-100, -40))
def tell():
    print(next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
SPECTROGRAM = """
from penstock.workflows.acoustics.measure import measure
for i, path in enumerate(sorted(folder.glob("*.wav"))):
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=12 * i)
    measure(str(path), begin, chosen, product=path.with_suffix(".nc"), picture=path.with_suffix(".png"))
tell()
"""
AVERAGE = """
from penstock.workflows.acoustics import longterm
course = longterm.plan(paths, 1.0)
drawing = longterm.Drawing(course, chosen)
longterm.write(course, folder / "ltas.out", watch=drawing.add)
drawing.write(folder / "ltas.png", "sea")
tell()
"""
SOUNDSCAPE = """
from penstock.workflows.acoustics import figures, overview
made, broadband = overview.read_soundscape(paths)
overview.write_soundscape(made, folder / "soundscape.out")
overview.write_levels(folder / "levels.csv", paths)
figures.draw_epd(made, folder / "epd.png")
figures.draw_levels(made.series, folder / "spl.png", broadband)
tell()
"""


@pytest.mark.slow
def test_every_stage_takes_less_than_200_mb_at_lines_of_a_hertz(tmp_path):
    for i in range(2):
        sound = 0.1 * np.random.default_rng(i).standard_normal(SECONDS * RATE)
        soundfile.write(tmp_path / f"{i}.wav", sound, RATE, subtype="PCM_16")
    for code in (SPECTROGRAM, AVERAGE, SOUNDSCAPE):
        command = [sys.executable, "-c", HEAD + code, str(tmp_path)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert int(ran.stdout) <= MOST_MB, code

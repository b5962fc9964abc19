"""Beside the programs of the field, each in an environment of its own: `make field` installs them."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from penstock.workflows.acoustics import bands
from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.settings import Settings

ROOT = Path(__file__).parents[3]
RATE = 8000

TABLES = """
import json, sys
from pypam import utils
rates = json.loads(sys.argv[1])
print(json.dumps([utils.get_hybrid_millidecade_limits([0, rate / 2], rate) for rate in rates]))
"""
LEVELS = """
import json, pathlib, sys, warnings
warnings.simplefilter("ignore")
import pypam, pyhydrophone
trap = pyhydrophone.soundtrap.SoundTrap("trap", "ST300HF", sensitivity=-170.0, serial_number=1234)
file = pypam.AcuFile(pathlib.Path(sys.argv[1]), trap, p_ref=1.0, calibration=None)
rate = int(sys.argv[2])
made = file.hybrid_millidecade_bands(nfft=rate, fft_overlap=0.5, binsize=60.0, percentiles=[])
print(json.dumps(made.millidecade_bands.values[0].tolist()))
"""


def theirs(environment, code, *words):
    """Run code in the environment of another program; give what it prints last."""
    python = ROOT / environment / "bin/python"
    if not python.exists():
        pytest.skip(f"{environment} is not there; `make field` makes it")
    ran = subprocess.run([python, "-c", code, *map(str, words)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.strip().splitlines()[-1])


@pytest.mark.field
def test_hybrid_millidecades_are_those_of_pypam():
    rates = [1000, 8000, 44100, 48000, 96000, 256000]
    for rate, (limits, centres) in zip(rates, theirs(".venv-pypam", TABLES, json.dumps(rates)), strict=True):
        made = bands.millidecades(1.0, rate / 2)
        assert made.centre == pytest.approx(centres, abs=1e-9, rel=0)
        assert made.high == pytest.approx(limits[1:], abs=1e-9, rel=0)
        assert made.low[1:] == pytest.approx(limits[1:-1], abs=1e-9, rel=0)


@pytest.mark.field
def test_levels_of_hybrid_millidecades_are_those_of_pypam(write_wav, tmp_path, begin):
    random, seconds = np.random.default_rng(3), np.arange(60 * RATE) / RATE
    sound = 0.02 * np.cumsum(random.standard_normal(60 * RATE)) / 60 + 0.05 * np.sin(
        2 * np.pi * 901.3 * seconds
    )
    sound += 0.03 * random.standard_normal(60 * RATE)
    path = write_wav("1234.260117040000.wav", sound - sound.mean())
    chosen = {"nfft": RATE, "bin": 60.0, "bands": ["millidecade"], "sensitivity": -170.0}
    settings = Settings.read(chosen | {"peak_voltage": 1.0})
    measure(str(path), begin, settings, product=tmp_path / "o.nc", picture=tmp_path / "o.png")
    expected = np.array(theirs(".venv-pypam", LEVELS, path, RATE))
    with xr.open_dataset(tmp_path / "o.nc") as data:
        width = data.millidecade_high - data.millidecade_low
        density = (data.millidecade_level[0] - 10 * np.log10(width)).values
    whole = slice(1, -1)  # PyPAM takes 0 Hz for a whole hertz, and less than there is of the last band
    assert np.abs(density - expected)[whole].max() < 0.01

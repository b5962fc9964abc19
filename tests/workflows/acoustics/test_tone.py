from datetime import timedelta

import numpy as np
import pytest
import xarray as xr

from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.tone import find_tones

RATE = 8000


def tone(seconds, frequency=250.0, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)).astype(
        np.float32
    )


@pytest.mark.parametrize("seconds", [1.0, 3.1, 20.0])
def test_tones_at_the_begin_are_found_to_their_end(noise, seconds):
    found = find_tones([np.concatenate((tone(seconds), noise))], RATE)
    assert seconds <= found / RATE <= seconds + 0.51


def test_what_is_no_calibration_is_kept(noise):
    hum = tone(10, 50, 0.05)
    later = np.concatenate((noise, tone(3)))
    blip = np.concatenate((tone(0.3), noise))
    fading = tone(10) * np.linspace(1, 0.2, 10 * RATE, dtype=np.float32)
    for sound in (noise, hum + noise, tone(10), later, blip, fading, noise * 0):
        assert find_tones([sound.astype(np.float32)], RATE) == 0


def test_a_soundtraps_tones_are_left_out_and_told(write_wav, noise, tmp_path, begin):
    sound = np.concatenate((tone(3.1), noise))
    results = {}
    for name in ("5045.260117040000.wav", "moth_20260117_040000.wav"):
        path, settings = write_wav(name, sound), Settings(nfft=256, bin=1.0)
        made = measure(str(path), begin, settings, product=tmp_path / "o.nc", picture=tmp_path / "o.png")
        with xr.open_dataset(tmp_path / "o.nc") as data:
            results[name] = ([each.kind for each in made.findings], made.level, data.attrs["begin"])
    trap, moth = results.values()
    assert trap[0] == ["calibration_tones"]
    assert moth[0] == []
    assert trap[1] == pytest.approx(10 * np.log10(noise.var()), abs=0.1)
    assert moth[1] > -20
    assert trap[2] == (begin + timedelta(seconds=3.25)).isoformat()
    assert moth[2] == begin.isoformat()

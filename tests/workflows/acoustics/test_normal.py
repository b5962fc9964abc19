import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.normal import Moments, Normal, normals, total
from penstock.workflows.acoustics.settings import Settings


@given(st.lists(st.lists(st.floats(-1, 1, width=32), max_size=20), max_size=6))
def test_moments_of_parts_are_those_of_the_whole(parts):
    whole = np.array([value for part in parts for value in part])
    made = total(Moments.of(np.array(part, np.float32)) for part in parts)
    assert made.count == len(whole)
    if len(whole):
        assert made.mean == pytest.approx(whole.mean(), abs=1e-12)
        assert made.deviation == pytest.approx(whole.std(), abs=1e-9)
        assert made.peak == np.abs(whole).max()


def test_moments_survive_json():
    made = Moments.of(np.arange(5.0))
    assert Moments(**json.loads(json.dumps(made.as_dict()))) == made


@pytest.mark.parametrize("mode", ["none", "dc", "peak", "zscore"])
def test_samples_become_normal_as_the_mode_says(mode):
    samples = 0.2 + 0.1 * np.random.default_rng(1).standard_normal(1000)
    expected = {
        "none": samples,
        "dc": samples - samples.mean(),
        "peak": samples / np.abs(samples).max(),
        "zscore": (samples - samples.mean()) / samples.std(),
    }
    made = np.concatenate(list(Normal.by(mode, Moments.of(samples)).apply(np.split(samples, [300]))))
    assert made == pytest.approx(expected[mode], abs=1e-12)


def test_silence_is_not_divided_by_nothing():
    for mode in ("peak", "zscore"):
        assert Normal.by(mode, Moments.of(np.zeros(5))).factor == 1


def test_files_of_a_period_or_of_all_share_one_normal():
    parts = [(float(t), Moments.of(np.array([t, t + 1.0]))) for t in (0, 1800, 3600)]
    by_hour = normals(parts, Settings(normalise="dc", normalise_over="period"))
    assert by_hour == {"0": Normal(900.5), "3600": Normal(3600.5)}
    assert normals(parts, Settings(normalise="dc", normalise_over="whole")) == {"whole": Normal(1800.5)}


def test_a_recording_of_unit_spread_has_unit_power(write_wav, noise, tmp_path, begin):
    path = write_wav("a.wav", noise + np.float32(0.3), subtype="FLOAT")
    out = tmp_path / "o.nc"
    settings = Settings(nfft=256, normalise="zscore")
    made = measure(str(path), begin, settings, product=out, picture=tmp_path / "o.png")
    assert made.level == pytest.approx(0, abs=0.05)
    with xr.open_dataset(out) as data:
        assert data.level.attrs["reference"] == "1 σ²/Hz"


def test_a_given_normal_is_the_one_used(write_wav, noise, tmp_path, begin):
    path = write_wav("a.wav", noise, subtype="FLOAT")
    out = {"product": tmp_path / "o.nc", "picture": tmp_path / "o.png"}
    levels = [
        measure(str(path), begin, Settings(nfft=256), normal=Normal(0, factor), **out).level
        for factor in (1, 10)
    ]
    assert levels[1] - levels[0] == pytest.approx(20, abs=1e-3)


def test_a_normal_over_many_files_is_not_guessed_from_one(write_wav, noise, tmp_path, begin):
    path = write_wav("a.wav", noise)
    settings = Settings(nfft=256, normalise="dc", normalise_over="whole")
    with pytest.raises(ValueError, match="needs the stages `statistics` and `normals`"):
        measure(str(path), begin, settings, product=tmp_path / "o.nc", picture=tmp_path / "o.png")

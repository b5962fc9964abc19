import json
import subprocess
from datetime import timedelta

import h5py
import numpy as np
import pytest
import xarray as xr
from tests.workflows.acoustics.test_field import ROOT

from penstock.workflows.acoustics.archives import write_days
from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.settings import Settings

RATE = 8000
CHOSEN = {"nfft": RATE, "bin": 60.0, "bands": ["millidecade"], "sensitivity": -170.0, "title": "Winter"}
CHOSEN |= {
    "latitude": 36.7,
    "longitude": -122.2,
    "archive": {"creator_name": "A. Person", "license": "CC-BY 4.0"},
}


@pytest.fixture
def make(tmp_path, write_wav, begin):
    def make(starts, **more):
        settings, paths = Settings.read(CHOSEN | more), []
        for i, start in enumerate(starts):
            sound = 0.1 * np.random.default_rng(i).standard_normal(60 * RATE)
            wav, out = write_wav(f"{i}.wav", sound), tmp_path / f"{i}.nc"
            at = begin + timedelta(seconds=start)
            measure(str(wav), at, settings, product=out, picture=tmp_path / "p.png")
            paths.append(out)
        return write_days(paths, tmp_path / "daily", settings, "sea"), paths

    return make


def test_a_file_a_day_has_all_minutes_and_effort(make, tmp_path):
    assert make([0, 60, 86400 * 2])[0] == 2
    assert sorted(each.name for each in (tmp_path / "daily").iterdir()) == [
        "sea_20260117.nc",
        "sea_20260119.nc",
    ]
    with xr.open_dataset(tmp_path / "daily/sea_20260117.nc") as data:
        assert data.psd.dims == ("time", "frequency")
        assert data.sizes["time"] == 1440
        assert data.effort.values[239:243].tolist() == [0, 60, 60, 0]
        heard = np.isfinite(data.psd.values).all(axis=1)
        assert np.flatnonzero(heard).tolist() == [240, 241]
        flat = 10 * np.log10(0.1**2 / (RATE / 2)) + 170
        assert data.psd.values[240].mean() == pytest.approx(flat, abs=0.3)
        assert data.attrs["creator_name"] == "A. Person"
        assert data.attrs["geospatial_bounds"] == "POINT (36.7 -122.2)"


def test_recordings_that_share_a_minute_are_joined_and_those_over_midnight_are_in_both_days(make, tmp_path):
    assert make([30, 20 * 3600 - 30])[0] == 2
    with xr.open_dataset(tmp_path / "daily/sea_20260117.nc") as data:
        assert data.effort.values[240:242].tolist() == [30, 30]
        assert data.effort.values[-1] == 30
    with xr.open_dataset(tmp_path / "daily/sea_20260118.nc") as data:
        assert data.effort.values[0] == 30


def test_other_bins_than_minutes_are_refused(make):
    with pytest.raises(ValueError, match="bin is 30 s; set bin = 60"):
        make([0], bin=30.0)
    with pytest.raises(ValueError, match="add them to `bands`"):
        make([0], bands=["decidecade"])


THEIRS = """
import json, pathlib, sys
wav, out = sys.argv[1], pathlib.Path(sys.argv[2])
(out / "json/2026").mkdir(parents=True)
entry = {"uri": "file://" + wav, "start": "2026-01-17T04:00:00Z", "end": "2026-01-17T04:01:00Z"}
(out / "json/2026/20260117.json").write_text(json.dumps([entry | {"duration_secs": 60, "channels": 1}]))
(out / "g.json").write_text(sys.argv[3])
(out / "v.json").write_text(sys.argv[4])
from pbp.hmb_gen.simpleapi import HmbGen
made = HmbGen()
for name, value in {"json_base_dir": out / "json", "output_dir": out, "download_dir": out,
                    "global_attrs_uri": out / "g.json", "variable_attrs_uri": out / "v.json"}.items():
    getattr(made, "set_" + name)(str(value))
made.set_output_prefix("pbp_")
made.set_sensitivity(1e-9)
made.set_subset_to((0, 100000))
made.set_s3_client(object())
assert made.check_parameters() is None
made.process_date("20260117")
"""


@pytest.mark.field
def test_a_daily_file_is_as_pbps_attribute_by_attribute(make, tmp_path):
    python = ROOT / ".venv-pbp/bin/python"
    if not python.exists():
        pytest.skip(".venv-pbp is not there; `make field` makes it")
    make([0])
    with h5py.File(tmp_path / "daily/sea_20260117.nc") as ours:
        variables = {
            name: dict(ours[name].attrs) for name in ("time", "frequency", "effort", "sensitivity", "psd")
        }
        told = {k: v if isinstance(v, str) else v.decode() for k, v in ours.attrs.items()}
    own = {n: {k: v.decode() for k, v in a.items() if isinstance(v, bytes) and k not in ("CLASS", "NAME")}
           for n, a in variables.items()}  # fmt: skip
    (tmp_path / "theirs").mkdir()
    words = [tmp_path / "0.wav", tmp_path / "theirs", json.dumps(told), json.dumps(own)]
    ran = subprocess.run([python, "-c", THEIRS, *map(str, words)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    with (
        xr.open_dataset(tmp_path / "daily/sea_20260117.nc") as made,
        xr.open_dataset(tmp_path / "theirs/pbp_20260117.nc") as theirs,
    ):
        assert set(theirs.attrs) <= set(made.attrs)
        for name in (
            "time_coverage_start",
            "time_coverage_end",
            "time_coverage_duration",
            "time_coverage_resolution",
        ):
            assert made.attrs[name] == theirs.attrs[name]
        assert set(theirs.variables) <= set(made.variables)
        for name in theirs.variables:
            assert (made[name].dims, made[name].dtype) == (theirs[name].dims, theirs[name].dtype), name
            assert set(theirs[name].attrs) <= set(made[name].attrs), name
        assert np.array_equal(made.time.values, theirs.time.values)
        shared = slice(0, theirs.sizes["frequency"])  # theirs leaves the last one out
        assert made.frequency.values[shared] == pytest.approx(theirs.frequency.values, rel=1e-6)
        assert np.array_equal(made.effort.values, theirs.effort.values)
        level = made.psd.values[240, shared] - 170  # theirs has no sensitivity here
        assert np.abs(level - theirs.psd.values[240])[1:-1].max() < 0.01

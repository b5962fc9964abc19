import h5py
import numpy as np
import pytest
import xarray as xr

from penstock.workflows.acoustics.matrix import Matrix, to_level
from penstock.workflows.stores.netcdf import Store


def test_levels_are_ten_times_the_logarithm():
    power = np.array([1e-12, 1e-6, 0.5, 1.0, 1e6])
    assert to_level(power, 1.0) == pytest.approx(10 * np.log10(power), abs=1e-4)
    assert to_level(power, 1e-6) == pytest.approx(10 * np.log10(power / 1e-12), abs=1e-4)


def test_no_data_stays_no_data_and_no_power_is_very_low():
    level = to_level(np.array([np.nan, 0.0]), 1.0)
    assert np.isnan(level[0])
    assert -400 < level[1] < -370


def make(path, power, width=7):
    with Store(path) as store:
        store.dimension("frequency", np.arange(power.shape[1]) * 10.0, units="Hz")
        store.dimension("time", np.arange(len(power)) * 0.5, units="seconds since 2026-01-17T04:00:00+00:00")
        matrix = Matrix(store.packed("level", ("frequency", "time"), width, units="dB"), 0.5, 1.0)
        for first in range(0, len(power), width):
            matrix.put(first, power[first : first + width])
        matrix.close()
        store.describe({"word": "1 µPa²/Hz", "number": 3.5, "nothing": None})


@pytest.mark.parametrize("frames", [1, 6, 7, 8, 30])
def test_xarray_alone_opens_what_was_written(tmp_path, frames):
    power = np.random.default_rng(1).random((frames, 5)).astype(np.float32)
    make(tmp_path / "a.nc", power)
    with xr.open_dataset(tmp_path / "a.nc") as data:
        assert data.level.dims == ("frequency", "time")
        assert data.time.values[0] == np.datetime64("2026-01-17T04:00:00")
        assert np.abs(data.level.values.T - 10 * np.log10(power)).max() <= 0.2501
        assert (data.attrs["word"], data.attrs["number"]) == ("1 µPa²/Hz", 3.5)
        assert "nothing" not in data.attrs
        assert data.level.attrs["units"] == "dB"


def test_the_filters_are_those_of_every_hdf5(tmp_path):
    make(tmp_path / "a.nc", np.ones((30, 5), np.float32))
    with h5py.File(tmp_path / "a.nc") as file:
        assert (file["level"].compression, file["level"].shuffle, file["level"].dtype) == (
            "gzip",
            True,
            np.int16,
        )


def test_frames_without_data_read_as_nan(tmp_path):
    power = np.ones((9, 4), np.float32)
    power[4] = np.nan
    make(tmp_path / "a.nc", power)
    with xr.open_dataset(tmp_path / "a.nc") as data:
        assert np.isnan(data.level.values).sum(axis=0).tolist() == [0, 0, 0, 0, 4, 0, 0, 0, 0]

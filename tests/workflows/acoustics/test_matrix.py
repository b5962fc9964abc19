import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from penstock.workflows.acoustics import matrix
from penstock.workflows.acoustics.matrix import FILL, Matrix, Quantiser, Store, rounded, to_level


def test_levels_are_ten_times_the_logarithm():
    power = np.array([1e-12, 1e-6, 0.5, 1.0, 1e6])
    assert to_level(power, 1.0) == pytest.approx(10 * np.log10(power), abs=1e-4)
    assert to_level(power, 1e-6) == pytest.approx(10 * np.log10(power / 1e-12), abs=1e-4)


def test_no_data_stays_no_data_and_no_power_is_very_low():
    level = to_level(np.array([np.nan, 0.0]), 1.0)
    assert np.isnan(level[0])
    assert -400 < level[1] < -370


@given(st.lists(st.floats(-350, 250), min_size=1, max_size=50), st.sampled_from([0.1, 0.5, 1.0]))
def test_packing_is_right_within_half_a_step(levels, step):
    level = np.array(levels, np.float32)
    quantiser = Quantiser.around(level, step)
    back = quantiser.pack(level).astype(float) * step + quantiser.offset
    assert np.abs(back - level).max() <= step / 2 + 1e-3


@given(st.lists(st.floats(2.0**-90, 2.0**90, width=32), min_size=1, max_size=50))
def test_a_sum_is_kept_within_a_thousandth_of_a_decibel(values):
    sums = np.array(values, np.float32)
    assert np.abs(10 * np.log10(rounded(sums).astype(float) / sums)).max() < 1.1e-3


def test_rounding_a_sum_moves_no_mean():
    sums = np.random.default_rng(1).exponential(size=100_000).astype(np.float32)
    assert rounded(sums).mean(dtype=float) == pytest.approx(sums.mean(dtype=float), rel=2e-6)
    assert not (rounded(sums).view(np.uint32) & 0xFFF).any()
    assert np.isnan(rounded(np.array([np.nan]))).all()


def test_no_data_is_packed_as_the_fill_value():
    assert Quantiser(1.0, 0.0).pack(np.array([np.nan, 3.2], np.float32)).tolist() == [FILL, 3]


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


@pytest.mark.parametrize("count", [1, 1000, 70_000])
def test_a_coordinate_in_steps_reads_as_its_numbers(tmp_path, count):
    with Store(tmp_path / "a.nc") as store:
        store.steps("place", count, first=0.25, step=0.5, units="m")
    with xr.open_dataset(tmp_path / "a.nc") as data:
        assert np.array_equal(data.place.values, 0.25 + 0.5 * np.arange(count))
    assert (tmp_path / "a.nc").stat().st_size < 6000


def test_rows_may_be_longer_than_a_chunk_and_those_never_written_are_nan(tmp_path, monkeypatch):
    monkeypatch.setattr(matrix, "CHUNK_BYTES", 100)
    rows = np.random.default_rng(2).random((9, 13)).astype(np.float32)
    with Store(tmp_path / "a.nc") as store:
        store.dimension("bin", np.arange(9))
        store.dimension("line", np.arange(13))
        made = store.rows("total", ("bin", "line"), np.float32)
        for place in (0, 1, 2, 7):
            made[place] = rows[place]
    with xr.open_dataset(tmp_path / "a.nc") as data:
        assert np.array_equal(data.total.values[[0, 1, 2, 7]], rows[[0, 1, 2, 7]])
        assert np.isnan(data.total.values[[3, 4, 5, 6, 8]]).all()


def test_frames_without_data_read_as_nan(tmp_path):
    power = np.ones((9, 4), np.float32)
    power[4] = np.nan
    make(tmp_path / "a.nc", power)
    with xr.open_dataset(tmp_path / "a.nc") as data:
        assert np.isnan(data.level.values).sum(axis=0).tolist() == [0, 0, 0, 0, 4, 0, 0, 0, 0]

import h5py
import numpy as np
import pytest
import xarray as xr

from penstock.workflows.stores import netcdf
from penstock.workflows.stores.netcdf import Store


def test_xarray_alone_opens_what_was_written(tmp_path):
    counts = np.arange(12).reshape(3, 4)
    with Store(tmp_path / "a.nc") as store:
        store.dimension("frame", np.arange(3))
        store.dimension("place", np.arange(4) * 0.5, units="m")
        store.variable("spots", ("frame", "place"), counts, long_name="spots seen")
        store.describe({"word": "1 µm", "number": 3.5, "empty": "", "nothing": None})
    with xr.open_dataset(tmp_path / "a.nc") as data:
        assert data.spots.dims == ("frame", "place")
        assert np.array_equal(data.spots.values, counts)
        assert (data.place.attrs["units"], data.spots.attrs["long_name"]) == ("m", "spots seen")
        assert (data.attrs["word"], data.attrs["number"]) == ("1 µm", 3.5)
        assert "nothing" not in data.attrs


@pytest.mark.parametrize("count", [1, 1000, 70_000])
def test_a_coordinate_in_steps_reads_as_its_numbers(tmp_path, count):
    with Store(tmp_path / "a.nc") as store:
        store.steps("place", count, first=0.25, step=0.5, units="m")
    with xr.open_dataset(tmp_path / "a.nc") as data:
        assert np.array_equal(data.place.values, 0.25 + 0.5 * np.arange(count))
    assert (tmp_path / "a.nc").stat().st_size < 6000


def test_rows_may_be_longer_than_a_chunk_and_those_never_written_are_nan(tmp_path, monkeypatch):
    monkeypatch.setattr(netcdf, "CHUNK_BYTES", 100)
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


@pytest.mark.parametrize("step", [0.125, 2.0])
def test_quantised_values_read_as_they_were_within_half_a_step(tmp_path, step):
    values = np.random.default_rng(3).normal(scale=50, size=(40, 11)).astype(np.float32)
    values[7, 2] = np.nan
    with Store(tmp_path / "a.nc") as store:
        store.dimension("row", np.arange(40))
        store.dimension("column", np.arange(11))
        store.quantised("height", ("row", "column"), values, step=step, units="nm")
    with xr.open_dataset(tmp_path / "a.nc") as data:
        assert np.nanmax(np.abs(data.height.values - values)) <= step / 2 + 1e-4
        assert np.argwhere(np.isnan(data.height.values)).tolist() == [[7, 2]]


def test_compressed_variables_use_the_filters_of_every_hdf5(tmp_path):
    with Store(tmp_path / "a.nc") as store:
        store.dimension("row", np.arange(1000))
        store.deflated("zeros", ("row",), np.zeros(1000))
    with h5py.File(tmp_path / "a.nc") as file:
        assert (file["zeros"].compression, file["zeros"].shuffle) == ("gzip", True)
        assert file["zeros"].id.get_storage_size() < 100


def test_what_is_made_again_has_the_same_bytes(tmp_path):
    for name in ("a.nc", "b.nc"):
        with Store(tmp_path / name) as store:
            store.dimension("row", np.arange(9), units="1")
            store.variable("twice", ("row",), np.arange(9) * 2)
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()

import h5py
import numpy as np
import pytest
import xarray as xr

from penstock.workflows.acoustics import longterm
from penstock.workflows.acoustics import product as module
from penstock.workflows.acoustics.exports import write_npz
from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.overview import read_soundscape
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.tables import read_findings
from penstock.workflows.acoustics.tiles import draw_tile, find_tile
from penstock.workflows.stores import netcdf
from penstock.workflows.stores.formats import as_netcdf, open_product, spectra_of, write_zarr


@pytest.fixture
def make_product(write_wav, noise, tmp_path, begin):
    def make():
        noise[5000:5400] = np.nan
        path, out = write_wav("a.wav", noise, subtype="FLOAT"), tmp_path / "a.nc"
        bands = ("decidecade", "millidecade")
        chosen = Settings(nfft=256, bin=1.0, sensitivity=-170.0, force=True, bands=bands)
        measure(str(path), begin, chosen, product=out, picture=tmp_path / "a.png")
        return out

    return make


@pytest.fixture
def product(make_product):
    return make_product()


def same(made, expected):
    assert set(made.variables) == set(expected.variables)
    for name in expected.variables:
        assert made[name].dims == expected[name].dims, name
        assert made[name].attrs == expected[name].attrs, name
        floats = made[name].dtype.kind == "f"
        assert np.array_equal(made[name].values, expected[name].values, equal_nan=floats), name
    assert made.attrs == expected.attrs


@pytest.mark.parametrize("chunk", [129 * 7, 129 * 100, 1 << 18])
def test_a_zarr_store_opens_with_xarray_as_the_netcdf_file_does(make_product, tmp_path, chunk, monkeypatch):
    monkeypatch.setattr(netcdf, "CHUNK_BYTES", chunk)
    monkeypatch.setattr(module, "CHUNK", chunk)
    product = make_product()
    write_zarr(product, tmp_path / "a.zarr")
    with xr.open_dataset(product) as expected, xr.open_zarr(tmp_path / "a.zarr", chunks=None) as made:
        same(made, expected)
        assert (made.time.values[0], made.level.attrs["units"]) == (expected.time.values[0], "dB")
    chunks = {path.name for path in (tmp_path / "a.zarr/level").iterdir() if not path.name.startswith(".")}
    assert chunks == {f"0.{i}" for i in range(-(-624 // min(624, chunk // 129)))}


def test_a_zarr_store_is_small_too(write_wav, tmp_path, begin):
    sound = 0.1 * np.random.default_rng(1).standard_normal(10 * 48000)
    path, product = write_wav("a.wav", sound, rate=48000), tmp_path / "a.nc"
    measure(str(path), begin, Settings(), product=product, picture=tmp_path / "a.png")
    write_zarr(product, tmp_path / "a.zarr")
    size = sum(each.stat().st_size for each in (tmp_path / "a.zarr").rglob("*") if each.is_file())
    assert size <= 0.35 * path.stat().st_size


def test_everything_that_reads_a_product_reads_both_formats_alike(product, tmp_path):
    store = tmp_path / "a.zarr"
    write_zarr(product, store)
    (file_average, file_common), (store_average, store_common) = (
        longterm.average([each], 2.0) for each in (product, store)
    )
    assert np.array_equal(file_average.totals, store_average.totals)
    assert file_common == store_common
    (of_file, _), (of_store, _) = (read_soundscape([each]) for each in (product, store))
    assert np.array_equal(of_file.counts.counts, of_store.counts.counts)
    assert np.array_equal(of_file.hours, of_store.hours, equal_nan=True)
    assert read_findings([product]) == read_findings([store]) != {}
    chosen = Settings(tile_levels=2)
    assert draw_tile(product, 2, 1, chosen) == draw_tile(store, 2, 1, chosen)
    product.unlink()
    assert find_tile(tmp_path, "a_2_1.png", chosen) == draw_tile(store, 2, 1, chosen)
    write_npz(store, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as made:
        assert np.isnan(made["level"]).any(axis=0).sum() == 5


def test_a_product_is_written_in_the_format_of_its_name_and_nothing_stays_beside_it(tmp_path):
    for name in ("a.nc", "b.zarr"):
        with as_netcdf(tmp_path / name) as path, h5py.File(path, "w") as file:
            file.create_dataset("x", data=np.arange(3.0)).make_scale("x")
        with open_product(tmp_path / name) as made:
            assert made["x"][:].tolist() == [0, 1, 2]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.nc", "b.zarr"]


def test_a_product_that_fails_is_no_product(tmp_path):
    with pytest.raises(ValueError, match="no"), as_netcdf(tmp_path / "b.zarr"):
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_no_spectra(tmp_path):
    paths = [tmp_path / name for name in ("a.nc", "a.png", "b.zarr", "c.npz")]
    assert spectra_of(paths) == [paths[0], paths[2]]

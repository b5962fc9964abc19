"""The ten recordings of a hydrophone, when they are there."""

import numpy as np
import pytest
import xarray as xr

from penstock.workflows.acoustics import longterm
from penstock.workflows.acoustics.init import write_campaign
from penstock.workflows.acoustics.measure import measure


@pytest.fixture
def made(tmp_path, real_audio):
    written = write_campaign(tmp_path / "w", f"{real_audio}/*.wav")
    results = {}
    for each in written.dataset.recordings:
        product = tmp_path / f"{each.stem}.nc"
        found = measure(
            each.path, each.begin, written.settings, product=product, picture=product.with_suffix(".png")
        )
        results[product] = found
    return written, results


def test_the_gap_and_the_offset_are_found_and_nothing_else(made):
    written, results = made
    gaps = [
        (each.stem, [f.kind for f in each.findings]) for each in written.dataset.recordings if each.findings
    ]
    assert gaps == [("sample_220925_223600", ["gap"])]
    assert {tuple(f.kind for f in found.findings) for found in results.values()} == {("dc_offset",)}


@pytest.mark.parametrize("width", [1.0, 10.0])
def test_the_product_of_each_is_small_for_any_bin(tmp_path, real_audio, width):
    written = write_campaign(tmp_path / "w", f"{real_audio}/*.wav", params={"bin": width})
    product, picture = tmp_path / "o.nc", tmp_path / "o.png"
    for each in written.dataset.recordings:
        measure(each.path, each.begin, written.settings, product=product, picture=picture)
        assert product.stat().st_size <= 0.35 * each.header.size


def test_the_average_shows_the_gap(made):
    _, results = made
    average, _ = longterm.average(list(results), 10.0)
    assert average.coverage().tolist() == [1] * 5 + [0] * 2 + [1] * 5
    assert np.isnan(average.mean()[5:7]).all()


def test_the_matrix_averages_to_the_stored_density(made):
    _, results = made
    with xr.open_dataset(next(iter(results))) as data:
        mean = (10 ** (data.level.astype("float64") / 10)).mean("time").values
        assert np.abs(10 * np.log10(mean / data.psd.values)).max() < 0.5

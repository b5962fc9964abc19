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


def test_the_products_are_small(made):
    written, results = made
    assert sum(p.stat().st_size for p in results) <= 0.35 * sum(
        r.header.size for r in written.dataset.recordings
    )


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

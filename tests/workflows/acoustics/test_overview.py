import csv
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import h5py
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from PIL import Image

from penstock.workflows.acoustics import figures
from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.overview import (
    Series,
    read_series,
    read_soundscape,
    recurrence,
    write_levels,
    write_soundscape,
)
from penstock.workflows.acoustics.probability import PERCENTILES
from penstock.workflows.acoustics.settings import Settings

RATE = 8000
BEGIN = datetime(2026, 1, 17, 22, 59, 55, tzinfo=UTC)
STARTS = (0, 10, 86400)  # ten seconds each, across an hour's border, then a day later


@pytest.fixture
def products(tmp_path, write_wav):
    random, paths = np.random.default_rng(11), []
    for i, start in enumerate(STARTS):
        sound = (0.05 * (i + 1) * random.standard_normal(10 * RATE)).astype(np.float32)
        wav, out = write_wav(f"{start}.wav", sound, subtype="FLOAT"), tmp_path / f"{start}.nc"
        at, settings = BEGIN + timedelta(seconds=start), Settings(nfft=256, bin=1.0, spl_bands=((100, 1000),))
        measure(str(wav), at, settings, product=out, picture=tmp_path / "p.png")
        paths.append(out)
    return paths


def test_levels_in_time_are_those_of_the_products(products):
    series = read_series(products[::-1])
    assert series.begins[0] == BEGIN.timestamp()
    assert len(series) == 30
    with xr.open_dataset(products[0]) as data:
        assert series.levels[:10] == pytest.approx(data.bin_level.values, abs=1e-4)


def test_a_bin_that_two_files_share_has_the_mean_of_their_power(products, tmp_path):
    with h5py.File(products[1], "r+") as file:
        file["bin"][0] = BEGIN.timestamp()
    with xr.open_dataset(products[0]) as a, xr.open_dataset(products[1]) as b:
        frames = [int(data.bin_frames[0]) for data in (a, b)]
        powers = [10 ** (float(data.bin_level[0]) / 10) for data in (a, b)]
    series = read_series(products)
    expected = np.average(powers, weights=frames)
    assert 10 ** (series.levels[0] / 10) == pytest.approx(expected, rel=1e-5)


def test_each_hour_of_each_day_has_its_mean_power_and_the_others_none(products):
    series = read_series(products)
    days, hours = recurrence(series)
    assert days == ["2026-01-17", "2026-01-18"]
    heard = np.argwhere(np.isfinite(hours)).tolist()
    assert heard == [[0, 22], [0, 23], [1, 22], [1, 23]]
    in_hour = (series.begins >= BEGIN.timestamp() + 5) & (series.begins < BEGIN.timestamp() + 3600)
    expected = np.average(series.power()[in_hour], weights=series.frames[in_hour])
    assert 10 ** (hours[0, 23] / 10) == pytest.approx(expected)


def test_percentiles_and_mean_of_all_are_those_of_all_frames(products, tmp_path):
    made, broadband = read_soundscape(products)
    levels = np.concatenate([xr.load_dataset(path).level.values for path in products], axis=1)
    expected = np.percentile(levels, PERCENTILES, axis=1, method="inverted_cdf")
    assert np.abs(made.counts.percentiles() - expected).max() <= 1.01
    mean = 10 * np.log10(np.mean(10 ** (levels.astype(float) / 10), axis=1))
    assert made.mean == pytest.approx(mean, abs=0.1)
    assert broadband == "1 FS²"
    write_soundscape(made, tmp_path / "s.nc")
    with xr.open_dataset(tmp_path / "s.nc") as data:
        assert data.day.values[1] == np.datetime64("2026-01-18")
        assert data.attrs["band"] == "0 to 4 kHz"
        assert data.attrs["title"] == "Levels and probability densities"
        assert data.attrs["history"].startswith("made by penstock")
        assert data.level_percentile.sel(percentile=50).values == pytest.approx(
            made.counts.percentiles()[PERCENTILES.index(50)], abs=1e-4
        )
        assert (data.probability_density.sum("level_bin") * made.counts.width).values == pytest.approx(
            np.ones(129), rel=1e-5
        )


def test_the_table_of_levels_has_a_row_a_bin_and_a_column_a_band(products, tmp_path):
    rows = write_levels(tmp_path / "levels.csv", products)
    with (tmp_path / "levels.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert rows == len(table) == 30
    assert table[0]["begin"] == "2026-01-17T22:59:55Z"
    with xr.open_dataset(products[0]) as data:
        assert float(table[3]["level_db"]) == pytest.approx(float(data.bin_level[3]), abs=6e-4)
        assert float(table[3]["spl_band_100_1000_hz"]) == pytest.approx(
            float(data.spl_band_level[3, 0]), abs=6e-4
        )


def test_a_line_of_levels_breaks_where_nothing_was_recorded():
    series = Series(np.array([0.0, 1, 2, 8, 9]), np.ones(5, int), np.arange(5.0), 1.0)
    begins, levels = figures.broken(series)
    assert begins.tolist() == [0, 1, 2, 3, 8, 9]
    assert np.isnan(levels).tolist() == [False] * 3 + [True] + [False] * 2


def test_a_long_series_is_thinned_by_the_mean_of_its_power():
    series = Series(np.arange(10.0), np.ones(10, int), np.array([0.0, 10] * 5), 1.0)
    made = figures.thinned(series, 5)
    assert len(made) == 5
    assert made.levels == pytest.approx(np.full(5, 10 * np.log10(5.5)))


def test_levels_that_were_never_counted_make_a_picture_too(products, tmp_path):
    made, _ = read_soundscape(products)
    empty = replace(made.counts, counts=made.counts.counts * 0)
    for counts in (None, empty):
        figures.draw_epd(replace(made, counts=counts), tmp_path / "epd.png")
        with Image.open(tmp_path / "epd.png") as image:
            assert image.size[0] > 800


def test_every_figure_is_a_picture(products, tmp_path):
    made, broadband = read_soundscape(products)
    figures.draw_epd(made, tmp_path / "epd.png")
    figures.draw_levels(made.series, tmp_path / "spl.png", broadband)
    figures.draw_recurrence(made, tmp_path / "recurrence.png", broadband, "grey")
    for name in ("epd", "spl", "recurrence"):
        with Image.open(tmp_path / f"{name}.png") as image:
            assert image.size[0] > 800


def test_the_names_of_percentiles_stand_beside_their_lines(products):
    counts = read_soundscape(products)[0].counts
    figure, edges = Figure(), np.geomspace(1, 2, len(counts.counts) + 1)
    axes = figure.add_subplot()
    figures._paint_density(figure, axes, counts, (edges, edges[:-1]), "viridis")
    low, high = axes.get_ylim()
    places = np.array([each.xy[1] for each in axes.texts])
    assert len(places) == len(PERCENTILES)
    assert (low < places).all()
    assert (places < high).all()
    assert np.abs(places - counts.percentiles()[:, -1]).max() < (high - low) / 10


def test_levels_that_hardly_change_look_constant():
    assert figures.span_of(np.array([-37.5, -37.498, np.nan])) == pytest.approx((-37.999, -36.999))
    assert figures.span_of(np.array([100.0, 120.0])) == (99, 121)
    assert figures.span_of(np.array([np.nan])) == (-0.5, 0.5)

import shutil
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import h5py
import numpy as np
import pytest
import xarray as xr
from PIL import Image

from penstock.workflows.acoustics import longterm
from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.spectra import Transform
from penstock.workflows.acoustics.timeline import Span, edges_over

RATE = 8000
BEGIN = datetime(2026, 1, 17, 4, 0, tzinfo=UTC)
STARTS = (0, 10, 40, 50)  # ten seconds each; nothing from 20 to 40


@pytest.fixture
def sounds():
    random = np.random.default_rng(11)
    return [
        (0.05 * (i + 1) * random.standard_normal(10 * RATE)).astype(np.float32) for i in range(len(STARTS))
    ]


@pytest.fixture
def products(tmp_path, write_wav, sounds):
    paths = []
    for start, sound in zip(STARTS, sounds, strict=True):
        wav, out = write_wav(f"{start}.wav", sound, subtype="FLOAT"), tmp_path / f"{start}.nc"
        at = BEGIN + timedelta(seconds=start)
        measure(str(wav), at, Settings(nfft=256, bin=1.0), product=out, picture=tmp_path / f"{start}.png")
        paths.append(out)
    return paths


def all_power(sounds):
    transform = Transform.of(rate=RATE, size=256, hop=128, dtype=np.float64)
    return np.concatenate([transform.power(sound.astype(float)) for sound in sounds])


@pytest.mark.parametrize("width", [1.0, 5.0, 10.0, 60.0, 3600.0])
def test_the_whole_average_does_not_depend_on_the_bins(products, sounds, width):
    made, _ = longterm.average(products, width)
    assert made.whole() == pytest.approx(all_power(sounds).mean(axis=0), rel=2.5e-4)


def test_a_bin_is_the_mean_of_the_linear_power_of_its_frames(products, sounds):
    made, _ = longterm.average(products, 20.0)
    assert made.mean()[0] == pytest.approx(all_power(sounds[:2]).mean(axis=0), rel=2.5e-4)
    assert made.mean()[2] == pytest.approx(all_power(sounds[2:]).mean(axis=0), rel=2.5e-4)


def test_a_gap_is_no_data_and_not_silence(products):
    made, _ = longterm.average(products, 10.0)
    assert np.isnan(made.mean()).all(axis=1).tolist() == [False, False, True, True, False, False]
    assert made.coverage() == pytest.approx([1, 1, 0, 0, 1, 1])


def test_a_bin_that_is_partly_recorded_says_so(products):
    made, _ = longterm.average(products, 30.0)
    assert made.coverage() == pytest.approx([2 / 3, 2 / 3])


def test_a_half_recorded_bin_is_not_quieter_than_a_full_one(tmp_path, write_wav, sounds):
    wav, levels = write_wav("a.wav", sounds[0], subtype="FLOAT"), []
    for start in (0, 25):
        out = tmp_path / "a.nc"
        at = BEGIN + timedelta(seconds=start)
        measure(str(wav), at, Settings(nfft=256, bin=30.0), product=out, picture=tmp_path / "a.png")
        made, _ = longterm.average([out], 30.0)
        levels += [10 * np.log10(mean.sum()) for mean in made.mean()]
    assert np.ptp(levels) < 0.2


@pytest.mark.parametrize("drawn", [1, 2, 3, 7, 60, 1000])
def test_the_average_does_not_depend_on_how_many_bins_are_drawn(products, drawn):
    course, (made, _) = longterm.plan(products, 1.0), longterm.average(products, 1.0)
    drawing = longterm.Drawing(course, Settings(picture_width=drawn))
    for row in course.rows():
        drawing.add(row)
    assert len(drawing.frames) <= drawn
    filled = drawing.frames > 0
    weighted = np.average(drawing.mean()[filled], axis=0, weights=drawing.frames[filled])
    assert weighted == pytest.approx(made.whole(), rel=1e-12)


def test_bins_come_once_each_in_the_order_of_time_and_few_are_held(products):
    course = longterm.plan(products[::-1], 5.0)
    places = [row.place for row in course.rows()]
    assert places == sorted(set(places)) == [0, 1, 2, 3, 8, 9, 10, 11]


def test_products_that_overlap_in_time_share_their_bins(products, tmp_path, write_wav, sounds):
    wav, out = write_wav("long.wav", np.concatenate(sounds), subtype="FLOAT"), tmp_path / "long.nc"
    measure(str(wav), BEGIN, Settings(nfft=256, bin=1.0), product=out, picture=tmp_path / "p.png")
    rows = list(longterm.plan([*products, out], 5.0).rows())
    assert [row.place for row in rows] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert [row.seconds for row in rows] == pytest.approx([10] * 4 + [5] * 4 + [5] * 4)


def test_the_order_of_the_products_does_not_matter(products):
    forth, back = (longterm.average(list(some), 10.0)[0] for some in (products, reversed(products)))
    assert np.allclose(forth.totals, back.totals, rtol=1e-12)
    assert np.array_equal(forth.edges, back.edges)


def test_the_product_opens_with_xarray_and_says_what_it_is(products, tmp_path):
    made, _ = longterm.average(products, 10.0)
    seen = []
    longterm.write(longterm.plan(products, 10.0), tmp_path / "ltas.nc", watch=seen.append)
    assert [row.place for row in seen] == [0, 1, 4, 5]
    with xr.open_dataset(tmp_path / "ltas.nc") as data:
        assert data.level.dims == ("time", "frequency")
        assert data.level.values[0] == pytest.approx(10 * np.log10(made.mean()[0]), abs=1e-3)
        assert np.isnan(data.level.values[2]).all()
        assert all(after - before == np.timedelta64(10, "s") for before, after in pairwise(data.time.values))
        assert (data.attrs["recordings"], data.attrs["reference"]) == (4, "1 FS²/Hz")


@pytest.mark.parametrize(("nfft", "scale"), [(256, "linear"), (8000, "linear"), (8000, "log")])
def test_the_picture_keeps_its_height_whatever_nfft(tmp_path, write_wav, sounds, nfft, scale):
    settings = Settings(nfft=nfft, bin=5.0, frequency_scale=scale, picture_height=300)
    out = tmp_path / "a.nc"
    wav = write_wav("a.wav", sounds[0], subtype="FLOAT")
    measure(str(wav), BEGIN, settings, product=out, picture=tmp_path / "a.png")
    course = longterm.plan([out], 5.0)
    drawing = longterm.Drawing(course, settings)
    for row in course.rows():
        drawing.add(row)
    drawing.write(tmp_path / "ltas.png", "all")
    for name in ("a", "ltas"):
        with Image.open(tmp_path / f"{name}.png") as image:
            assert 360 < image.size[1] < 700
            assert image.size[0] > 800
    means = drawing.mean()
    if scale == "linear":  # power is averaged, not sampled
        whole = longterm.average([out], "whole")[0].whole()
        assert np.average(means, axis=0, weights=drawing.frames).mean() == pytest.approx(
            whole.mean(), rel=0.01
        )


def test_products_of_different_settings_are_not_mixed(products, tmp_path, write_wav, noise):
    other = tmp_path / "other.nc"
    wav = write_wav("other.wav", noise)
    measure(str(wav), BEGIN, Settings(nfft=512, bin=1.0), product=other, picture=tmp_path / "o.png")
    with pytest.raises(ValueError, match=r"other.nc has nfft = 512 and 0.nc has 256"):
        longterm.average([*products, other])


def test_products_of_different_versions_are_not_mixed(products, tmp_path):
    other = tmp_path / "other.nc"
    shutil.copy(products[0], other)
    with h5py.File(other, "a") as file:
        mine = file.attrs["source_software"].decode()
        file.attrs["source_software"] = "penstock 0.0.1"
    with pytest.raises(
        ValueError, match=f"other.nc has source_software = penstock 0.0.1 and 0.nc has {mine}"
    ):
        longterm.average([*products, other])


@pytest.mark.parametrize("width", [0.5, 1.5])
def test_a_width_that_does_not_fit_the_bins_is_refused(products, width):
    with pytest.raises(ValueError, match="must be a multiple of bin, which is 1 s"):
        longterm.average(products, width)


def test_too_many_bins_are_refused_with_a_remedy(products, monkeypatch):
    monkeypatch.setattr(longterm, "MOST_VALUES", 1000)
    with pytest.raises(ValueError, match="choose a longer one"):
        longterm.average(products, 1.0)


@pytest.mark.parametrize(
    ("width", "edges"),
    [
        ("day", ["2026-01-17", "2026-01-18"]),
        ("month", ["2026-01-01", "2026-02-01"]),
        ("whole", ["2026-01-17T04:00:00", "2026-01-17T04:01:00"]),
    ],
)
def test_bins_may_follow_the_calendar(products, sounds, width, edges):
    made, _ = longterm.average(products, width)
    assert made.edges.tolist() == [np.datetime64(each, "s").astype(int) for each in edges]
    assert made.mean()[0] == pytest.approx(all_power(sounds).mean(axis=0), rel=2.5e-4)
    assert made.coverage()[0] == pytest.approx(40 / (made.edges[1] - made.edges[0]))


def test_months_are_as_long_as_they_are():
    begin = datetime(2025, 12, 31, tzinfo=UTC).timestamp()
    edges = edges_over(Span(begin, begin + 40 * 86400), "month", 10.0)
    assert [round((b - a) / 86400) for a, b in pairwise(edges)] == [31, 31, 28]


def test_columns_of_a_picture_are_equal_stretches_of_time():
    assert np.bincount(longterm.columns_of(np.array([0.0, 31.0, 59.0]), 59.0, 59)).tolist() == [31, 28]
    assert longterm.columns_of(np.arange(5.0), 5.0, 1000).tolist() == [0, 1, 2, 3, 4]

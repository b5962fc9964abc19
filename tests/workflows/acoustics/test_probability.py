import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.workflows.acoustics import probability, product
from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.names import guess_pattern, parse_pattern
from penstock.workflows.acoustics.probability import PERCENTILES, LevelCounter, read_counts
from penstock.workflows.acoustics.recordings import scan_paths
from penstock.workflows.acoustics.segments import clips_of
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.stores.packing import Quantiser


def count(levels, step=1.0, blocks=1):
    quantiser = Quantiser.around(levels, step)
    counter = LevelCounter(levels.shape[1], quantiser)
    for block in np.array_split(levels, blocks):
        counter.add(quantiser.pack(block))
    return counter.found()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 99), st.sampled_from([0.1, 0.25, 0.5, 1.0, 2.0]), st.integers(1, 5), st.floats(-200, 200)
)
def test_percentiles_are_numpys_within_a_bin(seed, step, blocks, shift):
    levels = np.random.default_rng(seed).normal(shift, 6, (400, 5)).astype(np.float32)
    found = count(levels, step, blocks)
    expected = np.percentile(levels, PERCENTILES, axis=0, method="inverted_cdf")
    assert np.abs(found.percentiles() - expected).max() <= found.width + step / 2 + 1e-3
    assert found.counts.sum(axis=1).tolist() == [400] * 5


@pytest.mark.parametrize("together", [1, 2, 5, 7])
def test_lines_may_be_counted_some_at_a_time(together, monkeypatch):
    levels = np.random.default_rng(1).normal(60, 6, (200, 5)).astype(np.float32) + np.arange(
        5, dtype=np.float32
    )
    whole = count(levels)
    monkeypatch.setattr(probability, "LINES", together)
    made = count(levels, blocks=3)
    assert np.array_equal(made.counts, whole.counts)
    assert np.array_equal(made.percentiles(), whole.percentiles())


def test_the_density_of_levels_sums_to_one():
    found = count(np.random.default_rng(1).normal(60, 6, (500, 3)).astype(np.float32), 0.5)
    assert (found.density() * found.width).sum(axis=1) == pytest.approx(np.ones(3))


def test_counts_of_files_add_up_to_those_of_all():
    random = np.random.default_rng(1)
    parts = [random.normal(centre, 6, (300, 4)).astype(np.float32) for centre in (60, 71.3)]
    together = count(parts[0]).trimmed() + count(parts[1]).trimmed()
    expected = np.percentile(np.concatenate(parts), PERCENTILES, axis=0, method="inverted_cdf")
    assert np.abs(together.percentiles() - expected).max() <= 1.0


def test_counts_of_different_steps_are_not_added():
    levels = np.zeros((3, 2), np.float32)
    with pytest.raises(ValueError, match="in steps of 1 and 2 dB"):
        count(levels) + count(levels, 2.0)


def test_a_frame_without_data_counts_nowhere():
    levels = np.zeros((10, 2), np.float32)
    levels[3] = np.nan
    assert count(levels).counts.sum(axis=1).tolist() == [9, 9]


def test_percentiles_of_no_frame_are_not_numbers():
    assert np.isnan(count(np.full((3, 2), np.nan, np.float32)).percentiles()).all()


def test_levels_far_out_are_counted_at_the_ends():
    levels = np.full((100, 1), 60, np.float32)
    levels[0], levels[1] = -400, 400
    assert count(levels).counts.sum() == 100


@pytest.mark.parametrize("step", [0.5, 1.0])
def test_a_product_holds_the_percentiles_of_its_own_matrix(write_wav, noise, tmp_path, begin, step):
    out = tmp_path / "o.nc"
    chosen = Settings(nfft=256, step_db=step)
    measure(str(write_wav("a.wav", noise)), begin, chosen, product=out, picture=tmp_path / "o.png")
    with xr.open_dataset(out) as data:
        expected = np.percentile(data.level.values, PERCENTILES, axis=1, method="inverted_cdf")
        assert np.abs(data.level_percentile.values - expected).max() <= 1.06
        assert data.level_count.sum("level_bin").values.tolist() == [data.sizes["time"]] * 129
    with h5py.File(out) as file:
        read = read_counts(file)
        assert read.levels() == pytest.approx(data.level_bin.values)


@pytest.mark.parametrize("before", [np.nan, 0.0])
def test_what_a_recording_begins_with_does_not_move_the_range_of_levels(
    write_wav, noise, tmp_path, begin, before, monkeypatch
):
    monkeypatch.setattr(product, "CHUNK", 129 * 100)
    samples = np.concatenate((np.full(5 * 8000, before, np.float32), noise * np.float32(1e-5)))
    out, chosen = tmp_path / "o.nc", Settings(nfft=256, force=True)
    path = write_wav("a.wav", samples, subtype="FLOAT")
    measure(str(path), begin, chosen, product=out, picture=tmp_path / "o.png")
    with xr.open_dataset(out) as data:
        sound = data.level.values[:, -600:]
        expected = np.percentile(sound, 99, axis=1)
        assert np.abs(data.level_percentile.sel(percentile=99).values - expected).max() < 3
        assert np.isnan(data.level.values[:, :300]).all() == np.isnan(before)


def test_a_file_of_another_rate_never_gets_into_a_segment_as_it_is(write_wav, noise):
    paths = [str(write_wav(f"2026011{i}_040000.wav", noise, rate=8000 * (1 + (i == 1)))) for i in range(3)]
    for params, count in (({}, 2), ({"force": True}, 2), ({"resample": 8000}, 3)):
        chosen = Settings.read(params)
        dataset = scan_paths(paths, parse_pattern(guess_pattern(paths)), chosen)
        assert len(clips_of(dataset, chosen)) == count

import json
from datetime import timedelta

import numpy as np
import pytest
import xarray as xr

from penstock.config import load
from penstock.sources.function import scan_function
from penstock.workflows.acoustics import longterm
from penstock.workflows.acoustics.definition import Shape
from penstock.workflows.acoustics.init import write_campaign
from penstock.workflows.acoustics.measure import Faulty, measure_sound
from penstock.workflows.acoustics.normal import Normal
from penstock.workflows.acoustics.overview import read_series, read_total_counts
from penstock.workflows.acoustics.segments import Clip, plan_segments
from penstock.workflows.acoustics.segmentsound import SegmentSound, runs
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.spectra import Transform
from penstock.workflows.acoustics.timeline import seconds

RATE = 8000


@pytest.fixture
def clips(write_wav, noise, begin):
    """Ten seconds of sound in three files, a gap of four seconds, two seconds more."""
    cuts = {"a": (0, 0, 30000), "b": (30000 / RATE, 30000, 47000), "c": (47000 / RATE, 47000, 80000)}
    cuts["d"] = (14, 0, 2 * RATE)
    return [
        Clip(str(write_wav(f"{n}.wav", noise[i:j], subtype="FLOAT")), seconds(begin) + at, RATE, j - i)
        for n, (at, i, j) in cuts.items()
    ]


def sounds(clips, **params):
    chosen = Settings.read({"nfft": 256, "bin": 1.0} | params)
    return [SegmentSound(segment, chosen) for segment in plan_segments(clips, chosen)], chosen


def heard(sound):
    return np.concatenate(list(sound.blocks()))


def test_a_segment_has_the_samples_of_the_whole_and_no_data_in_the_gap(clips, noise):
    (sound,), _ = sounds(clips, segment=16)
    samples = heard(sound)
    assert len(samples) == 16 * RATE
    assert np.array_equal(samples[: 10 * RATE], noise)
    assert np.isnan(samples[10 * RATE : 14 * RATE]).all()
    assert np.array_equal(samples[14 * RATE :], noise[: 2 * RATE])


@pytest.mark.parametrize("params", [{"resample": 4000}, {"band_pass": [500, 2000]}])
def test_a_filter_knows_no_border_of_files_and_a_gap_does_not_spoil_it(
    clips, noise, write_wav, begin, params
):
    (sound,), _ = sounds(clips, segment=16, **params)
    samples = heard(sound)
    whole = Clip(str(write_wav("whole.wav", noise, subtype="FLOAT")), seconds(begin), RATE, len(noise))
    ((alone,), _) = sounds([whole], segment=10, **params)
    rate = sound.rate
    assert samples[: 10 * rate] == pytest.approx(heard(alone), abs=1e-5)
    assert np.flatnonzero(np.isnan(samples)).tolist() == list(range(10 * rate, 14 * rate))


def test_files_of_different_rates_share_a_segment_when_resampled(write_wav, begin):
    clips = []
    for i, rate in enumerate((8000, 16000)):
        tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(3 * rate) / rate)
        clips.append(
            Clip(str(write_wav(f"{rate}.wav", tone, rate=rate)), seconds(begin) + 3 * i, rate, 3 * rate)
        )
    (sound,), _ = sounds(clips, segment=6, resample=8000)
    samples = heard(sound)
    assert len(samples) == 6 * 8000
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(6 * 8000) / 8000)
    inner = np.r_[500:23500, 24500:47500]
    assert samples[inner] == pytest.approx(expected[inner], abs=1e-3)


def test_a_gap_is_no_data_and_not_zeros_in_the_average(clips, noise, tmp_path):
    (sound,), chosen = sounds(clips, segment=16)
    out = tmp_path / "o.nc"
    made = measure_sound(sound, chosen, product=out, picture=tmp_path / "o.png")
    assert made.seconds == 12
    with xr.open_dataset(out) as data:
        assert data.bin_seconds.values.tolist() == [1] * 10 + [0] * 4 + [1] * 2
        assert data.attrs["coverage"] == pytest.approx(0.75)
        assert np.isnan(data.bin_level.values[10:14]).sum() >= 3
        assert np.isnan(data.level.sel(time=data.time[0] + np.timedelta64(12, "s"), method="nearest")).all()
        power = float(data.psd.sum()) * RATE / 256
    assert 10 * np.log10(power / noise.var()) == pytest.approx(0, abs=0.1)  # zeros would make it 1.2 dB less
    average, _ = longterm.average([out], 1.0)
    assert average.coverage().tolist() == [1] * 10 + [0] * 4 + [1] * 2


def measured(clips, folder, **params):
    """Measure all segments; give their products."""
    made, chosen = sounds(clips, **params)
    for sound in made:
        measure_sound(sound, chosen, product=folder / f"{sound.name}.nc", picture=folder / "o.png")
    return [folder / f"{sound.name}.nc" for sound in made]


@pytest.mark.parametrize("overlap", [0.125, 0.5, 0.75])
def test_segments_that_overlap_count_each_frame_once(clips, tmp_path, overlap):
    (tmp_path / "whole").mkdir()
    parts = measured(clips, tmp_path, segment=4, segment_overlap=overlap, nfft=250)
    whole = measured(clips, tmp_path / "whole", segment=16, nfft=250)
    assert len(parts) > 4
    cut, uncut = (longterm.average(some, 1.0)[0] for some in (parts, whole))
    assert cut.frames[:16].tolist() == uncut.frames.tolist()  # the step is a whole number of hops
    assert cut.seconds[:16] == pytest.approx([1] * 10 + [0] * 4 + [1] * 2)
    assert cut.mean()[:16] == pytest.approx(uncut.mean(), rel=5e-4, nan_ok=True)
    assert not cut.frames[16:].any()
    assert read_series(parts).frames[:16].tolist() == read_series(whole).frames.tolist()
    counts = [read_total_counts(some).counts.sum() for some in (parts, whole)]
    assert counts == [uncut.frames.sum() * 126] * 2


def test_a_segment_keeps_its_own_density_and_percentiles_where_it_overlaps(clips, tmp_path, noise):
    product = measured(clips, tmp_path, segment=4, segment_overlap=0.5)[1]
    with xr.open_dataset(product) as data:
        power = Transform.of(rate=RATE, size=256, hop=128).power(noise[2 * RATE : 6 * RATE])
        assert data.psd.values == pytest.approx(power.mean(axis=0), rel=1e-4)
        assert data.bin_frames.values.sum() == len(power) - (2 * RATE - 256) // 128 - 1
        expected = np.percentile(data.level.values, 50, axis=1)
        assert np.abs(data.level_percentile.sel(percentile=50).values - expected).max() < 1.1
        assert data.attrs["shared_seconds"] == 2


def test_a_segment_of_too_little_coverage_leaves_its_part_to_the_next(clips):
    chosen = Settings.read({"segment": 4, "segment_overlap": 0.5, "least_coverage": 0.9})
    shares = {each.name[-2:]: each.shared for each in plan_segments(clips, chosen)}
    assert shares["08"] == 2
    assert shares["14"] == 0  # 10 and 12 are kept out


def test_a_segment_inside_another_has_nothing_of_its_own(write_wav, noise, begin, tmp_path):
    cuts = [("a", 0, noise[: 8 * RATE]), ("b", 2, noise[: 4 * RATE])]
    clips = [
        Clip(str(write_wav(f"{n}.wav", part)), seconds(begin) + at, RATE, len(part)) for n, at, part in cuts
    ]
    products = measured(clips, tmp_path, segment_mode="file")
    with xr.open_dataset(products[1]) as data:
        assert data.sizes["time"] == 249
        assert (data.bin_frames.values.sum(), data.bin_seconds.values.sum()) == (0, 0)
        assert data.level_count.values.sum() == 0
    assert longterm.average(products, "whole")[0].frames.tolist() == [499]


def test_too_little_coverage_keeps_a_segment_out_with_its_reason(clips):
    with pytest.raises(Faulty, match=r"75\.0% of the segment is recorded, least_coverage requires 90\.0%"):
        sounds(clips, segment=16, least_coverage=0.9)


def test_a_segment_is_brought_to_its_own_normal(clips):
    (sound,), _ = sounds(clips, segment=16, normalise="zscore")
    samples = heard(sound)
    assert np.nanstd(samples) == pytest.approx(1, rel=1e-4)
    sound.normal = Normal(0, 2)
    assert np.nanstd(heard(sound)) == pytest.approx(0.2, rel=0.05)


def test_pieces_that_touch_are_one_run(clips):
    (sound,), _ = sounds(clips, segment=16)
    assert [len(run) for run in runs(sound.segment.pieces)] == [3, 1]


def test_a_file_that_ends_early_is_told_by_its_name(clips):
    (sound,), _ = sounds(clips, segment=16)
    path = clips[1].path
    with open(path, "r+b") as file:
        file.truncate(10_000)
    with pytest.raises(Faulty, match=r"b\.wav is truncated"):
        heard(sound)


def test_the_units_of_a_campaign_are_its_segments(tmp_path, write_wav, noise, begin):
    for i in range(2):
        write_wav(f"audio/{begin + timedelta(seconds=10 * i):%Y%m%d_%H%M%S}.wav", noise)
    shape = Shape(1, 200, segments=True)
    write_campaign(tmp_path / "w", str(tmp_path / "audio"), shape=shape, params={"segment": 8.0})
    campaign = load(tmp_path / "w")
    found = list(scan_function(campaign.sources[0], campaign, None))
    units = [each.fields for each in found]
    assert [each.key[0][-2:] for each in found] == ["00", "08", "16"]
    assert [len(unit["paths"]) for unit in units] == [1, 2, 1]
    assert json.loads(units[1]["pieces"])[0][1:] == [RATE, 8 * RATE, 2 * RATE, 0]

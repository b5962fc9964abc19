import numpy as np
import pytest
import soxr
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal as scipy_signal

from penstock.workflows.acoustics.measure import Faulty, measure
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.signal import band_passed, condition, count_after, resampled

RATE = 48000


def tone(frequency, rate=RATE, seconds=1.0):
    return np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate).astype(np.float32)


def joined(blocks):
    return np.concatenate([np.empty(0, np.float32), *blocks])


def middle(samples):
    """Leave out the ends, where a filter's memory is half empty."""
    return samples[len(samples) // 4 : -len(samples) // 4].astype(float)


def decibel(samples):
    return 10 * np.log10(np.mean(middle(samples) ** 2) / 0.5)


def test_a_tone_above_the_new_band_is_a_hundred_decibels_down():
    """A default that only drops samples brings 5 kHz back as 3 kHz at 0 dB."""
    made = joined(resampled([tone(5000)], RATE, 8000))
    assert decibel(made) < -100
    assert decibel(tone(5000)[::6]) == pytest.approx(0, abs=0.1)  # the fault that this test is for


@pytest.mark.parametrize("frequency", [4100, 4500, 7000, 12345, 23000])
def test_no_frequency_above_the_new_band_comes_back(frequency):
    assert decibel(joined(resampled([tone(frequency)], RATE, 8000))) < -100


@pytest.mark.parametrize("frequency", [50, 1000, 3000, 3600])
@pytest.mark.parametrize("quality", ["HQ", "VHQ"])
def test_a_tone_inside_the_new_band_keeps_its_level_and_time(frequency, quality):
    made = joined(resampled([tone(frequency)], RATE, 8000, quality))
    assert decibel(made) == pytest.approx(0, abs=0.01)
    assert middle(made) == pytest.approx(middle(tone(frequency, 8000)), abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 3000), min_size=1, max_size=6),
    st.sampled_from([(48000, 8000), (44100, 48000), (48000, 44100), (24000, 48000)]),
)
def test_blocks_of_any_length_give_the_same_samples_as_the_whole(lengths, rates):
    samples = np.random.default_rng(1).standard_normal(sum(lengths)).astype(np.float32)
    made = joined(resampled(np.split(samples, np.cumsum(lengths)[:-1]), *rates))
    assert len(made) == count_after(len(samples), rates[0], Settings(resample=rates[1]))
    whole = joined(resampled([samples], *rates))
    assert made == pytest.approx(whole, abs=1e-6)


def test_resampled_samples_are_soxrs_own():
    samples = np.random.default_rng(1).standard_normal(20_000).astype(np.float32)
    expected = soxr.resample(samples, RATE, 8000, quality="HQ")
    made = joined(resampled([samples], RATE, 8000))
    assert middle(made) == pytest.approx(middle(expected), abs=1e-5)


def test_an_offset_makes_no_step_at_the_ends_of_a_resampled_file():
    made = joined(resampled([np.full(1000, 0.25, np.float32)] * 20, RATE, 8000))
    assert np.abs(made - 0.25).max() < 1e-5


@pytest.mark.parametrize("quality", ["QQ", "LQ", "MQ"])
def test_a_quality_that_lets_aliases_through_is_refused(quality):
    with pytest.raises(ValueError, match=f"resample_quality is '{quality}'; it must be one of HQ, VHQ"):
        Settings.read({"resample": 8000, "resample_quality": quality})


@pytest.mark.parametrize("order", [1, 2, 4, 8])
def test_the_corners_of_a_band_are_three_decibels_down_and_its_slopes_as_its_order(order):
    levels = {f: decibel(joined(band_passed([tone(f)], RATE, (500, 4000), order))) for f in (500, 1414, 4000)}
    assert [levels[500], levels[4000]] == pytest.approx([-3.0103, -3.0103], abs=0.05)
    # the closed form of an analogue Butterworth band-pass, at the bilinear transform's frequency
    warped = [np.tan(np.pi * f / RATE) for f in (500, 4000, 1414)]
    away = (warped[2] ** 2 - warped[0] * warped[1]) / (warped[2] * (warped[1] - warped[0]))
    assert levels[1414] == pytest.approx(-10 * np.log10(1 + away ** (2 * order)), abs=0.01)


def test_a_band_filtered_in_blocks_is_scipys_filter():
    samples = np.random.default_rng(1).standard_normal(5000).astype(np.float32)
    sections = scipy_signal.butter(3, (500, 4000), "bandpass", fs=RATE, output="sos")
    state = scipy_signal.sosfilt_zi(sections) * samples[0]
    expected, _ = scipy_signal.sosfilt(sections, samples, zi=state)
    made = joined(band_passed(np.split(samples, (1, 700, 701)), RATE, (500, 4000), 3))
    assert made == pytest.approx(expected, abs=1e-5)


def test_an_offset_does_not_ring_at_the_begin():
    made = joined(band_passed([np.full(5000, 0.5, np.float32)], RATE, (500, 4000), 4))
    assert np.abs(made).max() < 1e-6


def test_nothing_is_done_unless_asked_for():
    blocks = [tone(100)]
    assert condition(blocks, Settings(), RATE) is blocks


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"band_pass": [500, 100]}, "the first must be above 0 and the lower"),
        ({"band_pass": [500, 5000], "sample_rate": 8000}, "must end below half the sample rate, 4000 Hz"),
        ({"normalise": "max"}, "normalise is 'max'; it must be one of none, dc, peak, zscore"),
        ({"normalise": "zscore", "sensitivity": -170}, "undoes the calibration by sensitivity"),
        ({"curve": "a.csv", "end_to_end": 170}, "end_to_end and curve are both given"),
    ],
)
def test_a_choice_that_makes_no_sense_is_one_sentence(params, said):
    with pytest.raises(ValueError, match=said):
        Settings.read(params)


def run(path, tmp_path, begin, **params):
    settings = Settings.read({"nfft": 256, "bin": 2.0} | params)
    measure(str(path), begin, settings, product=tmp_path / "o.nc", picture=tmp_path / "o.png")
    with xr.open_dataset(tmp_path / "o.nc") as data:
        return data.load()


def test_files_of_different_rates_have_one_axis_of_frequency_when_resampled(write_wav, tmp_path, begin):
    """A file of half the rate that is taken as it is has every frequency wrong by two."""
    found = []
    for rate in (8000, 16000):
        path = write_wav(f"{rate}.wav", 0.5 * tone(1000, rate, 3), rate=rate)
        data = run(path, tmp_path, begin, sample_rate=8000, resample=8000)
        found.append((float(data.frequency[int(np.argmax(data.psd.values))]), data.sizes["time"]))
    assert found[0] == found[1] == (1000.0, (3 * 8000 - 256) // 128 + 1)


def test_another_rate_is_refused_when_nobody_asks_for_resampling(write_wav, tmp_path, begin):
    path = write_wav("a.wav", tone(1000, 16000), rate=16000)
    with pytest.raises(Faulty, match="16000 Hz, the campaign's is 8000 Hz"):
        run(path, tmp_path, begin, sample_rate=8000)


def test_what_was_done_to_the_samples_is_in_the_product(write_wav, tmp_path, begin):
    path = write_wav("a.wav", tone(1000, 16000), rate=16000)
    data = run(path, tmp_path, begin, resample=8000, band_pass=[100, 3000], normalise="dc")
    assert data.attrs["resampled"] == "to 8000 Hz, soxr HQ"
    assert data.attrs["filter"] == "Butterworth, order 4, 100 to 3000 Hz"
    assert data.attrs["normalised"] == "dc file"


def test_a_sample_that_is_no_number_cannot_be_filtered_even_by_force(write_wav, tmp_path, begin):
    samples = tone(1000, 8000)
    samples[100] = np.nan
    path = write_wav("a.wav", samples, rate=8000, subtype="FLOAT")
    with pytest.raises(Faulty, match="NaN"):
        run(path, tmp_path, begin, band_pass=[100, 3000], force=True)

from datetime import UTC, datetime

import numpy as np
import pytest
import soundfile
import xarray as xr

from penstock.workflows.acoustics.bandlevels import Spectrum
from penstock.workflows.acoustics.bands import chosen
from penstock.workflows.acoustics.fine import FineLines, Plan, Thinner
from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.spectra import Transform
from penstock.workflows.acoustics.timeline import Bins

RATE, SECONDS = 48000, 60
TIME = np.arange(RATE * SECONDS) / RATE
BEGIN = datetime(2026, 1, 17, 4, 0, tzinfo=UTC)


def brick_wall(samples, low, high):
    """Give the level in a band as a filter without slopes would."""
    power = np.abs(np.fft.rfft(samples)) ** 2 * 2 / len(samples) ** 2
    upto, lines = np.concatenate(([0], np.cumsum(power))), np.fft.rfftfreq(len(samples), 1 / RATE)
    return 10 * np.log10(upto[np.searchsorted(lines, high)] - upto[np.searchsorted(lines, low)])


def falling(slope):
    """Make noise whose density falls with the power `slope` of frequency."""
    lines = np.fft.rfft(np.random.default_rng(5).standard_normal(len(TIME)))
    lines[1:] /= np.maximum(np.fft.rfftfreq(len(TIME), 1 / RATE)[1:], 1) ** (slope / 2)
    lines[0] = 0
    made = np.fft.irfft(lines, len(TIME))
    return 0.05 * made / made.std()


def tone(frequency):
    noise = 0.003 * np.random.default_rng(6).standard_normal(len(TIME))
    return 0.25 * np.sin(2 * np.pi * round(frequency * SECONDS) / SECONDS * TIME) + noise


SOUNDS = {f"falling by {slope}": falling(slope) for slope in (0, 1, 2, 3)}
SOUNDS |= {f"{frequency:g} Hz": tone(frequency) for frequency in (10, 15.85, 63, 251.2, 1585, 2512, 10000)}


@pytest.fixture
def run(tmp_path):
    def run(samples, rate=RATE, **params):
        soundfile.write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
        products = {"product": tmp_path / "a.nc", "picture": tmp_path / "a.png"}
        measure(str(tmp_path / "a.wav"), BEGIN, Settings.read(params), **products)
        with xr.open_dataset(tmp_path / "a.nc") as data:
            return data.load()

    return run


@pytest.mark.parametrize("name", list(SOUNDS))
def test_decidecades_are_those_of_a_brick_wall_from_10_hz_up_at_the_defaults(run, name):
    data = run(SOUNDS[name])
    found = 10 * np.log10((10 ** (data.decidecade_level / 10)).mean("bin")).values
    edges = zip(data.decidecade_low.values, data.decidecade_high.values, strict=True)
    expected = [brick_wall(SOUNDS[name], *each) for each in edges]
    assert data.decidecade.values[0] == pytest.approx(10)
    assert np.abs(found - expected).max() <= 0.5


def test_the_product_says_which_bands_are_of_longer_frames(run):
    said = run(SOUNDS["63 Hz"][: 20 * RATE]).decidecade_level.attrs["comment"]
    assert said.startswith("from frames of 4 s below 3585.94 Hz")
    fine = run(SOUNDS["63 Hz"][: 20 * RATE : 48], 1000, nfft=4096).decidecade_level
    assert fine.attrs["comment"] == "from the lines of the spectrogram"


def test_a_recording_too_short_for_long_frames_has_no_value_in_narrow_bands(run):
    data = run(SOUNDS["falling by 0"][: 3 * RATE])
    narrow = data.decidecade_low.values < 3600
    assert np.isnan(data.decidecade_level.values[0]).tolist() == narrow.tolist()


def test_bands_one_chose_are_told_by_fine_lines_too(run):
    data = run(SOUNDS["63 Hz"], spl_bands=[[40, 60], [60, 66], [60, 20000]])
    found = 10 * np.log10((10 ** (data.spl_band_level / 10)).mean("bin")).values
    expected = [brick_wall(SOUNDS["63 Hz"], *each) for each in ((40, 60), (60, 66), (60, 20000))]
    assert np.abs(found - expected).max() <= 0.5


def test_hybrid_millidecades_of_a_coarse_spectrogram_come_from_frames_of_a_second(run):
    sound = SOUNDS["falling by 2"][: 20 * RATE]
    coarse, whole = (run(sound, nfft=nfft, bands=["millidecade"]) for nfft in (1024, RATE))
    assert coarse.millidecade_level.values == pytest.approx(whole.millidecade_level.values, abs=1e-3)


def test_thinning_keeps_what_it_passes_and_takes_out_what_would_alias():
    thinner = Thinner(8)
    low, high = (np.sin(2 * np.pi * f * TIME).astype(np.float32) for f in (1500, 6000 - 1500))
    kept = Thinner(8).add(low)
    assert kept[100:-100].std() == pytest.approx(low.std(), rel=1e-3)
    gone = thinner.add(high)
    assert 20 * np.log10(gone[100:-100].std() / high.std()) < -80


@pytest.mark.parametrize("size", [1, 7, 1000, 50_000])
def test_thinning_does_not_depend_on_how_samples_come(size):
    sound = SOUNDS["falling by 1"][:50_000].astype(np.float32)
    thinner = Thinner(8)
    parts = [thinner.add(sound[i : i + size]) for i in range(0, len(sound), size)]
    assert np.concatenate(parts) == pytest.approx(Thinner(8).add(sound), abs=1e-6)


def test_samples_that_are_no_data_spoil_their_frames_only():
    plan = Plan(1.0, 1, 100.0)
    transform = Transform.of(rate=100, size=100, hop=50)
    lines = FineLines(plan, transform, Bins(10.0, 0, 2))
    sound = np.ones(2000, np.float32)
    sound[300:400] = np.nan
    bins = [*lines.add(sound), *lines.close()]
    assert [each.place for each in bins] == [0, 1]
    assert bins[0].frames < bins[1].frames == 20
    assert np.isfinite(bins[0].total).all()


def test_a_spectrum_of_two_parts_loses_no_power():
    coarse, fine = Transform.of(rate=8000, size=256, hop=128), Transform.of(rate=1000, size=1000, hop=500)
    spectrum = Spectrum(coarse, fine, 300.0)
    flat = np.ones(129), np.ones(501)
    for each in flat:
        each[[0, -1]] = 0.5  # their cells are half as wide
    whole = chosen([(0, 4000), (0, 250), (290, 320)], 4000)
    assert spectrum.power(whole, *flat) == pytest.approx([4000, 250, 30])
    assert np.isnan(spectrum.power(whole, flat[0], None)).tolist() == [True] * 3
    assert np.isnan(spectrum.power(whole, None, flat[1])).tolist() == [True, False, False]

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.workflows.acoustics import bands
from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.spectra import Transform


def test_decidecades_have_the_standards_edges():
    made = bands.decidecades(1.0, 24000.0)
    at = int(np.argmin(np.abs(made.centre - 1000)))
    assert made.centre[at] == pytest.approx(1000)
    assert (made.low[at], made.high[at]) == pytest.approx((891.2509, 1122.0185))
    assert made.high[:-1] == pytest.approx(made.low[1:])
    width = made.high - made.low
    assert width[0] >= bands.LEAST_LINES > width[0] * 10**-0.1
    assert made.high[-1] == 24000


def test_third_octaves_have_their_nominal_names():
    made = bands.third_octaves(1.0, 24000.0)
    assert [f"{each:g}" for each in made.centre if 100 <= each <= 1000] == (
        ["100", "125", "160", "200", "250", "315", "400", "500", "630", "800", "1000"]
    )


def test_millidecades_are_a_hertz_wide_up_to_434_and_thousandths_of_a_decade_above():
    made = bands.millidecades(1.0, 24000.0)
    assert (made.low[0], made.high[-1], len(made)) == (0, 24000, 2178)
    assert np.array_equal(made.high[:-1], made.low[1:])
    assert made.centre[:435].tolist() == list(range(435))
    assert made.low[1:435].tolist() == [k - 0.5 for k in range(1, 435)]
    assert made.low[435:438] == pytest.approx([434.5102241715, 435.5118736856, 436.5158322402], abs=1e-9)
    edges = 1000 * np.log10(made.low[435:])
    assert edges == pytest.approx(np.arange(2638, 2638 + len(edges)), abs=1e-9)
    assert made.centre[435:-1] == pytest.approx(np.sqrt(made.low * made.high)[435:-1])
    assert made.centre[-1] == 24000  # its own centre is above what the rate holds


@pytest.mark.parametrize("top", [100.0, 434.2, 434.6, 500.0])
def test_millidecades_end_where_the_rate_ends(top):
    made = bands.millidecades(1.0, top)
    assert (made.high[-1], made.centre[-1] <= top) == (top, True)
    assert np.array_equal(made.high[:-1], made.low[1:])
    assert (made.high > made.low).all()


def direct(power, spacing, top, low, high):
    """Split each line by the share of its cell, one by one."""
    found = 0.0
    for k, each in enumerate(power):
        start, stop = max(0.0, (k - 0.5) * spacing), min(top, (k + 0.5) * spacing)
        found += each * max(0.0, min(stop, high) - max(start, low)) / (stop - start)
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 200), st.floats(0.3, 60), st.integers(0, 99))
def test_a_band_takes_of_each_line_its_share(size, spacing, seed):
    power = np.random.default_rng(seed).random(size // 2 + 1)
    top = spacing * size / 2
    borders = bands.cells(len(power), spacing, top)
    low, high = np.sort(np.random.default_rng(seed).uniform(0, top, (2, 7)), axis=0)
    expected = [direct(power, spacing, top, *each) for each in zip(low, high, strict=True)]
    assert bands.band_power(power, borders, low, high) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(16, 3000), st.sampled_from([250.0, 8000.0, 44100.0, 48000.0, 384000.0]))
def test_bands_that_leave_nothing_out_sum_to_the_broadband_power(size, rate):
    transform = Transform.of(rate=rate, size=size, hop=size, dtype=np.float64)
    power = np.random.default_rng(size).random(len(transform.frequencies())) * transform.line_width
    borders = bands.cells(len(power), transform.spacing, rate / 2)
    fine = bands.millidecades(transform.spacing, rate / 2)
    assert bands.band_power(power, borders, fine.low, fine.high).sum() == pytest.approx(power.sum())
    wide = bands.decidecades(transform.spacing / bands.LEAST_LINES, rate / 2)
    below = bands.band_power(power, borders, np.zeros(1), wide.low[:1])
    inside = bands.band_power(power, borders, wide.low, wide.high)
    assert below.sum() + inside.sum() == pytest.approx(power.sum())


def test_a_band_that_the_rate_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="100 to 5000 Hz is not within 0 to 4000 Hz"):
        bands.chosen([(100, 5000)], 4000)


def test_a_band_narrower_than_the_lines_is_refused():
    with pytest.raises(
        ValueError, match="100 to 101 Hz is narrower than 8 lines, 2 Hz; widen it in spl_bands"
    ):
        bands.chosen([(100, 101)], 4000, 0.25)
    assert len(bands.chosen([(100, 102)], 4000, 0.25)) == 1


def test_hybrid_millidecades_of_lines_of_a_hertz_sum_to_the_broadband_level(
    write_wav, noise, tmp_path, begin
):
    out, chosen = tmp_path / "o.nc", Settings.read({"nfft": 8000, "bin": 5.0, "bands": ["millidecade"]})
    measure(str(write_wav("a.wav", noise)), begin, chosen, product=out, picture=tmp_path / "o.png")
    with xr.open_dataset(out) as data:
        total = 10 * np.log10((10 ** (data.millidecade_level / 10)).sum("millidecade")).values
        assert total == pytest.approx(data.bin_level.values, abs=1e-4)
        assert data.millidecade_level.attrs["comment"] == "from the lines of the spectrogram"


@pytest.mark.parametrize("scaling", ["density", "spectrum"])
def test_levels_of_all_bands_come_from_the_one_pass(write_wav, noise, tmp_path, begin, scaling):
    out = tmp_path / "o.nc"
    chosen = Settings.read(
        {"nfft": 256, "bin": 2.0, "scaling": scaling, "bands": list(bands.KINDS)}
        | {"spl_bands": [[0, 1000], [1000, 4000]]}
    )
    path = write_wav("a.wav", noise, subtype="FLOAT")
    measure(str(path), begin, chosen, product=out, picture=tmp_path / "o.png")
    with xr.open_dataset(out) as data:
        broadband = 10 ** (data.bin_level.values / 10)
        for name in ("millidecade", "spl_band"):  # from other frames than the broadband level
            assert (10 ** (data[f"{name}_level"] / 10)).sum(name).values == pytest.approx(broadband, rel=0.05)
        assert np.array_equal(data.decidecade_level.values, data.third_octave_level.values)
        flat = 10 * np.log10(noise.var() * (data.decidecade_high - data.decidecade_low) / 4000)
        assert np.abs(data.decidecade_level.mean("bin") - flat).values[-10:].max() < 1
        assert data.spl_band_level.attrs["units"] == "dB"
        assert data.spl_band_level.attrs["reference"] == "1 FS²"

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from penstock.workflows.acoustics.spectra import COSINES, Transform, make_window, stretches

SCIPYS = [  # all that scipy.signal.get_window makes periodic, with parameters where it wants them
    *("triang", "parzen", "bohman", "nuttall", "barthann", "flattop", "bartlett", "cosine"),
    *("tukey", "taylor", "lanczos", ("kaiser", 8.6), ("gaussian", 9.0)),
    *(("general_cosine", [0.6, 0.4]), ("general_gaussian", 1.5, 9.0), ("general_hamming", 0.7)),
    *(("dpss", 1.5), ("chebwin", 100.0), ("tukey", 0.25), ("exponential", None, 60.0)),
]
WINDOWS = [*COSINES, *SCIPYS]
SIZES = st.integers(4, 300)


def transform(
    size=64, overlap=0.5, window="hann", scaling="density", dtype=np.float64, rate=1000.0, factor=1.0
):
    hop = max(1, size - round(size * overlap))
    return Transform.of(
        rate=rate, size=size, hop=hop, window=window, scaling=scaling, dtype=dtype, factor=factor
    )


@pytest.mark.parametrize("name", list(COSINES))
@pytest.mark.parametrize("size", [16, 17, 1024])
def test_a_cosine_window_is_scipys(name, size):
    assert np.allclose(make_window(name, size), signal.get_window(name, size), atol=1e-12)


@settings(max_examples=300, deadline=None)
@given(
    SIZES, st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.9]), st.sampled_from(WINDOWS), st.integers(0, 2**32 - 1)
)
def test_the_density_summed_over_frequency_is_the_windowed_mean_square(size, overlap, window, seed):
    samples = np.random.default_rng(seed).standard_normal(size * 5)
    weights = make_window(window, size)
    for dtype, tolerance in ((np.float64, 1e-6), (np.float32, 1e-4)):
        made = transform(size, overlap, window, dtype=dtype)
        power = made.power(samples.astype(dtype))
        assert power.dtype == dtype
        for frame in range(made.count(len(samples))):
            cut = samples[frame * made.hop : frame * made.hop + size]
            expected = np.sum((weights * cut) ** 2) / np.sum(weights**2)
            assert np.sum(power[frame], dtype=float) * made.spacing == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("scaling", ["density", "spectrum"])
@pytest.mark.parametrize("size", [32, 33])
def test_power_is_the_direct_sum_over_exponentials(scaling, size):
    samples = np.random.default_rng(3).standard_normal(size * 3)
    made = transform(size, 0.5, "hamming", scaling)
    weights = make_window("hamming", size)
    divisor = 1000 * np.sum(weights**2) if scaling == "density" else np.sum(weights) ** 2
    for frame, power in enumerate(made.power(samples)):
        cut = weights * samples[frame * made.hop :][:size]
        for k in range(size // 2 + 1):
            line = np.sum(cut * np.exp(-2j * np.pi * k * np.arange(size) / size))
            alone = k == 0 or 2 * k == size
            assert power[k] == pytest.approx(
                (1 if alone else 2) * abs(line) ** 2 / divisor, rel=1e-9, abs=1e-15
            )


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.75])
def test_a_sine_at_a_bin_centre_reads_half_its_squared_amplitude(window, overlap):
    size, k, amplitude = 256, 40, 0.7
    time = np.arange(size * 6)
    sine = (amplitude * np.sin(2 * np.pi * k * time / size + 0.3)).astype(np.float32)
    power = transform(size, overlap, window, "spectrum", np.float32).power(sine)
    error = 10 * np.log10(power[:, k] / (amplitude**2 / 2))
    assert np.abs(error).max() < 0.01


def test_the_mean_density_is_scipys_welch_without_detrending():
    samples = np.random.default_rng(5).standard_normal(20_000)
    _, expected = signal.welch(samples, 1000.0, "hann", 256, 128, detrend=False)
    assert np.allclose(transform(256).power(samples).mean(axis=0), expected, rtol=1e-10)


@pytest.mark.parametrize("size", [128, 129])
def test_no_line_of_a_spectrogram_lies_3_db_below_welchs_mean(size):
    """A spectrogram with c = 1, or two-sided, does."""
    samples = np.random.default_rng(5).standard_normal(20_000).astype(np.float32)
    made = transform(size, dtype=np.float32)
    _, expected = signal.welch(samples, 1000.0, "hann", size, size - made.hop, detrend=False)
    assert made.power(samples).mean(axis=0, dtype=float) == pytest.approx(expected, rel=1e-4)


@given(SIZES, st.integers(1, 300), st.integers(0, 3000))
def test_every_full_frame_counts_and_no_other(size, hop, samples):
    made = Transform.of(rate=10, size=size, hop=min(hop, size))
    starts = [start for start in range(0, samples + 1, made.hop) if start + size <= samples]
    assert made.count(samples) == len(starts)


@given(
    st.integers(2, 5000),
    st.integers(1, 5000),
    st.integers(0, 10**6),
    st.sampled_from([8000, 44100, 48000, 384000]),
)
def test_frame_times_are_exact(size, hop, first, rate):
    made = Transform.of(rate=rate, size=size, hop=hop)
    for m, time in enumerate(made.times(3, first), start=first):
        assert time == (m * hop + size / 2) / rate


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=12),
    st.integers(1, 9),
    st.sampled_from([0.0, 0.5, 0.8]),
)
def test_pieces_of_any_length_give_the_same_frames_as_the_whole(lengths, count, overlap):
    samples = np.random.default_rng(1).standard_normal(sum(lengths))
    pieces = np.split(samples, np.cumsum(lengths)[:-1])
    made = transform(32, overlap)
    blocks = list(made.blocks(pieces, count))
    whole = made.power(samples) if len(samples) >= 32 else np.empty((0, 17))
    assert [len(block) for block in blocks[:-1]] == [count] * (len(blocks) - 1)
    assert np.array_equal(np.concatenate([np.empty((0, 17)), *blocks]), whole)


def test_a_stream_shorter_than_a_window_has_no_stretch():
    assert list(stretches([np.zeros(31)], 32, 16, 4)) == []


def test_a_factor_scales_the_amplitude():
    samples = np.random.default_rng(2).standard_normal(640)
    assert np.allclose(transform(factor=3.0).power(samples), 9 * transform().power(samples))


def test_broadband_power_is_the_same_from_density_and_spectrum():
    samples = np.random.default_rng(2).standard_normal(6400)
    density, spectrum = (transform(scaling=scaling) for scaling in ("density", "spectrum"))
    assert density.broadband(density.power(samples)) == pytest.approx(
        spectrum.broadband(spectrum.power(samples))
    )

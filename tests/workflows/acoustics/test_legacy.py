import numpy as np
import pytest
import xarray as xr

from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.spectra import Transform

RATE = 8000


def old_way(samples, size, percent):
    """The arithmetic of the OSmOSE scripts 0.2, written from its description."""
    window = np.hamming(size)
    hop = size - int(size * percent / 100)
    frames = int((len(samples) - size) / hop)
    rows = [np.abs(np.fft.rfft(samples[m * hop : m * hop + size] * window)) ** 2 for m in range(frames)]
    return 10 * np.log10(np.array(rows) * 2 / (RATE * np.sum(window**2)) / 1e-12)


@pytest.mark.parametrize(("size", "percent"), [(256, 50), (256, 29), (255, 90), (128, 0)])
def test_the_legacy_mode_gives_the_numbers_of_the_old_scripts(
    write_wav, noise, tmp_path, begin, size, percent
):
    path, out = write_wav("a.wav", noise, subtype="FLOAT"), tmp_path / "o.nc"
    chosen = Settings.read({"nfft": size, "overlap": percent / 100, "legacy": "osmose-0.2", "step_db": 0.01})
    measure(str(path), begin, chosen, product=out, picture=tmp_path / "o.png")
    expected = old_way(noise.astype(float), size, percent)
    with xr.open_dataset(out) as data:
        assert data.level.shape == expected.T.shape
        assert np.abs(data.level.values.T - expected).max() < 0.02
        assert data.attrs["legacy"] == "osmose-0.2"


def test_the_legacy_mode_loses_the_last_frame_and_doubles_the_ends():
    old = Transform.osmose(rate=RATE, size=64, hop=32, dtype=np.float64)
    new = Transform.of(rate=RATE, size=64, hop=32, window="hamming", dtype=np.float64)
    assert (old.count(640), new.count(640)) == (18, 19)
    assert (old.count(64), old.count(10)) == (0, 0)
    level = old.power(np.ones(64))[0, 0] / new.power(np.ones(64))[0, 0]
    assert level == pytest.approx(2, rel=0.05)


def test_an_unknown_legacy_is_refused():
    with pytest.raises(ValueError, match=r"legacy is 'osmose-9'; it must be one of osmose-0\.2"):
        Settings.read({"legacy": "osmose-9"})

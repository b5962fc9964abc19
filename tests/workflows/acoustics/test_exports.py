import numpy as np
import pytest
import xarray as xr

from penstock.workflows.acoustics.exports import write_npz
from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.settings import Settings


@pytest.fixture
def product(write_wav, noise, tmp_path, begin):
    noise[5000:5400] = np.nan
    path, out = write_wav("a.wav", noise, subtype="FLOAT"), tmp_path / "a.nc"
    chosen = Settings(nfft=256, sensitivity=-170.0, force=True)
    measure(str(path), begin, chosen, product=out, picture=tmp_path / "a.png")
    return out


def test_an_npz_file_has_levels_times_and_frequencies(product, tmp_path, begin):
    write_npz(product, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as made, xr.open_dataset(product) as expected:
        assert made["level"].dtype == np.float32
        assert made["level"] == pytest.approx(expected.level.values, abs=1e-3, nan_ok=True)
        assert made["time"][:2] - begin.timestamp() == pytest.approx([128 / 8000, 256 / 8000], abs=1e-6)
        assert np.array_equal(made["frequency"], expected.frequency.values)
        assert str(made["reference"]) == "1 µPa²/Hz"

import math

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.workflows.acoustics.calibration import read_calibration, read_curve, read_response
from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.settings import Settings

DB = st.floats(-220, 220)


@given(st.floats(-220, -100), st.floats(-20, 60), st.floats(0.1, 10))
def test_sensitivity_gain_and_voltage_give_pascal(sensitivity, gain, peak):
    made = read_calibration(Settings(sensitivity=sensitivity, gain=gain, peak_voltage=peak))
    volts_at_hydrophone = peak / 10 ** (gain / 20)
    micropascal = volts_at_hydrophone / 10 ** (sensitivity / 20)
    assert made.factor == pytest.approx(micropascal * 1e-6, rel=1e-12)


def test_a_known_hydrophone_reads_as_by_hand():
    # -170 dB re 1 V/µPa, 1 V peak: full scale is 170 dB re 1 µPa, which is 316.2 Pa.
    made = read_calibration(Settings(sensitivity=-170.0))
    assert made.factor == pytest.approx(316.2278, rel=1e-6)
    assert made.level(made.factor**2) == pytest.approx(170)


@given(st.floats(100, 220))
def test_an_end_to_end_value_is_the_level_of_full_scale(value):
    made = read_calibration(Settings(end_to_end=value))
    assert made.level(made.factor**2) == pytest.approx(value)


def test_without_a_calibration_levels_are_of_full_scale():
    made = read_calibration(Settings())
    assert (made.factor, made.known, made.reference_of("density")) == (1.0, False, "1 FS²/Hz")
    assert made.level(0.5) == pytest.approx(10 * math.log10(0.5))


def test_the_reference_says_what_zero_decibel_is():
    made = read_calibration(Settings(sensitivity=-170.0))
    assert (made.reference_of("density"), made.reference_of("spectrum")) == ("1 µPa²/Hz", "1 µPa²")
    assert (made.unit_of("density"), made.unit_of("spectrum")) == ("Pa2/Hz", "Pa2")


@pytest.fixture
def curve(tmp_path):
    path = tmp_path / "hydrophone.csv"
    path.write_text("Hz,dB\n1000,-150\n100,-170\n")
    return str(path)


def test_a_curve_is_straight_over_the_logarithm_of_frequency_and_level_beyond_its_ends(curve):
    settings = Settings(curve=curve, gain=20.0, peak_voltage=2.0)
    response = read_response(settings, np.array([0, 10, 100, 316.2278, 1000, 5000]))
    assert 10 * np.log10(response) == pytest.approx([170, 170, 170, 160, 150, 150], abs=1e-4)


def test_a_flat_curve_is_a_sensitivity(tmp_path):
    path = tmp_path / "flat.csv"
    path.write_text("0,-165\n24000,-165\n")
    given = {"gain": 12.0, "peak_voltage": 2.5}
    by_curve, by_number = Settings(curve=str(path), **given), Settings(sensitivity=-165.0, **given)
    response = read_response(by_curve, np.array([0.0, 500.0]))
    power = read_calibration(by_curve).factor ** 2 * response
    assert power == pytest.approx(np.full(2, read_calibration(by_number).factor ** 2))


def test_an_end_to_end_curve_is_an_end_to_end_value_at_each_frequency(tmp_path):
    path = tmp_path / "flat.csv"
    path.write_text("100,171.5\n")
    settings = Settings(curve=str(path), curve_kind="end_to_end")
    power = read_calibration(settings).factor ** 2 * read_response(settings, np.array([500.0]))
    assert power == pytest.approx([read_calibration(Settings(end_to_end=171.5)).factor ** 2])


def test_a_curve_is_applied_to_the_spectrum(curve, tmp_path, write_wav, begin):
    low, high = (0.1 * np.sin(2 * np.pi * f * np.arange(16000) / 8000) for f in (125, 3000))
    path, out = write_wav("a.wav", low + high, subtype="FLOAT"), tmp_path / "o.nc"
    settings = Settings(nfft=256, scaling="spectrum", curve=curve)
    measure(str(path), begin, settings, product=out, picture=tmp_path / "o.png")
    with h5py.File(out) as file:
        level = 10 * np.log10(file["psd"][:][[4, 96]] / 1e-12)
        assert file.attrs["calibration"].decode().startswith("sensitivity curve hydrophone.csv (")
    sensitivity = np.interp(np.log10(125), [2, 3], [-170, -150])
    assert level == pytest.approx([-23.0103 - sensitivity, -23.0103 + 150], abs=0.01)


@pytest.mark.parametrize(
    ("text", "said"), [("f,dB\n", "has no rows"), ("f,dB\n1,2\n3;4\n", "line 3 of the curve")]
)
def test_a_curve_that_cannot_be_read_is_one_sentence(tmp_path, text, said):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_curve(str(path))

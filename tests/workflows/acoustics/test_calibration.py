import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.workflows.acoustics.calibration import read_calibration
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

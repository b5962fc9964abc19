"""Settings that cannot be are refused with a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import DefinitionError
from penstock.workflows.detector.settings import Settings


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mode": "clasic"}, "choose classic, robust, dark"),
        ({"int_low": 5, "int_high": 5}, "int_low = 5 must be below int_high = 5"),
        ({"rms_high": float("inf")}, "both finite"),
        ({"mean_low": float("nan")}, "both finite"),
        ({"flashes": 0}, "flashes = 0 must be a fraction"),
        ({"fraction_low": 1.5}, "fraction_low = 1.5 must be a fraction"),
        ({"spreads": -1}, "spreads = -1 must be 0 or more"),
        ({"sample": 1}, "sample = 1 must be 2 frames or more"),
        ({"int_lo": 1}, "int_lo is no setting of the pixel status; did you mean int_low?"),
        ({"spreads": "8"}, "spreads = '8' must be a number"),
        ({"mode": 3}, "mode 3 is unknown"),
        ({"gain": 1}, "gain is no setting .*; there are mode, int_low"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        Settings.read(wrong)


def test_the_fewest_frames_follow_from_how_many_flashes_are_too_many() -> None:
    assert Settings().enough == 50
    assert Settings(flashes=0.01).enough == 100
    assert Settings(least=400).enough == 400
    assert Settings(mode="classic").enough == 1


def test_settings_come_back_from_what_is_told() -> None:
    chosen = Settings(mode="dark", spreads=6)
    assert Settings.read(chosen.told()) == chosen

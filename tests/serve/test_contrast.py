"""Colours can be read by everybody: WCAG 2.2 AA, computed, in light and dark."""

import re

import pytest

from penstock.serve.pages import SIGNS, STATIC
from penstock.status import STATES

CSS = (STATIC / "style.css").read_text()
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#\w{6})", part))
    for part in CSS.split("@media (prefers-color-scheme: dark)")[:2]
)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_formula_knows_black_on_white():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_words_have_four_and_a_half_and_shapes_three(scheme):
    for ground in ("page", "panel"):
        for ink in ("text", "quiet", "accent", "grey", "blue", "green", "red", "yellow"):
            assert contrast(scheme[ink], scheme[ground]) >= 4.5, (ink, ground)
        for shape in ("pale", "blue", "green", "red", "yellow"):
            assert contrast(scheme[shape], scheme[ground]) >= 3, (shape, ground)
    assert contrast(scheme["on-badge"], scheme["red"]) >= 4.5


def test_every_state_has_a_colour_and_a_sign_of_its_own():
    assert len({SIGNS[state] for state in STATES}) == len(STATES)
    for state in STATES:
        assert re.search(rf"\.s-{state}\b", CSS)
        assert re.search(rf"\.f-{state}\b", CSS)


def test_nothing_comes_from_elsewhere():
    for path in STATIC.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|//[a-z]|@import|url\(", text), path

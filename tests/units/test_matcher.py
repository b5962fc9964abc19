"""Matching without backtracking finds what the regular expression finds, whatever the name is."""

import random
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock.units import Pattern
from penstock.units.matcher import Groups, match_slowly
from penstock.units.pattern import _cut_at_slashes, _segment_regex
from penstock.units.template import Template

FIELDS = ("{a}", "{b}", "{c}", "{n:d}", "{m:03d}", "{x:.1f}", "{y:.2e}", "{t:%Y%m}", "{w:>4}", "{k:%b}")
LITERALS = ("_", "-", "__", "1", ".", "e", "x_", "")
TEXTS = st.lists(
    st.sampled_from(["_", "-", "1", "12", ".", "e", "1.5", "e+1", "a", "x_", "202001", "Jan", "  a1", "\n"])
).map("".join)


def both(pattern: str, name: str) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Match by the regular expression and without."""
    (piece,) = _cut_at_slashes(Template.parse(pattern))
    regex, _, parts = _segment_regex(piece)
    found = re.compile(regex, re.DOTALL).fullmatch(name)
    hidden = name.startswith(".") and parts[0].kind != "literal"
    slow = None if hidden else match_slowly(parts, name)
    return found and found.groups(), slow and slow.groups()


@st.composite
def patterns(draw: st.DrawFn) -> str:
    fields = draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=5))
    between = [draw(st.sampled_from(LITERALS[:-1])) for _ in fields[1:]]
    text = fields[0] + "".join(literal + name for literal, name in zip(between, fields[1:], strict=True))
    return draw(st.sampled_from(LITERALS)) + text + draw(st.sampled_from(LITERALS))


@settings(max_examples=400)
@given(patterns(), TEXTS)
@example("{a}_{a}_{b}", "x_y_x_y_z")
@example("{x:.1f}1{n:d}.{b}", "1.5e+111.1")
@example("{a}_{b}", "._")
def test_it_finds_the_same(pattern: str, name: str) -> None:
    found, slow = both(pattern, name)
    assert found == slow


@settings(max_examples=200)
@given(patterns(), st.randoms(use_true_random=False))
def test_it_finds_the_same_in_names_that_fit(pattern: str, chance: random.Random) -> None:
    texts = {
        "a": "_1",
        "b": "a_-",
        "c": "e",
        "n:d": "12",
        "m:03d": "011",
        "x:.1f": "1.5",
        "y:.2e": "1.50e+11",
    }
    name = re.sub(r"\{(.*?)\}", lambda m: texts.get(m[1], "202001" if "%Y" in m[1] else "Jan"), pattern)
    at = chance.randrange(len(name) + 1)
    for tried in (name, name[:at] + chance.choice(["_", "1", "-", ""]) + name[at:]):
        found, slow = both(pattern, tried)
        assert found == slow


SIX = "{a}_{b}_{c}_{d}_{e}_{f}_{u:05d}.dat"


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (SIX, "_" * 250),
        (SIX, "a_" * 120 + "x1234.dat"),
        ("{a}-{b}_{c}-{d}_{e}.{f}.h5", "-_." * 80),
        ("{a:d}1{b:d}1{c:d}1{d:d}1{e:d}x", "1" * 250),
        ("{a}_{b}_{a}_{c}_{b}_{d}x", "_" * 251),
    ],
)
def test_a_name_that_a_regular_expression_would_take_hours_for_is_refused(pattern: str, name: str) -> None:
    assert Pattern.parse(pattern).segments[0].match(name) is None


def test_a_long_name_is_cut_as_a_short_one_is() -> None:
    found = Pattern.parse(SIX).segments[0].match("a_b_c_d_e_" + "f_" * 100 + "f_00042.dat")
    assert isinstance(found, Groups)
    assert found.groups() == ("a", "b", "c", "d", "e", "f_" * 100 + "f", "00042")

"""Values are equal by their decimal value, and stay as they were typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.workflows.sweep.value import identity_of, number, real, whole, words
from penstock.workflows.sweep.variable import Variable, as_double, check_format


@pytest.mark.parametrize(
    "texts", [("0.25", "2.5E-1", "2.5d-1", ".25", "+0.250"), ("0", "-0.0", "0e9"), ("300", "3e2", "3.D2")]
)
def test_spellings_of_one_number_are_one_value(texts: tuple[str, ...]) -> None:
    assert len({real(text).identity for text in texts}) == 1
    assert [real(text).text for text in texts] == list(texts)


@pytest.mark.parametrize(
    ("one", "two"), [("0.1", "0.1000001"), ("1e-300", "0"), ("12345678901234567890", "12345678901234567891")]
)
def test_numbers_that_differ_are_two_values(one: str, two: str) -> None:
    assert real(one).identity != real(two).identity


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_known_by_its_repr(value: float) -> None:
    read = real(repr(value))
    assert read.plain == value
    assert float(read.identity) == value
    assert identity_of(number(repr(value))) == read.identity


def test_whole_numbers_never_pass_through_floats() -> None:
    assert whole("9007199254740993").plain == 9007199254740993
    assert whole("9007199254740993").identity != whole("9007199254740992").identity
    for text in ("3.0", "1e3", "", "0x10", "1_000", "٣", "3 "):
        with pytest.raises(ValueError, match="is not a whole number"):
            whole(text)


@pytest.mark.parametrize("text", ["a\nb", "a\0", "\x1b[2J", "tab\there"])
def test_text_is_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        words(text)


@pytest.mark.parametrize("text", ["nan", "inf", "1e400", "--1", "1e", ".", "1,5", "½"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        real(text)


def test_a_format_writes_and_without_one_the_typed_text_stays() -> None:
    plain = Variable(name="tolerance", type="float")
    assert plain.write(plain.read("1E-07")) == "1E-07"
    fixed = Variable(name="tolerance", type="float", format=".3f")
    assert fixed.write(fixed.read("0.1")) == "0.100"
    double = Variable(name="tolerance", type="float", format="d0")
    assert [double.write(double.read(text)) for text in ("1e-07", "2", "4D3")] == ["1d-07", "2d0", "4d3"]


def test_a_format_must_fit_its_type() -> None:
    check_format("05d", "int")
    for spec, kind in ((".3f", "str"), ("d0", "int"), ("{x}", "float"), ("d", "float")):
        with pytest.raises(ValueError, match="format"):
            check_format(spec, kind)


def test_fortran_doubles_never_have_two_exponents() -> None:
    assert as_double("1E-07") == "1d-07"
    with pytest.raises(ValueError, match="not a number"):
        as_double("1e-07d0")

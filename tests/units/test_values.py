"""What a text must look like to be a value of a type."""

import pytest

from penstock.errors import DefinitionError
from penstock.units import BadlyNamed, Expression, Pattern, read_value
from penstock.units.formats import format_of


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("-5", -5), ("00412", 412), (" 7 ", 7)])
def test_a_whole_number_is_digits(text: str, value: int) -> None:
    assert read_value(text, "int") == value


@pytest.mark.parametrize("text", ["", "2_000", "+5", "７", "१२", "1e3", "5.0", "0x10", "- 5", "5\n", "\xa05"])
def test_spellings_that_only_python_knows_are_no_whole_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="is not a whole number"):
        read_value(text, "int")


@pytest.mark.parametrize(("text", "value"), [("2", 2.0), ("-0.25", -0.25), ("+3.5", 3.5), ("1E-3", 0.001)])
def test_a_number_is_written_as_in_toml(text: str, value: float) -> None:
    assert read_value(text, "float") == value


@pytest.mark.parametrize(
    "text", ["nan", "inf", "-Infinity", "1e999", "1_0.5", ".5", "5.", "٣.5", "0x1p3", ""]
)
def test_what_is_not_finite_or_only_python_reads_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        read_value(text, "float")


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "2020-02-30", "now"]
)
def test_a_time_that_utc_has_not_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        read_value(text, "datetime")


def test_expressions_read_numbers_as_tables_do() -> None:
    assert Expression.parse("int(a) + 1").evaluate({"a": "41"}) == 42
    for text in ("int(a)", "float(a)"):
        with pytest.raises(DefinitionError, match="fails with a = '4_1'"):
            Expression.parse(text).evaluate({"a": "4_1"})


@pytest.mark.parametrize("text", ["strip(a)", "replace(a, 'x', 'y')", "upper(a)", "a[0]", "a > 1", "-a"])
def test_an_expression_over_an_empty_cell_is_told_and_not_a_fault(text: str) -> None:
    with pytest.raises(DefinitionError, match="needs a, which is empty"):
        Expression.parse(text).evaluate({"a": None})


def test_a_format_without_room_says_so() -> None:
    with pytest.raises(DefinitionError, match="no room"):
        format_of(".3f").write(10**400)


@pytest.mark.parametrize("spec", ["0999999999d", "999999999", ".999999999f", "0९d"])
def test_a_width_that_no_name_has_is_no_format(spec: str) -> None:
    with pytest.raises(DefinitionError, match="is not known"):
        format_of(spec)


@pytest.mark.parametrize("name", ["9999999", "2020999"])
def test_a_day_of_the_year_beyond_the_calendar_is_badly_named(name: str) -> None:
    assert isinstance(Pattern.parse("{day:%Y%j}.txt").match(f"{name}.txt"), BadlyNamed)

"""Templates fill in values, and keep each within its part of a path."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import DefinitionError
from penstock.units import Placeholder, Template, escape, unescape


def test_a_template_knows_its_parts_and_names():
    template = Template.parse("{file}_{param.window:d}.npz")
    assert template.parts == (Placeholder("file"), "_", Placeholder("param.window", "d"), ".npz")
    assert template.names == ("file", "param.window")


@pytest.mark.parametrize(
    ("text", "values", "written"),
    [
        ("{run:05d}", {"run": 7}, "00007"),
        ("{run:05d}", {"run": -7}, "-0007"),
        ("{run}", {"run": 7}, "7"),
        ("{x:.3f} {x:g} {x:.1e}", {"x": 0.5}, "0.500 0.5 5.0e-01"),
        ("{x:.1f}", {"x": 2}, "2.0"),
        ("{name:>6}|{name:<6}|{name:^6}", {"name": "ab"}, "    ab|ab    |  ab  "),
        (
            "{t:%Y-%m-%dT%H:%M:%S.%f}",
            {"t": datetime(2020, 1, 2, 3, 4, 5, 6, UTC)},
            "2020-01-02T03:04:05.000006",
        ),
        ("{t:%y%j %b %d%%}", {"t": "2020-02-01T00:00:00Z"}, "20032 Feb 01%"),
        ("{t:%d.%m.%Y %H%M%S%%}", {"t": "2020-01-17T22:15:03Z"}, "17.01.2020 221503%"),
        ("{t}", {"t": datetime(2020, 1, 2, tzinfo=UTC)}, "2020-01-02T00:00:00Z"),
        ("{t:%H:%M}", {"t": "2020-01-17T23:30:00+02:00"}, "21:30"),
        ("{flag}", {"flag": True}, "true"),
        ("{nothing}!", {"nothing": None}, "!"),
        ("{{{a}}} 100%s {{}}", {"a": "x"}, "{x} 100%s {}"),
        ("plain %d", {}, "plain %d"),
        ("", {}, ""),
        ("{a}{a}-{b}", {"a": "%s", "b": "{a}"}, "%s%s-{a}"),
    ],
)
def test_values_are_written_by_their_formats(text: str, values: dict[str, object], written: str):
    assert Template.parse(text).render(values) == written


@pytest.mark.parametrize(
    ("text", "value", "why"),
    [("{x:%H}", "2020-01-17T25:00:00Z", "a time"),
     ("{x:05d}", "7", "whole number"), ("{x:05d}", True, "whole number"), ("{x:.2f}", "a", "a number"),
     ("{x:>5}", 3, "text"), ("{x:%Y}", "noon", "a time"), ("{x:%Y}", 2020, "a time")],
)  # fmt: skip
def test_a_value_that_does_not_fit_its_format_is_an_error(text: str, value: object, why: str):
    with pytest.raises(DefinitionError, match=why):
        Template.parse(text).render({"x": value})


def test_an_unknown_name_is_told_with_the_nearest_one():
    with pytest.raises(DefinitionError, match="names 'fiel', which is unknown; did you mean 'file'"):
        Template.parse("{fiel}.wav").render({"file": "a", "run": 1})


def test_a_template_never_reaches_into_values():
    with pytest.raises(DefinitionError, match=r"a\.__class__"):
        Template.parse("{a.__class__}").render({"a": "x"})


@pytest.mark.parametrize("name", ["", ".", "..", "a\0b"])
def test_what_no_file_can_be_called_is_refused_in_a_path(name: str):
    with pytest.raises(DefinitionError, match=re.escape(repr(name))):
        Template.parse("x/{file}").render({"file": name}, in_path=True)


def test_a_time_without_format_takes_the_one_of_its_field():
    template = Template.parse("{night}/{run}.h5", {"night": "%Y-%m-%d"})
    assert template.render({"night": "2020-01-17T00:00:00Z", "run": 7}) == "2020-01-17/7.h5"


def test_constants_are_filled_in_and_the_rest_stays():
    template = Template.parse("{{{a:03d}}}/{b}/{c:%Y}").fill({"a": 7, "b": "x/{y}"})
    assert template == Template.parse("{{007}}/x%2F{{y}}/{c:%Y}")
    assert template.render({"c": "2020-01-17T00:00:00Z"}) == "{007}/x%2F{y}/2020"


def test_the_text_of_a_template_is_parsed_to_the_same_template():
    template = Template.parse("{{{a}}}_{night}", {"night": "%Y"})
    assert Template.parse(template.text) == template


@given(st.text().filter(lambda text: "\0" not in text and text not in ("", ".", "..")))
def test_a_value_in_a_path_stays_in_its_part_and_can_be_read_back(value: str):
    written = Template.parse("a/{file}/b").render({"file": value}, in_path=True)
    folder, part, last = written.split("/")
    assert (folder, last) == ("a", "b")
    assert "\n" not in part
    assert unescape(part) == value


@given(st.text(), st.text())
def test_different_values_have_different_parts(one: str, two: str):
    assert (escape(one) == escape(two)) == (one == two)


@given(st.text(), st.text())
def test_a_value_is_put_in_as_it_is(literal: str, value: str):
    text = literal.replace("{", "{{").replace("}", "}}") + "{v}"
    assert Template.parse(text).render({"v": value}) == literal + value

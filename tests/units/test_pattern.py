"""Path patterns find, parse and format; what they read is written back the same."""

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.errors import DefinitionError
from penstock.units import BadlyNamed, Pattern

NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=80
)


def test_a_pattern_reads_typed_fields():
    found = Pattern.parse("{night:%Y-%m-%d}/run_{run:05d}_{kind}.h5").match("2020-01-17/run_01807_DATA.h5")
    assert found == {"night": datetime(2020, 1, 17, tzinfo=UTC), "run": 1807, "kind": "DATA"}


def test_a_pattern_tells_the_types_and_formats_of_its_fields():
    pattern = Pattern.parse("{night:%Y-%m-%d}/{run:05d}_{gain:.2f}_{kind}.h5")
    assert pattern.types == {"night": "datetime", "run": "int", "gain": "float", "kind": "str"}
    assert pattern.formats == {"night": "%Y-%m-%d", "run": "05d", "gain": ".2f"}


def test_a_field_matches_as_little_as_it_can():
    assert Pattern.parse("{a}_{b}.wav").match("x_y_z.wav") == {"a": "x", "b": "y_z"}


def test_a_field_does_not_cross_a_slash():
    assert Pattern.parse("audio/{file}.wav").match("audio/deep/a.wav") is None


def test_two_fields_with_nothing_between_them_are_refused():
    with pytest.raises(DefinitionError, match=r"\{run\} and \{file\} with nothing between"):
        Pattern.parse("{run}{file}.wav")


def test_a_repeated_field_must_agree():
    pattern = Pattern.parse("{run}/{run}_{file}.h5")
    assert pattern.match("12/12_a.h5") == {"run": "12", "file": "a"}
    assert isinstance(pattern.match("12/13_a.h5"), BadlyNamed)


def test_a_field_repeated_in_one_name_must_agree():
    assert Pattern.parse("{run}_{run}.h5").match("a_b_a_b.h5") == {"run": "a_b"}
    assert Pattern.parse("{run}_{run}.h5").match("a_b.h5") is None


def test_a_time_may_be_spread_over_folders():
    pattern = Pattern.parse("{night:%Y}/{night:%m-%d}/{night:%Y%m%d}_{run:d}.h5")
    assert pattern.match("2020/01-17/20200117_3.h5") == {"night": datetime(2020, 1, 17, tzinfo=UTC), "run": 3}
    assert isinstance(pattern.match("2020/01-18/20200117_3.h5"), BadlyNamed)


def test_a_time_spread_over_folders_is_shown_whole():
    assert Pattern.parse("{night:%Y}/{night:%m-%d}/{file}.h5").formats == {"night": "%Y-%m-%d"}


def test_a_time_with_a_zone_is_read_as_utc():
    found = Pattern.parse("{begin:%Y%m%dT%H%M%S%z}.wav").match("20200117T221500+0200.wav")
    assert found == {"begin": datetime(2020, 1, 17, 20, 15, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("run_{run:05d}.h5", "run_1807.h5"),
        ("run_{run:05d}.h5", "run_001807.h5"),
        ("run_{run:d}.h5", "run_007.h5"),
        ("run_{run:d}.h5", "run_-0.h5"),
        ("{begin:%Y%m%d}.wav", "20200230.wav"),
        ("{begin:%Y%j}.wav", "2021366.wav"),
        ("{gain:.2f}.wav", "1.5.wav"),
    ],
)
def test_a_path_that_would_be_written_otherwise_is_badly_named(pattern: str, path: str):
    found = Pattern.parse(pattern).match(path)
    assert isinstance(found, BadlyNamed)
    assert found.path == path


def test_digits_of_other_scripts_are_no_digits():
    assert Pattern.parse("{run:d}.h5").match("١٢.h5") is None


def test_a_hidden_name_is_matched_only_when_the_pattern_says_the_dot():
    assert Pattern.parse("{file}.wav").match(".a.wav") is None
    assert Pattern.parse(".{file}.wav").match(".a.wav") == {"file": "a"}


def test_an_absolute_pattern_matches_absolute_paths_only():
    pattern = Pattern.parse("/data/{file}.wav")
    assert pattern.match("/data/a.wav") == {"file": "a"}
    assert pattern.match("data/a.wav") is None


@pytest.mark.parametrize("text", ["a//{b}", "a/{b}/", "/", ""])
def test_a_pattern_with_an_empty_part_is_refused(text: str):
    with pytest.raises(DefinitionError, match="empty part"):
        Pattern.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{run:%Y/%m}/{file}", "has a slash"),
        ("{time:%H%M}_{file}", "has no year"),
        ("{run:5q}", "is not known"),
        ("{run:%Q}", "%Q"),
        ("{run:05d}/{run}.h5", "choose one"),
        ("{run", "single '{'"),
        ("{}", "is not a placeholder"),
        ("{a.b!r}", "is not a placeholder"),
        ("{0}", "is not a placeholder"),
    ],
)
def test_a_wrong_pattern_is_refused_with_a_reason(text: str, why: str):
    with pytest.raises(DefinitionError, match=re.escape(why)):
        Pattern.parse(text)


@given(file=NAMES)
@example(file="-rf $(x) `y`;\n'\"")
@example(file="100%")
@example(file="a%2Fb")
def test_whatever_name_a_file_has_is_read_whole(file: str):
    found = Pattern.parse("audio/x{file}.wav").match(f"audio/x{file}.wav")
    assert found == {"file": file}


@given(
    site=st.text("abcXYZ -'\"$();é", min_size=1).filter(lambda text: "_" not in text),
    begin=st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9999, 1, 1)),  # noqa: DTZ001
    run=st.integers(-(10**9), 10**9),
)
def test_what_is_formatted_matches_back_to_the_same_values(site: str, begin: datetime, run: int):
    pattern = Pattern.parse("{site}/{begin:%Y%m%d_%H%M%S%f}_{run:06d}.h5")
    values = {"site": site, "begin": begin.replace(tzinfo=UTC), "run": run}
    assert pattern.match(pattern.format(values)) == values


@given(path=st.text("01234567890_-./abc", max_size=30))
def test_a_path_that_matches_formats_back_to_itself(path: str):
    pattern = Pattern.parse("{night:%Y%m%d}/r{run:03d}_{file}.h5")
    found = pattern.match(path)
    if isinstance(found, dict):
        assert pattern.template.render(found) == path


@given(
    night=st.dates(min_value=date(1000, 1, 1)).map(lambda day: day.strftime("%Y%m%d").zfill(8)),
    run=st.integers(0, 2000),
    width=st.integers(1, 5),
    file=NAMES,
)
def test_a_path_is_either_read_exactly_or_called_badly_named(night: str, run: int, width: int, file: str):
    pattern = Pattern.parse("{night:%Y%m%d}/r{run:03d}_{file}.h5")
    path = f"{night}/r{run:0{width}d}_{file}.h5"
    found = pattern.match(path)
    if isinstance(found, BadlyNamed):
        assert f"{run:0{width}d}" != f"{run:03d}"
    else:
        assert found is not None
        assert pattern.template.render(found) == path

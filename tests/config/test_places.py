"""The line of each key is found, however the TOML is written."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.config.places import Places, find_lines, nearest

TEXT = '''\
# a comment with [brackets] and key = 1
[campaign]
name = "x"  # more = 2
levels = [
  "a",   # one
  "b",
]

["units"]
files = """
[not.a.table]
key = 1
"""
after = [
  { stage = "one",
    optional = true },
]
[stage.a]
resources.memory = "1GB"
'params'.window = { size = 3, shape = "a,b=c" }
text = "[x]"
'''


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("campaign",), 2),
        (("campaign", "name"), 3),
        (("campaign", "levels"), 4),
        (("units",), 9),
        (("units", "files"), 10),
        (("units", "after", "stage"), 15),
        (("units", "after", "optional"), 16),
        (("stage",), 18),
        (("stage", "a", "resources"), 19),
        (("stage", "a", "resources", "memory"), 19),
        (("stage", "a", "params", "window", "size"), 20),
        (("stage", "a", "text"), 21),
    ],
)
def test_each_key_is_at_its_line(keys: tuple[str, ...], line: int):
    assert find_lines(TEXT)[keys] == line


def test_what_only_looks_like_a_key_is_none():
    assert not any("not" in keys or "more" in keys for keys in find_lines(TEXT))


def test_a_key_without_line_is_at_its_table():
    assert Places(lines=find_lines(TEXT)).line(("stage", "a", "nothing", "here")) == 18


def test_a_key_that_is_nowhere_has_no_line():
    assert Places(lines=find_lines(TEXT)).line(("site", "x")) is None


NAMES = st.text("abc_-", min_size=1, max_size=4)
VALUES = st.sampled_from(
    ["1", '"a # b"', "'[x]'", "[\n 1,\n 2]", '"""\n[y]\nz = 1\n"""', "{ k = 1 }", "'''\n'''", '"\\""']
)


@given(
    st.lists(
        st.tuples(NAMES, st.dictionaries(NAMES, VALUES, max_size=3)),
        max_size=4,
        unique_by=lambda part: part[0],
    )
)
def test_every_key_of_any_definition_is_found_at_its_line(tables: list[tuple[str, dict[str, str]]]):
    text, expected = "", {}
    for table, keys in tables:
        expected[(table,)] = text.count("\n") + 1
        text += f"[{table}]\n"
        for key, value in keys.items():
            expected[table, key] = text.count("\n") + 1
            text += f"{key} = {value}\n"
    tomllib.loads(text)
    found = find_lines(text)
    assert {keys: found[keys] for keys in expected} == expected


def test_the_nearest_name_is_offered_or_all_there_are():
    assert nearest("widnow", ["window", "overlap"]) == "did you mean 'window'?"
    assert nearest("xyz", ["window", "overlap"]) == "there are window, overlap"
    assert nearest("xyz", []) == "there are none"


@pytest.mark.parametrize("more", ["[", "{ x = 1 }", "'''", '\\"', "# [", "]"])
def test_what_looks_like_more_within_text_of_several_lines_opens_nothing(more: str) -> None:
    text = f'a = """\n{more}\n"""\nb = [\n  "[", # [\n  \'{{\',\n]\nc = 1\n'
    assert [find_lines(text)[(name,)] for name in "abc"] == [1, 4, 8]


def test_a_value_of_very_many_lines_is_read_line_by_line() -> None:
    text = "a = [\n" + '  "x",\n' * 200_000 + "]\nb = 1\n"
    assert find_lines(text)[("b",)] == 200_003

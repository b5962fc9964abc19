"""A generator's dicts become units."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sources.conftest import found_in, state_at

from penstock import function
from penstock.campaign import Campaign
from penstock.errors import DefinitionError
from penstock.sources import import_function

Freeze = Callable[..., Campaign]


def units_from(code: str, tmp_path: Path, campaign_of: Freeze, *levels: str) -> list[tuple[object, ...]]:
    (tmp_path / "own_units.py").write_text(code)
    return [
        (unit.key, unit.fields)
        for unit in found_in(campaign_of(function("own_units:find"), *(levels or ("run",))))
    ]


def test_a_dict_becomes_a_unit(tmp_path: Path, campaign_of: Freeze):
    code = """
from datetime import date, datetime, timezone
from pathlib import Path
def find():
    yield {"night": datetime(2020, 1, 17, tzinfo=timezone.utc), "run": 7, "source": Path("a/b"), "tags": ["x"]}
"""
    units = units_from(code, tmp_path, campaign_of, "night", "run")
    assert units == [(("2020-01-17T00:00:00Z", 7), {"source": "a/b", "tags": ["x"]})]


def test_a_generator_may_ask_for_the_campaign(tmp_path: Path, campaign_of: Freeze):
    code = "def find(campaign):\n    yield {'run': campaign.name}\n"
    assert units_from(code, tmp_path, campaign_of) == [(("x",), {})]


def test_a_unit_with_a_path_changes_with_its_file(tmp_path: Path, campaign_of: Freeze):
    (tmp_path / "own_units.py").write_text("def find():\n    yield {'run': 1, 'path': 'a.h5'}\n")
    campaign = campaign_of(function("own_units:find"), "run")
    marks: list[str] = []
    for content in (None, "one", "three"):
        if content:
            (tmp_path / "a.h5").write_text(content)
        marks += [unit.fingerprint for unit in found_in(campaign)]
    assert len({*marks}) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("3", "gave 3, which is not a unit: a unit is a dict"),
        ("{'run': 'a\\udc80'}", "surrogates not allowed"),
        ("{}", "it has no 'run'"),
        ("{'run': ''}", "'' cannot name a run"),
        ("{'run': None}", "None cannot name a run"),
        ("{'run': [1]}", "cannot name a run"),
        ("{'run': 1, 'x': object()}", "is not a unit"),
        ("{'run': float('nan')}", "is not a unit"),
    ],
)
def test_what_is_no_unit_is_told_and_others_go_on(tmp_path: Path, campaign_of: Freeze, given: str, said: str):
    code = f"def find():\n    yield {given}\n    yield {{'run': 1}}\n"
    (tmp_path / "own_units.py").write_text(code)
    state = state_at()
    units = found_in(campaign_of(function("own_units:find"), "run"), state)
    assert [unit.key for unit in units] == [(1,)]
    assert [problem.subject for problem in state.problems] == ["own_units:find"]
    assert said in state.problems[0].why


def test_an_error_that_is_given_is_told_and_others_go_on(tmp_path: Path, campaign_of: Freeze):
    code = """
from pathlib import Path
from penstock.errors import DefinitionError
def find():
    yield DefinitionError("run 1 stands twice", file=Path("runs.ecsv"), line=9)
    yield {"run": 2}
"""
    (tmp_path / "own_units.py").write_text(code)
    state = state_at()
    units = found_in(campaign_of(function("own_units:find"), "run"), state)
    assert [unit.key for unit in units] == [(2,)]
    assert [problem.why for problem in state.problems] == ["runs.ecsv:9: run 1 stands twice"]


def test_of_a_key_given_twice_the_first_stands(tmp_path: Path, campaign_of: Freeze):
    (tmp_path / "own_units.py").write_text(
        "def find():\n    yield {'run': 7}\n    yield {'run': 7, 'x': 1}\n"
    )
    state = state_at()
    (unit,) = found_in(campaign_of(function("own_units:find"), "run"), state)
    assert unit.fields == {}
    assert state.problems[0].why.startswith("gave the key 7 twice")


@pytest.mark.parametrize("code", ["def find():\n    yield {'run': 1 / 0}\n", "def find():\n    return 3\n"])
def test_a_function_that_fails_is_told_as_that(tmp_path: Path, campaign_of: Freeze, code: str):
    with pytest.raises(DefinitionError, match=r"own_units:find fails: (ZeroDivision|Type)Error"):
        units_from(code, tmp_path, campaign_of)


@pytest.mark.parametrize("code", ["import no_such_module\n", "def other(): ...\n"])
def test_a_function_that_cannot_be_imported_is_an_error(tmp_path: Path, campaign_of: Freeze, code: str):
    with pytest.raises(DefinitionError, match="the function 'own_units:find' cannot be imported"):
        units_from(code, tmp_path, campaign_of)


def test_campaigns_with_modules_of_one_name_do_not_mix(tmp_path_factory: pytest.TempPathFactory):
    import penstock

    found: list[object] = []
    for number in range(2):
        root = tmp_path_factory.mktemp("campaign")
        (root / "own_units.py").write_text(f"def find():\n    yield {{'run': {number}}}\n")
        campaign = penstock.Campaign(
            "x", levels=["run"], units=function("own_units:find"), root=root
        ).freeze()
        found += [unit.key for unit in found_in(campaign)]
    assert found == [(0,), (1,)]


def test_campaigns_with_packages_of_one_name_do_not_mix(tmp_path_factory: pytest.TempPathFactory):
    found: list[object] = []
    for number, module in enumerate(("one", "two", "one")):
        root = tmp_path_factory.mktemp("campaign")
        (root / "own_package").mkdir()
        (root / "own_package" / "__init__.py").write_text(f"NUMBER = {number}\n")
        (root / "own_package" / f"{module}.py").write_text("from own_package import NUMBER as give\n")
        found.append(import_function(f"own_package.{module}:give", root))
    assert found == [0, 1, 2]

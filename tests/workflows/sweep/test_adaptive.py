"""Sweeps that choose their next points from results."""

import importlib.util
import shutil
from pathlib import Path

import pytest
from tests.workflows.sweep.test_campaign import penstock

from penstock.errors import DefinitionError
from penstock.workflows.sweep import read_results
from penstock.workflows.sweep.adaptive import grow

SEARCH = '''
def more(table):
    """Halve the interval in which T_out goes above 5."""
    if not table:
        return [{"T": 1.0, "low": 3}, {"T": 9.0, "low": 3}]
    assert all(row["state"] == "done" for row in table), table
    below = max(row["T"] for row in table if row["T_out"] <= 5)
    above = min(row["T"] for row in table if row["T_out"] > 5)
    return [{"T": (below + above) / 2, "low": 3}] if above - below > 1 else []
'''
EXAMPLE = Path(__file__).parents[3] / "examples/optuna"


def adaptive(bench, search: str = SEARCH) -> Path:
    folder = bench.ready('mode = "table"\ntable = "rows.csv"\nmore = "search:more"')
    (folder / "search.py").write_text(search)
    return folder


def test_points_are_asked_for_until_none_is_wanted_and_the_table_only_grows(bench) -> None:
    folder = adaptive(bench)
    done = penstock(folder, "sweep", "adapt", "--rounds", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    first = (folder / "rows.csv").read_text()
    assert first == "T,low\n1.0,3\n9.0,3\n5.0,3\n"
    done = penstock(folder, "sweep", "adapt")
    assert done.stdout.splitlines()[-1] == "no more points are wanted"
    assert (folder / "rows.csv").read_text() == first + "7.0,3\n6.0,3\n"
    assert sorted(read_results(folder).values("T_out")) == [1, 5, 6, 7, 9]


def test_what_was_asked_for_and_not_run_is_run_first(bench) -> None:
    folder = adaptive(bench)
    assert grow(folder) == 2
    assert penstock(folder, "sweep", "adapt", "--rounds", "1").returncode == 0
    assert len(read_results(folder).where("state == 'done'").rows) == 3


def test_a_point_that_is_there_is_not_added_again(bench) -> None:
    folder = adaptive(bench, "def more(table):\n    return [{'T': 2}, {'T': '2.0'}, {'T': 3}]\n")
    assert grow(folder) == 2
    assert grow(folder) == 0
    assert (folder / "rows.csv").read_text() == "T\n2\n3\n"


@pytest.mark.parametrize(
    ("search", "why"),
    [
        ("def more(table):\n    return [{'T': 0}]\n", "point 1 of search:more: 0 is not above 0"),
        (
            "def more(table):\n    return [{'T': 2}, {'p': 2}]\n",
            "point 2 of search:more has p, and the table T",
        ),
        ("def more(table):\n    return [{'T': 2, 'warm': 1}]\n", "warm"),
        ("def more(table):\n    return 1 / 0\n", "search:more raised ZeroDivisionError"),
        ("def less(table):\n    return []\n", "search has no function 'more'"),
        ("import nothing_like_that\n", "search:more cannot be imported"),
    ],
)
def test_what_a_function_does_wrong_is_told_and_nothing_is_written(bench, search: str, why: str) -> None:
    folder = adaptive(bench, search)
    with pytest.raises(DefinitionError, match=why):
        grow(folder)
    assert not (folder / "rows.csv").exists()


@pytest.mark.parametrize(
    ("sweep", "why"),
    [
        ('more = "search:more"\n[vary]\nT = [1]', "chooses rows of a table"),
        ('mode = "table"\ntable = "rows.csv"\nmore = "search.more"', "chooses rows of a table"),
        ('mode = "table"\ntable = "rows.csv"\nmore = "search:more"', "`penstock sweep adapt` begins it"),
    ],
)
def test_a_sweep_that_cannot_grow_says_what_it_needs(bench, sweep: str, why: str) -> None:
    with pytest.raises(DefinitionError, match=why):
        bench.plan(sweep)


@pytest.mark.slow
def test_the_example_with_optuna_finds_a_minimum(tmp_path: Path) -> None:
    if not importlib.util.find_spec("optuna"):
        pytest.skip("optuna is not installed")
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "search"))
    done = penstock(folder, "sweep", "adapt")
    assert done.returncode == 0, done.stdout + done.stderr
    heights = read_results(folder).values("height")
    assert len(heights) == 40
    assert 0.397 < min(heights) < 5

"""The table of results: types, units, and what is missing."""

import csv
import json
import math
from pathlib import Path

import pytest
from tests.workflows.sweep.conftest import made_results
from tests.workflows.sweep.test_campaign import campaign, penstock

from penstock.errors import DefinitionError
from penstock.workflows.sweep.campaign import lay_out
from penstock.workflows.sweep.columns import Column
from penstock.workflows.sweep.results import average, misread, read_results
from penstock.workflows.sweep.tablefile import write_csv

T, SEED, E = Column("T", "float", "K"), Column("seed", "int"), Column("E", "float", "J")


def test_averages_are_over_the_repeats_and_missing_is_left_out() -> None:
    rows = [("1", "1", "2.0"), ("1", "2", "4.0"), ("2", "1", None), ("2", "2", "7"), ("3", "1", None)]
    one, two = average(made_results([T, SEED, E], rows), "E", ["T"])
    assert (one.at, one.mean, one.n, two.at, two.mean, two.n) == (("1",), 3.0, 2, ("2",), 7.0, 1)
    assert one.deviation == pytest.approx(2**0.5)
    assert one.error == pytest.approx(1.0)
    assert math.isnan(two.error)


@pytest.mark.parametrize("odd", ["nan", "NaN", "-inf", "Infinity"])
def test_what_a_program_could_not_work_out_is_not_missing(odd: str) -> None:
    results = made_results([T, E], [("1", "2"), ("1", odd)])
    (only,) = average(results, "E", ["T"])
    assert only.n == 2
    assert not math.isfinite(only.mean)
    assert math.isnan(only.deviation)


def test_values_have_the_type_of_their_column() -> None:
    columns = [Column("n", "int"), Column("yes", "bool"), Column("text", "str"), Column("x")]
    rows = [("7", "true", "", "1.5d-3"), (None, None, None, None), ("7.5", "maybe", "7", "****")]
    results = made_results(columns, rows)
    assert {name: results.values(name) for name in ("n", "yes", "text", "x")} == {
        "n": [7, None, None], "yes": [True, None, None], "text": ["", None, "7"], "x": [0.0015, None, None],
    }  # fmt: skip


def test_what_is_no_number_is_told_with_its_point() -> None:
    results = made_results([T, E], [("1", "2"), ("2", "****"), ("3", "?"), ("4", None)])
    assert list(misread(results)) == ["E of p2 is '****', which is no float, and 1 more"]


@pytest.mark.parametrize(
    ("condition", "points"),
    [
        ("T < 2", ["p1"]),
        ("E > 0", ["p1"]),
        ("E > 0 or T > 2", ["p1", "p4"]),
        ("T > 2", ["p3", "p4"]),
        ("state == 'done' and planned", ["p1", "p2", "p3", "p4"]),
    ],
)
def test_a_condition_does_not_hold_where_something_in_it_is_missing(
    condition: str, points: list[str]
) -> None:
    results = made_results([T, E], [("1", "2"), ("2", "-1"), ("3", None), ("4", "nan")])
    assert [row["point"] for row in results.where(condition).rows] == points


def test_an_unknown_name_in_a_condition_is_told_with_the_nearest() -> None:
    with pytest.raises(DefinitionError, match="'seeed', which is unknown; did you mean 'seed'"):
        made_results([T, SEED, E], []).where("seeed < 1")


def test_in_csv_an_empty_text_is_not_missing_and_numbers_stay_as_they_were(tmp_path: Path) -> None:
    text = Column("text", "str")
    results = made_results([T, text, E], [("1E-07", "", "1.50"), ("2", None, None), ("3", 'a,"b"\n', "nan")])
    write_csv(tmp_path / "r.csv", results)
    assert (tmp_path / "r.csv").read_text() == (
        'point,planned,state,T,text,E\np1,true,done,1E-07,"",1.50\np2,true,done,2,,\n'
        'p3,true,done,3,"a,""b""\n",nan\n'
    )
    with (tmp_path / "r.csv").open(newline="") as file:
        assert list(csv.DictReader(file))[2]["text"] == 'a,"b"\n'
    told = json.loads((tmp_path / "r.csv-metadata.json").read_text())
    columns = {column["name"]: column for column in told["tableSchema"]["columns"]}
    assert (columns["T"]["datatype"], columns["T"]["schema:unitText"]) == ("number", "K")
    assert (columns["text"]["datatype"], columns["planned"]["datatype"]) == ("string", "boolean")


def test_a_sweep_that_ran_has_states_times_memory_and_typed_results(bench) -> None:
    folder = campaign(bench, "[vary]\nT = [3, 4]\n[set]\np = 7")
    lay_out(folder)
    assert [row["state"] for row in read_results(folder).rows] == ["new", "new"]
    assert penstock(folder, "run").returncode == 1
    results = read_results(folder)
    assert results.varied == ("T",)
    assert results.numbers == ("T_out", "seed_out")
    assert (results.column("T").unit, results.column("T_out").unit) == ("K", "K")
    assert results.values("T_out") == [3.0, None]
    assert results.values("seed_out") == [1, None]
    assert results.values("state") == ["done", "failed"]
    assert results.values("p") == [7.0, 7.0]
    seconds, memory = results.values("seconds")[0], results.values("memory")[0]
    assert 0 < seconds < 60
    assert memory > 1_000_000
    assert "exit code 9" in results.values("why")[1]


def test_a_sweep_without_points_says_how_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="no points yet; add them with `penstock sweep extend`"):
        read_results(tmp_path)


@pytest.mark.parametrize(("kind", "why"), [("double", "of the type float, int, bool, str"), ("", "")])
def test_the_type_of_a_result_is_one_that_there_is(bench, kind: str, why: str) -> None:
    folder = bench.ready()
    program = folder / "programs/model.toml"
    if kind:
        program.write_text(program.read_text().replace('type = "int"\n', f'type = "{kind}"\n'))
        with pytest.raises(DefinitionError, match=why):
            bench.plan("[vary]\nT = [1]")
    else:
        assert bench.plan("[vary]\nT = [1]").program.results["T_out"].type == "float"


EXTRACT = """
def length(folder):
    text = (folder / "out.dat").read_text()
    return None if text.startswith("5") else len(text)
"""


def test_a_function_may_take_a_result_out_of_the_files_of_a_point(bench) -> None:
    folder = campaign(bench, "[vary]\nT = [3, 5, 123]")
    with (folder / "programs/model.toml").open("a") as file:
        file.write('[result.length]\npython = "extract:length"\ntype = "int"\nunit = "B"\n')
    (folder / "extract.py").write_text(EXTRACT)
    lay_out(folder)
    assert penstock(folder, "run").returncode == 0
    results = read_results(folder)
    assert results.values("length") == [4, None, 6]
    assert results.column("length").unit == "B"
    with (folder / "results.csv").open(newline="") as file:
        assert [row["length"] for row in csv.DictReader(file)] == ["4", "", "6"]
    (folder / "extract.py").write_text("def length(folder):\n    return 1 / 0\n")
    with pytest.raises(DefinitionError, match="function of length raised ZeroDivisionError at T="):
        read_results(folder)
    penstock(folder, "sweep", "copy", ".", "copy")
    assert (folder / "copy/extract.py").exists()


@pytest.mark.parametrize(
    ("name", "why"), [("T", "is a variable, too"), ("seconds", "has a meaning of its own")]
)
def test_a_result_has_a_name_of_its_own(bench, name: str, why: str) -> None:
    folder = bench.ready()
    program = folder / "programs/model.toml"
    program.write_text(program.read_text().replace("[result.T_out]", f"[result.{name}]"))
    with pytest.raises(DefinitionError, match=f"'{name}' {why}; choose another name for the result"):
        bench.plan("[vary]\nT = [1]")

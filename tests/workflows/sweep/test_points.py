"""The table of points only grows: names and places stay, whatever is added or taken away."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.workflows.sweep.conftest import INPUT, PROGRAM

from penstock.errors import DefinitionError
from penstock.workflows.sweep import (
    Points,
    count_changes,
    extend,
    plan_sweep,
    read_points,
    read_sweep,
    write_points,
)
from penstock.workflows.sweep.points import MISSING

EMPTY = Points()


def grown(bench, text: str, old: Points = EMPTY) -> Points:
    """Extend a table as two commands would: through its file."""
    plan = bench.plan(text)
    file = bench.folder / "points.csv"
    write_points(file, extend(old, plan))
    return read_points(file, plan.program)


def planned(points: Points, *names: str) -> list[tuple[str, ...]]:
    columns = [points.names.index(name) for name in names]
    return [tuple(point.values[column].text for column in columns) for point in points.planned()]


def test_new_values_come_after_the_old_ones_which_keep_their_names(bench) -> None:
    first = grown(bench, "[vary]\nT = [3, 5]")
    second = grown(bench, "[vary]\nT = [2, 3, 4, 5, 6]", first)
    assert [point.name for point in second.points][:2] == [point.name for point in first.points]
    assert planned(second, "T") == [("3",), ("5",), ("2",), ("4",), ("6",)]
    assert count_changes(first, second) == {"new": 3, "kept": 2, "dropped": 0}


def test_the_same_sweep_changes_nothing(bench) -> None:
    first = grown(bench, 'repeat = 2\n[vary]\nT = [3, 5]\nlabel = ["a,b", \'q"q\', "x"]')
    before = (bench.folder / "points.csv").read_bytes()
    assert grown(bench, 'repeat = 2\n[vary]\nlabel = ["x", "a,b", \'q"q\']\nT = [5.0, 3]', first) == first
    assert (bench.folder / "points.csv").read_bytes() == before


def test_a_variable_that_now_varies_finds_the_points_with_its_default(bench) -> None:
    first = grown(bench, "[vary]\nT = [3]")
    second = grown(bench, "[vary]\nT = [3]\np = [5.0, 7]", first)
    assert planned(second, "T", "p") == [("3", "5"), ("3", "7")]
    assert second.points[0] == first.points[0]


def test_a_variable_that_the_program_did_not_have_was_its_default_then(bench) -> None:
    first = grown(bench, "[vary]\nT = [3, 4]")
    program = bench.folder / "programs/model.toml"
    program.write_text(program.read_text() + 'q = { type = "float", default = 2 }\n')
    (bench.folder / "programs/in.txt").write_text("<<T>> <<q>>")
    second = grown(bench, "[vary]\nT = [3, 4, 5]\nq = [2, 8]", first)
    assert planned(second, "T", "q") == [
        ("3", "2"),
        ("4", "2"),
        ("3", "8"),
        ("4", "8"),
        ("5", "2"),
        ("5", "8"),
    ]
    assert [point.name for point in second.points][:2] == [point.name for point in first.points]


def test_another_default_makes_other_points_and_the_old_ones_stay_in_the_table(bench) -> None:
    first = grown(bench, "[vary]\nT = [3, 4]")
    program = bench.folder / "programs/model.toml"
    program.write_text(program.read_text().replace("default = 5", "default = 6"))
    second = grown(bench, "[vary]\nT = [3, 4]", first)
    assert planned(second, "T", "p") == [("3", "6"), ("4", "6")]
    assert [(point.name, point.planned) for point in second.points[:2]] == [
        (p.name, False) for p in first.points
    ]
    assert len({point.name for point in second.points}) == 4


def test_another_executable_makes_no_other_points(bench) -> None:
    first = grown(bench, "[vary]\nT = [3, 4]")
    program = bench.folder / "programs/model.toml"
    program.write_text(program.read_text().replace('executable = "model"', 'executable = "model-2"'))
    assert grown(bench, "[vary]\nT = [3, 4]", first) == first


def test_what_is_dropped_stays_and_comes_back_under_its_name(bench) -> None:
    first = grown(bench, "repeat = 5\n[vary]\nT = [3, 4]")
    fewer = grown(bench, "repeat = 3\n[vary]\nT = [4, 5]", first)
    assert planned(fewer, "T", "seed") == [(t, s) for t in "45" for s in "123"]
    assert count_changes(first, fewer) == {"new": 3, "kept": 3, "dropped": 7}
    again = grown(bench, "repeat = 5\n[vary]\nT = [3, 4]", fewer)
    assert {point.name for point in again.planned()} == {point.name for point in first.points}
    assert len(again.points) == len(fewer.points)


def test_a_spelling_makes_no_other_point_and_the_first_one_stays(bench) -> None:
    first = grown(bench, "[vary]\nT = [1E-07]")
    assert planned(grown(bench, "[vary]\nT = [0.0000001]", first), "T") == [("1E-07",)]


def test_a_point_is_the_same_whichever_variables_vary(bench) -> None:
    one = grown(bench, "[vary]\nT = [3]\n[set]\np = 5")
    other = grown(bench, "[vary]\np = [5]\n[set]\nT = 3", one)
    assert count_changes(one, other) == {"new": 0, "kept": 1, "dropped": 0}


def test_a_variable_that_is_gone_makes_other_points(bench) -> None:
    first = grown(bench, "[vary]\nT = [3]")
    program = bench.folder / "programs/model.toml"
    program.write_text(re.sub(r"p = \{.*\n", "", program.read_text()))
    (bench.folder / "programs/in.txt").write_text("<<T>>")
    second = grown(bench, "[vary]\nT = [3]", first)
    assert planned(second, "T", "p") == [("3", "")]
    assert len({point.name for point in second.points}) == 2


SAFE = re.compile(r"[A-Za-z0-9_=.+-]{1,73}").fullmatch


@pytest.mark.parametrize(
    "text",
    [
        "[vary]\nT = [0.1, 0.1000001, 0.10000000000000001]",
        '[vary]\nlabel = ["a/b", "a_b", "a:b", "a\\\\b", "../../x", "", ".", "ä", "%s", "a b", "-rf"]',
        '[vary]\nlabel = ["Case", "case", "CASE"]',
        f'[vary]\nlabel = ["{"x" * 400}", "{"x" * 399}y"]',
    ],
)
def test_names_are_safe_and_differ_where_a_file_system_folds_case(bench, text: str) -> None:
    points = grown(bench, text).points
    assert all(SAFE(point.name) and not point.name.startswith((".", "-")) for point in points)
    assert len({point.name.casefold() for point in points}) == len(points)


def test_names_say_what_varies(bench) -> None:
    (point,) = grown(bench, '[vary]\nT = [0.5]\nlattice = ["cairo"]').points
    assert re.fullmatch("T=0.5_lattice=cairo-[0-9a-f]{12}", point.name)


def test_sixty_variables_have_names_no_longer_than_a_file_system_takes(bench) -> None:
    names = [f"variable_number_{n}" for n in range(60)]
    bench.program(
        '[program]\nexecutable = "m"\n[input."in.txt"]\n' + "".join(f"[variable.{name}]\n" for name in names),
        "".join(f"{{{name}}}\n" for name in names),
    )
    values = "\n".join(f"{name} = {[1, 2] if name.endswith('_59') else [1]}" for name in names)
    one, two = grown(bench, f"[vary]\n{values}").points
    assert max(len(one.name), len(two.name)) < 80
    assert one.name != two.name


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("name,T\n", 1, "does not begin with point,planned,digest"),
        ("point,planned,digest,T,T\n", 1, "does not begin with"),
        ("point,planned,digest,T\na,true,0\n", 2, "another number of cells"),
        ("point,planned,digest,T\na,true,0,1\na,true,0,2\n", 3, "is there twice"),
    ],
)
def test_a_damaged_table_is_told_with_its_line(bench, text: str, line: int, why: str) -> None:
    program = bench.plan("[vary]\nT = [1]").program
    file = bench.folder / "points.csv"
    file.write_text(text)
    with pytest.raises(DefinitionError, match=why) as told:
        read_points(file, program)
    assert told.value.line == line


def test_a_table_that_is_not_there_is_empty(bench) -> None:
    program = bench.plan("[vary]\nT = [1]").program
    assert read_points(Path(bench.folder / "none.csv"), program) == Points()


@settings(max_examples=50, deadline=None)
@given(steps=st.lists(st.lists(st.integers(1, 8), min_size=1, unique=True), min_size=1, max_size=5))
def test_no_extension_ever_renames_or_moves_a_point(tmp_path_factory, steps: list[list[int]]) -> None:
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "programs").mkdir()
    (folder / "programs/m.toml").write_text(
        '[program]\nexecutable = "m"\narguments = ["{T}"]\n[variable.T]\ntype = "int"\n'
    )
    points = Points()
    for values in steps:
        (folder / "sweep.toml").write_text(f'[sweep]\nprogram = "m"\n[vary]\nT = {values}\n')
        before, points = points, extend(points, plan_sweep(read_sweep(folder / "sweep.toml")))
        assert [(p.name, p.values) for p in points.points[: len(before.points)]] == [
            (p.name, p.values) for p in before.points
        ]
        assert sorted(p.values[0].plain for p in points.planned()) == sorted(values)


def test_missing_and_empty_are_two_things_and_read_back_as_they_were(bench) -> None:
    first = grown(bench, '[vary]\nlabel = ["", "a, \\"b\\""]')
    added = 'extra = { type = "str" }\n'
    bench.program(PROGRAM + added, INPUT.replace("<<label>>", "<<label>> <<extra>>"))
    second = grown(bench, '[set]\nextra = ""\n[vary]\nlabel = ["", "c"]', first)
    third = grown(bench, '[set]\nextra = ""\n[vary]\nlabel = ["", "c"]', second)
    assert third == second
    column = second.names.index("extra")
    assert [point.values[column] is MISSING for point in second.points] == [True, True, False, False]
    lines = (bench.folder / "points.csv").read_text().splitlines()
    assert [text.split(",")[-1] for text in lines[1:]] == ["", "", '""', '""']
    with pytest.raises(DefinitionError, match="extra has no value"):
        bench.plan('[vary]\nlabel = ["", "c"]')

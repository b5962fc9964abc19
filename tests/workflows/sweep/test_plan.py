"""What a sweep will run: conditions, derived values, duplicates, and how it is shown."""

import pytest

from penstock.errors import DefinitionError
from penstock.workflows.sweep import describe_plan


def test_conditions_leave_points_out_and_are_counted(bench) -> None:
    plan = bench.plan(
        'where = ["low < high", "lattice != \'cairo\'"]\n[vary]\nlow = [2, 4, 6]\nhigh = [3, 5]'
    )
    assert [(row[0].plain, row[1].plain) for row in plan.rows] == [(2, 3), (2, 5), (4, 5)]
    assert plan.left_out == 3


def test_a_condition_may_name_what_does_not_vary(bench) -> None:
    assert bench.texts('where = ["T < p"]\n[vary]\nT = [4, 5, 6]') == [("4",)]
    assert bench.texts('where = ["T < p"]\n[set]\np = 6\n[vary]\nT = [4, 5, 6]') == [("4",), ("5",)]


def test_derived_values_follow_each_point(bench) -> None:
    plan = bench.plan('[vary]\nlow = [2, 3]\n[derive]\nhigh = "2 * low"\np = "1 / high"')
    assert plan.names == ("low", "high", "p")
    assert [[value.text for value in row] for row in plan.rows] == [
        ["2", "4", "0.25"],
        ["3", "6", repr(1 / 6)],
    ]
    assert plan.program.render(plan.values(plan.rows[0]))["in.txt"].splitlines()[1:3] == [
        b"p 0.25",
        b"rings 2 4",
    ]


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("low / 2", "high: '1.5' is not a whole number"),
        ("low // 0", "fails with low = 3"),
        ("[low]", "which is no value"),
    ],
)
def test_a_derived_value_that_does_not_fit_is_told(bench, expression: str, why: str) -> None:
    with pytest.raises(DefinitionError, match=why):
        bench.plan(f'[vary]\nlow = [3]\n[derive]\nhigh = "{expression}"')


def test_points_that_are_the_same_are_named(bench) -> None:
    (bench.folder / "t.csv").write_text("T,low\n0.5,2\n1,3\n5e-1,2\n")
    with pytest.raises(
        DefinitionError, match=r"points 1 and 3 are the same \(T = 5e-1, low = 2\); remove one"
    ):
        bench.plan('mode = "table"\ntable = "t.csv"')


def test_values_that_a_format_makes_the_same_are_named(bench) -> None:
    program = bench.folder / "programs/model.toml"
    program.write_text(program.read_text().replace("above = 0", 'above = 0, format = ".3f"'))
    with pytest.raises(
        DefinitionError, match=r"'0\.1' and '0\.1000001' are written the same, 0\.100; change the format"
    ):
        bench.plan("[vary]\nT = [0.1, 0.1000001]")


def test_what_varies_must_reach_the_program(bench) -> None:
    (bench.folder / "programs/in.txt").write_text("<<p>>")
    with pytest.raises(DefinitionError, match="no input or argument of model has T; add its place"):
        bench.plan("[vary]\nT = [1, 2]")
    assert bench.texts('[vary]\nT = [1, 2]\n[derive]\np = "T + 1"') == [("1", "2.0"), ("2", "3.0")]


def test_what_has_no_value_is_told(bench) -> None:
    program = bench.folder / "programs/model.toml"
    program.write_text(program.read_text().replace('type = "float", default = 5', 'type = "float"'))
    with pytest.raises(
        DefinitionError, match=r"p has no value; give it in \[set\] or \[vary\], or a default"
    ):
        bench.plan("[vary]\nT = [1, 2]")


def test_a_value_that_cannot_stand_in_its_file_is_told_before_anything_is_written(bench) -> None:
    (bench.folder / "programs/in.txt").write_text("x\ny = <<T>>d0\n")
    with pytest.raises(DefinitionError, match=r"in\.txt:2: T: an exponent follows 1e-7"):
        bench.plan("[vary]\nT = [1, 1e-7]")


def test_a_plan_shows_its_first_and_last_points_and_what_it_takes(bench) -> None:
    program = bench.folder / "programs/model.toml"
    program.write_text(program.read_text().replace("[program]", "[program]\ncore_hours = 0.25"))
    plan = bench.plan('where = ["seed > 2"]\n[vary]\nseed = "1..10"')
    assert list(describe_plan(plan)) == [
        "8 points of model, 2 more do not meet the conditions",
        *(f"  seed = {n}" for n in (3, 4, 5)),
        "  …",
        *(f"  seed = {n}" for n in (8, 9, 10)),
        "about 2 core-hours, at 0.25 each",
    ]

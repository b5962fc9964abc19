"""How axes are combined, and values drawn."""

import pytest

from penstock.errors import DefinitionError


def test_a_grid_varies_the_last_fastest(bench) -> None:
    assert bench.texts('[vary]\nT = [0.5, 2]\nlattice = ["cairo", "square"]') == [
        ("0.5", "cairo"),
        ("0.5", "square"),
        ("2", "cairo"),
        ("2", "square"),
    ]


def test_typed_text_stays(one) -> None:
    assert one('T = [1E-07, 2.50, "3d-2", 4]') == ["1E-07", "2.50", "3d-2", "4"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("T = { start = 0.2, stop = 0.5, step = 0.15 }", ["0.2", "0.35", "0.5"]),
        ("p = { start = 4, stop = 0, step = -1.5 }", ["4", "2.5", "1.0"]),
        ("low = { start = 1, stop = 9, count = 3 }", ["1", "5", "9"]),
        ('T = { start = 0.01, stop = 1, count = 3, scale = "log" }', ["0.01", "0.1", "1"]),
        ('seed = "3..6"', ["3", "4", "5", "6"]),
        ('lattice = "all"', ["square", "cairo", "mixed"]),
        ('fast = "all"', ["false", "true"]),
        ('label = ["a b", "1", "x/y"]', ["a b", "1", "x/y"]),
        ("label = [1, 2.50]", ["1", "2.50"]),
    ],
)
def test_values_are_lists_ranges_spans_or_all(one, text: str, values: list[str]) -> None:
    assert one(text) == values


def test_repeats_vary_the_seed_within_each_point(bench) -> None:
    assert bench.texts("repeat = 2\n[vary]\nT = [3, 4]") == [("3", "1"), ("3", "2"), ("4", "1"), ("4", "2")]
    assert bench.texts("seeds = [7, 5]") == [("7",), ("5",)]
    assert bench.texts('seeds = "0..1"\nmode = "random"\ndraws = 1\n[vary]\nlow = [4]') == [
        ("4", "0"),
        ("4", "1"),
    ]


def test_zip_pairs_values(bench) -> None:
    assert bench.texts('mode = "zip"\n[vary]\nT = [3, 4]\nlow = [8, 9]') == [("3", "8"), ("4", "9")]


def test_what_varies_together_is_one_axis_of_a_grid(bench) -> None:
    rows = bench.texts('together = [["T", "p"]]\n[vary]\nT = [3, 4]\nlow = [1, 2]\np = [30, 40]')
    assert rows == [("3", "30", "1"), ("3", "30", "2"), ("4", "40", "1"), ("4", "40", "2")]
    with pytest.raises(DefinitionError, match="names variables of"):
        bench.plan('together = [["T", "q"]]\n[vary]\nT = [3, 4]')


def test_the_inner_range_of_a_nested_sweep_follows_the_outer_value(bench) -> None:
    rows = bench.texts(
        'mode = "nested"\n[vary]\nlow = [7, 9]\nhigh = { start = "low + 1", stop = "max(low + 2, 10)", step = 1 }'
    )
    assert rows == [("7", "8"), ("7", "9"), ("7", "10"), ("9", "10"), ("9", "11")]


def test_a_nested_range_may_follow_what_does_not_vary(bench) -> None:
    assert bench.texts('mode = "nested"\n[vary]\nhigh = { start = "low", stop = 4, step = 1 }') == [
        ("3",),
        ("4",),
    ]
    with pytest.raises(DefinitionError, match="'seet', which is unknown"):
        bench.plan('mode = "nested"\n[vary]\nhigh = { start = "seet", stop = 4, step = 1 }')


def test_a_table_has_the_points(bench) -> None:
    (bench.folder / "points.tsv").write_text("T\tlattice\n1E-2\tcairo\n\n5\tmixed\n")
    assert bench.texts('mode = "table"\ntable = "points.tsv"') == [("1E-2", "cairo"), ("5", "mixed")]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("T,q\n1,2\n", 1, "'q' is no variable of model"),
        ("T,T\n1,2\n", 1, "each once"),
        ("T,low\n1,2\n1\n", 3, "the row has 1 cells"),
        ("T,low\n1,2\n1,x\n", 3, "low: 'x' is not a whole number"),
        ("T;low\n1;2\n0;1\n", 3, "T: 0 is not above 0"),
    ],
)
def test_a_fault_of_a_table_is_told_with_its_line(bench, text: str, line: int, why: str) -> None:
    (bench.folder / "t.csv").write_text(text)
    with pytest.raises(DefinitionError, match=why) as told:
        bench.plan('mode = "table"\ntable = "t.csv"')
    assert (told.value.file, told.value.line) == (bench.folder / "t.csv", line)


DRAWN = """draws = {draws}
seed = {seed}
[vary]
T = {{ low = 1, high = 3 }}
high = {{ low = 1, high = 4 }}
lattice = ["cairo", "mixed"]
"""


@pytest.mark.parametrize("mode", ["random", "latin", "sobol"])
def test_draws_follow_from_the_seed_and_keep_within(bench, mode: str) -> None:
    text = f'mode = "{mode}"\n' + DRAWN
    rows = bench.texts(text.format(draws=64, seed=3))
    assert rows == bench.texts(text.format(draws=64, seed=3)) != bench.texts(text.format(draws=64, seed=4))
    assert all(1 <= float(T) <= 3 and repr(float(T)) == T for T, _, _ in rows)
    assert {high for _, high, _ in rows} == {"1", "2", "3", "4"}
    assert {lattice for _, _, lattice in rows} == {"cairo", "mixed"}


@pytest.mark.parametrize("mode", ["random", "sobol"])
def test_more_draws_begin_with_the_fewer(bench, mode: str) -> None:
    text = f'mode = "{mode}"\n' + DRAWN
    assert bench.texts(text.format(draws=100, seed=1))[:37] == bench.texts(text.format(draws=37, seed=1))


def test_a_latin_hypercube_has_one_draw_in_each_slice(bench) -> None:
    rows = bench.texts(
        'mode = "latin"\ndraws = 50\n[vary]\nT = { low = 1, high = 51 }\np = { low = 1, high = 51 }'
    )
    for column in zip(*rows, strict=True):
        assert sorted(int(float(value)) for value in column) == [*range(1, 51)]


def test_logarithmic_draws_are_even_in_their_logarithm(bench) -> None:
    rows = bench.texts('mode = "sobol"\ndraws = 64\n[vary]\nT = { low = 1e-4, high = 1e4, scale = "log" }')
    assert sum(float(T) < 1 for (T,) in rows) == 32


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("T = { low = 3, high = 3 }", "nothing can be drawn between 3 and 3"),
        ('p = { low = 0, high = 3, scale = "log" }', "nothing can be drawn between 0 and 3 on a log scale"),
        ("T = { low = 0, high = 3 }", "0 is not above 0"),
        ("lattice = { low = 0, high = 3 }", "'0' is not one of"),
        ("T = { start = 1, stop = 2 }", "'start' is unknown"),
    ],
)
def test_an_extent_that_cannot_be_drawn_from_is_refused(bench, text: str, why: str) -> None:
    with pytest.raises(DefinitionError, match=why):
        bench.plan(f'mode = "random"\ndraws = 2\n[vary]\n{text}')


def test_too_many_points_are_refused_before_they_are_made(bench) -> None:
    with pytest.raises(DefinitionError, match="10,000,000 points"):
        bench.plan('[vary]\nseed = "1..10000"\nhigh = "1..1000"')

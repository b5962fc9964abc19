"""Pictures of averages: what is drawn, along which axes, and where there is nothing."""

import math
from pathlib import Path

import numpy
import pytest
from matplotlib.figure import Figure
from PIL import Image
from tests.workflows.sweep.conftest import made_results

from penstock.workflows.sweep.columns import Column
from penstock.workflows.sweep.pictures import (
    edges_of,
    is_logarithmic,
    pictures_of,
    surface_of,
    write_pictures,
)

T, KIND, N, E = (
    Column("T", "float", "K"),
    Column("kind", "str"),
    Column("n", "int"),
    Column("E", "float", "J"),
)


def drawn(columns: list[Column], rows: list[tuple[str | None, ...]], *, picture: int = 0):
    """Draw a picture of the averages over all columns but the last; return its axes."""
    results = made_results(columns, rows)
    chosen = list(pictures_of(surface_of(results, "E", results.varied)))[picture]
    figure = Figure()
    axes = figure.add_subplot()
    chosen.paint(figure, axes)
    return axes


def names(columns: list[Column], rows: list[tuple[str | None, ...]]) -> list[str]:
    results = made_results(columns, rows)
    return [picture.name for picture in pictures_of(surface_of(results, "E", results.varied))]


def test_over_one_variable_there_is_a_line_of_means_with_standard_errors() -> None:
    axes = drawn([T, E], [("2", "1"), ("2", "3"), ("1", "5"), ("3", None), ("4", "7")])
    (container,) = axes.containers
    line, caps, (bars,) = container.lines
    assert line.get_xydata().tolist() == [[1, 5], [2, 2], [4, 7]]
    assert [cap.get_ydata()[1] for cap in caps] == [1, 3]
    heights = [numpy.ptp(segment[:, 1]) for segment in bars.get_segments() if len(segment)]
    assert [height for height in heights if not math.isnan(height)] == [2]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("T (K)", "E (J)")


def test_over_two_variables_there_are_a_line_for_each_value_and_a_map() -> None:
    rows = [(str(t), kind, str(t + len(kind))) for t in (1, 2, 3) for kind in ("fcc", "bc")]
    assert names([T, KIND, E], rows) == ["E", "E-map"]
    axes = drawn([KIND, T, E], [(kind, t, e) for t, kind, e in rows])
    assert axes.get_xlabel() == "T (K)"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["fcc", "bc"]
    cells = drawn([T, KIND, E], rows, picture=1).collections[0].get_array()
    assert cells.tolist() == [[4, 5, 6], [3, 4, 5]]


def test_a_map_is_empty_where_there_is_nothing() -> None:
    rows = [("1", "1", "5"), ("2", "1", "6"), ("1", "3", None), ("2", "3", "8"), ("1", "4", "9")]
    mesh = drawn([T, N, E], rows, picture=1).collections[0]
    assert mesh.get_array().tolist() == [[5, 6], [None, 8], [9, None]]


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        ([E], [("1",)]),
        ([T, N, KIND, E], [("1", "1", "a", "1"), ("2", "2", "b", "2")]),
        ([T, E], [("1", None)]),
    ],
    ids=["nothing varies", "three variables", "nothing is there"],
)
def test_there_is_no_picture_of(columns: list[Column], rows: list[tuple[str | None, ...]]) -> None:
    assert names(columns, rows) == []


def test_many_values_are_a_map_alone() -> None:
    assert names([T, N, E], [(str(t), str(n), "1") for t in range(9) for n in range(9)]) == ["E-map"]


@pytest.mark.parametrize(
    ("values", "logarithmic"),
    [
        ([1, 10, 100], True), ([1e-7, 1e-6, 1e-5], True), ([4, 8, 16, 32], True), ([1, 2, 3], False),
        ([0, 1, 10], False), ([1, 10], False), ([-3, -2, 5], False), ([1, 2, 4], False), ([0.1, 0.5, 0.9], False),
    ],
)  # fmt: skip
def test_an_axis_is_logarithmic_if_its_values_are(values: list[float], logarithmic: bool) -> None:
    assert is_logarithmic(values) == logarithmic


def test_cells_end_between_values_on_their_scale() -> None:
    assert edges_of(T, [1.0, 10.0, 100.0]) == pytest.approx([10**-0.5, 10**0.5, 10**1.5, 10**2.5])
    assert edges_of(T, [5.0]) == [4.5, 5.5]
    assert edges_of(KIND, ["a", "b", "c"]) == [-0.5, 0.5, 1.5, 2.5]


def test_words_of_any_kind_are_written_as_they_are(tmp_path: Path) -> None:
    kind = Column("what$ever", "str", "$\\frac")
    rows = [(word, str(len(word))) for word in ("a$b", "$x_{$", "<b>", "ä ö", "%s", "\\alpha", "")]
    results = made_results([kind, E], rows)
    pictures = list(pictures_of(surface_of(results, "E", results.varied)))
    files = write_pictures(tmp_path, pictures)
    with Image.open(files["E"]) as image:
        assert image.size == (880, 495)
        assert len(image.convert("RGB").getcolors(10_000) or [0] * 10_000) > 20


def test_a_picture_has_a_name_that_any_file_system_takes(tmp_path: Path) -> None:
    odd = Column("../E / kT", "float")
    results = made_results([T, odd], [("1", "2"), ("2", "3")])
    pictures = list(pictures_of(surface_of(results, odd.name, ["T"])))
    assert [path.name for path in write_pictures(tmp_path, pictures).values()] == [".._E_kT.png"]

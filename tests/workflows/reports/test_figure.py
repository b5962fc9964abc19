import numpy as np
import pytest
from PIL import Image

from penstock.workflows.reports.figure import (
    colour_map,
    entitle,
    label_lines,
    make_logarithmic,
    make_timed,
    write_figure,
)


def test_a_figure_is_a_png_of_the_size_asked_for(tmp_path):
    write_figure((4, 3), tmp_path / "a.png", lambda _, axes: axes.plot([1, 2]))
    with Image.open(tmp_path / "a.png") as image:
        assert (image.format, image.size) == ("PNG", (440, 330))


def test_a_logarithmic_axis_has_plain_numbers(tmp_path):
    seen = []

    def paint(figure, axes):
        axes.plot([10, 1000], [0, 1])
        make_logarithmic(axes, (10, 1000))
        entitle(axes, "power")
        figure.canvas.draw()
        seen.extend([axes.get_xscale(), axes.get_title(loc="left"), axes.xaxis.get_major_formatter()(100.0)])

    write_figure((4, 3), tmp_path / "a.png", paint)
    assert seen == ["log", "power", "100"]


def test_names_beside_lines_that_meet_are_moved_apart(tmp_path):
    heights = []

    def paint(_, axes):
        label_lines(axes, ["a", "b", "none", "c"], np.array([0.1, 0.11, np.nan, 0.8]), 0.05)
        heights.extend(text.xy[1] for text in axes.texts)

    write_figure((4, 3), tmp_path / "a.png", paint)
    assert heights == pytest.approx([0.1, 0.15, 0.8])


def test_an_axis_of_time_says_that_it_is_utc(tmp_path):
    names = []

    def paint(_, axes):
        make_timed(axes)
        names.append(axes.get_xlabel())

    write_figure((4, 3), tmp_path / "a.png", paint)
    assert names == ["UTC"]


def test_grey_is_dark_for_much():
    assert (colour_map("grey"), colour_map("magma")) == ("Greys", "magma")

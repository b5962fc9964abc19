from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from penstock.workflows.acoustics.pictures import Panel, draw, frequency_ticks
from penstock.workflows.acoustics.timeline import Span
from penstock.workflows.reports.palette import COLOURS, LEFT_OUT, NO_DATA
from penstock.workflows.reports.picture import ABOVE, LEFT

BEGIN = datetime(2026, 1, 17, 4, 0, 7, tzinfo=UTC)


def panel(levels, seconds=60.0):
    end = BEGIN + timedelta(seconds=seconds)
    return Panel(np.asarray(levels, np.float32), 24000.0, BEGIN, end, "a title", "dB re 1 µPa²/Hz")


def pixels(path, shape):
    inside = np.asarray(Image.open(path))[ABOVE:, LEFT:]
    tall, wide = (-(-least // have) for least, have in zip((360, 800), shape, strict=True))
    return inside[: shape[0] * tall : tall, : shape[1] * wide : wide]


def test_high_levels_are_bright_low_frequencies_at_the_bottom_and_gaps_grey(tmp_path):
    draw(panel([[0, 10, np.nan], [20, 30, 40]]), tmp_path / "a.png", db_range=(0, 40))
    shown = pixels(tmp_path / "a.png", (2, 3))
    assert shown[1].tolist() == [0, 60, NO_DATA]
    assert shown[0].tolist() == [120, 179, 239]


def test_levels_outside_the_range_keep_its_colours(tmp_path):
    draw(panel([[-100, 500]]), tmp_path / "a.png", db_range=(0, 40))
    assert pixels(tmp_path / "a.png", (1, 2)).tolist() == [[0, 239]]


@pytest.mark.parametrize("colours", ["viridis", "grey", "magma"])
def test_a_picture_is_a_valid_png_in_any_colours(tmp_path, colours):
    draw(panel(np.random.default_rng(1).random((40, 900)) * 60), tmp_path / "a.png", colours=colours)
    with Image.open(tmp_path / "a.png") as image:
        image.load()
        assert image.format == "PNG"
        assert image.size[0] > 900


def test_a_panel_without_any_data_can_be_drawn(tmp_path):
    assert draw(panel([[np.nan]]), tmp_path / "a.png") == (0.0, 10.0)


def test_frequencies_are_told_in_kilohertz_above_two():
    assert [tick.text for tick in frequency_ticks(24000)] == ["0", "5", "10", "15", "20"]
    assert [tick.text for tick in frequency_ticks(1000)][:3] == ["0", "200", "400"]


def test_what_was_left_out_is_another_grey_than_what_was_never_recorded(tmp_path):
    levels = np.full((100, 900), 50.0)
    levels[:, 300:600] = np.nan
    begin = datetime(2026, 1, 17, tzinfo=UTC)
    left_out = [Span(begin.timestamp() + 450, begin.timestamp() + 700)]
    draw(
        Panel(levels, 4000, begin, begin + timedelta(seconds=900), "a", "dB", left_out=left_out),
        tmp_path / "a.png",
    )
    with Image.open(tmp_path / "a.png") as image:
        row = np.asarray(image)[ABOVE + 50, LEFT : LEFT + 900]
    assert (row[300:450] == NO_DATA).all()
    assert (row[450:600] == LEFT_OUT).all()
    assert (row[600:] < COLOURS).all()

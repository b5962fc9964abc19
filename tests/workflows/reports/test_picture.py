import numpy as np
from PIL import Image

from penstock.workflows.reports.palette import COLOURS, indexed
from penstock.workflows.reports.picture import ABOVE, BAR_GAP, LEFT, Labels, write_picture
from penstock.workflows.reports.ticks import Tick


def drawn(folder, values, **labels):
    given = {"title": "t", "unit": "K", "left": (), "left_name": "row", "below": (), "below_name": "column"}
    write_picture(indexed(values, 0, 1), Labels(**given | labels), folder / "a.png", span=(0, 1))
    with Image.open(folder / "a.png") as image:
        return np.asarray(image)


def test_a_small_matrix_is_enlarged_evenly_and_stands_beside_its_bar_of_colours(tmp_path):
    made = drawn(tmp_path, np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3))
    inside = made[ABOVE : ABOVE + 360, LEFT : LEFT + 801]
    assert np.unique(inside[:180, :267]).tolist() == [round(0.6 * (COLOURS - 1))]
    bar = made[ABOVE : ABOVE + 360, LEFT + 801 + BAR_GAP]
    assert (bar[0], bar[-1]) == (COLOURS - 1, 0)


def test_a_tick_is_drawn_where_it_stands(tmp_path):
    values = np.zeros((2, 3), np.float32)
    without, there = drawn(tmp_path, values), drawn(tmp_path, values, left=[Tick(0.5, "")])
    assert np.unique(np.nonzero(without != there)[0]).tolist() == [ABOVE + 179]

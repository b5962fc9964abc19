import io
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image

from penstock.workflows.acoustics import tiles
from penstock.workflows.acoustics.axis import Axis
from penstock.workflows.acoustics.measure import measure_sound
from penstock.workflows.acoustics.serving import make_server
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.sound import FileSound
from penstock.workflows.reports.palette import COLOURS

RATE = 8000
PARAMS = {"nfft": 256, "tile_width": 40, "tile_height": 64, "tile_levels": 3, "db_range": [-80, -20]}


def pixels(picture):
    with Image.open(picture) as image:
        return np.asarray(image)


def pyramid(tmp_path, power, block=7, **params):
    chosen = Settings.read(PARAMS | {"db_range": [0, COLOURS - 1]} | params)
    axis = Axis.of(chosen.frequency_scale, 1.0, power.shape[1] - 1.0)
    canvas = tiles.Canvas(len(power), axis, 1.0, 1.0, chosen, chosen.db_range)
    made = tiles.Pyramid(tmp_path / "t", "a", canvas, power.shape[1])
    for first in range(0, len(power), block):
        made.add(first, power[first : first + block].astype(np.float32))
    return tmp_path / "t"


@pytest.mark.parametrize(("factor", "names"), [(2, 1 + 2 + 4), (3, 1 + 3 + 9)])
def test_a_level_has_its_number_of_tiles_and_their_names_count_them(tmp_path, factor, names):
    folder = pyramid(tmp_path, np.ones((123, 9)), tile_factor=factor)
    found = sorted(path.name for path in folder.iterdir())
    expected = [f"a_{factor**z}_{i}.png" for z in range(3) for i in range(factor**z)]
    assert found == sorted(expected)
    assert len(found) == names
    assert {pixels(folder / name).shape for name in found} == {(64, 40)}


@pytest.mark.parametrize(("join", "share"), [("mean", 1 / 50), ("max", 1)])
def test_a_click_of_one_frame_is_in_every_level(tmp_path, join, share):
    """Taking every so-manieth column instead would lose it."""
    power = np.ones((2000, 8))
    power[1234] = 1e6
    folder = pyramid(tmp_path, power, tile_join=join)
    level = [pixels(folder / "a_1_0.png"), pixels(folder / "a_2_1.png"), pixels(folder / "a_4_2.png")]
    where = [1234 * 40 // 2000, (1234 - 1000) * 40 // 1000, (1234 - 1000) * 40 // 500]
    for shown, column, frames in zip(level, where, (50, 25, 12.5), strict=True):
        expected = 60 if join == "max" else 10 * np.log10(1e6 / frames)
        assert shown[:, column] == pytest.approx(np.full(64, expected), abs=1)
        assert np.delete(shown, column, axis=1).max() == 0


def test_coarser_levels_average_power_and_not_decibels(tmp_path):
    power = np.tile([[1.0], [1e4]], (400, 8))
    assert set(pixels(pyramid(tmp_path, power) / "a_1_0.png").flat) == {round(10 * np.log10(5000.5))}


def test_all_frames_are_in_one_tile_of_each_level():
    canvas = tiles.Canvas(101, Axis.of("linear", 1, 4), 1.0, 1.0, Settings(), (0, 1))
    for count in (1, 2, 4, 8):
        limits = [canvas.limits(count, i) for i in range(count)]
        assert [n for start, stop in limits for n in range(start, stop)] == list(range(101))


@pytest.fixture
def made(tmp_path, write_wav, noise, begin):
    tone = 0.2 * np.sin(2 * np.pi * 1000 * np.arange(len(noise)) / RATE).astype(np.float32)
    path, chosen = write_wav("a.wav", noise + tone * (np.arange(len(noise)) > 60000)), Settings.read(PARAMS)
    places = {"product": tmp_path / "a.nc", "picture": tmp_path / "a.png", "tiles": tmp_path / "tiles"}
    measure_sound(FileSound(str(path), begin, chosen), chosen, **places)
    return tmp_path, chosen


def test_a_tile_on_demand_is_the_stored_one_within_the_matrix_s_step(made):
    folder, chosen = made
    for count, index in ((1, 0), (2, 1), (4, 3)):
        stored = pixels(folder / f"tiles/a_{count}_{index}.png").astype(int)
        drawn = pixels(io.BytesIO(tiles.draw_tile(folder / "a.nc", count, index, chosen))).astype(int)
        decibel = np.abs(stored - drawn) * 60 / (COLOURS - 1)
        assert decibel.max() <= 0.75


@pytest.mark.parametrize("scale", ["log", ((0.5, 1000.0),)])
def test_a_tone_stands_where_the_axis_says(made, scale):
    folder, _ = made
    chosen = Settings.read(PARAMS | {"frequency_scale": scale})
    shown = pixels(io.BytesIO(tiles.draw_tile(folder / "a.nc", 4, 3, chosen)))
    height = Axis.of(scale, RATE / 256, RATE / 2).place(1000)
    assert 64 - np.argmax(shown[:, 30]) == pytest.approx(height * 64, abs=2)


def test_a_server_gives_tiles_and_nothing_else(made):
    folder, chosen = made
    server = make_server(folder, chosen)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = f"http://127.0.0.1:{server.server_port}"
    try:
        with urllib.request.urlopen(f"{place}/a_4_2.png") as answer:
            assert pixels(io.BytesIO(answer.read())).shape == (64, 40)
        for wrong in ("a_4_4.png", "a_3_0.png", "b_1_0.png", "..%2Fa_1_0.png", "a.nc"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{place}/{wrong}")
    finally:
        server.shutdown()
        server.server_close()


def test_a_tile_that_is_not_there_is_one_sentence(made):
    with pytest.raises(ValueError, match="there is no tile 4 of 4"):
        tiles.draw_tile(made[0] / "a.nc", 4, 4, made[1])

import numpy as np

from penstock.workflows.telescope.toy.camera import PITCH, camera


def test_neighbours_are_the_pixels_one_pitch_away() -> None:
    made = camera()
    apart = np.hypot(made.x[:, None] - made.x, made.y[:, None] - made.y)
    beside = np.zeros((len(made), len(made) + 1), bool)
    np.put_along_axis(beside, made.neighbours, True, axis=1)
    assert np.array_equal(beside[:, :-1], np.isclose(apart, PITCH))


def test_the_camera_has_no_holes() -> None:
    made = camera()
    inner = np.hypot(made.x, made.y) < 1.0
    assert not made.border(1)[inner].any()
    assert made.border(1).sum() < made.border(2).sum() < 2.2 * made.border(1).sum()


def test_a_position_is_in_the_nearest_pixel() -> None:
    made, rng = camera(), np.random.default_rng(1)
    x, y = rng.uniform(-1.3, 1.3, (2, 2000))
    apart = np.hypot(x[:, None] - made.x, y[:, None] - made.y)
    found, inside = made.find_pixels(x, y), apart.min(axis=1) < PITCH / 2
    assert np.array_equal(found[inside], apart.argmin(axis=1)[inside])
    assert np.all(found[apart.min(axis=1) > PITCH / np.sqrt(3)] == -1)

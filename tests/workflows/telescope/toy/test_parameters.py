import numpy as np
import pytest

from penstock.workflows.telescope.toy import parameters, timing
from penstock.workflows.telescope.toy.camera import PIXELS, camera
from penstock.workflows.telescope.toy.cleaning import Pixels, TailCuts
from penstock.workflows.telescope.toy.parameters import parametrise
from penstock.workflows.telescope.toy.rings import find_rings, fit_circles, is_ring
from penstock.workflows.telescope.toy.shapes import label_islands


def noise(events: int, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Images with a few bright pixels anywhere, many of them beside each other, and times."""
    rng = np.random.default_rng(seed)
    return rng.gamma(0.5, 6, (events, PIXELS)).astype(np.float32), rng.normal(16, 2, (events, PIXELS)).astype(
        np.float32
    )


def ellipse(x: float, y: float, length: float, width: float, psi: float, size: float = 3000) -> np.ndarray:
    made = camera()
    along = (made.x - x) * np.cos(psi) + (made.y - y) * np.sin(psi)
    across = (made.y - y) * np.cos(psi) - (made.x - x) * np.sin(psi)
    light = np.exp(-0.5 * ((along / length) ** 2 + (across / width) ** 2))
    return size * light / light.sum()


def plainly(image: np.ndarray, cuts: TailCuts) -> list[int]:
    """Tail cuts, pixel by pixel."""
    around = [[n for n in row if n < PIXELS] for row in camera().neighbours]
    bright = image >= cuts.picture
    core = [bright[p] and sum(bright[n] for n in around[p]) >= cuts.neighbours for p in range(PIXELS)]
    lit = image >= cuts.boundary
    edge = [lit[p] and any(core[n] for n in around[p]) for p in range(PIXELS)]
    return [p for p in range(PIXELS) if edge[p] or (core[p] and any(lit[n] for n in around[p]))]


@pytest.mark.parametrize("cuts", [TailCuts(), TailCuts(8, 4, 0), TailCuts(5, 10, 1), TailCuts(6, 3, 3)])
def test_kept_pixels_are_those_of_the_plain_rule(cuts: TailCuts) -> None:
    images, _ = noise(5)
    kept = cuts.clean(camera(), images)
    assert [np.flatnonzero(each).tolist() for each in kept] == [plainly(each, cuts) for each in images]
    assert kept.any()


def test_islands_are_those_that_a_walk_finds() -> None:
    images, times = noise(20)
    pixels = Pixels.of(TailCuts(6, 5, 1).find(camera(), images), images, times)
    labels = label_islands(camera(), pixels)
    for image in range(20):
        some = pixels.image == image
        own = dict(zip(pixels.pixel[some].tolist(), labels[some].tolist(), strict=True))
        left, islands = set(own), []
        while left:
            island, edge = set(), [min(left)]
            while edge:
                here = edge.pop()
                island.add(here)
                edge += [n for n in camera().neighbours[here].tolist() if n in left - island]
            left -= island
            islands.append(island)
        assert len({own[p] for p in own}) == len(islands)
        assert all(len({own[p] for p in island}) == 1 for island in islands)


def test_an_ellipse_is_measured_as_it_was_made() -> None:
    row = parametrise(camera(), ellipse(0.3, -0.2, 0.12, 0.05, 0.7)[None], np.full((1, PIXELS), 16.0))[0]
    assert (row["hillas_x"], row["hillas_y"]) == pytest.approx((0.3, -0.2), abs=0.003)
    assert row["hillas_psi"] == pytest.approx(0.7, abs=0.02)
    assert (row["hillas_length"], row["hillas_width"]) == pytest.approx((0.12, 0.05), rel=0.1)
    assert abs(row["hillas_skewness"]) < 0.05
    assert row["morphology_n_islands"] == 1
    assert row["leakage_intensity_width_2"] == 0


def test_a_slope_of_times_is_found_among_outliers() -> None:
    made, rng = camera(), np.random.default_rng(4)
    image = ellipse(0.0, 0.0, 0.15, 0.05, 0.0)
    times = 16 + 30 * made.x
    bright = np.flatnonzero(image > 8)
    times[rng.choice(bright, len(bright) // 10, replace=False)] += 9
    row = parametrise(made, image[None], times[None])[0]
    assert row["timing_slope"] == pytest.approx(30, rel=0.02)
    assert row["timing_intercept"] == pytest.approx(16 + 30 * row["hillas_x"], abs=0.3)
    assert row["timing_deviation"] > 1


def test_images_of_which_nothing_is_kept_have_no_parameters() -> None:
    images = np.zeros((3, PIXELS), np.float32)
    images[1] = ellipse(0, 0, 0.1, 0.05, 0)
    rows = parametrise(camera(), images, np.zeros_like(images))
    assert np.isnan(rows["hillas_width"]).tolist() == [True, False, True]
    assert rows["morphology_n_pixels"][[0, 2]].tolist() == [0, 0]
    assert parametrise(camera(), images[:1], images[:1]).dtype == rows.dtype
    assert len(parametrise(camera(), images[:0], images[:0])) == 0


def test_it_does_not_matter_which_images_are_done_together(monkeypatch: pytest.MonkeyPatch) -> None:
    images, times = noise(30)
    images[7] = 0
    together = parametrise(camera(), images, times)
    apart = np.concatenate(
        [parametrise(camera(), images[i : i + 1], times[i : i + 1]) for i in range(0, 30, 6)]
    )
    monkeypatch.setattr(parameters, "AT_ONCE", 50)
    monkeypatch.setattr(parameters, "LINES_AT_ONCE", 400)
    monkeypatch.setattr(timing, "ROWS", 2000)
    for name in together.dtype.names:
        kwargs = {"rtol": 1e-9, "atol": 1e-9, "equal_nan": True}
        assert np.allclose(apart[name], together[name][::6], **kwargs), name
        assert np.allclose(parametrise(camera(), images, times)[name], together[name], **kwargs), name


def test_a_circle_is_found_exactly_by_its_points() -> None:
    angle = np.linspace(0, 2, 9)
    x, y = 0.3 + 1.1 * np.cos(angle), -0.2 + 1.1 * np.sin(angle)
    at_x, at_y, radius = fit_circles(x, y, np.ones((1, 9)))
    assert (at_x[0], at_y[0], radius[0]) == pytest.approx((0.3, -0.2, 1.1), abs=1e-9)


def test_rings_are_told_from_showers() -> None:
    made = camera()
    ring = np.where(np.abs(np.hypot(made.x - 0.1, made.y) - 0.5) < 0.03, 15.0, 0.0)
    images = np.stack([ring, ellipse(0.2, 0, 0.2, 0.08, 0.4), np.zeros(PIXELS)])
    found = find_rings(made, images, TailCuts().clean(made, images))
    assert is_ring(found).tolist() == [True, False, False]
    degrees = 180 / np.pi / 28
    assert found["ring_radius"][0] == pytest.approx(0.5 * degrees, rel=0.01)
    assert found["ring_center_x"][0] == pytest.approx(0.1 * degrees, abs=0.01)

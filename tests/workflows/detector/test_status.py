"""The status of pixels: the known answers, and a slow implementation that shares nothing with the source."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.workflows.detector.slow import classic_status, statistics

from penstock.errors import DefinitionError
from penstock.workflows.detector.bits import explain
from penstock.workflows.detector.settings import Settings
from penstock.workflows.detector.simulator import FAULTS, plant_at_random, simulate
from penstock.workflows.detector.status import Judged, begin, judge

CLASSIC = Settings(mode="classic")
FIVE = Settings(mode="classic", rms_n_neg=5, rms_n_pos=5, mean_n_neg=5, mean_n_pos=5)
PLACES = {97 * (i + 1): name for i, name in enumerate(FAULTS)}


def status_of(frames: np.ndarray, settings: Settings, known: Any = None) -> Judged:
    sums = begin(frames.shape[1:], frames.dtype, settings, frames[:: max(1, len(frames) // settings.sample)])
    sums.add(frames)
    return judge(sums, settings, known)


def found_by(settings: Settings, dtype: Any = np.uint16, seed: int = 3) -> dict[str, int]:
    made = simulate(1000, (2, 32, 64), PLACES, seed=seed, dtype=dtype)
    status = status_of(made.frames, settings).status
    assert status is not None
    others = np.delete(status.reshape(-1), [*PLACES])
    assert np.count_nonzero(others) == 0
    return {name: int(status.flat[place]) for place, name in PLACES.items()}


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.uint32, np.float32, np.float64])
def test_the_classic_defaults_give_the_known_answers(dtype: Any) -> None:
    found = found_by(CLASSIC, dtype)
    assert found == {
        "dead": 172, "saturated": 106, "frozen": 8, "flash": 64, "spike": 0,
        "zeros 30 %": 132, "zeros 15 %": 128, "noisy": 0, "offset": 0,
    }  # fmt: skip


def test_limits_of_five_deviations_find_the_noisy_and_the_offset_pixel() -> None:
    found = found_by(FIVE)
    assert (found["noisy"], found["offset"]) == (193, 80)
    assert (found["dead"], found["saturated"], found["frozen"], found["flash"]) == (172, 106, 8, 64)


@pytest.mark.parametrize("mode", ["robust", "dark"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_robust_mode_finds_what_classic_misses_and_flags_no_pixel_for_one_flash(
    mode: str, seed: int
) -> None:
    found = found_by(Settings(mode=mode), seed=seed)
    assert found["noisy"] & 1
    assert found["offset"] & 16
    assert found["flash"] == found["spike"] == 0
    assert (found["dead"], found["saturated"], found["frozen"]) == (172, 106, 8)
    assert (found["zeros 30 %"], found["zeros 15 %"]) == (132, 128)


def random_frames(rng: np.random.Generator, dtype: Any) -> np.ndarray:
    """Make frames with all that the formulas distinguish, in small numbers, so that bounds are met exactly."""
    values = rng.choice([0, 1, 2, 3, 5, 15, 16, 17, 40], size=(rng.integers(1, 12), 3, 4))
    if np.dtype(dtype).kind == "f":
        values = values + rng.choice([0, 0.25, np.nan, np.inf], p=[0.8, 0.1, 0.05, 0.05], size=values.shape)
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.uint32, np.float32, np.float64])
def test_every_bit_is_as_the_slow_implementation_says(dtype: Any) -> None:
    rng = np.random.default_rng(5)
    for _ in range(60):
        low, high = sorted(rng.choice(18, 2, replace=False).tolist())
        numbers = {
            f"{name}_n_{side}": float(rng.choice([0, 0.5, 1, 2]))
            for name in ("rms", "mean")
            for side in ("neg", "pos")
        }
        chosen = Settings(mode="classic", int_low=low, int_high=high, mean_low=low, mean_high=high, rms_low=0.1,
                          rms_high=float(rng.integers(1, 6)), **numbers)  # fmt: skip
        frames = random_frames(rng, dtype)
        made = status_of(frames, chosen)
        slow = [statistics(each.tolist(), low, high) for each in frames.reshape(len(frames), -1).T]
        np.testing.assert_allclose(made.mean.reshape(-1), [p["mean"] for p in slow], rtol=1e-14)
        np.testing.assert_allclose(made.rms.reshape(-1), [p["rms"] for p in slow], rtol=1e-13, atol=0)
        np.testing.assert_array_equal(made.least.reshape(-1), np.array([p["min"] for p in slow], dtype))
        np.testing.assert_array_equal(made.most.reshape(-1), np.array([p["max"] for p in slow], dtype))
        assert made.status is not None
        near = near_a_limit(slow, made)
        assert [s for s, n in zip(made.status.reshape(-1), near, strict=True) if not n] == [
            s for s, n in zip(classic_status(slow, chosen), near, strict=True) if not n
        ]


def near_a_limit(slow: list[dict[str, Any]], made: Judged) -> list[bool]:
    """Say which pixels are within rounding of a computed limit: means of all pixels are rounded in another order."""
    assert made.limits
    ends = [*made.limits.rms, *made.limits.mean]
    return [
        any(0 < abs(p[what] - end) < 1e-9 for what in ("rms", "mean", "max", "min") for end in ends)
        for p in slow
    ]


def test_the_rms_of_a_constant_is_exactly_zero() -> None:
    for value, dtype in (
        (1500.3, np.float32),
        (0.1 + 0.2 + 1, np.float64),
        (15999, np.uint16),
        (4_000_000, np.uint32),
    ):
        chosen = Settings(mode="classic", int_high=max(16000, 2 * value))
        made = status_of(np.full((999, 1, 3), value, dtype), chosen)
        assert made.rms.tolist() == [[0.0] * 3]
        np.testing.assert_allclose(made.mean, float(np.array(value, dtype)), rtol=1e-14, atol=4e-9)


def test_a_small_noise_on_a_large_mean_is_not_lost_to_rounding() -> None:
    values = np.array([15990.0, 15990.0009765625] * 500, np.float32).reshape(-1, 1, 1)
    assert status_of(values, CLASSIC).rms[0, 0] == pytest.approx(0.0009765625 / 2, rel=1e-12)


def test_a_pixel_that_gives_no_number_is_bad() -> None:
    frames = np.full((100, 1, 4), 1500, np.float32) + np.random.default_rng(1).normal(
        0, 3, (100, 1, 4)
    ).astype(np.float32)
    frames[:, 0, 0] = np.nan
    frames[::3, 0, 1] = np.nan
    frames[7, 0, 2] = np.nan
    made = status_of(frames, CLASSIC)
    assert made.status is not None
    assert made.status.tolist() == [[172, 132, 128, 0]]


def test_too_few_frames_for_the_robust_mode_are_not_judged() -> None:
    made = status_of(simulate(49, (4, 4), {}, seed=1).frames, Settings())
    assert (made.status, made.mask, made.limits) == (None, None, None)
    assert made.why == "not judged: 49 frames, and the mode robust needs 50"
    assert made.mean.shape == (4, 4)
    assert status_of(simulate(50, (4, 4), {}, seed=1).frames, Settings()).status is not None


def test_one_flash_is_never_too_many_in_the_fewest_frames_that_are_judged() -> None:
    for flashes in (0.01, 0.03, 0.05, 0.3):
        chosen = Settings(flashes=flashes)
        frames = simulate(chosen.enough, (8, 8), {5: "flash", 9: "spike"}, seed=2).frames
        made = status_of(frames, chosen)
        assert made.status is not None
        assert np.count_nonzero(made.status) == 0


def test_known_bad_pixels_say_nothing_about_limits_and_are_bad_in_the_mask() -> None:
    made = simulate(200, (8, 8), dict.fromkeys(range(32), "offset"), seed=1)
    known = np.zeros((8, 8), np.bool_)
    known.flat[:32] = True
    limits = status_of(made.frames, Settings()).limits
    assert limits
    assert limits.mean[1] > 2000, "half of the pixels have it"
    found = status_of(made.frames, Settings(), known)
    assert found.limits
    assert found.limits.mean[1] < 1510
    assert found.mask is not None
    assert found.mask.reshape(-1).tolist() == [0] * 32 + [1] * 32


def test_all_pixels_may_be_bad() -> None:
    made = status_of(np.zeros((60, 4, 4), np.uint16), Settings())
    assert made.status is not None
    assert made.fraction == 1.0
    assert set(made.status.reshape(-1).tolist()) == {172}


def test_a_run_without_frames_is_not_judged_in_any_mode() -> None:
    sums = begin((2, 2), np.uint16, CLASSIC)
    assert judge(sums, CLASSIC).why.startswith("not judged: 0 frames")
    for number in (0, 1, 2):
        sums = begin((2, 2), np.uint16, Settings(), np.full((number, 2, 2), 7, np.uint16))
        assert judge(sums, Settings()).why.startswith("not judged: 0 frames")
    with pytest.raises(DefinitionError, match="needs frames to set gates by"):
        begin((2, 2), np.uint16, Settings())


def test_known_pixels_of_another_shape_are_refused_with_both() -> None:
    with pytest.raises(DefinitionError, match=r"of \(4,\), the detector of \(2, 2\)"):
        judge(begin((2, 2), np.uint16, CLASSIC), CLASSIC, np.zeros(4, np.bool_))


def test_values_that_are_no_numbers_of_a_detector_are_refused() -> None:
    with pytest.raises(DefinitionError, match="complex64"):
        begin((2, 2), np.complex64, CLASSIC)


def test_planted_faults_are_found_and_nothing_else_on_many_detectors() -> None:
    names = tuple(name for name in FAULTS if name not in ("flash", "spike"))
    missed = wrong = planted = 0
    for seed in range(20):
        faults = plant_at_random(32 * 32, 14, seed=seed, names=names)
        status = status_of(simulate(200, (32, 32), faults, seed=seed).frames, Settings()).status
        assert status is not None
        bad = {int(place) for place in np.flatnonzero(status)}
        missed, wrong, planted = (
            missed + len(faults.keys() - bad),
            wrong + len(bad - faults.keys()),
            planted + 14,
        )
    assert (missed, wrong, planted) == (0, 0, 280)


def test_a_status_is_said_in_words() -> None:
    assert [text.partition(":")[0] for text in explain(172)] == ["low", "frozen", "dark", "dipping"]
    assert explain(0) == []

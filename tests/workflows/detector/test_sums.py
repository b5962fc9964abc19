"""Parts of a run give what the whole gives, bit for bit."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import DefinitionError
from penstock.workflows.detector.grid import FRAMES, Grid
from penstock.workflows.detector.products import merge_sums, write_sums
from penstock.workflows.detector.settings import Settings
from penstock.workflows.detector.simulator import FAULTS, simulate
from penstock.workflows.detector.status import begin, judge
from penstock.workflows.detector.sums import Sums

DTYPES = [np.uint8, np.int16, np.uint16, np.uint32, np.int64, np.float32, np.float64]


def same(a: Sums, b: Sums) -> bool:
    return a.frames == b.frames and all(
        np.array_equal(getattr(a, name), getattr(b, name), equal_nan=name in ("least", "most"))
        for name in ("below", "above", "least", "most", "totals")
    )


def random_part(seed: int, dtype: Any) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = (
        rng.normal(1500, 300, (23, 3, 5)) if np.dtype(dtype).itemsize > 1 else rng.normal(60, 40, (23, 3, 5))
    )
    if np.dtype(dtype).kind == "f":
        values[rng.random(values.shape) < 0.02] = np.nan
        values[rng.random(values.shape) < 0.02] = np.inf
    else:
        values = np.clip(np.rint(values), 0, 255 if np.dtype(dtype).itemsize == 1 else 30000)
    return values.astype(dtype)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(DTYPES), st.lists(st.integers(0, 23), max_size=5), st.randoms())
def test_parts_in_any_number_and_order_merge_to_the_whole(
    seed: int, dtype: Any, cuts: list[int], rnd: Any
) -> None:
    frames, chosen = random_part(seed, dtype), Settings(mode="classic", int_low=20, int_high=2000)
    whole = begin((3, 5), dtype, chosen)
    whole.add(frames)
    borders, parts = sorted({0, 23, *cuts}), []
    for first, last in pairwise(borders):
        part = begin((3, 5), dtype, chosen)
        part.add(frames[first:last])
        parts.append(part)
    rnd.shuffle(parts)
    merged = parts[0]
    for part in parts[1:]:
        merged.merge(part)
    assert same(merged, whole)
    assert judge(merged, chosen).mean.tobytes() == judge(whole, chosen).mean.tobytes()
    assert judge(merged, chosen).rms.tobytes() == judge(whole, chosen).rms.tobytes()


@pytest.mark.parametrize("mode", ["classic", "robust", "dark"])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_parts_that_went_through_files_give_the_status_of_one_pass(
    tmp_path: Path, mode: str, dtype: Any
) -> None:
    places = {31 * (i + 1): name for i, name in enumerate(FAULTS)}
    frames, chosen = simulate(300, (20, 20), places, seed=9, dtype=dtype).frames, Settings(mode=mode)
    whole = begin((20, 20), dtype, chosen, frames[:40])
    whole.add(frames)
    for i, (first, last) in enumerate([(0, 7), (7, 150), (150, 300)]):
        part = begin((20, 20), dtype, chosen, frames[:40])
        part.add(frames[first:last])
        write_sums(tmp_path / f"{i}.h5", part)
    merged = judge(merge_sums([tmp_path / f"{i}.h5" for i in (2, 0, 1)]), chosen)
    for name, array in judge(whole, chosen).arrays().items():
        assert merged.arrays()[name].tobytes() == array.tobytes(), name


def test_parts_of_another_detector_or_with_other_gates_are_refused_by_what_differs() -> None:
    chosen, other = Settings(mode="classic"), Settings(mode="classic", int_high=15000)
    mine = begin((2, 2), np.uint16, chosen)
    with pytest.raises(DefinitionError, match=r"unlike shape .*\(2, 2\) and \(2, 3\)"):
        mine.merge(begin((2, 3), np.uint16, chosen))
    with pytest.raises(DefinitionError, match=r"unlike dtype .*uint16 and uint32"):
        mine.merge(begin((2, 2), np.uint32, chosen))
    with pytest.raises(DefinitionError, match="unlike grid"):
        mine.merge(begin((2, 2), np.uint16, other))
    frames = simulate(60, (2, 2), {}, seed=1).frames
    robust = begin((2, 2), np.uint16, Settings(), frames)
    with pytest.raises(DefinitionError, match=r"unlike gates \(low of pixel 0\).*: \d+ and \d+"):
        robust.merge(begin((2, 2), np.uint16, Settings(), frames // 2))


def test_sums_refuse_more_frames_than_they_can_hold_exactly() -> None:
    sums = begin((1, 1), np.float32, Settings(mode="classic"))
    sums.frames = FRAMES[True] - 1
    sums.add(np.ones((1, 1, 1), np.float32))
    with pytest.raises(DefinitionError, match="cannot be summed"):
        sums.add(np.ones((1, 1, 1), np.float32))


def test_the_largest_sums_that_are_accepted_do_not_overflow() -> None:
    for dtype, wide in ((np.uint16, False), (np.float64, True)):
        grid = Grid.over(np.dtype(dtype), 0, 65536)
        assert grid.wide == wide
        ends = grid.sums(grid.numbers(np.array([[65535.0], [0.0]])))
        with np.errstate(over="raise"):
            totals = ends * (FRAMES[wide] // 2)
        mean, rms = grid.mean_and_rms(totals, np.array([FRAMES[wide]]))
        assert (mean[0], rms[0]) == (32767.5, 32767.5)


def test_a_range_that_is_too_wide_for_exact_sums_is_refused() -> None:
    with pytest.raises(DefinitionError, match="narrow int_low"):
        begin((1, 1), np.int64, Settings(mode="classic", int_high=1e15))


def test_large_integers_are_summed_exactly() -> None:
    chosen = Settings(mode="classic", int_low=0, int_high=2**32)
    values = np.array([2**32 - 3, 2**32 - 2, 2**31], np.uint32).reshape(3, 1, 1)
    sums = begin((1, 1), np.uint32, chosen)
    sums.add(values)
    mean, rms = sums.mean_and_rms()
    exact = [int(value) for value in values.reshape(-1)]
    assert mean[0] == sum(exact) / 3
    assert rms[0] == pytest.approx(np.std(np.array(exact, np.float64)), rel=1e-12)

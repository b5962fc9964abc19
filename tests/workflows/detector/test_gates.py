"""Gates: what counts of a pixel, whatever a few of its values are."""

from __future__ import annotations

import numpy as np
import pytest

from penstock.errors import DefinitionError
from penstock.workflows.detector.gates import Gates
from penstock.workflows.detector.simulator import simulate


def test_a_gate_is_eight_spreads_around_the_median() -> None:
    sample = np.random.default_rng(1).normal(1500, 3, (2000, 50)).astype(np.float32)
    made = Gates.around(sample, 1, 16000, spreads=8)
    np.testing.assert_allclose(made.low, 1500 - 24, atol=2.5)
    np.testing.assert_allclose(made.high, 1500 + 24, atol=2.5)


def test_a_few_wild_values_do_not_move_a_gate() -> None:
    sample = np.random.default_rng(1).normal(1500, 3, (32, 400)).astype(np.float32)
    before = Gates.around(sample, 1, 16000, spreads=8)
    wild = sample.copy()
    wild[:2, 7] = 9000
    wild[2, 7] = 0
    after = Gates.around(wild, 1, 16000, spreads=8)
    assert before.low[7] - 20 < after.low[7] < 1500 < after.high[7] < before.high[7] + 20


def test_the_gate_of_a_frozen_pixel_is_as_wide_as_that_of_most() -> None:
    sample = simulate(32, (100,), {3: "frozen"}, seed=1).frames
    made = Gates.around(sample, 1, 16000, spreads=8)
    assert made.high[3] - 1500 == pytest.approx(24, abs=4)


def test_the_ends_of_a_range_are_inside_in_every_type() -> None:
    for dtype, low, high in ((np.uint16, 1, 16000), (np.uint8, 1, 255), (np.float32, np.float32(0.1), 16000)):
        made = Gates.same(np.dtype(dtype), 2, 0.1 if low != 1 else 0.5, 16000.0)
        assert made.low.dtype == dtype
        assert made.low[0] >= (0.1 if low != 1 else 0.5)
        assert (float(made.high[1]), made.low.shape) == (float(high), (2,))


def test_a_range_that_a_type_does_not_reach_is_refused() -> None:
    with pytest.raises(DefinitionError, match="no value of uint8 reaches int_low = 300"):
        Gates.same(np.dtype(np.uint8), 2, 300, 16000)
    with pytest.raises(DefinitionError, match="every value of uint16 is above int_high = -1"):
        Gates.same(np.dtype(np.uint16), 2, -9, -1)


def test_a_pixel_without_numbers_has_a_gate_that_lets_nothing_in() -> None:
    sample = np.full((32, 2), 1500, np.float32)
    sample[:, 1] = np.nan
    made = Gates.around(sample, 1, 16000, spreads=8)
    assert made.low.tolist() == [1500, 1]
    assert made.high.tolist() == [1500, 1]

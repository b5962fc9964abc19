"""Limits from all pixels: the classic rule, and the one that bad pixels do not move."""

from __future__ import annotations

import numpy as np
import pytest

from penstock.workflows.detector.limits import limits, robust_limits

A = np.array([8.0, 10.0, 12.0, 10.0])


@pytest.mark.parametrize(
    ("n_neg", "n_pos", "expected"),
    [(0, 0, (1, 16)), (1, 0, (10 - 2**0.5, 16)), (0, 2, (1, 10 + 2 * 2**0.5)), (99, 99, (1, 16))],
)
def test_limits_are_deviations_from_the_mean_kept_in_a_range(
    n_neg: float, n_pos: float, expected: tuple[float, float]
) -> None:
    assert limits(A, n_neg, n_pos, 1, 16) == pytest.approx(expected)


def test_limits_never_leave_the_range_on_its_other_side() -> None:
    assert limits(np.zeros(5), 1, 1, 1, 16) == (1, 1)
    assert limits(np.full(5, 99.0), 1, 1, 1, 16) == (16, 16)


def test_robust_limits_are_spreads_from_the_median() -> None:
    assert robust_limits(np.array([9.0, 10.0, 11.0, 900.0]), 8, 1, 16000) == pytest.approx((1, 22.36081774))


def test_a_third_of_bad_pixels_hardly_moves_robust_limits() -> None:
    good = np.random.default_rng(1).normal(3, 0.05, 1000)
    low, high = robust_limits(np.concatenate([good, np.zeros(250), np.full(250, 500.0)]), 8, 0.1, 16000)
    assert 2 < low < 2.7
    assert 3.3 < high < 4


def test_pixels_that_are_all_alike_are_given_what_chance_makes() -> None:
    assert robust_limits(np.full(9, 100.0), 8, 1, 16000, least=0.5) == (96, 104)


def test_no_pixels_give_the_range() -> None:
    empty = np.array([])
    assert robust_limits(empty, 8, 1, 16) == limits(empty, 0, 0, 1, 16) == (1, 16)

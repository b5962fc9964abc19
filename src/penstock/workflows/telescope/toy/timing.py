"""How fast the light goes along the axis of an image: a line through the times of pixels, robust against outliers.

Least trimmed squares (P. J. Rousseeuw and K. Van Driessen, Data Mining and Knowledge Discovery 12, 29 (2006)) of 85 % of
the pixels: from lines through two pixels each, the line is fitted again to the pixels nearest to it until nothing changes;
of several such beginnings the best end counts. The beginnings are those of ctapipe, so that the lines are, too: pairs that
its generator gives when it is seeded with 0.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.cleaning import Indices, Pixels

Array = NDArray[np.float64]

PART = 0.85  # of the pixels that count
BEGINNINGS, STEPS = 5, 20
MEETING = 4  # steps after which it is looked whether lines of two beginnings are one by now
SINGULAR = 2 * float(np.finfo(np.float64).eps)  # determinant up to which there is no line
ROWS = 1 << 15  # pixels at once: they stay in the cache


@cache
def pairs(pixels: int) -> Indices:
    """Give the pairs of pixels from which lines are begun in an image of so many."""
    random = np.random.RandomState(0)
    return np.array([random.permutation(pixels)[:2] for _ in range(BEGINNINGS)])


def find_timing(pixels: Pixels, along: Array) -> dict[str, Array]:
    """Give slope (samples a metre), intercept (samples), and the rms of all pixels about the line.

    `along` is where pixels are on the axes of their images (m).
    NaN where there are fewer than two pixels, or all lie across the axis.
    """
    line = np.full((2, len(pixels.events)), np.nan)
    order = np.argsort(pixels.counts, kind="stable")
    for number, images in _by_count(pixels.counts[order], order):
        if number < 2:
            continue
        step = max(1, ROWS // number)
        for start in range(0, len(images), step):
            some = images[start : start + step]
            rows = pixels.starts[some][:, None] + np.arange(number)
            line[:, some] = trimmed_lines(along[rows], pixels.time[rows])
    slope, intercept = line
    off = pixels.time - slope[pixels.image] * along - intercept[pixels.image]
    return {"slope": slope, "intercept": intercept, "deviation": np.sqrt(pixels.mean(off * off))}


def _by_count(counts: Indices, order: Indices) -> list[tuple[int, Indices]]:
    """Group images of as many pixels, of which the order is given by `counts`."""
    starts = np.flatnonzero(np.diff(counts, prepend=-1))
    groups = np.split(order, starts[1:]) if len(starts) else []
    return [(int(counts[start]), group) for start, group in zip(starts, groups, strict=True)]


def trimmed_lines(x: Array, y: Array) -> Array:
    """Fit lines y = a x + b to points (images × points); gives a and b (2 × images), NaN if there is no line."""
    images, number = x.shape
    if int(PART * number) < 2:
        return np.full((2, images), np.nan)
    middle = x.mean(axis=1)
    lines, error = _settle(x - middle[:, None], y)
    best = error.argmin(axis=0)
    slope, intercept = lines[:, best, np.arange(images)]
    return np.stack([slope, intercept - slope * middle])


def _settle(x: Array, y: Array) -> tuple[Array, Array]:
    """Go on from all beginnings until nothing changes; gives lines (2 × beginnings × images) and sums of squares."""
    images, number = x.shape
    taken, (one, other) = int(PART * number), pairs(number).T
    apart = (x[:, other] - x[:, one]).T
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.where(apart**2 < SINGULAR, np.nan, (y[:, other] - y[:, one]).T / apart)
    lines = np.stack([slope, y[:, one].T - slope * x[:, one].T]).reshape(2, -1)
    error = np.full(BEGINNINGS * images, np.inf)
    left = np.flatnonzero(np.isfinite(lines[0]))
    for step in range(STEPS):
        if not len(left):
            break
        px, py = x[left % images], y[left % images]
        off = px * -lines[0, left, None]
        off += py
        off -= lines[1, left, None]
        off *= off
        near = _nearest(off, taken)
        new = _fit(px, py, near, taken)
        error[left] = np.einsum("ij,ij->i", near, off)  # of the line before, which the last one is like
        going = np.any(new != lines[:, left], axis=0) & np.isfinite(new[0])
        lines[:, left] = new
        if step < MEETING:
            going &= ~_is_repeated(lines.reshape(2, BEGINNINGS, images), left)
        left = left[going]
    return lines.reshape(2, BEGINNINGS, images), error.reshape(BEGINNINGS, images)


def _nearest(off: Array, taken: int) -> Array:
    """Mark with 1 the least values of each row, so many of them."""
    if taken == off.shape[1]:
        return np.ones_like(off)
    edge = np.partition(off, taken - 1, axis=1)[:, taken - 1]
    return (off <= edge[:, None]).astype(np.float64)


def _fit(x: Array, y: Array, weight: Array, number: int) -> Array:
    """Fit a line to `number` points of each row, those of weight 1; gives a and b (2 × rows)."""
    wx = weight * x
    sx, sy = wx.sum(axis=1), np.einsum("ij,ij->i", weight, y)
    xx, xy = np.einsum("ij,ij->i", wx, x), np.einsum("ij,ij->i", wx, y)
    determinant = number * xx - sx * sx
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.where(determinant < SINGULAR, np.nan, (number * xy - sx * sy) / determinant)
    return np.stack([slope, (sy - slope * sx) / number])


def _is_repeated(lines: Array, left: Indices) -> NDArray[np.bool_]:
    """Say which lines an earlier beginning of the same image has, too: they would go on as that does."""
    images = lines.shape[2]
    same = np.zeros(lines.shape[1:], np.bool_)
    for late in range(1, BEGINNINGS):
        for early in range(late):
            same[late] |= (lines[0, early] == lines[0, late]) & (lines[1, early] == lines[1, late])
    return same.reshape(-1)[left] if images else np.empty(0, np.bool_)

"""Rings of muons: circles through the light of images.

The circle is that of least Σ q (|r - c|² - R²)² over the pixels, which has a closed form; it is fitted to the kept pixels,
then twice more to all pixels that are within 40 % of the radius from it.

Source: B. B. Chaudhuri and P. Kundu, Pattern Recognition Letters 14, 1 (1993); the quality of rings is as in ctapipe.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.camera import METRES_PER_DEGREE, Camera
from penstock.workflows.telescope.toy.files import table

Array = NDArray[np.float64]

FITS, NEAR = 3, 0.4  # and of the radius: how far a pixel may be from the circle
INTEGRATED = 0.25  # of the radius: light that counts for the ring
SECTORS, LEAST = 30, 30.0  # of a ring, and pe that make one lit
LEAST_PIXELS, LEAST_LIGHT = 40, 500.0  # of an image that may be a ring
BLOCK = 128


def fit_circles(x: Array, y: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Fit circles to points at x and y with weights (images × points); gives centres and radii."""
    square = x * x + y * y
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y, x * square, y * square, square], axis=1)
    w, sx, sy, xx, xy, yy, sxs, sys, ss = (weights @ terms).T
    with np.errstate(invalid="ignore", divide="ignore"):
        mx, my = sx / w, sy / w
        a, b, c = xx - mx * sx, xy - mx * sy, yy - my * sy
        d, e = 0.5 * (sxs - mx * ss), 0.5 * (sys - my * ss)
        determinant = a * c - b * b
        at_x, at_y = (c * d - b * e) / determinant, (a * e - b * d) / determinant
        radius = np.sqrt((ss - 2 * at_x * sx - 2 * at_y * sy) / w + at_x**2 + at_y**2)
    return at_x, at_y, radius


def find_rings(camera: Camera, images: NDArray[Any], kept: NDArray[np.bool_]) -> NDArray[Any]:
    """Give a row a ring fit for images (events × pixels, pe) of which pixels are kept; lengths are in degrees.

    `completeness` is the part of its sectors with light, `containment` the part of the circle within the camera's,
    `size` the light within a quarter of the radius from it, `intensity_ratio` the part of the kept light that this is.
    """
    parts = [
        _find(camera, images[start : start + BLOCK].astype(np.float64), kept[start : start + BLOCK])
        for start in range(0, max(1, len(images)), BLOCK)
    ]
    return np.concatenate(parts)


def _find(camera: Camera, images: Array, kept: NDArray[np.bool_]) -> NDArray[Any]:
    x, y = camera.x / METRES_PER_DEGREE, camera.y / METRES_PER_DEGREE
    weights = images * kept
    for _ in range(FITS):
        at_x, at_y, radius = fit_circles(x, y, weights)
        apart = np.hypot(x - at_x[:, None], y - at_y[:, None])
        off = apart - radius[:, None]
        weights = images * (np.abs(off) < NEAR * radius[:, None])
    light = images * kept
    near = np.abs(off) < INTEGRATED * radius[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = {
            "ring_center_x": at_x,
            "ring_center_y": at_y,
            "ring_radius": radius,
            "ring_containment": _contained(np.hypot(at_x, at_y), radius, float(np.hypot(x, y).max())),
            "ring_completeness": _complete(x - at_x[:, None], y - at_y[:, None], images),
            "ring_mean_squared_error": (light * off**2).sum(axis=1) / light.sum(axis=1),
            "ring_size": (images * near).sum(axis=1),
            "ring_intensity_ratio": (light * near).sum(axis=1) / light.sum(axis=1),
        }
    return table(columns)


def _contained(distance: Array, radius: Array, camera_radius: float) -> Array:
    """Give the parts of circles, so far from the centre, that are within a circle about it."""
    cosine = (radius**2 - camera_radius**2 + distance**2) / (2 * distance * radius)
    part = np.arccos(np.clip(cosine, -1, 1)) / np.pi
    whole = distance <= np.abs(camera_radius - radius)
    return np.where(whole, 1.0, np.where(distance > radius + camera_radius, 0.0, part))


def _complete(dx: Array, dy: Array, images: Array) -> Array:
    """Give the parts of all sectors about a centre that have more light than `LEAST`."""
    sector = np.floor((np.arctan2(dy, dx) + np.pi) / (2 * np.pi) * SECTORS)
    sector = np.nan_to_num(np.clip(sector, 0, SECTORS - 1)).astype(np.int64)
    place = np.arange(len(images))[:, None] * SECTORS + sector
    light = np.bincount(place.ravel(), images.ravel(), minlength=len(images) * SECTORS)
    return (light.reshape(-1, SECTORS) > LEAST).sum(axis=1) / SECTORS


def is_candidate(images: NDArray[Any], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which images may be rings: of those alone circles are fitted."""
    light = np.einsum("ij,ij->i", images, kept, dtype=np.float64)
    return (np.count_nonzero(kept, axis=1) >= LEAST_PIXELS) & (light >= LEAST_LIGHT)


def is_ring(rings: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which fits are rings of muons: of their radius, thin, lit all around, and within the camera."""
    thin = np.sqrt(rings["ring_mean_squared_error"]) < 0.15 * rings["ring_radius"]
    right = (rings["ring_radius"] > 0.7) & (rings["ring_radius"] < 1.6)
    return thin & right & (rings["ring_completeness"] > 0.7) & (rings["ring_containment"] > 0.7)

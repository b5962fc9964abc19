"""What else tells images apart: light at the border, light near the centre, islands, and how charges are distributed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.camera import Camera
from penstock.workflows.telescope.toy.cleaning import Indices, Pixels
from penstock.workflows.telescope.toy.hillas import Hillas

Array = NDArray[np.float64]

SMALL, MEDIUM = 2, 50  # pixels at most of an island that is called so


def find_leakage(camera: Camera, pixels: Pixels) -> dict[str, Array]:
    """Give the parts of pixels and light in the outermost one and two rows of the camera."""
    size, made = pixels.total(pixels.charge), {}
    for width in (1, 2):
        at_border = camera.border(width)[pixels.pixel].astype(np.float64)
        made[f"pixels_width_{width}"] = pixels.total(at_border) / pixels.counts
        made[f"intensity_width_{width}"] = pixels.total(at_border * pixels.charge) / size
    return made


def find_concentration(camera: Camera, pixels: Pixels, hillas: Hillas) -> dict[str, Array]:
    """Give the parts of the light within a pixel's diameter of the centre, within the ellipse, and in the brightest pixel."""
    q, image = pixels.charge, pixels.image
    apart = (camera.x[pixels.pixel] - hillas["x"][image]) ** 2
    apart += (camera.y[pixels.pixel] - hillas["y"][image]) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        ellipse = (hillas.along / hillas["length"][image]) ** 2 + (
            hillas.across / hillas["width"][image]
        ) ** 2
    return {
        "cog": pixels.total(q * (apart < 2 / np.sqrt(3) * camera.area)) / hillas["intensity"],
        "core": pixels.total(q * (ellipse <= 1)) / hillas["intensity"],
        "pixel": pixels.largest(q) / hillas["intensity"],
    }


def find_morphology(camera: Camera, pixels: Pixels) -> dict[str, Indices]:
    """Count pixels and islands: at most 2, 3 to 50, and more than 50 pixels that hang together."""
    labels = label_islands(camera, pixels)
    sizes = np.bincount(labels, minlength=len(labels))
    image, sizes = pixels.image[sizes > 0], sizes[sizes > 0]  # an island has the number of its first pixel

    def count(some: NDArray[np.bool_]) -> Indices:
        return np.bincount(image[some], minlength=len(pixels.events))

    return {
        "n_pixels": pixels.counts,
        "n_islands": count(sizes > 0),
        "n_small_islands": count(sizes <= SMALL),
        "n_medium_islands": count((sizes > SMALL) & (sizes <= MEDIUM)),
        "n_large_islands": count(sizes > MEDIUM),
    }


def label_islands(camera: Camera, pixels: Pixels) -> Indices:
    """Give for each pixel the place, in the list, of the first pixel of its island.

    Islands that touch are joined under the lesser label, until none touch; labels then lead to the first pixel.
    """
    wide, own = len(camera) + 1, np.arange(len(pixels.pixel))
    where = np.full(len(pixels.events) * wide, -1, np.int32)
    base = pixels.image * wide
    where[base + pixels.pixel] = own
    beside = where[base + camera.neighbours[pixels.pixel].T]
    way, one = np.nonzero((beside >= 0) & (beside < own))
    other, labels = beside[way, one].astype(np.int64), own
    while len(one):
        here, there = labels[one], labels[other]
        labels = labels.copy()
        np.minimum.at(labels, np.maximum(here, there), np.minimum(here, there))
        labels = _follow(labels)
        apart = labels[one] != labels[other]
        one, other = one[apart], other[apart]
    return labels


def _follow(labels: Indices) -> Indices:
    """Give each the label that its label has, and so on to the end."""
    while not np.array_equal(further := labels[labels], labels):
        labels = further
    return labels


def describe(pixels: Pixels, values: Array) -> dict[str, Array]:
    """Give extremes and moments of values by image; the kurtosis is 0 for a normal distribution."""
    mean = pixels.mean(values)
    off = values - mean[pixels.image]
    square = off * off
    std = np.sqrt(pixels.mean(square))
    with np.errstate(invalid="ignore", divide="ignore"):
        skewness = pixels.mean(square * off) / std**3
        kurtosis = pixels.mean(square * square) / std**4 - 3
    found = {"max": pixels.largest(values), "min": pixels.smallest(values), "mean": mean, "std": std}
    return found | {"skewness": skewness, "kurtosis": kurtosis}

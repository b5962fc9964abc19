"""Hillas parameters: moments of the light of images.

With charges q of pixels at r: size S = Σq, centre Σqr / S, and of the covariance of r about it the roots of the eigenvalues,
length and width, and the direction psi of the longer axis, between -π/2 and π/2. Along that axis, skewness and kurtosis are
the third and fourth moments in units of the length.

The errors are those of sums of q with the variance q, as ctapipe has them: length √((κ - 1) / S) / 2, where κ is the kurtosis
along the axis; the same across it for the width; and √(a / S), a the pixel's area, across it for the centre.

Source: A. M. Hillas, Proc. 19th ICRC, La Jolla, vol. 3, p. 445 (1985).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.camera import Camera
from penstock.workflows.telescope.toy.cleaning import Pixels

Array = NDArray[np.float64]

NOTHING = float(np.finfo(np.float64).eps)  # m²: variances up to it are those of a line or a point


@dataclass(frozen=True)
class Hillas:
    """Parameters, a value an image (m and radians), and places of pixels along and across the axis (m)."""

    columns: dict[str, Array]
    along: Array
    across: Array

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]


def find_hillas(camera: Camera, pixels: Pixels) -> Hillas:
    """Find the parameters of images; those that are not defined are NaN."""
    q, image = pixels.charge, pixels.image
    x, y = camera.x[pixels.pixel], camera.y[pixels.pixel]
    size = pixels.total(q)
    at_x, at_y = pixels.total(q * x) / size, pixels.total(q * y) / size
    dx, dy = x - at_x[image], y - at_y[image]
    xx, yy, xy = (pixels.total(q * each) / size for each in (dx * dx, dy * dy, dx * dy))
    middle, half = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    length, width = (np.sqrt(np.where(each > NOTHING, each, 0)) for each in (middle + half, middle - half))
    psi = 0.5 * np.arctan2(2 * xy, xx - yy)
    psi = np.where(length > 0, np.where(psi == -np.pi / 2, np.pi / 2, psi), np.nan)
    cos, sin = np.cos(psi)[image], np.sin(psi)[image]
    along, across = dx * cos + dy * sin, dy * cos - dx * sin
    with np.errstate(invalid="ignore", divide="ignore"):
        skewness = pixels.total(q * along**3) / size / length**3
        kurtosis = pixels.total(q * along**4) / size / length**4
        flatness = pixels.total(q * across**4) / size / width**4
        ratio = np.tan(np.pi / 2 * width / length)
        columns = {
            "intensity": size,
            "x": at_x,
            "y": at_y,
            "r": np.hypot(at_x, at_y),
            "phi": np.arctan2(at_y, at_x),
            "length": length,
            "length_uncertainty": _error(length, kurtosis, size),
            "width": width,
            "width_uncertainty": _error(width, flatness, size),
            "psi": psi,
            "psi_uncertainty": np.sqrt(camera.area / size) / length * (1 + ratio**2),
            "transverse_cog_uncertainty": np.where(length > 0, np.sqrt(camera.area / size), np.nan),
            "skewness": skewness,
            "kurtosis": kurtosis,
        }
    return Hillas(columns, along, across)


def _error(spread: Array, kurtosis: Array, size: Array) -> Array:
    return np.where(spread > 0, spread * np.sqrt(np.maximum(kurtosis - 1, 0) / size) / 2, np.nan)

"""The frequency axis of a picture, and power averaged over its rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.bands import band_power, cells
from penstock.workflows.reports.scale import Scale


class Axis(Scale):
    """Frequencies (Hz) at heights from 0 to 1."""

    __slots__ = ()

    def rows(self, power: NDArray[Any], rows: int, spacing: float) -> NDArray[np.float64]:
        """Average lines (last axis) over the rows: each by the share of its cell that lies in the row."""
        borders, edges = cells(power.shape[-1], spacing, self.top), self.edges(rows)
        shares = band_power(np.ones(power.shape[-1]), borders, edges[:-1], edges[1:])
        return band_power(power, borders, edges[:-1], edges[1:]) / shares

"""The objective written as the formulas say it, step by step: nothing is shared with the source."""

from __future__ import annotations

import math
from typing import Any


def objective(
    mode: str,
    members: list[list[tuple[list[float], float]]],  # (dr, dt) of the steps of each cell
    d: list[float],
    y: list[list[float]],  # of each cell: drift, force or [potential]
    gradients: Any,  # of the potential, by cell
    *,
    sigma: float,
    exposure: float,
    crowding: Any = None,  # of each cell, ∇log ρ
) -> float:
    total = 0.0
    for cell, steps in enumerate(members):
        for dr, dt in steps:
            v = 4 * (d[cell] * (dt - exposure / 3) + sigma**2)
            if mode == "dd":
                mean = [a * dt for a in y[cell]]
            elif mode == "df":
                mean = [d[cell] * f * dt for f in y[cell]]
            elif mode == "dv":
                mean = [-d[cell] * dt * g for g in gradients[cell]]
            else:
                mean = [0.0] * len(dr)
            if crowding is not None:
                pull = sigma**2 - d[cell] * exposure / 3
                mean = [m + pull * g for m, g in zip(mean, crowding[cell], strict=True)]
            off = sum((x - m) ** 2 for x, m in zip(dr, mean, strict=True))
            total += len(dr) / 2 * math.log(math.pi * v) + off / v
    return total


def slope_prior(values: list[float], areas: Any, centres: Any, neighbours: list[list[int]]) -> float:
    total = 0.0
    for i, others in enumerate(neighbours):
        if others:
            steep = [(values[j] - values[i]) ** 2 / math.dist(centres[i], centres[j]) ** 2 for j in others]
            total += areas[i] * sum(steep) / len(steep)
    return total

"""A region that was mapped, with all that it was mapped from: to look at it, in a notebook or as a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from penstock.errors import DefinitionError
from penstock.workflows.tracking.cells import Sampling
from penstock.workflows.tracking.inference import Maps, compare_potential
from penstock.workflows.tracking.pictures import draw_cells, draw_force, draw_map
from penstock.workflows.tracking.products import load_maps
from penstock.workflows.tracking.regionfile import opened, read_region
from penstock.workflows.tracking.translocations import Translocations
from penstock.workflows.tracking.truth import Truth


@dataclass(frozen=True)
class Mapped:
    """The maps of a region, its sampling and its steps; `truth` is what they were made of, if they were made up.

    `maps.values["diffusivity"]` is an array of its cells, in µm²/s; `maps.errors` has the errors.
    """

    name: str
    maps: Maps
    sampling: Sampling
    steps: Translocations
    truth: Truth | None = None

    def plot(self, what: str = "diffusivity", axes: Any = None) -> Any:
        """Draw a value of each cell, `force` as arrows, or `cells` over their points; give matplotlib's axes.

        Without `axes` those of pyplot are used, as notebooks show them. Raises DefinitionError for what there is not.
        """
        drawings = self._drawings()
        if what not in drawings:
            raise DefinitionError(f"{self.name} has no {what!r}; it has {', '.join(drawings)}")
        if axes is None:
            from matplotlib import pyplot

            axes = pyplot.gca()
        return drawings[what](axes)

    def _drawings(self) -> Mapping[str, Callable[[Any], Any]]:
        values = {name: lambda axes, name=name: draw_map(axes, self.maps, name) for name in self.maps.values}
        force = {"force": lambda axes: draw_force(axes, self.maps)} if "force" in values else {}
        return {**values, **force, "cells": lambda axes: draw_cells(axes, self.maps.cells, self.steps)}

    def compare(self) -> dict[str, float]:
        """Say how far maps are from the truth: `diffusivity_bias` (a share), `potential_rms` (kT, over cells of 20 steps).

        Nothing, if the truth is not known.
        """
        if self.truth is None:
            return {}
        centres, weights = self.maps.cells.centres[:, :2], self.maps.counts
        found = self.maps.values["diffusivity"] / self.truth.d(centres) - 1
        made = {"diffusivity_bias": float(np.average(found, weights=weights))}
        if "potential" in self.maps.values:
            truth = self.truth.v(centres)
            made["potential_rms"] = compare_potential(self.maps.values["potential"], truth, weights)
        return made


def load(path: Path | str) -> dict[str, Mapped]:
    """Read a product, `SOURCE.maps.h5` or that of one region, by region. Raises Unreadable.

    >>> load("maps/cell.maps.h5")["roi000"].plot("potential")  # doctest: +SKIP
    """
    with opened(Path(path)) as file:
        truth = Truth.parse(file.attrs["truth"], path) if "truth" in file.attrs else None
        made: dict[str, Mapped] = {}
        for name, group in file.items():
            sampling, steps = read_region(group)
            made[name] = Mapped(name, load_maps(group, sampling), sampling, steps, truth)
        return made

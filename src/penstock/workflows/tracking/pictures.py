"""Pictures of maps: cells in colour, arrows of force, trajectories; each draws on matplotlib's axes and gives them back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.tracking.cells import Cells
from penstock.workflows.tracking.inference import UNITS, Maps
from penstock.workflows.tracking.trajectories import Trajectories
from penstock.workflows.tracking.translocations import Translocations

Array = NDArray[np.float64]
LONGEST = 0.9  # of the distance of neighbouring cells: the longest arrow
BARS = (1.0, 2.0, 5.0)  # a scale bar is one of these, times a power of ten
MOST_POINTS = 20_000
COLOURS = {"potential": "cividis"}


def draw_map(axes: Any, maps: Maps, name: str = "diffusivity", *, colours: str = "") -> Any:
    """Draw a value of each cell, with a colour bar that has its unit; vectors are drawn by their length."""
    array = maps.values[name]
    values = array if array.ndim == 1 else np.linalg.norm(array, axis=1)
    return draw_values(axes, maps.cells, values, name, colours=colours)


def draw_values(
    axes: Any,
    cells: Cells,
    values: Array,
    name: str,
    *,
    colours: str = "",
    limits: tuple[float, float] | None = None,
) -> Any:
    """Draw one number of each cell as `draw_map` does, in the unit of `name`; `limits` are those of the colours."""
    drawn = _fill(axes, cells, values, colours or COLOURS.get(name, "viridis"))
    if limits:
        drawn.set_clim(*limits)
    axes.figure.colorbar(drawn, ax=axes, label=f"{name} ({UNITS[name]})", shrink=0.85)
    return _frame(axes, cells)


def draw_cells(axes: Any, cells: Cells, steps: Translocations | None = None) -> Any:
    """Draw the outlines of cells over the origins of steps."""
    from matplotlib.collections import PolyCollection

    if steps is not None:
        every = max(1, len(steps) // MOST_POINTS)
        axes.plot(*steps.r[::every, :2].T, ",", color="0.35", zorder=1)
    axes.add_collection(
        PolyCollection(cells.outlines, facecolors="none", edgecolors="#1f77b4", linewidths=0.8)
    )
    return _frame(axes, cells)


def draw_force(axes: Any, maps: Maps) -> Any:
    """Draw an arrow of force in each cell, over its potential if there is one; the key says how long a force is."""
    force, cells = maps.values["force"][:, :2], maps.cells
    if "potential" in maps.values:
        draw_map(axes, maps, "potential")
    else:
        _frame(axes, cells)
    strongest = float(np.linalg.norm(force, axis=1).max(initial=0.0)) or 1.0
    arrows = axes.quiver(
        *cells.centres.T, *force.T, angles="xy", scale_units="xy", scale=strongest / (LONGEST * _apart(cells)),
        pivot="mid", width=0.006, color="white" if "potential" in maps.values else "black", edgecolor="black", linewidth=0.4,
    )  # fmt: skip
    shown = _round(strongest)
    axes.quiverkey(
        arrows, 0.82, 1.03, shown, f"{shown:g} kT/µm", labelpos="E", color="black", coordinates="axes"
    )
    return axes


def draw_trajectories(axes: Any, trajectories: Trajectories, *, most: int = 500) -> Any:
    """Draw the first trajectories as lines, each in a colour."""
    from matplotlib.collections import LineCollection

    borders = np.flatnonzero(np.diff(trajectories.n)) + 1
    lines = np.split(trajectories.r[:, :2], borders)[:most]
    axes.add_collection(
        LineCollection(lines, linewidths=0.5, colors=[f"C{i % 10}" for i in range(len(lines))])
    )
    axes.autoscale()
    _finish(axes)
    return axes


def _fill(axes: Any, cells: Cells, values: Array, colours: str) -> Any:
    from matplotlib.collections import PolyCollection

    drawn = PolyCollection(cells.outlines, array=values, cmap=colours, edgecolors="face", linewidths=0.3)
    return axes.add_collection(drawn)


def _apart(cells: Cells) -> float:
    if not len(cells.pairs):
        return 1.0
    i, j = cells.pairs.T
    return float(np.median(np.linalg.norm(cells.centres[i] - cells.centres[j], axis=1)))


def _frame(axes: Any, cells: Cells) -> Any:
    corners = np.concatenate([each for each in cells.outlines if len(each)])
    low, high = corners.min(axis=0), corners.max(axis=0)
    room = 0.02 * (high - low).max()
    axes.set(xlim=(low[0] - room, high[0] + room), ylim=(low[1] - room, high[1] + room))
    _finish(axes)
    return axes


def _finish(axes: Any) -> None:
    """Make the picture one of a place: equal axes, and a scale bar below it in place of numbers."""
    from matplotlib.transforms import blended_transform_factory

    axes.set_aspect("equal")
    axes.set(xticks=[], yticks=[])
    low, high = axes.get_xlim()
    length = _round((high - low) / 4)
    place = blended_transform_factory(axes.transData, axes.transAxes)
    axes.plot(
        [low, low + length], [-0.03, -0.03], "k", lw=3, transform=place, clip_on=False, solid_capstyle="butt"
    )
    axes.text(low + length / 2, -0.05, f"{length:g} µm", transform=place, ha="center", va="top", fontsize=9)
    axes.set_xlim(low, high)


def _round(value: float) -> float:
    """Give the largest of 1, 2, 5, times a power of ten, that is not above a value."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(each for each in BARS if each * power <= value * (1 + 1e-9)) * power)

"""The pictures of a campaign: a region beside its truth, and all regions of a source in their places."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from penstock.workflows.reports.figure import DPI, entitle
from penstock.workflows.tracking.mapped import Mapped
from penstock.workflows.tracking.pictures import COLOURS, draw_cells, draw_force, draw_map, draw_values

SIDE = 4.2  # inches, of a panel


def write_region_picture(path: Path, mapped: Mapped, title: str) -> None:
    """Write the cells of a region over its points, and its maps; below these what it was made of, if that is known."""
    names = [name for name in mapped.maps.values if name != "force" or "potential" not in mapped.maps.values]
    rows, columns = 1 + (mapped.truth is not None), 1 + len(names)
    figure = _figure(columns, rows, layout="none")  # which takes half of the time of one that is found
    axes = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=0.15 / columns,
        right=1 - 0.14 / columns,
        bottom=0.12 / rows,
        top=1 - 0.09 / rows,
        wspace=0.2,
        hspace=0.22,
    )
    draw_cells(axes[0, 0], mapped.maps.cells, mapped.steps)
    entitle(axes[0, 0], f"{title}: {len(mapped.steps):,} steps, {len(mapped.maps.cells)} cells")
    for place, name in enumerate(names, 1):
        _draw_found(axes[0, place], mapped, name)
    if mapped.truth is not None:
        _draw_scatter(axes[1, 0], mapped, names[-1])
        for place, name in enumerate(names, 1):
            _draw_truth(axes[1, place], axes[0, place], mapped, name)
    _save(figure, path)


def _draw_found(axes: Any, mapped: Mapped, name: str) -> None:
    if name in ("potential", "force"):
        draw_force(axes, mapped.maps)
    else:
        draw_map(axes, mapped.maps, name)
    entitle(axes, f"{name}, found")


def _truth_of(mapped: Mapped, name: str) -> Any:
    """Give the true value of each cell at its centre; None of what has no truth here."""
    centres = mapped.maps.cells.centres[:, :2]
    known = {"diffusivity": mapped.truth.d, "potential": mapped.truth.v} if mapped.truth else {}
    return known[name](centres) if name in known else None


def _draw_truth(axes: Any, beside: Any, mapped: Mapped, name: str) -> None:
    values = _truth_of(mapped, name)
    if values is None:
        axes.set_axis_off()
        return
    limits = beside.collections[0].get_clim()
    draw_values(axes, mapped.maps.cells, values, name, limits=limits)
    entitle(axes, f"{name}, truth")


def _draw_scatter(axes: Any, mapped: Mapped, name: str) -> None:
    """Draw what was found over what is true, cell by cell; V moved so that its mean over steps is that of the truth."""
    name = name if _truth_of(mapped, name) is not None else "diffusivity"
    truth, found = _truth_of(mapped, name), mapped.maps.values[name]
    if name == "potential":
        found = found - np.average(found - truth, weights=mapped.maps.counts)
    errors = mapped.maps.errors.get(name)
    axes.errorbar(truth, found, yerr=errors, fmt=".", ms=4, lw=0.6, color="#1f77b4", ecolor="0.75", zorder=2)
    ends = [min(truth.min(), found.min()), max(truth.max(), found.max())]
    axes.plot(ends, ends, color="0.3", lw=0.8, zorder=1)
    unit = {"potential": "kT", "diffusivity": "µm²/s"}[name]
    axes.set(xlabel=f"{name}, truth ({unit})", ylabel=f"{name}, found ({unit})")
    entitle(axes, ", ".join(say_difference(mapped)))


def say_difference(mapped: Mapped) -> list[str]:
    """Say in words how far maps are from the truth."""
    made = mapped.compare()
    texts = {"diffusivity_bias": "D {:+.1%} on average", "potential_rms": "V {:.2f} kT rms off"}
    return [texts[name].format(value) for name, value in made.items()]


def write_source_picture(path: Path, regions: Mapping[str, Mapped], title: str) -> None:
    """Write the maps of all regions of a source, each in its place, with colours that are the same for all."""
    # a region whose cells do not touch has no potential
    with_it = {
        name: {label: each for label, each in regions.items() if name in each.maps.values}
        for name in ("diffusivity", "potential")
    }
    names = [name for name, some in with_it.items() if some]
    figure = _figure(len(names), 1, side=1.4 * SIDE)
    for place, name in enumerate(names, 1):
        axes = figure.add_subplot(1, len(names), place)
        _draw_together(axes, with_it[name], name)
        entitle(axes, f"{title}: {name}")
    _save(figure, path)


def _draw_together(axes: Any, regions: Mapping[str, Mapped], name: str) -> None:
    from matplotlib.collections import PolyCollection

    values = np.concatenate([each.maps.values[name] for each in regions.values()])
    outlines = [corners for each in regions.values() for corners in each.maps.cells.outlines]
    drawn = axes.add_collection(
        PolyCollection(outlines, array=values, cmap=COLOURS.get(name, "viridis"), edgecolors="face", linewidths=0.3)
    )  # fmt: skip
    unit = {"potential": "kT", "diffusivity": "µm²/s"}[name]
    axes.figure.colorbar(drawn, ax=axes, label=f"{name} ({unit})", shrink=0.85)
    for label, each in regions.items():
        corners = np.concatenate(each.maps.cells.outlines)
        place = corners[:, 0].min(), corners[:, 1].max()
        axes.annotate(label, place, xytext=(0, 3), textcoords="offset points", fontsize=8)
    axes.autoscale()
    axes.set(aspect="equal", xlabel="x (µm)", ylabel="y (µm)")


def _figure(columns: int, rows: int, side: float = SIDE, layout: Any = "constrained") -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(1.15 * side * columns, side * rows), layout=layout, dpi=DPI)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, format="png")

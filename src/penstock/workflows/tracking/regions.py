"""Regions of interest: boxes with names, given by hand or in a text file beside the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DefinitionError
from penstock.workflows.tracking.faults import Unreadable
from penstock.workflows.tracking.table import Table, read_table

JOINTS = ("-", "_")  # between the name of a file and the label of its regions
LABEL = "roi"
FAR = 1e6  # µm: no field of a microscope is so large
BOUNDS = ("x min", "x max", "y min", "y max", "z min", "z max", "t min", "t max")


@dataclass(frozen=True)
class Region:
    """A closed box: `low` and `high` on each axis (µm), perhaps `times` (s, both ends belong to it).

    `fault` says why it cannot be mapped: it fails alone. A support has `parts`: of its box only what is in one of them.
    """

    name: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    times: tuple[float, float] | None = None
    label: str = ""
    fault: str | None = None
    parts: tuple[Region, ...] = ()

    @property
    def box(self) -> NDArray[np.float64]:
        return np.array([self.low, self.high])

    def contains(self, r: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say which positions are in it; axes that it does not bound are free."""
        if self.parts:
            return np.any([part.contains(r, t) for part in self.parts], axis=0)
        bounded = r[:, : len(self.low)]
        inside = np.all((bounded >= self.low) & (bounded <= self.high), axis=1)
        return inside if self.times is None else inside & (t >= self.times[0]) & (t <= self.times[1])


def make_region(number: int, bounds: Mapping[str, float], label: str = "") -> Region:
    """Make a region of `x min`, `x max` … (µm) and perhaps `t min`, `t max` (s); a box without content gets a fault."""
    axes = [axis for axis in "xyz" if f"{axis} min" in bounds]
    low, high = (tuple(float(bounds[f"{axis} {end}"]) for axis in axes) for end in ("min", "max"))
    times = (float(bounds["t min"]), float(bounds["t max"])) if "t min" in bounds else None
    ends = [*zip(axes, low, high, strict=True), *([("t", *times)] if times else [])]
    faults = [
        f"{axis} min {a:g} is not below {axis} max {b:g}"
        for axis, a, b in ends
        if not (a < b or (axis == "t" and a == b))
    ]
    faults += [
        f"{axis} goes from {a:g} to {b:g} µm" for axis, a, b in ends if axis != "t" and not b - a < FAR
    ]
    return Region(f"roi{number:03d}", low, high, times, label, faults[0] if faults else None)


def boxes(bounds: Sequence[Sequence[float]], label: str = "") -> list[Region]:
    """Make regions of (x min, x max, y min, y max), in µm."""
    return [make_region(i, dict(zip(BOUNDS, each, strict=False)), label) for i, each in enumerate(bounds)]


def squares_around(centres: Sequence[Sequence[float]], side: float, label: str = "") -> list[Region]:
    """Make square regions of a side (µm) around centres (µm)."""
    return [make_region(i, _around(centre, side), label) for i, centre in enumerate(centres)]


def _around(centre: Sequence[float], side: float) -> dict[str, float]:
    if not side > 0:
        raise DefinitionError(f"regions of side {side:g} µm are empty; give a positive side")
    ends = {"min": -side / 2, "max": side / 2}
    return {
        f"{axis} {end}": at + d for axis, at in zip("xyz", centre, strict=False) for end, d in ends.items()
    }


def whole(box: NDArray[np.float64], name: str = "roi000") -> Region:
    """Make a region of a whole file, from the box of its points."""
    return Region(name, tuple(map(float, box[0])), tuple(map(float, box[1])))


def find_regions_file(path: Path, label: str = LABEL) -> Path | None:
    """Give the file of regions beside the data, `X.rpt-roi.txt` or `X.rpt_roi.txt` of `X.rpt.txt`; None if there is none."""
    beside = [path.with_name(f"{path.stem}{joint}{label}.txt") for joint in JOINTS]
    return next((each for each in beside if each.exists()), None)


def read_regions(path: Path, label: str = "", *, side: float | None = None) -> list[Region]:
    """Read a file of regions: `x min x max y min y max [t min t max]`, or `x y` around which squares of `side` (µm) lie."""
    table = read_table(path)
    names = [" ".join(name.lower().replace("_", " ").split()) for name in table.names]
    if not names:
        return boxes(_numbers(path, table, 4), label)
    if "x min" not in names:
        return _centred(path, table, names, label, side)
    wanted = [name for name in BOUNDS if name in names]
    absent = [end for name in wanted for end in (f"{name[0]} min", f"{name[0]} max") if end not in names]
    if absent or "y min" not in names:
        raise Unreadable(
            f"{path} has no column {(absent or ['y min'])[0]!r}; its header has {', '.join(table.names)}"
        )
    rows = table.read([names.index(name) for name in wanted])
    return [make_region(i, dict(zip(wanted, row, strict=True)), label) for i, row in enumerate(rows)]


def _numbers(path: Path, table: Table, least: int) -> NDArray[np.float64]:
    try:
        return table.read(range(least))
    except Unreadable as error:
        raise Unreadable(
            f"{error}; a file of regions has x min, x max, y min, y max, separated by tabs"
        ) from None


def _centred(path: Path, table: Table, names: list[str], label: str, side: float | None) -> list[Region]:
    if not {"x", "y"} <= set(names):
        raise Unreadable(
            f"{path} has neither `x min` … nor `x` and `y` in its header: {', '.join(table.names)}"
        )
    sized = next((name for name in ("side", "size") if name in names), None)
    if sized is None and side is None:
        raise DefinitionError("the regions are centres; give the side of their squares, in µm", file=path)
    places = [names.index(name) for name in ("x", "y", *([sized] if sized else []))]
    return [
        make_region(i, _around(row[:2], float(row[2]) if sized else side or 0.0), label)
        for i, row in enumerate(table.read(places))
    ]


def share_supports(regions: Sequence[Region]) -> list[Region]:
    """Let regions whose boxes overlap in space be one support each, in the least box that holds them; others stay.

    A support is called by its first region and how many others it has, as in `roi000+2`.
    """
    whole = [each for each in regions if each.fault is None]
    group = [*range(len(whole))]
    for i, one in enumerate(whole):
        for j in range(i):
            if _overlap(one, whole[j]) and group[i] != group[j]:
                old, new = max(group[i], group[j]), min(group[i], group[j])
                group = [new if each == old else each for each in group]
    parts = [
        [each for each, mine in zip(whole, group, strict=True) if mine == one] for one in dict.fromkeys(group)
    ]
    return [*map(_support, parts), *(each for each in regions if each.fault)]


def _support(parts: Sequence[Region]) -> Region:
    first, *others = parts
    if not others:
        return first
    low = np.min([each.low for each in parts], axis=0)
    high = np.max([each.high for each in parts], axis=0)
    name = f"{first.name}+{len(others)}"
    return Region(
        name, tuple(map(float, low)), tuple(map(float, high)), label=first.label, parts=tuple(parts)
    )


def _overlap(one: Region, other: Region) -> bool:
    return all(a < d and c < b for a, b, c, d in zip(one.low, one.high, other.low, other.high, strict=True))

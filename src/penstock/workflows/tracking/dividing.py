"""From the steps of a source to the cells of its regions; what is wrong with one region costs no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from penstock.errors import DefinitionError
from penstock.workflows.tracking.cells import Sampling
from penstock.workflows.tracking.faults import Empty, Unreadable
from penstock.workflows.tracking.regions import LABEL, Region, find_regions_file, read_regions, whole
from penstock.workflows.tracking.tessellation import Tessellation, slide, tessellate
from penstock.workflows.tracking.trajectories import Trajectories
from penstock.workflows.tracking.translocations import Translocations, within

#: what numerical libraries raise of data that they cannot cope with (Qhull, singular matrices)
NUMERICAL = (ArithmeticError, LookupError, RuntimeError, ValueError)


@dataclass(frozen=True)
class Divided:
    """Regions by name: their cells and steps, or why they have no cells; `counts` are the steps of each."""

    made: Mapping[str, tuple[Sampling, Translocations]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self.made, *self.failed}))


@dataclass(frozen=True, slots=True)
class Windows:
    """Each region is divided in time, too: `duration` s, each `shift` s after the last."""

    duration: float
    shift: float


def regions_of(
    path: Path, seen: Trajectories, *, side: float | None = None, labels: Sequence[str] = (LABEL,)
) -> list[Region]:
    """Give the regions in the files beside one, of squares of `side` (µm) if they have centres; else the whole of it.

    A label is in the names of file and regions: `X-nuclei.txt` has `nuclei000`, `nuclei001`…. Raises Unreadable, and
    DefinitionError for a side that has to be given.
    """
    files = {label: file for label in labels if (file := find_regions_file(path, label))}
    found: list[Region] = []
    for label, file in files.items():
        some = read_regions(file, label, side=side)
        if not some:
            raise Unreadable(f"{file} has no region; add one a line, or remove the file")
        found += [replace(each, name=each.name.replace(LABEL, label, 1)) for each in some]
    return found or [whole(seen.box())]


def divide(
    steps: Translocations,
    regions: Sequence[Region],
    how: Tessellation | None = None,
    windows: Windows | None = None,
) -> Divided:
    """Tessellate each region by itself, and each window of it. Raises DefinitionError for what no region can be divided by."""
    made: dict[str, tuple[Sampling, Translocations]] = {}
    failed: dict[str, str] = {}
    counts: dict[str, int] = {}
    for region in regions:
        try:
            pieces = [*_pieces(within(steps, region), region.name, windows)]
        except Empty as error:
            failed[region.name], counts[region.name] = str(error), 0
            continue
        for name, inside in pieces:
            counts[name] = len(inside)
            try:
                made[name] = tessellate(inside, region.box, how), inside
            except Empty as error:
                failed[name] = str(error)
            except DefinitionError:
                raise
            except NUMERICAL as error:
                failed[name] = (
                    f"it cannot be divided into cells: {type(error).__name__}: {_first_line(error)}"
                )
    return Divided(made, failed, counts)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]


def _pieces(
    inside: Translocations, name: str, windows: Windows | None
) -> Iterator[tuple[str, Translocations]]:
    if windows is None:
        yield name, inside
        return
    for number, (_, _, chosen) in enumerate(slide(inside.t, windows.duration, windows.shift)):
        yield f"{name}-t{number:03d}", inside.select(chosen)

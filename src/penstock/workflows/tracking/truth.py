"""What made-up trajectories were made of: kept beside their file, so that maps can be compared with it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DefinitionError
from penstock.workflows.tracking.faults import Unreadable
from penstock.workflows.tracking.regions import BOUNDS, Region
from penstock.workflows.tracking.simulator import Field, Medium, make_wells, simulate
from penstock.workflows.tracking.trajectories import Trajectories

Array = NDArray[np.float64]
Spot = tuple[float, float, float, float]  # x, y, width (µm), and how much


@dataclass(frozen=True, slots=True)
class Truth:
    """A world in a box (µm): D (µm²/s), changed around spots, wells of V (kT), and how it is seen (s, µm).

    >>> float(Truth(0.1, patches=((0.0, 0.0, 0.3, -0.05),)).d(np.zeros((1, 2)))[0])
    0.05
    """

    diffusivity: float = 0.1
    wells: tuple[Spot, ...] = ()
    patches: tuple[Spot, ...] = ()
    box: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 0.0), (2.0, 2.0))
    convention: str = "ito"
    dt: float = 0.015
    sigma: float = 0.02
    exposure: float = 0.0

    @property
    def medium(self) -> Medium:
        """Give the world without its camera."""
        potential: Field = make_wells(*self.wells) if self.wells else 0.0
        return Medium(self.d if self.patches else self.diffusivity, potential, self.box, self.convention)

    def d(self, r: Array) -> Array:
        """Give D at positions, in µm²/s."""
        if not self.patches:
            return np.full(len(r), self.diffusivity)
        return self.diffusivity - make_wells(*self.patches)(r)

    def v(self, r: Array) -> Array:
        """Give V at positions as `infer` would, by Ito's convention and from its least, in kT."""
        made = self.medium.v(r) - (np.log(self.d(r)) if self.convention == "isothermal" else 0.0)
        return made - made.min()

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(self.text, encoding="utf-8")

    @property
    def text(self) -> str:
        """Give it as JSON."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def parse(cls, text: str, where: object = "the truth") -> Truth:
        """Read it from JSON. Raises Unreadable, which names `where`."""
        try:
            told = json.loads(text)
            made = cls(**{name: _tupled(value) for name, value in told.items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise Unreadable(f"{where} does not say what trajectories were made of: {error}") from None
        return made


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def truth_beside(path: Path) -> Path:
    """Give where the truth of a file of trajectories is, if it was made up.

    >>> truth_beside(Path("data/a.rpt.txt")).name
    'a.rpt-truth.json'
    """
    return path.with_name(f"{path.stem}-truth.json")


def write_file(
    path: Path,
    truth: Truth,
    trajectories: int,
    *,
    length: int = 20,
    seed: int = 0,
    regions: Iterable[Region] = (),
) -> Trajectories:
    """Make trajectories up, and write them as `n x y t`, with their regions and their truth beside. Raises DefinitionError."""
    _check(truth)
    seen = simulate(
        truth.medium, trajectories, length=length, dt=truth.dt, sigma=truth.sigma, exposure=truth.exposure, seed=seed
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.column_stack([seen.n, seen.r, seen.t])
    np.savetxt(path, rows, fmt=["%d", "%.5f", "%.5f", "%.12g"], delimiter="\t")
    truth.write(truth_beside(path))
    if boxes := [*regions]:
        write_regions(path.with_name(f"{path.stem}-roi.txt"), boxes)
    return seen


def _check(truth: Truth) -> None:
    low, high = np.array(truth.box)
    if not (low < high).all():
        raise DefinitionError(f"the box {truth.box} is empty; give the low corner first, in µm")
    axes = [np.linspace(a, b, 101) for a, b in zip(low, high, strict=True)]
    least = truth.d(np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)).min()
    if least <= 0:
        raise DefinitionError(f"D falls to {least:.3g} µm²/s at a patch; make its change smaller")


def write_regions(path: Path, regions: Iterable[Region]) -> None:
    """Write boxes as a file of regions: tabs, and a header of `x min`, `x max` …, in µm."""
    rows = [[end for ends in zip(each.low, each.high, strict=True) for end in ends] for each in regions]
    lines = ["\t".join(BOUNDS[: len(rows[0])]), *("\t".join(f"{end:g}" for end in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def vary(truth: Truth, number: int) -> Truth:
    """Give the world of another file: its wells are a tenth deeper with each number, in the same places."""
    deeper = 1 + 0.1 * number
    return replace(truth, wells=tuple((x, y, width, deeper * depth) for x, y, width, depth in truth.wells))


def read_truth(path: Path) -> Truth | None:
    """Read the truth beside a file of trajectories; None if there is none."""
    place = truth_beside(path)
    return Truth.parse(place.read_text("utf-8"), place) if place.exists() else None

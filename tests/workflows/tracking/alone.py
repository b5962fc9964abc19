"""Maps that this process makes alone, to hold those of campaigns against."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from penstock.workflows.tracking import demo
from penstock.workflows.tracking.dividing import divide
from penstock.workflows.tracking.inference import infer
from penstock.workflows.tracking.mapped import Mapped, load
from penstock.workflows.tracking.products import collect
from penstock.workflows.tracking.reading import read_trajectories
from penstock.workflows.tracking.regions import Region, find_regions_file, read_regions
from penstock.workflows.tracking.settings import read_settings
from penstock.workflows.tracking.tessellation import Tessellation
from penstock.workflows.tracking.translocations import find_translocations

SOURCE = "cell-01"


def set_up(root: Path, name: str, site: str) -> None:
    """Make a campaign of two regions of the demonstration, with few particles, that are mapped at a site."""
    demo.set_up(root, lambda _: None, 250)
    for path in (root / "data").glob("cell-02*"):
        path.unlink()
    regions = root / f"data/{SOURCE}.rpt-roi.txt"
    regions.write_text("\n".join(regions.read_text().splitlines()[:3]) + "\n")  # two of them
    definition = root / "penstock.toml"
    text = definition.read_text().replace('settle = "1s"', 'settle = "0s"')
    text, _, _ = text.partition("[stage.page]")
    there = rf'\g<0>\nsite = "{name}"\nbatch_wait = "0s"\nresources = {{ memory = "400MB" }}'
    definition.write_text(re.sub(r"(?m)^\[stage\.(tessellate|infer)\]$", there, text) + site)


def map_alone(path: Path, *, backwards: bool = False) -> dict[str, Mapped]:
    """Map the regions of a file of the demonstration, perhaps from the last to the first."""
    steps = find_translocations(read_trajectories(path))
    regions: Sequence[Region] = read_regions(find_regions_file(path) or path)
    how = Tessellation("hexagons", resolution=demo.RESOLUTION)
    made = divide(steps, regions[::-1] if backwards else regions, how).made
    settings = read_settings(demo.INFER)
    return {name: Mapped(name, infer(*each, settings), *each) for name, each in made.items()}


def assert_same(made: Mapping[str, Mapped], others: Mapping[str, Mapped]) -> None:
    """Hold that values and errors are the same within 1e-9."""
    assert made.keys() == others.keys()
    for name, each in others.items():
        for what, values in each.maps.values.items():
            assert np.abs(values - made[name].maps.values[what]).max() <= 1e-9
            assert np.abs(each.maps.errors[what] - made[name].maps.errors[what]).max() <= 1e-9


def assert_as_alone(root: Path) -> None:
    """Hold that the campaign of `set_up` made the maps that this process makes."""
    assert_same(load(root / f"maps/{SOURCE}.maps.h5"), map_alone(root / f"data/{SOURCE}.rpt.txt"))


if __name__ == "__main__":  # python -m tests.workflows.tracking.alone FILE PRODUCT
    found = map_alone(Path(sys.argv[1]))
    collect(
        Path(sys.argv[2]), {name: (each.maps, each.sampling, each.steps) for name, each in found.items()}, {}
    )

"""The demonstration: made-up particles in wells, mapped, and compared with what they were made of."""

from __future__ import annotations

import shlex
from pathlib import Path

from penstock.workflows.setup import demo
from penstock.workflows.setup.campaign import run_penstock
from penstock.workflows.setup.demo import Say
from penstock.workflows.tracking.definition import Shape
from penstock.workflows.tracking.init import find_files, write_campaign
from penstock.workflows.tracking.regions import squares_around
from penstock.workflows.tracking.truth import Truth, vary, write_file

SIDE = 1.6  # µm, of a region
CENTRES = ((1.0, 1.0), (3.0, 1.0), (1.0, 3.0), (3.0, 3.0))
OUTSIDE = (9.0, 9.0)  # a region in which there is nothing
TRUTH = Truth(
    diffusivity=0.1,
    wells=((1.0, 1.0, 0.35, 2.0), (3.0, 1.0, 0.4, 1.5), (0.75, 3.0, 0.3, 1.5), (1.35, 3.15, 0.3, 2.0), (3.0, 3.0, 0.3, 2.5)),
    patches=((3.4, 3.3, 0.4, -0.05), (3.3, 0.6, 0.4, 0.08)),
    box=((0.0, 0.0), (4.0, 4.0)),
    dt=0.02,
    sigma=0.015,
    exposure=0.01,
)  # fmt: skip
TRAJECTORIES = 8000  # with 3,000 V is 0.4 kT off, for want of data
RESOLUTION = 0.25  # µm
INFER = {
    "sigma": TRUTH.sigma, "exposure": TRUTH.exposure, "mode": "dv", "diffusivity_prior": 20.0, "potential_prior": 2.0,
    "origins": "corrected",
}  # fmt: skip
SHOWN = (
    f"--sigma {TRUTH.sigma:g} --exposure {TRUTH.exposure:g} --diffusivity-prior 20 --potential-prior 2 --origins corrected"
    f" --resolution {RESOLUTION:g} --settle 1s"
)


def run_demo(
    folder: Path, say: Say, scheduler: str | None = None, *, trajectories: int = TRAJECTORIES
) -> None:
    """Make trajectories up in `folder`, map them, list the maps and say where to look. Raises PenstockError."""
    demo.run_demo(folder, lambda: set_up(folder, say, trajectories), say=say, scheduler=scheduler)
    say("\nroi004 of cell-02 lies outside of the field: it fails alone, the others have their maps")
    say("\n$ penstock tracking maps")
    run_penstock(folder, "tracking", "maps")
    say(f"\nand at {folder}/maps/*.maps.h5, {folder}/maps/*.maps.csv")


def set_up(folder: Path, say: Say, trajectories: int) -> None:
    """Write two files of trajectories, with their regions, and the definition."""
    data = folder / "data"
    say(f"making up {trajectories:,} trajectories in each of two files of {data}")
    for number in (1, 2):
        centres = [*CENTRES, *([OUTSIDE] if number == 2 else [])]
        regions, path = squares_around(centres, SIDE), data / f"cell-{number:02d}.rpt.txt"
        write_file(path, vary(TRUTH, number - 1), trajectories, seed=number, regions=regions)
    words = ["--data", f"{data}/*.rpt.txt", *SHOWN.split()]
    say(f"\n$ penstock init tracking {shlex.join([str(folder), *words])}")
    shape = Shape({"kind": "hexagons", "resolution": RESOLUTION}, INFER, settle="1s")
    write_campaign(folder, find_files(f"{data}/*.rpt.txt"), shape)

"""`python -m bench.telescope_cluster`: when a night of a telescope was said to be closed on a real Slurm, and when it was.

Brings a Slurm of its own up on this machine (as root, from Debian's packages; see tests/cluster) with as many CPUs as the
machine has: its jobs really work. A small made-up night is processed there; another one with more subruns is predicted
from its record, as `penstock simulate --from` does, and then processed until it is sealed.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.base import ROOT
from tests.cluster.slurm import Slurm

from bench.simulating import COURSES, TARGET, drive
from bench.table import render
from penstock import config
from penstock.simulation import Shape, simulate
from penstock.workflows.telescope.demo import make_night

CPUS = os.cpu_count() or 1
EVENTS = {"DRS4": 200, "PEDCALIB": 200, "DATA": 200}
SITE = f"""
[site.slurm]
scheduler = "slurm"
python = "{sys.executable}"
visibility = "2s"
"""


def main() -> None:
    """Print what was predicted and measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--earlier", type=int, default=6, help="Subruns of each of the two runs before.")
    parser.add_argument("--subruns", type=int, default=24, help="Those of each that is predicted.")
    chosen = parser.parse_args()
    slurm = Slurm(ROOT / "bench", node_count=1, cpus=CPUS)
    slurm.down(wipe=True)
    slurm.up()
    try:
        with tempfile.TemporaryDirectory(prefix="penstock-bench-") as scratch:
            print("\n".join(beside_real(Path(scratch), slurm, chosen.earlier, chosen.subruns)))
    finally:
        slurm.down(wipe=True)


def beside_real(scratch: Path, slurm: Slurm, few: int, many: int) -> Iterator[str]:
    """Yield the lines that compare a prediction with what happened."""
    yield f"A night of 2 runs of {many} subruns of {EVENTS['DATA']} events on a real Slurm of {CPUS} CPUs, from R0 to its seal:"
    yield f"predicted ({COURSES} courses) from the record of a night of 2 runs of {few} subruns."
    earlier = night(scratch / "earlier", few)
    drive(earlier, slurm)
    shape = Shape(1, CPUS, spread=0.0)
    folder = night(scratch / "night", many)
    [forecast] = simulate(config.load(folder), shape, courses=COURSES, earlier=earlier)
    predicted, measured = forecast.finish_s(0.5), drive(folder, slurm)
    yield f"Of jobs there, {forecast.shape}."
    yield ""
    ratio = f"{predicted / measured:.2f}"
    yield from render(
        [
            ("predicted s", "measured s", "ratio", "target"),
            (f"{predicted:.1f}", f"{measured:.1f}", ratio, f"1 ± {TARGET:g}"),
        ]
    )


def night(folder: Path, subruns: int) -> Path:
    """Make up a night, with a subrun of raw events an element."""
    runs = ((1804, 1, "DRS4"), (1805, 1, "PEDCALIB"), (1807, subruns, "DATA"), (1808, subruns, "DATA"))
    make_night(folder, runs, events=EVENTS, trained_on=300)
    definition = folder / "penstock.toml"
    asked = r'\g<0>\nbatch_wait = "0s"\nresources = { memory = "400MB" }'
    text = re.sub(r'(?m)^each = "(sub)?run"$', asked, definition.read_text("utf-8"))
    text = text.replace("[stage.r0_to_dl1]", "[stage.r0_to_dl1]\nbatch = 1")
    text = text.replace("[campaign]\n", '[campaign]\nsite = "slurm"\n')
    definition.write_text(text + SITE, encoding="utf-8")
    return folder


if __name__ == "__main__":
    main()

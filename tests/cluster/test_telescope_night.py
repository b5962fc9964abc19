"""A made-up night of a telescope on a real Slurm, from raw events to its seal, with what goes wrong in a night."""

from __future__ import annotations

import json
import re
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import h5py
import pytest
from tests.cluster.lab import Lab
from tests.cluster.slurm import Slurm
from tests.until import until

from penstock.workflows.telescope.demo import make_night

RUNS = ((1804, 1, "DRS4"), (1805, 1, "PEDCALIB"), (1807, 3, "DATA"), (1808, 3, "DATA"))
EVENTS = {"DRS4": 100, "PEDCALIB": 100, "DATA": 50}
DAMAGED = (1807, 2)
AT_ONCE = 'batch_wait = "0s"\nresources = { memory = "400MB" }'


def raw(root: Path, run: int, subrun: int) -> Path:
    return root / f"R0/20200117/R0.Run{run:05d}.{subrun:04d}.h5"


@pytest.fixture
def night(slurm: Slurm, tmp_path: Path) -> Lab:
    root = tmp_path / "lst1"
    make_night(root, RUNS, events=EVENTS, trained_on=300)
    lab = Lab(root, slurm, "slurm")
    definition = root / "penstock.toml"
    text = re.sub(r'(?m)^each = "(sub)?run"$', rf"\g<0>\n{AT_ONCE}", definition.read_text())
    text = text.replace("[stage.r0_to_dl1]", "[stage.r0_to_dl1]\nbatch = 1")
    definition.write_text(text + lab.site())
    return lab


OF_STAGE = (
    "FROM attempt a JOIN stage s ON s.id = a.stage JOIN unit u ON u.id = a.unit JOIN job j ON j.id = a.job"
    " WHERE s.name = ?"
)


def jobs(lab: Lab, stage: str) -> list[list[list[object]]]:
    """Return the units that each job of a stage had, in the order of the jobs."""
    rows = lab.rows(f"SELECT a.job, u.key {OF_STAGE} ORDER BY a.job, u.key", stage)
    return [[json.loads(key) for _, key in some] for _, some in groupby(rows, key=itemgetter(0))]


def test_a_night_waits_for_its_calibration_and_only_the_failed_element_goes_out_again(night: Lab) -> None:
    root = night.root
    pedcal, damaged = raw(root, 1805, 0), raw(root, *DAMAGED)
    whole = {path: path.read_bytes() for path in (pedcal, damaged)}
    for path in whole:
        path.write_bytes(whole[path][:5000])

    # the job of the calibration ended well, its product is not there
    assert night.run("run", "--site", "slurm") == 1, night.said()
    [(native,)] = night.rows(f"SELECT j.native {OF_STAGE}", "charge_calibration")
    asked = ("sacct", "-n", "-X", "-o", "State", "-j", native)
    until(
        lambda: night.cluster.run(*asked, user="root").stdout.split() == ["COMPLETED"],
        "the job is accounted",
        20,
    )
    assert jobs(night, "r0_to_dl1") == []

    pedcal.write_bytes(whole[pedcal])
    assert night.run("retry", "2020-01-17/1805") == 0
    assert night.run("run", "--site", "slurm") == 1, night.said()
    arrays = [[["2020-01-17", run, subrun] for subrun in range(3)] for run in (1807, 1808)]
    assert sorted(jobs(night, "r0_to_dl1")) == arrays
    [(made,)] = night.rows(f"SELECT max(a.ended) {OF_STAGE}", "charge_calibration")
    [(begun,)] = night.rows(f"SELECT min(a.began) {OF_STAGE}", "r0_to_dl1")
    assert made < begun
    sealed = [
        unit["unit"] for unit in night.ask("units", "--stage", "close.run.seal") if unit["state"] == "done"
    ]
    assert sealed == ["2020-01-17/1804", "2020-01-17/1805", "2020-01-17/1808"]

    damaged.write_bytes(whole[damaged])
    assert night.run("retry", "2020-01-17/1807") == 0
    assert night.run("run", "--site", "slurm") == 0, night.said()
    *first, again = jobs(night, "r0_to_dl1")
    assert (sorted(first), again) == (arrays, [["2020-01-17", *DAMAGED]])
    seal = json.loads((root / "closed/2020-01-17/NightFinished.json").read_text())
    assert seal["left_out"] == []
    for name, parts in (("dl1/20200117/standard", "dl1"), ("dl2/20200117/standard/standard", "dl2")):
        for run in (1807, 1808):
            members = sorted((root / name).glob(f"{parts}.Run{run:05d}.*.h5"))
            merged = root / f"{name}/runs/{parts}.Run{run:05d}.h5"
            assert len(members) == 3
            assert events_of(merged) == sum(map(events_of, members)) > 0


def events_of(path: Path) -> int:
    with h5py.File(path) as file:
        return file["events"].shape[0]

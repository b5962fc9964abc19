"""A campaign of nights with the programs of lstchain, for which a stub stands in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.workflows.telescope.observatory import CATALOGUE, EVENING, SUMMARY, ecsv
from tests.workflows.telescope.stub import OPTIONS

from penstock.workflows.telescope.definition import Shape
from penstock.workflows.telescope.init import write_campaign

#: a night as small as one can be: run, subruns, type
SMALL = ((1804, 1, "DRS4"), (1805, 1, "PEDCALIB"), (1807, 2, "DATA"), (1808, 1, "DATA"))
SMALL_SOURCES = ((1807, "Mrk 421", 83.5, 22.1), (1808, "A, B", 115.4, 44.0))


class Site:
    """A campaign with the profile lstchain, and its data."""

    def __init__(self, folder: Path, **shape: Any) -> None:
        self.root, self.data = folder / "lst1", folder / "data"
        self.programs = folder / "bin"
        self.programs.mkdir(parents=True)
        text = Path(__file__).with_name("stub.py").read_text("utf-8")
        for name in OPTIONS:
            program = self.programs / name
            program.write_text(f"#!{sys.executable} -SE\n{text}")
            program.chmod(0o755)
        left_out = {"gain_selection": False, "pedestal_ids": False}
        write_campaign(
            self.root, Shape("lstchain", **{**left_out, **shape}), data=str(self.data),
            cleaning=("tailcut84", "tailcut84.json"), model=("nsb_0.14", "models/nsb_0.14"),
        )  # fmt: skip
        definition = self.root / "penstock.toml"
        definition.write_text(
            re.sub(r'memory = "\d+GB", ', "", definition.read_text())
        )  # the stub needs none
        (self.root / "tailcut84.json").write_text("8 4\n")
        cat = "monitoring/PixelCalibration/Cat-A"
        self.write(f"{cat}/drs4_time_sampling_from_FF/20191124/pro/time_calibration.Run01625.0000.h5")
        self.write(f"{cat}/ffactor_systematics/20191101/pro/ffactor_systematics_20191101.h5")

    def write(self, name: str, text: str = "") -> Path:
        path = self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def night(
        self,
        day: date = EVENING,
        runs: Iterable[tuple[int, int, str]] = SMALL,
        sources: Iterable[Iterable[object]] = SMALL_SOURCES,
    ) -> None:
        """Write the tables of a night and its raw files."""
        runs = [*runs]
        summary = ecsv(SUMMARY, [[*run, 0] for run in runs])
        self.write(f"monitoring/RunSummary/RunSummary_{day:%Y%m%d}.ecsv", summary)
        self.write(f"monitoring/RunCatalog/RunCatalog_{day:%Y%m%d}.ecsv", ecsv(CATALOGUE, sources))
        for run, subruns, _ in runs:
            for subrun in range(subruns):
                self.raw(run, subrun, f"events of {run}.{subrun}\n", day)

    def raw(self, run: int, subrun: int, text: str, day: date = EVENING) -> Path:
        return self.write(f"R0G/{day:%Y%m%d}/LST-1.1.Run{run:05d}.{subrun:04d}.fits.fz", text)

    def penstock(self, *words: str, code: int = 0) -> str:
        """Run a command in the campaign; give what it printed."""
        environment = {**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}"}
        command = [sys.executable, "-m", "penstock", *words]
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def status(self) -> dict[str, Any]:
        return json.loads(self.penstock("status", "--json"))

    def states(self) -> dict[str, str]:
        """Give the states of all tasks: `stage unit` → state."""
        units = json.loads(self.penstock("units", "--json"))
        return {f"{each['stage']} {each['unit']}": each["state"] for each in units}

    def calls(self) -> list[str]:
        return (self.root / "calls.txt").read_text().splitlines()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)

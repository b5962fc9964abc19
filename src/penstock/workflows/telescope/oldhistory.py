"""The history of sequences as text files, as lstosa keeps it, read and written line by line; and its flags.

    sequence_LST1_01809.history         the calibration
    sequence_LST1_01807.0003.history    a subrun
    sequence_LST1_01807.veto, .closed   flags of a run; a subrun may have them, too

A line is `run[.subrun] program prod_id date time input config rc`: the end of one program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

#: program → the stage that it is here
PROGRAMS = {
    "onsite_create_drs4_pedestal_file": "drs4_pedestal",
    "lstchain_create_drs4_pedestal_file": "drs4_pedestal",
    "onsite_create_calibration_file": "charge_calibration",
    "lstchain_create_calibration_file": "charge_calibration",
    "lstchain_data_r0_to_dl1": "r0_to_dl1",
    "lstchain_dl1ab": "dl1ab",
    "lstchain_check_dl1": "datacheck",
    "lstchain_dl1_to_dl2": "dl1_to_dl2",
}
#: what a sequence does, one after the other
CALIBRATION = ("drs4_pedestal", "charge_calibration")
SUBRUN = ("r0_to_dl1", "dl1ab", "datacheck", "dl1_to_dl2")
OF_PRODUCTION = "dl1ab"  # the first stage that a new production makes anew
FILE = re.compile(
    r"sequence_(?P<tel>\w+?)_(?P<run>\d{5})(\.(?P<subrun>\d{4}))?\.(?P<kind>history|veto|closed)"
).fullmatch
LINE = re.compile(
    r"(?P<run>\d+)(\.(?P<subrun>\d+))? (?P<program>\S+) (?P<production>\S+)"
    r" (?P<date>\d{4}-\d\d-\d\d \d\d:\d\d)(:\d\d)?( .*)? (?P<code>-?\d+)"
).fullmatch


class Unit(NamedTuple):
    """A run, or a subrun of it."""

    run: int
    subrun: int | None = None

    @property
    def name(self) -> str:
        return f"{self.run:05d}" if self.subrun is None else f"{self.run:05d}.{self.subrun:04d}"


class OldLine(NamedTuple):
    """What a line says."""

    unit: Unit
    program: str
    production: str
    code: int

    @property
    def stage(self) -> str | None:
        return PROGRAMS.get(self.program)


def read_line(text: str) -> OldLine | None:
    """Read a line; None if it says nothing.

    >>> read_line("01807.0003 lstchain_dl1ab tailcut84 2020-01-18 09:14 None dl1b.json 0").unit.name
    '01807.0003'
    """
    if not (found := LINE(text.strip())):
        return None
    subrun = None if found["subrun"] is None else int(found["subrun"])
    return OldLine(Unit(int(found["run"]), subrun), found["program"], found["production"], int(found["code"]))


def write_line(
    unit: Unit,
    program: str,
    production: str,
    at: datetime,
    *,
    source: str = "None",
    config: str = "None",
    code: int,
) -> str:
    """Write a line as lstosa does; `at` is written in UTC."""
    return f"{unit.name} {program} {production} {at:%Y-%m-%d %H:%M} {source} {config} {code}\n"


def find_files(folder: Path, kind: str) -> Iterator[tuple[Unit, Path]]:
    """Yield the files of a kind in a folder, with what they are about, in order."""
    for path in sorted(folder.iterdir()):
        if (found := FILE(path.name)) and found["kind"] == kind:
            yield Unit(int(found["run"]), int(found["subrun"]) if found["subrun"] else None), path


def file_name(telescope: str, unit: Unit, kind: str) -> str:
    """Name the file of a unit.

    >>> file_name("LST1", Unit(1807, 3), "history")
    'sequence_LST1_01807.0003.history'
    """
    return f"sequence_{telescope}_{unit.name}.{kind}"


def done_stages(lines: Iterable[OldLine], productions: Mapping[int, str]) -> dict[str, list[Unit]]:
    """Give what is done by these lines, which are in the order of time: stage → units.

    The last line of a program counts, so one that failed and then succeeded is done. A stage counts only where all
    before it do, and from dl1ab on only if it is of the production that its run has now (`productions`: run → name).
    """
    last = dict[tuple[Unit, str], OldLine]()
    for line in lines:
        if line.stage:
            last[line.unit, line.stage] = line
    found = dict[str, list[Unit]]()
    for unit in dict.fromkeys(unit for unit, _ in last):
        for stage in CALIBRATION if unit.subrun is None else SUBRUN:
            line = last.get((unit, stage))
            is_other = stage == OF_PRODUCTION and line and line.production != productions.get(unit.run)
            if line is None or line.code != 0 or is_other:
                break
            found.setdefault(stage, []).append(unit)
    return found

"""Moving from lstosa's histories and flags to a campaign, and back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.workflows.telescope.oldhistory import (
    CALIBRATION,
    PROGRAMS,
    SUBRUN,
    OldLine,
    Unit,
    done_stages,
    file_name,
    find_files,
    read_line,
    write_line,
)
from penstock.workflows.telescope.sequences import Plan

if TYPE_CHECKING:
    from penstock.record import AttemptRow, Record

IMPORTED = "done before, by the old history"  # why a task counts as done
KEPT = "old"  # folder of a campaign: the old files as they came, by night
FINISHED = "NightFinished.txt"
WRITTEN = ("history", "veto", "closed")
#: stage → its program, the last one that is known
PROGRAM_OF = {stage: program for program, stage in PROGRAMS.items()}


@dataclass(frozen=True, slots=True)
class Import:
    """What old files come to: units to be counted as done, by stage; vetoed units; lines that say nothing."""

    files: int
    done: Mapping[str, list[str]]
    vetoed: list[str]
    odd: list[str]

    def __str__(self) -> str:
        counted = ", ".join(f"{stage} {len(units):,}" for stage, units in self.done.items()) or "nothing"
        return f"{self.files:,} histories; to be counted as done: {counted}; vetoed: {len(self.vetoed):,}"


def plan_import(folder: Path, plan: Plan) -> Import:
    """Find what old files say about the sequences of a night."""
    lines, odd, files = list[OldLine](), list[str](), 0
    for unit, path in find_files(folder, "history"):
        files += 1
        for text in path.read_text("utf-8", errors="replace").splitlines():
            if line := read_line(text):  # which names the DRS4 run, in the history of the calibration run
                lines.append(line._replace(unit=unit))
            elif text.strip():
                odd.append(f"{path.name}: {text.strip()!r} is no line of a history")
    mine = {each.run.number: each for each in plan.sequences}
    productions = {number: str(each.fields.get("cleaning", "")) for number, each in mine.items()}
    found = done_stages((line for line in lines if line.unit.run in mine), productions)
    done = {stage: [unit_of(plan, unit, stage) for unit in units] for stage, units in found.items()}
    vetoed = [unit_of(plan, unit) for unit, _ in find_files(folder, "veto") if unit.run in mine]
    return Import(files, done, vetoed, odd)


def unit_of(plan: Plan, unit: Unit, stage: str = "") -> str:
    """Name a unit as the campaign does; a pedestal is of the DRS4 run, whose lines are in the history of the other."""
    if stage == CALIBRATION[0] and plan.calibration:
        unit = Unit(plan.calibration.drs4.number)
    parts = [plan.night.isoformat(), str(unit.run), *([] if unit.subrun is None else [str(unit.subrun)])]
    return "/".join(parts)


def keep_files(folder: Path, kept: Path) -> None:
    """Copy old histories to where a campaign keeps them; those that it has already stay."""
    kept.mkdir(parents=True, exist_ok=True)
    for _, path in find_files(folder, "history"):
        if not (kept / path.name).exists():
            shutil.copyfile(path, kept / path.name)


def export(record: Record, telescope: str, plan: Plan, target: Path, kept: Path) -> int:
    """Write histories into a folder: lines that were imported, then one for each attempt; return how many of these."""
    target.mkdir(parents=True, exist_ok=True)
    texts = dict[str, str]()
    for _, path in find_files(kept, "history") if kept.is_dir() else ():
        texts[path.name] = path.read_text("utf-8")
    chosen = {each.run.number: each.fields for each in plan.sequences}
    attempts = [each for each in record.attempts(unit=plan.night.isoformat()) if each.stage in PROGRAM_OF]
    for each in sorted(attempts, key=lambda one: one.ended):
        unit = Unit(each.key["run"], each.key.get("subrun"))
        is_pedestal = each.stage == CALIBRATION[0] and plan.calibration
        whose = Unit(plan.calibration.pedcal.number) if is_pedestal and plan.calibration else unit
        name = file_name(telescope, whose, "history")
        texts[name] = texts.get(name, "") + _line(each, unit, chosen.get(unit.run, {}))
    for name, text in texts.items():
        (target / name).write_text(text, encoding="utf-8")
    return len(attempts)


def _line(each: AttemptRow, unit: Unit, chosen: Mapping[str, object]) -> str:
    kind = "model" if each.stage == SUBRUN[-1] else "cleaning"
    of_calibration = each.stage in (*CALIBRATION, SUBRUN[0])
    production = "penstock" if of_calibration else str(chosen.get(kind) or "none")
    config = "None" if of_calibration else str(chosen.get(f"{kind}_path") or "None")
    code = 0 if each.outcome == "ok" else each.exit_code or 1
    return write_line(
        unit, PROGRAM_OF[each.stage], production, each.ended, config=Path(config).name, code=code
    )


def write_flags(record: Record, telescope: str, plan: Plan, target: Path) -> list[str]:
    """Bring the flags of a folder to what the record says, and return what they are.

    Those of other nights' runs stay; `NightFinished.txt` has the seal of the night as its report.
    """
    target.mkdir(parents=True, exist_ok=True)
    night = plan.night.isoformat()
    wanted = dict[str, str]()
    runs = {each.run.number for each in plan.sequences}
    for unit, kind in _flags(record, night):
        if unit.run in runs:
            wanted[file_name(telescope, unit, kind)] = ""
    for kind in ("veto", "closed"):
        for unit, path in [*find_files(target, kind)]:
            if unit.run in runs and path.name not in wanted:
                path.unlink()
    seals = [p for p in record.products("close.night.seal", night) if p.name == "seal"]
    if seals and _is_closed(record, night):
        wanted[FINISHED] = json.dumps(json.loads(seals[0].path.read_text("utf-8")), indent=2) + "\n"
    else:
        (target / FINISHED).unlink(missing_ok=True)
    for name, text in wanted.items():
        (target / name).write_text(text, encoding="utf-8")
    return sorted(wanted)


def _flags(record: Record, night: str) -> Iterator[tuple[Unit, str]]:
    for unit in record.units("run", "close.run.seal"):
        if unit.key[0] == night and unit.vetoed:
            yield Unit(unit.key[1]), "veto"
        elif unit.key[0] == night and unit.state == "done":
            yield Unit(unit.key[1]), "closed"
    for unit in record.units("subrun", SUBRUN[0]):
        if unit.key[0] == night and unit.vetoed:
            yield Unit(*unit.key[1:]), "veto"


def _is_closed(record: Record, night: str) -> bool:
    units = record.units("night", "close.night.seal")
    return any(unit.key[0] == night and unit.state == "done" for unit in units)

"""The runs of a campaign as its record has them, and what there is to say of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from penstock.errors import DefinitionError
from penstock.record import Record, UnitRow
from penstock.workflows.detector.experiments import LIST, instrument_of, read_list

LEVEL, SPLIT = "run", "split"
SEEN = "seen"  # no process has it, as its experiment is not controlled
INCOMPLETE = "incomplete"  # files are still to come
ARCHIVED = "archived"  # put away before it was processed
UNPROCESSED = (SEEN, INCOMPLETE, "waiting", "ready", "failed", "blocked")  # runs that somebody waits for
STATES = (*UNPROCESSED[:-2], "queued", "running", "done", "failed", "blocked", "vetoed", "gone", ARCHIVED)


class Run(NamedTuple):
    """One run and how it stands with a process; `gone` if its files are no longer there, `archived` if on purpose."""

    unit: str
    instrument: str
    experiment: str
    number: int
    state: str
    why: str | None
    stale: bool
    gone: bool
    archived: bool

    @property
    def new(self) -> bool:
        """Say whether it was never processed, and can still be."""
        return self.state in UNPROCESSED and not self.gone


@dataclass(frozen=True, slots=True)
class Counts:
    """How many runs of an instrument, an experiment, or all there are, by state."""

    name: str
    runs: int
    states: Counter[str]
    stale: int
    gone: int

    @classmethod
    def of(cls, name: str, runs: Sequence[Run]) -> Counts:
        states = Counter(run.state for run in runs)
        return cls(name, len(runs), states, sum(run.stale for run in runs), sum(run.gone for run in runs))

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "runs": self.runs, **self.states, "stale": self.stale, "gone": self.gone}


def first_process(record: Record) -> str:
    """Name the process that the definition has first: a stage of runs that does not only cut them into parts."""
    return next(stage.name for stage in record.status().stages if stage.each == LEVEL and stage.name != SPLIT)


def read_runs(record: Record, process: str, experiments: Iterable[str] = ()) -> list[Run]:
    """Read all runs, or those of some experiments, in order."""
    wanted = {*experiments}
    found = list[Run]()
    for unit in record.units(LEVEL, process):
        if wanted and unit.key[1] not in wanted:
            continue
        state = state_of(unit)
        stale = state == "done" and unit.stale is not None
        found.append(Run(unit.unit, *unit.key, state, unit.why, stale, unit.gone, unit.archived))
    if absent := wanted - {run.experiment for run in found}:
        raise DefinitionError(
            f"no run of {', '.join(sorted(absent))} is known; `penstock detector` lists experiments"
        )
    return sorted(found, key=lambda run: run[1:4])


def state_of(unit: UnitRow) -> str:
    """Say how a run stands with a process."""
    if unit.archived and unit.state != "done":
        return ARCHIVED
    if unit.state == "waiting" and (unit.why or "").startswith("not complete"):
        return INCOMPLETE
    return unit.state or ("vetoed" if unit.vetoed else SEEN)


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    >>> counted(1, "run"), counted(2000, "run")
    ('1 run', '2,000 runs')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def by_experiment(runs: Sequence[Run]) -> Iterator[Counts]:
    """Count the runs of each experiment."""
    for (instrument, experiment), some in groupby(runs, attrgetter("instrument", "experiment")):
        yield Counts.of(f"{instrument}/{experiment}", list(some))


def by_instrument(runs: Sequence[Run]) -> Iterator[Counts]:
    """Count the runs of each instrument."""
    for instrument, some in groupby(runs, attrgetter("instrument")):
        yield Counts.of(instrument, list(some))


def without_data(root: Path, runs: Sequence[Run]) -> list[str]:
    """Name the controlled experiments of which there is no run."""
    known = {run.experiment for run in runs}
    return [f"{instrument_of(name)}/{name}" for name in read_list(root / LIST) or () if name not in known]


def table_of(counts: Iterable[Counts]) -> list[str]:
    """Write counts as lines of a table: only columns with something in them."""
    counted = list(counts)
    states = [name for name in STATES if any(each.states[name] for each in counted)]
    extra = [name for name in ("stale", "gone") if any(getattr(each, name) for each in counted)]
    rows = [["", "runs", *states, *extra]]
    for each in counted:
        cells = [*(each.states[name] for name in states), *(getattr(each, name) for name in extra)]
        rows.append([each.name, f"{each.runs:,}", *(f"{cell:,}" if cell else "" for cell in cells)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    ]

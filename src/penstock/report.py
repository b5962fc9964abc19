"""What the stages used, measured by the runner, beside what the definition requests; and what would fit."""

from __future__ import annotations

import json
import math
import sqlite3
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from penstock.display import count, show_bytes, show_duration, visible
from penstock.errors import DefinitionError

if TYPE_CHECKING:
    from penstock.ledger import Ledger

ENOUGH = 20  # measured tasks below which nothing is suggested
BATCH_S = 20 * 60.0
LONGEST_BATCH = 10_000
SPREAD_OVER = 10  # batches that a stage's tasks are cut into at least
NICE_MINUTES = (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1440, 2880, 4320, 10080)


@dataclass(frozen=True, slots=True)
class Spread:
    """The distribution of a quantity over successful tasks."""

    median: float
    p95: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """Compute it; None without values."""
        ordered = sorted(values)
        if not ordered:
            return None
        return cls(_percentile(ordered, 0.5), _percentile(ordered, 0.95), ordered[-1])


@dataclass(frozen=True, slots=True)
class Asked:
    """What the definition requests, for one worker and one unit."""

    cpus: int = 1
    memory_bytes: int | None = None
    walltime_s: float | None = None
    workers: int = 1
    batch: float | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What would fit; None where too little is known."""

    walltime_s: float | None = None
    memory_bytes: int | None = None
    batch: int | None = None
    spread: bool = False
    """Whether `batch` is less than 20 minutes of work, so that there are several of them."""


@dataclass(frozen=True, slots=True)
class Elements:
    """What the elements of job arrays used, from the first start of a task to the last end, and what they requested."""

    count: int
    wall_s: Spread
    most_rss_bytes: float | None  # at most: the largest tasks of each worker at the same time
    asked_s: float | None  # the most that one asked for
    asked_bytes: int | None

    def line(self) -> str:
        asked = show_duration(self.asked_s) if self.asked_s else "no limit"
        memory = f"; memory at most {show_bytes(self.most_rss_bytes)}" if self.most_rss_bytes else ""
        given = f" of {show_bytes(self.asked_bytes)}" if memory and self.asked_bytes else ""
        spread = (
            f"median {show_duration(self.wall_s.median)}, most {show_duration(self.wall_s.most)} of {asked}"
        )
        return f"  {'arrays':<7} {count(self.count, 'element')}: {spread}{memory}{given}"


@dataclass(frozen=True, slots=True)
class StageReport:
    """What one stage used. Seconds and bytes are per successful attempt."""

    name: str
    ok: int
    failures: Mapping[str, int]
    wall_s: Spread | None
    rss_bytes: Spread | None
    cpu_s: float
    efficiency: float | None  # CPU time over wall time × cpus; 1 is all of it
    asked: Asked
    suggested: Suggestion
    elements: Elements | None = None  # None: nothing of it ran in job arrays

    def lines(self) -> Iterator[str]:
        failures = ", ".join(f"{n} {outcome}" for outcome, n in self.failures.items())
        yield f"{visible(self.name)}: {self.ok} ok" + f", failed attempts: {failures}" * bool(failures)
        asked, fits = self.asked, self.suggested
        if self.wall_s:
            yield _line("time", self.wall_s, show_duration, asked.walltime_s, fits.walltime_s)
        if self.rss_bytes:
            yield _line("memory", self.rss_bytes, show_bytes, asked.memory_bytes, fits.memory_bytes)
        if self.efficiency is not None:
            cpus = f"{asked.cpus} cpu{'s' * (asked.cpus > 1)}"
            yield f"  cpu     {show_duration(self.cpu_s)} in total, {self.efficiency:.0%} of {cpus}"
        if self.elements:
            yield self.elements.line()
        if fits.batch:
            now = f"{asked.batch:g}" if asked.batch else "learned"
            work = f"{show_duration(BATCH_S)} for {asked.workers} at a time"
            if fits.spread:
                work = "a tenth of the stage's tasks, so that they are spread"
            yield f"  batch   {now} → {fits.batch} units ({work})"


@dataclass(frozen=True, slots=True)
class Report:
    """What the stages used.

    Example: `Report.read(ledger).stages[0].wall_s.p95`.
    """

    stages: tuple[StageReport, ...]

    @classmethod
    def read(cls, ledger: Ledger, stage: str | None = None, *, newest: int | None = None) -> Report:
        """Read it from all attempts, or from so many of the `newest`; DefinitionError if there is no such stage."""
        rows = ledger.db.execute("SELECT id, name, definition FROM stage ORDER BY position").fetchall()
        wanted = [row for row in rows if stage in (None, row["name"])]
        if stage and not wanted:
            known = ", ".join(row["name"] for row in rows)
            raise DefinitionError(f"no stage is called {stage!r}: the stages are {known}")
        after = 0 if newest is None else first_of_newest(ledger.db, newest)
        return cls(tuple(_read_stage(ledger.db, row, after) for row in wanted))

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as `report --json` prints it."""
        return {"stages": [asdict(stage) for stage in self.stages]}

    def to_text(self) -> str:
        """Return lines that are safe for a terminal."""
        return (
            "\n".join(line for stage in self.stages for line in stage.lines())
            or "nothing has been measured yet"
        )


def first_of_newest(db: sqlite3.Connection, newest: int) -> int:
    """Return the id of the attempt before the newest ones; 0 if there are no more than these."""
    return max(0, (db.execute("SELECT max(id) FROM attempt").fetchone()[0] or 0) - newest)


def suggest(ok: int, wall: Spread | None, rss: Spread | None, asked: Asked, *, tasks: int) -> Suggestion:
    """Suggest what would fit, after 20 successful tasks.

    Walltime: 1.5 × the 95th percentile, and 1.1 × the longest unless that is an outlier (over three times the
    95th percentile: a retry with twice the time is cheaper than always requesting it); rounded up to a usual
    value.
    Memory: 1.2 × the most, rounded up to two digits, 100 MB at least.
    Batch: as many units as the workers do in 20 minutes at the median time, rounded to two digits, and at most a
    tenth of the stage's `tasks`: a single element with all of them would leave the cluster idle.
    """
    if ok < ENOUGH or wall is None:
        return Suggestion()
    longest = wall.most if wall.most <= 3 * wall.p95 else 0.0
    batch, most = _batch(wall.median, asked.workers), max(math.ceil(tasks / SPREAD_OVER), asked.workers)
    return Suggestion(
        walltime_s=_round_time(max(1.5 * wall.p95, 1.1 * longest)),
        memory_bytes=_round_up(max(1.2 * rss.most, 1e8)) if rss else None,
        batch=min(batch, most),
        spread=batch > most,
    )


def _batch(median: float, workers: int) -> int:
    units = min(BATCH_S * workers / max(median, 1e-3), LONGEST_BATCH)
    digits = max(math.floor(math.log10(max(units, 1))) - 1, 0)
    return max(round(units / 10**digits) * 10**digits, 1)


def _round_time(seconds: float) -> float:
    minutes = seconds / 60
    return 60.0 * next((nice for nice in NICE_MINUTES if nice >= minutes), math.ceil(minutes / 1440) * 1440)


def _round_up(size: float) -> int:
    step = 10 ** (math.floor(math.log10(size)) - 1)
    return math.ceil(size / step) * step


def _percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def _line(name: str, spread: Spread, show: Any, asked: float | None, fits: float | None) -> str:
    told = f"median {show(spread.median)}, 95 % within {show(spread.p95)}, most {show(spread.most)}"
    return f"  {name:<7} {told}; {f'requested {show(asked)}' if asked else 'nothing requested'}" + (
        f", suggest {show(fits)}" if fits else ""
    )


def _of_stage(after: int) -> str:
    """Return the condition for attempts of a stage, and after one: of the newest, the index by stage is not the way."""
    return f"{'+' if after else ''}stage = ? AND attempt.id > ?"


def _read_stage(db: sqlite3.Connection, row: sqlite3.Row, after: int) -> StageReport:
    asked = _read_asked(json.loads(row["definition"]))
    outcomes = db.execute(
        f"SELECT outcome, count(*) FROM attempt WHERE {_of_stage(after)} GROUP BY outcome ORDER BY 2 DESC",
        (row["id"], after),
    )
    counts: dict[str, int] = dict(tuple(outcome) for outcome in outcomes)
    ok = counts.pop("ok", 0)
    wall, cpu, rss = _read_usage(db, row["id"], after)
    spent = sum(wall) * asked.cpus
    walls, peaks = Spread.of(wall), Spread.of(rss)
    return StageReport(
        name=row["name"],
        ok=ok,
        failures=counts,
        wall_s=walls,
        rss_bytes=peaks,
        cpu_s=sum(cpu),
        efficiency=sum(cpu) / spent if spent else None,
        asked=asked,
        suggested=suggest(ok, walls, peaks, asked, tasks=_count_tasks(db, row["id"])),
        elements=_read_elements(db, row["id"], asked.workers, after),
    )


def _read_elements(db: sqlite3.Connection, stage: int, workers: int, after: int) -> Elements | None:
    """The name of a task's log (`<element>.<worker>.log`) shows where in its array it ran."""
    rows = db.execute(
        "SELECT max(ended) - min(began) AS wall, max(rss) * min(?, count(*)) AS rss,"
        " max(json_extract(request, '$.walltime_s')) AS asked_s, max(json_extract(request, '$.memory_bytes')) AS asked"
        " FROM attempt JOIN job ON job.id = attempt.job WHERE"
        f" {_of_stage(after)} AND request IS NOT NULL"
        " AND log IS NOT NULL AND began IS NOT NULL GROUP BY job.id, CAST(log AS INTEGER)",
        (workers, stage, after),
    ).fetchall()
    walls = Spread.of([row["wall"] for row in rows])
    if walls is None:
        return None
    return Elements(len(rows), walls, *(_most(rows, key) for key in ("rss", "asked_s", "asked")))


def _count_tasks(db: sqlite3.Connection, stage: int) -> int:
    sql = "SELECT coalesce(sum(n), 0) FROM tally WHERE stage = ? AND unit = 1 AND state <> 'stale'"
    return db.execute(sql, (stage,)).fetchone()[0]


def _most(rows: Sequence[sqlite3.Row], key: str) -> Any:
    return max((row[key] for row in rows if row[key] is not None), default=None)


def _read_usage(
    db: sqlite3.Connection, stage: int, after: int
) -> tuple[array[float], array[float], array[float]]:
    """Wall and CPU seconds and bytes of successful attempts; arrays, as there may be millions."""
    wall, cpu, rss = array("d"), array("d"), array("d")
    for row in db.execute(
        f"SELECT wall_s, cpu_s, rss FROM attempt WHERE {_of_stage(after)} AND outcome = 'ok'", (stage, after)
    ):
        wall.append(row[0] or 0.0)
        cpu.append(row[1] or 0.0)
        if row[2]:
            rss.append(row[2])
    return wall, cpu, rss


def _read_asked(definition: Mapping[str, Any]) -> Asked:
    resources: Mapping[str, Any] = definition.get("resources") or {}
    return Asked(
        cpus=resources.get("cpus") or 1,
        memory_bytes=resources.get("memory_bytes"),
        walltime_s=resources.get("walltime_s"),
        workers=definition.get("workers") or 1,
        batch=definition.get("batch"),
    )

"""Where a campaign stands: one object, read from a few rows, shown as text, as a table or as JSON."""

from __future__ import annotations

import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.display import Labels, show_command, show_duration, show_time, visible

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from penstock.ledger import Ledger

# State → colour; the same in the terminal and on every page.
COLOURS = {
    "done": "green",
    "running": "blue",
    "queued": "cyan",
    "ready": "bright_black",
    "waiting": "bright_black",
    "failed": "red",
    "blocked": "magenta",
    "vetoed": "yellow",
    "gone": "bright_black",
}
STATES = ("waiting", "ready", "queued", "running", "done", "failed", "blocked", "vetoed", "gone")
OPEN = ("waiting", "ready", "queued", "running")
SHOWN_PROBLEMS = 10
_RECENT = 1000  # attempts that the rate is taken from
_BAR = 24


@dataclass(frozen=True, slots=True)
class StageStatus:
    """One stage: how many of its tasks are in each state."""

    name: str
    each: str
    tasks: Mapping[str, int]
    stale: int = 0
    rate: float | None = None  # tasks done per second, lately
    paused: str | None = None

    @property
    def total(self) -> int:
        return sum(self.tasks.values())

    @property
    def left(self) -> int:
        return sum(self.tasks[state] for state in OPEN)

    @property
    def seconds_left(self) -> float | None:
        return self.left / self.rate if self.rate and self.left else None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "each": self.each,
            "tasks": dict(self.tasks),
            "stale": self.stale,
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left, 1),
            "paused": self.paused,
        }


@dataclass(frozen=True, slots=True)
class JobStatus:
    """One job that is not settled."""

    token: str
    site: str
    native: str | None
    state: str
    elements: int
    tasks: int
    since: float

    def to_json(self) -> dict[str, Any]:
        return {
            "token": self.token,
            "site": self.site,
            "native": self.native,
            "state": self.state,
            "elements": self.elements,
            "tasks": self.tasks,
            "since": self.since,
        }


@dataclass(frozen=True, slots=True)
class Problem:
    """What a person should look at: a failed task, or something a source found."""

    task: str
    why: str
    stage: str | None = None
    log: str | None = None  # the file that holds the task's output

    @property
    def command(self) -> str | None:
        return show_command("log", self.task, self.stage) if self.stage else None

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "stage": self.stage,
            "why": self.why,
            "log": self.log,
            "command": self.command,
        }


@dataclass(frozen=True, slots=True)
class Status:
    """Where a campaign stands.

    Example: `Status.read(ledger).to_json()["stages"][0]["tasks"]["done"]`.
    """

    campaign: str
    at: float
    driver: str | None
    stages: tuple[StageStatus, ...]
    jobs: tuple[JobStatus, ...]
    problems: tuple[Problem, ...]
    more_problems: int = 0
    settling: int = 0  # files that are not at rest yet

    @classmethod
    def read(cls, ledger: Ledger, *, now: float | None = None) -> Status:
        """Read it from tallies: the cost does not grow with the number of units."""
        at = time.time() if now is None else now
        db = ledger.db
        labels = Labels.read(db)
        stages = _read_stages(db, labels, at)
        problems, more = _read_problems(db, labels, stages)
        name = db.execute("SELECT value FROM meta WHERE name = 'name'").fetchone()
        return cls(
            campaign=name[0] if name else "",
            at=at,
            driver=_read_driver(db, at),
            stages=stages,
            jobs=_read_jobs(db),
            problems=problems,
            more_problems=more,
            settling=db.execute("SELECT count(*) FROM settling").fetchone()[0],
        )

    @property
    def failed(self) -> int:
        return sum(stage.tasks["failed"] for stage in self.stages)

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as `status --json` prints it."""
        return {
            "campaign": self.campaign,
            "driver": self.driver,
            "stages": [stage.to_json() for stage in self.stages],
            "jobs": [job.to_json() for job in self.jobs],
            "problems": [problem.to_json() for problem in self.problems],
            "more_problems": self.more_problems,
            "settling": self.settling,
        }

    def to_text(self) -> str:
        """Return plain lines in aligned columns, without colour."""
        rows = [["stage", "each", *self._columns(), "left"]]
        rows += [[visible(s.name), s.each, *self._counts(s), _show_left(s)] for s in self.stages]
        return "\n".join([f"{visible(self.campaign)}: {self._headline()}", *_align(rows), *self._notes()])

    def __rich__(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        head = Text(visible(self.campaign), style="bold")
        head.append(f"  {self._headline()}", style="not bold bright_black")
        notes = [Text(line, style=_note_style(line)) for line in self._notes()]
        return Group(head, _render_table(self), *notes)

    def _headline(self) -> str:
        jobs = f"; {len(self.jobs)} job{'s' * (len(self.jobs) != 1)} out" if self.jobs else ""
        return (self.driver or "nobody is working on it") + jobs

    def _columns(self) -> list[str]:
        used = [s for s in STATES if s == "done" or any(stage.tasks[s] for stage in self.stages)]
        return used + ["stale"] * any(stage.stale for stage in self.stages)

    def _counts(self, stage: StageStatus) -> list[str]:
        return [str(stage.stale if c == "stale" else stage.tasks[c]) for c in self._columns()]

    def _notes(self) -> Iterator[str]:
        for stage in self.stages:
            if stage.paused:
                yield f"! {visible(stage.name)} is paused: {visible(stage.paused)}"
        if self.settling:
            yield f"{self.settling} files are not at rest yet"
        if self.problems:
            yield "problems"
        told = set[tuple[str | None, str]]()
        for problem in self.problems:
            name = f"{problem.stage} {problem.task}" if problem.stage else problem.task
            yield f"  {visible(name)}: {visible(problem.why)}"
            if problem.command and (problem.stage, problem.why) not in told:
                yield f"      {problem.command}"
            told.add((problem.stage, problem.why))
        if self.more_problems:
            yield f"  … and {self.more_problems} more: penstock units --state failed"


def show_progress(stage: StageStatus) -> str:
    """Return one line: `spectrogram 100/200 done, 4 running, 1 failed, 3 min left`."""
    others = [f"{stage.tasks[s]} {s}" for s in STATES if s != "done" and stage.tasks[s]]
    left = [f"{_show_left(stage)} left"] if stage.seconds_left else []
    return ", ".join([f"{visible(stage.name)} {stage.tasks['done']}/{stage.total} done", *others, *left])


def _read_stages(db: sqlite3.Connection, labels: Labels, now: float) -> tuple[StageStatus, ...]:
    rates = _read_rates(db, now)
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    rows = db.execute(
        "SELECT id, name, level, paused, paused_why FROM stage WHERE NOT removed ORDER BY position"
    ).fetchall()
    for row in rows:
        counts[row[0]] = dict(
            tuple(r) for r in db.execute("SELECT state, n FROM tally WHERE stage = ? AND unit = 1", (row[0],))
        )
    return tuple(
        StageStatus(
            name=row[1],
            each=labels.level(row[2]),
            tasks={state: counts[row[0]].get(state, 0) for state in STATES},
            stale=counts[row[0]].get("stale", 0),
            rate=rates.get(row[0]),
            paused=row[4] or row[3],
        )
        for row in rows
    )


def _read_rates(db: sqlite3.Connection, now: float) -> dict[int, float]:
    """Tasks a second, by stage, over the newest attempts since the present conductor began; none if nobody works."""
    lease = db.execute("SELECT since FROM lease WHERE pid IS NOT NULL").fetchone()
    if not lease or not lease[0]:
        return {}
    seen: dict[int, list[float]] = defaultdict(list)
    recent = db.execute(
        "SELECT stage, outcome, began, ended FROM attempt ORDER BY id DESC LIMIT ?", (_RECENT,)
    )
    for stage, outcome, began, ended in recent:
        if outcome == "ok" and ended >= lease[0]:
            seen[stage].append(max(began or lease[0], lease[0]))
    return {
        stage: len(began) / (now - min(began))
        for stage, began in seen.items()
        if len(began) > 1 and now - min(began) > 1
    }


def _read_driver(db: sqlite3.Connection, now: float) -> str | None:
    from penstock.ledger.lease import holder

    who = holder(db)
    if who is None or not who.alive(now):
        return None
    since = show_time(who.since, now=now)
    if who.pid == os.getpid():
        return f"working since {since}"
    return visible(f"`penstock {who.command}` works on it since {since} (process {who.pid} on {who.host})")


def _read_jobs(db: sqlite3.Connection) -> tuple[JobStatus, ...]:
    rows = db.execute(
        "SELECT token, site, native, state, elements, coalesce(submitted, created), "
        "(SELECT coalesce(sum(size), 0) FROM batch WHERE batch.job = job.id AND batch.state <> 'settled') "
        "FROM job WHERE state <> 'settled' ORDER BY id"
    )
    return tuple(JobStatus(r[0], r[1], r[2], r[3], r[4], r[6], r[5]) for r in rows)


def _read_problems(
    db: sqlite3.Connection, labels: Labels, stages: tuple[StageStatus, ...]
) -> tuple[tuple[Problem, ...], int]:
    failed = sum(stage.tasks["failed"] for stage in stages)
    noticed = db.execute("SELECT count(*) FROM problem").fetchone()[0]
    found = list(_read_failed(db, labels)) if failed else []
    rows = db.execute("SELECT subject, why FROM problem ORDER BY id DESC LIMIT ?", (SHOWN_PROBLEMS,))
    found += [Problem(row[0], row[1]) for row in rows]
    shown = tuple(found[:SHOWN_PROBLEMS])
    return shown, failed + noticed - len(shown)


def _read_failed(db: sqlite3.Connection, labels: Labels) -> Iterator[Problem]:
    rows = db.execute(
        "SELECT stage.name, unit.key, task.why, task.stage, task.unit FROM stage "
        "JOIN task ON task.stage = stage.id AND task.state = 'failed' JOIN unit ON unit.id = task.unit "
        "WHERE NOT stage.removed LIMIT ?",
        (SHOWN_PROBLEMS,),
    )
    for name, key, why, stage, unit in rows:
        last = db.execute(
            "SELECT attempt.why, job.folder || '/' || log AS file FROM attempt LEFT JOIN job ON job.id = job "
            "WHERE stage = ? AND unit = ? AND NOT late ORDER BY attempt.id DESC LIMIT 1",
            (stage, unit),
        ).fetchone()
        reason = why or (last and last["why"]) or "failed"
        yield Problem(labels.label(key), reason, name, last["file"] if last else None)


def _show_left(stage: StageStatus) -> str:
    return "" if stage.seconds_left is None else show_duration(stage.seconds_left)


def _align(rows: list[list[str]]) -> list[str]:
    """Two columns of words to the left, the others are numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines: list[str] = []
    for row in rows:
        words = [cell.ljust(width) for cell, width in zip(row[:2], widths, strict=False)]
        numbers = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join(words + numbers).rstrip())
    return lines


def _note_style(line: str) -> str:
    return "red" if line.startswith("!") else "bold" if line == "problems" else ""


def _render_table(status: Status) -> Table:
    from rich.table import Table
    from rich.text import Text

    columns = status._columns()  # pyright: ignore[reportPrivateUsage]
    table = Table(box=None, pad_edge=False, header_style="bright_black")
    for name in ("stage", "each", ""):
        table.add_column(name, no_wrap=True)
    for name in (*columns, "left"):
        table.add_column(name, justify="right", no_wrap=True)
    for stage in status.stages:
        counts = [_colour_count(c, stage) for c in columns]
        table.add_row(
            Text(visible(stage.name)), Text(stage.each), _render_bar(stage), *counts, _show_left(stage)
        )
    return table


def _colour_count(column: str, stage: StageStatus) -> Text:
    from rich.text import Text

    count = stage.stale if column == "stale" else stage.tasks[column]
    return Text(str(count), style=COLOURS.get(column, "yellow") if count else "bright_black")


def _render_bar(stage: StageStatus) -> Text:
    from rich.text import Text

    bar, drawn, seen = Text(), 0, 0
    for state in ("done", "failed", "blocked", "vetoed", "gone", "running", "queued", "ready", "waiting"):
        seen += stage.tasks[state]
        until = round(_BAR * seen / stage.total) if stage.total else 0
        block = "░" if state in ("ready", "waiting", "queued") else "█"
        bar.append(block * (until - drawn), style=COLOURS[state])
        drawn = until
    return bar

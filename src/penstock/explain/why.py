"""Why a task is in its state: its reason, what it waits for, what was tried, and what would change it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from penstock.decide import DOUBTFUL
from penstock.display import Labels, count, show_command, show_duration, show_process, show_time, visible
from penstock.explain.changed import changed_inputs
from penstock.explain.find import find_stage
from penstock.ledger.closings import LATE
from penstock.ledger.experience import absence_of, experience_of, notes_on
from penstock.ledger.order import full
from penstock.ledger.reading.closed import is_in_closed
from penstock.ledger.reading.decided import archived_of
from penstock.ledger.reading.late import Late, late_of
from penstock.ledger.reading.queuestate import (
    QueueState,
    goes_on,
    queue_state_of,
    remedy_of,
    show_nodes,
    site_of,
    trouble_of,
)
from penstock.ledger.redefined import Changed, Setting, redefinition
from penstock.ledger.stored import upstreams_of
from penstock.ledger.tasks import REDEFINED, UNASKED
from penstock.ledger.vetoes import vetoes_of

if TYPE_CHECKING:
    from penstock.ledger import Ledger

_DEEP = 6  # upstreams of upstreams that are followed
_WIDE = 3  # members of a group that are named


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt, as a person reads it."""

    number: int
    outcome: str
    ended: float
    wall_s: float | None
    host: str | None
    why: str | None
    next: str | None  # what was decided after it
    late: bool  # came after its task had moved on

    def to_text(self, now: float) -> str:
        took = "" if self.wall_s is None else f" after {show_duration(self.wall_s)}"
        place = f" on {self.host}" if self.host else ""
        reason = f": {self.why}" if self.why else ""
        after = " (late, ignored)" if self.late else f" → {self.next}" if self.next else ""
        return f"{self.number}. {self.outcome}{took}{place}, {show_time(self.ended, now=now)}{reason}{after}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one task is in its state."""

    stage: str
    unit: str
    state: str
    why: str
    remedy: str
    upstream: tuple[str, ...]
    tries: tuple[Try, ...]
    at: float
    changed: tuple[Changed, ...] = ()  # since it was made, of what is stale
    made_with: tuple[Setting, ...] = ()  # each `--set` of then that is gone
    late: tuple[Late, ...] = ()  # the deadlines that its groups missed

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as `why --json` prints it."""
        return asdict(self)

    def to_text(self) -> str:
        """Return lines that are safe for a terminal."""
        return "\n".join(visible(line) for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.stage} {self.unit}: {self.state}, {self.why}"
        yield from (f"  late: {late.to_text(self.at)}" for late in self.late)
        yield from (f"  {line}" for line in self.changed)
        yield from (f"  {setting}" for setting in self.made_with)
        yield from (f"  {line}" for line in self.upstream)
        if self.tries:
            yield "  attempts"
        yield from (f"    {attempt.to_text(self.at)}" for attempt in self.tries)
        yield f"  then: {self.remedy}"


def explain(
    ledger: Ledger, unit: int, stage: str | None = None, *, now: float | None = None
) -> list[Explanation]:
    """Explain each task of `unit`, or only that of `stage`; the result is empty if it has none.

    Example: `explain(ledger, find_units(ledger, "2020-01-17/01807")[0])[0].why`.
    """
    reader = _Reader(ledger, time.time() if now is None else now)
    wanted = None if stage is None else find_stage(ledger.db, stage)["id"]
    rows = ledger.db.execute(_TASKS + " AND task.unit = ? ORDER BY stage.position", (unit,)).fetchall()
    return [reader.explain(row) for row in rows if wanted in (None, row["stage"])]


# CROSS JOIN keeps the order: one look at the tasks' primary key for each stage.
_TASKS = (
    "SELECT task.*, stage.name, stage.level, stage.definition, stage.paused, stage.paused_why, stage.removed, "
    "unit.key, unit.gone FROM stage CROSS JOIN task CROSS JOIN unit "
    "WHERE task.stage = stage.id AND unit.id = task.unit"
)


class _Reader:
    def __init__(self, ledger: Ledger, now: float) -> None:
        self.ledger, self.db, self.now, self.labels = ledger, ledger.db, now, Labels.read(ledger.db)

    def explain(self, task: sqlite3.Row) -> Explanation:
        tries = self._tries(task)
        state = task["state"]
        why, remedy = self._reason(task, tried=any(one.outcome != "unstarted" for one in tries))
        upstream = tuple(self._upstream(task, 0)) if state in ("waiting", "blocked") else ()
        label = self.labels.label(task["key"])
        changed, made_with = self._changed(task)
        late = tuple(late_of(self.db, self.labels, task["stage"], task["unit"]))
        return Explanation(
            task["name"], label, state, why, remedy, upstream, tries, self.now, changed, made_with, late
        )

    def _changed(self, task: sqlite3.Row) -> tuple[tuple[Changed, ...], tuple[Setting, ...]]:
        """What changed since a stale task was made."""
        if task["state"] != "done" or not task["stale"] or task["removed"]:
            return (), ()
        definition = redefinition(self.db, task["name"], task["made"])
        return (
            *definition.changed,
            *changed_inputs(self.ledger, task, self.labels),
        ), definition.made_with

    def _tries(self, task: sqlite3.Row) -> tuple[Try, ...]:
        rows = self.db.execute(
            "SELECT * FROM attempt WHERE stage = ? AND unit = ? ORDER BY id", (task["stage"], task["unit"])
        )
        return tuple(
            Try(n, r["outcome"], r["ended"], r["wall_s"], r["host"], r["why"], r["next"], bool(r["late"]))
            for n, r in enumerate(rows, 1)
        )

    def _reason(self, task: sqlite3.Row, *, tried: bool = True) -> tuple[str, str]:
        if task["removed"]:
            return "its stage is no longer in the definition", "put the stage back to run it"
        match task["state"]:
            case "ready":
                return self._ready(task)
            case "queued" | "running":
                return self._out(task)
            case "done":
                return self._done(task)
            case "vetoed":
                return task["why"] or "vetoed by a person", f"{self._unveto(task)} lets it run"
            case "gone" if archived := archived_of(self.db, [task["unit"]]).get(task["unit"]):
                return str(archived), f"{archived.undoing(self.labels)} brings it back"
            case _:
                default, remedy = _STATES[task["state"]]
                if task["state"] == "failed" and not tried:
                    remedy = "{retry}"
                if (task["why"] or "").startswith(LATE):
                    remedy = "it runs in a group that is open"
                if (task["why"] or "").endswith(DOUBTFUL):
                    remedy = "`penstock run --stale` makes that again"
                why = (task["why"] or default) + self._kept(task)
                return why, remedy.format_map(_Commands(task, self.labels))

    def _kept(self, task: sqlite3.Row) -> str:
        """Say that what a task made before is still there, if it is."""
        sql = "SELECT path FROM product WHERE stage = ? AND unit = ? AND digest IS NOT NULL ORDER BY name"
        row = self.db.execute(sql, (task["stage"], task["unit"])).fetchone()
        return f" (what it made before is still there: {row[0]})" if row else ""

    def _unveto(self, task: sqlite3.Row) -> str:
        """The command that lifts the veto itself, which may be on a group or on one stage only."""
        veto = vetoes_of(self.db, task["stage"], [task["unit"]]).get(task["unit"])
        if veto is None:
            return show_command("unveto", self.labels.label(task["key"]), task["name"])
        return veto.lifting(self.labels)

    def _ready(self, task: sqlite3.Row) -> tuple[str, str]:
        retry = show_command("retry", self.labels.label(task["key"]), task["name"])
        why = task["why"] or "everything it needs is done"
        if task["paused"]:
            paused = f"{why}, but its stage is paused: {task['paused_why'] or task['paused']}"
            return paused, goes_on(task["name"], task["paused"])
        if task["due"] and task["due"] > self.now:
            return (
                f"{why}, in {show_duration(task['due'] - self.now)}",
                f"retried by itself; to retry at once: {retry}",
            )
        if site := site_of(self.db, task["name"]):
            why = "; ".join([why, *self._false_start(task, site), *notes_on(self.db, site, self.now)])
        if busy := full(self.db, task["stage"], task["definition"]):
            return why, f"starts when one of {busy} running {task['name']} tasks ends (max_running)"
        after = "no new data wait and " if task["behind"] else ""
        return why, f"starts when {after}a slot is free, while a conductor runs: penstock run"

    def _false_start(self, task: sqlite3.Row, site: str) -> Iterator[str]:
        """Yield why the last job of a stage began nothing, if it did not."""
        if experience_of(self.db, site).false_starts:
            row = self.db.execute(
                "SELECT why FROM job j WHERE state = 'finished' AND site = ? AND why IS NOT NULL"
                " AND EXISTS (SELECT 1 FROM batch WHERE job = j.id AND stage = ?) ORDER BY id DESC LIMIT 1",
                (site, task["stage"]),
            ).fetchone()
            if row:
                yield f"its last job began nothing: {row[0]}"

    def _out(self, task: sqlite3.Row) -> tuple[str, str]:
        row = self.db.execute(
            "SELECT batch.*, job.token, job.site, job.native, job.elements, job.feed,"
            " coalesce(job.submitted, job.created) AS since, life.host FROM batch JOIN job ON job.id = batch.job "
            "LEFT JOIN life ON life.job = job.id AND life.element = batch.element "
            "WHERE batch.id = ? ORDER BY life.life DESC",
            (task["batch"],),
        ).fetchone()
        if row is None:
            return task["why"] or "in a batch", _ENDS
        if not row["feed"]:
            return self._at_cluster(task, row)
        native = f" ({show_process(row['native'])})" if row["native"] else ""
        host = f" on {row['host']}" if row["host"] else ""
        since = show_time(row["at"], now=self.now)
        return f"since {since} in job {row['token']}{native} of {row['site']}{host}{_company(row)}", _ENDS

    def _at_cluster(self, task: sqlite3.Row, row: sqlite3.Row) -> tuple[str, str]:
        """Describe the state of the task's element, and what is known of its site."""
        stand = queue_state_of(self.db, row["job"], row["element"], self.now)
        native = row["native"] or row["token"]
        element = f", element {row['element']} of {row['elements']}" if row["elements"] > 1 else ""
        since = show_time(row["since"], now=self.now)
        job = f" (job {native}{element}, since {since}{_company(row)})"
        remedy = remedy_of(self.db, row, stand) if stand and stand.phase == "held" else _ENDS
        return self._stands(task, row, stand) + job + self._silence(row["site"]), remedy

    def _silence(self, site: str) -> str:
        """Say whether the site is out of reach, or its scheduler does not answer."""
        if absence := absence_of(self.db, site, self.now):
            return f"; {absence}"
        trouble = trouble_of(self.db, site)
        return f"; {trouble[0]}, since {show_time(trouble[1], now=self.now)}" if trouble else ""

    def _stands(self, task: sqlite3.Row, row: sqlite3.Row, stand: QueueState | None) -> str:
        site = row["site"]
        if stand is None:
            return f"its element has ended at {site}"
        said = f": {stand.reason or stand.word}" if stand.reason or stand.word else ""
        match stand.phase:
            case "running":
                node = f" on {show_nodes(stand.nodes)}" if stand.nodes else f" at {site}"
                news = (
                    "" if stand.news is None else f", last event {show_duration(self.now - stand.news)} ago"
                )
                return (f"runs{node}" if task["state"] == "running" else f"waits for its turn{node}") + news
            case "held":
                return f"held in the queue of {site}{said}"
            case "ended":
                return f"its element has ended at {site}{said}; waiting for its files"
            case "absent":
                return f"no longer in the queue of {site}: given up once two answers in a row confirm it"
            case "unknown":
                return f"at {site}, in an unknown state{said}"
            case _:
                due = (
                    f", expected to start at {show_time(stand.starts, now=self.now)}" if stand.starts else ""
                )
                handed = "waits in the queue of" if row["native"] else "is being submitted to"
                return f"{handed} {site}{said}{due}"

    def _done(self, task: sqlite3.Row) -> tuple[str, str]:
        label = self.labels.label(task["key"])
        rows = self.db.execute(
            "SELECT path FROM product WHERE stage = ? AND unit = ? ORDER BY name",
            (task["stage"], task["unit"]),
        ).fetchall()
        paths = [row[0] for row in rows[:_WIDE]] + ["…"] * (len(rows) > _WIDE)
        made = f"made {', '.join(paths)}" if rows and not task["marked"] else "done"
        if task["why"]:
            made += f", {task['why']}"
        if archived := archived_of(self.db, [task["unit"]]).get(task["unit"]):
            made += f" ({archived})"
        elif task["gone"]:
            made += " (its input has disappeared since)"
        if task["marked"] and not task["stale"]:
            return made, f"nothing to do; {show_command('unmark', label, task['name'])} lets penstock do it"
        if not task["stale"]:
            return made, "nothing to do while its definition and its input stay the same"
        return f"{made}, but stale{self._since(task)}: {task['stale']}", self._redoing(task, label)

    def _since(self, task: sqlite3.Row) -> str:
        """Say since when a task is stale, if that is in the history."""
        sql = "SELECT at FROM history WHERE unit = ? AND stage = ? AND what = 'stale' ORDER BY n DESC LIMIT 1"
        row = self.db.execute(sql, (task["unit"], task["stage"])).fetchone()
        return f" since {show_time(row[0], now=self.now)}" if row and task["stale"] != REDEFINED else ""

    def _redoing(self, task: sqlite3.Row, label: str) -> str:
        """Say what makes a stale task again."""
        if task["redo"] & UNASKED:
            when = "after all new data" if task["behind"] else "as soon as nothing needs what is there"
            return f"made again by itself, {when}"
        if is_in_closed(self.db, task["stage"], task["unit"]):
            return "its group is closed: penstock reopen GROUP, then penstock run --stale redoes it"
        return f"penstock run --stale redoes it; {show_command('redo', label, task['name'])} redoes it alone"

    def _upstream(self, task: sqlite3.Row, depth: int) -> Iterator[str]:
        margin = "  " * depth
        definition = json.loads(task["definition"])
        for stage, keyed in upstreams_of(definition):
            row = self.db.execute("SELECT * FROM stage WHERE name = ?", (stage,)).fetchone()
            if row is None:
                continue
            if row["level"] > task["level"] and not keyed:
                yield from self._members(task, row, margin, depth)
                continue
            above = self.db.execute(
                _TASKS + " AND stage.id = ? AND unit.id = ?", (row["id"], self._one_above(task, row, keyed))
            ).fetchone()
            if above is None:
                yield f"{margin}needs {stage}: it has no task here"
            elif above["state"] != "done":
                yield from self._one(above, margin, depth)

    def _one(self, task: sqlite3.Row, margin: str, depth: int) -> Iterator[str]:
        why = f", {self._reason(task)[0]}"
        yield f"{margin}needs {task['name']} {self.labels.label(task['key'])}: {task['state']}{why}"
        if depth < _DEEP and task["state"] in ("waiting", "blocked"):
            yield from self._upstream(task, depth + 1)

    def _one_above(self, task: sqlite3.Row, upstream: sqlite3.Row, keyed: bool) -> int | None:
        if keyed:
            row = self.db.execute(
                "SELECT unit.id FROM link JOIN unit ON unit.key = link.key AND unit.level = ? "
                "WHERE link.stage = ? AND link.unit = ? AND link.upstream = ?",
                (upstream["level"], task["stage"], task["unit"], upstream["id"]),
            ).fetchone()
        elif upstream["level"] == 0:
            return 1
        elif upstream["level"] == task["level"]:
            return task["unit"]
        else:
            column = f"g{upstream['level']}"
            row = self.db.execute(f"SELECT {column} FROM unit WHERE id = ?", (task["unit"],)).fetchone()
        return row[0] if row else None

    def _members(self, task: sqlite3.Row, upstream: sqlite3.Row, margin: str, depth: int) -> Iterator[str]:
        counts = self.db.execute(
            "SELECT state, n FROM tally WHERE stage = ? AND unit = ? AND n > 0 AND state <> 'stale' ORDER BY n DESC",
            (upstream["id"], task["unit"]),
        ).fetchall()
        told = ", ".join(f"{n} {state}" for state, n in counts) or "none"
        yield f"{margin}needs its members in {upstream['name']}: {told}"
        under = f"AND unit.g{task['level']} = {task['unit']}" if task["level"] else ""
        for state in {state for state, _ in counts} & {"failed", "blocked"}:
            query = f"{_TASKS} AND stage.id = ? AND task.state = ? {under} LIMIT {_WIDE}"
            for row in self.db.execute(query, (upstream["id"], state)).fetchall():
                yield from self._one(row, margin + "  ", depth + 1)


_ENDS = "ends by itself; `penstock cancel` stops it"


def _company(row: sqlite3.Row) -> str:
    """How many tasks share the batch."""
    return f" with {count(row['size'] - 1, 'other')}" if row["size"] > 1 else ""


# State → the reason when the record has none, and what would change it.
_STATES = {
    "waiting": ("what it needs is not done yet", "starts when what it needs is done"),
    "failed": ("no retries are left", "{log} shows its output; fixed? {retry}"),
    "blocked": ("what it needs will not be done", "retry what failed, or exclude it with penstock veto"),
    "gone": ("its input disappeared", "put the input back; the next scan finds it"),
}


class _Commands(dict[str, str]):
    """Command → the line that does it for a task."""

    def __init__(self, task: sqlite3.Row, labels: Labels) -> None:
        super().__init__()
        self._label, self._stage = labels.label(task["key"]), task["name"]

    def __missing__(self, command: str) -> str:
        return show_command(command, self._label, self._stage)

"""What stands on each page, made from the very objects that the terminal prints."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from penstock.display import show_time
from penstock.errors import DefinitionError, PenstockError
from penstock.explain import Explanation, explain, find_units
from penstock.ledger import SCANNED, Ledger
from penstock.ledger.reading.closed import Closed
from penstock.record.reading import Wanted, products_of, read_tasks
from penstock.record.rows import ProductRow, TaskRow
from penstock.report import Report
from penstock.serve.campaigns import Shown
from penstock.serve.drawing import Bars, Flow, draw_flow, draw_hours
from penstock.serve.files import is_picture, pictures_in, roots_of
from penstock.status import STATES, StageStatus, Status
from penstock.status.jobs import Job, notes_on_sites, read_jobs
from penstock.status.metrics import of_stages

Asked = Mapping[str, str]
LISTED = 200  # tasks, jobs or problems on a page
EXPLAINED = 20  # groups whose closing is explained
NEWEST = 10_000  # attempts that usage is taken from
PICTURED = 48  # pictures of a stage
OLD_S = 600.0  # of a copy, from which on it does not tell who is at work now
STEP = "close."  # how the stages begin that close groups


@dataclass(frozen=True, slots=True)
class Head:
    """What stands on top of every page of a campaign."""

    name: str
    status: Status
    scanned: float | None
    note: str | None

    @property
    def standing(self) -> str:
        """Who works on it, or since when nobody does."""
        if self.status.driver:
            as_of = self.status.as_of
            return self.status.driver + (
                "" if as_of is None else f", as of {show_time(as_of, now=time.time())} UTC"
            )
        turned = self.status.turned
        return f"stopped since {show_time(turned, now=self.status.at)} UTC" if turned else "not running"

    @property
    def works(self) -> bool:
        """Whether a conductor is at work, as far as a copy of the record can tell."""
        as_of = self.status.as_of
        return self.status.driver is not None and (as_of is None or time.time() - as_of < OLD_S)

    @property
    def trouble(self) -> int:
        """How many things need a person."""
        return len(self.status.problems) + self.status.more_problems


@dataclass(frozen=True, slots=True)
class Broken:
    """A campaign that cannot be read now, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The stages by state, how fast they get on, and what a person should know."""

    oldest: Mapping[str, float]
    """Stage → for how many seconds the unit of its oldest ready task has been known."""
    notes: Sequence[str]
    flow: Flow


@dataclass(frozen=True, slots=True)
class Listing:
    """Some tasks."""

    asked: Asked
    tasks: Sequence[TaskRow]
    more: bool
    skipped: int = 0
    states: Sequence[str] = STATES


@dataclass(frozen=True, slots=True)
class Queue:
    """The jobs, and what is wrong at their sites."""

    jobs: Sequence[Job]
    notes: Sequence[str]
    finished: bool


@dataclass(frozen=True, slots=True)
class Steps:
    """The closing of the groups of one level: its steps with their states, and why groups are not closed yet."""

    closed: Closed
    steps: Sequence[StageStatus]
    blockers: Sequence[Explanation]


@dataclass(frozen=True, slots=True)
class Pictures:
    """The newest pictures of each stage that makes some: the product, and the file in it where that is a folder."""

    stages: Sequence[tuple[str, Sequence[tuple[ProductRow, str]]]]


@dataclass(frozen=True, slots=True)
class Usage:
    """What the stages used, by the newest attempts."""

    report: Report
    hours: Bars | None
    newest: int = NEWEST


def head_of(shown: Shown, ledger: Ledger, *, problems: int = LISTED) -> Head:
    """Read what stands on top; with so many `problems`, of which only some pages tell."""
    scanned = ledger.meta(SCANNED)
    status = Status.read(ledger, problems=problems)
    return Head(shown.name, status, None if scanned is None else float(scanned), ledger.note)


def heads_of(campaigns: Mapping[str, Shown]) -> Iterator[Head | Broken]:
    """Yield each campaign as it stands, or why it cannot be read."""
    for shown in campaigns.values():
        try:
            with shown.reading() as ledger:
                yield head_of(shown, ledger, problems=0)
        except PenstockError as error:
            yield Broken(shown.name, str(error))


def overview(ledger: Ledger, head: Head, asked: Asked) -> Overview:
    """Read the first page of a campaign."""
    waits = next(m for m in of_stages(ledger.db, head.status.at) if m.name == "penstock_oldest_ready_seconds")
    oldest = {labels["stage"]: seconds for labels, seconds in waits.values}
    notes = [note for note in head.status.notes() if not note.startswith((" ", "problems"))]
    return Overview(oldest, notes, draw_flow(ledger.db, head.status))


def listing(ledger: Ledger, head: Head, asked: Asked) -> Listing:
    """Read the tasks that are asked for: `stage`, `state`, `unit` (a name, a group or a pattern), `stale`; after `skip`."""
    state, skipped = asked.get("state") or None, number_in(asked, "skip")
    if state and state not in STATES:
        raise DefinitionError(f"there is no state {state!r}: choose one of {', '.join(STATES)}")
    wanted = Wanted(
        asked.get("stage") or None, asked.get("unit") or None, state, stale=asked.get("stale") == "1" or None
    )
    rows = read_tasks(ledger, wanted) if may_be_there(head.status, wanted) else iter(())
    found = list(islice(rows, skipped, skipped + LISTED + 1))
    return Listing(asked, found[:LISTED], len(found) > LISTED, skipped)


def may_be_there(status: Status, wanted: Wanted) -> bool:
    """Whether the counts have such tasks at all: a search for none would read them all."""
    stages = [stage for stage in status.stages if wanted.stage in (None, stage.name)]
    if not stages:
        return True  # who reads them says that there is no such stage
    if wanted.stale and not any(stage.stale for stage in stages):
        return False
    return not wanted.state or any(stage.tasks[wanted.state] for stage in stages)


def number_in(asked: Asked, name: str) -> int:
    """Return a number of a question; raises DefinitionError if it is none."""
    text = asked.get(name) or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise DefinitionError(f"{name} is not a number: {text}")
    return int(text)


def problems(ledger: Ledger, head: Head, asked: Asked) -> Status:
    """Return the status: what was noticed, and what failed, alike together."""
    return head.status


def jobs(ledger: Ledger, head: Head, asked: Asked) -> Queue:
    """Read the jobs; with `all` also those that are over."""
    finished = asked.get("all") == "1"
    found = read_jobs(ledger.db, head.status.at, finished=finished, limit=LISTED)
    return Queue(found, [*notes_on_sites(ledger.db, found, head.status.at)], finished)


def closings(ledger: Ledger, head: Head, asked: Asked) -> Sequence[Steps]:
    """Read how far the closing of each level is, and what holds it back."""
    return [steps_of(ledger, head.status, closed) for closed in head.status.closings]


def steps_of(ledger: Ledger, status: Status, closed: Closed) -> Steps:
    """Read the steps of one level; the groups are explained whose first step has not begun, or that failed."""
    steps = [stage for stage in status.stages if stage.name.startswith(f"{STEP}{closed.level}.")]
    held = [
        (stage.name, row.unit)
        for stage in steps
        for state in ("failed", "blocked", "waiting")
        if stage.tasks[state] and (stage is steps[0] or state == "failed")
        for row in islice(read_tasks(ledger, Wanted(stage.name, state=state)), EXPLAINED)
    ]
    named = ((find_units(ledger, unit)[0], name) for name, unit in held[:EXPLAINED])
    return Steps(
        closed, steps, [one for unit, name in named for one in explain(ledger, unit, name, now=status.at)]
    )


def pictures(ledger: Ledger, head: Head, asked: Asked) -> Pictures:
    """Read the newest pictures of each stage."""
    found, roots = list[tuple[str, Sequence[tuple[ProductRow, str]]]](), roots_of(ledger)
    for stage in head.status.stages:
        row = ledger.db.execute("SELECT id FROM stage WHERE name = ?", (stage.name,)).fetchone()
        units = ledger.db.execute(
            "SELECT DISTINCT unit FROM product WHERE stage = ? AND digest IS NOT NULL ORDER BY unit DESC LIMIT ?",
            (row["id"], PICTURED),
        ).fetchall()
        made = (p for (unit,) in units for p in products_of(ledger, unit, stage.name))
        shown = ((product, name) for product in made for name in pictures_of(roots, product))
        if first := [*islice(shown, PICTURED)]:
            found.append((stage.name, first))
    return Pictures(found)


def pictures_of(roots: Sequence[Path], product: ProductRow) -> Sequence[str]:
    """Return the names of the pictures in a product; that of one which is a picture itself is empty."""
    return [""] if is_picture(product.path) else pictures_in(roots, product)


def usage(ledger: Ledger, head: Head, asked: Asked) -> Usage:
    """Read what the stages used."""
    return Usage(Report.read(ledger, newest=NEWEST), draw_hours(ledger.db, head.status.at, NEWEST))


def now_of(ledger: Ledger) -> float:
    """Return the time that pages are of: that of a copy, or the present one."""
    return ledger.as_of or time.time()

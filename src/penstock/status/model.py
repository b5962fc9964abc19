"""The status of a campaign as an object, for data and plain text."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.display import InNotebooks, count, show_command, show_duration, visible
from penstock.ledger.reading.channels import ChannelState
from penstock.ledger.reading.closed import Closed, say_late
from penstock.ledger.reading.failuregroups import FailureGroup
from penstock.ledger.reading.late import Late
from penstock.ledger.reading.queuestate import QueueState, together

if TYPE_CHECKING:
    from rich.console import Group

    from penstock.ledger import Ledger

# State → colour, the same in the terminal and on every page: grey may come, blue is at work, green is well,
# red needs a person, yellow is left out.
COLOURS = {
    "waiting": "bright_black",
    "ready": "bright_black",
    "queued": "bright_black",
    "running": "blue",
    "done": "green",
    "failed": "red",
    "blocked": "red",
    "vetoed": "yellow",
    "gone": "yellow",
}
STATES = tuple(COLOURS)
OPEN = ("waiting", "ready", "queued", "running")
SHOWN_PROBLEMS = 10
SHOWN_STANDINGS = 5
SHOWN_LATE = 5


class StageStatus(NamedTuple):
    """One stage: how many of its tasks are in each state."""

    name: str
    each: str
    tasks: Mapping[str, int]
    stale: int = 0
    marked: int = 0  # of the done ones: by a person, not by penstock
    rate: float | None = None  # tasks done per second, lately
    paused: str | None = None
    goes_on: str | None = None  # what a person does to end the pause
    backfill: int = 0  # tasks to be redone behind new data
    full: int | None = None  # how many are out, where no more may be though others are ready

    @property
    def total(self) -> int:
        """How many tasks there are."""
        return sum(self.tasks.values())

    @property
    def left(self) -> int:
        """How many tasks may still be done without a person."""
        return sum(self.tasks[state] for state in OPEN)

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at the present rate; None without a conductor or when too little is known."""
        return self.left / self.rate if self.rate and self.left else None

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "each": self.each,
            "tasks": dict(self.tasks),
            "stale": self.stale,
            "marked": self.marked,
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left, 1),
            "paused": self.paused,
            "goes_on": self.goes_on,
            "backfill": self.backfill,
            "full": self.full,
        }


class JobStatus(NamedTuple):
    """One unfinished job."""

    token: str
    site: str
    native: str | None
    state: str
    elements: int
    tasks: int
    since: float
    queue: tuple[QueueState, ...] = ()
    """Of an array at a cluster: where its elements stand."""

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "token": self.token,
            "site": self.site,
            "native": self.native,
            "state": self.state,
            "elements": self.elements,
            "tasks": self.tasks,
            "since": self.since,
            "queue": [one.to_json() for one in self.queue],
        }


class Problem(NamedTuple):
    """What needs a person: a failed task, or something a source found."""

    task: str
    why: str
    stage: str | None = None
    log: str | None = None  # the file that holds the task's output

    @property
    def command(self) -> str | None:
        """The command that prints the task's output."""
        return show_command("log", self.task, self.stage) if self.stage else None

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "task": self.task,
            "stage": self.stage,
            "why": self.why,
            "log": self.log,
            "command": self.command,
        }


@dataclass(frozen=True, slots=True)
class Status(InNotebooks):
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
    failures: tuple[FailureGroup, ...] = ()
    """The failed tasks, those that failed the same way together: what the text shows of them."""
    settling: int = 0  # files that are not at rest yet
    settles: str | None = None  # one of them
    sites: tuple[tuple[str, str], ...] = ()
    """What was learned of the sites where something is still to be done: its name, and a sentence."""
    late: tuple[Late, ...] = ()
    """The groups that missed a deadline and are not done yet."""
    turned: float | None = None  # when the last turn ended
    channels: tuple[ChannelState, ...] = ()
    """What people were told, and what could not be sent."""
    archived: int = 0  # units that were put away
    closings: tuple[Closed, ...] = ()
    """How many groups are closed, of each level that is."""
    came_late: int = 0  # tasks of closed groups
    as_of: float | None = None  # when the copy was made that this was read from; None: from the record itself

    @classmethod
    def read(cls, ledger: Ledger, *, now: float | None = None, problems: int = SHOWN_PROBLEMS) -> Status:
        """Read it from tallies: the cost does not grow with the number of units.

        At most so many `problems` are named, the others counted.
        """
        from penstock.status.reading import read_status

        return read_status(ledger, now or ledger.as_of or time.time(), problems)

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as `status --json` prints it."""
        return {
            "campaign": self.campaign,
            "driver": self.driver,
            "stages": [stage.to_json() for stage in self.stages],
            "jobs": [job.to_json() for job in self.jobs],
            "problems": [problem.to_json() for problem in self.problems],
            "more_problems": self.more_problems,
            "failures": [one.to_json() for one in self.failures],
            "settling": self.settling,
            "sites": [{"name": name, "note": note} for name, note in self.sites],
            "late": [late.to_json() for late in self.late],
            "turned": self.turned,
            "channels": [channel.to_json() for channel in self.channels],
            "archived": self.archived,
            "closings": [closed.to_json() for closed in self.closings],
            "came_late": self.came_late,
            "as_of": self.as_of,
        }

    def to_text(self) -> str:
        """Return plain lines in aligned columns, without colour."""
        return "\n".join([*self.counted(), *self.notes()])

    def counted(self) -> list[str]:
        """Return the lines of the table, below a headline."""
        rows = [["stage", "each", *self.columns(), "left"]]
        rows += [[visible(s.name), s.each, *self.counts(s), show_left(s)] for s in self.stages]
        return [f"{visible(self.campaign)}: {self.headline()}", *_align(rows)]

    def __rich__(self) -> Group:
        from penstock.status.table import render_status

        return render_status(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return what notebooks show."""
        from penstock.status.html import write_html

        return {"text/plain": self.to_text(), "text/html": write_html(self)}

    def headline(self) -> str:
        """Describe what is running, and how many jobs are active."""
        jobs = f"; {count(len(self.jobs), 'active job')}" if self.jobs else ""
        return (self.driver or "not running") + jobs

    def at_clusters(self) -> Iterator[str]:
        """Yield a line for each cluster: the states of its jobs' elements."""
        for site in dict.fromkeys(job.site for job in self.jobs if job.queue):
            jobs = [job for job in self.jobs if job.site == site]
            stand = together([one for job in jobs for one in job.queue])
            words = [one.to_text(self.at) for one in stand[:SHOWN_STANDINGS]] + ["…"] * (
                len(stand) > SHOWN_STANDINGS
            )
            unseen = sum(not job.queue for job in jobs)
            more = f"; and {count(unseen, 'older job')}" if unseen else ""
            yield visible(f"{site}: {count(len(jobs), 'job')}, {', '.join(words)}{more}")

    def columns(self) -> list[str]:
        """Return the states that tasks are in, and the marks on done ones: what a table has columns for."""
        used = [s for s in STATES if s == "done" or any(stage.tasks[s] for stage in self.stages)]
        return used + [
            mark for mark in ("stale", "marked") if any(getattr(stage, mark) for stage in self.stages)
        ]

    def counts(self, stage: StageStatus) -> list[str]:
        """Return the numbers of one stage, in the order of the columns."""
        marks = {"stale": stage.stale, "marked": stage.marked}
        return [str(marks[c] if c in marks else stage.tasks[c]) for c in self.columns()]

    def notes(self) -> Iterator[str]:
        """Yield what a person should know besides the counts."""
        for stage in self.stages:
            if stage.paused:
                then = f"; {stage.goes_on}" if stage.goes_on else ""
                yield visible(f"! {stage.name} is paused: {stage.paused}{then}")
        for stage in self.stages:
            if stage.full:
                yield visible(f"{stage.name}: {stage.full:,} at once, as many as there may be (max_running)")
            if stage.backfill:
                yield visible(
                    f"{stage.name}: backfill, {count(stage.backfill, 'task')} left, behind new data"
                )
        yield from (visible(f"! {late.to_text(self.at)}") for late in self.late[:SHOWN_LATE])
        if len(self.late) > SHOWN_LATE:
            yield f"! … and {count(len(self.late) - SHOWN_LATE, 'late group')} more"
        yield from self.at_clusters()
        yield from (visible(note) for _, note in self.sites)
        yield from (visible(note) for channel in self.channels for note in channel.notes(self.at))
        yield from (closed.to_text() for closed in self.closings)
        if self.came_late:
            yield f"! {say_late(self.came_late)}"
        if self.archived:
            yield f"{count(self.archived, 'unit')} archived: penstock units --archived"
        if self.settling:
            files = "1 file is" if self.settling == 1 else f"{self.settling} files are"
            which = f", such as {visible(self.settles)}" if self.settles else ""
            yield f"{files} not at rest yet{which}"
        yield from self.troubles()

    def troubles(self) -> Iterator[str]:
        """Yield what needs a person: what was noticed, then what failed, once for all that failed the same way."""
        noticed = [problem for problem in self.problems if problem.stage is None]
        if noticed or self.failures:
            yield "problems"
        yield from (f"  {visible(problem.task)}: {visible(problem.why)}" for problem in noticed)
        for one in self.failures:
            yield f"  {visible(one.example)}: {visible(one.why)}"
            if one.command:
                yield f"      {one.command}"
        told = len(noticed) + sum(one.count for one in self.failures)
        if more := len(self.problems) + self.more_problems - told:
            yield f"  … and {more} more: penstock status --problems {10 * SHOWN_PROBLEMS}"


def show_progress(stage: StageStatus) -> str:
    """Return one line: `spectrogram 100/200 done, 4 running, 1 failed, 3 min left`."""
    others = [f"{stage.tasks[s]} {s}" for s in STATES if s != "done" and stage.tasks[s]]
    left = [f"{show_left(stage)} left"] if stage.seconds_left else []
    return ", ".join([f"{visible(stage.name)} {stage.tasks['done']}/{stage.total} done", *others, *left])


def show_left(stage: StageStatus) -> str:
    """Return the time left, or nothing."""
    return "" if stage.seconds_left is None else show_duration(stage.seconds_left)


def _align(rows: list[list[str]]) -> list[str]:
    """Align two columns of words to the left, the numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines: list[str] = []
    for row in rows:
        words = [cell.ljust(width) for cell, width in zip(row[:2], widths, strict=False)]
        numbers = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join(words + numbers).rstrip())
    return lines

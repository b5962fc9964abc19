"""Failed tasks by what they have in common: five hundred that failed the same way are one thing to fix."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from penstock.display import Labels, show_command

LOOKED_AT = 5000  # failed tasks; more are counted, not compared

#: what differs between units that failed the same way; another exit code or signal is another failure
DIFFERING = re.compile(r"(?<!exit code )(?<!signal )\b\w+")
NUMBER = re.compile(r"\d")
WORD = re.compile(r"\w+")

Like = tuple[str, str]
"""A stage, and what reasons have in common."""


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed tasks of one stage whose reasons differ in numbers and in the names of their units only."""

    stage: str
    count: int
    task: str
    """The first of them, and its reason."""
    why: str
    tried: bool
    """Whether it ran at all, and so may have a log."""

    @property
    def command(self) -> str | None:
        """The command that prints the first one's output."""
        return show_command("log", self.task, self.stage) if self.tried else None

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    @property
    def example(self) -> str:
        """Name them: `calibrate n/7`, or `calibrate: 133 failed the same way, such as n/7`."""
        if self.count == 1:
            return f"{self.stage} {self.task}"
        return f"{self.stage}: {self.count} failed the same way, such as {self.task}"


def read_failure_groups(
    db: sqlite3.Connection, labels: Labels, *, since: float | None = None
) -> list[FailureGroup]:
    """Return the failed tasks of the stages that are defined, the most alike first; or those that failed `since` then."""
    found, counts = dict[Like, FailureGroup](), Counter[Like]()
    for stage, name, unit, why, count in _failed(
        db, "" if since is None else f" AND task.failed > {since!r}"
    ):
        label = labels.label(db.execute("SELECT key FROM unit WHERE id = ?", (unit,)).fetchone()[0])
        like = name, shape_of(why, label)
        if like not in found:
            found[like] = FailureGroup(name, 1, label, why, was_tried(db, stage, unit))
        counts[like] += count
    return sorted(
        (replace(one, count=counts[like]) for like, one in found.items()), key=lambda one: -one.count
    )


def _failed(db: sqlite3.Connection, condition: str) -> Iterator[tuple[int, str, int, str, int]]:
    """Yield stage, its name, the first unit, the reason, and how many failed for just that; all of it is in `task_failed`."""
    yield from db.execute(
        "SELECT id, name, min(unit), reason, count(*) FROM (SELECT stage.id, stage.name, task.unit, coalesce(task.why,"
        " (SELECT attempt.why FROM attempt WHERE stage = task.stage AND unit = task.unit AND NOT late"
        " ORDER BY attempt.id DESC LIMIT 1), 'failed') AS reason"
        " FROM stage JOIN task ON task.stage = stage.id AND task.state = 'failed'"
        f" WHERE NOT stage.removed{condition} LIMIT ?) GROUP BY id, reason ORDER BY id, min(unit)",
        (LOOKED_AT,),
    )


def was_tried(db: sqlite3.Connection, stage: int, unit: int) -> bool:
    """Whether a task ran at all."""
    sql = "SELECT EXISTS (SELECT 1 FROM attempt WHERE stage = ? AND unit = ?)"
    return bool(db.execute(sql, (stage, unit)).fetchone()[0])


def shape_of(why: str, label: str) -> str:
    """Return a reason without what differs between units.

    >>> shape_of("sh ended with exit code 3: no table for run 7", "night/7")
    'sh ended with exit code 3: no table for run #'
    """
    own = set(WORD.findall(label))
    return DIFFERING.sub(lambda word: "#" if word[0] in own or NUMBER.search(word[0]) else word[0], why)

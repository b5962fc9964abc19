"""A group as the record has it at one moment: what was made, by what, and what was left out."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.display import Labels
from penstock.ledger import Ledger
from penstock.ledger.products import Recorded
from penstock.ledger.reopening import previous_seal, seal_number
from penstock.ledger.vetoes import vetoes_of
from penstock.runner.task import Task
from penstock.units import canonical

TASKS = (
    "SELECT s.name, s.id, t.unit, t.state, u.key FROM stage s CROSS JOIN unit u ON u.level = s.level"
    " CROSS JOIN task t ON t.stage = s.id AND t.unit = u.id WHERE NOT s.removed AND s.name IN ({names}) AND {under}"
)
PRODUCTS = (
    "SELECT p.path, p.bytes, p.digest, p.mtime_ns, p.stage, p.unit FROM unit u CROSS JOIN stage s ON s.level = u.level"
    " CROSS JOIN task t ON t.stage = s.id AND t.unit = u.id AND t.state = 'done'"
    " CROSS JOIN product p ON p.stage = s.id AND p.unit = u.id AND p.digest IS NOT NULL"
    " WHERE NOT s.removed AND {sealed} AND {under} ORDER BY p.path"
)
EPOCH = (
    "SELECT max(j.epoch) FROM stage s CROSS JOIN unit u ON u.level = s.level"
    " CROSS JOIN attempt a ON a.stage = s.id AND a.unit = u.id AND a.outcome = 'ok' AND NOT a.late"
    " JOIN job j ON j.id = a.job WHERE s.name IN ({names}) AND {under}"
)


@contextmanager
def reading(task: Task) -> Generator[Group]:
    """Read the group of a step from the record, as it is at one moment."""
    with group_in(
        Path.cwd(), str(task.params["level"]), canonical(task.key), task.params["members"]
    ) as group:
        yield group


@contextmanager
def group_in(root: Path, level: str, key: str, members: Sequence[str]) -> Generator[Group]:
    """Read a group by its level and its canonical key."""
    with Ledger.open(root, readonly=True) as ledger:
        ledger.db.execute("BEGIN")  # what is read is of one moment, whatever a conductor writes
        labels = Labels.read(ledger.db)
        number = 0 if level == "campaign" else labels.levels.index(level) + 1
        row = ledger.db.execute("SELECT id FROM unit WHERE level = ? AND key = ?", (number, key)).fetchone()
        yield Group(ledger, root, labels, level, number, row["id"], key, tuple(members))


@dataclass(frozen=True, slots=True)
class Group:
    """A group in the record. `members` are the stages of which all tasks are done or left out before it is closed."""

    ledger: Ledger
    root: Path
    labels: Labels
    level: str
    number: int
    unit: int
    key: str
    members: tuple[str, ...]

    @property
    def db(self) -> sqlite3.Connection:
        """The record, as it is at one moment."""
        return self.ledger.db

    @property
    def label(self) -> str:
        """How people call it."""
        return self.labels.label(self.key)

    @property
    def seal(self) -> int:
        """The number of the seal that it has, or gets next."""
        return seal_number(self.db, self.unit)

    @property
    def previous(self) -> str | None:
        """The digest of the seal before that one."""
        return previous_seal(self.db, self.unit)

    @property
    def definition(self) -> str:
        """The digest of the definition."""
        sql = "SELECT digest FROM definition WHERE id = (SELECT value FROM meta WHERE name = 'definition')"
        return str(self.db.execute(sql).fetchone()[0])

    @property
    def epoch(self) -> int | None:
        """Of the lease under which the last member was made; None where its attempts were pruned."""
        return self.db.execute(self._sql(EPOCH), self.members).fetchone()[0]

    def products(self) -> list[Recorded]:
        """Return all products in the group that a seal is of, in the order of their paths.

        Those are all but its own seal, and provenance, which tells of kills and can be made again from the record.
        """
        rows = self.db.execute(self._sql(PRODUCTS))
        return sorted(map(Recorded._make, rows), key=lambda row: row.path.encode())

    def made_by(self) -> tuple[str, ...]:
        """Return the stages of the definition, without the steps of closings."""
        sql = "SELECT name FROM stage WHERE NOT removed AND name NOT LIKE 'close.%' ORDER BY position"
        return tuple(row[0] for row in self.db.execute(sql))

    def stages(self) -> dict[str, dict[str, Any]]:
        """Return the members' stages: the digest of each, and how many of its tasks are in which state."""
        sql = "SELECT digest FROM stage WHERE name = ?"
        found = {
            name: {"digest": self.db.execute(sql, (name,)).fetchone()[0], "tasks": dict[str, int]()}
            for name in self.members
        }
        for row in self._tasks():
            counted = found[row["name"]]["tasks"]
            counted[row["state"]] = counted.get(row["state"], 0) + 1
        return found

    def left_out(self) -> list[dict[str, str]]:
        """Return the tasks that are not done: of which unit, and who vetoed it and why, or how it ended."""
        return sorted(self._left(), key=lambda one: (one["unit"], one["stage"]))

    def _left(self) -> Iterator[dict[str, str]]:
        by_stage: dict[int, list[sqlite3.Row]] = {}
        for row in self._tasks():
            if row["state"] != "done":
                by_stage.setdefault(row["id"], []).append(row)
        for stage, rows in by_stage.items():
            vetoes = vetoes_of(self.db, stage, [row["unit"] for row in rows])
            for row in rows:
                veto = vetoes.get(row["unit"])
                said = {"by": veto.by, "why": veto.why} if veto else {}
                yield {
                    "unit": self.labels.label(row["key"]),
                    "stage": row["name"],
                    "state": row["state"],
                    **said,
                }

    def _tasks(self) -> Iterator[sqlite3.Row]:
        yield from self.db.execute(self._sql(TASKS), self.members)

    def _sql(self, text: str) -> str:
        own = f"(u.id = {self.unit} OR (u.g{self.number} = {self.unit} AND u.level > {self.number}))"
        sealed = f"s.name <> 'close.{self.level}.seal' AND s.name NOT LIKE 'close.%.provenance'"
        return text.format(
            sealed=sealed, names=", ".join("?" * len(self.members)), under=own if self.number else "true"
        )

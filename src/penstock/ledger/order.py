"""In which order tasks go: where each stands, whose turn it is, and how many of a stage may be out at once."""

from __future__ import annotations

import json
import math
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from penstock.campaign import Stage
from penstock.errors import DefinitionError
from penstock.graph import Graph
from penstock.ledger import Ledger
from penstock.ledger.evaluating import work_out
from penstock.ledger.units import ROOT, Values, under
from penstock.units import Expression

T = TypeVar("T")

LAST = b"\xff"  # of all that an expression gives: SQLite puts bytes after texts, and these after numbers
TURN = "turn"  # in `meta`, with the stage: the group that was served last

WAITING = (
    "task INDEXED BY task_ready WHERE stage = :stage AND behind = :behind AND alone = :alone"
    " AND state = 'ready' AND due IS NULL"
)


class Waiting(NamedTuple):
    """The ready tasks of a stage, of new data or of the backfill `behind` all of that; suspects stand `alone`."""

    stage: Stage
    number: int
    behind: bool = False
    alone: bool = False

    def first(self, ledger: Ledger, most: int, among: str = "true") -> list[sqlite3.Row]:
        """Return those that go next, `most` of them, for which an SQL condition holds: in order, or of each group in turn."""
        if not self.stage.fair:
            return self.of_group(ledger.db, 0, among, most)
        served = int(ledger.meta(f"{TURN}.{self.stage.name}") or 0)
        groups = [*self.groups(ledger.db, served, most), *self.groups(ledger.db, 0, most, up_to=served)][
            :most
        ]
        piece = math.ceil(most / max(1, len(groups)))
        queues = [self.tasks_of(ledger.db, group, among, piece) for group in groups]
        return list(islice(in_turn(queues), most))

    def any(self, db: sqlite3.Connection) -> bool:
        """Whether there are some, suspects or not."""
        both = (self._replace(alone=alone) for alone in (False, True))
        return any(db.execute(f"SELECT 1 FROM {WAITING} LIMIT 1", one.names).fetchone() for one in both)

    def how_many(self, db: sqlite3.Connection, most: int) -> int:
        """Count them, up to `most`."""
        sql = f"SELECT count(*) FROM (SELECT 1 FROM {WAITING} LIMIT {most})"
        return int(db.execute(sql, self.names).fetchone()[0])

    @property
    def names(self) -> dict[str, int]:
        """What the SQL names."""
        return {"stage": self.number, "behind": int(self.behind), "alone": int(self.alone)}

    def groups(self, db: sqlite3.Connection, after: int, most: int, *, up_to: int = 1 << 62) -> list[int]:
        """Return the next groups that have some, in the order of their ids: one step in the index for each."""
        following = f"SELECT min(share) FROM {WAITING} AND share > {{}}"
        sql = (
            f"WITH RECURSIVE next (share) AS ({following.format(':after')} UNION ALL"
            f" SELECT ({following.format('next.share')}) FROM next WHERE next.share IS NOT NULL LIMIT :most)"
            " SELECT share FROM next WHERE share <= :up_to"
        )
        return [
            row[0] for row in db.execute(sql, {**self.names, "after": after, "most": most, "up_to": up_to})
        ]

    def tasks_of(self, db: sqlite3.Connection, group: int, among: str, piece: int) -> Iterator[sqlite3.Row]:
        """Yield the tasks of one group in order, read a piece at a time."""
        last = None
        while rows := self.of_group(db, group, among, piece, after=last):
            yield from rows
            last = rows[-1]
            if len(rows) < piece:
                return

    def of_group(
        self, db: sqlite3.Connection, group: int, among: str, most: int, *, after: sqlite3.Row | None = None
    ) -> list[sqlite3.Row]:
        """Return the first tasks of one group, `after` one of them."""
        beyond = "AND (rank, unit) > (:rank, :unit)" if after else ""
        sql = (
            f"SELECT unit, share, rank, alone, time_scale, memory_scale FROM {WAITING} AND share = :share {beyond}"
            f" AND {among} ORDER BY rank, unit LIMIT :most"
        )
        place = {"rank": after["rank"], "unit": after["unit"]} if after else {}
        return db.execute(sql, {**self.names, **place, "share": group, "most": most}).fetchall()


def in_turn(queues: Iterable[Iterator[T]]) -> Iterator[T]:
    """Yield one of each in turn, until all are empty.

    >>> "".join(in_turn([iter("abc"), iter("x"), iter("12")]))
    'ax1b2c'
    """
    left = deque(queues)
    while left:
        queue = left.popleft()
        for one in islice(queue, 1):
            yield one
            left.append(queue)


def note_served(ledger: Ledger, stage: Stage, stage_id: int, units: Sequence[int]) -> None:
    """Remember, in the transaction that gives tasks out, whose turn it was last."""
    if stage.fair:
        sql = "SELECT share FROM task WHERE stage = ? AND unit = ?"
        served = ledger.db.execute(sql, (stage_id, units[-1])).fetchone()[0]
        ledger.set_meta(f"{TURN}.{stage.name}", str(served))


def wake(ledger: Ledger, now: float, longest_s: float) -> None:
    """Let the tasks go whose time to be retried has come, or is further ahead than the longest delay: by another clock."""
    for which, at in (("due <= ?", now), ("due > ?", now + longest_s)):
        if ledger.db.execute(f"SELECT 1 FROM task WHERE {which} LIMIT 1", (at,)).fetchone():
            with ledger.transaction() as db:
                db.execute(f"UPDATE task SET due = NULL WHERE {which}", (at,))


# how many may be out


def room(db: sqlite3.Connection, chain: Sequence[Stage], ids: Mapping[str, int]) -> int | None:
    """Return how many more tasks of a chain may go out by `max_running`; None if that is not limited."""
    left = [s.max_running - out(db, ids[s.name]) for s in chain if s.max_running is not None]
    return max(0, min(left)) if left else None


def out(db: sqlite3.Connection, stage_id: int) -> int:
    """Count the tasks of a stage that a runner has or may have, those among them that a person took away."""
    sql = "SELECT count(*) FROM batch b JOIN task t ON t.batch = b.id AND t.stage = ? WHERE b.state <> 'finished'"
    return int(db.execute(sql, (stage_id,)).fetchone()[0])


def full(db: sqlite3.Connection, stage_id: int, frozen: str) -> int | None:
    """Return how many tasks of a stage are out, where that is as many as may be by its frozen definition."""
    most = json.loads(frozen).get("max_running")
    busy = out(db, stage_id) if most else 0
    return busy if most and busy >= most else None


def backfill_left(db: sqlite3.Connection, stage_id: int) -> int:
    """Count the tasks of a stage that are still to be redone behind new data."""
    marked = (
        "SELECT count(*) FROM task INDEXED BY task_redo WHERE stage = :stage AND behind = 1 AND redo <> 0"
    )
    ready = f"SELECT count(*) FROM {WAITING.replace(':behind', '1').replace(':alone', '0')}"
    return sum(db.execute(sql, {"stage": stage_id}).fetchone()[0] for sql in (marked, ready))


# where each stands


def place_sql(stage: Stage) -> tuple[str, str]:
    """Return the SQL of a task's group and rank, as far as the row of its unit (u) tells."""
    return (f"u.g{stage.fair}" if stage.fair else "0", "-u.id" if stage.order == "newest" else "0")


def rank(
    db: sqlite3.Connection, graph: Graph, values: Values, stage: str, rows: Iterable[sqlite3.Row]
) -> None:
    """Give the tasks of these units their ranks, where an expression says them."""
    order = graph.stages[stage].order
    if isinstance(order, Expression):
        said = work_out(values, f"{stage}.order", rows, partial(rank_of, order), else_=LAST)
        db.executemany(
            "UPDATE task SET rank = ? WHERE stage = ? AND unit = ? AND rank IS NOT ?",
            [(one, graph.ids[stage], unit, one) for unit, one in said.items()],
        )


def rank_of(order: Expression, values: Mapping[str, Any]) -> Any:
    """Return what an expression makes of a unit; the last place while a field is unknown or empty."""
    if any(values.get(name) is None for name in order.names):
        return LAST
    value = order.evaluate(values)
    if not isinstance(value, (int, float, str)):
        raise DefinitionError(f"{order.text!r} gives {value!r}: an order needs a number or a text")
    if isinstance(value, str):
        return value
    return LAST if math.isnan(value) else float(value)


def rank_under(
    db: sqlite3.Connection, graph: Graph, values: Values, stage: str, units: Sequence[int]
) -> None:
    """Give the tasks of changed units, and of those under them, their ranks anew."""
    if units and isinstance(graph.stages[stage].order, Expression):
        rank(db, graph, values, stage, under(db, units, graph.stages[stage].level))


def place_again(db: sqlite3.Connection, graph: Graph, values: Values, stage: str, before: str) -> None:
    """Place all tasks of a stage anew if its order is another than in its definition `before`."""
    definition, old = graph.stages[stage], json.loads(before)
    order = definition.order.text if isinstance(definition.order, Expression) else definition.order
    if (order, definition.fair) == (old.get("order", "oldest"), old.get("fair", 0)):
        return
    place_all(db, graph, values, stage)


def place_all(db: sqlite3.Connection, graph: Graph, values: Values, stage: str) -> None:
    """Place all tasks of a stage by the order of its definition."""
    share, least = place_sql(graph.stages[stage])
    db.execute(
        f"UPDATE task SET (share, rank) = (SELECT {share}, {least} FROM unit u WHERE u.id = task.unit) WHERE stage = ?",
        (graph.ids[stage],),
    )
    rank_under(db, graph, values, stage, [ROOT])

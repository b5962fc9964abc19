"""The state of a campaign as numbers for Prometheus: from tallies and indexes, with no label a unit."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from penstock.ledger import SCANNED, Ledger
from penstock.ledger.hosts.holder import last_turn
from penstock.ledger.reading.channels import channel_states
from penstock.ledger.reading.closed import closed_groups
from penstock.ledger.reading.decided import count_archived, count_marked
from penstock.status.model import STATES

Labels = Mapping[str, str]
ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})

#: the first ready task of a stage: units are numbered as they are first seen
END_OF_LINE = (
    "SELECT u.at FROM task t INDEXED BY task_ready JOIN unit u ON u.id = t.unit WHERE t.stage = :stage AND t.behind = 0"
    " AND t.alone = 0 AND t.state = 'ready' AND t.due IS NULL ORDER BY t.share {0}, t.rank {0}, t.unit {0} LIMIT 1"
)
#: of a line in the order in which units were seen, or the other way round, the oldest is at an end
OLDEST_READY = "SELECT min(at) FROM (SELECT * FROM ({}) UNION ALL SELECT * FROM ({}))".format(
    END_OF_LINE.format(""), END_OF_LINE.format("DESC")
)


class Metric(NamedTuple):
    """One metric: its name, what it is, and its values by labels."""

    name: str
    help: str
    values: list[tuple[Labels, float]]

    def head(self) -> str:
        """Write what it is, in the text format."""
        return f"# HELP {self.name} {self.help}\n# TYPE {self.name} gauge\n"

    def samples(self, campaign: str) -> str:
        """Write its values of one campaign."""
        lines = list[str]()
        for labels, value in self.values:
            told = ",".join(
                f'{k}="{v.translate(ESCAPES)}"' for k, v in {"campaign": campaign, **labels}.items()
            )
            lines.append(f"{self.name}{{{told}}} {value!r}\n")
        return "".join(lines)


def render_metrics(ledger: Ledger, now: float) -> str:
    """Return all metrics of a campaign in Prometheus' text format."""
    return render_together([ledger], now)


def render_together(ledgers: Iterable[Ledger], now: float) -> str:
    """Return all metrics of some campaigns: each metric once, with the values of all; without values it is left out.

    Campaigns of one name are told apart by their folders.
    """
    found = dict[str, str]()
    named = [(ledger.meta("name") or ledger.root.name, ledger) for ledger in ledgers]
    often = Counter(name for name, _ in named)
    for name, ledger in named:
        if often[name] > 1:
            name = f"{name} in {ledger.root}"
        for metric in metrics_of(ledger, now):
            if samples := metric.samples(name):
                found[metric.name] = found.get(metric.name, metric.head()) + samples
    return "".join(found.values())


def metrics_of(ledger: Ledger, now: float) -> Iterator[Metric]:
    """Yield the metrics of a campaign."""
    db = ledger.db
    yield from of_stages(db, now)
    turned, scanned = last_turn(db), ledger.meta(SCANNED)
    yield Metric("penstock_last_turn_timestamp_seconds", "When the last turn ended.", one(turned))
    yield Metric(
        "penstock_last_scan_timestamp_seconds",
        "When sources were last scanned.",
        one(None if scanned is None else float(scanned)),
    )
    yield Metric("penstock_problems", "Problems that a person should look at.", one(counted(db, "problem")))
    yield Metric(
        "penstock_late_groups",
        "Groups that missed a deadline and are not done.",
        one(counted(db, "missed WHERE over IS NULL")),
    )
    yield Metric("penstock_archived_units", "Units that were put away.", one(count_archived(db)))
    groups: list[tuple[Labels, float]] = [
        ({"level": one.level, "state": state}, getattr(one, state))
        for one in closed_groups(db)
        for state in ("closed", "open", "reopened")
    ]
    yield Metric(
        "penstock_groups", "Groups by level, closed or open; of the latter, those that were reopened.", groups
    )
    channels = list(channel_states(db))
    for name, text in (
        ("waiting", "Notices still to be sent."),
        ("given_up", "Notices that could not be sent."),
    ):
        values: list[tuple[Labels, float]] = [({"channel": c.name}, getattr(c, name)) for c in channels]
        yield Metric(f"penstock_outbox_{name}", text, values)


def of_stages(db: sqlite3.Connection, now: float) -> Iterator[Metric]:
    """Yield the metrics that each stage has."""
    tasks, stale, marked, paused, oldest = (list[tuple[Labels, float]]() for _ in range(5))
    rows = db.execute("SELECT id, name, paused FROM stage WHERE NOT removed ORDER BY position").fetchall()
    for number, stage, pause in rows:
        counts = dict(
            tuple(row)
            for row in db.execute("SELECT state, n FROM tally WHERE stage = ? AND unit = 1", (number,))
        )
        tasks += [({"stage": stage, "state": state}, counts.get(state, 0)) for state in STATES]
        stale.append(({"stage": stage}, counts.get("stale", 0)))
        marked.append(({"stage": stage}, count_marked(db, number)))
        paused.append(({"stage": stage}, int(pause is not None)))
        first = db.execute(OLDEST_READY, {"stage": number}).fetchone()
        if first and first[0] is not None:
            oldest.append(({"stage": stage}, max(0.0, now - first[0])))
    yield Metric("penstock_tasks", "Tasks by stage and state.", tasks)
    yield Metric("penstock_stale_tasks", "Done tasks whose definition or input changed since.", stale)
    yield Metric("penstock_marked_tasks", "Done tasks that a person marked as done.", marked)
    yield Metric("penstock_stage_paused", "1 while a stage waits for a person.", paused)
    yield Metric(
        "penstock_oldest_ready_seconds",
        "How long ago the unit of the oldest ready task was first seen, or last changed.",
        oldest,
    )


def one(value: float | None) -> list[tuple[Labels, float]]:
    """Return the only value of a metric without labels of its own."""
    return [] if value is None else [({}, value)]


def counted(db: sqlite3.Connection, rows: str) -> int:
    """Count rows."""
    return int(db.execute(f"SELECT count(*) FROM {rows}").fetchone()[0])

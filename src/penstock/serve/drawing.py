"""Where boxes, lines and bars stand in the drawings of a page; the templates write them as SVG."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from penstock.layout import arrange, curve
from penstock.ledger.stored import upstreams_of
from penstock.report import first_of_newest
from penstock.status import StageStatus, Status

BOX_W, BOX_H, GAP_W, GAP_H, MARGIN = 190, 62, 56, 22, 8
BAR_W, THIN_W = 1000, 6  # of a bar of states, in its own units; of its thinnest part
HOUR_S, HOURS = 3600, 48
HOURS_W, HOURS_H = 960, 120
SHOWN = ("done", "running", "queued", "ready", "waiting", "failed", "blocked", "vetoed", "gone")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a bar: the state that it counts, and where it begins and ends, in thousandths."""

    state: str
    count: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Box:
    """A stage in the drawing."""

    stage: StageStatus
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Flow:
    """The stages from left to right, each after those that it waits for."""

    boxes: Sequence[Box]
    lines: Sequence[str]
    """The curves between them, as paths of SVG."""
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Hour:
    """How the attempts of one hour ended, and where its bar stands."""

    at: datetime
    ok: int
    failed: int
    x: float
    width: float
    ok_h: float
    failed_h: float


@dataclass(frozen=True, slots=True)
class Bars:
    """Attempts by the hour of their end."""

    hours: Sequence[Hour]
    most: int
    width: int = HOURS_W
    height: int = HOURS_H


def parts_of(stage: StageStatus) -> Iterator[Part]:
    """Yield the parts of a stage's bar; what there is at all can be seen."""
    x = 0.0
    for state in SHOWN:
        if n := stage.tasks[state]:
            part = BAR_W * n / stage.total
            width = max(part, THIN_W)
            yield Part(state, n, round(min(x, BAR_W - width), 1), round(width, 1))
            x += part


def draw_flow(db: sqlite3.Connection, status: Status) -> Flow:
    """Draw the graph of the stages; steps of closings are left out."""
    stages = {stage.name: stage for stage in status.stages if not stage.name.startswith("close.")}
    rows = db.execute("SELECT name, definition FROM stage WHERE NOT removed ORDER BY position")
    needs = {name: upstreams_of(json.loads(text)) for name, text in rows if name in stages}
    edges = [(up, name) for name, ups in needs.items() for up, _ in ups if up in stages]
    places = {
        name: (MARGIN + column * (BOX_W + GAP_W), MARGIN + round(row * (BOX_H + GAP_H)))
        for name, (column, row) in arrange(list(stages), edges).items()
    }
    width = max((x for x, _ in places.values()), default=0) + BOX_W + MARGIN
    height = max((y for _, y in places.values()), default=0) + BOX_H + MARGIN
    boxes = [Box(stages[name], *place) for name, place in places.items()]
    return Flow(boxes, [line(places[a], places[b]) for a, b in edges], width, height)


def line(source: tuple[int, int], target: tuple[int, int]) -> str:
    """Return the path from the right of one box to the left of another."""
    return curve((source[0] + BOX_W, source[1] + BOX_H // 2), (target[0], target[1] + BOX_H // 2))


def draw_hours(db: sqlite3.Connection, now: float, newest: int) -> Bars | None:
    """Draw how many attempts ended in each of the last hours, of the newest ones; None if none did."""
    this = int(now // HOUR_S)
    rows = db.execute(
        "SELECT CAST(ended / ? AS INTEGER) AS hour, sum(outcome = 'ok'), sum(outcome <> 'ok') FROM attempt"
        " WHERE id > ? AND ended >= ? GROUP BY hour",
        (HOUR_S, first_of_newest(db, newest), (this - HOURS + 1) * HOUR_S),
    )
    counts = {hour: (ok, failed) for hour, ok, failed in rows}
    most = max((sum(pair) for pair in counts.values()), default=0)
    if not most:
        return None
    step, scale = HOURS_W / HOURS, HOURS_H / most
    hours = [
        Hour(datetime.fromtimestamp(hour * HOUR_S, UTC), ok, failed, round(n * step, 1), round(step - 2, 1),
             round(ok * scale, 1), round(failed * scale, 1))
        for n, hour in enumerate(range(this - HOURS + 1, this + 1))
        for ok, failed in (counts.get(hour, (0, 0)),)
    ]  # fmt: skip
    return Bars(hours, most)

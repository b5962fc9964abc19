"""All tasks of a campaign as arrays, and which wait for which: what a model of batches works on."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.campaign import Campaign, Stage
from penstock.graph import Edge, build

Indices = npt.NDArray[np.int64]

WAITING, READY, OUT, DONE, NEVER = range(5)
STATE = {"waiting": WAITING, "ready": READY, "queued": READY, "running": READY, "done": DONE}


@dataclass(slots=True)
class Tasks:
    """The tasks of one stage, by the number of their unit: shapes are (tasks,), of `groups` (tasks, levels)."""

    stage: Stage
    units: Indices
    groups: Indices
    """The unit's group at each level, the campaign first."""
    state: npt.NDArray[np.int8]
    blockers: npt.NDArray[np.int32]
    """How many upstreams are not done yet."""
    tries: npt.NDArray[np.int16]

    def positions(self, units: Indices) -> Indices:
        """Return where the tasks of units stand; -1 where a unit has none."""
        if not len(self.units):
            return np.full(len(units), -1)
        found = np.searchsorted(self.units, units).clip(max=len(self.units) - 1)
        return np.where(self.units[found] == units, found, -1)


@dataclass(slots=True)
class Link:
    """Tasks of `down` wait for those of `up` that have the same code; `left` counts by code what is not done yet."""

    down: Tasks
    codes: Indices
    """Of each task of `up`."""
    left: Indices
    order: Indices
    """The tasks of `down` by their codes,"""
    starts: Indices
    """and where in that order each code begins; one more at the end."""

    def waiting_for(self, codes: Indices) -> Indices:
        """Return the tasks of `down` that wait for these codes."""
        lengths = self.starts[codes + 1] - self.starts[codes]
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(
            self.starts[codes] - (ends - lengths), lengths
        )
        return self.order[places]

    def end(self, ended: Indices) -> Indices:
        """Note that tasks of `up` are done; return those of `down` that wait for nothing else."""
        codes, counts = np.unique(self.codes[ended], return_counts=True)
        self.left[codes] -= counts
        freed = self.waiting_for(codes[self.left[codes] == 0])
        self.down.blockers[freed] -= 1
        return freed[(self.down.blockers[freed] == 0) & (self.down.state[freed] == WAITING)]


class Crowd:
    """All tasks of a campaign by stage, as its record has them."""

    def __init__(self, campaign: Campaign, record: Path) -> None:
        with closing(sqlite3.connect(record)) as db:
            ids = dict(db.execute("SELECT name, id FROM stage").fetchall())
            self.tasks = {
                s.name: read_tasks(db, s, ids[s.name], len(campaign.levels)) for s in campaign.stages
            }
            self.links: dict[str, list[Link]] = {name: [] for name in self.tasks}
            for edges in build(campaign, ids).upstreams.values():
                for edge in edges:
                    self.links[edge.up].append(read_link(db, edge, self.tasks, ids))
        for tasks in self.tasks.values():
            tasks.state[(tasks.state == WAITING) & (tasks.blockers == 0)] = READY
        changing = [array for t in self.tasks.values() for array in (t.state, t.blockers, t.tries)]
        changing += [link.left for links in self.links.values() for link in links]
        self.first = [(array, array.copy()) for array in changing]

    def reset(self) -> None:
        """Let all be again as it was read."""
        for array, first in self.first:
            array[:] = first

    def states(self) -> dict[str, int]:
        """Count the tasks by state; what still waits is blocked for good."""
        counts: Any = sum(np.bincount(tasks.state, minlength=5) for tasks in self.tasks.values())
        named = {"done": counts[DONE], "blocked": counts[WAITING] + counts[READY], "failed": counts[NEVER]}
        return {name: int(n) for name, n in named.items() if n}


def read_tasks(db: sqlite3.Connection, stage: Stage, number: int, levels: int) -> Tasks:
    """Read the tasks of a stage."""
    columns = ", ".join(f"coalesce(u.g{level}, 0)" for level in range(1, levels + 1))
    cases = " ".join(f"WHEN '{name}' THEN {code}" for name, code in STATE.items())
    rows = db.execute(
        f"SELECT t.unit, CASE t.state {cases} ELSE {NEVER} END, {columns} FROM task t JOIN unit u ON u.id = t.unit"
        " WHERE t.stage = ? ORDER BY t.unit",
        (number,),
    )
    kind = [("unit", "i8"), ("state", "i1"), *((f"g{level}", "i8") for level in range(1, levels + 1))]
    found = np.fromiter(rows, dtype=kind)
    groups = np.stack([np.ones(len(found), "i8"), *(found[f"g{n}"] for n in range(1, levels + 1))], axis=1)
    return Tasks(
        stage,
        found["unit"].copy(),
        groups,
        found["state"].copy(),
        np.zeros(len(found), "i4"),
        np.zeros(len(found), "i2"),
    )


def read_link(db: sqlite3.Connection, edge: Edge, tasks: Mapping[str, Tasks], ids: Mapping[str, int]) -> Link:
    """Return what an edge of the graph means for each task, and count it among what its downstream tasks wait for."""
    up, down = tasks[edge.up], tasks[edge.down]
    if edge.kind == "keyed":
        pairs = db.execute(
            "SELECT l.unit, u.id FROM link l JOIN unit u ON u.level = ? AND u.key = l.key WHERE l.stage = ? AND l.upstream = ?",
            (up.stage.level, ids[edge.down], ids[edge.up]),
        )
        wanted = np.array(pairs.fetchall(), "i8").reshape(-1, 2)
        up_codes, down_codes = np.arange(len(up.units)), np.full(len(down.units), -1)
        down_codes[down.positions(wanted[:, 0])] = up.positions(wanted[:, 1])
    else:
        level = min(up.stage.level, down.stage.level)
        both = np.concatenate([up.groups[:, level], down.groups[:, level]])
        codes = np.unique(both, return_inverse=True)[1]
        up_codes, down_codes = codes[: len(up.units)], codes[len(up.units) :]
    number = int(max(up_codes.max(initial=-1), down_codes.max(initial=-1))) + 1
    left = np.bincount(up_codes[np.isin(up.state, (WAITING, READY))], minlength=number)
    order = np.argsort(down_codes, kind="stable")
    starts = np.searchsorted(down_codes[order], np.arange(number + 1))
    waits = (down_codes >= 0) & (left[down_codes] > 0) if number else np.zeros(len(down.units), bool)
    down.blockers += waits
    return Link(down, up_codes, left, order, starts)

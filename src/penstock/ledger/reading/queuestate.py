"""The states of jobs at clusters, by the record: from their runners' events, else from the scheduler's answers."""

from __future__ import annotations

import shlex
import sqlite3
from dataclasses import asdict, dataclass, replace
from typing import Any

from penstock.display import show_time
from penstock.schedulers import mending, release_command

SILENT_S = 180.0  # without news, after which a runner is asked after

MOST_NODES = 5  # that are named

#: The last word counts: a runner that claimed its element runs, whatever the queue said of it before.
QUEUE_STATES = """
SELECT phase, CASE WHEN phase = queued THEN word END AS word, CASE WHEN phase = queued THEN reason END AS reason,
    count(*) AS elements, min(element) AS first, min(starts) AS starts, group_concat(DISTINCT node) AS nodes,
    sum(phase = 'running' AND news <= :silent) AS silent, max(news) AS news
FROM (
    SELECT e.element, e.word, e.reason, l.news,
        CASE WHEN e.ended IS NOT NULL OR l.left IS NOT NULL THEN 'ended' WHEN l.job IS NOT NULL THEN 'running'
            WHEN e.absent IS NOT NULL THEN 'absent'
            ELSE coalesce(e.phase, CASE WHEN j.native IS NULL THEN 'planned' ELSE 'submitted' END) END AS phase,
        CASE WHEN e.ended IS NOT NULL THEN 'ended' ELSE e.phase END AS queued,
        CASE WHEN l.native IS NULL AND e.ended IS NULL THEN e.starts END AS starts,
        coalesce(l.host, nullif(e.node, '')) AS node
    FROM (SELECT * FROM element WHERE job = :job AND element >= :first AND NOT finished ORDER BY element LIMIT :most) e
    JOIN job j ON j.id = e.job
    LEFT JOIN life l ON l.job = e.job AND l.element = e.element
        AND l.life = (SELECT max(life) FROM life WHERE job = e.job AND element = e.element)
)
GROUP BY 1, 2, 3 ORDER BY elements DESC, first
"""


@dataclass(frozen=True, slots=True)
class QueueState:
    """Elements in the same state, counted."""

    phase: str
    """pending, held, running, ended or unknown; submitted: not asked about yet; planned: not submitted yet;
    absent: the last answer did not list them."""
    elements: int
    first: int
    word: str | None = None
    """The scheduler's own word for the state."""
    reason: str | None = None
    starts: float | None = None
    """When the scheduler expects to start the first of them."""
    nodes: tuple[str, ...] = ()
    silent: int = 0
    """How many of them run and have written nothing for three minutes."""
    news: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    def to_text(self, now: float) -> str:
        """Write it in a few words: `38 pending (Resources), from 14:05:00 on`."""
        said = self.reason or (self.word if self.phase in ("held", "ended", "unknown") else None)
        words = {
            "unknown": "in an unknown state",
            "submitted": "in the queue",
            "planned": "being submitted",
            "absent": "no longer in the queue",
        }
        text = f"{self.elements} {words.get(self.phase, self.phase)}" + (f" ({said})" if said else "")
        if self.phase == "running":
            text += f" on {show_nodes(self.nodes)}" if self.nodes else ""
            text += f", {self.silent} of them silent for over {SILENT_S / 60:.0f} min" if self.silent else ""
        if self.phase == "pending" and self.starts is not None:
            text += f", from {show_time(self.starts, now=now)} on"
        return f"{text} whose files are awaited" if self.phase == "ended" else text


def queue_states(db: sqlite3.Connection, job: int, now: float, *, most: int = -1) -> list[QueueState]:
    """Return the states of an array's unfinished elements, the most frequent first; of `most` of them."""
    return _read(db, job, now, first=0, most=most)


def queue_state_of(db: sqlite3.Connection, job: int, element: int, now: float) -> QueueState | None:
    """Return the state of one element; None when it is finished."""
    found = _read(db, job, now, first=element, most=1)
    return found[0] if found and found[0].first == element else None


def _read(db: sqlite3.Connection, job: int, now: float, *, first: int, most: int) -> list[QueueState]:
    values = {"job": job, "first": first, "most": most, "silent": now - SILENT_S}
    return [
        QueueState(
            r["phase"], r["elements"], r["first"], r["word"], r["reason"] or None, r["starts"],
            _hosts(r["nodes"]), r["silent"] or 0, r["news"],
        )
        for r in db.execute(QUEUE_STATES, values)
    ]  # fmt: skip


def _hosts(names: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.partition(".")[0] for name in (names or "").split(",") if name))


def show_nodes(nodes: tuple[str, ...]) -> str:
    """Name some nodes, and count the others."""
    more = f" and {len(nodes) - MOST_NODES} more" if len(nodes) > MOST_NODES else ""
    return ", ".join(nodes[:MOST_NODES]) + more


def together(some: list[QueueState]) -> list[QueueState]:
    """Add up equal states of several jobs."""
    merged = dict[tuple[str, str | None, str | None], QueueState]()
    for one in some:
        key = one.phase, one.word, one.reason
        merged[key] = _sum(merged[key], one) if key in merged else one
    return sorted(merged.values(), key=lambda one: -one.elements)


def _sum(a: QueueState, b: QueueState) -> QueueState:
    starts = min((t for t in (a.starts, b.starts) if t is not None), default=None)
    return replace(
        a, elements=a.elements + b.elements, starts=starts, silent=a.silent + b.silent,
        nodes=tuple(dict.fromkeys((*a.nodes, *b.nodes))),
    )  # fmt: skip


def out_by_site(db: sqlite3.Connection, *, arrays: bool = False) -> dict[str, tuple[int, int]]:
    """Return, by site, the number of active jobs (with `arrays`: only those at clusters), and of their unfinished tasks."""
    rows = db.execute(
        "SELECT j.site, count(*), sum((SELECT count(*) FROM batch b JOIN task t ON t.batch = b.id WHERE b.job = j.id"
        " AND b.state <> 'finished' AND t.state IN ('queued', 'running')))"
        " FROM job j WHERE j.state <> 'finished' AND NOT (? AND j.feed) GROUP BY j.site ORDER BY min(j.id)",
        (arrays,),
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def trouble_of(db: sqlite3.Connection, site: str) -> tuple[str, float] | None:
    """Return what is wrong at a site, and since when; None: nothing is known."""
    row = db.execute("SELECT why, at FROM problem WHERE source = ?", (f"site {site}",)).fetchone()
    return row and (row[0], row[1])


def scheduler_of(db: sqlite3.Connection, site: str) -> str | None:
    """Return the scheduler that a site had in the newest definition."""
    row = db.execute(
        "SELECT json_extract(text, '$.sites.\"' || ?1 || '\".scheduler') FROM definition"
        " WHERE id = (SELECT value FROM meta WHERE name = 'definition')",
        (site,),
    ).fetchone()
    return row and row[0]


def site_of(db: sqlite3.Connection, stage: str) -> str | None:
    """Return where the tasks of a stage run, by the newest definition."""
    row = db.execute(
        "SELECT coalesce(json_extract(definition, '$.site'), (SELECT json_extract(text, '$.site') FROM definition"
        " WHERE id = (SELECT value FROM meta WHERE name = 'definition'))) FROM stage WHERE name = ?",
        (stage,),
    ).fetchone()
    return row and row[0]


def goes_on(stage: str, pause: str) -> str:
    """Say how to end the pause of a stage: each start of `run` ends a halt, a fuse needs `retry`."""
    retry = f"`penstock retry --stage {shlex.quote(stage)}`"
    if pause == "fuse":
        return f"fix it, then {retry} and `penstock run`"
    return f"fix it, then `penstock run`, or {retry} while something works on it"


def remedy_of(db: sqlite3.Connection, job: sqlite3.Row, held: QueueState) -> str:
    """Say how to release a held element."""
    command = release_command(
        scheduler_of(db, job["site"]), job["native"], array=job["elements"] > 1,
        word=held.word or "", reason=held.reason or "",
    )  # fmt: skip
    if command:
        return f"`{command}` releases it"
    stages = db.execute(
        "SELECT DISTINCT s.name FROM job j JOIN batch b ON b.job = j.id JOIN stage s ON s.id = b.stage WHERE j.token = ?",
        (job["token"],),
    )
    named = [f"--stage {shlex.quote(row[0])}" for row in stages] or ["--all"]
    again = " and ".join(f"`penstock {word} {which}`" for which in named for word in ("cancel", "retry"))
    mend = mending(scheduler_of(db, job["site"]), held.reason or "", job["site"])
    return f"{mend}, then {again} resubmit its tasks"

"""The outbox: what people are to be told, written in the transaction of its cause and sent by somebody else."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import NamedTuple

GATHER_S = 60.0  # after the first cause, so that what fails together is told together
PAUSES_S = (60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)  # between tries; the last repeats
TRIED_S = 86_400.0
KEPT_S = 90 * 86_400.0

Wanted = tuple[str, str]  # channel, kind


class Notice(NamedTuple):
    """One notice of one channel; `told` is up to when, or up to which attempt, its channel knows all."""

    id: int
    channel: str
    kind: str
    at: float
    told: float
    message: str | None = None
    tries: int = 0
    sealed: float = 0.0


def announce(db: sqlite3.Connection, kind: str, now: float) -> None:
    """Let all who want to be told of such news be told; a notice that is not sent yet takes it in."""
    db.execute(
        "INSERT INTO notice (channel, kind, at) SELECT channel, kind, ? FROM listener WHERE kind = ?"
        " ON CONFLICT DO NOTHING",
        (now, kind),
    )


def announce_to(db: sqlite3.Connection, channel: str, kind: str, now: float) -> None:
    """Let one channel be told."""
    db.execute(
        "INSERT INTO notice (channel, kind, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (channel, kind, now)
    )


def listen(db: sqlite3.Connection, wanted: Collection[Wanted], now: float) -> None:
    """Bring the listeners to what the definition says; what nobody wants any more is not sent."""
    known = {(row[0], row[1]) for row in db.execute("SELECT channel, kind FROM listener")}
    for gone in known - {*wanted}:
        db.execute("DELETE FROM listener WHERE channel = ? AND kind = ?", gone)
        db.execute("DELETE FROM notice WHERE channel = ? AND kind = ? AND sent IS NULL", gone)
    newest = db.execute("SELECT coalesce(max(id), 0) FROM attempt").fetchone()[0] if wanted else 0
    db.executemany(
        "INSERT INTO listener (channel, kind, told, at) VALUES (?, ?, ?, ?)",
        [(*new, newest if new[1] == "digest" else now, now if new[1] == "digest" else 0.0)
         for new in sorted({*wanted} - known)],
    )  # fmt: skip


def growing(db: sqlite3.Connection, now: float, every_s: float, channel: str, *, last: bool) -> list[Notice]:
    """Return the notices of a channel whose message is to be written now; `last`: nobody comes later.

    None is while an earlier one of its kind is still to be sent, and but one each `every_s`.
    """
    rows = db.execute(
        "SELECT n.id, n.channel, n.kind, n.at, l.told FROM notice n JOIN listener l USING (channel, kind)"
        " WHERE n.message IS NULL AND n.channel = :channel AND NOT EXISTS (SELECT 1 FROM notice o WHERE"
        " o.channel = n.channel AND o.kind = n.kind AND o.due IS NOT NULL)"
        " AND (:last OR n.kind = 'digest' OR (n.at + :gather <= :now AND l.at + :every <= :now))",
        {"channel": channel, "last": last, "gather": GATHER_S, "every": every_s, "now": now},
    )
    return [Notice(*row) for row in rows]


def seal(db: sqlite3.Connection, notice: Notice, message: str, told: float, now: float) -> None:
    """Fix the message of a notice, and up to when its channel knows all."""
    db.execute(
        "UPDATE notice SET message = ?, sealed = ?, due = ? WHERE id = ?", (message, now, now, notice.id)
    )
    db.execute(
        "UPDATE listener SET told = ?, at = ? WHERE channel = ? AND kind = ?",
        (told, now, notice.channel, notice.kind),
    )
    db.execute("DELETE FROM notice WHERE due IS NULL AND sealed < ?", (now - KEPT_S,))


def drop(db: sqlite3.Connection, notice: Notice) -> None:
    """Forget a notice of which nothing is left to tell."""
    db.execute("DELETE FROM notice WHERE id = ?", (notice.id,))


def unsent(db: sqlite3.Connection, now: float) -> list[Notice]:
    """Return what is to be sent now, the oldest first."""
    rows = db.execute(
        "SELECT id, channel, kind, at, 0.0, message, tries, sealed FROM notice WHERE due <= ? ORDER BY id",
        (now,),
    )
    return [Notice(*row) for row in rows]


def note_sent(db: sqlite3.Connection, notice: Notice, why: str | None, now: float) -> None:
    """Note that a notice was sent; `why` says to whom it was not."""
    db.execute(
        "UPDATE notice SET sent = ?, due = NULL, tries = tries + 1, why = ? WHERE id = ?",
        (now, why, notice.id),
    )


def note_failed(db: sqlite3.Connection, notice: Notice, why: str, now: float) -> None:
    """Note why a notice could not be sent, and when it is tried again; after a day it is given up."""
    due = now + PAUSES_S[min(notice.tries, len(PAUSES_S) - 1)]
    db.execute(
        "UPDATE notice SET due = ?, tries = tries + 1, why = ? WHERE id = ?",
        (due if due <= notice.sealed + TRIED_S else None, why, notice.id),
    )


def any_trouble(db: sqlite3.Connection) -> bool:
    """Whether a task failed and is not done since, a stage is paused, or a group is late."""
    return any(
        db.execute(sql).fetchone()
        for sql in (
            "SELECT 1 FROM task t INDEXED BY task_trouble JOIN stage s ON s.id = t.stage WHERE t.failed IS NOT NULL"
            " AND t.state NOT IN ('vetoed', 'gone') AND NOT s.removed LIMIT 1",
            "SELECT 1 FROM stage WHERE paused IS NOT NULL AND NOT removed LIMIT 1",
            "SELECT 1 FROM missed m JOIN stage s ON s.id = m.stage WHERE m.over IS NULL AND NOT s.removed LIMIT 1",
        )
    )


def announce_recovery(db: sqlite3.Connection, now: float) -> None:
    """Tell those that all is well again who were told that it was not; who was not told yet, of nothing."""
    rows = db.execute("SELECT channel, at FROM listener WHERE kind = 'recovery'").fetchall()
    if not rows or any_trouble(db):
        return
    for channel, at in rows:
        told = db.execute(
            "SELECT 1 FROM notice WHERE channel = ? AND kind IN ('failure', 'deadline') AND sealed > ?",
            (channel, at),
        ).fetchone()
        if told:
            announce_to(db, channel, "recovery", now)


def count_anew(db: sqlite3.Connection, now: float) -> None:
    """Count from now on what was told at a later time: the clock was put back since. What came first stays first."""
    values = {"now": now, "most": now + PAUSES_S[-1]}
    db.execute("UPDATE notice SET due = :now WHERE due > :most", values)
    times = (("listener", "at"), ("listener", "told"), ("notice", "at"), ("notice", "sealed"))
    ahead = [db.execute(f"SELECT max({time}) FROM {table}").fetchone()[0] or now for table, time in times]
    values["last"] = max(ahead)
    for (table, time), latest in zip(times, ahead, strict=True):
        if latest > now:
            sql = f"UPDATE {table} SET {time} = :now + ({time} - :last) * 1e-6 WHERE {time} > :now"
            db.execute(sql, values)


def announce_digest(db: sqlite3.Connection, channel: str, since: float, now: float) -> None:
    """Let a channel have its digest, unless it had one `since` its hour."""
    sql = "UPDATE listener SET at = ? WHERE channel = ? AND kind = 'digest' AND at < ?"
    if db.execute(sql, (now, channel, since)).rowcount:
        announce_to(db, channel, "digest", now)

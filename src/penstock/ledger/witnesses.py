"""What lies beside the record and must not know more than it: jobs, what they were fed, requests, a published copy.

A record that is behind them was put back, or lost its end: SQLite forgets in silence what comes after a damaged byte of
its `-wal`. No file's time is asked.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from pathlib import Path

from penstock.clock import is_ahead
from penstock.display import count
from penstock.errors import LedgerError
from penstock.ledger import FOLDER, Ledger
from penstock.ledger.actions import Action, actions_after, target_now
from penstock.ledger.archive import jobs_in
from penstock.ledger.closed import CHANGED, REMEDY, WHY
from penstock.ledger.files import connect_copy
from penstock.ledger.hosts.location import newest_copy
from penstock.ledger.pruning import PRUNED
from penstock.ledger.requests import insert

ACCEPTED = "accepted."  # in `meta`, before the name of a job that may be ahead of the record
UNKNOWN_S = 5.0  # a request may be written down and on its way into the record
AHEAD_S = 600.0  # as much as the clock of another host, where it was written down, may be ahead of ours
LASTING = ("veto", "unveto", "mark", "unmark", "archive", "unarchive")  # others had their effect, or not
SHOWN = 3
KNOWN = "actions"  # in `meta`: up to which byte the file of requests is known


def refuse_behind(ledger: Ledger, folders: Iterable[Path], fed: Mapping[str, int]) -> None:
    """Raise LedgerError if the record is behind, or changed; `fed`: how many batches runners of open jobs were given."""
    if ledger.meta(CHANGED):
        raise LedgerError(f"{ledger.path}: {WHY}. {REMEDY}")
    found = ahead(ledger, folders, fed)
    if found:
        raise LedgerError(
            f"the record of {ledger.root} is behind what lies beside it: {'; '.join(found)}. `penstock ledger rebuild`"
            " brings back what was done since; after `penstock ledger accept` it is done again, over its files with `--overwrite`"
        )


def ahead(ledger: Ledger, folders: Iterable[Path], fed: Mapping[str, int]) -> list[str]:
    """Return what knows more than the record, a few words each."""
    db, packed = ledger.db, dict[str, bool]()
    for token, is_packed in (one for folder in folders for one in jobs_in(folder)):
        packed[token] = is_packed and packed.get(token, True)
    states = dict[str, str](db.execute("SELECT token, state FROM job").fetchall())
    accepted = accepted_in(db)
    strange = sorted(packed.keys() - states.keys() - accepted)
    over = sorted(t for t, alone in packed.items() if alone and states.get(t, "finished") != "finished")
    given = dict[str, int](
        db.execute(
            "SELECT j.token, count(b.id) FROM job j LEFT JOIN batch b ON b.job = j.id"
            " WHERE j.state <> 'finished' AND j.feed GROUP BY j.id"
        ).fetchall()
    )
    more = sorted(token for token, n in fed.items() if n > given.get(token, n))
    found = [
        named(strange, "that it does not know"),
        named(set(over) - accepted, "that it takes for unfinished"),
        named(set(more) - accepted, "with tasks that it does not know of"),
        copy_ahead(ledger),
    ]
    return [words for words in found if words]


def accepted_in(db: sqlite3.Connection) -> set[str]:
    """Return the jobs that may be ahead of the record."""
    rows = db.execute("SELECT name FROM meta WHERE name GLOB ?", (f"{ACCEPTED}*",))
    return {row[0].removeprefix(ACCEPTED) for row in rows}


def named(tokens: Collection[str], what: str) -> str:
    """Say how many jobs something is with, and name some; nothing of none."""
    more = ", …" if len(tokens) > SHOWN else ""
    names = ", ".join(sorted(tokens)[:SHOWN])
    return f"{count(len(tokens), 'job')} {what} ({names}{more})" if tokens else ""


def copy_ahead(ledger: Ledger) -> str:
    """Say if a published copy has jobs that the record has not."""
    copy = newest_copy(ledger.root / FOLDER) if ledger.publisher else None
    if copy is None:
        return ""
    sql = "SELECT coalesce(max(id), 0) FROM job"
    with closing(connect_copy(copy)) as db:
        theirs = db.execute(sql).fetchone()[0]
    return f"{copy.name} has jobs after its last one" if theirs > ledger.db.execute(sql).fetchone()[0] else ""


def accept(ledger: Ledger, folders: Iterable[Path]) -> int:
    """Go on with the record as it is, whatever lies beside it; return how many jobs are let be."""
    known = {row[0] for row in ledger.db.execute("SELECT token FROM job WHERE state = 'finished'")}
    tokens = {token for folder in folders for token, _ in jobs_in(folder)} - known - accepted_in(ledger.db)
    with ledger.transaction() as db:
        db.execute("DELETE FROM meta WHERE name = ?", (CHANGED,))
        for token in tokens:
            ledger.set_meta(f"{ACCEPTED}{token}", "")
    return len(tokens)


def take_in_lost(ledger: Ledger, now: float) -> int:
    """Bring in requests that are written down and not in the record; return how many.

    What decides for good is applied; of the rest nobody knows whether it was. The record has how far the file is known,
    and a record that was put back knows less of it.
    """
    known = int(ledger.meta(KNOWN) or 0)
    asked, end = actions_after(ledger.root, known)
    if end == known:
        return 0
    missing = unrecorded(ledger, asked)
    lost = [action for action in missing if not is_ahead(action.at + UNKNOWN_S, now, AHEAD_S)]
    with ledger.transaction() as db:
        for action in lost:
            take_in(db, action, now)
        if len(lost) == len(missing):
            ledger.set_meta(KNOWN, str(end))
    return len(lost)


def unrecorded(ledger: Ledger, asked: Iterable[Action]) -> list[Action]:
    """Return the requests that are not in the record, nor were pruned from it."""
    since = float(ledger.meta(PRUNED) or 0)
    known = {tuple(row) for row in ledger.db.execute("SELECT at, by, action FROM request")}
    return [action for action in asked if action.at > since and action[:3] not in known]


def take_in(db: sqlite3.Connection, action: Action, now: float) -> None:
    """Bring in one request."""
    target, missing = target_now(db, action)
    number = insert(db, action.action, target, action.by, action.at)
    if action.action not in LASTING or missing:
        answer = f"it is not known whether this was done: {json.dumps(missing)}" if missing else "not known"
        db.execute("UPDATE request SET applied = ?, answer = ? WHERE id = ?", (now, answer, number))

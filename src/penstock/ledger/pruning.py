"""Removing what is old and nothing depends on any more, after it was exported; in pieces, so that nobody waits long."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from penstock.disk import make_private, sync_folder
from penstock.errors import LedgerError
from penstock.ledger import Ledger
from penstock.ledger.exporting import export
from penstock.runner.files import archive_of

PRUNED = "pruned"  # in `meta`: up to when requests, and others, were removed
PIECE = 2_000  # rows of one transaction
DECISIVE = "'close', 'closed', 'reopened', 'unmarked'"  # of the history: what still says what is to be done

#: a task's last attempt, and its last one that counted, stay; so do all of tasks that are not done
_ATTEMPTS = (
    "SELECT a.id FROM attempt a JOIN task t ON t.stage = a.stage AND t.unit = a.unit AND t.state = 'done'"
    " WHERE a.ended < :before AND EXISTS (SELECT 1 FROM attempt l WHERE l.stage = a.stage AND l.unit = a.unit AND l.id > a.id"
    " AND NOT l.late)"
)
_JOBS = (
    "SELECT j.id FROM job j WHERE j.state = 'finished' AND j.finished < :before"
    " AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.job = j.id)"
)
#: the present definition stays, and the last one of those by which a task was made: `why` compares the two
_DEFINITIONS = (
    "SELECT id FROM definition WHERE at < :before AND id <> (SELECT value FROM meta WHERE name = 'definition')"
    " AND id NOT IN (SELECT max(d.id) FROM definition d, json_each(d.text, '$.stages') s"
    " WHERE json_extract(s.value, '$.digest') IN (SELECT made FROM task WHERE made IS NOT NULL)"
    " GROUP BY json_extract(s.value, '$.digest'))"
)
_CAUSES = (
    "SELECT id FROM cause WHERE id NOT IN (SELECT cause FROM history WHERE cause IS NOT NULL"
    " UNION SELECT marked FROM task WHERE marked IS NOT NULL UNION SELECT archived FROM unit WHERE archived IS NOT NULL)"
)

#: what goes → the rows of it, by their id (of a table without one: by what is unique)
OLD: Mapping[str, tuple[str, str, str]] = {
    "attempts": ("attempt", "id", _ATTEMPTS),
    "requests": ("request", "id", "SELECT id FROM request WHERE applied < :before"),
    "notices": ("notice", "id", "SELECT id FROM notice WHERE due IS NULL AND sealed < :before"),
    "problems": ("problem", "id", "SELECT id FROM problem WHERE source IN ('events', 'expand') AND at < :before"),
    "changes": (
        "history", "(unit, n)",
        f"SELECT unit, n FROM history h WHERE at < :before AND what NOT IN ({DECISIVE})"
        " AND NOT EXISTS (SELECT 1 FROM task t WHERE t.unit = h.unit AND t.stale IS NOT NULL)",
    ),
    "missed deadlines": ("missed", "(stage, unit)", "SELECT stage, unit FROM missed WHERE over < :before"),
    "lifted vetoes": ("veto", "id", "SELECT id FROM veto WHERE lifted < :before"),
    "definitions": ("definition", "id", _DEFINITIONS),
    "reasons": ("cause", "id", _CAUSES),
}  # fmt: skip
PARTS = ("batch", "element", "life")  # of jobs


def count_old(db: sqlite3.Connection, before: float) -> dict[str, int]:
    """Return how much would be removed; of jobs, those that have nothing left today."""
    queries = {**{what: rows for what, (_, _, rows) in OLD.items()}, "jobs": _JOBS}
    return {
        what: db.execute(f"SELECT count(*) FROM ({sql})", {"before": before}).fetchone()[0]
        for what, sql in queries.items()
    }


def prune(ledger: Ledger, before: float, folder: Path, *, form: str = "csv") -> dict[str, int]:
    """Export the record into a new folder, then remove what is older than `before`; return how much that was.

    Raises LedgerError if it cannot be exported: then nothing is removed.
    """
    export(ledger.db, folder, form)
    with ledger.transaction():
        if before > float(ledger.meta(PRUNED) or 0):
            ledger.set_meta(PRUNED, repr(before))
    removed = {what: remove(ledger, *parts, before) for what, parts in OLD.items()}
    removed["jobs"] = remove_jobs(ledger, before, folder / "jobs")
    return removed


def new_folder(exports: Path) -> Path:
    """Return a folder of today that is not there yet, for an export."""
    make_private(exports)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    names = (today, *(f"{today}-{n}" for n in range(2, 1_000)))
    return next(place for name in names if not (place := exports / name).exists())


def remove(ledger: Ledger, table: str, key: str, rows: str, before: float) -> int:
    """Remove rows of a table, piece by piece."""
    removed = 0
    while True:
        with ledger.transaction() as db:
            n = db.execute(
                f"DELETE FROM {table} WHERE {key} IN ({rows} LIMIT {PIECE})", {"before": before}
            ).rowcount
        removed += n
        if n < PIECE:
            return removed


def remove_jobs(ledger: Ledger, before: float, folder: Path) -> int:
    """Remove jobs without attempts; their archives move to the export, for none may lie there that the record lacks."""
    removed = 0
    while jobs := ledger.db.execute(
        f"SELECT id, folder FROM job WHERE id IN ({_JOBS} LIMIT {PIECE})", {"before": before}
    ).fetchall():
        for job in jobs:
            put_away(ledger.root / job["folder"], folder)
        ids = [(job["id"],) for job in jobs]
        with ledger.transaction() as db:
            for table in PARTS:
                db.executemany(f"DELETE FROM {table} WHERE job = ?", ids)
            db.executemany("DELETE FROM job WHERE id = ?", ids)
        removed += len(jobs)
    return removed


def put_away(job: Path, folder: Path) -> None:
    """Move the archive of a job; raises LedgerError if it cannot be."""
    archive = Path(archive_of(str(job)))
    if not archive.exists():
        return
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        shutil.move(archive, folder / archive.name)
        sync_folder(folder)
        sync_folder(archive.parent)
    except OSError as error:
        raise LedgerError(
            f"{archive} cannot be moved to {folder} ({error.strerror}): its job stays"
        ) from error

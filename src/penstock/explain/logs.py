"""A task's output: its own bytes of the log that it shares with others."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.display import count
from penstock.errors import LedgerError
from penstock.ledger.archive import read_stretch
from penstock.ledger.stored import stored_campaign, stored_copy
from penstock.runner.sealed import unseal
from penstock.site.folders import WORDS, WORDS_BYTES
from penstock.transports.protocol import read_whole

if TYPE_CHECKING:
    from penstock.ledger import Ledger
    from penstock.transports.protocol import Transport

MOST_BYTES = 256 << 20  # of a log or of events


@dataclass(frozen=True, slots=True)
class Log:
    """The output of one attempt; `attempt` is None while it runs."""

    stage: str
    unit: int
    attempt: int | None
    outcome: str
    file: Path
    raw: bytes


def choose_stage(db: sqlite3.Connection, unit: int) -> sqlite3.Row | None:
    """Return the stage of the unit's task that failed, runs, or ran last; None if it has no task of its own."""
    return db.execute(
        "SELECT stage.*, max(attempt.id) AS latest FROM stage CROSS JOIN task "
        "ON task.stage = stage.id AND task.unit = ?1 "
        "LEFT JOIN attempt ON attempt.stage = stage.id AND attempt.unit = ?1 GROUP BY stage.id "
        "ORDER BY task.state = 'failed' DESC, task.state = 'running' DESC, latest DESC LIMIT 1",
        (unit,),
    ).fetchone()


def read_log(
    ledger: Ledger, unit: int, stage: sqlite3.Row, *, attempt: int | None = None, tail: int | None = None
) -> Log:
    """Return what the task of `stage` for `unit` wrote in its last attempt, in the one that runs, or in the n-th.

    With `tail`, of what lies here only the last so many bytes: no site is asked, and a log may be of any size.

    Raises LedgerError if there was no such attempt, or if its log no longer exists.
    """
    db = ledger.db
    if attempt is None and (running := _read_running(ledger, unit, stage, tail)):
        return running
    rows = db.execute(
        "SELECT attempt.*, job.folder, job.token, job.site FROM attempt LEFT JOIN job ON job.id = attempt.job "
        "WHERE stage = ? AND unit = ? ORDER BY attempt.id",
        (stage["id"], unit),
    ).fetchall()
    if not rows and attempt is None and (begun := _read_false_start(ledger, unit, stage)):
        return begun
    if not rows:
        raise LedgerError(f"{stage['name']} has not been tried for this unit: `penstock why` explains")
    number = len(rows) if attempt is None else attempt
    if not 1 <= number <= len(rows):
        raise LedgerError(
            f"there is no attempt {number}: {stage['name']} has {count(len(rows), 'attempt')} for this unit"
        )
    file, raw = _read_attempt(ledger, rows[number - 1], tail)
    return Log(stage["name"], unit, number, rows[number - 1]["outcome"], file, raw)


def _read_attempt(ledger: Ledger, row: sqlite3.Row, tail: int | None) -> tuple[Path, bytes]:
    """Read what an attempt wrote, and where that is; raises LedgerError if it no longer exists."""
    if (
        row["log"] is None and row["folder"] and row["outcome"] != "ok"
    ):  # its runner ended before it could tell
        return _read_words(ledger, row)
    if not (row["log"] and row["log_bytes"]):
        return Path(), b""
    file = ledger.root / row["folder"] / row["log"]
    skipped = 0 if tail is None else max(0, row["log_bytes"] - tail)
    raw = JobFiles(ledger, row, here=tail is not None).read(
        row["log"], row["log_offset"] + skipped, row["log_bytes"] - skipped
    )
    if raw is None:
        raise LedgerError(f"the log {file} no longer exists: `penstock retry` makes a new one")
    return file, raw


def _read_false_start(ledger: Ledger, unit: int, stage: sqlite3.Row) -> Log | None:
    """What the last job of a stage said if it began no task: a traceback of its Python, or a line of the set-up."""
    job = ledger.db.execute(
        "SELECT * FROM job j WHERE state = 'finished' AND EXISTS (SELECT 1 FROM batch WHERE job = j.id AND stage = ?)"
        " ORDER BY id DESC LIMIT 1",
        (stage["id"],),
    ).fetchone()
    if (
        job is None
        or ledger.db.execute("SELECT 1 FROM attempt WHERE job = ? LIMIT 1", (job["id"],)).fetchone()
    ):
        return None
    file, raw = _read_words(ledger, job)
    return Log(stage["name"], unit, None, "not begun", file, raw) if raw else None


def _read_words(ledger: Ledger, job: sqlite3.Row) -> tuple[Path, bytes]:
    """What the runners of a job, and the script that starts them, said outside of tasks."""
    return ledger.root / job["folder"] / WORDS, JobFiles(ledger, job).read(WORDS, 0, WORDS_BYTES) or b""


def _read_running(ledger: Ledger, unit: int, stage: sqlite3.Row, tail: int | None) -> Log | None:
    """What a running task has written since it started: its slot's log after the last task that ended."""
    job = ledger.db.execute(
        "SELECT job.*, batch.element FROM task JOIN batch ON batch.id = task.batch "
        "JOIN job ON job.id = batch.job WHERE task.stage = ? AND task.unit = ? AND task.state = 'running'",
        (stage["id"], unit),
    ).fetchone()
    if job is None:
        return None
    files, element = JobFiles(ledger, job, here=tail is not None), job["element"]
    lives = [int(name.split(".")[1]) for name in files.names() if fnmatchcase(name, f"{element}.*.jsonl")]
    events = files.read(f"{element}.{max(lives)}.jsonl", 0, MOST_BYTES) if lives else None
    slot, offset = _find_start(events, stage["id"], unit) if events else (None, 0)
    if slot is None:
        return None
    name = f"{element}.{slot}.log"
    if tail is not None:
        offset = max(offset, files.size(name) - tail)
    raw = files.read(name, offset, MOST_BYTES if tail is None else tail) or b""
    return Log(stage["name"], unit, None, "running", ledger.root / job["folder"] / name, raw)


class JobFiles:
    """The files of one job: in its folder, in its archive, or there where it runs as long as they have not come home.

    `here`: only those that came.
    """

    def __init__(self, ledger: Ledger, job: sqlite3.Row, *, here: bool = False) -> None:
        self.ledger, self.job, self.here = ledger, job, here
        self.folder = ledger.root / job["folder"]

    def names(self) -> list[str]:
        """Return the names in its folder."""
        if self.folder.is_dir():
            return [path.name for path in self.folder.iterdir()]
        way = self.way_there()
        return [*way.list([self.job["token"]]).get(self.job["token"], ())] if way else []

    def size(self, name: str) -> int:
        """Return the size of a file in its folder, in bytes; 0 if it is not there."""
        try:
            return (self.folder / name).stat().st_size
        except FileNotFoundError:
            return 0

    def read(self, name: str, offset: int, length: int) -> bytes | None:
        """Return bytes of a file; None when there is none."""
        found = read_stretch(self.folder / name, offset, length)
        if found is None and (way := self.way_there()):
            return read_whole(way, f"{self.job['token']}/{name}", offset, length)
        return found

    def way_there(self) -> Transport | None:
        """Return the way to where it runs, if its files come home later; nothing is asked yet."""
        if self.here:
            return None
        from penstock.site import Sites

        sites = (stored_copy(self.ledger.db) or {}).get("sites", {})
        if sites.get(self.job["site"], {}).get("shared_files", True):
            return None
        campaign = replace(stored_campaign(self.ledger), root=self.ledger.root)
        return Sites(campaign).open_cluster(self.job["site"]).transport


def _find_start(events: bytes, stage: int, unit: int) -> tuple[int | None, int]:
    slots: dict[int, int] = {}
    slot = None
    for line in events.splitlines():
        event: dict[str, Any] = unseal(line) or {}
        if event.get("e") == "end" and event.get("log"):
            slots[event["w"]] = event["log"][1] + event["log"][2]
        if event.get("e") == "start" and (event["s"], event["u"]) == (stage, unit):
            slot = int(event["w"])
    return slot, slots.get(slot or 0, 0)

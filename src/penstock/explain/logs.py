"""A task's output: its own bytes of the log that it shares with others."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.display import count
from penstock.errors import LedgerError
from penstock.ledger.archive import read_stretch
from penstock.runner.sealed import unseal
from penstock.site.folders import WORDS, WORDS_BYTES

if TYPE_CHECKING:
    from penstock.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Log:
    """The output of one attempt; `attempt` is None while it runs."""

    stage: str
    unit: int
    attempt: int | None
    outcome: str
    file: Path
    raw: bytes


def read_log(ledger: Ledger, unit: int, stage: sqlite3.Row, *, attempt: int | None = None) -> Log:
    """Return what the task of `stage` for `unit` wrote in its last attempt, in the one that runs, or in the n-th.

    Raises LedgerError if there was no such attempt, or if its log no longer exists.
    """
    db = ledger.db
    if attempt is None and (running := _read_running(ledger, unit, stage)):
        return running
    rows = db.execute(
        "SELECT attempt.*, job.folder FROM attempt LEFT JOIN job ON job.id = attempt.job "
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
    row = rows[number - 1]
    if (
        row["log"] is None and row["folder"] and row["outcome"] != "ok"
    ):  # its runner ended before it could tell
        file, raw = _read_words(ledger, row["folder"])
        return Log(stage["name"], unit, number, row["outcome"], file, raw)
    if not (row["log"] and row["log_bytes"]):
        return Log(stage["name"], unit, number, row["outcome"], Path(), b"")
    file = ledger.root / row["folder"] / row["log"]
    raw = read_stretch(file, row["log_offset"], row["log_bytes"])
    if raw is None:
        raise LedgerError(f"the log {file} no longer exists: `penstock retry` makes a new one")
    return Log(stage["name"], unit, number, row["outcome"], file, raw)


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
    file, raw = _read_words(ledger, job["folder"])
    return Log(stage["name"], unit, None, "not begun", file, raw) if raw else None


def _read_words(ledger: Ledger, folder: str) -> tuple[Path, bytes]:
    """What the runners of a job, and the script that starts them, said outside of tasks."""
    file = ledger.root / folder / WORDS
    return file, read_stretch(file, 0, WORDS_BYTES) or b""


def _read_running(ledger: Ledger, unit: int, stage: sqlite3.Row) -> Log | None:
    """What a running task has written since it started: its slot's log after the last task that ended."""
    place = ledger.db.execute(
        "SELECT job.folder, batch.element FROM task JOIN batch ON batch.id = task.batch "
        "JOIN job ON job.id = batch.job WHERE task.stage = ? AND task.unit = ? AND task.state = 'running'",
        (stage["id"], unit),
    ).fetchone()
    if place is None:
        return None
    folder, element = ledger.root / place[0], place[1]
    lives = sorted(folder.glob(f"{element}.*.jsonl"), key=lambda path: int(path.suffixes[-2][1:]))
    slot, offset = _find_start(lives[-1], stage["id"], unit) if lives else (None, 0)
    if slot is None:
        return None
    file = folder / f"{element}.{slot}.log"
    raw = file.read_bytes()[offset:] if file.exists() else b""
    return Log(stage["name"], unit, None, "running", file, raw)


def _find_start(events: Path, stage: int, unit: int) -> tuple[int | None, int]:
    slots: dict[int, int] = {}
    slot = None
    for line in events.read_bytes().splitlines():
        event: dict[str, Any] = unseal(line) or {}
        if event.get("e") == "end" and event.get("log"):
            slots[event["w"]] = event["log"][1] + event["log"][2]
        if event.get("e") == "start" and (event["s"], event["u"]) == (stage, unit):
            slot = int(event["w"])
    return slot, slots.get(slot or 0, 0)

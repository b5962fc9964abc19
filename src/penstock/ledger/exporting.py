"""The record as tables that other programs read: one file a table, in a folder that appears when it is whole."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from penstock.disk import sync_folder
from penstock.display import Labels
from penstock.errors import LedgerError
from penstock.extras import need

FEW = 10_000  # rows that are held at once
FORMATS = ("csv", "jsonl", "parquet")
KEY, TIME = (
    "unit",
    (
        "at",
        "began",
        "ended",
        "created",
        "submitted",
        "finished",
        "applied",
        "lifted",
        "due",
        "seen",
        "gone",
        "over",
        "sealed",
        "sent",
    ),
)
"""Columns that are printed as people write them: keys, and times in UTC."""

_OF = "JOIN stage s ON s.id = {0}.stage JOIN unit u ON u.id = {0}.unit"

#: table → its rows; sizes are bytes, durations seconds, and the names of columns say so
TABLES: Mapping[str, str] = {
    "attempts": (
        "SELECT a.id, s.name AS stage, u.key AS unit, j.token AS job, a.outcome, a.began, a.ended, a.wall_s, a.cpu_s,"
        " a.rss AS memory_bytes, a.exit_code, a.signal, a.host, a.log, a.log_offset AS log_offset_bytes, a.log_bytes,"
        f" a.why, a.next, a.result, a.late FROM attempt a {_OF.format('a')} LEFT JOIN job j ON j.id = a.job"
    ),
    "tasks": (
        "SELECT s.name AS stage, u.key AS unit, t.state, t.due, t.tries, t.free, t.made, t.inputs, t.stale, t.why"
        f" FROM task t {_OF.format('t')}"
    ),
    "products": (
        "SELECT s.name AS stage, u.key AS unit, p.name, p.path, p.bytes, p.digest AS sha256, p.mtime_ns / 1e9 AS at,"
        f" m.declared FROM product p {_OF.format('p')} LEFT JOIN moved m ON m.path = p.path WHERE p.digest IS NOT NULL"
    ),
    "units": "SELECT key AS unit, level, origin, fields, fingerprint, at, gone, seen FROM unit WHERE level > 0",
    "requests": "SELECT id, at, by, action, target, applied, answer FROM request",
    "vetoes": (
        "SELECT u.key AS unit, s.name AS stage, v.by, v.why, v.at, v.lifted, v.lifted_by FROM veto v"
        " JOIN unit u ON u.id = v.unit LEFT JOIN stage s ON s.id = v.stage"
    ),
    "definitions": "SELECT id, digest, at, text FROM definition",
    "deadlines": (
        f"SELECT s.name AS stage, u.key AS unit, m.due, m.at, m.over FROM missed m {_OF.format('m')}"
    ),
    "notices": "SELECT id, channel, kind, at, sealed, sent, tries, why, message FROM notice",
    "problems": "SELECT id, source, subject, why, at FROM problem",
    "history": (
        "SELECT u.key AS unit, h.n, h.at, s.name AS stage, h.what, h.old, h.new, c.by, c.why FROM history h"
        " JOIN unit u ON u.id = h.unit LEFT JOIN stage s ON s.id = h.stage LEFT JOIN cause c ON c.id = h.cause"
    ),
    "jobs": (
        "SELECT id, token, site, native, elements, folder, state, created, submitted, finished, why, tries FROM job"
    ),
}

Rows = Iterator[list[tuple[Any, ...]]]
Writer = Callable[[Path, Sequence[str], Rows], None]


def export(db: sqlite3.Connection, folder: Path, form: str) -> dict[str, int]:
    """Write all tables into a new folder, and return how many rows each has.

    Raises LedgerError if the folder exists, or cannot be written.
    """
    if folder.exists():
        raise LedgerError(f"{folder} is there already: name a folder that is not")
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True, mode=0o700)
        counts = write_tables(db, draft, form)
        sync_folder(draft)
        os.rename(draft, folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise LedgerError(f"{folder} cannot be written ({error.strerror}): nothing was exported") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return counts


def write_tables(db: sqlite3.Connection, folder: Path, form: str) -> dict[str, int]:
    """Write a file for each table, all as they are at one moment."""
    labels, counts = Labels.read(db), dict[str, int]()
    db.execute("BEGIN")
    try:
        for name, sql in TABLES.items():
            cursor = db.execute(sql)
            columns = [column[0] for column in cursor.description]
            path, tally = folder / f"{name}.{form}", Tally(pieces(cursor, columns, labels))
            WRITERS[form](path, columns, tally)
            with path.open("rb") as file:
                os.fsync(file.fileno())
            counts[name] = tally.rows
    finally:
        db.execute("COMMIT")
    return counts


class Tally:
    """Counts rows on their way."""

    def __init__(self, source: Rows) -> None:
        self.source, self.rows = source, 0

    def __iter__(self) -> Tally:
        return self

    def __next__(self) -> list[tuple[Any, ...]]:
        piece = next(self.source)
        self.rows += len(piece)
        return piece


def pieces(cursor: sqlite3.Cursor, columns: Sequence[str], labels: Labels) -> Rows:
    """Yield the rows of a query, with keys as people write them and times as aware datetimes."""
    keys = [n for n, name in enumerate(columns) if name == KEY]
    times = [n for n, name in enumerate(columns) if name in TIME]
    while found := cursor.fetchmany(FEW):
        rows = list(map(list[Any], found))
        for row in rows:
            for n in keys:
                row[n] = labels.label(row[n])
            for n in times:
                row[n] = None if row[n] is None else datetime.fromtimestamp(row[n], UTC)
        yield list(map(tuple, rows))


def as_text(value: Any) -> Any:
    """Return a value as text files have it: times in ISO 8601, UTC."""
    if not isinstance(value, datetime):
        return value
    return f"{value:%Y-%m-%dT%H:%M:%S.%f}Z"


def write_csv(path: Path, columns: Sequence[str], rows: Rows) -> None:
    """Write a table as CSV (RFC 4180); what is missing is empty."""
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for piece in rows:
            writer.writerows([as_text(value) for value in row] for row in piece)


def write_jsonl(path: Path, columns: Sequence[str], rows: Rows) -> None:
    """Write a table as lines of JSON."""
    with path.open("w", encoding="utf-8", errors="surrogateescape") as file:
        for piece in rows:
            file.writelines(
                json.dumps(dict(zip(columns, map(as_text, row), strict=True)), ensure_ascii=False) + "\n"
                for row in piece
            )


def write_parquet(path: Path, columns: Sequence[str], rows: Rows) -> None:
    """Write a table as Parquet; times are timestamps in UTC."""
    arrow, parquet = need("pyarrow", "tables"), need("pyarrow.parquet", "tables")
    schema = arrow.schema([(name, parquet_type(arrow, name)) for name in columns])
    with parquet.ParquetWriter(path, schema) as writer:
        for piece in rows:
            arrays = [
                arrow.array(values, type=field.type)
                for values, field in zip(zip(*piece, strict=True), schema, strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


WHOLE = ("id", "n", "level", "tries", "free", "late", "elements", "exit_code", "signal")


def parquet_type(arrow: Any, name: str) -> Any:
    """Return the type of a column by its name."""
    if name in TIME:
        return arrow.timestamp("us", tz="UTC")
    if name.endswith("_s"):
        return arrow.float64()
    return arrow.int64() if name in WHOLE or name.endswith("bytes") else arrow.string()


WRITERS: Mapping[str, Writer] = {"csv": write_csv, "jsonl": write_jsonl, "parquet": write_parquet}
